//! I7 of previews: one shows what the rules say and sends nobody; a sync sends those whom a person confirmed, as they were
//! shown, and nobody else.
//!
//! That a preview sends nobody needs no rule of its own: a write of somebody who has no change, or who is left out, is one
//! already, unless it was confirmed.

use std::collections::BTreeSet;

use renkei_runtime::clock::Millis;

use super::Judge;
use super::mails::overlap;
use super::rows::allowed;
use super::rules::Fate;
use crate::play::{Confirmed, Looked, Shown};
use crate::scenario::code;

const HOUR: i64 = 3_600_000;

impl Judge<'_> {
    pub(super) fn previews(&mut self) {
        let history = self.history;
        for looked in &history.looks {
            let Some(seen) = looked.seen else {
                self.add("quiet", looked.asked, None, "a preview that nobody made");
                continue;
            };
            for item in &looked.items {
                self.shown(looked, seen, item);
            }
            if looked.first_load {
                self.first_load(looked, seen);
            }
            for sync in &looked.syncs {
                self.synced(looked, seen, sync);
            }
        }
        for (at, person) in &history.confirmed {
            let link = self.scenario.link_of(*person);
            let of_link = history.looks.iter().filter(|looked| looked.link == link);
            if !of_link.flat_map(|looked| &looked.syncs).any(|sync| sync.at == *at) {
                self.add("I7", *at, Some(*person), "somebody is sent on demand, and nobody demanded it");
            }
        }
    }

    /// What a preview says of one person.
    fn shown(&mut self, looked: &Looked, seen: Millis, item: &Shown) {
        let Shown { person, action, code, fields } = item;
        if self.scenario.link_of(*person) != looked.link {
            self.add("I7", seen, Some(*person), "a preview shows somebody of another connection");
            return;
        }
        if let Some(one) = self.scenario.numbered(*person) {
            let held = action == "hold" && code.as_deref() == Some(one.doubt.reason());
            let decided = self.released(*person).is_some_and(|at| at <= seen);
            // A number that changes is first sent as any other.
            if !held && !decided && one.before.is_none() {
                self.add("I7", seen, Some(*person), format!("a preview says {action} of a number that is held"));
            }
            return;
        }
        // It was made at some moment between the two.
        let fates = self.lines.fates_asked(looked.link, *person, looked.asked, seen);
        let code = code.as_deref();
        let right = fates.iter().any(|fate| match (action.as_str(), fate) {
            ("create", fate) => *person > self.scenario.members && allowed(fate, fields, true),
            ("update", fate) => allowed(fate, fields, false),
            ("unchanged", Fate::Send(_) | Fate::Leaver(_)) => true,
            ("skip", Fate::Skip(reason)) | ("park", Fate::Park(reason)) => code == Some(*reason),
            // Of somebody who is no member, or had left before anything was to be sent.
            ("skip", Fate::Leaver(_)) => code == Some("status_excluded"),
            // What カオナビ holds is not known well enough. Nobody else is held in these plays but by the brake, which a preview
            // leaves out.
            ("hold", Fate::Send(_) | Fate::Leaver(_)) => code.is_none(),
            _ => false,
        });
        if !right {
            let what = format!("a preview says {action} {code:?}, which is not what the newest state says");
            self.add("I7", seen, Some(*person), what);
        }
    }

    /// A first load shows everybody of whom nothing is to be sent because it came before the switch was on, and nobody else.
    fn first_load(&mut self, looked: &Looked, seen: Millis) {
        let shown: BTreeSet<usize> = looked.items.iter().map(|item| item.person).collect();
        let of_link = self.lines.people.keys().copied().filter(|person| self.scenario.link_of(*person) == looked.link);
        for person in of_link.collect::<Vec<_>>() {
            let states = self.lines.states_between(person, looked.asked, seen);
            let (always, ever) = match states.as_slice() {
                [] => (false, false),
                states => (states.iter().all(|state| state.baseline), states.iter().any(|state| state.baseline)),
            };
            if always && !shown.contains(&person) {
                self.add("I7", seen, Some(person), "a first load leaves out somebody");
            }
            if !ever && shown.contains(&person) {
                self.add("I7", seen, Some(person), "a first load shows somebody who has a change of their own");
            }
        }
    }

    /// A first load that is confirmed at night starts at five: カオナビ backs up and runs its nightly batch until then.
    fn in_the_morning(&mut self, person: usize, at: Millis) {
        let of_day = (at.0 + 9 * HOUR).rem_euclid(24 * HOUR);
        if !(HOUR..5 * HOUR).contains(&of_day) {
            return;
        }
        let five = Millis(at.0 + 5 * HOUR - of_day);
        let carried = self.carried.get(&code(person)).map(Vec::as_slice).unwrap_or_default();
        let left = carried.iter().map(|call| self.history.departures[*call].at);
        // A change that came meanwhile goes out at once.
        let changed = self.lines.states_between(person, at, five).iter().map(|state| state.at).find(|came| *came > at);
        let until = changed.map_or(five, |changed| five.min(changed));
        if let Some(left) = left.filter(|left| *left > at && *left < until).min() {
            self.add("I7", left, Some(person), "a first load starts at night");
        }
    }

    /// What was sent of a preview.
    fn synced(&mut self, looked: &Looked, seen: Millis, sync: &Confirmed) {
        let history = self.history;
        let (link, at) = (looked.link, sync.at);
        let of_link = history.looks.iter().filter(|other| other.link == link);
        if of_link.flat_map(|other| &other.syncs).filter(|other| other.at == at).count() > 1 {
            // Nobody can say which of them sent whom.
            return;
        }
        let sent = history.confirmed.iter().filter(|(when, _)| *when == at).map(|(_, person)| *person);
        let sent: BTreeSet<usize> = sent.filter(|person| self.scenario.link_of(*person) == link).collect();
        let saved = &history.settings[link];
        let Some(answer) = sync.answer else {
            if !saved.iter().any(|(from, _)| *from >= looked.asked && *from <= at) {
                self.add("I7", at, None, "a sync is refused for other settings, and nobody saved any");
            }
            if !sent.is_empty() {
                self.add("I7", at, None, "a sync is refused and sends people");
            }
            return;
        };
        if usize::try_from(answer) != Ok(sent.len()) {
            self.add("I7", at, None, format!("a sync says that it sends {answer} people, and sends {}", sent.len()));
        }
        let others = saved.windows(2).any(|pair| pair[1].0 > seen && pair[1].0 < at && pair[0].1 != pair[1].1);
        if others && !sent.is_empty() {
            self.add("I7", at, None, "a sync sends people who were shown with other settings");
        }
        let chosen = looked.items.iter().filter(|item| sync.named.contains(&item.person));
        // Of a first load, values that differ are not written.
        let chosen = chosen.filter(|item| item.action == "create" || (item.action == "update" && !looked.first_load));
        let chosen: BTreeSet<usize> = chosen.map(|item| item.person).collect();
        for person in sent.difference(&chosen) {
            self.add("I7", at, Some(*person), "a sync sends somebody whom nobody confirmed");
        }
        for person in sent.iter().filter(|_| looked.first_load) {
            self.in_the_morning(*person, at);
        }
        for person in chosen.into_iter().filter(|person| self.scenario.numbered(*person).is_none()) {
            self.confirmed(person, (looked.asked, seen, at), sent.contains(&person));
        }
    }

    /// Whether somebody who was confirmed goes: as shown or not at all.
    fn confirmed(&mut self, person: usize, (asked, seen, at): (Millis, Millis, Millis), goes: bool) {
        let shown = self.lines.states_between(person, asked, seen);
        let now = self.lines.states_at(person, at);
        let differs = !now.iter().any(|state| shown.iter().any(|shown| shown.what == state.what));
        // Without a worker nobody takes the events from the log.
        let known = !overlap(&self.history.lame, asked, at);
        // Of those who have a change of their own, some are under way.
        let only_confirmed = !now.is_empty() && now.iter().all(|state| state.baseline);
        let same = self.lines.states_between(person, asked, at).len() == 1;
        let carried = self.carried.get(&code(person)).map(Vec::as_slice).unwrap_or_default();
        let before = carried.iter().any(|call| self.history.departures[*call].at <= at);
        if goes && differs && known {
            self.add("I7", at, Some(person), "a sync sends somebody whose record is not the one that was shown");
        }
        if !goes && only_confirmed && same && !before {
            self.add("I7", at, Some(person), "a sync leaves out somebody who was confirmed");
        }
    }
}
