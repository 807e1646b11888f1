//! What stands on the log: topics, keys, CloudEvents headers, the value and its published schema.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use renkei_events::event::{Change, DecodeError, EmployeeEvent, Fault, Origin};
use renkei_events::ids::{ConnectionId, EmployeeId, EventId, IdFault, Version};
use renkei_events::parse;
use renkei_events::schema;
use renkei_events::topic::{Topic, employee_key};
use serde_json::{Value, json};

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

fn received() -> Timestamp {
    "2026-04-01T00:00:05.123456Z".parse().unwrap()
}

fn event() -> EmployeeEvent {
    let record = json!({
        "employee_id": "rm_01J8ZC3", "employee_number": "E0012", "employee_status": "active",
        "data_entry_state": "completed", "last_name": "髙橋", "first_name": "花子", "last_name_kana": "タカハシ",
        "gender": "女性", "birthday": "1990-02-28", "hire_date": "2026-04-01",
        "department": {"code": "D100", "name": "開発部"}, "email": "hanako@example.com",
        "updated_at": "2026-04-01T09:00:00+09:00",
    });
    let employee = parse::record(&record, received()).unwrap();
    EmployeeEvent {
        event_id: EventId::new("msg_1/0").unwrap(),
        connection_id: ConnectionId::new("acme-roumumate").unwrap(),
        employee_id: employee.employee_id.clone(),
        origin: Origin::Webhook,
        change: Change::Updated,
        received_at: received(),
        version: Version::judge(employee.updated_at, received()),
        employee: Some(employee),
        faults: vec![],
    }
}

fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
}

#[test]
fn topics_have_fixed_names_and_times_to_live() {
    let all: Vec<_> = Topic::ALL.iter().map(|topic| (topic.name(), topic.retention_days())).collect();
    assert_eq!(all, [("renkei.employee.v1", 7), ("renkei.attendance.v1", 7), ("renkei.deadletter.v1", 30)]);
    for topic in Topic::ALL {
        assert_eq!(Topic::from_name(topic.name()), Some(topic));
    }
    assert_eq!(Topic::from_name("renkei.employee.v2"), None);
}

#[test]
fn the_key_keeps_one_person_of_one_connection_together() {
    let connection = ConnectionId::new("acme-roumumate").unwrap();
    let employee = EmployeeId::new("rm/01").unwrap();
    assert_eq!(employee_key(&connection, &employee), "acme-roumumate/rm/01");
    assert_eq!(event().key(), "acme-roumumate/rm_01J8ZC3");
}

#[test]
fn connection_ids_can_stand_in_urls_and_keys() {
    for id in ["acme", "ACME-1_x", "a"] {
        assert!(ConnectionId::new(id).is_ok(), "{id}");
    }
    let long = "a".repeat(65);
    let cases = [
        ("", IdFault::Empty),
        ("a/b", IdFault::Character),
        ("a.b", IdFault::Character),
        ("会社", IdFault::Character),
        ("a b", IdFault::Character),
        (long.as_str(), IdFault::TooLong),
        ("a\n", IdFault::ControlCharacter),
    ];
    for (id, fault) in cases {
        assert_eq!(ConnectionId::new(id), Err(fault), "{id:?}");
    }
}

#[test]
fn the_version_is_never_later_than_the_receipt() {
    let second = jiff::SignedDuration::from_secs(1);
    assert_eq!(Version::judge(received() - second, received()).0, (received() - second).as_microsecond());
    assert_eq!(Version::judge(received() + second, received()).0, received().as_microsecond());
}

#[test]
fn headers_are_cloudevents_1_0_binary_mode() {
    let headers = event().headers(TRACE);
    let expected = [
        ("ce_specversion", "1.0"),
        ("ce_id", "msg_1/0"),
        ("ce_source", "/connections/acme-roumumate"),
        ("ce_type", "jp.renkei.employee.updated.v1"),
        ("ce_time", "2026-04-01T00:00:05.123456Z"),
        ("content-type", "application/json"),
        ("traceparent", TRACE),
    ];
    for (name, value) in expected {
        assert_eq!(header(&headers, name), Some(value), "{name}");
    }
    assert_eq!(header(&headers, "ce_datacontenttype"), None, "the content type has its own header");
    let attributes = headers.iter().filter_map(|(name, _)| name.strip_prefix("ce_"));
    for attribute in attributes {
        let plain =
            attribute.len() <= 20 && attribute.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        assert!(plain, "{attribute}");
    }
    let mut names: Vec<_> = headers.iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), headers.len(), "no header stands twice");
}

#[test]
fn i8_headers_and_key_carry_nothing_personal() {
    let event = event();
    let shown = format!("{:?} {} {event:?}", event.headers(TRACE), event.key());
    for value in ["髙橋", "花子", "タカハシ", "女性", "1990-02-28", "hanako@example.com", "開発部"] {
        assert!(!shown.contains(value), "{value}");
    }
    assert!(!format!("{:?}", event.headers(TRACE)).contains("E0012"), "社員番号 stands in no header");
}

#[test]
fn every_change_has_its_own_versioned_type() {
    let all = [Change::Created, Change::Updated, Change::StatusChanged, Change::Deleted, Change::Invalid];
    let types: std::collections::BTreeSet<_> = all.iter().map(|change| change.ce_type()).collect();
    assert_eq!(types.len(), all.len());
    assert!(types.iter().all(|name| name.starts_with("jp.renkei.employee.") && name.ends_with(".v1")));
}

#[test]
fn every_kind_of_event_survives_the_log() {
    let whole = event();
    let deleted = EmployeeEvent { change: Change::Deleted, employee: None, ..whole.clone() };
    let invalid = EmployeeEvent {
        change: Change::Invalid,
        employee: None,
        faults: vec![Fault { pointer: "/birthday".into(), code: "source.date".into() }],
        ..whole.clone()
    };
    for origin in [Origin::Webhook, Origin::Sweep, Origin::Csv] {
        for event in [&whole, &deleted, &invalid] {
            let event = EmployeeEvent { origin, ..event.clone() };
            let value = event.value().unwrap();
            assert!(!value.is_empty(), "a value is never a tombstone");
            assert_eq!(EmployeeEvent::decode(&event.headers(TRACE), &value), Ok(event));
        }
    }
}

#[test]
fn unknown_headers_and_keys_are_passed_over_and_the_last_header_counts() {
    let event = event();
    let mut value: Value = serde_json::from_slice(&event.value().unwrap()).unwrap();
    value["new_in_v1_1"] = json!({"more": true});
    let mut headers = event.headers(TRACE);
    headers.push(("ce_newattribute".into(), "x".into()));
    headers.insert(0, ("ce_specversion".into(), "0.3".into()));
    assert_eq!(EmployeeEvent::decode(&headers, value.to_string().as_bytes()), Ok(event));
}

#[test]
fn what_is_not_an_event_says_which_part() {
    let event = event();
    let value = event.value().unwrap();
    for name in ["ce_specversion", "ce_id", "ce_source", "ce_type"] {
        let missing: Vec<_> = event.headers(TRACE).into_iter().filter(|(key, _)| key != name).collect();
        assert_eq!(EmployeeEvent::decode(&missing, &value), Err(DecodeError::Header(name)));
        let mut empty = missing.clone();
        empty.push((name.into(), String::new()));
        assert_eq!(EmployeeEvent::decode(&empty, &value), Err(DecodeError::Header(name)));
    }
    let mut other_version = event.headers(TRACE);
    other_version.push(("ce_specversion".into(), "0.3".into()));
    assert_eq!(EmployeeEvent::decode(&other_version, &value), Err(DecodeError::SpecVersion));

    let mut without_id: Value = serde_json::from_slice(&value).unwrap();
    without_id.as_object_mut().unwrap().remove("employee_id");
    let mut long_number: Value = serde_json::from_slice(&value).unwrap();
    long_number["employee"]["employee_number"] = json!("9".repeat(51));
    let (without_id, long_number) = (without_id.to_string(), long_number.to_string());
    let not_events: [&[u8]; 7] =
        [b"", b"null", b"{}", b"\xff\xfe", b"[1,2", without_id.as_bytes(), long_number.as_bytes()];
    for bytes in not_events {
        let refused = EmployeeEvent::decode(&event.headers(TRACE), bytes).unwrap_err();
        assert!(matches!(refused, DecodeError::Value { .. }), "{refused}");
        assert!(!refused.to_string().contains("髙橋"));
    }
}

#[test]
fn the_published_schema_is_the_one_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/employee_event.v1.json");
    let current = format!("{}\n", serde_json::to_string_pretty(&schema::employee_event()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == current, "{path} is out of date; run the tests once with UPDATE=1 and look at the change");
}

#[test]
fn the_schema_names_what_an_event_must_have() {
    let schema = schema::employee_event();
    let required: Vec<_> = schema["required"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    // A key can be added as optional; one that is required today stays, and none may become required later.
    let today = ["event_id", "connection_id", "employee_id", "origin", "change", "received_at", "version"];
    assert_eq!(required, today);
    let value: Value = serde_json::from_slice(&event().value().unwrap()).unwrap();
    let known = schema["properties"].as_object().unwrap();
    for key in value.as_object().unwrap().keys() {
        assert!(known.contains_key(key), "{key}");
    }
}
