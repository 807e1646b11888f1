//! Days and times as people and spreadsheets write them.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{Offset, TimeZone};

use crate::parse::rfc3339;

/// Asia/Tokyo, which has no summer time.
const TOKYO: Offset = jiff::tz::offset(9);

/// A day: `2026-04-01`, `2026/04/01`, `2026/4/1`. The year has four digits.
pub(super) fn day(text: &str) -> Option<Date> {
    let mark = if text.contains('/') { '/' } else { '-' };
    let mut parts = text.split(mark);
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let year = i16::try_from(number(year, 4)?).ok()?;
    Date::new(year, number(month, 2)?.try_into().ok()?, number(day, 2)?.try_into().ok()?).ok()
}

/// A time: RFC 3339 with offset, or a day and a time of Asia/Tokyo such as `2026/04/01 9:30` or `2026-04-01 09:30:00`.
pub(super) fn time(text: &str) -> Option<Timestamp> {
    if let Some(exact) = rfc3339(text) {
        return Some(exact);
    }
    let (date, clock) = text.split_once([' ', 'T'])?;
    let mut parts = clock.split(':');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next());
    if parts.next().is_some() || minute.len() != 2 || second.is_some_and(|second| second.len() != 2) {
        return None;
    }
    let second = second.map_or(Some(0), |second| number(second, 2))?;
    let time =
        Time::new(number(hour, 2)?.try_into().ok()?, number(minute, 2)?.try_into().ok()?, second.try_into().ok()?, 0);
    let zoned = day(date)?.to_datetime(time.ok()?).to_zoned(TimeZone::fixed(TOKYO)).ok()?;
    Some(zoned.timestamp())
}

/// A number of one to `longest` digits.
fn number(text: &str, longest: usize) -> Option<u16> {
    let sound = (1..=longest).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if sound { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read_with_slashes_and_hyphens_and_a_year_of_four_digits() {
        let first = Date::constant(2026, 4, 1);
        for text in ["2026-04-01", "2026/04/01", "2026/4/1", "2026-4-1", "2026/4/01"] {
            assert_eq!(day(text), Some(first), "{text}");
        }
        for text in [
            "",
            "2026",
            "2026/04",
            "26/4/1",
            "2026/04-01",
            "2026/13/01",
            "2026/02/30",
            "2026/004/1",
            "2026/4/1 ",
            "４/1/2026",
            "2026//1",
            "/4/1",
            "2026/4/1/1",
            "2026.4.1",
            "R8.4.1",
            "46113",
            "20260401",
            "+026/4/1",
            "2026/+4/1",
        ] {
            assert_eq!(day(text), None, "{text}");
        }
    }

    #[test]
    fn times_without_an_offset_are_of_tokyo() {
        let nine: Timestamp = "2026-04-01T00:30:00Z".parse().unwrap_or_default();
        for text in [
            "2026-04-01T09:30:00+09:00",
            "2026-04-01T00:30:00Z",
            "2026/04/01 09:30",
            "2026/4/1 9:30",
            "2026-04-01 09:30:00",
            "2026-04-01T09:30:00",
        ] {
            assert_eq!(time(text), Some(nine), "{text}");
        }
        for text in
            ["2026/04/01", "09:30", "2026/04/01 24:00", "2026/04/01 9:3", "2026/04/01 9", "2026/04/01  9:30", ""]
        {
            assert_eq!(time(text), None, "{text}");
        }
    }
}
