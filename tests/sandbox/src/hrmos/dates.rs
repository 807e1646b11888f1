//! Japanese time: dates, closing months, and the `YYYY-MM-DDTHH:MM:SS.mmm+09:00` form of the API.

use std::fmt;

use jiff::Span;
use jiff::civil::{Date, DateTime, Weekday, date};
use jiff::tz::{Offset, TimeZone};
use renkei_runtime::clock::Millis;
use serde::{Serialize, Serializer};

/// Nine hours.
const AHEAD_MS: i64 = 9 * 3_600_000;
/// A minute.
pub(crate) const MINUTE_MS: i64 = 60_000;
/// A day.
pub(crate) const DAY_MS: i64 = 86_400_000;

/// Japan has no summer time, so a fixed offset is exact.
fn zone() -> TimeZone {
    TimeZone::fixed(Offset::constant(9))
}

/// The calendar day at `now`.
pub(crate) fn today(now: Millis) -> Date {
    now.timestamp().to_zoned(zone()).date()
}

/// The instant that lies `minutes` after 00:00 of `day`.
pub(crate) fn instant(day: Date, minutes: i32) -> Millis {
    let days = day.duration_since(date(1970, 1, 1)).as_hours() / 24;
    Millis(days * DAY_MS - AHEAD_MS + i64::from(minutes) * MINUTE_MS)
}

/// `months` calendar months after `from`: the same day and time of day, or the month's last day.
pub(crate) fn months_after(from: Millis, months: u8) -> Millis {
    let moved = from.timestamp().to_zoned(zone()).checked_add(Span::new().months(i64::from(months)));
    moved.map_or(Millis::NEVER, |moved| Millis::from(moved.timestamp()))
}

/// An instant as the API writes it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Iso(pub(crate) Millis);

impl fmt::Display for Iso {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let local = self.0.timestamp().to_zoned(zone());
        write!(
            f,
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}+09:00",
            local.year(),
            local.month(),
            local.day(),
            local.hour(),
            local.minute(),
            local.second(),
            local.millisecond()
        )
    }
}

impl Serialize for Iso {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// An instant in any ISO 8601 form; without an offset it is Japanese time, without a time 00:00.
pub(crate) fn parse_instant(text: &str) -> Option<Millis> {
    if let Ok(exact) = text.parse::<jiff::Timestamp>() {
        return Some(Millis::from(exact));
    }
    let local = text.parse::<DateTime>().ok()?.to_zoned(zone()).ok()?;
    Some(Millis::from(local.timestamp()))
}

/// A date in exactly the form `YYYY-MM-DD` that exists in the calendar (rule 12).
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !digits(year, 4) || !digits(month, 2) || !digits(day, 2) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// The first day of a month in exactly the form `YYYY-MM` (rule 12).
pub(crate) fn parse_month(text: &str) -> Option<Date> {
    (text.len() == 7).then(|| parse_date(&format!("{text}-01"))).flatten()
}

/// The day's kanji.
pub(crate) fn kanji(day: Date) -> &'static str {
    match day.weekday() {
        Weekday::Monday => "月",
        Weekday::Tuesday => "火",
        Weekday::Wednesday => "水",
        Weekday::Thursday => "木",
        Weekday::Friday => "金",
        Weekday::Saturday => "土",
        Weekday::Sunday => "日",
    }
}

/// The first and the last of some days that follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// The first day.
    pub first: Date,
    /// The last day.
    pub last: Date,
}

impl Dates {
    /// The days, oldest first.
    pub fn days(self) -> impl Iterator<Item = Date> {
        self.first.series(Span::new().days(1)).take_while(move |day| *day <= self.last)
    }

    /// The days that both have.
    #[must_use]
    pub(crate) fn and(self, first: Date, last: Date) -> Self {
        Self { first: self.first.max(first), last: self.last.min(last) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_written_with_milliseconds_and_offset() {
        let at: jiff::Timestamp = "2026-05-11T20:00:03.004Z".parse().unwrap();
        assert_eq!(Iso(Millis::from(at)).to_string(), "2026-05-12T05:00:03.004+09:00");
        assert_eq!(Iso(instant(date(2026, 4, 9), 5 * 60 + 30)).to_string(), "2026-04-09T05:30:00.000+09:00");
        assert_eq!(Iso(instant(date(2026, 4, 9), -30)).to_string(), "2026-04-08T23:30:00.000+09:00");
    }

    #[test]
    fn instants_come_in_many_forms() {
        let midnight = Some(instant(date(2026, 4, 9), 0));
        for same in ["2026-04-09T00:00:00+09:00", "2026-04-08T15:00:00.000Z", "2026-04-09T00:00", "2026-04-09"] {
            assert_eq!(parse_instant(same), midnight, "{same}");
        }
        // A plus sign that was not escaped arrives as a blank.
        for bad in ["2026-04-09T00:00:00 09:00", "yesterday", "", "2026-02-30"] {
            assert_eq!(parse_instant(bad), None, "{bad}");
        }
    }

    #[test]
    fn dates_and_months_are_exact_and_exist() {
        assert!(parse_date("2024-02-29").is_some() && parse_month("2026-04").is_some());
        for bad in ["2023-02-29", "2026-4-01", "2026/04/01", "20260401", "２０２６-04-01", "2026-04-01-", ""] {
            assert!(parse_date(bad).is_none(), "{bad}");
        }
        for bad in ["2026-13", "2026-4", "202604", "2026-04-01", ""] {
            assert!(parse_month(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn three_months_end_on_a_day_that_exists() {
        for (from, to) in [
            ("2025-11-30T12:00:00.500+09:00", "2026-02-28T12:00:00.500+09:00"),
            ("2026-04-01T00:00:00.000+09:00", "2026-07-01T00:00:00.000+09:00"),
        ] {
            let from = parse_instant(from).unwrap();
            assert_eq!(Iso(months_after(from, 3)).to_string(), to);
        }
    }
}
