//! I2, I5 and I7: what カオナビ holds in the end, and where everybody stands.

use std::collections::{BTreeMap, BTreeSet};

use renkei_store::employees::RowState;

use super::Judge;
use super::rules::{Fate, Wish, Wishes, fate};
use crate::play::held_at_first;
use crate::scenario::{What, code};

type Held = BTreeMap<&'static str, String>;

impl Judge<'_> {
    pub(super) fn ending(&mut self) {
        let end = self.history.end;
        for what in self.history.unfinished.clone() {
            self.add("quiet", end, None, what);
        }
        let codes: BTreeSet<String> = self.history.members.keys().cloned().collect();
        let people: BTreeSet<usize> = (1..=self.scenario.members).chain(self.lines.people.keys().copied()).collect();
        for person in people {
            self.person(person);
        }
        for code in codes {
            let person: usize = code.trim_start_matches('E').parse().unwrap_or(0);
            if person > self.scenario.members && !self.lines.people.contains_key(&person) {
                self.add("I7", end, Some(person), "a member of whom nobody told");
            }
        }
        for person in 1..=self.scenario.members {
            if !self.history.members.contains_key(&code(person)) {
                self.add("I7", end, Some(person), "a member is gone");
            }
        }
    }

    fn person(&mut self, person: usize) {
        let end = self.history.end;
        let link = self.scenario.link_of(person);
        let at_first = (person <= self.scenario.members).then(|| held_at_first(self.scenario, person));
        let held = self.history.members.get(&code(person)).cloned();
        let states = self.lines.people.get(&person).map(Vec::as_slice).unwrap_or_default();
        let Some(last) = states.last().filter(|state| !state.baseline) else {
            if held != at_first {
                self.add("I7", end, Some(person), "nothing of this person was to be touched");
            }
            return;
        };
        let what = last.what.clone();
        let fate = fate(&what, self.lines.last_settings(link));
        let bad = self.scenario.bad.contains(&person);
        let parked =
            self.history.people.get(&person).is_some_and(|row| row.reason.as_deref() == Some("kaonavi.rejected"));
        if parked && !self.was_alone(person) {
            self.add("I5", end, Some(person), "parked without a try of its own");
        }
        if bad && held != at_first {
            self.add("I5", end, Some(person), "カオナビ refuses the record, and it has changed");
        }
        let older = self.older(person, at_first.as_ref());
        let row = self.history.people.get(&person);
        let (state, reason) = match row {
            Some(row) => (row.state, row.reason.clone().unwrap_or_default()),
            None => return self.add("I2", end, Some(person), "the store does not know the person"),
        };
        let expected = match &fate {
            Fate::Park(reason) => (RowState::Parked, *reason),
            // It went over while another filter was in force.
            Fate::Skip("filtered")
                if state == RowState::Synced && self.went_over(link, &what, held.as_ref(), &older) =>
            {
                return;
            }
            // Who was refused stays so when another filter is saved.
            Fate::Skip("filtered") if bad && state == RowState::Parked && reason == "kaonavi.rejected" => return,
            Fate::Skip(reason) => (RowState::Skipped, *reason),
            Fate::Leaver(date) => match &held {
                None => (RowState::Skipped, "status_excluded"),
                Some(held) if held["retired_date"] == *date => (RowState::Synced, ""),
                Some(_) if bad => (RowState::Parked, "kaonavi.rejected"),
                Some(_) if self.is_held_back(person, state, &reason) => return,
                Some(_) => return self.add("I2", end, Some(person), "退職日 is not in カオナビ"),
            },
            Fate::Send(wishes) => {
                let wrong = held.as_ref().map_or_else(|| vec!["all"], |held| self.wrong(link, held, wishes, &older));
                match (wrong.is_empty(), bad) {
                    // Its refused fields are tried once more, though カオナビ holds them as the source has them again.
                    (true, true) if (state, reason.as_str()) == (RowState::Parked, "kaonavi.rejected") => return,
                    (true, _) => (RowState::Synced, ""),
                    (false, true) => (RowState::Parked, "kaonavi.rejected"),
                    (false, false) if self.is_held_back(person, state, &reason) => return,
                    (false, false) => {
                        let what = format!("{wrong:?} is not as the newest version says; {state:?} {reason}");
                        return self.add("I2", end, Some(person), what);
                    }
                }
            }
        };
        if (state, reason.as_str()) != expected && !self.is_held_back(person, state, &reason) {
            self.add("I5", end, Some(person), format!("{state:?} {reason:?}, expected {expected:?}"));
        }
    }

    /// Whether a call carried this person alone.
    pub(super) fn was_alone(&self, person: usize) -> bool {
        self.carried.get(&code(person)).is_some_and(|calls| calls.iter().any(|call| self.rows[*call].len() == 1))
    }

    /// Whether a state stands in カオナビ as settings of another time want it.
    fn went_over(
        &self,
        link: usize,
        what: &What,
        held: Option<&Held>,
        older: &BTreeMap<&'static str, BTreeSet<String>>,
    ) -> bool {
        self.lines.settings(link).any(|settings| match (fate(what, settings), held) {
            (Fate::Send(wishes), Some(held)) => self.wrong(link, held, &wishes, older).is_empty(),
            (Fate::Leaver(date), Some(held)) => held["retired_date"] == date,
            _ => false,
        })
    }

    /// Values that a field may have had before.
    fn older(&self, person: usize, at_first: Option<&Held>) -> BTreeMap<&'static str, BTreeSet<String>> {
        let link = self.scenario.link_of(person);
        let mut older: BTreeMap<&'static str, BTreeSet<String>> = BTreeMap::new();
        match at_first {
            Some(held) => held.iter().for_each(|(field, value)| {
                older.entry(field).or_default().insert(value.clone());
            }),
            // Registered without it.
            None => ["name_kana", "gender", "birthday", "entered_date"].into_iter().for_each(|field| {
                older.entry(field).or_default().insert(String::new());
            }),
        }
        for state in &self.lines.people[&person] {
            let What::State(_) = &state.what else { continue };
            for settings in self.lines.settings(link) {
                let Fate::Send(wishes) = fate(&state.what, settings) else { continue };
                for (field, wish) in wishes {
                    match wish {
                        Wish::Be(value) => drop(older.entry(field).or_default().insert(value)),
                        Wish::Clear => drop(older.entry(field).or_default().insert(String::new())),
                        Wish::Stay => {}
                    }
                }
            }
        }
        older
    }

    fn wrong(
        &self,
        link: usize,
        held: &Held,
        wishes: &Wishes,
        older: &BTreeMap<&'static str, BTreeSet<String>>,
    ) -> Vec<&'static str> {
        let mut wrong = Vec::new();
        for (field, wish) in wishes {
            let value = &held[field];
            let may_be_older = older.get(field).is_some_and(|older| older.contains(value));
            let always_cleared = self.lines.settings(link).all(|settings| settings.clear_when_empty.contains(*field));
            let right = match wish {
                Wish::Be(wanted) => value == wanted,
                Wish::Clear if always_cleared => value.is_empty(),
                Wish::Clear => value.is_empty() || may_be_older,
                Wish::Stay => may_be_older,
            };
            if !right {
                wrong.push(*field);
            }
        }
        wrong
    }

    /// Whether a person may wait for a decision about a mass change, or declined one holds it back.
    fn is_held_back(&self, person: usize, state: RowState, reason: &str) -> bool {
        if !self.scenario.flavor.mass {
            return false;
        }
        let link = self.scenario.link_of(person);
        let declined = self.history.decisions[link].iter().any(|(_, release)| !release);
        match (state, reason) {
            (RowState::Held, "delivery.brake") => true,
            (RowState::Skipped, "delivery.declined") => declined,
            _ => false,
        }
    }
}
