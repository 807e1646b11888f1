//! What decides about days makes those of the window pending that it touches: all of them, and no other.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use renkei_sandbox::crowdlog::{Hours, Member};
use serde_json::{Value, json};

use super::office::{FIRST, LINK, Office, TODAY, is_past_midnight};
use crate::api::world::ask;

/// One person's days of the book: what became of each, and why.
async fn days(office: &mut Office, code: &str) -> BTreeMap<Date, (String, Option<String>)> {
    let page = office.get(&format!("days?code={code}&limit=200")).await.json();
    assert_eq!(page["next_cursor"], Value::Null, "one page holds them");
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|item| {
            let day = item["day"].as_str().unwrap().parse().unwrap();
            (day, (item["state"].as_str().unwrap().to_owned(), item["why"].as_str().map(str::to_owned)))
        })
        .collect()
}

/// The days that the source has of a code, from `first` to `last`, as クラウドログ must hold them.
async fn truth_of(office: &Office, code: &str, first: Date, last: Date) -> BTreeMap<(String, Date), Hours> {
    let mut truth = office.truth(last).await;
    truth.retain(|(of, day), _| of == code && *day >= first);
    truth
}

/// The days up to `last` that a file can say and that are of a work type, from the source itself.
async fn titled(office: &Office, title: &str, last: Date) -> BTreeSet<(String, Date)> {
    let truth = office.truth(last).await;
    office
        .attendance
        .company("h1", |company| {
            let users = company.users().to_vec();
            let numbered = users.iter().filter_map(|user| Some((user.number.as_deref()?.trim(), user.id)));
            let ids: BTreeMap<&str, i64> = numbered.collect();
            let is_titled = |(code, day): &(String, Date)| {
                let record = ids.get(code.as_str()).and_then(|id| company.day(*id, *day));
                record.is_some_and(|record| record.title == title)
            };
            truth.into_keys().filter(is_titled).collect()
        })
        .await
}

/// Nobody at クラウドログ had the code when the window was read; everybody else's days are imported.
#[actix_web::test]
async fn whoever_comes_onto_a_new_list_waits_with_every_day_of_the_window() {
    let mut office = Office::bare().await;
    let user = office.attendance.company("h1", |company| company.users()[1].clone()).await;
    let absent = user.number.unwrap();
    office.crowdlog.change_member(&absent, |member| member.code = "elsewhere".to_owned()).unwrap();
    office.upload_members().await;
    office.settings(json!({"closing": {"kind": "not_used"}})).await;
    office.attendance.run_to(date(2026, 4, 2), 6, 0).await;
    office.import_all().await;
    let before = days(&mut office, &absent).await;
    assert_eq!((before.len(), before.keys().next(), before.keys().next_back()), (40, Some(&FIRST), Some(&TODAY)));
    let nobody = ("unmatched".to_owned(), Some("attendance.not_a_member".to_owned()));
    assert!(before.values().all(|became| *became == nobody), "{before:?}");
    assert_eq!(office.open().await, [] as [Value; 0]);
    office.crowdlog.change_member("elsewhere", |member| member.code.clone_from(&absent)).unwrap();
    office.upload_members().await;
    let expected = truth_of(&office, &absent, FIRST, TODAY).await;
    assert!(expected.len() > 20, "somebody who works on weekdays: {expected:?}");
    let after = days(&mut office, &absent).await;
    let pending: BTreeSet<Date> =
        after.iter().filter(|(_, (state, _))| state == "pending").map(|(day, _)| *day).collect();
    assert_eq!(pending, expected.keys().map(|(_, day)| *day).collect::<BTreeSet<_>>());
    // What is left of the forty has no work, and is decided about all the same.
    assert!(after.values().all(|(state, _)| state != "unmatched" && state != "new"), "{after:?}");
    let rows = office.rows().await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "and nobody else's");
    office.import_all().await;
    let sheets = office.crowdlog.timesheets();
    let held: BTreeMap<(String, Date), Hours> = sheets
        .into_iter()
        .filter(|((code, _), _)| *code == absent)
        .map(|((code, day), stored)| ((code.to_owned(), day), stored.hours.unwrap()))
        .collect();
    assert_eq!(held, expected);
    assert_eq!(office.open().await, [] as [Value; 0]);
}

#[actix_web::test]
async fn whoever_was_off_the_list_for_a_while_waits_with_nothing() {
    let mut office = Office::after_the_first_window().await;
    office.import_all().await;
    let user = office.attendance.company("h1", |company| company.users()[1].clone()).await;
    let absent = user.number.unwrap();
    office.crowdlog.change_member(&absent, |member| member.code = "elsewhere".to_owned()).unwrap();
    let report = office.upload_members().await;
    assert_eq!(report["only_source"], json!([absent]));
    office.crowdlog.change_member("elsewhere", |member| member.code.clone_from(&absent)).unwrap();
    office.upload_members().await;
    assert_eq!(office.rows().await, BTreeMap::new(), "what クラウドログ holds of them it holds still");
}

#[actix_web::test]
async fn a_code_that_is_corrected_today_waits_with_every_day_of_the_window() {
    let mut office = Office::after_the_first_window().await;
    office.import_all().await;
    let (id, number) = office.somebody().await;
    let now = office.attendance.world.now();
    office.crowdlog.add_member(Member::new("NEW-1", "見本"));
    office.upload_members().await;
    office.attendance.company("h1", |company| assert!(company.change_number(now, id, Some("NEW-1")))).await;
    office.attendance.run_to(date(2026, 4, 3), 6, 0).await;
    let expected = truth_of(&office, "NEW-1", FIRST.tomorrow().unwrap(), date(2026, 4, 2)).await;
    assert!(expected.len() > 20, "somebody who works on weekdays: {expected:?}");
    let rows = office.rows().await;
    let corrected: Vec<_> = rows.keys().filter(|(code, _)| code == "NEW-1").collect();
    assert_eq!(corrected, expected.keys().collect::<Vec<_>>());
    assert!(rows.keys().all(|(code, _)| *code != number));
    // Of everybody else only what is new: the day of yesterday, and the nights before it that were still open.
    assert!(rows.keys().all(|(code, day)| code == "NEW-1" || *day >= TODAY), "{:?}", rows.keys());
    office.import_all().await;
    let history = format!("history?code=NEW-1&day={}&reveal=true", date(2026, 4, 2));
    assert_eq!(office.get(&history).await.json(), json!([]), "a day that was told once");
}

#[actix_web::test]
async fn a_changed_table_of_work_types_makes_every_day_of_the_type_wait_and_no_other() {
    let mut office = Office::after_the_first_window().await;
    office.import_all().await;
    // The night of yesterday is still open.
    let expected = titled(&office, "夜勤", TODAY.yesterday().unwrap()).await;
    assert!(expected.len() > 20, "{expected:?}");
    office.settings(json!({"closing": {"kind": "not_used"}, "work_types": {"夜勤": "morning"}})).await;
    let rows = office.rows().await;
    assert_eq!(rows.keys().cloned().collect::<BTreeSet<_>>(), expected);
    assert!(rows.values().all(|row| is_past_midnight(row)), "{rows:?}");
}

/// As protected days do: what was left out comes back whole.
#[actix_web::test]
async fn days_that_are_protected_no_more_wait_again_all_of_them() {
    let mut office = Office::after_the_first_window().await;
    let (_, code) = office.somebody().await;
    let listed = json!({"code": code, "from": FIRST.to_string(), "to": TODAY.to_string()});
    let added = office.call(ask("POST", &format!("{LINK}/protections"), Some(listed))).await;
    assert_eq!(added.status, 201);
    office.settle().await;
    office.import_all().await;
    let protected = days(&mut office, &code).await;
    assert!(protected.values().all(|(state, _)| state == "protected"), "{protected:?}");
    let path = format!("{LINK}/protections/{}", added.json()["id"]);
    assert_eq!(office.call(ask("DELETE", &path, None)).await.status, 204);
    office.settle().await;
    let expected = truth_of(&office, &code, FIRST, TODAY).await;
    let rows = office.rows().await;
    assert_eq!(rows.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
}
