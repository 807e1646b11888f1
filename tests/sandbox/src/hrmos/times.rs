//! Times of a work date, and lengths.

use std::fmt;

use serde::{Serialize, Serializer};

/// A day's minutes.
const DAY: i16 = 1440;

/// Minutes from 00:00 of the work date: from −1440 (00:00 of the day before) to 2879 (23:59 of the day after), so that it
/// can always be said as a clock time and a next-day flag (rule 13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Minute(i16);

/// `at(9, 30)` is 09:30, `at(25, 0)` is 01:00 of the next day, `at(-1, 30)` is 23:30 of the day before. What lies further
/// away is moved to the nearest minute that can be said.
#[must_use]
pub const fn at(hour: i16, minute: i16) -> Minute {
    Minute::new(hour as i32 * 60 + minute as i32)
}

impl Minute {
    /// The minute; what lies outside is moved to the nearest one inside.
    #[must_use]
    pub const fn new(minutes: i32) -> Self {
        let clamped = if minutes < -1440 {
            -1440
        } else if minutes > 2879 {
            2879
        } else {
            minutes
        };
        Self(clamped as i16)
    }

    /// Minutes from 00:00 of the work date.
    #[must_use]
    pub const fn get(self) -> i32 {
        self.0 as i32
    }

    /// −1 the day before, 0 the work date, 1 the next day.
    #[must_use]
    pub fn flag(self) -> i8 {
        // Between −1 and 1 by the type's bounds.
        i8::try_from(self.0.div_euclid(DAY)).unwrap_or(0)
    }

    /// Some minutes later.
    #[must_use]
    pub const fn later(self, minutes: i32) -> Self {
        Self::new(self.0 as i32 + minutes)
    }

    /// The clock's hour and minute.
    pub(crate) fn on_the_clock(self) -> (i16, i16) {
        let minute = self.0.rem_euclid(DAY);
        (minute / 60, minute % 60)
    }

    /// `HH:MM` and a flag, as they come in. `None` for what is no time of the three days.
    pub(crate) fn parse(clock: &str, flag: i32) -> Option<Self> {
        let (hour, minute) = clock.split_once(':')?;
        let number = |text: &str| -> Option<i32> {
            let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse().ok().filter(|_| digits)
        };
        let (hour, minute) = (number(hour)?, number(minute)?);
        (hour <= 23 && minute <= 59 && (-1..=1).contains(&flag)).then(|| Self::new(hour * 60 + minute + flag * 1440))
    }
}

/// A [`Minute`] as a row says it: `HH:MM`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    pub(crate) minute: Minute,
    /// Whether the next day's times are said as 24:00 and later.
    pub(crate) extended: bool,
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hour, minute) = self.minute.on_the_clock();
        let hour = if self.extended && self.minute.flag() == 1 { hour + 24 } else { hour };
        write!(f, "{hour:02}:{minute:02}")
    }
}

impl Serialize for Clock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A length in minutes as `H:MM`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Length(pub(crate) i32);

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl Serialize for Length {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_said_as_a_clock_time_and_a_flag() {
        for (minute, clock, extended, flag) in [
            (at(9, 5), "09:05", "09:05", 0),
            (at(0, 0), "00:00", "00:00", 0),
            (at(25, 30), "01:30", "25:30", 1),
            (at(47, 59), "23:59", "47:59", 1),
            (at(-1, 30), "23:30", "23:30", -1),
            (at(-24, 0), "00:00", "00:00", -1),
        ] {
            assert_eq!(Clock { minute, extended: false }.to_string(), clock);
            assert_eq!(Clock { minute, extended: true }.to_string(), extended);
            assert_eq!(minute.flag(), flag, "{clock}");
            assert_eq!(Minute::parse(clock, i32::from(flag)), Some(minute));
        }
        assert_eq!((at(99, 0), at(-99, 0)), (at(47, 59), at(-24, 0)));
        assert_eq!(Length(9_600).to_string(), "160:00");
    }

    #[test]
    fn a_time_that_comes_in_is_exact() {
        for bad in ["9:00", "24:00", "09:60", "0900", "", "09:00:00", "+9:00"] {
            assert_eq!(Minute::parse(bad, 0), None, "{bad}");
        }
        assert_eq!(Minute::parse("09:00", 2), None);
    }
}
