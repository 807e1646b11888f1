//! Faults that can be ordered (rule 18).

use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};

/// What happens to a list while its pages are being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Between {
    /// A row came in before the page, so that the page begins with the row that ended the one before. In a list of work
    /// outputs that row was edited meanwhile.
    RowCame,
    /// A row before the page went away, so that the page leaves one out.
    RowWent,
}

/// Faults in force for one company. A number is how many more calls it strikes; it counts down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Only calls whose path holds this text are struck by the counted faults.
    pub only_path: Option<String>,
    /// Calls that are let through before the counted faults begin.
    pub after: u32,
    /// Calls that are answered 5xx.
    pub server_errors: u32,
    /// Which 5xx; 0 is 500.
    pub server_error_status: u16,
    /// Whether that answer is HTML.
    pub server_error_html: bool,
    /// Everything is answered 503 with HTML before this time.
    pub unavailable_until: Option<Millis>,
    /// Calls whose connection is dropped without an answer.
    pub resets: u32,
    /// Calls that are answered 429, as if others used up the minute.
    pub too_many: u32,
    /// Calls with a good token that are answered as if it had ended.
    pub unauthorized: u32,
    /// Calls that are answered 200 with HTML.
    pub html_answers: u32,
    /// Answers that end in the middle of the JSON.
    pub cut_bodies: u32,
    /// Lists that come without `X-Total-Count`, `X-Total-Page` and `Link`.
    pub without_totals: u32,
    /// Calls whose answer comes late.
    pub slow_answers: u32,
    /// How late, milliseconds.
    pub slow_answer_ms: u64,
    /// What happens before the next page that is not the first; once.
    pub between_pages: Option<Between>,
}

/// Takes one from a counter; whether there was one.
pub(crate) fn take(counter: &mut u32) -> bool {
    let struck = *counter > 0;
    *counter = counter.saturating_sub(1);
    struck
}
