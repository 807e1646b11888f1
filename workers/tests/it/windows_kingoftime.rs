//! Windows and manual runs of KING OF TIME and 勤革時: slices, forbidden hours, and that the book holds what the source holds.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use renkei_attendance::reading::kingoftime::Row;
use renkei_events::codes::Code;
use renkei_sandbox::hrmos::at as clock;
use renkei_sandbox::kingoftime::{CompanySpec, Day, Employee, EmptyDays, sample};
use renkei_simulation::attendance::{Attendance, at};
use renkei_store::attendance::book::GONE;
use renkei_store::attendance::shared_codes;
use renkei_store::link_checks::{self, CheckState, NewLink, Wish};
use renkei_store::links::{self, AttendanceSource};
use renkei_store::runs::RunState;
use secrecy::SecretString;

use crate::company::{HOUR, MINUTE, SECOND};

/// The world begins on this day at 09:00.
const TODAY: Date = date(2026, 4, 1);
const FIRST: Date = date(2026, 2, 21);

async fn of(people: usize) -> Attendance {
    Attendance::with_kingoftime(sample::company("k1", people, date(2026, 1, 1), date(2026, 4, 30), 11)).await
}

/// Path and period of each call, and its status.
async fn calls(attendance: &Attendance) -> Vec<(String, String, u16)> {
    attendance
        .at_kingoftime("k1", |company| {
            company.log().calls().map(|call| (call.path.clone(), call.query.clone(), call.status)).collect()
        })
        .await
}

fn days(from: Date, to: Date) -> impl Iterator<Item = Date> {
    from.series(jiff::Span::new().days(1)).take_while(move |day| *day <= to)
}

#[tokio::test]
async fn i10_a_window_reads_people_and_two_lists_of_eight_slices_and_writes_nothing_at_the_source() {
    let mut attendance = of(120).await;
    attendance.run_to(date(2026, 4, 2), 4, 59).await;
    assert_eq!(calls(&attendance).await.len(), 0, "nothing before 05:00");
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.days), (RunState::Ok, Some((FIRST.to_string(), TODAY.to_string()))));
    let calls = calls(&attendance).await;
    assert_eq!(calls.len(), 1 + 8 * 2);
    assert!(calls[0].1.contains("includeResigner=true"), "{:?}", calls[0]);
    assert!(calls.iter().all(|(_, query, status)| *status == 200 && !query.contains("currentDateEmployee")));
    let periods: BTreeSet<&str> = calls[1..].iter().map(|(_, query, _)| query.as_str()).collect();
    assert_eq!(periods.len(), 8);
    assert!(periods.contains("start=2026-02-21&end=2026-02-25") && periods.contains("start=2026-03-28&end=2026-04-01"));
    let (writes, spacing) =
        attendance.at_kingoftime("k1", |company| (company.stats().writes, company.stats().least_spacing_ms)).await;
    assert_eq!(writes, 0, "the source is only read");
    assert!(spacing.is_some_and(|spacing| spacing >= 1_000), "{spacing:?}");
    assert_eq!(attendance.kingoftime.lock().await.strays().len(), 0);
}

#[tokio::test]
async fn the_book_holds_every_day_of_everybody_with_a_code_of_their_own() {
    let mut attendance = of(120).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let people = attendance.at_kingoftime("k1", |company| company.employees().to_vec()).await;
    for day in days(FIRST, TODAY) {
        let mut expected: BTreeMap<&str, Vec<&Employee>> = BTreeMap::new();
        for person in people.iter().filter(|person| person.works_on(day)) {
            if let Some(code) = person.code.as_deref() {
                expected.entry(code).or_default().push(person);
            }
        }
        expected.retain(|_, people| people.len() == 1);
        let book = attendance.book("l1", day).await;
        let codes: Vec<&str> = book.iter().map(|entry| entry.told.code.as_str()).collect();
        assert_eq!(codes, expected.keys().copied().collect::<Vec<_>>(), "{day}");
        for entry in &book {
            let person = expected[entry.told.code.as_str()][0];
            assert_eq!(entry.told.person, person.key);
            let row: Row = serde_json::from_slice(&entry.told.value).unwrap();
            let truth =
                attendance.at_kingoftime("k1", |company| company.day(&person.key, day)).await.unwrap_or_default();
            // At 05:00 the night of the day before is not over.
            assert!(day == TODAY || row.punches.len() == truth.punches.len(), "{} {day}", entry.told.code);
            assert_eq!(row.full_day, truth.full_day, "{} {day}", entry.told.code);
        }
    }
    let counts = &attendance.runs().await[0].counts;
    // Two people, however many days each has.
    assert!(counts["rows"] > 4_000 && counts["doubles"] == 1 && counts["without_code"] == 2, "{counts:?}");
}

#[tokio::test]
async fn who_has_left_keeps_the_days_before() {
    let gone = Employee::new(1, Some("P0001"), "見本", "花子").left(date(2026, 3, 20));
    let key = gone.key.clone();
    let work = || Day::work(clock(9, 0), clock(18, 0)).automatic(60);
    // Whoever came later has the code of the one who left.
    let mut heir = Employee::new(2, Some("P0001"), "見本", "太郎");
    heir.hired = date(2026, 3, 23);
    let spec = CompanySpec::new("k1")
        .day(&key, date(2026, 3, 19), work())
        .day(&heir.key, date(2026, 3, 24), work())
        .employee(gone)
        .employee(heir.clone());
    let mut attendance = Attendance::with_kingoftime(spec).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    for (day, person) in [(date(2026, 3, 19), &key), (date(2026, 3, 24), &heir.key)] {
        let book = attendance.book("l1", day).await;
        let found: Vec<_> = book.iter().map(|entry| (entry.told.code.as_str(), &entry.told.person)).collect();
        assert_eq!(found, [("P0001", person)], "{day}");
    }
}

#[tokio::test]
async fn killed_in_the_middle_of_a_slice_it_goes_on_with_that_slice() {
    let mut attendance = of(30).await;
    attendance.run_to(date(2026, 4, 2), 5, 0).await;
    while calls(&attendance).await.len() < 8 {
        attendance.run_for(SECOND).await;
    }
    // One of two lists of the fourth slice is read.
    attendance.processes.clear();
    attendance.world.run_for(MINUTE * 2).await;
    attendance.start("s2");
    attendance.run_for(HOUR).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!(run.state, RunState::Ok);
    let mut times: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (path, query, _) in calls(&attendance).await {
        *times.entry((path, query)).or_default() += 1;
    }
    let again: Vec<_> = times
        .iter()
        .filter(|(_, times)| **times > 1)
        .map(|((path, query), _)| (path.as_str(), query.as_str()))
        .collect();
    assert_eq!(times.len(), 17);
    assert_eq!(
        again,
        [
            ("/v1.0/daily-workings/timerecord", "start=2026-03-08&end=2026-03-12"),
            ("/v1.0/employees", "includeResigner=true&additionalFields=hiredDate,resignationDate")
        ],
        "who is there, and the list that was in memory"
    );
    let mut all = 0;
    for day in days(FIRST, TODAY) {
        all += attendance.book("l1", day).await.len();
    }
    assert_eq!(i64::try_from(all).unwrap(), run.counts["changed"], "nothing is missing and nothing twice");
}

#[tokio::test]
async fn forbidden_hours_are_waited_out_in_the_middle_of_a_window() {
    let mut attendance = of(30).await;
    // Nobody works until 08:28; the rest of the window falls into the forbidden hours.
    attendance.world.run_until(at(date(2026, 4, 2), 8, 28)).await;
    attendance.world.run_for(SECOND * 50).await;
    attendance.run_to(date(2026, 4, 2), 10, 0).await;
    let before = calls(&attendance).await.len();
    assert!((2..17).contains(&before), "{before} calls before 08:29");
    assert_eq!(attendance.runs().await[0].state, RunState::Running);
    attendance.run_to(date(2026, 4, 2), 10, 30).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!(run.state, RunState::Ok);
    let refused = calls(&attendance).await.iter().filter(|(_, _, status)| *status != 200).count();
    assert_eq!(refused, 0, "nobody knocked at a closed door");
}

#[tokio::test]
async fn a_run_by_hand_in_the_forbidden_hours_ends_at_once_and_says_when_it_may_be_tried_again() {
    let mut attendance = of(30).await;
    attendance.run_to(date(2026, 4, 1), 17, 45).await;
    attendance.manual("l1", date(2026, 3, 1), date(2026, 3, 10)).await;
    attendance.run_for(MINUTE).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.code.as_deref()), (RunState::Failed, Some(Code::AttendanceSourceClosed.as_str())));
    assert_eq!(run.counts["source_open_again_ms"], at(date(2026, 4, 1), 18, 31).0);
    assert_eq!((calls(&attendance).await.len(), attendance.the_link("l1").await.trouble), (0, None));
    attendance.run_to(date(2026, 4, 1), 18, 31).await;
    attendance.manual("l1", date(2026, 3, 1), date(2026, 3, 10)).await;
    attendance.run_for(MINUTE).await;
    assert_eq!(attendance.runs().await[1].state, RunState::Ok);
}

#[tokio::test]
async fn what_passes_is_waited_for_and_what_does_not_fails_at_once_and_says_what_to_do() {
    type Order = fn(&mut renkei_sandbox::kingoftime::Company);
    let table: [(&str, Order, Option<Code>); 11] = [
        ("three 500", |company| company.fault(|faults| faults.server_errors = 3), None),
        ("resets", |company| company.fault(|faults| (faults.after, faults.resets) = (3, 2)), None),
        ("too many", |company| company.fault(|faults| (faults.after, faults.too_many) = (2, 3)), None),
        ("cut off", |company| company.fault(|faults| (faults.after, faults.cut_bodies) = (2, 2)), None),
        (
            "an error that says 200",
            |company| company.fault(|faults| (faults.after, faults.errors_as_200) = (2, 1)),
            Some(Code::AttendanceSourceUnreadable),
        ),
        (
            "a page that says 200",
            |company| company.fault(|faults| (faults.after, faults.html_answers) = (1, 1)),
            Some(Code::AttendanceIpBlocked),
        ),
        ("a stopped token", |company| company.tokens_mut()[0].stopped = true, Some(Code::AttendanceKeyRefused)),
        ("no address", |company| company.tokens_mut()[0].networks.clear(), Some(Code::AttendanceKeyRefused)),
        (
            "no right to the punches",
            |company| {
                company.tokens_mut()[0].items.retain(|item| *item != renkei_sandbox::kingoftime::Item::TimeRecords)
            },
            Some(Code::AttendanceKeyRefused),
        ),
        (
            "IP, as a code",
            |company| {
                company.tokens_mut()[0].networks.clear();
                company.set(|settings| settings.ip_code = 105);
            },
            Some(Code::AttendanceIpBlocked),
        ),
        (
            "IP, as a page",
            |company| {
                company.tokens_mut()[0].networks.clear();
                company.set(|settings| settings.ip_html = true);
            },
            Some(Code::AttendanceIpBlocked),
        ),
    ];
    for (name, order, code) in table {
        let mut attendance = of(25).await;
        attendance.run_to(date(2026, 4, 2), 4, 59).await;
        attendance.at_kingoftime("k1", order).await;
        attendance.run_to(date(2026, 4, 2), 8, 0).await;
        let [run] = attendance.runs().await.try_into().unwrap();
        let expected = code.map_or(RunState::Ok, |_| RunState::Failed);
        assert_eq!((run.state, run.code.as_deref()), (expected, code.map(Code::as_str)), "{name}");
        let link = attendance.the_link("l1").await;
        assert_eq!(link.trouble.map(|(code, _)| code), code.map(|code| code.as_str().to_owned()), "{name}");
        assert!(link.auto, "{name}: 自動同期 stays on");
        let calls = calls(&attendance).await.len();
        assert!(code.is_none() || calls <= 3, "{name}: {calls} calls");
        if code.is_none() {
            // Nothing that was read twice is counted twice.
            let book = attendance.book("l1", date(2026, 3, 10)).await;
            for entry in book {
                let row: Row = serde_json::from_slice(&entry.told.value).unwrap();
                let (person, day) = (entry.told.person, date(2026, 3, 10));
                let truth =
                    attendance.at_kingoftime("k1", |company| company.day(&person, day)).await.unwrap_or_default();
                assert_eq!(row.punches.len(), truth.punches.len(), "{name} {}", entry.told.code);
                assert!(row.break_minutes.unwrap_or(0) < 240, "{name}: {row:?}");
            }
        }
    }
}

#[tokio::test]
async fn punches_that_were_taken_away_empty_the_day() {
    for empty in [EmptyDays::Zeros, EmptyDays::Missing] {
        let person = Employee::new(1, Some("P0001"), "見本", "花子");
        let (key, day) = (person.key.clone(), date(2026, 3, 20));
        let spec = CompanySpec::new("k1").set(|settings| settings.empty_days = empty).employee(person).day(
            &key,
            day,
            Day::work(clock(9, 0), clock(18, 0)),
        );
        let mut attendance = Attendance::with_kingoftime(spec).await;
        attendance.run_to(date(2026, 4, 2), 6, 0).await;
        let value = |book: Vec<renkei_store::attendance::book::BookDay>| -> Row {
            serde_json::from_slice(&book[0].told.value).unwrap()
        };
        assert_eq!(value(attendance.book("l1", day).await).punches.len(), 2, "{empty:?}");
        attendance.at_kingoftime("k1", |company| company.set_day(&key, day, Day::default())).await;
        attendance.run_to(date(2026, 4, 3), 6, 0).await;
        let row = value(attendance.book("l1", day).await);
        assert_eq!((row.punches.len(), row.total_minutes.unwrap_or(0)), (0, 0), "{empty:?}");
        let changed = attendance.runs().await[1].counts["changed"];
        let new_date = i64::from(empty == EmptyDays::Zeros);
        assert_eq!(changed, 1 + new_date, "{empty:?}: nothing else changed");
    }
}

#[tokio::test]
async fn a_corrected_code_moves_the_days_of_that_person() {
    let person = Employee::new(1, Some("P0001"), "見本", "花子");
    let key = person.key.clone();
    let spec =
        CompanySpec::new("k1").employee(person).day(&key, date(2026, 3, 20), Day::work(clock(9, 0), clock(18, 0)));
    let mut attendance = Attendance::with_kingoftime(spec).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    attendance.at_kingoftime("k1", |company| company.change_code(&key, Some(" P0009 "))).await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    for day in [date(2026, 3, 1), date(2026, 3, 20), TODAY] {
        let codes: Vec<_> = attendance.book("l1", day).await.into_iter().map(|entry| entry.told.code).collect();
        assert_eq!(codes, ["P0009"], "{day}");
    }
}

#[tokio::test]
async fn kinkakuji_is_asked_at_its_own_address_with_its_own_token() {
    let mut attendance = Attendance::with_kingoftime(CompanySpec::new("k1")).await;
    let person = Employee::new(1, Some("P0001"), "見本", "花子");
    let spec = CompanySpec::new("n1").day(&person.key, date(2026, 3, 20), Day::leave()).employee(person);
    attendance.kinkakuji.lock().await.add(spec).unwrap();
    attendance.link("l2", "n1", AttendanceSource::Kinkakuji).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let runs = attendance.runs().await;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.state == RunState::Ok), "{runs:?}");
    let book = attendance.book("l2", date(2026, 3, 20)).await;
    assert!(String::from_utf8_lossy(&book[0].told.value).contains("full_day"));
    assert_eq!(calls(&attendance).await.len(), 17);
}

/// What becomes of the wish for a link to `k1`.
async fn checked(attendance: &mut Attendance, key: &str) -> CheckState {
    let store = attendance.world.store.clone();
    let wish = Wish {
        source: AttendanceSource::Kingoftime,
        company: String::new(),
        key: SecretString::from(key.to_owned()),
        key_issued: "2026-04-01".to_owned(),
        new: Some(NewLink { name: "連携".to_owned(), auto: true, stated: Vec::new() }),
        kept: None,
    };
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    link_checks::want(&store, &tx, "check", "t1", "new", &wish, now).await.unwrap();
    tx.commit().await.unwrap();
    attendance.run_for(MINUTE).await;
    link_checks::find(&store, &store.db, "check").await.unwrap().unwrap().state
}

#[tokio::test]
async fn a_token_is_taken_when_it_may_read_all_three_lists_and_nothing_is_kept_of_another_one() {
    type Order = fn(&mut renkei_sandbox::kingoftime::Company);
    let good = sample::token("k1");
    let refused = |code: Code| CheckState::Refused(code.as_str().to_owned());
    let nothing: Order = |_| ();
    let table: [(&str, &str, Order, i8, CheckState); 5] = [
        ("good", &good, nothing, 12, CheckState::Accepted),
        ("wrong", "wrong", nothing, 12, refused(Code::AttendanceKeyRefused)),
        (
            "no totals",
            &good,
            |company| company.tokens_mut()[0].items.retain(|item| *item != renkei_sandbox::kingoftime::Item::Daily),
            12,
            refused(Code::AttendanceKeyRefused),
        ),
        (
            "from elsewhere",
            &good,
            |company| {
                company.tokens_mut()[0].networks.clear();
                company.set(|settings| settings.ip_html = true);
            },
            12,
            refused(Code::AttendanceIpBlocked),
        ),
        ("in the forbidden hours", &good, nothing, 18, refused(Code::AttendanceSourceClosed)),
    ];
    for (name, key, order, hour, state) in table {
        let mut attendance = of(5).await;
        attendance.at_kingoftime("k1", order).await;
        attendance.run_to(TODAY, hour, 0).await;
        assert_eq!(checked(&mut attendance, key).await, state, "{name}");
        let store = &attendance.world.store;
        let link = links::find(store, &store.db, "new").await.unwrap();
        assert_eq!(link.is_some(), state == CheckState::Accepted, "{name}");
    }
}

/// Somebody who never punches has the number of somebody who does: nobody can tell whose it is.
#[tokio::test]
async fn a_code_is_shared_with_whoever_is_listed_and_has_no_rows() {
    let worker = Employee::new(1, Some("P0001"), "見本", "花子");
    let other = Employee::new(2, Some("P0002"), "見本", "太郎");
    let key = other.key.clone();
    let mut spec = CompanySpec::new("k1").set(|settings| settings.empty_days = EmptyDays::Missing);
    for day in [date(2026, 3, 19), date(2026, 3, 20)] {
        spec = spec.day(&worker.key, day, Day::work(clock(9, 0), clock(18, 0)));
    }
    let mut attendance = Attendance::with_kingoftime(spec.employee(worker).employee(other)).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    attendance.at_kingoftime("k1", |company| assert!(company.change_code(&key, Some("P0001")))).await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let store = attendance.world.store.clone();
    let link = attendance.the_link("l1").await;
    let people = shared_codes::people_with_book(&store.db, &link, ("2026-01-01", "2026-12-31"));
    let people: BTreeSet<_> = people.await.unwrap().into_iter().filter(|(code, _)| code == "P0001").collect();
    assert_eq!(people.len(), 2, "{people:?}");
}

/// Somebody was taken off the list and registered anew under another key, with the same number and the same day.
#[tokio::test]
async fn whoever_is_registered_anew_keeps_the_days() {
    let old = Employee::new(1, Some("P0001"), "見本", "花子");
    let new = Employee::new(2, Some("P0001"), "見本", "花子");
    let day = date(2026, 3, 19);
    let work = || Day::work(clock(9, 0), clock(18, 0)).automatic(60);
    let spec = CompanySpec::new("k1")
        .set(|settings| settings.empty_days = EmptyDays::Missing)
        .day(&old.key, day, work())
        .day(&old.key, date(2026, 3, 20), work())
        .day(&new.key, day, work())
        .employee(old.clone());
    let mut attendance = Attendance::with_kingoftime(spec).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    attendance.at_kingoftime("k1", |company| company.replace(&old.key, new.clone())).await;
    attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let runs = attendance.runs().await;
    assert!(runs.iter().all(|run| run.state == RunState::Ok), "{runs:?}");
    let [entry] = attendance.book("l1", day).await.try_into().ok().unwrap();
    assert_eq!(entry.told.person, new.key);
    assert!(String::from_utf8_lossy(&entry.told.value).contains("09:00"));
    let [gone] = attendance.book("l1", date(2026, 3, 20)).await.try_into().ok().unwrap();
    assert_eq!(gone.told.person, GONE);
}

/// Somebody left on paper and punched a day later, when another one has the number already.
#[tokio::test]
async fn a_code_of_two_on_one_date_is_nobodys_though_one_has_left() {
    let gone = Employee::new(1, Some("P0001"), "見本", "花子").left(date(2026, 3, 18));
    let heir = Employee::new(2, Some("P0001"), "見本", "太郎");
    let day = date(2026, 3, 18);
    let work = || Day::work(clock(9, 0), clock(18, 0)).automatic(60);
    let spec = CompanySpec::new("k1").day(&gone.key, day, work()).day(&heir.key, day, work());
    let mut attendance = Attendance::with_kingoftime(spec.employee(gone).employee(heir)).await;
    attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let [run] = attendance.runs().await.try_into().unwrap();
    assert_eq!((run.state, run.counts["doubles"]), (RunState::Ok, 1), "{:?}", run.counts);
    assert!(attendance.book("l1", day).await.is_empty());
}
