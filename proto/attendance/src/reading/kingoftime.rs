//! One person's date at KING OF TIME, or at 勤革時, which is the same service under another name.
//!
//! Clock times stand in the punches only, and these are raw: what the source rounds, takes off by itself or grants as leave shows
//! in the totals of the date.

mod punches;
mod row;
mod stream;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

pub use row::{HourHoliday, Punch, Punched, Row, Slice, Totals};
pub use stream::each;

use self::punches::{Punches, minutes, tokyo};
use super::{Reading, Reason, Settled};
use crate::breaks;
use crate::day::{Day, Leave, Minutes, Span};

/// How a date is read, where the source leaves a choice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether the time from 外出 to 戻り is a break.
    pub outing_as_break: bool,
    /// Whether the time from an out to the next in is a break.
    pub gap_as_break: bool,
    /// When a break begins of which only the length is known, in minutes from 00:00. Where it does not fit, it lies in the middle
    /// of work.
    pub auto_break_at: Minutes,
    /// What breaks that were punched and the source's total of breaks may differ by without an automatic break: rounding. In
    /// minutes.
    pub rounding_minutes: i32,
    /// What our count of work and the source's may differ by before it is told. In minutes.
    pub differs_by_minutes: i32,
    /// The company's names for 午前休.
    pub morning: Vec<String>,
    /// The company's names for 午後休.
    pub afternoon: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        let names = |names: [&str; 3]| names.map(str::to_owned).to_vec();
        Self {
            outing_as_break: false,
            gap_as_break: true,
            auto_break_at: Minutes::NOON,
            rounding_minutes: 5,
            differs_by_minutes: 15,
            morning: names(["AM休", "午前休", "午前半休"]),
            afternoon: names(["PM休", "午後休", "午後半休"]),
        }
    }
}

impl Row {
    /// What the row comes to.
    #[must_use]
    pub fn reading(&self, work_date: Date, options: &Options, settled: Settled) -> Reading {
        match self.read(work_date, options, settled) {
            Ok(reading) => reading,
            Err(reason @ (Reason::HalfEntered | Reason::ErrorAtSource)) => Reading::incomplete(settled, reason),
            Err(reason) => Reading::Skipped(reason),
        }
    }

    fn read(&self, work_date: Date, options: &Options, settled: Settled) -> Result<Reading, Reason> {
        let punches = Punches::of(self, work_date)?;
        let work = punches.work()?;
        let (punched, outings) = (punches.breaks()?, punches.outings());
        if self.is_error {
            return Err(Reason::ErrorAtSource);
        }
        let leave = self.leave(options)?;
        let Some((work, gaps)) = work else { return Ok(Reading::without_work(settled, leave)) };
        let mut all = punched;
        if options.outing_as_break {
            all.extend(outings?);
        }
        let automatic = self.automatic(options, &breaks::inside(work, &all));
        if options.gap_as_break {
            all.extend(gaps);
        }
        all.extend(self.leave_hours(work_date)?);
        let mut all = breaks::inside(work, &all);
        if automatic > 0 {
            all = breaks::with_length(work, &all, automatic, options.auto_break_at);
        }
        Ok(Reading::worked(Day::at_work(work, &all, leave)))
    }

    /// Minutes of breaks that nobody punched.
    fn automatic(&self, options: &Options, punched: &[Span]) -> i32 {
        let known: i32 = punched.iter().map(|span| span.length()).sum();
        let more = self.break_minutes.unwrap_or(0) - known;
        // Seconds of punches are cut off and the total is rounded, so that a little more is no break.
        let least = if punched.is_empty() { 0 } else { options.rounding_minutes };
        if more > least { more } else { 0 }
    }

    /// Leave for hours, where the source says when it is.
    fn leave_hours(&self, work_date: Date) -> Result<Vec<Span>, Reason> {
        let mut spans = Vec::with_capacity(self.hour_holidays.len());
        for hours in &self.hour_holidays {
            let (Some(start), Some(end)) = (&hours.start, &hours.end) else { continue };
            let at = |text: &str| tokyo(text).and_then(|at| minutes(at, work_date)).ok_or(Reason::UnreadableTimes);
            spans.extend(Span::new(at(start)?, at(end)?));
        }
        Ok(spans)
    }

    fn leave(&self, options: &Options) -> Result<Option<Leave>, Reason> {
        let plain = |name: &str| name.nfkc().filter(|sign| !sign.is_whitespace()).collect::<String>();
        let one_of = |names: &[String], name: &str| names.iter().any(|known| plain(known) == plain(name));
        let (mut morning, mut afternoon) = (false, false);
        for name in &self.half_days {
            match (one_of(&options.morning, name), one_of(&options.afternoon, name)) {
                (true, _) => morning = true,
                (_, true) => afternoon = true,
                _ => return Err(Reason::UnknownLeave),
            }
        }
        Ok(match (morning, afternoon) {
            _ if self.full_day => Some(Leave::FullDay),
            (true, true) => Some(Leave::FullDay),
            (true, false) => Some(Leave::Morning),
            (false, true) => Some(Leave::Afternoon),
            (false, false) => (!self.hour_holidays.is_empty()).then_some(Leave::Hourly),
        })
    }

    /// By how many minutes our count of work is above the source's, when that is more than may be. Rounding rules of the source
    /// show in its totals only, so that it is told, and the day is written all the same.
    #[must_use]
    pub fn differs(&self, day: &Day, options: &Options) -> Option<i32> {
        let more = day.worked() - self.total_minutes?;
        (day.work.is_some() && more.abs() > options.differs_by_minutes).then_some(more)
    }

    /// What the source has, for somebody who types it in.
    #[must_use]
    pub fn shown(&self, work_date: Date) -> String {
        let mut parts = Vec::new();
        match Punches::of(self, work_date) {
            Ok(punches) => parts.push(punches.shown()),
            Err(_) => parts.extend(self.punches.iter().filter_map(|punch| punch.time.clone())),
        }
        if self.full_day {
            parts.push(Leave::FullDay.ja().to_owned());
        }
        parts.extend(self.half_days.iter().cloned());
        parts.extend(self.hour_holidays.iter().map(|hours| {
            let clock = |text: &Option<String>| {
                let at = text.as_deref().and_then(tokyo);
                at.map_or_else(String::new, |at| format!("{:02}:{:02}", at.hour(), at.minute()))
            };
            format!("時間休{}-{}", clock(&hours.start), clock(&hours.end))
        }));
        parts.retain(|part| !part.is_empty());
        parts.join(" ")
    }
}
