//! Log lines about our own faults, at a bearable rate: with the log away every delivery fails for the same reason.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// One line in this time is enough.
const QUIET: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
struct State {
    last: Option<Duration>,
    suppressed: u64,
}

/// Lets one line through every ten seconds and counts the rest.
#[derive(Debug, Default)]
pub struct Complaints(Mutex<State>);

impl Complaints {
    /// How many lines were left out since the last that was let through; `None` if this one is left out, too.
    pub fn admit(&self, now: Duration) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_sub(last) < QUIET) {
            state.suppressed += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_says_how_many_were_left_out() {
        let complaints = Complaints::default();
        let seconds = [0, 1, 9, 10, 11, 30];
        let admitted: Vec<_> = seconds.iter().map(|second| complaints.admit(Duration::from_secs(*second))).collect();
        assert_eq!(admitted, [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
