//! Which dates a run covers, and how much of them is asked for.

use jiff::civil::{Date, Weekday};
use jiff::{Timestamp, ToSpan as _};

/// The most dates of a run, and how many a window has (rules 3 and 4 of the simulator).
pub const MOST_DAYS: i32 = 40;

/// The dates of a run, from 1 to [`MOST_DAYS`] of them, each at most once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    first: Date,
    last: Date,
}

/// Why a period can not be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PeriodFault {
    /// It ends before it begins.
    #[error("the period ends before it begins")]
    Reversed,
    /// It has too many dates.
    #[error("the period has {days} dates; at most {MOST_DAYS} can be brought at once")]
    TooLong {
        /// How many it has.
        days: i32,
    },
    /// It ends after today.
    #[error("the period ends in the future")]
    InFuture,
}

impl Window {
    /// The window that is due on a day: the 40 dates before it, whenever it runs.
    #[must_use]
    pub fn due(day: Date) -> Self {
        Self { first: day.saturating_sub(MOST_DAYS.days()), last: day.saturating_sub(1.day()) }
    }

    /// Dates that a person chose, however old.
    ///
    /// # Errors
    /// [`PeriodFault`] when there are none, more than 40, or some that are still to come.
    pub fn chosen(first: Date, last: Date, today: Date) -> Result<Self, PeriodFault> {
        if last < first {
            return Err(PeriodFault::Reversed);
        }
        if last > today {
            return Err(PeriodFault::InFuture);
        }
        let days = first.until(last).map_or(i32::MAX, |span| span.get_days() + 1);
        if days > MOST_DAYS {
            return Err(PeriodFault::TooLong { days });
        }
        Ok(Self { first, last })
    }

    /// The first date.
    #[must_use]
    pub fn first(&self) -> Date {
        self.first
    }

    /// The last date.
    #[must_use]
    pub fn last(&self) -> Date {
        self.last
    }

    /// The dates, oldest first.
    pub fn dates(&self) -> impl Iterator<Item = Date> + use<> {
        let last = self.last;
        self.first.series(1.day()).take_while(move |date| *date <= last)
    }
}

/// The last window of a link that came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Complete {
    /// The day on which it was due.
    pub due: Date,
    /// When it began to read, or earlier.
    pub started: Timestamp,
}

/// How much of a window is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// Every row of every date.
    Full,
    /// Of the dates that the last complete window read, rows that changed since; of later dates every row.
    Changed {
        /// The last of those dates.
        known_to: Date,
        /// Since when: the start of that window, less a day for clocks that differ.
        since: Timestamp,
    },
}

impl Extent {
    /// How much of the window that is due on `due` is asked for. All of it on Sundays, after a window that failed, when none came
    /// to its end yet, and of a source that can not tell what changed.
    #[must_use]
    pub fn of(due: Date, complete: Option<Complete>, last_failed: bool, source_tells_changes: bool) -> Self {
        let Some(complete) = complete.filter(|_| source_tells_changes && !last_failed) else { return Self::Full };
        let Ok(since) = complete.started.checked_sub(24.hours()) else { return Self::Full };
        if due.weekday() == Weekday::Sunday {
            return Self::Full;
        }
        Self::Changed { known_to: complete.due.saturating_sub(1.day()), since }
    }
}

/// Dates that a person had brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    /// The first one.
    pub first: Date,
    /// The last one.
    pub last: Date,
    /// The day on which that run began.
    pub on: Date,
}

impl Brought {
    /// Whether all of a date was there to be read: people go on working on the day itself.
    fn has(&self, date: Date) -> bool {
        (self.first..=self.last).contains(&date) && date < self.on
    }
}

/// The first and the last of the dates that are missing on `today` because windows failed since the one that was due on `complete`,
/// of which a person had some brought meanwhile. No more than a manual run can bring.
#[must_use]
pub fn missing(today: Date, complete: Option<Date>, brought: &[Brought]) -> Option<(Date, Date)> {
    let window = Window::due(today);
    let read = |date: &Date| complete.is_some_and(|due| *date < due) || brought.iter().any(|run| run.has(*date));
    let mut missing = window.dates().filter(|date| !read(date));
    let first = missing.next()?;
    Some((first, missing.last().unwrap_or(first)))
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_window_covers_the_40_dates_before_its_day_oldest_first() {
        let window = Window::due(date(2026, 4, 10));
        let dates: Vec<Date> = window.dates().collect();
        assert_eq!((window.first(), window.last()), (date(2026, 3, 1), date(2026, 4, 9)));
        assert_eq!((dates.len(), dates[0], dates[39]), (40, date(2026, 3, 1), date(2026, 4, 9)));
        assert!(dates.is_sorted());
        assert_eq!(Window::due(Date::MIN).dates().count(), 1, "the calendar begins");
    }

    #[test]
    fn a_person_chooses_1_to_40_dates_up_to_today_however_old() {
        let today = date(2026, 4, 10);
        let rows = [
            (today, today, Ok(1)),
            (date(2026, 3, 2), today, Ok(40)),
            (date(2026, 3, 1), today, Err(PeriodFault::TooLong { days: 41 })),
            (date(2001, 1, 1), date(2001, 2, 9), Ok(40)),
            (date(2001, 1, 1), today, Err(PeriodFault::TooLong { days: 9_231 })),
            (today, date(2026, 4, 9), Err(PeriodFault::Reversed)),
            (today, date(2026, 4, 11), Err(PeriodFault::InFuture)),
            (date(2026, 4, 11), date(2026, 4, 11), Err(PeriodFault::InFuture)),
        ];
        for (first, last, expected) in rows {
            let chosen = Window::chosen(first, last, today).map(|window| window.dates().count());
            assert_eq!(chosen, expected, "{first} to {last}");
        }
    }

    #[test]
    fn all_is_asked_for_on_sundays_after_a_failure_and_where_nothing_else_is_possible() {
        let started: Timestamp = "2026-04-09T20:00:07Z".parse().unwrap();
        let complete = Some(Complete { due: date(2026, 4, 10), started });
        let saturday = date(2026, 4, 11);
        let changed = Extent::Changed { known_to: date(2026, 4, 9), since: "2026-04-08T20:00:07Z".parse().unwrap() };
        let rows = [
            (saturday, complete, false, true, changed),
            (date(2026, 4, 14), complete, false, true, changed),
            (date(2026, 4, 12), complete, false, true, Extent::Full),
            (saturday, complete, true, true, Extent::Full),
            (saturday, None, false, true, Extent::Full),
            (saturday, complete, false, false, Extent::Full),
        ];
        for (due, complete, failed, tells, extent) in rows {
            assert_eq!(Extent::of(due, complete, failed, tells), extent, "{due} {failed} {tells}");
        }
    }

    #[test]
    fn dates_that_a_person_had_brought_are_missing_no_more() {
        let today = date(2026, 4, 10);
        let (from, to) = (date(2026, 4, 5), date(2026, 4, 9));
        let run = |first: i8, last: i8, on: i8| Brought {
            first: date(2026, 4, first),
            last: date(2026, 4, last),
            on: date(2026, 4, on),
        };
        let april = |first: i8, last: i8| Some((date(2026, 4, first), date(2026, 4, last)));
        let rows = [
            ("none", vec![], april(5, 9)),
            ("all", vec![run(1, 9, 10)], None),
            ("all by two", vec![run(7, 9, 10), run(5, 6, 7)], None),
            ("the first ones", vec![run(5, 6, 10)], april(7, 9)),
            ("the last ones", vec![run(7, 9, 10)], april(5, 6)),
            ("those in the middle", vec![run(6, 8, 10)], april(5, 9)),
            ("others", vec![run(1, 4, 10)], april(5, 9)),
            ("the last one while it went on", vec![run(5, 9, 9)], april(9, 9)),
        ];
        for (name, brought, expected) in rows {
            assert_eq!(missing(today, Some(from), &brought), expected, "{name}");
        }
        assert_eq!(missing(today, None, &[]), Some((date(2026, 3, 1), to)), "40 dates at most");
        assert_eq!(missing(today, Some(date(2025, 1, 1)), &[]), Some((date(2026, 3, 1), to)));
        assert_eq!(missing(today, Some(today), &[]), None);
    }

    proptest! {
        #[test]
        fn a_chosen_period_has_every_date_once(first in 0_i32..20_000, length in 0_i32..40, ago in 0_i32..50) {
            let first = date(1990, 1, 1).saturating_add(first.days());
            let last = first.saturating_add(length.days());
            let window = Window::chosen(first, last, last.saturating_add(ago.days())).unwrap();
            let dates: Vec<Date> = window.dates().collect();
            prop_assert_eq!(dates.len(), usize::try_from(length).unwrap() + 1);
            prop_assert!(dates.windows(2).all(|pair| pair[0].tomorrow().unwrap() == pair[1]));
            prop_assert_eq!((dates[0], dates[dates.len() - 1]), (first, last));
        }
    }
}
