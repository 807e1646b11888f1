//! How far a run is. Stands in its job, so that any worker can go on with it.

use std::collections::BTreeSet;

use jiff::Timestamp;
use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Phase {
    /// To begin, as soon as no other run of the company is in the way.
    #[default]
    Begin,
    /// To fetch a token.
    Token,
    /// To read the work types.
    Segments,
    /// To read who is there: a source that names people by keys of its own.
    People,
    /// To read the dates, oldest first.
    Days,
    /// To give the token back.
    Destroy,
    /// To wait until the book has what was put on the log.
    Settle,
}

/// How far a run is. Nothing personal: 社員コード at most.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Progress {
    pub(super) phase: Phase,
    /// The run's number, once it is written down.
    pub(super) run: Option<i64>,
    /// When it began.
    pub(super) began: Millis,
    /// Which hold on the job read the date so far; another one reads it from its first page.
    pub(super) epoch: i64,
    pub(super) first: Option<Date>,
    pub(super) last: Option<Date>,
    /// The dates up to this one were read by the last complete window; of them only changed rows are asked for.
    pub(super) known_to: Option<Date>,
    /// Rows that were updated at or after it.
    pub(super) since: Option<Timestamp>,
    /// Sealed.
    pub(super) token: Option<Vec<u8>>,
    /// The date that is being read.
    pub(super) day: Option<Date>,
    /// The page that comes next, from 1.
    pub(super) page: u32,
    /// How many rows the date has, by the page that was read last.
    pub(super) total: Option<u64>,
    /// How often the date was read again because its pages moved.
    pub(super) moved: u32,
    /// Work types read so far.
    pub(super) segments: Vec<(String, i64)>,
    /// Days put on the log.
    pub(super) produced: i64,
    pub(super) rows: i64,
    pub(super) calls: i64,
    /// Rows that could not be read at all.
    pub(super) unreadable: i64,
    /// How many people without a 社員コード were met.
    pub(super) without_code: i64,
    /// How many 社員コード several people of a date had.
    pub(super) doubles: i64,
    /// How many 社員コード another link brought, too.
    pub(super) in_several_links: i64,
    /// The codes that several people had and that are one person's again, for which the dates are read whole.
    pub(super) codes_read_again: BTreeSet<String>,
    /// Whether such a code was met.
    pub(super) code_freed: bool,
    /// Tries in a row that brought nothing.
    pub(super) failures: u32,
    /// Since when.
    pub(super) failing_since: Option<Millis>,
    /// Whether the token was fetched anew because it was refused, and nothing has come since.
    pub(super) renewed: bool,
    /// Who started it, and whether it is all to be written again: a manual run.
    pub(super) executor: Option<String>,
    /// When the wait for the book began.
    pub(super) settling_since: Option<Millis>,
}

impl Progress {
    /// The date after the one that was read, if the period has one.
    pub(super) fn next_day(&self) -> Option<Date> {
        let day = self.day?.tomorrow().ok()?;
        (day <= self.last?).then_some(day)
    }

    /// Which of how many dates is being read, from 1.
    pub(super) fn place(&self) -> Option<(i64, i64)> {
        let (first, last, day) = (self.first?, self.last?, self.day?);
        let days = |from: Date, to: Date| i64::from(from.until(to).map_or(0, |span| span.get_days())) + 1;
        Some((days(first, day), days(first, last)))
    }

    /// How many dates were read. The last one stays the date that is being read while the run waits for the book.
    pub(super) fn days_read(&self) -> Option<i64> {
        let (at, _) = self.place()?;
        Some(if matches!(self.phase, Phase::Destroy | Phase::Settle) { at } else { at - 1 })
    }
}
