//! Windows and manual runs of HRMOS勤怠: what is read when, and that the book holds what the source holds.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use renkei_attendance::reading::hrmos::Row;
use renkei_events::codes::Code;
use renkei_sandbox::hrmos::{Between, CompanySpec, Day, EmptyDays, IpTarget, PastEnd, User, at as clock};
use renkei_simulation::attendance::{Attendance, at};
use renkei_store::attendance::book::GONE;
use renkei_store::links::AttendanceSource;
use renkei_store::runs::{RunKind, RunState};

use crate::company::{HOUR, MINUTE, SECOND};

/// The world begins on this day at 09:00.
const TODAY: Date = date(2026, 4, 1);
const FIRST: Date = date(2026, 2, 21);

async fn sample(people: usize) -> Attendance {
    Attendance::sample(people, date(2026, 1, 1), date(2026, 4, 30)).await
}

/// The calls to daily rows, by date.
async fn pages(attendance: &Attendance) -> BTreeMap<String, usize> {
    let calls =
        attendance.company("h1", |company| company.log().calls().map(|call| call.path.clone()).collect::<Vec<_>>());
    let mut pages = BTreeMap::new();
    for path in calls.await {
        if let Some((_, day)) = path.split_once("/work_outputs/daily/") {
            *pages.entry(day.to_owned()).or_insert(0) += 1;
        }
    }
    pages
}

async fn calls(attendance: &Attendance) -> usize {
    attendance.company("h1", |company| company.log().calls().len()).await
}

#[tokio::test]
async fn i10_the_first_window_reads_forty_days_and_nothing_is_ever_written_at_the_source() {
    let mut attendance = sample(120).await;
    attendance.run_to(date(2026, 4, 2), 4, 59).await;
    assert_eq!(calls(&attendance).await, 0, "nothing before 05:00");
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.kind, run.state, run.executor.as_str()), (RunKind::Window, RunState::Ok, "system"));
    assert_eq!(run.days, Some((FIRST.to_string(), TODAY.to_string())));
    let pages = pages(&attendance).await;
    assert_eq!(pages.len(), 40);
    assert!(pages.values().all(|pages| *pages == 2), "120 people are two pages: {pages:?}");
    assert_eq!(calls(&attendance).await, 40 * 2 + 3, "token, work types, token given back");
    let (writes, spacing, most) = attendance
        .company("h1", |company| {
            let stats = company.stats();
            (stats.writes, stats.least_spacing_ms, stats.peak_per_minute)
        })
        .await;
    assert_eq!(writes, 0, "the source is only read");
    assert!(spacing.is_some_and(|spacing| spacing >= 1_100) && most <= 60, "{spacing:?} {most}");
}

#[tokio::test]
async fn the_book_holds_every_day_of_everybody_with_a_number_of_their_own() {
    let mut attendance = sample(120).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    for day in [FIRST, date(2026, 3, 10), TODAY] {
        let mut expected: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        let users = attendance.company("h1", |company| company.users().to_vec()).await;
        for user in &users {
            let there = user.start_date <= day && user.end_date.is_none_or(|end| day <= end);
            if let (true, Some(number)) = (there, user.number.as_ref().map(|text| text.trim().to_owned())) {
                expected.entry(number).or_default().push(user.id);
            }
        }
        expected.retain(|code, people| !code.is_empty() && people.len() == 1);
        let book = attendance.book("l1", day).await;
        assert_eq!(
            book.iter().map(|day| day.told.code.clone()).collect::<Vec<_>>(),
            expected.keys().cloned().collect::<Vec<_>>(),
            "{day}"
        );
        for entry in &book {
            let row: Row = serde_json::from_slice(&entry.told.value).unwrap();
            let id = expected[&entry.told.code][0];
            let truth = attendance.company("h1", |company| company.day(id, day)).await;
            let start = truth.as_ref().and_then(|day| day.start);
            assert_eq!(row.start_at.is_some(), start.is_some(), "{} {day}: {row:?} {truth:?}", entry.told.code);
        }
    }
    assert!(attendance.runs().await[0].counts["rows"] > 4_000);
}

/// A row that goes between two pages moves another one to the page that was read already.
#[tokio::test]
async fn a_date_whose_pages_move_is_read_again() {
    for past_end in [PastEnd::NotFound, PastEnd::Empty] {
        for people in [101, 150] {
            let mut attendance = sample(people).await;
            attendance.run_to(date(2026, 4, 2), 4, 59).await;
            attendance
                .company("h1", |company| {
                    company.set(|settings| settings.past_end = past_end);
                    company.fault(|faults| faults.between_pages = Some(Between::RowWent));
                })
                .await;
            attendance.run_to(date(2026, 4, 2), 7, 0).await;
            assert_eq!(attendance.runs().await[0].state, RunState::Ok, "{people}: {past_end:?}");
            let pages = pages(&attendance).await;
            let again: Vec<_> = pages.iter().filter(|(_, pages)| **pages != 2).collect();
            assert_eq!(again.len(), 1, "{people}, {past_end:?}: {again:?}");
            // Everybody of that date is in the book, as on the days beside it.
            let counts = [FIRST, FIRST.tomorrow().unwrap()].map(|day| attendance.book("l1", day));
            let [moved, whole] = counts;
            assert_eq!(moved.await.len(), whole.await.len(), "{people}, {past_end:?}");
        }
    }
}

#[tokio::test]
async fn the_next_window_asks_for_changes_only_and_a_new_date_whole() {
    let mut attendance = sample(120).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    attendance.company("h1", |company| company.log_mut().clear()).await;
    // Somebody corrects a day of three weeks ago at noon.
    attendance.run_to(date(2026, 4, 2), 12, 0).await;
    let (now, day) = (attendance.world.now(), date(2026, 3, 12));
    let user = attendance.company("h1", |company| company.users()[3].id).await;
    attendance.company("h1", |company| company.set_day(now, user, day, Day::work(clock(7, 7), clock(16, 16)))).await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let asked = attendance.company("h1", |company| {
        let daily = company.log().calls().filter(|call| call.path.contains("/daily/"));
        daily
            .map(|call| (call.path.rsplit('/').next().unwrap().to_owned(), call.query.contains("from=")))
            .collect::<Vec<_>>()
    });
    for (day, with_from) in asked.await {
        assert_eq!(with_from, day != "2026-04-02", "{day}: only what was read before is asked for by its changes");
    }
    let runs = attendance.runs().await;
    assert_eq!((runs.len(), runs[1].state), (2, RunState::Ok));
    assert!(runs[1].counts["changed"] < 300, "{:?}", runs[1].counts);
    let corrected = attendance.book("l1", day).await;
    let row = corrected.iter().find(|entry| entry.told.person == format!("h1/{user}")).unwrap();
    assert!(String::from_utf8_lossy(&row.told.value).contains("07:07"));
    // Sunday reads everything again.
    attendance.run_to(date(2026, 4, 4), 12, 0).await;
    attendance.company("h1", |company| company.log_mut().clear()).await;
    attendance.run_to(date(2026, 4, 5), 6, 0).await;
    assert!(pages(&attendance).await.values().all(|pages| *pages == 2));
}

#[tokio::test]
async fn missed_at_five_it_runs_once_at_ten_past_seven() {
    let mut attendance = sample(30).await;
    // Nobody works for three days.
    attendance.world.run_until(at(date(2026, 4, 4), 7, 10)).await;
    attendance.run_to(date(2026, 4, 4), 9, 0).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!(run.days.unwrap().1, "2026-04-03");
    attendance.run_to(date(2026, 4, 5), 4, 59).await;
    assert_eq!(attendance.runs().await.len(), 1);
    attendance.run_to(date(2026, 4, 5), 6, 0).await;
    assert_eq!(attendance.runs().await.len(), 2);
}

#[tokio::test]
async fn killed_at_date_17_it_goes_on_there() {
    let mut attendance = sample(120).await;
    attendance.run_to(date(2026, 4, 2), 5, 0).await;
    while pages(&attendance).await.len() < 17 {
        attendance.run_for(SECOND).await;
    }
    attendance.processes.clear();
    attendance.world.run_for(MINUTE * 2).await;
    attendance.start("s2");
    attendance.run_for(HOUR).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!(run.state, RunState::Ok);
    let pages = pages(&attendance).await;
    let repeated: Vec<_> = pages.iter().filter(|(_, pages)| **pages > 2).collect();
    assert_eq!(pages.len(), 40);
    assert!(repeated.len() <= 1, "one date is read again, and no other: {repeated:?}");
    let all: usize = {
        let mut days = 0;
        let mut day = FIRST;
        while day <= TODAY {
            days += attendance.book("l1", day).await.len();
            day = day.tomorrow().unwrap();
        }
        days
    };
    assert_eq!(i64::try_from(all).unwrap(), run.counts["changed"], "nothing is missing and nothing twice");
}

#[tokio::test]
async fn a_wall_clock_that_is_set_back_an_hour_runs_nothing_twice() {
    let mut attendance = sample(30).await;
    attendance.run_to(date(2026, 4, 2), 5, 30).await;
    attendance.world.workers[0].clock.jump(-3_600_000);
    attendance.run_to(date(2026, 4, 2), 7, 30).await;
    assert_eq!(attendance.runs().await.len(), 1);
}

#[tokio::test]
async fn a_window_that_is_still_running_at_the_next_five_gives_way() {
    let mut attendance = sample(30).await;
    attendance.run_to(date(2026, 4, 2), 5, 0).await;
    while pages(&attendance).await.len() < 5 {
        attendance.run_for(SECOND).await;
    }
    // Nobody works for almost a day.
    attendance.world.run_until(at(date(2026, 4, 3), 5, 1)).await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let [overtaken, next] = attendance.runs().await.try_into().unwrap();
    assert_eq!(overtaken.state, RunState::Failed);
    assert_eq!(overtaken.code.as_deref(), Some(Code::AttendanceWindowOvertaken.as_str()));
    assert!((5..=7).contains(&overtaken.counts["first_day_not_read"]), "{:?}", overtaken.counts);
    assert_eq!((next.state, next.days.unwrap().1.as_str()), (RunState::Ok, "2026-04-02"));
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_does_not_fails_at_once_and_says_what_to_do() {
    type Order = fn(&mut renkei_sandbox::hrmos::Company);
    let table: [(&str, Order, Option<Code>); 10] = [
        ("three 503", |company| company.fault(|faults| faults.server_errors = 3), None),
        ("resets", |company| company.fault(|faults| faults.resets = 2), None),
        ("429 without a body", |company| company.fault(|faults| faults.too_many = 4), None),
        ("a token that ends", |company| company.fault(|faults| (faults.after, faults.unauthorized) = (9, 1)), None),
        ("cut off", |company| company.fault(|faults| (faults.after, faults.cut_bodies) = (9, 1)), None),
        ("no totals", |company| company.fault(|faults| faults.without_totals = 30), None),
        (
            "another key",
            |company| company.regenerate_key(renkei_runtime::clock::Millis(0), "b3RoZXI="),
            Some(Code::AttendanceKeyRefused),
        ),
        // What a wrong key and one that has ended answer is the same; the page of the code names both.
        (
            "an ended key",
            |company| {
                let key = company.key().to_owned();
                company.set(|settings| settings.regenerate_revokes_old = true);
                company.regenerate_key(at(date(2025, 12, 31), 9, 0), &key);
            },
            Some(Code::AttendanceKeyRefused),
        ),
        ("IP", |company| company.restrict_ip(IpTarget::Whole, &[]), Some(Code::AttendanceIpBlocked)),
        (
            "IP, as a page",
            |company| {
                company.restrict_ip(IpTarget::Whole, &[]);
                company.set(|settings| settings.ip_html = true);
            },
            Some(Code::AttendanceIpBlocked),
        ),
    ];
    for (name, order, code) in table {
        let mut attendance = sample(30).await;
        attendance.run_to(date(2026, 4, 2), 4, 59).await;
        attendance.company("h1", order).await;
        attendance.run_to(date(2026, 4, 2), 7, 0).await;
        let [run] = attendance.runs().await.try_into().unwrap();
        let expected = code.map_or(RunState::Ok, |_| RunState::Failed);
        assert_eq!((run.state, run.code.as_deref()), (expected, code.map(Code::as_str)), "{name}");
        let link = attendance.the_link("l1").await;
        assert_eq!(link.trouble.map(|(code, _)| code), code.map(|code| code.as_str().to_owned()), "{name}");
        assert!(link.auto, "{name}: 自動同期 stays on");
        if code == Some(Code::AttendanceKeyRefused) {
            assert!(calls(&attendance).await <= 2, "{name}: a refused key is not tried again and again");
        }
    }
}

#[tokio::test]
async fn a_source_that_never_answers_is_given_up_at_noon() {
    let mut attendance = sample(30).await;
    let until = at(date(2026, 4, 3), 0, 0);
    attendance.company("h1", |company| company.fault(|faults| faults.unavailable_until = Some(until))).await;
    attendance.run_to(date(2026, 4, 2), 11, 50).await;
    assert_eq!(attendance.runs().await[0].state, RunState::Running);
    attendance.run_to(date(2026, 4, 2), 12, 30).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.code.as_deref()), (RunState::Failed, Some(Code::AttendanceSourceUnavailable.as_str())));
    assert!(calls(&attendance).await < 120, "{}", calls(&attendance).await);
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert_eq!(attendance.runs().await[1].state, RunState::Ok);
}

#[tokio::test]
async fn runs_of_a_company_come_one_after_the_other_windows_in_the_order_of_their_links() {
    let mut attendance = sample(120).await;
    attendance.world.run_for(SECOND).await;
    let spec = renkei_sandbox::hrmos::sample::company("h2", 20, date(2026, 1, 1), date(2026, 4, 30), 12);
    attendance.hrmos.lock().await.add(spec).unwrap();
    attendance.link("a-later-link", "h2", AttendanceSource::Hrmos).await;
    attendance.run_to(date(2026, 4, 2), 4, 59).await;
    attendance.manual("l1", date(2026, 1, 5), date(2026, 1, 14)).await;
    attendance.run_to(date(2026, 4, 2), 7, 0).await;
    let mut runs = attendance.runs().await;
    runs.sort_by_key(|run| run.started);
    let order: Vec<_> = runs.iter().map(|run| (run.subject.as_str(), run.kind, run.executor.as_str())).collect();
    assert_eq!(
        order,
        [
            ("l1", RunKind::Manual, "token:1"),
            ("l1", RunKind::Window, "system"),
            ("a-later-link", RunKind::Window, "system")
        ]
    );
    assert!(runs.windows(2).all(|pair| pair[0].ended.unwrap() <= pair[1].started), "{runs:?}");
    assert!(runs.iter().all(|run| run.state == RunState::Ok), "{runs:?}");
}

#[tokio::test]
async fn a_corrected_number_moves_the_days_of_that_person() {
    let spec = CompanySpec::new("h1", at(date(2026, 3, 1), 9, 0))
        .user(User::new(1, Some("P0001"), "見本", "花子").joined(date(2020, 4, 1)))
        .user(User::new(2, Some("P0002"), "見本", "太郎").joined(date(2020, 4, 1)))
        .day(1, date(2026, 3, 30), Day::work(clock(9, 0), clock(18, 0)))
        .day(1, date(2026, 3, 31), Day::work(clock(9, 0), clock(18, 0)));
    let spec = CompanySpec { key: renkei_sandbox::hrmos::ApiKey(renkei_sandbox::hrmos::sample::key("h1")), ..spec };
    let mut attendance = Attendance::with(spec).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let now = attendance.world.now();
    attendance.company("h1", |company| company.change_number(now, 1, Some(" P0009 "))).await;
    attendance.run_to(date(2026, 4, 2), 12, 0).await;
    let now = attendance.world.now();
    attendance
        .company("h1", |company| company.set_day(now, 1, date(2026, 4, 1), Day::work(clock(8, 0), clock(17, 0))))
        .await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    for day in [date(2026, 3, 30), date(2026, 3, 31), date(2026, 4, 1)] {
        let codes: Vec<_> = attendance.book("l1", day).await.into_iter().map(|entry| entry.told.code).collect();
        assert_eq!(codes, ["P0002", "P0009"], "{day}");
    }
}

#[tokio::test]
async fn without_anybody_who_keeps_the_book_a_run_says_so() {
    let mut attendance = sample(30).await;
    attendance.close_the_book();
    attendance.run_to(date(2026, 4, 2), 7, 0).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.code.as_deref()), (RunState::Failed, Some(Code::AttendanceBookBehind.as_str())));
    attendance.keep_the_book();
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert_eq!(attendance.runs().await[1].state, RunState::Ok);
    assert!(attendance.book("l1", TODAY).await.len() > 20, "what was on the log is not lost");
}

/// A source that has no row of a day without entries: a day that was taken away is empty when it is read whole.
#[tokio::test]
async fn a_row_that_is_gone_empties_its_day_and_the_person_s_code_is_free() {
    let mut attendance = sample(30).await;
    attendance.company("h1", |company| company.set(|settings| settings.empty_days = EmptyDays::Missing)).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let day = date(2026, 3, 12);
    let user = attendance.company("h1", |company| company.users()[3].clone()).await;
    let code = user.number.clone().unwrap();
    let of = |book: Vec<renkei_store::attendance::book::BookDay>| book.into_iter().find(|day| day.told.code == code);
    let now = attendance.world.now();
    let work = Day::work(clock(9, 0), clock(18, 0));
    attendance.company("h1", |company| company.set_day(now, user.id, day, work)).await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    assert!(of(attendance.book("l1", day).await).unwrap().told.value.len() > 60);
    attendance.company("h1", |company| company.remove_day(user.id, day)).await;
    // A window that asks for changes is not told; that of Sunday reads everything.
    attendance.run_to(date(2026, 4, 5), 6, 0).await;
    let gone = of(attendance.book("l1", day).await).unwrap();
    let row: Row = serde_json::from_slice(&gone.told.value).unwrap();
    assert_eq!((row, gone.told.person.as_str()), (Row::default(), GONE));
    let changed = attendance.runs().await.pop().unwrap().counts["changed"];
    attendance.run_to(date(2026, 4, 12), 6, 0).await;
    let again = attendance.runs().await.pop().unwrap().counts["changed"];
    assert!(changed > 0 && again < changed + 40, "it is told once: {changed}, {again}");
    // Entered again, it is the person's day again.
    let now = attendance.world.now();
    let work = Day::work(clock(10, 0), clock(19, 0));
    attendance.company("h1", |company| company.set_day(now, user.id, day, work)).await;
    attendance.run_to(date(2026, 4, 13), 6, 0).await;
    assert_eq!(of(attendance.book("l1", day).await).unwrap().told.person, format!("h1/{}", user.id));
}

/// A date of which not everybody's row was read says nothing of who has none.
#[tokio::test]
async fn a_date_that_does_not_count_its_rows_empties_nobodys_day() {
    let mut attendance = sample(30).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    attendance
        .company("h1", |company| {
            company.set(|settings| settings.empty_days = EmptyDays::Missing);
            company.fault(|faults| faults.without_totals = 200);
        })
        .await;
    attendance.run_to(date(2026, 4, 5), 6, 0).await;
    for day in [FIRST, date(2026, 3, 10), TODAY] {
        let book = attendance.book("l1", day).await;
        assert!(book.len() > 20 && book.iter().all(|day| day.told.person != GONE), "{day}");
    }
}

/// A source that has forgotten everybody for once takes nobody's day away.
#[tokio::test]
async fn a_source_that_shows_nobody_at_all_empties_nobodys_day() {
    let mut attendance = sample(30).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let users = attendance.company("h1", |company| company.users().to_vec()).await;
    let nobody = date(2026, 1, 31);
    let now = attendance.world.now();
    for user in users {
        let leave = |user: &mut User| (user.start_date, user.end_date) = (date(2020, 4, 1), Some(nobody));
        attendance.company("h1", |company| company.edit_user(now, user.id, leave)).await;
    }
    attendance.run_to(date(2026, 4, 5), 6, 0).await;
    let book = attendance.book("l1", date(2026, 3, 10)).await;
    assert!(book.len() > 20 && book.iter().all(|day| day.told.person != GONE));
}

/// The first answer of a window that could begin only at 13:00 is a 503: it has as long as one that begins at 05:00.
#[tokio::test]
async fn a_window_that_begins_after_noon_waits_seven_hours() {
    let mut attendance = sample(30).await;
    attendance.world.run_until(at(date(2026, 4, 2), 13, 0)).await;
    let until = at(date(2026, 4, 3), 2, 0);
    attendance.company("h1", |company| company.fault(|faults| faults.unavailable_until = Some(until))).await;
    attendance.run_to(date(2026, 4, 2), 19, 50).await;
    assert_eq!(attendance.runs().await[0].state, RunState::Running);
    attendance.run_to(date(2026, 4, 2), 20, 10).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.code.as_deref()), (RunState::Failed, Some(Code::AttendanceSourceUnavailable.as_str())));
}
