//! Japanese time: dates and the `YYYY-MM-DD HH:MM:SS` form of the API.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use renkei_runtime::clock::Millis;

/// Japan has no summer time, so a fixed offset is exact.
fn zoned(at: Millis) -> jiff::Zoned {
    at.timestamp().to_zoned(TimeZone::fixed(Offset::constant(9)))
}

/// The calendar day at `at`.
pub(crate) fn date(at: Millis) -> Date {
    zoned(at).date()
}

/// The hour of the day at `at`.
pub(crate) fn hour(at: Millis) -> i8 {
    zoned(at).hour()
}

/// `YYYY-MM-DD HH:MM:SS`.
pub(crate) fn stamp(at: Millis) -> String {
    zoned(at).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A date in exactly the form `YYYY-MM-DD` that exists in the calendar.
pub(crate) fn parse_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(i, byte)| if i == 4 || i == 7 { *byte == b'-' } else { byte.is_ascii_digit() });
    if !shaped {
        return None;
    }
    let (year, month, day) = (text[..4].parse().ok()?, text[5..7].parse().ok()?, text[8..].parse().ok()?);
    Date::new(year, month, day).ok()
}

/// A month in exactly the form `YYYY-MM`.
pub(crate) fn is_year_month(text: &str) -> bool {
    text.len() == 7 && text.is_ascii() && parse_date(&format!("{text}-01")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_exact_and_exist() {
        for good in ["2024-02-29", "1998-11-03"] {
            assert!(parse_date(good).is_some(), "{good}");
        }
        for bad in ["2023-02-29", "2026-4-01", "2026/04/01", "２０２６-04-01", "2026-04-01 ", "", "+026-04-01"] {
            assert!(parse_date(bad).is_none(), "{bad}");
        }
        assert!(is_year_month("2026-04") && !is_year_month("2026-13") && !is_year_month("2026-4"));
    }

    #[test]
    fn the_day_is_japanese() {
        let late_utc: jiff::Timestamp = "2026-03-31T15:00:00Z".parse().unwrap();
        assert_eq!(stamp(Millis::from(late_utc)), "2026-04-01 00:00:00");
    }
}
