//! The log of calls of one company, and what is counted from it.

use std::collections::{BTreeMap, VecDeque};

use renkei_runtime::clock::Millis;
use serde::Serialize;

use super::limits::{HOUR, MINUTE, Window};

/// Calls that are kept.
const MOST_CALLS: usize = 200_000;
/// Codes that the kept calls may name together.
const MOST_CODES: usize = 2_000_000;
/// Accepted rows that are kept.
const MOST_ROWS: usize = 500_000;

/// A call that arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// When it arrived.
    pub at: Millis,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The status of the answer; 0 when the connection was dropped.
    pub status: u16,
    /// Whether it is an update call, accepted or not.
    pub update: bool,
    /// Whether it was accepted, that is, made a task or passed a dry run.
    pub accepted: bool,
    /// Whether it counts for the hourly limit.
    pub counted: bool,
    /// The codes that a write named.
    pub codes: Vec<String>,
    /// Whether it asked for a dry run.
    pub dry_run: bool,
    /// The task it made, named in the answer or not.
    pub task_id: Option<i64>,
}

/// A row of a write that was accepted.
#[derive(Debug, Clone, Serialize)]
pub struct AcceptedRow {
    /// When the call arrived.
    pub at: Millis,
    /// Whether it was a creation.
    pub create: bool,
    /// The member.
    pub code: String,
    /// The task.
    pub task_id: i64,
    /// The row as it came, JSON.
    pub row: String,
}

/// Figures over the whole life of the company, dropped log entries included.
#[derive(Debug, Clone, Default, Serialize, PartialEq, Eq)]
pub struct Stats {
    /// Calls that arrived.
    pub calls: u64,
    /// Update calls that arrived, refused ones too.
    pub update_calls: u64,
    /// Update calls in the last 60 s.
    pub update_calls_now: usize,
    /// The most update calls in any rolling 60 s.
    pub peak_update_calls: usize,
    /// Calls that count for the hourly limit, in the last hour.
    pub calls_this_hour: usize,
    /// The most in any rolling hour.
    pub peak_calls_per_hour: usize,
    /// Tokens issued.
    pub tokens: u64,
    /// The most tokens issued in any rolling hour.
    pub peak_tokens_per_hour: usize,
    /// Answers 429.
    pub refused_429: u64,
    /// Answers by status; 0 is a dropped connection.
    pub by_status: BTreeMap<u16, u64>,
    /// Writes accepted.
    pub accepted_writes: u64,
    /// Rows in accepted writes, dry runs left out.
    pub accepted_rows: u64,
    /// Log entries that were dropped for space.
    pub dropped: u64,
}

/// The log.
#[derive(Debug)]
pub struct CallLog {
    calls: VecDeque<Call>,
    codes: usize,
    rows: VecDeque<AcceptedRow>,
    row_counts: BTreeMap<String, u32>,
    stats: Stats,
    updates: Window,
    hour: Window,
    tokens: Window,
}

impl CallLog {
    pub(crate) fn new() -> Self {
        Self {
            calls: VecDeque::new(),
            codes: 0,
            rows: VecDeque::new(),
            row_counts: BTreeMap::new(),
            stats: Stats::default(),
            updates: Window::new(MINUTE),
            hour: Window::new(HOUR),
            tokens: Window::new(HOUR),
        }
    }

    pub(crate) fn add(&mut self, call: Call) {
        self.stats.calls += 1;
        *self.stats.by_status.entry(call.status).or_default() += 1;
        if call.status == 429 {
            self.stats.refused_429 += 1;
        }
        if call.update {
            self.stats.update_calls += 1;
            self.updates.add(call.at);
        }
        if call.counted {
            self.hour.add(call.at);
        }
        if call.accepted {
            self.stats.accepted_writes += 1;
        }
        self.codes += call.codes.len();
        self.calls.push_back(call);
        while self.calls.len() > MOST_CALLS || (self.codes > MOST_CODES && self.calls.len() > 1) {
            if let Some(dropped) = self.calls.pop_front() {
                self.codes -= dropped.codes.len();
                self.stats.dropped += 1;
            }
        }
    }

    pub(crate) fn add_token(&mut self, at: Millis) {
        self.stats.tokens += 1;
        self.tokens.add(at);
    }

    pub(crate) fn add_row(&mut self, row: AcceptedRow) {
        self.stats.accepted_rows += 1;
        *self.row_counts.entry(row.code.clone()).or_default() += 1;
        self.rows.push_back(row);
        if self.rows.len() > MOST_ROWS {
            self.rows.pop_front();
        }
    }

    /// The calls that are kept, oldest first.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &Call> + ExactSizeIterator {
        self.calls.iter()
    }

    /// The update calls that are kept.
    pub fn update_calls(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.calls.iter().filter(|call| call.update)
    }

    /// The same without dry runs: the calls that wanted to write something.
    pub fn writes(&self) -> impl DoubleEndedIterator<Item = &Call> {
        self.update_calls().filter(|call| !call.dry_run)
    }

    /// The rows of accepted writes that are kept, dry runs left out.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &AcceptedRow> + ExactSizeIterator {
        self.rows.iter()
    }

    /// How many rows of a code were accepted.
    #[must_use]
    pub fn rows_of(&self, code: &str) -> u32 {
        self.row_counts.get(code).copied().unwrap_or(0)
    }

    /// Accepted rows per code.
    #[must_use]
    pub fn rows_per_code(&self) -> &BTreeMap<String, u32> {
        &self.row_counts
    }

    /// The figures at `now`.
    pub fn stats(&mut self, now: Millis) -> Stats {
        Stats {
            update_calls_now: self.updates.count(now),
            peak_update_calls: self.updates.peak(),
            calls_this_hour: self.hour.count(now),
            peak_calls_per_hour: self.hour.peak(),
            peak_tokens_per_hour: self.tokens.peak(),
            ..self.stats.clone()
        }
    }
}

/// The most of `times` that lie in any window (t − length, t]. The times must not fall.
#[must_use]
pub fn max_in_window(times: &[Millis], length_ms: i64) -> usize {
    let mut window = Window::new(length_ms);
    for time in times {
        window.add(*time);
    }
    window.peak()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_is_open_at_its_start() {
        let times: Vec<Millis> = [0, 1, 59_999, 60_000, 60_001].map(Millis).to_vec();
        assert_eq!(max_in_window(&times, MINUTE), 3);
        assert_eq!(max_in_window(&[Millis(0), Millis(60_000)], MINUTE), 1);
        assert_eq!(max_in_window(&[], MINUTE), 0);
    }
}
