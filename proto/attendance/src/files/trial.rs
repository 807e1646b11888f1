//! Two rows that show whether an import takes times past midnight, before there is a whole morning's file.

use jiff::civil::Date;

use super::row::{NoRow, Row};
use super::{File, FileFault, Layout, Naming, file};
use crate::breaks::BreakMode;
use crate::codes::Code;
use crate::day::{Day, Minutes, Span};
use crate::members::Member;
use crate::protection::Stated;

/// Days to try with where the book has none of the kind. They overwrite what the day holds, so it has to be written again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sample {
    /// 09:00 to 18:00 with a break from 12:00 to 13:00: what クラウドログ shows of a day without data anyway.
    Ordinary,
    /// 22:00 to 25:30 without a break.
    PastMidnight,
}

/// Why two rows can not be tried with.
#[derive(Debug, thiserror::Error)]
pub enum TrialFault {
    /// The first one has a time past midnight.
    #[error("the first row is no ordinary day")]
    NotOrdinary,
    /// The second one has none.
    #[error("the second row is no day past midnight")]
    NotPastMidnight,
    /// Both are about one day.
    #[error("both rows are about the same day")]
    SameDay,
    /// A day that must not be written.
    #[error("a day of {0} is protected")]
    Protected(Code),
    /// The file can not be written.
    #[error(transparent)]
    File(#[from] FileFault),
}

impl Row {
    /// A row to try with.
    ///
    /// # Errors
    /// None in fact: the sample days have times.
    pub fn sample(member: &Member, day: Date, sample: Sample, keyed: impl Fn(&[u8]) -> String) -> Result<Self, NoRow> {
        let span = |from: i32, to: i32| {
            let hours = |hours| Minutes::new(hours).ok();
            Span::new(hours(from)?, hours(to)?)
        };
        let (work, pause) = match sample {
            Sample::Ordinary => (span(9 * 60, 18 * 60), span(12 * 60, 13 * 60)),
            Sample::PastMidnight => (span(22 * 60, 25 * 60 + 30), None),
        };
        let told = Day { work, breaks: pause.into_iter().collect(), leave: None };
        Self::new(member, day, &told, BreakMode::Each, None, keyed)
    }
}

/// A file of two rows: an ordinary day, and one with times past midnight.
///
/// # Errors
/// [`TrialFault`] when the rows are not of these kinds or must not be written.
pub fn trial(
    ordinary: &Row,
    past_midnight: &Row,
    layout: &Layout,
    naming: &Naming,
    protection: &Stated,
) -> Result<File, TrialFault> {
    if ordinary.is_past_midnight() {
        return Err(TrialFault::NotOrdinary);
    }
    if !past_midnight.is_past_midnight() {
        return Err(TrialFault::NotPastMidnight);
    }
    let rows = [ordinary, past_midnight];
    if ordinary.code() == past_midnight.code() && ordinary.day() == past_midnight.day() {
        return Err(TrialFault::SameDay);
    }
    if let Some(row) = rows.into_iter().find(|row| protection.in_force().is_protected(row.code(), row.day())) {
        return Err(TrialFault::Protected(row.code().clone()));
    }
    Ok(file(naming.name("test"), (1, 1), &rows, layout, protection)?)
}
