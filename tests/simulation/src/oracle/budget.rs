//! I3 and I4: how many calls, and how long hires waited.

use std::collections::BTreeMap;
use std::time::Duration;

use renkei_runtime::clock::Millis;

use super::Judge;
use super::mails::overlap;
use super::rules::Fate;
use crate::scenario::code;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
/// After this long without a POST a hire leaves at once.
const G: i64 = 20_500;
/// The longest that a token is under way to whoever fetched it.
const LOST: i64 = 5_000;

/// How long hires waited.
#[derive(Debug, Clone, Copy, Default)]
pub struct Waits {
    /// The longest wait of a hire in a seed where a promise holds, in milliseconds.
    pub longest: i64,
    /// How many hires were looked at.
    pub hires: usize,
}

impl Judge<'_> {
    pub(super) fn budget(&mut self) -> Waits {
        let calls = &self.history.calls;
        let updates: Vec<Millis> = calls.iter().filter(|call| call.update).map(|call| call.at).collect();
        let token = |path: &str| path.contains("/token");
        let tokens: Vec<Millis> =
            calls.iter().filter(|call| token(&call.path) && call.status == 200).map(|call| call.at).collect();
        // What カオナビ let through says nothing about what was tried.
        let departures = &self.history.departures;
        let fetches: Vec<Millis> = departures.iter().filter(|one| token(&one.url)).map(|one| one.at).collect();
        let all: Vec<Millis> = departures.iter().map(|one| one.at).collect();
        let refused: Vec<(Millis, bool, bool)> = calls
            .iter()
            .filter(|call| call.status == 429)
            .map(|call| (call.at, call.update, token(&call.path)))
            .collect();
        self.window("I3", &updates, MINUTE, 5, "update calls in 60 s");
        self.window("I3", &fetches, HOUR, 5, "token fetches in an hour");
        self.window("I3", &all, HOUR, 3000, "calls in an hour");
        for (at, update, token) in refused {
            let within = |times: &[Millis], length: i64| {
                times.iter().any(|outside| *outside <= at && at.0 - outside.0 <= length + 1000)
            };
            let others = (update && within(&self.history.outside, MINUTE))
                || (token && within(&self.history.outside_tokens, HOUR));
            if !others {
                self.add("I3", at, None, "429 though nobody else uses the budget");
            }
        }
        for pair in tokens.windows(2) {
            // A token lives for an hour and is renewed in its last five minutes.
            let early = pair[1].0 - pair[0].0 < HOUR - 6 * MINUTE;
            // Whoever fetched it may have been gone before it was written down.
            let lost = overlap(&self.history.lame, pair[0], Millis(pair[0].0 + LOST));
            if early && !lost && !self.troubled(pair[0], pair[1]) {
                self.add("I3", pair[1], None, "a token was fetched though the last one was good");
            }
        }
        self.waits()
    }

    fn window(&mut self, invariant: &'static str, times: &[Millis], length: i64, most: usize, what: &str) {
        for (index, at) in times.iter().enumerate().skip(most) {
            if at.0 - times[index - most].0 < length {
                self.add(invariant, *at, None, format!("more than {most} {what}"));
                return;
            }
        }
    }

    fn waits(&mut self) -> Waits {
        let mut waits = Waits::default();
        if !self.scenario.is_calm() {
            return waits;
        }
        let mut posts: Vec<Millis> = Vec::new();
        let mut left: BTreeMap<String, Millis> = BTreeMap::new();
        for (departure, rows) in self.departures().filter(|(departure, _)| departure.method == "POST") {
            for (code, _) in rows {
                left.entry(code.clone()).or_insert(departure.at);
                if posts.last() != Some(&departure.at) {
                    posts.push(departure.at);
                }
            }
        }
        // When each hire came, and when it left.
        let mut hires: Vec<(Millis, Millis, usize)> = Vec::new();
        for (person, states) in &self.lines.people {
            if *person <= self.scenario.members || self.scenario.bad.contains(person) {
                continue;
            }
            let Some(gone) = left.get(&code(*person)) else { continue };
            let settings = self.lines.last_settings(self.scenario.link_of(*person));
            let may = |what| matches!(super::rules::fate(what, settings), Fate::Send(_));
            let before: Vec<_> = states.iter().filter(|state| state.at <= *gone && !state.baseline).collect();
            let since = before.iter().rev().take_while(|state| may(&state.what)).last();
            if let Some(since) = since {
                hires.push((since.at, *gone, *person));
            }
        }
        let batch = self.scenario.links.iter().map(|settings| settings.batch_size).min().unwrap_or(1) as usize;
        for (came, gone, person) in hires.clone() {
            // More than one call holds, or somebody who is sent on demand: nothing is promised to each of them.
            let waiting = hires.iter().filter(|(other, left, _)| *other <= gone && *left >= came).count();
            if waiting > batch || self.history.confirmed.iter().any(|(_, confirmed)| *confirmed == person) {
                continue;
            }
            let quiet = posts.iter().all(|post| *post >= came || came.0 - post.0 >= G);
            // A token is fetched when a call is due.
            let slow = Duration::from_millis(self.scenario.ways.slow + 2 * self.scenario.ways.to);
            let fetched = |at: Millis| came - slow <= at && at <= gone;
            let token = self.history.departures.iter().any(|one| one.url.ends_with("/token") && fetched(one.at));
            let token = if token { i64::try_from(slow.as_millis()).unwrap() } else { 0 };
            let most = token + if quiet { 1_000 } else { 21_000 };
            let wait = gone.since(came);
            waits.hires += 1;
            if token == 0 {
                waits.longest = waits.longest.max(i64::try_from(wait.as_millis()).unwrap());
            }
            if wait > Duration::from_millis(u64::try_from(most).unwrap()) {
                self.add("I4", gone, Some(person), format!("a hire waited {wait:?}, {most} ms are promised"));
            }
        }
        waits
    }
}
