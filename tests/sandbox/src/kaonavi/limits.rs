//! Counting in time: the hourly limit, the update slots, the tokens.

use std::collections::VecDeque;

use renkei_runtime::clock::Millis;

use super::settings::WindowKind;

/// A minute.
pub(crate) const MINUTE: i64 = 60_000;
/// An hour.
pub(crate) const HOUR: i64 = 3_600_000;

/// Times inside a window that moves.
#[derive(Debug, Clone)]
pub(crate) struct Window {
    length: i64,
    times: VecDeque<Millis>,
    peak: usize,
}

impl Window {
    pub(crate) fn new(length: i64) -> Self {
        Self { length, times: VecDeque::new(), peak: 0 }
    }

    /// How many fell into (now − length, now].
    pub(crate) fn count(&mut self, now: Millis) -> usize {
        while self.times.front().is_some_and(|time| now.0 - time.0 >= self.length) {
            self.times.pop_front();
        }
        self.times.len()
    }

    /// How many fell into the minute of the clock that `now` is in.
    fn count_fixed(&mut self, now: Millis) -> usize {
        self.count(now);
        let start = now.0 - now.0.rem_euclid(self.length);
        self.times.iter().filter(|time| time.0 >= start).count()
    }

    pub(crate) fn count_kind(&mut self, now: Millis, kind: WindowKind) -> usize {
        match kind {
            WindowKind::Rolling => self.count(now),
            WindowKind::Fixed => self.count_fixed(now),
        }
    }

    pub(crate) fn add(&mut self, now: Millis) {
        self.times.push_back(now);
        self.peak = self.peak.max(self.count(now));
    }

    /// The most that ever fell into one window.
    pub(crate) fn peak(&self) -> usize {
        self.peak
    }

    /// Seconds until the oldest leaves the window, at least one.
    pub(crate) fn seconds_to_free(&self, now: Millis) -> i64 {
        self.times.front().map_or(1, |time| ((time.0 + self.length - now.0) + 999) / 1000).max(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_leaves_after_exactly_the_length() {
        let mut window = Window::new(MINUTE);
        window.add(Millis(1_000));
        assert_eq!(window.count(Millis(60_999)), 1);
        assert_eq!(window.count(Millis(61_000)), 0);
    }

    #[test]
    fn fixed_minutes_start_anew() {
        let mut window = Window::new(MINUTE);
        window.add(Millis(59_000));
        assert_eq!(window.count_kind(Millis(60_000), WindowKind::Fixed), 0);
        assert_eq!(window.count_kind(Millis(60_000), WindowKind::Rolling), 1);
    }
}
