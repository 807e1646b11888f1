//! What a source's row of one person and date comes to.

mod clock;
pub mod hrmos;
pub mod kingoftime;
mod reason;
mod tolerant;

use jiff::civil::Date;

pub use reason::Reason;

use crate::day::{Day, Leave};

/// 24 hours, in minutes.
const LONGEST_WORK: i32 = 24 * 60;

/// How sure a date is at the time of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// Over: what is missing is missing.
    Yes,
    /// Yesterday, or today in a manual run: somebody may still be at work, or the source may be behind its punches.
    NotYet,
}

impl Settled {
    /// How sure `day` is in a run of `today`: the due day of a window, the day in Tokyo on which a manual run began. What is half
    /// entered yesterday is told from the window of tomorrow on, in which it is the day before yesterday.
    #[must_use]
    pub fn of(day: Date, today: Date) -> Self {
        if day.tomorrow().map_or(day, |next| next) >= today { Self::NotYet } else { Self::Yes }
    }
}

/// What a row comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A day that クラウドログ can be told.
    Day(Day),
    /// No work and no leave.
    Empty,
    /// 未確定: half of it is there, and the rest may come.
    Open,
    /// Not written, and why.
    Skipped(Reason),
}

impl Reading {
    /// A row of which a part is missing.
    fn incomplete(settled: Settled, reason: Reason) -> Self {
        match settled {
            Settled::Yes => Self::Skipped(reason),
            Settled::NotYet => Self::Open,
        }
    }

    /// A row without work. Leave for a part of the day leaves work to come for the rest of it.
    fn without_work(settled: Settled, leave: Option<Leave>) -> Self {
        match (leave, settled) {
            (None, _) => Self::Empty,
            (Some(Leave::FullDay), _) | (Some(_), Settled::Yes) => {
                leave.map_or(Self::Empty, |leave| Self::Day(Day::off(leave)))
            }
            (Some(_), Settled::NotYet) => Self::Open,
        }
    }

    /// A day with work, if クラウドログ can hold it: it begins on the work date and has no more than 24 hours without its breaks.
    fn worked(day: Day) -> Self {
        if day.work.is_some_and(|work| work.from.get() < 0) {
            Self::Skipped(Reason::PreviousDayStart)
        } else if day.worked() > LONGEST_WORK {
            Self::Skipped(Reason::Over24Hours)
        } else {
            Self::Day(day)
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn yesterday_and_today_are_not_settled_and_what_is_older_is() {
        let today = date(2026, 4, 10);
        let table = [
            (date(2026, 4, 10), Settled::NotYet),
            (date(2026, 4, 9), Settled::NotYet),
            (date(2026, 4, 8), Settled::Yes),
            (date(2026, 3, 1), Settled::Yes),
            (date(2026, 4, 11), Settled::NotYet),
            (Date::MAX, Settled::NotYet),
        ];
        for (day, settled) in table {
            assert_eq!(Settled::of(day, today), settled, "{day}");
        }
    }
}
