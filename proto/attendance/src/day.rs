//! One person's day as it is kept in the book: minutes from the work date's 00:00, breaks, leave.

use serde::{Deserialize, Serialize};

use crate::breaks;

/// Minutes from 00:00 of the work date: from −1440 (00:00 of the day before) to 2879 (23:59 of the day after).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Minutes(i32);

/// The number of minutes is outside of what a day can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("minutes are outside of the work date, the day before and the day after")]
pub struct OutOfDay;

impl Minutes {
    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfDay`] below −1440 and above 2879.
    pub fn new(minutes: i32) -> Result<Self, OutOfDay> {
        if (-1440..=2879).contains(&minutes) { Ok(Self(minutes)) } else { Err(OutOfDay) }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Minutes {
    type Error = OutOfDay;
    fn try_from(minutes: i32) -> Result<Self, OutOfDay> {
        Self::new(minutes)
    }
}

impl Minutes {
    /// 12:00 of the work date.
    pub const NOON: Self = Self(12 * 60);
    /// 24:00 of the work date, which no clock shows.
    pub const MIDNIGHT: Self = Self(24 * 60);

    /// `HH:mm`, counted on past midnight: 25:30. `None` before the work date, which has no such form.
    #[must_use]
    pub fn hh_mm(self) -> Option<String> {
        (self.0 >= 0).then(|| format!("{:02}:{:02}", self.0 / 60, self.0 % 60))
    }
}

impl From<Minutes> for i32 {
    fn from(minutes: Minutes) -> i32 {
        minutes.0
    }
}

/// From one time to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Span {
    /// First minute.
    pub from: Minutes,
    /// The minute behind the last.
    pub to: Minutes,
}

/// A span as it is stored, of which nobody knows yet whether it has a length.
#[derive(Deserialize)]
struct Stored {
    from: Minutes,
    to: Minutes,
}

impl TryFrom<Stored> for Span {
    type Error = OutOfDay;
    fn try_from(stored: Stored) -> Result<Self, OutOfDay> {
        Self::new(stored.from, stored.to).ok_or(OutOfDay)
    }
}

impl Span {
    /// The span, if it has a length.
    #[must_use]
    pub fn new(from: Minutes, to: Minutes) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// How long it is, in minutes.
    #[must_use]
    pub fn length(self) -> i32 {
        self.to.get() - self.from.get()
    }

    /// What both spans have in common.
    #[must_use]
    pub fn common(self, other: Self) -> Option<Self> {
        Self::new(self.from.max(other.from), self.to.min(other.to))
    }
}

/// Leave as クラウドログ knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// 全休.
    FullDay,
    /// 午前休.
    Morning,
    /// 午後休.
    Afternoon,
    /// 時間休.
    Hourly,
}

impl Leave {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::FullDay, Self::Morning, Self::Afternoon, Self::Hourly];

    /// The stable text.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::FullDay => "full_day",
            Self::Morning => "morning",
            Self::Afternoon => "afternoon",
            Self::Hourly => "hourly",
        }
    }

    /// What people read, in Japanese.
    #[must_use]
    pub fn ja(self) -> &'static str {
        match self {
            Self::FullDay => "全休",
            Self::Morning => "午前休",
            Self::Afternoon => "午後休",
            Self::Hourly => "時間休",
        }
    }
}

/// A day that can be told to クラウドログ: work, leave, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Day {
    /// From 出社 to 退社. `None`: leave alone.
    pub work: Option<Span>,
    /// Inside of work, in order, not touching each other.
    pub breaks: Vec<Span>,
    /// Leave, if any.
    pub leave: Option<Leave>,
}

impl Day {
    /// A day with work. Breaks may be in any order, overlap, and reach out of work.
    #[must_use]
    pub fn at_work(work: Span, breaks: &[Span], leave: Option<Leave>) -> Self {
        Self { work: Some(work), breaks: breaks::inside(work, breaks), leave }
    }

    /// A day without work.
    #[must_use]
    pub fn off(leave: Leave) -> Self {
        Self { work: None, breaks: Vec::new(), leave: Some(leave) }
    }

    /// Minutes of work without its breaks.
    #[must_use]
    pub fn worked(&self) -> i32 {
        let breaks: i32 = self.breaks.iter().map(|span| span.length()).sum();
        self.work.map_or(0, |work| work.length() - breaks)
    }

    /// Whether a time of it is past what a clock shows on the work date: 24:00 is, 23:59 is not.
    #[must_use]
    pub fn past_midnight(&self) -> bool {
        self.work.is_some_and(|work| work.to >= Minutes::MIDNIGHT)
    }

    /// What is hashed to see whether a day changed: times, breaks and leave, each in minutes from 00:00. Two days have the same
    /// bytes if and only if they are equal.
    #[must_use]
    pub fn content(&self) -> Vec<u8> {
        let span = |span: &Span| format!("{}..{}", span.from.get(), span.to.get());
        let work = self.work.as_ref().map(span).unwrap_or_default();
        let breaks: Vec<String> = self.breaks.iter().map(span).collect();
        format!("{work};{};{}", breaks.join(","), self.leave.map_or("", Leave::code)).into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn minutes(minutes: i32) -> Minutes {
        Minutes::new(minutes).unwrap()
    }

    fn span(from: i32, to: i32) -> Span {
        Span::new(minutes(from), minutes(to)).unwrap()
    }

    #[test]
    fn a_day_is_stored_as_it_was_from_the_first_version_on() {
        let table = [
            (
                Day::at_work(span(540, 1100), &[span(730, 785), span(930, 940)], None),
                r#"{"work":{"from":540,"to":1100},"breaks":[{"from":730,"to":785},{"from":930,"to":940}],"leave":null}"#,
                "540..1100;730..785,930..940;",
            ),
            (
                Day::at_work(span(1200, 1770), &[], Some(Leave::Hourly)),
                r#"{"work":{"from":1200,"to":1770},"breaks":[],"leave":"hourly"}"#,
                "1200..1770;;hourly",
            ),
            (
                Day::at_work(span(-30, 300), &[], Some(Leave::Morning)),
                r#"{"work":{"from":-30,"to":300},"breaks":[],"leave":"morning"}"#,
                "-30..300;;morning",
            ),
            (Day::off(Leave::FullDay), r#"{"work":null,"breaks":[],"leave":"full_day"}"#, ";;full_day"),
            (Day::off(Leave::Afternoon), r#"{"work":null,"breaks":[],"leave":"afternoon"}"#, ";;afternoon"),
        ];
        for (day, stored, content) in table {
            assert_eq!(serde_json::to_string(&day).unwrap(), stored);
            assert_eq!(serde_json::from_str::<Day>(stored).unwrap(), day);
            assert_eq!(String::from_utf8(day.content()).unwrap(), content);
        }
    }

    #[test]
    fn what_can_be_no_time_is_not_taken_from_the_store() {
        let table = [
            r#"{"from":600,"to":600}"#,
            r#"{"from":600,"to":540}"#,
            r#"{"from":-1441,"to":0}"#,
            r#"{"from":0,"to":2880}"#,
        ];
        for stored in table {
            assert!(serde_json::from_str::<Span>(stored).is_err(), "{stored}");
        }
    }

    #[test]
    fn times_count_on_past_midnight_and_have_no_form_before_the_work_date() {
        let table = [(0, Some("00:00")), (545, Some("09:05")), (1439, Some("23:59")), (1440, Some("24:00"))];
        let later = [(1530, Some("25:30")), (2879, Some("47:59")), (-1, None), (-1440, None)];
        for (at, text) in table.into_iter().chain(later) {
            assert_eq!(minutes(at).hh_mm().as_deref(), text, "{at}");
        }
    }

    #[test]
    fn a_day_that_ends_at_24_00_is_past_midnight() {
        for (to, past) in [(1439, false), (1440, true), (1441, true)] {
            assert_eq!(Day::at_work(span(540, to), &[], None).past_midnight(), past, "{to}");
        }
        assert!(!Day::off(Leave::FullDay).past_midnight());
    }

    fn any_span() -> impl Strategy<Value = Span> {
        (-1440_i32..2879, 1_i32..900).prop_map(|(from, length)| span(from, (from + length).min(2879)))
    }

    fn any_day() -> impl Strategy<Value = Day> {
        let leave = prop::option::of(prop::sample::select(&Leave::ALL[..]));
        (prop::option::of(any_span()), prop::collection::vec(any_span(), 0..4), leave).prop_map(
            |(work, breaks, leave)| {
                work.map_or(Day { work: None, breaks: Vec::new(), leave }, |work| Day::at_work(work, &breaks, leave))
            },
        )
    }

    proptest! {
        #[test]
        fn days_have_the_same_content_if_and_only_if_they_are_equal(one in any_day(), other in any_day(), by in 0_usize..5) {
            prop_assert_eq!(one.content() == other.content(), one == other);
            // Two days out of the air are hardly ever alike, so one is changed a little as well.
            let mut near = one.clone();
            match by {
                0 => near.leave = other.leave,
                1 => near.work = other.work,
                2 => near.breaks.truncate(1),
                3 => near.breaks.clone_from(&other.breaks),
                _ => {}
            }
            prop_assert_eq!(one.content() == near.content(), one == near);
        }

        #[test]
        fn a_day_comes_back_from_the_store_as_it_was(day in any_day()) {
            let stored = serde_json::to_string(&day).unwrap();
            prop_assert_eq!(serde_json::from_str::<Day>(&stored).unwrap(), day);
        }

        #[test]
        fn nobody_works_longer_than_from_start_to_end_nor_less_than_nothing(day in any_day()) {
            prop_assert!((0..=day.work.map_or(0, Span::length)).contains(&day.worked()));
        }
    }
}
