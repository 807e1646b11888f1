//! The log of calls of one company, and what is counted from it (rule 20). Keys and tokens never stand in it; a token is
//! known by the order in which tokens were issued.

use std::collections::{BTreeMap, VecDeque};

use renkei_runtime::clock::Millis;
use serde::Serialize;

/// Calls that are kept.
const MOST_CALLS: usize = 200_000;
/// The minute of the peak.
const PEAK_MS: i64 = 60_000;

/// A call that arrived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// When it arrived.
    pub at: Millis,
    /// The method.
    pub method: String,
    /// The path.
    pub path: String,
    /// What stood behind the question mark.
    pub query: String,
    /// The status of the answer; 0 when the connection was dropped.
    pub status: u16,
    /// The good token it came with: 1 for the first one that was issued.
    pub token: Option<u64>,
    /// Whether it wanted to change anything but tokens.
    pub write: bool,
}

/// Times inside a window that moves.
#[derive(Debug)]
pub(crate) struct Rolling {
    times: VecDeque<Millis>,
    peak: usize,
}

impl Rolling {
    pub(crate) const fn new() -> Self {
        Self { times: VecDeque::new(), peak: 0 }
    }

    /// How many fell into (now − length, now].
    pub(crate) fn count(&mut self, now: Millis, length_ms: i64) -> usize {
        while self.times.front().is_some_and(|time| now.0 - time.0 >= length_ms) {
            self.times.pop_front();
        }
        self.times.len()
    }

    pub(crate) fn add(&mut self, now: Millis, length_ms: i64) {
        self.times.push_back(now);
        self.peak = self.peak.max(self.count(now, length_ms));
    }
}

/// Figures over the whole life of the company, dropped log entries included.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls that arrived.
    pub calls: u64,
    /// Calls that wanted to change anything but tokens.
    pub writes: u64,
    /// Tokens issued.
    pub tokens: u64,
    /// Answers by status; 0 is a dropped connection.
    pub by_status: BTreeMap<u16, u64>,
    /// The most calls in any rolling 60 s.
    pub peak_per_minute: usize,
    /// The least time between two calls, milliseconds; `None` before the second one.
    pub least_spacing_ms: Option<i64>,
    /// Log entries that were dropped for space.
    pub dropped: u64,
}

/// The log.
#[derive(Debug)]
pub struct CallLog {
    calls: VecDeque<Call>,
    stats: Stats,
    minute: Rolling,
    last: Option<Millis>,
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self { calls: VecDeque::new(), stats: Stats::default(), minute: Rolling::new(), last: None }
    }

    pub(crate) fn add(&mut self, call: Call) {
        self.stats.calls += 1;
        self.stats.writes += u64::from(call.write);
        *self.stats.by_status.entry(call.status).or_default() += 1;
        self.minute.add(call.at, PEAK_MS);
        self.stats.peak_per_minute = self.minute.peak;
        if let Some(last) = self.last.replace(call.at) {
            let spacing = call.at.0 - last.0;
            self.stats.least_spacing_ms = Some(self.stats.least_spacing_ms.map_or(spacing, |least| least.min(spacing)));
        }
        self.calls.push_back(call);
        if self.calls.len() > MOST_CALLS {
            self.calls.pop_front();
            self.stats.dropped += 1;
        }
    }

    pub(crate) fn add_token(&mut self) {
        self.stats.tokens += 1;
    }

    /// The calls that are kept, oldest first.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &Call> + ExactSizeIterator {
        self.calls.iter()
    }

    /// The calls that wanted to change anything but tokens. A link makes none.
    pub fn writes(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.iter().filter(|call| call.write)
    }

    /// How many of the kept calls went to a path that begins so, seen from the company's root: `/users`, say, or
    /// `/work_outputs/daily/2026-04`.
    #[must_use]
    pub fn count(&self, beginning: &str) -> usize {
        let below = |call: &&Call| call.path.split_once("/v1").is_some_and(|(_, rest)| rest.starts_with(beginning));
        self.calls.iter().filter(below).count()
    }

    /// The figures.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        &self.stats
    }

    /// Forgets calls and figures, so that a test can count anew.
    pub fn clear(&mut self) {
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_outlive_what_is_said_of_single_calls() {
        let mut log = CallLog::new();
        let call = |at, write| Call {
            at: Millis(at),
            method: "GET".to_owned(),
            path: "/api/a/v1/users".to_owned(),
            query: String::new(),
            status: 200,
            token: Some(1),
            write,
        };
        for (at, write) in [(0, false), (1_100, false), (59_999, true), (60_000, false), (61_100, false)] {
            log.add(call(at, write));
        }
        let stats = log.stats();
        assert_eq!((stats.calls, stats.writes, stats.peak_per_minute), (5, 1, 3));
        assert_eq!(stats.least_spacing_ms, Some(1));
        assert_eq!((log.count("/users"), log.count("/work"), log.writes().count()), (5, 0, 1));
    }
}
