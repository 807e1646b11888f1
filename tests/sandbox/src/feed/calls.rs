//! The log of calls of one company.

use std::collections::VecDeque;

use jiff::Timestamp;
use renkei_runtime::clock::Millis;
use serde::Serialize;

/// Calls that are kept.
const MOST_CALLS: usize = 200_000;
/// The window of the limit on calls.
const MINUTE: i64 = 60_000;

/// A call that arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Call {
    /// When it arrived.
    pub at: Millis,
    /// The status of the answer; 0 when the connection was dropped.
    pub status: u16,
    /// `updated_since`, where it could be read.
    pub updated_since: Option<Timestamp>,
    /// Whether it went on at a cursor.
    pub with_cursor: bool,
    /// Records in the answer.
    pub records: usize,
    /// Whether the answer was the last page.
    pub last_page: bool,
}

/// The log, and what the limit counts.
#[derive(Debug, Default)]
pub struct CallLog {
    calls: VecDeque<Call>,
    total: u64,
    recent: VecDeque<Millis>,
    peak: usize,
}

impl CallLog {
    /// The calls that are kept, oldest first.
    pub fn calls(&self) -> impl DoubleEndedIterator<Item = &Call> + ExactSizeIterator {
        self.calls.iter()
    }

    /// Calls of the company's whole life.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The most calls in any rolling 60 s, refused ones too.
    #[must_use]
    pub fn peak_per_minute(&self) -> usize {
        self.peak
    }

    pub(super) fn add(&mut self, call: Call) {
        self.total += 1;
        self.calls.push_back(call);
        if self.calls.len() > MOST_CALLS {
            self.calls.pop_front();
        }
    }

    /// Counts a call at `now`; how many that makes in (now − 60 s, now].
    pub(super) fn count(&mut self, now: Millis) -> usize {
        while self.recent.front().is_some_and(|time| now.0 - time.0 >= MINUTE) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        self.peak = self.peak.max(self.recent.len());
        self.recent.len()
    }

    /// Milliseconds until a call would be the `most`-th of its minute at most; at least 1.
    pub(super) fn wait_ms(&self, now: Millis, most: usize) -> i64 {
        let leaving = self.recent.len().saturating_sub(most.max(1));
        self.recent.get(leaving).map_or(1, |time| (time.0 + MINUTE - now.0).max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_waits_as_told_is_let_in() {
        let mut log = CallLog::default();
        for at in [0, 10_000, 20_000] {
            log.count(Millis(at));
        }
        // Three of two: the call at 0 and the one at 10 s have to leave, for the one at 20 s stays.
        let wait = log.wait_ms(Millis(20_000), 2);
        assert_eq!(wait, 50_000);
        assert_eq!(log.count(Millis(20_000 + wait)), 2);
        assert_eq!(log.peak_per_minute(), 3);
    }
}
