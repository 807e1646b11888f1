//! What must have come of a scenario, told from what was sent and done alone.
//!
//! Nothing of the delivery's own code is used here: the rules are written once more, as plainly as they can be said.

mod budget;
mod dry_runs;
mod ending;
mod mails;
mod mass;
mod numbers;
mod previews;
mod rows;
mod rules;
mod stops;
mod timeline;

use std::collections::BTreeMap;

use renkei_runtime::clock::Millis;

use crate::play::History;
use crate::scenario::Scenario;
use crate::world::network::Departure;

pub use self::budget::Waits;
use self::rows::{Rows, rows_of};
use self::timeline::Timelines;

/// Something that must not have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which invariant.
    pub invariant: &'static str,
    /// When, in milliseconds from the start of the play.
    pub at: i64,
    /// Whom it is about, if anybody.
    pub person: Option<usize>,
    /// What; nothing personal.
    pub what: String,
}

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { invariant, at, person, what } = self;
        let seconds = *at as f64 / 1000.0;
        match person {
            Some(person) => write!(f, "{invariant} at {seconds:.3} s, person {person}: {what}"),
            None => write!(f, "{invariant} at {seconds:.3} s: {what}"),
        }
    }
}

/// What is judged, and what was found.
struct Judge<'a> {
    scenario: &'a Scenario,
    history: &'a History,
    lines: Timelines,
    /// The rows that each departure writes, in its place: none of a dry run.
    rows: Vec<Rows>,
    /// The departures that carried a code, in order.
    carried: BTreeMap<String, Vec<usize>>,
    found: Vec<Violation>,
}

impl Judge<'_> {
    fn add(&mut self, invariant: &'static str, at: Millis, person: Option<usize>, what: impl Into<String>) {
        let at = at.0 - self.history.start.0;
        self.found.push(Violation { invariant, at, person, what: what.into() });
    }

    /// The departures with their rows.
    fn departures(&self) -> impl Iterator<Item = (&Departure, &Rows)> {
        self.history.departures.iter().zip(&self.rows)
    }

    /// Whether somebody may have known less than usual at a time between the two.
    fn troubled(&self, from: Millis, to: Millis) -> bool {
        self.history.troubles.iter().any(|trouble| trouble.from <= to && trouble.to >= from)
    }
}

/// Judges what was seen; answers what must not have happened, and how long hires waited.
#[must_use]
pub fn judge(scenario: &Scenario, history: &History) -> (Vec<Violation>, Waits) {
    let lines = Timelines::of(scenario, history);
    let rows: Vec<Rows> = history.departures.iter().map(rows_of).collect();
    let mut carried: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, (code, _)) in rows.iter().enumerate().flat_map(|(at, rows)| rows.iter().map(move |row| (at, row))) {
        carried.entry(code.clone()).or_default().push(at);
    }
    let mut judge = Judge { scenario, history, lines, rows, carried, found: Vec::new() };
    let waits = judge.budget();
    judge.rows();
    judge.mass();
    judge.mails();
    judge.stops();
    judge.dry_runs();
    judge.previews();
    judge.numbers();
    judge.ending();
    judge.found.sort_by_key(|violation| violation.at);
    (judge.found, waits)
}
