//! Since when a window asks HRMOS勤怠 for changes: 05:00 of the day of the last complete window, less a day.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use renkei_sandbox::hrmos::IpTarget;
use renkei_simulation::attendance::{Attendance, at};
use renkei_store::runs::RunState;

async fn sample() -> Attendance {
    Attendance::sample(30, date(2026, 1, 1), date(2026, 4, 30)).await
}

/// The window of a day; answers what each date was asked for with: `from`, or nothing where every row was asked for.
async fn window(attendance: &mut Attendance, day: Date) -> BTreeMap<Date, Option<String>> {
    attendance.company("h1", |company| company.log_mut().clear()).await;
    attendance.run_to(day, 8, 0).await;
    attendance
        .company("h1", |company| {
            let mut asked = BTreeMap::new();
            for call in company.log().calls() {
                let Some((_, day)) = call.path.split_once("/work_outputs/daily/") else { continue };
                let day: Date = day.parse().unwrap();
                let from = call.query.split('&').find_map(|part| part.strip_prefix("from="));
                let before = asked.insert(day, from.map(|text| text.replace("%3A", ":")));
                assert_eq!(before, None, "{day}: thirty people are one page");
            }
            asked
        })
        .await
}

/// Forty dates up to the day before, those up to `known` with `since`.
fn expected(due: Date, known: Option<(Date, &str)>) -> BTreeMap<Date, Option<String>> {
    let mut dates = BTreeMap::new();
    let mut date = due;
    for _ in 0..40 {
        date = date.yesterday().unwrap();
        let since = known.filter(|(known, _)| date <= *known).map(|(_, since)| since.to_owned());
        dates.insert(date, since);
    }
    dates
}

#[tokio::test]
async fn changes_are_asked_for_since_a_day_before_the_last_complete_window_was_due() {
    let mut attendance = sample().await;
    // 05:00 in Tokyo is 20:00 of the day before at Greenwich. 5 April is a Sunday.
    for (day, known) in [
        (date(2026, 4, 2), None),
        (date(2026, 4, 3), Some((date(2026, 4, 1), "2026-03-31T20:00:00Z"))),
        (date(2026, 4, 4), Some((date(2026, 4, 2), "2026-04-01T20:00:00Z"))),
        (date(2026, 4, 5), None),
        (date(2026, 4, 6), Some((date(2026, 4, 4), "2026-04-03T20:00:00Z"))),
    ] {
        assert_eq!(window(&mut attendance, day).await, expected(day, known), "{day}");
    }
}

/// Nobody works on 2 April until ten past seven, and on 3 April at all: what was changed meanwhile is asked for.
#[tokio::test]
async fn a_window_that_began_late_or_not_at_all_moves_nothing() {
    let mut attendance = sample().await;
    attendance.world.run_until(at(date(2026, 4, 2), 7, 10)).await;
    let first = date(2026, 4, 2);
    assert_eq!(window(&mut attendance, first).await, expected(first, None));
    attendance.world.run_until(at(date(2026, 4, 4), 7, 10)).await;
    let next = date(2026, 4, 4);
    let known = Some((date(2026, 4, 1), "2026-03-31T20:00:00Z"));
    assert_eq!(window(&mut attendance, next).await, expected(next, known));
}

/// A window that failed is none: the next one asks for everything, and the one after it since that one.
#[tokio::test]
async fn after_a_window_that_failed_everything_is_asked_for() {
    let mut attendance = sample().await;
    attendance.run_to(date(2026, 4, 6), 6, 0).await;
    attendance.company("h1", |company| company.restrict_ip(IpTarget::Whole, &[])).await;
    attendance.run_to(date(2026, 4, 7), 6, 0).await;
    assert_eq!(attendance.runs().await.pop().unwrap().state, RunState::Failed);
    attendance.company("h1", |company| company.restrict_ip(IpTarget::Off, &[])).await;
    for (day, known) in [(date(2026, 4, 8), None), (date(2026, 4, 9), Some((date(2026, 4, 7), "2026-04-06T20:00:00Z")))]
    {
        assert_eq!(window(&mut attendance, day).await, expected(day, known), "{day}");
    }
}
