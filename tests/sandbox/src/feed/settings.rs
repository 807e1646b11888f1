//! What one company's feed does where the contract leaves a choice, and the faults that can be ordered.

use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How late a state of a person is seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    /// At once.
    Never,
    /// Between at once and the most that is allowed, by a fixed pattern over person and time.
    Spread,
    /// As late as is allowed.
    AtMost,
}

/// How `Retry-After` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// `30`
    Seconds,
    /// `Wed, 01 Apr 2026 00:00:30 GMT`
    Date,
}

/// The switches of one company. Lengths of time are milliseconds on the injected clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Records of a page unless the caller says fewer; also the most (E8).
    pub page: usize,
    /// The longest time from `updated_at` to the first page that shows it (E12).
    pub most_late_ms: i64,
    /// Which delay within that a state gets unless its writer says one (E12).
    pub late: Late,
    /// Calls in a rolling minute (E11).
    pub calls_per_minute: usize,
    /// The form of `Retry-After` (E11).
    pub retry_after: RetryAfter,
    /// Life of a cursor from its first page on.
    pub cursor_life_ms: i64,
    /// How far the source's own clock is ahead of the injected one; behind, if negative. It stamps `updated_at` and `Date`.
    pub clock_ahead_ms: i64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            page: 200,
            most_late_ms: 300_000,
            late: Late::Spread,
            calls_per_minute: 60,
            retry_after: RetryAfter::Seconds,
            cursor_life_ms: 24 * 3_600_000,
            clock_ahead_ms: 0,
        }
    }
}

/// Faults in force for one company. A number is how many more calls it strikes; it counts down.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Calls that pass before the others here strike: to break a run on its third page, say.
    pub spared: u32,
    /// Connections that are dropped.
    pub resets: u32,
    /// Answers 500 with an HTML body.
    pub errors_500: u32,
    /// Answers 503 without `Retry-After`, as a balancer in between gives them.
    pub bare_503: u32,
    /// Everything is answered 503 with `Retry-After` before this time (E11).
    pub unavailable_until: Option<Millis>,
    /// Answers 200 with an HTML page, as a log-in page in between gives them.
    pub html_pages: u32,
    /// Answers 200 with nothing.
    pub empty_bodies: u32,
    /// Answers that end in the middle of the JSON.
    pub cut_bodies: u32,
    /// Answers 401 to a good token (E10).
    pub unauthorized: u32,
    /// Pages with half of the records that were asked for, and a cursor (E15).
    pub short_pages: u32,
    /// Cursors that are answered as if they were too old (E16).
    pub expired_cursors: u32,
    /// Answers that come late.
    pub slow_answers: u32,
    /// How late, milliseconds.
    pub slow_answer_ms: u64,
    /// How long a body takes from its first byte to its last, milliseconds.
    pub body_ms: u64,
    /// Records that break the contract, put in front of the next page.
    pub strange_records: Vec<Value>,
}

impl Faults {
    /// Whether this call is spared; counts down.
    pub(crate) fn spare(&mut self) -> bool {
        take(&mut self.spared)
    }
}

/// Takes one from a counter; whether there was one.
pub(crate) fn take(counter: &mut u32) -> bool {
    let struck = *counter > 0;
    *counter = counter.saturating_sub(1);
    struck
}
