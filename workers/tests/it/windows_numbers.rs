//! Numbers that go from one person of HRMOS勤怠 to another.

use jiff::civil::date;
use renkei_sandbox::hrmos::{ApiKey, CompanySpec, Day, EmptyDays, User, at as clock, sample};
use renkei_simulation::attendance::{Attendance, at};
use renkei_store::attendance::book::GONE;
use renkei_store::runs::RunState;

/// The first one's only day is taken away, and the number given to the second one, of whom only another date is read then.
#[tokio::test]
async fn a_number_that_goes_to_somebody_else_takes_a_day_that_is_gone_along() {
    let (gone, corrected) = (date(2026, 3, 10), date(2026, 3, 20));
    let work = |start: i16| Day::work(clock(start, 0), clock(18, 0));
    let spec = CompanySpec::new("h1", at(date(2026, 3, 1), 9, 0))
        .user(User::new(1, Some("P0001"), "見本", "花子").joined(date(2020, 4, 1)))
        .user(User::new(2, Some("P0002"), "見本", "太郎").joined(date(2020, 4, 1)))
        .day(1, gone, work(9))
        .day(2, gone, work(10))
        .day(2, corrected, work(10));
    let mut attendance = Attendance::with(CompanySpec { key: ApiKey(sample::key("h1")), ..spec }).await;
    attendance.company("h1", |company| company.set(|settings| settings.empty_days = EmptyDays::Missing)).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    attendance.company("h1", |company| company.remove_day(1, gone)).await;
    // That of Sunday reads everything.
    attendance.run_to(date(2026, 4, 5), 6, 0).await;
    let people = async |attendance: &Attendance| -> Vec<(String, String)> {
        let book = attendance.book("l1", gone).await;
        book.into_iter().map(|day| (day.told.code, day.told.person)).collect()
    };
    let pair = |code: &str, person: &str| (code.to_owned(), person.to_owned());
    assert_eq!(people(&attendance).await, [pair("P0001", GONE), pair("P0002", "h1/2")]);
    let now = attendance.world.now();
    attendance
        .company("h1", |company| {
            company.set(|settings| settings.number_touches_rows = false);
            company.change_number(now, 1, Some("P0009"));
            company.change_number(now, 2, Some("P0001"));
            company.set_day(now, 2, corrected, work(11));
        })
        .await;
    attendance.run_to(date(2026, 4, 6), 6, 0).await;
    assert_eq!(people(&attendance).await, [pair("P0001", "h1/2")]);
    let runs = attendance.runs().await;
    assert!(runs.iter().all(|run| run.state == RunState::Ok), "{runs:?}");
}
