//! The demonstration's data hold what they promise.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use std::collections::{BTreeMap, BTreeSet};

use renkei_runtime::clock::Millis;
use renkei_sandbox::crowdlog::rules::{Row, file};
use renkei_sandbox::demo::attendance::{Attendance, Sheet, attendance};
use renkei_sandbox::demo::{self, Demo};
use renkei_sandbox::kaonavi::{Kaonavi, sample};
use serde_json::{Value, json};

fn demo() -> Demo {
    demo::employees(200, 7, "2026-04-01T00:00:00Z".parse().unwrap())
}

fn records(demo: &Demo) -> Vec<Value> {
    let mut records = Vec::new();
    for delivery in &demo.deliveries {
        let body: Value = serde_json::from_slice(&delivery.body).unwrap();
        match body.pointer("/data/employees") {
            Some(Value::Array(many)) => records.extend(many.clone()),
            _ => records.push(body["data"]["employee"].clone()),
        }
    }
    records
}

#[test]
fn the_same_seed_gives_the_same_deliveries() {
    let (one, two) = (demo(), demo());
    let bodies = |demo: &Demo| demo.deliveries.iter().map(|delivery| delivery.body.clone()).collect::<Vec<_>>();
    assert_eq!(bodies(&one), bodies(&two));
    assert_eq!(one.expected, two.expected);
}

#[test]
fn every_kind_of_person_is_there() {
    let demo = demo();
    let texts: String =
        demo.deliveries.iter().map(|delivery| String::from_utf8_lossy(&delivery.body).into_owned()).collect();
    for part in ["髙", "𠮷", "応募者", "退職", "データ入力中", "business_name_kana", "employee.deleted", "出向中", "ﾀ"]
    {
        assert!(texts.contains(part), "{part}");
    }
    let ids: BTreeSet<String> = records(&demo)
        .iter()
        .map(|record| record["employee_id"].as_str().unwrap().to_owned())
        .filter(|id| id.starts_with("rm_E"))
        .collect();
    assert_eq!(ids.len(), 200);
    let reasons: BTreeSet<&str> = demo.skipped.values().copied().collect();
    let all = ["status_excluded", "data_entry_incomplete", "missing_employee_number", "deleted"];
    assert_eq!(reasons, BTreeSet::from(all));
    assert!(demo.created > 110 && demo.changed == 50, "{} created, {} changed", demo.created, demo.changed);
    assert!(
        demo.deliveries.iter().any(|delivery| delivery.resend)
            && demo.deliveries.iter().any(|delivery| delivery.records > 1)
    );
    assert!(
        records(&demo)
            .iter()
            .any(|record| record.get("business_name").is_some() && record.get("business_name_kana").is_none())
    );
}

#[test]
fn resends_repeat_and_new_ids_do_not() {
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for delivery in demo().deliveries {
        match seen.insert(delivery.webhook_id.clone(), delivery.body.clone()) {
            Some(first) => assert!(delivery.resend && first == delivery.body),
            None => assert!(!delivery.resend),
        }
    }
}

#[test]
fn somebody_is_overtaken_by_an_older_version() {
    let mut newest: BTreeMap<String, String> = BTreeMap::new();
    let mut overtaken = 0;
    for record in records(&demo()) {
        let (id, at) = (record["employee_id"].as_str().unwrap(), record["updated_at"].as_str().unwrap());
        let known = newest.entry(id.to_owned()).or_default();
        if *at < **known {
            overtaken += 1;
        } else {
            at.clone_into(known);
        }
    }
    assert!(overtaken > 20, "{overtaken}");
}

#[test]
fn no_two_codes_are_near_misses() {
    let demo = demo();
    let plain = |code: &String| code.trim_start_matches('0').to_lowercase();
    let plain: BTreeSet<String> = demo.expected.keys().map(plain).collect();
    assert_eq!(plain.len(), demo.expected.len());
}

#[test]
fn nobody_looks_like_another_person_under_a_used_number() {
    let demo = demo();
    for row in &demo.existing {
        let wanted = &demo.expected[row["code"].as_str().unwrap()];
        let entered = row["entered_date"].as_str().unwrap();
        assert!(row["name"] == wanted.name.as_str() || entered.is_empty() || entered == wanted.entered_date);
    }
}

#[test]
fn the_members_before_fit_into_kaonavi_and_differ_from_those_wanted() {
    let demo = demo();
    let mut kaonavi = Kaonavi::new();
    let mut spec = sample::company("demo");
    spec.members.clone_from(&demo.existing);
    kaonavi.add(spec).unwrap();
    let company = kaonavi.company(Millis(0), "demo").unwrap();
    let before = demo::differences(&demo.expected, &company.shown_members(0, 10_000));
    let missing = before.iter().filter(|line| line.ends_with("missing")).count();
    assert_eq!(missing, demo.created);
    let wanted: Vec<Value> = demo
        .expected
        .iter()
        .map(|(code, member)| {
            json!({ "code": code, "name": member.name, "name_kana": member.name_kana, "gender": member.gender,
                "birthday": member.birthday, "entered_date": member.entered_date })
        })
        .collect();
    company.upsert(Millis(0), &json!({ "member_data": wanted })).unwrap();
    assert_eq!(demo::differences(&demo.expected, &company.shown_members(0, 10_000)), Vec::<String>::new());
}

/// 2026-04-01T09:00 in Japan.
const MORNING: Millis = Millis(1_775_001_600_000);

fn window(people: usize) -> Attendance {
    attendance("sample", people, 7, MORNING).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_attendance_with_every_kind_of_day() {
    let (one, two) = (window(120), window(120));
    assert_eq!((one.dates.first.to_string(), one.dates.last.to_string()), ("2026-02-20".into(), "2026-03-31".into()));
    assert_eq!((&one.hrmos.days, &one.expected.sheets), (&two.hrmos.days, &two.expected.sheets));
    assert!(one.expected.sheets.len() > 2_500, "{}", one.expected.sheets.len());
    assert!(one.expected.sheets.values().any(|sheet| sheet.end == 34 * 60), "exactly 24 hours");
    assert!(one.expected.sheets.keys().any(|(code, _)| code.starts_with('0')));
    assert_eq!((one.expected.refused.len(), one.expected.notes.len()), (3, 3));
    let fates: BTreeSet<(&str, Option<&str>)> =
        one.expected.fates.values().map(|fate| (fate.state, fate.why)).collect();
    for fate in [
        ("done", None),
        ("done", Some("attendance.leave_beside_work")),
        ("handwork", Some("attendance.leave_without_column")),
        ("new", None),
        ("protected", Some("attendance.protected")),
        ("skipped", Some("attendance.empty_at_source")),
        ("skipped", Some("attendance.half_entered")),
        ("skipped", Some("attendance.inactive_member")),
        ("skipped", Some("attendance.outside_membership")),
        ("skipped", Some("attendance.over_24h")),
        ("skipped", Some("attendance.previous_day_start")),
        ("unmatched", Some("attendance.double_number")),
        ("unmatched", Some("attendance.near_miss")),
        ("unmatched", Some("attendance.not_a_member")),
    ] {
        assert!(fates.contains(&fate), "{fate:?}");
    }
    // However few there are.
    assert!([1, 9, 10, 18].into_iter().all(|people| !window(people).expected.sheets.is_empty()));
}

#[test]
fn the_timesheets_that_must_come_fit_into_crowdlog_and_one_that_is_missing_is_noticed() {
    let Attendance { mut crowdlog, expected, .. } = window(120);
    let clock = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let row = |code: &str, date: &str, sheet: &Sheet| Row {
        code: code.to_owned(),
        date: date.to_owned(),
        start: clock(sheet.start),
        end: clock(sheet.end),
        breaks: sheet
            .breaks
            .iter()
            .map(|(from, to)| format!("{}-{}", clock(*from), clock(*to)))
            .collect::<Vec<_>>()
            .join("/"),
    };
    let rows: Vec<Row> =
        expected.sheets.iter().map(|((code, date), sheet)| row(code, &date.to_string(), sheet)).collect();
    crowdlog.settings_mut().most_rows = 0;
    let (most, last) = rows.split_at(rows.len() - 1);
    let result = crowdlog.import(MORNING, &file(most));
    let refused: Vec<_> = result.rows.iter().filter(|row| row.error.is_some()).collect();
    assert!(refused.iter().all(|row| expected.refused.contains(&(row.code.clone(), row.date.unwrap()))), "{refused:?}");
    let wrong = expected.wrong_timesheets(&crowdlog);
    assert!(matches!(&wrong[..], [one] if one.ends_with("is missing")), "{wrong:?}");
    crowdlog.import(MORNING, &file(last));
    assert_eq!(expected.wrong_timesheets(&crowdlog), Vec::<String>::new());
    let other = Sheet { start: 1, end: 2, breaks: Vec::new() };
    let ((code, date), _) = expected.sheets.last_key_value().unwrap();
    crowdlog.import(MORNING, &file(&[row(code, &date.to_string(), &other)]));
    assert!(matches!(&expected.wrong_timesheets(&crowdlog)[..], [one] if one.ends_with("differs")));
}
