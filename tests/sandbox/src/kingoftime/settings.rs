//! What the facts leave open, as switches with the assumed defaults, and the faults that can be ordered (rule 15).

use renkei_runtime::clock::Millis;

/// What is listed of somebody of whom there is nothing on a date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyDays {
    /// An item with zeros.
    Zeros,
    /// Nothing.
    Missing,
}

/// The switches of one company. Lengths of time are milliseconds on the injected clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Calls per rolling window (rule 14).
    pub calls_per_window: usize,
    /// The window's length.
    pub window_ms: i64,
    /// Whether the last minutes 10:00 and 18:30 are forbidden as well (rule 3).
    pub window_end_inclusive: bool,
    /// The status for too many calls.
    pub rate_status: u16,
    /// The status for a header that is none (code 111).
    pub header_status: u16,
    /// The status for bad parameters (code 222) and times (code 280).
    pub parameter_status: u16,
    /// The status for a person who is not there (code 526).
    pub unknown_status: u16,
    /// The code for a caller whose address is not allowed.
    pub ip_code: u16,
    /// Whether that caller gets HTML.
    pub ip_html: bool,
    /// Days without anything.
    pub empty_days: EmptyDays,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            calls_per_window: 60,
            window_ms: 60_000,
            window_end_inclusive: false,
            rate_status: 429,
            header_status: 401,
            parameter_status: 400,
            unknown_status: 404,
            ip_code: 100,
            ip_html: false,
            empty_days: EmptyDays::Zeros,
        }
    }
}

/// Faults in force for one company. A number is how many more calls it strikes; it counts down.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// Only calls whose path holds this text are struck by the counted faults.
    pub only_path: Option<String>,
    /// Calls that are let through before the counted faults begin.
    pub after: u32,
    /// Calls that are answered 500 with code 300.
    pub server_errors: u32,
    /// Everything is answered so before this time.
    pub unavailable_until: Option<Millis>,
    /// Calls whose connection is dropped without an answer.
    pub resets: u32,
    /// Calls that are answered as if there were too many.
    pub too_many: u32,
    /// Calls that are answered 200 with HTML.
    pub html_answers: u32,
    /// Answers that end in the middle of the JSON.
    pub cut_bodies: u32,
    /// Calls that are answered with an error object and the status 200.
    pub errors_as_200: u32,
    /// Calls whose answer comes late.
    pub slow_answers: u32,
    /// How late, milliseconds.
    pub slow_answer_ms: u64,
}

/// Takes one from a counter; whether there was one.
pub(super) fn take(counter: &mut u32) -> bool {
    let struck = *counter > 0;
    *counter = counter.saturating_sub(1);
    struck
}
