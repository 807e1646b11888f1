//! A row of HRMOS勤怠's daily attendance.
//!
//! クラウドログ's own link takes the times registered there, not the punches; a setting can turn that round. A row says what the
//! work type's default breaks are even on a day without work, and it has no word for leave but the name of the work type.

mod row;

use serde::{Deserialize, Serialize};

pub use super::clock::NextDay;
pub use row::{ExtraBreak, Found, Row, found, latest};

use super::clock::{Clock, placed};
use super::{Reading, Reason, Settled};
use crate::day::{Day, Leave, Minutes, Span};
use crate::segments::{Segment, SegmentTable};

/// Which of a row's times count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeSource {
    /// As registered: rounded or corrected.
    #[default]
    Registered,
    /// As punched.
    Stamped,
}

/// How rows are read, where the source leaves a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Which times count.
    pub time_source: TimeSource,
    /// Whether an end before the start that says no day is on the next day. If not, it is on the work date.
    pub infer_next_day: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { time_source: TimeSource::Registered, infer_next_day: true }
    }
}

/// A time of a row: its own text, the flag beside it, and for a punch the registered time that it stands for.
#[derive(Clone, Copy)]
struct Said<'a> {
    text: Option<&'a str>,
    flag: Option<NextDay>,
    registered: Option<Minutes>,
}

impl<'a> Said<'a> {
    fn new(
        source: TimeSource,
        registered: Option<&'a String>,
        flag: Option<NextDay>,
        punched: Option<&'a String>,
    ) -> Self {
        let (registered, punched) = (registered.map(String::as_str), punched.map(String::as_str));
        match source {
            TimeSource::Registered => Self { text: registered, flag, registered: None },
            // The flag is the registered time's: somebody who begins at 00:00 may punch at 23:58 of the day before.
            TimeSource::Stamped => {
                let day = flag.unwrap_or(NextDay::Same);
                let registered = registered.and_then(Clock::parse).and_then(|clock| clock.on(day));
                Self { text: punched, flag: flag.filter(|_| registered.is_none()), registered }
            }
        }
    }

    fn clock(self) -> Result<Option<Clock>, Reason> {
        self.text.map(|text| Clock::parse(text).ok_or(Reason::UnreadableTimes)).transpose()
    }

    /// The time where the row says its day; `None` where it does not.
    fn at(self, clock: Clock) -> Result<Option<Minutes>, Reason> {
        let at = match (self.registered, self.flag) {
            (Some(registered), _) => clock.near(registered),
            (None, Some(flag)) => clock.on(flag),
            (None, None) => return Ok(None),
        };
        at.map(Some).ok_or(Reason::UnreadableTimes)
    }
}

fn same_day(clock: Clock) -> Result<Minutes, Reason> {
    clock.on(NextDay::Same).ok_or(Reason::UnreadableTimes)
}

impl Row {
    /// What the row comes to.
    #[must_use]
    pub fn reading(&self, table: &SegmentTable, options: Options, settled: Settled) -> Reading {
        self.read(table, options, settled).unwrap_or_else(Reading::Skipped)
    }

    fn read(&self, table: &SegmentTable, options: Options, settled: Settled) -> Result<Reading, Reason> {
        let (start, end) = self.work(options.time_source);
        let (from, to) = match (start.clock()?, end.clock()?) {
            // Whatever the breaks say: they are the work type's own.
            (None, None) => return Ok(Reading::without_work(settled, self.leave(table)?)),
            (Some(from), Some(to)) => (from, to),
            _ => return Ok(Reading::incomplete(settled, Reason::HalfEntered)),
        };
        let from = start.at(from)?.map_or_else(|| same_day(from), Ok)?;
        let to = match end.at(to)? {
            Some(to) => to,
            None if options.infer_next_day => to.not_before(from).ok_or(Reason::UnreadableTimes)?,
            None => same_day(to)?,
        };
        let work = Span::new(from, to).ok_or(Reason::EndNotAfterStart)?;
        Ok(Reading::worked(Day::at_work(work, &self.breaks(work, options)?, self.leave(table)?)))
    }

    fn work(&self, source: TimeSource) -> (Said<'_>, Said<'_>) {
        (
            Said::new(source, self.start_at.as_ref(), self.next_day_start, self.stamping_start_at.as_ref()),
            Said::new(source, self.end_at.as_ref(), self.next_day_end, self.stamping_end_at.as_ref()),
        )
    }

    fn breaks(&self, work: Span, options: Options) -> Result<Vec<Span>, Reason> {
        let said = |registered, flag, punched| Said::new(options.time_source, registered, flag, punched);
        let own = [
            (
                said(
                    self.break_1_start_at.as_ref(),
                    self.next_day_break_1_start,
                    self.stamping_break_1_start_at.as_ref(),
                ),
                said(self.break_1_end_at.as_ref(), self.next_day_break_1_end, self.stamping_break_1_end_at.as_ref()),
            ),
            (
                said(
                    self.break_2_start_at.as_ref(),
                    self.next_day_break_2_start,
                    self.stamping_break_2_start_at.as_ref(),
                ),
                said(self.break_2_end_at.as_ref(), self.next_day_break_2_end, self.stamping_break_2_end_at.as_ref()),
            ),
        ];
        let mut breaks = Vec::with_capacity(own.len() + self.extra_breaks.len());
        for (start, end) in own {
            // One of which an end is missing has no length.
            let (Some(from), Some(to)) = (start.clock()?, end.clock()?) else { continue };
            let (from, to) = match (start.at(from)?, end.at(to)?) {
                (None, None) if options.infer_next_day => {
                    breaks.extend(placed(work, from, to));
                    continue;
                }
                (Some(at), None) if options.infer_next_day => (at, to.not_before(at).ok_or(Reason::UnreadableTimes)?),
                (at_start, at_end) => {
                    (at_start.map_or_else(|| same_day(from), Ok)?, at_end.map_or_else(|| same_day(to), Ok)?)
                }
            };
            // Backwards it says nothing that could be written.
            if to < from {
                return Err(Reason::UnreadableTimes);
            }
            breaks.extend(Span::new(from, to));
        }
        for extra in &self.extra_breaks {
            let start = said(extra.start_at.as_ref(), None, extra.stamping_start_at.as_ref());
            let end = said(extra.end_at.as_ref(), None, extra.stamping_end_at.as_ref());
            if let (Some(from), Some(to)) = (start.clock()?, end.clock()?) {
                breaks.extend(placed(work, from, to));
            }
        }
        Ok(breaks)
    }

    fn leave(&self, table: &SegmentTable) -> Result<Option<Leave>, Reason> {
        let days = self.paid_holiday_with_time_paid.unwrap_or(0.0);
        let segment = table.of(self.segment_title.as_deref(), self.segment_display_title.as_deref(), days);
        match segment {
            Some(Segment::FullDay) => Ok(Some(Leave::FullDay)),
            Some(Segment::Morning) => Ok(Some(Leave::Morning)),
            Some(Segment::Afternoon) => Ok(Some(Leave::Afternoon)),
            Some(Segment::Hourly) => Ok(Some(Leave::Hourly)),
            // Known by its length only, so it makes no break.
            _ if self.hourly_leave() > 0 => Ok(Some(Leave::Hourly)),
            Some(Segment::Work | Segment::DayOff | Segment::Absence) => Ok(None),
            None if days > 0.0 => Err(Reason::UnknownLeave),
            None => Ok(None),
        }
    }

    fn hourly_leave(&self) -> i32 {
        self.time_paid_holiday.as_deref().and_then(Clock::parse).map_or(0, Clock::length)
    }

    /// What the source has, for somebody who types it in: times as they were written, with the day where it is another one.
    #[must_use]
    pub fn shown(&self, options: Options) -> String {
        let (start, end) = self.work(options.time_source);
        let time = |said: Said<'_>| {
            let text = said.text.unwrap_or_default();
            match said.flag {
                Some(NextDay::Previous) if said.text.is_some() => format!("前日{text}"),
                Some(NextDay::Next) if said.text.is_some() => format!("翌日{text}"),
                _ => text.to_owned(),
            }
        };
        let mut parts = Vec::new();
        if start.text.is_some() || end.text.is_some() {
            parts.push(format!("{}-{}", time(start), time(end)));
        }
        parts.extend(self.segment_title.clone().or_else(|| self.segment_display_title.clone()));
        if self.hourly_leave() > 0 {
            parts.extend(self.time_paid_holiday.as_ref().map(|length| format!("時間休{length}")));
        }
        parts.join(" ")
    }
}
