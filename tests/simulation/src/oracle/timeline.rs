//! The newest state of each person at each time.

use std::collections::{BTreeMap, BTreeSet};

use renkei_runtime::clock::Millis;
use renkei_store::settings::Settings;

use super::rules::{Fate, fate};
use crate::play::History;
use crate::scenario::{Scenario, What};

/// A state from a time on.
pub(super) struct State {
    pub(super) at: Millis,
    pub(super) what: What,
    /// Whether it came before its connection was first switched on.
    pub(super) baseline: bool,
}

/// Everybody's states, and the settings.
pub(super) struct Timelines {
    pub(super) people: BTreeMap<usize, Vec<State>>,
    settings: Vec<Vec<(Millis, Settings)>>,
}

impl Timelines {
    pub(super) fn of(scenario: &Scenario, history: &History) -> Self {
        let mut people: BTreeMap<usize, Vec<State>> = BTreeMap::new();
        let mut versions: BTreeMap<usize, i64> = BTreeMap::new();
        let mut seen: BTreeSet<(usize, u64)> = BTreeSet::new();
        for received in &history.received {
            let sent = &received.sent;
            // Nobody's number is that person's alone any more: they are judged apart.
            if scenario.numbered(sent.person).is_some() {
                continue;
            }
            // A repeated one changes nothing.
            if !seen.insert((sent.person, sent.event)) {
                continue;
            }
            // The newest wins; of two with one version the one that came later.
            let version = versions.entry(sent.person).or_insert(i64::MIN);
            // Nobody's record is from later than when it came.
            let made = sent.version.min(received.at.0 - history.start.0);
            if made < *version {
                continue;
            }
            *version = made;
            let states = people.entry(sent.person).or_default();
            if states.last().is_none_or(|state| state.what != sent.what) {
                states.push(State { at: received.at, what: sent.what.clone(), baseline: received.baseline });
            }
        }
        // What a person confirmed is to be sent from then on, as if it had come then.
        for (at, person) in &history.confirmed {
            let Some(states) = people.get_mut(person) else { continue };
            let until = states.iter().take_while(|state| state.at <= *at).count();
            let newest = states[..until].last().filter(|state| state.baseline);
            if let Some(what) = newest.map(|state| state.what.clone()) {
                states.insert(until, State { at: *at, what, baseline: false });
            }
        }
        debug_assert_eq!(scenario.links.len(), history.settings.len());
        Self { people, settings: history.settings.clone() }
    }

    /// The settings that may have been in force at a moment: those saved in this very moment count, and those before.
    pub(super) fn settings_at(&self, link: usize, at: Millis) -> Vec<&Settings> {
        let until = self.settings[link].iter().take_while(|(from, _)| *from <= at).count();
        let mut found = vec![&self.settings[link][until.max(1) - 1].1];
        found.extend(
            self.settings[link][..until]
                .iter()
                .rev()
                .skip(1)
                .take(1)
                .filter(|_| self.settings[link][until - 1].0 == at)
                .map(|(_, settings)| settings),
        );
        found
    }

    /// All settings that a connection ever had.
    pub(super) fn settings(&self, link: usize) -> impl Iterator<Item = &Settings> {
        self.settings[link].iter().map(|(_, settings)| settings)
    }

    /// The settings in the end.
    pub(super) fn last_settings(&self, link: usize) -> &Settings {
        &self.settings[link].last().unwrap().1
    }

    /// The states of a person that may have been the newest at a moment.
    pub(super) fn states_at(&self, person: usize, at: Millis) -> Vec<&State> {
        let Some(states) = self.people.get(&person) else { return Vec::new() };
        let until = states.iter().take_while(|state| state.at <= at).count();
        let before = states.iter().take_while(|state| state.at < at).count();
        states[before.max(1) - 1..until].iter().collect()
    }

    /// The states of a person that may have been the newest at some moment between the two.
    pub(super) fn states_between(&self, person: usize, from: Millis, to: Millis) -> Vec<&State> {
        let later = self.people.get(&person).into_iter().flatten().filter(|state| state.at > from && state.at <= to);
        self.states_at(person, from).into_iter().chain(later).collect()
    }

    /// What may have been to be done about a person at some moment between the two.
    pub(super) fn fates_between(&self, link: usize, person: usize, from: Millis, to: Millis) -> Vec<Fate> {
        let moments = self.moments(link, person, from, to);
        moments.into_iter().flat_map(|at| self.fates_at(link, person, at)).collect()
    }

    /// The same, also of somebody of whom nothing is to be sent: what would be done if a person said yes.
    pub(super) fn fates_asked(&self, link: usize, person: usize, from: Millis, to: Millis) -> Vec<Fate> {
        let moments = self.moments(link, person, from, to);
        moments.into_iter().flat_map(|at| self.fates(link, at, &self.states_at(person, at))).collect()
    }

    /// The two, and when something changed between them.
    fn moments(&self, link: usize, person: usize, from: Millis, to: Millis) -> BTreeSet<Millis> {
        let changes = self.settings[link].iter().map(|(at, _)| *at);
        let states = self.people.get(&person).into_iter().flatten().map(|state| state.at);
        let moments = changes.chain(states).filter(|at| *at > from && *at < to);
        moments.chain([from, to]).collect()
    }

    /// What may be done about a person at a moment.
    pub(super) fn fates_at(&self, link: usize, person: usize, at: Millis) -> Vec<Fate> {
        let states = self.states_at(person, at);
        let states: Vec<&State> = states.into_iter().filter(|state| !state.baseline).collect();
        self.fates(link, at, &states)
    }

    fn fates(&self, link: usize, at: Millis, states: &[&State]) -> Vec<Fate> {
        let settings = self.settings_at(link, at);
        states.iter().flat_map(|state| settings.iter().map(|settings| fate(&state.what, settings))).collect()
    }
}
