//! What is done about a person: registered, changed, skipped, parked or held.

use std::collections::BTreeMap;
use std::time::Duration;

use renkei_events::event::Change;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use renkei_store::codes::{Code, near_key};
use renkei_store::employees::{EmployeeKey, FullRow, Mass, Op, RowState, Values};
use renkei_workers::members::judge::{Facts, Verdict, judge};
use serde_json::{Value, json};

use crate::people::{person, record};
use crate::world::settings;

use crate::mapping::{NOW, layout, values};

fn full(record: Option<EmployeeRecord>) -> FullRow {
    FullRow {
        key: EmployeeKey { connection: "c1".to_owned(), employee: "rm_00001".to_owned() },
        number: record.as_ref().and_then(|record| record.employee_number.as_ref()).map(ToString::to_string),
        version: 1,
        content: String::new(),
        change: Change::Updated,
        record,
        state: RowState::Due,
        op: Some(Op::Create),
        reason: None,
        detail: None,
        due: Some(NOW),
        next_try: Millis(0),
        attempts: 0,
        lone_attempts: 0,
        failing_since: None,
        batch: None,
        flying_version: None,
        written: None,
        written_number: None,
        released_number: None,
        confirmed: false,
        mass: Mass::None,
        left_before: false,
        warning: None,
        warned: None,
        received: NOW,
        changed: NOW,
    }
}

fn hash(field: &str, value: &str) -> String {
    format!("{field}={value}")
}

/// What カオナビ holds of the usual person, read just now, written by nobody.
fn held(changes: Value) -> Code {
    let mut values = json!({ "name": "髙橋 花子1", "name_kana": "タカハシ ハナコ", "gender": "女性", "birthday": "1990-02-28",
        "entered_date": "2026-04-01" });
    for (key, value) in changes.as_object().unwrap() {
        values[key] = value.clone();
    }
    let hashes: BTreeMap<String, String> = values
        .as_object()
        .unwrap()
        .iter()
        .map(|(field, value)| (field.clone(), hash(field, value.as_str().unwrap())))
        .collect();
    Code { code: "E00001".to_owned(), present: true, hashes, read: NOW, owner: None }
}

fn facts<'a>(code: Option<&'a Code>, near: &'a [String], shared: bool) -> Facts<'a> {
    Facts { code, near, shared, braked: false, over_ceiling: false, codes_read: Some(NOW), now: NOW }
}

fn judged(row: &FullRow, code: Option<&Code>, near: &[String], shared: bool) -> Verdict {
    judge(row, facts(code, near, shared), &settings(), &layout(), &hash)
}

fn usual() -> FullRow {
    full(Some(person(1, NOW)))
}

fn whole() -> Values {
    values(json!({ "name": "髙橋 花子1", "name_kana": "タカハシ ハナコ", "gender": "女性", "birthday": "1990-02-28",
        "entered_date": "2026-04-01" }))
}

#[test]
fn r4_r5_unknown_numbers_are_registered_and_known_ones_changed() {
    let at = |hours: u64, code: Code| Code { read: NOW - Duration::from_secs(hours * 3600), ..code };
    let written = |changes: Value| {
        let mut row = usual();
        let mut values = whole();
        values.extend(self::values(changes));
        row.written = Some(values);
        row.written_number = Some("E00001".to_owned());
        row
    };
    let one = |field: &str, value: &str| Verdict::Update([(field.to_owned(), value.to_owned())].into());
    let absent = Code { present: false, ..held(json!({})) };
    let rows: Vec<(&str, FullRow, Option<Code>, Verdict)> = vec![
        ("not there", usual(), None, Verdict::Create(whole())),
        ("was there, is gone, not ours", usual(), Some(absent.clone()), Verdict::Create(whole())),
        (
            "was there for another person of ours, is gone",
            usual(),
            Some(Code { owner: Some(("c1".to_owned(), "rm_00009".to_owned())), ..absent.clone() }),
            Verdict::Hold("member.gone", String::new()),
        ),
        ("there and equal", usual(), Some(held(json!({}))), Verdict::Unchanged),
        (
            "there, one field differs",
            usual(),
            Some(held(json!({ "birthday": "1980-01-01" }))),
            one("birthday", "1990-02-28"),
        ),
        ("there, read 24 hours ago", usual(), Some(at(24, held(json!({ "gender": "男性" })))), one("gender", "女性")),
        ("there, read 25 hours ago", usual(), Some(at(25, held(json!({})))), Verdict::ReadFirst),
        ("written by us, equal", written(json!({})), Some(at(1000, held(json!({})))), Verdict::Unchanged),
        // What somebody changed by hand in カオナビ meanwhile is left alone.
        (
            "written by us, changed by hand",
            written(json!({})),
            Some(held(json!({ "name": "手 書き" }))),
            Verdict::Unchanged,
        ),
        (
            "written by us, changed at the source",
            written(json!({ "name": "髙橋 太郎" })),
            Some(held(json!({}))),
            one("name", "髙橋 花子1"),
        ),
        (
            "written by us, deleted by hand",
            written(json!({})),
            Some(absent),
            Verdict::Hold("member.gone", String::new()),
        ),
        ("written by us, deleted long ago", written(json!({})), None, Verdict::Hold("member.gone", String::new())),
    ];
    for (what, row, code, expected) in rows {
        assert_eq!(judged(&row, code.as_ref(), &[], false), expected, "{what}");
    }
}

#[test]
fn who_needs_a_person_is_parked_or_held() {
    let with_number = |number: &str| full(Some(record(json!({ "employee_number": number }), 1, NOW)));
    let park = |code: &'static str| Verdict::Park(code, String::new());
    let owned = |connection: &str, employee: &str| Code {
        owner: Some((connection.to_owned(), employee.to_owned())),
        ..held(json!({}))
    };
    let mut renumbered = with_number("E00002");
    renumbered.written_number = Some("E00001".to_owned());
    renumbered.written = Some(whole());
    let mut released = with_number("0123");
    released.released_number = Some("0123".to_owned());
    let mut released_for_another = with_number("00123");
    released_for_another.released_number = Some("0123".to_owned());
    let mut invalid = full(None);
    invalid.change = Change::Invalid;
    invalid.detail = Some("/birthday source.date".to_owned());
    let mut deleted = full(None);
    deleted.change = Change::Deleted;
    let near = vec!["123".to_owned()];
    let none: Vec<String> = Vec::new();
    let named = |name: &str| Verdict::Hold("member.near_miss", name.to_owned());
    let created = Verdict::Create(whole());
    let left = full(Some(record(json!({ "employee_status": "退職", "retired_date": "2026-03-31" }), 1, NOW)));
    let mut left_after = left.clone();
    left_after.written = Some(whole());
    left_after.written_number = Some("E00001".to_owned());
    let several = vec!["123".to_owned(), "１２３".to_owned()];
    let exact = vec!["e00001".to_owned(), "E00001".to_owned()];
    type Case<'a> = (&'a str, FullRow, Option<Code>, &'a [String], bool, Verdict);
    let rows: Vec<Case<'_>> = vec![
        ("number missing", with_number(""), None, &none, false, park("missing_employee_number")),
        ("number shared", usual(), None, &none, true, park("member.number_shared")),
        ("number changed", renumbered, None, &none, false, Verdict::Hold("member.number_changed", "E00001".to_owned())),
        ("near miss", with_number("0123"), None, &near, false, named("123")),
        ("near miss of several", with_number("0123"), None, &several, false, named("123, １２３")),
        ("near miss, released", released, None, &near, false, created),
        ("near miss, another number released", released_for_another, None, &near, false, named("123")),
        ("exact beats near", with_number("E00001"), Some(held(json!({}))), &exact, false, Verdict::Unchanged),
        (
            "written by another connection",
            usual(),
            Some(owned("c2", "rm_00001")),
            &none,
            false,
            park("member.owned_elsewhere"),
        ),
        ("written by this connection", usual(), Some(owned("c1", "rm_00001")), &none, false, Verdict::Unchanged),
        (
            "record invalid",
            invalid,
            None,
            &none,
            false,
            Verdict::Park("source.record_invalid", "/birthday source.date".to_owned()),
        ),
        ("deleted at the source", deleted, Some(held(json!({}))), &none, false, Verdict::Skip("deleted_at_source")),
        ("left, never written", left, Some(held(json!({}))), &none, false, Verdict::Skip("status_excluded")),
        (
            "left, written before: 退職日 is not sent",
            left_after,
            Some(held(json!({}))),
            &none,
            false,
            Verdict::Skip("status_excluded"),
        ),
    ];
    for (what, row, code, near, shared, expected) in rows {
        assert_eq!(judged(&row, code.as_ref(), near, shared), expected, "{what}");
    }
}

#[test]
fn near_are_numbers_that_a_person_could_take_for_each_other() {
    for (one, other) in
        [("0123", "123"), ("１２３", "123"), ("e0012", "E0012"), ("E 0012", "E0012"), ("ＡＢ１", "ab1"), ("00", "0")]
    {
        assert_eq!(near_key(one), near_key(other), "{one} {other}");
    }
    for (one, other) in [("123", "124"), ("E0012", "F0012"), ("E12", "E012"), ("1230", "123")] {
        assert_ne!(near_key(one), near_key(other), "{one} {other}");
    }
}
