//! Times on the calendar of Asia/Tokyo: quarter hours, and the hour of the day's window.

use std::time::Duration;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use renkei_runtime::clock::Millis;

/// A quarter of an hour.
pub const QUARTER: Duration = Duration::from_secs(15 * 60);
/// Starts of one slot are spread over at most this long, when there are very many.
const SPREAD: Duration = Duration::from_secs(50);
/// So much of the spread each connection adds.
const SPREAD_EACH: Duration = Duration::from_millis(20);

/// The time zone of the companies.
#[must_use]
pub fn tokyo() -> TimeZone {
    // Without daylight saving since 1951, so a fixed offset says the same as the name, and can not be missing.
    TimeZone::fixed(jiff::tz::offset(9))
}

/// The quarter hour that `now` is in: :00, :15, :30 or :45. Tokyo is whole hours from UTC.
#[must_use]
pub fn quarter(now: Millis) -> Millis {
    let length = i64::try_from(QUARTER.as_millis()).unwrap_or(1);
    Millis(now.0 - now.0.rem_euclid(length))
}

/// The quarter hour after `now`.
#[must_use]
pub fn next_quarter(now: Millis) -> Millis {
    quarter(now) + QUARTER
}

/// The date in Tokyo.
#[must_use]
pub fn today(now: Millis) -> Date {
    now.timestamp().to_zoned(tokyo()).date()
}

/// `at` on `day` in Tokyo.
#[must_use]
pub fn on(day: Date, at: Time) -> Millis {
    let zoned = day.to_datetime(at).to_zoned(tokyo());
    zoned.map_or(Millis::NEVER, |zoned| Millis::from(zoned.timestamp()))
}

/// The last time at or before `now` when it was `at` in Tokyo.
#[must_use]
pub fn last_daily(now: Millis, at: Time) -> Millis {
    let today = today(now);
    let here = on(today, at);
    if here <= now { here } else { today.yesterday().map_or(here, |day| on(day, at)) }
}

/// The first time after `now` when it is `at` in Tokyo.
#[must_use]
pub fn next_daily(now: Millis, at: Time) -> Millis {
    let today = today(now);
    let here = on(today, at);
    if here > now { here } else { today.tomorrow().map_or(Millis::NEVER, |day| on(day, at)) }
}

/// How long after its slot the work on `subject` begins, when there are `many` of its kind: always the same for the same
/// subject, so that nobody's quarter hour is shorter than another's.
#[must_use]
pub fn offset(subject: &str, many: i64) -> Duration {
    let many = u32::try_from(many.max(0)).unwrap_or(u32::MAX);
    let spread = SPREAD.min(SPREAD_EACH.saturating_mul(many));
    // FNV-1a: even enough, and the same in every version of this program.
    let hash = subject
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let length = u64::try_from(spread.as_millis()).unwrap_or(0).max(1);
    Duration::from_millis((hash >> 16) % length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Millis {
        Millis::from(text.parse::<jiff::Timestamp>().unwrap())
    }

    #[test]
    fn quarters_and_days_are_those_of_tokyo() {
        let five = Time::constant(5, 0, 0, 0);
        // now, its quarter, the last and the next 05:00.
        let table = [
            ("2026-04-01T04:59:59.999+09:00", "04:45:00", "2026-03-31", "2026-04-01"),
            ("2026-04-01T05:00:00+09:00", "05:00:00", "2026-04-01", "2026-04-02"),
            ("2026-04-01T05:00:00.001+09:00", "05:00:00", "2026-04-01", "2026-04-02"),
            ("2026-12-31T23:59:00+09:00", "23:45:00", "2026-12-31", "2027-01-01"),
            ("2028-02-29T00:14:59+09:00", "00:00:00", "2028-02-28", "2028-02-29"),
        ];
        for (now, quarter_of, last, next) in table {
            let day = &now[..10];
            assert_eq!(quarter(at(now)), at(&format!("{day}T{quarter_of}+09:00")), "{now}");
            assert_eq!(last_daily(at(now), five), at(&format!("{last}T05:00:00+09:00")), "{now}");
            assert_eq!(next_daily(at(now), five), at(&format!("{next}T05:00:00+09:00")), "{now}");
        }
    }

    #[test]
    fn ten_thousand_subjects_begin_evenly_within_a_minute_and_a_few_at_once() {
        let offsets: Vec<Duration> = (0..10_000).map(|n| offset(&format!("c{n}"), 10_000)).collect();
        assert!(offsets.iter().all(|offset| *offset < Duration::from_secs(60)));
        let seconds = |second: u64| offsets.iter().filter(|offset| offset.as_secs() == second).count();
        assert!((0..50).all(|second| (120..280).contains(&seconds(second))));
        assert!((0..5).all(|n| offset(&format!("c{n}"), 5) < Duration::from_millis(100)));
    }

    proptest! {
        #[test]
        fn a_slot_is_never_ahead_and_never_skipped(now in 0_i64..4_000_000_000_000) {
            let (now, five) = (Millis(now), Time::constant(5, 0, 0, 0));
            prop_assert!(quarter(now) <= now && now < next_quarter(now));
            prop_assert_eq!(next_quarter(quarter(now)), next_quarter(now));
            prop_assert!(last_daily(now, five) <= now && now < next_daily(now, five));
            prop_assert_eq!(next_daily(now, five).since(last_daily(now, five)), Duration::from_secs(24 * 3600));
        }
    }
}
