//! Punches in the order of time, and what of them belongs together.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::row::Row;
use crate::day::{Minutes, Span};
use crate::reading::Reason;

/// Tokyo has no other time in the year.
const TOKYO: Offset = jiff::tz::offset(9);

/// An ISO 8601 time, with seconds or without, in Tokyo; without an offset it is Tokyo's already.
pub(super) fn tokyo(text: &str) -> Option<DateTime> {
    match text.parse::<Timestamp>() {
        Ok(at) => Some(TOKYO.to_datetime(at)),
        Err(_) => text.parse().ok(),
    }
}

/// In whole minutes from 00:00 of the work date.
pub(super) fn minutes(at: DateTime, work_date: Date) -> Option<Minutes> {
    let days = work_date.until(at.date()).ok()?.get_days();
    // Two days off it is out of range whatever the clock shows, and a thousand years off it would not fit.
    let days = days.clamp(-3, 3);
    Minutes::new(days * 24 * 60 + i32::from(at.hour()) * 60 + i32::from(at.minute())).ok()
}

/// What a punch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    In,
    Out,
    BreakStart,
    BreakEnd,
    GoingOut,
    ComingBack,
}

/// A date's punches.
pub(super) struct Punches(Vec<(Minutes, Kind)>);

impl Punches {
    /// Puts them into the order of time. Kinds that are not known say nothing about the day.
    pub(super) fn of(row: &Row, work_date: Date) -> Result<Self, Reason> {
        let mut punches = Vec::with_capacity(row.punches.len());
        for punch in &row.punches {
            let kind = match punch.code.as_deref() {
                Some("1") => Kind::In,
                Some("2") => Kind::Out,
                Some("3") => Kind::BreakStart,
                Some("4") => Kind::BreakEnd,
                Some("7") => Kind::GoingOut,
                Some("8") => Kind::ComingBack,
                _ => continue,
            };
            let at = punch.time.as_deref().and_then(tokyo).ok_or(Reason::UnreadableTimes)?;
            punches.push((at, minutes(at, work_date).ok_or(Reason::UnreadableTimes)?, kind));
        }
        // By the second: a minute may hold the end of one break and the start of the next.
        punches.sort_by_key(|(at, _, _)| *at);
        Ok(Self(punches.into_iter().map(|(_, at, kind)| (at, kind)).collect()))
    }

    /// From the first in to the last out, and the gaps between an out and the next in. `None`: neither in nor out.
    pub(super) fn work(&self) -> Result<Option<(Span, Vec<Span>)>, Reason> {
        let ends = || self.0.iter().filter(|(_, kind)| matches!(kind, Kind::In | Kind::Out));
        let (Some(first), Some(last)) = (ends().next(), ends().next_back()) else { return Ok(None) };
        if first.1 != Kind::In || last.1 != Kind::Out {
            return Err(Reason::HalfEntered);
        }
        let work = Span::new(first.0, last.0).ok_or(Reason::EndNotAfterStart)?;
        let gaps = ends().zip(ends().skip(1)).filter(|(one, next)| one.1 == Kind::Out && next.1 == Kind::In);
        Ok(Some((work, gaps.filter_map(|(one, next)| Span::new(one.0, next.0)).collect())))
    }

    /// Breaks from start to end.
    pub(super) fn breaks(&self) -> Result<Vec<Span>, Reason> {
        self.pairs(Kind::BreakStart, Kind::BreakEnd)
    }

    /// From going out to coming back.
    pub(super) fn outings(&self) -> Result<Vec<Span>, Reason> {
        self.pairs(Kind::GoingOut, Kind::ComingBack)
    }

    /// A punch that is alone says that another one is missing.
    fn pairs(&self, opens: Kind, closes: Kind) -> Result<Vec<Span>, Reason> {
        let (mut pairs, mut open) = (Vec::new(), None);
        for (at, kind) in &self.0 {
            match open {
                None if *kind == opens => open = Some(*at),
                Some(from) if *kind == closes => {
                    pairs.extend(Span::new(from, *at));
                    open = None;
                }
                _ if *kind == opens || *kind == closes => return Err(Reason::ErrorAtSource),
                _ => {}
            }
        }
        if open.is_some() { Err(Reason::ErrorAtSource) } else { Ok(pairs) }
    }

    /// As people write them down.
    pub(super) fn shown(&self) -> String {
        let word = |kind: Kind| match kind {
            Kind::In => "出勤",
            Kind::Out => "退勤",
            Kind::BreakStart => "休憩開始",
            Kind::BreakEnd => "休憩終了",
            Kind::GoingOut => "外出",
            Kind::ComingBack => "戻り",
        };
        let clock = |at: Minutes| {
            let day = match at.get() {
                ..0 => "前日",
                0..1440 => "",
                1440.. => "翌日",
            };
            format!("{day}{:02}:{:02}", at.get().rem_euclid(1440) / 60, at.get().rem_euclid(60))
        };
        self.0.iter().map(|(at, kind)| format!("{}{}", word(*kind), clock(*at))).collect::<Vec<_>>().join(" ")
    }
}
