//! Attendance from a simulated HRMOS勤怠 to a simulated クラウドログ: read by the real sweeper, decided by it, and taken over the
//! real API as a person would in the morning.

mod downloads;
mod files;
mod forgetting;
mod link_form;
mod mails;
mod office;
mod pending;
mod runs;
mod seeded;
mod shared_codes;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::civil::{Date, date};
use renkei_sandbox::crowdlog::{Hours, ImportResult, Member, PastMidnight};
use renkei_sandbox::hrmos::{Day, at as clock};
use renkei_sandbox::kingoftime::{self, Kind};
use renkei_simulation::attendance::Attendance;
use renkei_store::runs::{RunKind, RunState};
use serde_json::{Value, json};

use self::office::{LINK, Office, PEOPLE, TODAY, is_past_midnight};
use crate::api::world::ask;

#[actix_web::test]
async fn every_row_is_accepted_and_the_timesheets_are_what_the_source_says() {
    let mut office = Office::after_the_first_window().await;
    let run = office.attendance.runs().await.remove(0);
    assert_eq!(run.state, RunState::AwaitingImport, "取込待ち: {:?}", run.counts);
    assert!(run.counts["pending"] > 500 && run.counts["warnings"] > 0, "{:?}", run.counts);
    let results = office.import_all().await;
    assert!(!results.is_empty() && results.iter().all(ImportResult::is_clean));
    // Of the last day nights are still open at 05:00.
    let last = date(2026, 3, 31);
    let truth = office.truth(last).await;
    let held: BTreeMap<(String, Date), Hours> = office
        .crowdlog
        .timesheets()
        .into_iter()
        .filter(|((_, day), _)| *day <= last)
        .map(|((code, day), stored)| ((code.to_owned(), day), stored.hours.unwrap()))
        .collect();
    assert!(held.len() > 500);
    assert_eq!(held, truth);
    let breaks = office.breaks().await;
    for ((code, day), stored) in office.crowdlog.timesheets().into_iter().filter(|((_, day), _)| *day <= last) {
        assert_eq!(stored.breaks, breaks[&(code.to_owned(), day)], "{code} {day}");
    }
    let run = office.attendance.runs().await.remove(0);
    assert_eq!((run.state, run.counts["pending"]), (RunState::Warned, 0), "警告あり once all is in");
    // Marked, and nothing changed: whatever is decided again, there is no second file.
    office.upload_members().await;
    assert_eq!(office.open().await, [] as [Value; 0]);
}

/// Of KING OF TIME the same: what its lists say becomes rows that クラウドログ takes.
#[actix_web::test]
async fn days_of_king_of_time_are_accepted_too() {
    let company = kingoftime::sample::company("k1", PEOPLE, date(2026, 1, 1), date(2026, 4, 30), 11);
    let attendance = Attendance::with_kingoftime(company).await;
    let people = attendance.at_kingoftime("k1", |company| company.employees().to_vec()).await;
    let keys: BTreeMap<String, String> =
        people.iter().filter_map(|person| Some((person.code.clone()?, person.key.clone()))).collect();
    let mut office = Office::over(attendance, people.iter().filter_map(|person| person.code.clone()).collect()).await;
    office.upload_members().await;
    office.settings(json!({"closing": {"kind": "not_used"}})).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    let rows = office.rows().await;
    assert!(rows.len() > 300, "{}", rows.len());
    let results = office.import_all().await;
    assert!(results.iter().all(ImportResult::is_clean), "{results:?}");
    let sheets: BTreeMap<(String, Date), (Option<Hours>, Vec<Hours>)> = office
        .crowdlog
        .timesheets()
        .into_iter()
        .map(|((code, day), stored)| ((code.to_owned(), day), (stored.hours, stored.breaks.clone())))
        .collect();
    assert_eq!(sheets.len(), rows.len());
    let minutes = |at: i32| u16::try_from(at).unwrap();
    for ((code, day), (hours, breaks)) in sheets {
        let truth = office.attendance.at_kingoftime("k1", |company| company.day(&keys[&code], day)).await.unwrap();
        let of = |kind: Kind| truth.punches.iter().filter(move |punch| punch.kind == kind).map(|punch| punch.at.get());
        let (start, end) = (of(Kind::In).min().unwrap(), of(Kind::Out).max().unwrap());
        assert_eq!(hours, Some(Hours { start: minutes(start), end: minutes(end) }), "{code} {day}");
        let paused: Vec<Hours> = of(Kind::BreakStart)
            .zip(of(Kind::BreakEnd))
            .map(|(start, end)| Hours { start: minutes(start), end: minutes(end) })
            .collect();
        assert!(paused.iter().all(|pause| breaks.contains(pause)), "{code} {day}: {breaks:?} {paused:?}");
    }
    assert_eq!(office.open().await, [] as [Value; 0]);
}

#[actix_web::test]
async fn a_file_that_is_thrown_away_comes_again_with_the_next_one() {
    let mut office = Office::after_the_first_window().await;
    let first = office.rows().await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let second = office.rows().await;
    assert!(first.iter().all(|(day, row)| second.get(day) == Some(row)), "the same rows");
    assert!(second.keys().any(|(_, day)| *day == date(2026, 4, 2)), "and those of the new day");
    let states = office.get("files?limit=200").await.json();
    let superseded = states["items"].as_array().unwrap().iter().filter(|file| file["state"] == "superseded");
    let old = superseded.clone().next_back().unwrap().clone();
    assert_eq!(office.download(&old).await.status, 409, "a newer file holds its rows");
    let path = format!("{LINK}/files/{}/mark", old["id"]);
    assert_eq!(office.call(ask("POST", &path, Some(json!({"refused_rows": []})))).await.status, 409);
}

#[actix_web::test]
async fn marked_except_row_17_the_next_file_holds_exactly_that_row() {
    let mut office = Office::after_the_first_window().await;
    office.settings(json!({"closing": {"kind": "not_used"}, "files": {"rows_per_file": 0}})).await;
    let [file] = office.open().await.try_into().unwrap();
    let text = String::from_utf8(office.download(&file).await.body).unwrap();
    let row_17 = text.trim_start_matches('\u{feff}').lines().nth(16).unwrap().to_owned();
    let path = format!("{LINK}/files/{}/mark", file["id"]);
    for (refused, pointer) in [(json!([1]), "/refused_rows"), (json!([999_999]), "/refused_rows")] {
        let answer = office.call(ask("POST", &path, Some(json!({"refused_rows": refused})))).await;
        assert_eq!((answer.status, answer.json()["pointer"].as_str()), (400, Some(pointer)));
    }
    let marked = office.mark(&file, &[17]).await;
    assert_eq!(
        (marked["refused"].as_i64(), marked["taken"].as_i64()),
        (Some(1), Some(file["rows"].as_i64().unwrap() - 1))
    );
    office.settle().await;
    let rows: Vec<String> = office.rows().await.into_values().collect();
    assert_eq!(rows, [row_17]);
    let again = office.call(ask("POST", &path, Some(json!({"refused_rows": []})))).await;
    assert_eq!(again.status, 409, "it is marked already");
}

#[actix_web::test]
async fn refused_nights_move_to_the_list_of_handwork() {
    let mut office = Office::after_the_first_window().await;
    office.crowdlog.settings_mut().past_midnight = PastMidnight::Refuse;
    let nights: BTreeSet<(String, Date)> =
        office.rows().await.into_iter().filter(|(_, row)| is_past_midnight(row)).map(|(day, _)| day).collect();
    assert!(nights.len() >= 10, "{}", nights.len());
    let results = office.import_all().await;
    let refused: usize = results.iter().map(|result| result.refused_rows().len()).sum();
    assert_eq!(refused, nights.len(), "exactly the nights");
    assert_eq!(office.rows().await.into_keys().collect::<BTreeSet<_>>(), nights, "they wait for the next import");
    office.settings(json!({"closing": {"kind": "not_used"}, "past_midnight": "skip"})).await;
    assert_eq!(office.open().await, [] as [Value; 0]);
    let mut listed = BTreeSet::new();
    let mut cursor = String::new();
    loop {
        let page = office.get(&format!("handwork?limit=200{cursor}")).await.json();
        for item in page["items"].as_array().unwrap().iter().filter(|item| item["reason"] == "attendance.past_midnight")
        {
            listed.insert((item["code"].as_str().unwrap().to_owned(), item["day"].as_str().unwrap().parse().unwrap()));
        }
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(listed, nights);
    // As a spreadsheet it is the same list, and what is ticked off is on it no more.
    let csv = |text: Vec<u8>| String::from_utf8(text).unwrap().lines().count() - 1;
    let before = csv(office.get("handwork.csv").await.body);
    assert!(before >= nights.len());
    let item = office.get("handwork?limit=1").await.json()["items"][0].clone();
    let tick = || ask("POST", &format!("{LINK}/handwork/{}/done", item["id"]), None);
    assert_eq!(office.call(tick()).await.status, 204);
    assert_eq!(office.call(tick()).await.status, 404, "only once");
    assert_eq!(csv(office.get("handwork.csv").await.body), before - 1);
    office.upload_members().await;
    assert_eq!(csv(office.get("handwork.csv").await.body), before - 1, "it stays ticked off");
}

#[actix_web::test]
async fn i10_a_protected_day_is_in_no_file_and_an_older_file_is_not_handed_out() {
    let mut office = Office::bare().await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    assert_eq!(office.open().await, [] as [Value; 0], "without クラウドログ's list there is no file");
    office.upload_members().await;
    assert_eq!(office.open().await, [] as [Value; 0], "nor before somebody said what is closed");
    office.settings(json!({"closing": {"kind": "on", "date": "2026-02-28"}})).await;
    let before = office.rows().await;
    assert!(before.keys().all(|(_, day)| *day > date(2026, 2, 28)));
    let (_, number) = office.somebody().await;
    let file = office.open().await.remove(0);
    let listed = json!({"code": number, "from": "2026-03-09", "to": "2026-03-13"});
    let added = office.call(ask("POST", &format!("{LINK}/protections"), Some(listed))).await;
    assert_eq!(added.status, 201);
    let refused = office.download(&file).await;
    assert_eq!((refused.status / 100, refused.json()["code"].as_str()), (4, Some("attendance.file_outdated")));
    assert_eq!(office.get("files.zip").await.status / 100, 4);
    office.settle().await;
    let protected =
        |(code, day): &(String, Date)| *code == number && (date(2026, 3, 9)..=date(2026, 3, 13)).contains(day);
    let after = office.rows().await;
    let left_out: Vec<_> = before.keys().filter(|day| !after.contains_key(day)).collect();
    assert!(left_out.len() >= 3 && left_out.iter().all(|day| protected(day)), "{left_out:?}");
    let zip = office.get("files.zip").await;
    assert_eq!((zip.status, zip.header("content-type"), &zip.body[..2]), (200, Some("application/zip"), &b"PK"[..]));
    // Taken off the list, they may be written again.
    let path = format!("{LINK}/protections/{}", added.json()["id"]);
    assert_eq!(office.call(ask("DELETE", &path, None)).await.status, 204);
    office.settle().await;
    assert_eq!(office.rows().await, before);
}

#[actix_web::test]
async fn a_manual_run_makes_its_whole_range_pending_changed_or_not() {
    let mut office = Office::after_the_first_window().await;
    office.import_all().await;
    let (first, last) = (date(2026, 3, 16), date(2026, 3, 20));
    let body = json!({"first_day": first.to_string(), "last_day": last.to_string()});
    assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(body))).await.status, 202);
    office.attendance.run_for(Duration::from_secs(600)).await;
    let rows = office.rows().await;
    let expected: BTreeSet<(String, Date)> =
        office.truth(TODAY).await.into_keys().filter(|(_, day)| (first..=last).contains(day)).collect();
    assert_eq!(rows.into_keys().collect::<BTreeSet<_>>(), expected);
    let run = office.attendance.runs().await.pop().unwrap();
    assert_eq!((run.kind, run.state), (RunKind::Manual, RunState::AwaitingImport), "{:?}", run.counts);
    office.import_all().await;
    assert_eq!(office.attendance.runs().await.pop().unwrap().counts["pending"], 0);
    // However old, and once more, though nothing has changed since.
    for _ in 0..2 {
        let body = json!({"first_day": "2026-01-12", "last_day": "2026-01-16"});
        assert_eq!(office.call(ask("POST", &format!("{LINK}/runs"), Some(body))).await.status, 202);
        office.attendance.run_for(Duration::from_secs(600)).await;
        let rows = office.rows().await;
        assert!(rows.len() > 60 && rows.keys().all(|(_, day)| day.month() == 1), "{}", rows.len());
        office.import_all().await;
        assert_eq!(office.open().await, [] as [Value; 0]);
    }
}

/// Nothing of the list but five columns is kept: 単価 above all is in no byte of the store.
#[actix_web::test]
async fn i8_a_member_list_leaves_neither_names_nor_rates_in_the_store() {
    let mut office = Office::bare().await;
    office.crowdlog.add_member(Member { rate: 987_654_321, ..Member::new("P9999", "秘密 花子") });
    let report = office.upload_members().await;
    assert!(!report.to_string().contains("秘密"));
    let path = office.attendance.world.folder().unwrap().to_owned();
    for entry in std::fs::read_dir(path).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in ["987654321".as_bytes(), "秘密".as_bytes()] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret));
        }
    }
}

/// An unchanged correction of yesterday is not lost: what is half entered waits, and is told when the day is over.
#[actix_web::test]
async fn half_a_day_of_yesterday_waits_and_is_told_a_day_later() {
    let mut office = Office::after_the_first_window().await;
    let (id, number) = office.somebody().await;
    let now = office.attendance.world.now();
    let half = Day::started(clock(9, 0));
    office.attendance.company("h1", |company| company.set_day(now, id, date(2026, 4, 2), half)).await;
    for (day, state) in [(date(2026, 4, 3), "new"), (date(2026, 4, 4), "skipped")] {
        office.attendance.run_to(day, 6, 0).await;
        let days = office.get(&format!("days?code={number}&from=2026-04-02&to=2026-04-02")).await.json();
        assert_eq!(days["items"][0]["state"], state, "{days}");
        assert_eq!(days["items"][0]["value"], "•••");
        let why = if state == "skipped" { json!("attendance.half_entered") } else { Value::Null };
        assert_eq!(days["items"][0]["why"], why);
    }
}
