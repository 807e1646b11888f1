//! What is recorded of one person on one date.

use std::borrow::Cow;

use jiff::civil::Date;
use renkei_runtime::clock::Millis;

use super::dates::{MINUTE_MS, instant};
use super::times::Minute;

/// How long after the last time of a day its record is taken for changed, unless it is said otherwise.
const WRITTEN_AFTER_MS: i64 = 5 * MINUTE_MS;

/// A break. One of its ends may be missing, as it may with the whole day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Break {
    /// From.
    pub start: Option<Minute>,
    /// To.
    pub end: Option<Minute>,
    /// Whether it was punched, and not taken from the segment.
    pub stamped: bool,
}

impl Break {
    /// A whole break that nobody punched.
    #[must_use]
    pub fn new(start: Minute, end: Minute) -> Self {
        Self { start: Some(start), end: Some(end), stamped: false }
    }
}

/// What is recorded of one person on one date. Built tersely:
/// `Day::work(at(9, 0), at(18, 0)).pause(at(12, 0), at(13, 0))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// The segment's title; free text, known to the list of segments or not.
    pub title: Cow<'static, str>,
    /// Start of work as registered.
    pub start: Option<Minute>,
    /// End of work as registered.
    pub end: Option<Minute>,
    /// Start of work as punched.
    pub stamped_start: Option<Minute>,
    /// End of work as punched.
    pub stamped_end: Option<Minute>,
    /// Breaks. The first two have their own fields in a row; the others lose their flags there.
    pub breaks: Vec<Break>,
    /// Paid leave in hundredths of a day, hourly leave included.
    pub paid_leave: u16,
    /// Hourly leave in minutes.
    pub hourly_leave: u16,
    /// 1 not applied for, 2 waiting for approval, 3 approved, 4 sent back.
    pub status: u8,
    /// When the day is approved, if the clock is to do that: minutes from the work date's 00:00.
    pub approved: Option<Minute>,
    /// Free text.
    pub notes: Option<String>,
    /// Whether times show only after they have come, later by the company's delay.
    pub live: bool,
    /// When it was changed by hand.
    pub updated_at: Option<Millis>,
}

impl Default for Day {
    fn default() -> Self {
        Self {
            title: Cow::Borrowed("出勤"),
            start: None,
            end: None,
            stamped_start: None,
            stamped_end: None,
            breaks: Vec::new(),
            paid_leave: 0,
            hourly_leave: 0,
            status: 1,
            approved: None,
            notes: None,
            live: false,
            updated_at: None,
        }
    }
}

impl Day {
    /// A day that nobody entered anything for.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A day of work; the punches are the same as the registered times.
    #[must_use]
    pub fn work(start: Minute, end: Minute) -> Self {
        Self::empty().from(start).until(end)
    }

    /// A day that has only begun: still at work, or the punch was forgotten.
    #[must_use]
    pub fn started(start: Minute) -> Self {
        Self::empty().from(start)
    }

    /// A day that has only an end.
    #[must_use]
    pub fn ended(end: Minute) -> Self {
        Self::empty().until(end)
    }

    /// A day without work, called by the segment `title` (公休, 欠勤, …).
    #[must_use]
    pub fn off(title: &'static str) -> Self {
        Self::empty().titled(title)
    }

    /// A whole day of paid leave (有休).
    #[must_use]
    pub fn leave() -> Self {
        Self { paid_leave: 100, ..Self::off("有休") }
    }

    /// Half a day of paid leave in the morning.
    #[must_use]
    pub fn morning_off(self) -> Self {
        Self { paid_leave: 50, ..self.titled("出勤（午前休）") }
    }

    /// Half a day of paid leave in the afternoon.
    #[must_use]
    pub fn afternoon_off(self) -> Self {
        Self { paid_leave: 50, ..self.titled("出勤（午後休）") }
    }

    /// Paid leave by the hour. Where it lies is not said anywhere.
    #[must_use]
    pub fn hourly_leave(mut self, minutes: u16) -> Self {
        self.hourly_leave = minutes;
        self.paid_leave = u16::try_from(u32::from(minutes) * 100 / 480).unwrap_or(u16::MAX);
        self
    }

    /// Under another segment.
    #[must_use]
    pub fn titled(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = title.into();
        self
    }

    /// Begun at `start`, and punched so.
    #[must_use]
    pub fn from(mut self, start: Minute) -> Self {
        (self.start, self.stamped_start) = (Some(start), Some(start));
        self
    }

    /// Ended at `end`, and punched so.
    #[must_use]
    pub fn until(mut self, end: Minute) -> Self {
        (self.end, self.stamped_end) = (Some(end), Some(end));
        self
    }

    /// With one more break.
    #[must_use]
    pub fn pause(self, start: Minute, end: Minute) -> Self {
        self.with_break(Break::new(start, end))
    }

    /// With one more break, which may be half entered.
    #[must_use]
    pub fn with_break(mut self, pause: Break) -> Self {
        self.breaks.push(pause);
        self
    }

    /// Punched at other times than registered.
    #[must_use]
    pub fn stamped(mut self, start: Option<Minute>, end: Option<Minute>) -> Self {
        (self.stamped_start, self.stamped_end) = (start, end);
        self
    }

    /// With a state of approval.
    #[must_use]
    pub fn status(mut self, status: u8) -> Self {
        self.status = status;
        self
    }

    /// Approved when the clock comes to `when`.
    #[must_use]
    pub fn approved(mut self, when: Minute) -> Self {
        self.approved = Some(when);
        self
    }

    /// With a note.
    #[must_use]
    pub fn noted(mut self, notes: &str) -> Self {
        self.notes = Some(notes.to_owned());
        self
    }

    /// Its times show only after they have come.
    #[must_use]
    pub fn live(mut self) -> Self {
        self.live = true;
        self
    }

    /// Changed last at `when`, whatever its times say.
    #[must_use]
    pub fn changed(mut self, when: Millis) -> Self {
        self.updated_at = Some(when);
        self
    }

    /// All its times.
    fn times(&mut self) -> impl Iterator<Item = &mut Option<Minute>> {
        let own = [&mut self.start, &mut self.end, &mut self.stamped_start, &mut self.stamped_end, &mut self.approved];
        own.into_iter().chain(self.breaks.iter_mut().flat_map(|pause| [&mut pause.start, &mut pause.end]))
    }

    /// The day as its row says it at `now`, and when the row was changed last. `made` is when the row was made, `lag` how
    /// long the row stays behind the punches.
    pub(crate) fn seen(mut self, day: Date, now: Millis, made: Millis, lag: i64) -> (Self, Millis) {
        let mut last: Option<Millis> = None;
        let (live, midnight) = (self.live, instant(day, 0));
        for time in self.times() {
            let Some(minute) = *time else { continue };
            let lag = if live { lag } else { WRITTEN_AFTER_MS };
            let written = Millis(midnight.0 + i64::from(minute.get()) * MINUTE_MS + lag);
            if live && written > now {
                *time = None;
            } else {
                last = last.max(Some(written));
            }
        }
        self.breaks.retain(|pause| pause.start.is_some() || pause.end.is_some());
        if self.approved.is_some() {
            self.status = 3;
        }
        let changed = match (self.updated_at, last) {
            (Some(by_hand), Some(last)) if live => by_hand.max(last),
            (Some(by_hand), _) => by_hand,
            (None, last) => last.unwrap_or(made).max(made),
        };
        (self, changed)
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::super::times::at;
    use super::*;

    const MADE: Millis = Millis(1_000);

    #[test]
    fn a_live_day_shows_what_has_come_and_was_written() {
        let day = date(2026, 4, 9);
        let whole = Day::work(at(20, 0), at(29, 30)).pause(at(24, 0), at(25, 0)).live().approved(at(33, 0));
        let seen = |minutes| whole.clone().seen(day, instant(day, minutes), MADE, 30 * MINUTE_MS);
        assert_eq!(seen(20 * 60 + 29), (Day { approved: None, ..Day::empty().live() }, MADE));
        let (begun, changed) = seen(20 * 60 + 30);
        assert_eq!((begun.start, begun.end, begun.breaks.len()), (Some(at(20, 0)), None, 0));
        assert_eq!(changed, instant(day, 20 * 60 + 30));
        let (ended, changed) = seen(30 * 60);
        assert_eq!((ended.end, ended.status, changed), (Some(at(29, 30)), 1, instant(day, 30 * 60)));
        let (approved, changed) = seen(40 * 60);
        assert_eq!((approved.status, changed), (3, instant(day, 33 * 60 + 30)));
    }

    #[test]
    fn a_day_set_by_hand_is_there_at_once() {
        let day = date(2026, 4, 9);
        let whole = Day::work(at(9, 0), at(18, 0));
        assert_eq!(whole.clone().seen(day, Millis(0), MADE, 0), (whole.clone(), instant(day, 18 * 60 + 5)));
        assert_eq!(whole.clone().changed(Millis(7)).seen(day, Millis(0), MADE, 0).1, Millis(7));
        assert_eq!(Day::leave().seen(day, Millis(0), MADE, 0).1, MADE);
    }
}
