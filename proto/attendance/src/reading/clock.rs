//! Times of a clock, and on which day they are.

use crate::day::{Minutes, Span};

const DAY: i32 = 24 * 60;

/// On which day a time is, as seen from the work date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextDay {
    /// The day before: −1.
    Previous,
    /// The work date: 0.
    Same,
    /// The day after: 1.
    Next,
    /// What the contract does not have. The day is unreadable then.
    Unknown,
}

impl NextDay {
    fn minutes(self) -> Option<i32> {
        match self {
            Self::Previous => Some(-DAY),
            Self::Same => Some(0),
            Self::Next => Some(DAY),
            Self::Unknown => None,
        }
    }
}

impl serde::Serialize for NextDay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Previous => serializer.serialize_i8(-1),
            Self::Same => serializer.serialize_i8(0),
            Self::Next => serializer.serialize_i8(1),
            Self::Unknown => serializer.serialize_str("?"),
        }
    }
}

/// A flag, or none.
pub(super) fn next_day<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<NextDay>, D::Error> {
    let Some(text) = super::tolerant::text(deserializer)? else { return Ok(None) };
    Ok(Some(match text.parse::<f64>() {
        Ok(-1.0) => NextDay::Previous,
        Ok(0.0) => NextDay::Same,
        Ok(1.0) => NextDay::Next,
        _ => NextDay::Unknown,
    }))
}

/// `HH:MM`, from 00:00 to 47:59.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock(i32);

impl Clock {
    /// Reads it; the hour may have one digit.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (hours, minutes) = text.split_once(':')?;
        let digits =
            |text: &str, least: usize| (least..=2).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(hours, 1) || !digits(minutes, 2) {
            return None;
        }
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours < 48 && minutes < 60).then_some(Self(hours * 60 + minutes))
    }

    /// As a length.
    pub(super) fn length(self) -> i32 {
        self.0
    }

    /// Written past 24:00 it says the day already.
    fn extended(self) -> bool {
        self.0 >= DAY
    }

    /// On the day that a flag says. Past 24:00 the flag is not counted once more.
    pub(super) fn on(self, flag: NextDay) -> Option<Minutes> {
        let days = flag.minutes()?;
        Minutes::new(if self.extended() { self.0 } else { self.0 + days }).ok()
    }

    /// On the day on which it is nearest to another time.
    pub(super) fn near(self, other: Minutes) -> Option<Minutes> {
        if self.extended() {
            return Minutes::new(self.0).ok();
        }
        let days = [0, DAY, -DAY].into_iter().filter_map(|days| Minutes::new(self.0 + days).ok());
        days.min_by_key(|at| (at.get() - other.get()).abs())
    }

    /// The first time after another one that this clock shows, or the other itself.
    pub(super) fn not_before(self, other: Minutes) -> Option<Minutes> {
        let later = if self.0 < other.get() && !self.extended() { self.0 + DAY } else { self.0 };
        Minutes::new(later).ok()
    }
}

/// A break whose days nobody says: on the work date or the day after, wherever more of it is inside of work. An end before the
/// start is on the next day. `None` when nothing of it is inside.
pub(super) fn placed(work: Span, from: Clock, to: Clock) -> Option<Span> {
    let to = if to.0 < from.0 && !to.extended() { to.0 + DAY } else { to.0 };
    let shifts: &[i32] = if from.extended() { &[0] } else { &[0, DAY] };
    let places = shifts.iter().filter_map(|by| {
        // What reaches behind the day after is behind any work.
        let from = Minutes::new(from.0 + by).ok()?;
        let to = Minutes::new((to + by).min(2 * DAY - 1)).ok()?;
        Span::new(from, to)?.common(work)
    });
    // Of equals the first, which is on the work date.
    places.rev().max_by_key(|span| span.length())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(text: &str) -> Clock {
        Clock::parse(text).unwrap()
    }

    fn at(minutes: i32) -> Minutes {
        Minutes::new(minutes).unwrap()
    }

    #[test]
    fn a_clock_shows_hours_to_47_and_minutes_to_59() {
        let table = [
            ("00:00", Some(0)),
            ("9:05", Some(545)),
            ("09:05", Some(545)),
            ("23:59", Some(1439)),
            ("24:00", Some(1440)),
            ("25:30", Some(1530)),
            ("47:59", Some(2879)),
            ("48:00", None),
            ("12:60", None),
            ("12:5", None),
            ("12:005", None),
            ("012:00", None),
            ("-1:00", None),
            ("+9:00", None),
            ("12:00:00", None),
            ("1200", None),
            (":00", None),
            ("12:", None),
            ("", None),
            ("１２:００", None),
            ("九時", None),
        ];
        for (text, minutes) in table {
            assert_eq!(Clock::parse(text).map(Clock::length), minutes, "{text}");
        }
    }

    #[test]
    fn a_flag_moves_a_time_by_a_day_unless_it_says_its_day_itself() {
        let table = [
            ("05:30", NextDay::Same, Some(330)),
            ("05:30", NextDay::Next, Some(1770)),
            ("22:00", NextDay::Previous, Some(-120)),
            ("00:00", NextDay::Previous, Some(-1440)),
            ("23:59", NextDay::Next, Some(2879)),
            ("25:30", NextDay::Same, Some(1530)),
            ("25:30", NextDay::Next, Some(1530)),
            ("24:00", NextDay::Previous, Some(1440)),
            ("05:30", NextDay::Unknown, None),
            ("25:30", NextDay::Unknown, None),
        ];
        for (text, flag, minutes) in table {
            assert_eq!(clock(text).on(flag).map(Minutes::get), minutes, "{text} {flag:?}");
        }
    }

    #[test]
    fn a_punch_is_on_the_day_on_which_it_is_nearest_to_what_is_registered() {
        let table = [
            ("19:56", 1200, 1196),
            ("05:34", 1770, 1774),
            ("23:58", 0, -2),
            ("00:03", 1435, 1443),
            ("25:10", 300, 1510),
        ];
        for (text, registered, minutes) in table {
            assert_eq!(clock(text).near(at(registered)).map(Minutes::get), Some(minutes), "{text}");
        }
    }

    #[test]
    fn a_break_without_flags_is_where_work_is() {
        let day = Span::new(at(540), at(1080)).unwrap();
        let night = Span::new(at(1200), at(1770)).unwrap();
        let evening = Span::new(at(1020), at(1500)).unwrap();
        let table = [
            (day, "12:00", "13:00", Some((720, 780))),
            (night, "03:00", "03:15", Some((1620, 1635))),
            (night, "21:00", "21:30", Some((1260, 1290))),
            (night, "23:45", "00:15", Some((1425, 1455))),
            (night, "27:00", "27:15", Some((1620, 1635))),
            (night, "23:45", "24:15", Some((1425, 1455))),
            // Begun before work, it counts from its start on, and is not a break of the next day.
            (day, "08:50", "09:10", Some((540, 550))),
            (day, "17:50", "18:10", Some((1070, 1080))),
            (night, "19:30", "20:15", Some((1200, 1215))),
            (evening, "00:30", "01:30", Some((1470, 1500))),
            (day, "08:00", "08:30", None),
            (day, "19:00", "19:30", None),
            (day, "12:00", "12:00", None),
        ];
        for (work, from, to, span) in table {
            let placed = placed(work, clock(from), clock(to)).map(|span| (span.from.get(), span.to.get()));
            assert_eq!(placed, span, "{from}-{to}");
        }
    }
}
