//! I7 where many change at once: what the brake holds does not go out, and what was declined does not either.

use std::collections::{BTreeMap, BTreeSet};

use renkei_runtime::clock::Millis;

use super::Judge;
use super::rules::Fate;
use crate::scenario::{code, employee};
use crate::world::mail::Open;

/// The brake holds more than this many, if they are also more than the share.
const FEW: usize = 50;
/// In percent of all members.
const SHARE: usize = 30;
/// Counted generously, because the number of members grows while the scenario goes on.
const HIRES: usize = 10;

impl Judge<'_> {
    pub(super) fn mass(&mut self) {
        if !self.scenario.flavor.mass {
            return;
        }
        let mut departed: BTreeMap<String, Vec<Millis>> = BTreeMap::new();
        for (departure, rows) in self.departures().filter(|(departure, _)| departure.method == "PATCH") {
            for (code, _) in rows {
                departed.entry(code.clone()).or_default().push(departure.at);
            }
        }
        let mut together: BTreeMap<(usize, Millis), BTreeSet<usize>> = BTreeMap::new();
        for (person, states) in self.lines.people.iter().filter(|(person, _)| **person <= self.scenario.members) {
            let link = self.scenario.link_of(*person);
            for state in states.iter().filter(|state| !state.baseline) {
                let fates = self.lines.fates_at(link, *person, state.at);
                if matches!(fates.last(), Some(Fate::Send(_))) {
                    together.entry((link, state.at)).or_default().insert(*person);
                }
            }
        }
        let all = self.history.members.len() + HIRES;
        let most = FEW.max(all * SHARE / 100);
        for ((link, at), people) in together.into_iter().filter(|(_, people)| people.len() > most) {
            let later = |release: bool| {
                let decided = self.history.decisions[link].iter().filter(|(decided, _)| *decided > at);
                decided
                    .copied()
                    .find(|(_, released)| *released == release)
                    .map_or(Millis::NEVER, |(decided, _)| decided)
            };
            let (released, declined) = (later(true), later(false));
            for person in people {
                let gone = departed.get(&code(person)).cloned().unwrap_or_default();
                self.held(person, at, (released, declined), &gone);
            }
        }
    }

    fn held(&mut self, person: usize, at: Millis, (released, declined): (Millis, Millis), gone: &[Millis]) {
        let sent = |until: Millis| gone.iter().copied().find(|left| *left > at && *left < until);
        // Who went back to what カオナビ holds before anybody was held has nothing to be held, and may change again later.
        let went_back = |left: Millis| {
            let again = self.lines.people[&person].iter().any(|state| state.at > at && state.at < left);
            let id = employee(person);
            let held = |open: &Open| open.employee == id && open.code == "delivery.brake";
            again && !self.history.opened.iter().any(|open| held(open) && open.first > at && open.first < left)
        };
        if let Some(left) = sent(released.min(declined)).filter(|left| !went_back(*left)) {
            self.add("I7", left, Some(person), "sent while the brake held it");
        }
        // With quarter hours somebody may be held only after a person declined what was held then.
        let changed = self.lines.people[&person].iter().map(|state| state.at).find(|changed| *changed > at);
        if let Some(left) = sent(released.min(changed.unwrap_or(Millis::NEVER))).filter(|left| *left >= declined) {
            self.add("I7", left, Some(person), "sent although it was declined");
        }
    }
}
