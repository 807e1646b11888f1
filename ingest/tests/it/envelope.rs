//! The envelope, and what of its records goes on.

use proptest::prelude::*;
use renkei_events::event::{Change, EmployeeEvent, Origin};
use renkei_events::ids::ConnectionId;
use renkei_events::signature::{SignatureHeaders, Tolerance, WebhookSecret, sign, verify};
use renkei_ingest::refusal::{EnvelopeFault, Refusal};
use renkei_ingest::webhook::read_envelope;
use serde_json::{Value, json};

use crate::support::client::Request;
use crate::support::fakes::START;
use crate::support::sample::{SECRET, hanako, many, one, person, secret, updated};
use crate::support::serving::{Serving, start};

fn with(key: &str, value: Value) -> Value {
    let mut record = hanako();
    record[key] = value;
    record
}

/// What ingest makes of a body, without the way over the network.
fn read_as(id: &str, body: &[u8]) -> Result<Vec<EmployeeEvent>, Refusal> {
    let signature = sign(&WebhookSecret::parse(SECRET).unwrap(), id, START, body);
    let second = START.to_string();
    let headers = SignatureHeaders::pick([
        ("webhook-id", id.as_bytes()),
        ("webhook-timestamp", second.as_bytes()),
        ("webhook-signature", signature.as_bytes()),
    ]);
    let now = jiff::Timestamp::from_second(START).unwrap();
    let verified = verify(&[secret(SECRET)], &headers, body, now, Tolerance::default()).unwrap();
    read_envelope(verified, &ConnectionId::new("acme").unwrap(), now)
}

fn read(body: impl AsRef<[u8]>) -> Result<Vec<EmployeeEvent>, Refusal> {
    read_as("msg_1", body.as_ref())
}

fn codes(event: &EmployeeEvent) -> Vec<String> {
    event.faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
}

// --- refused envelopes ---------------------------------------------------------------------------------------------

/// Bodies that are refused as a whole, with fault and pointer.
fn refused() -> Vec<(EnvelopeFault, &'static str, Vec<u8>)> {
    use EnvelopeFault::*;
    let text = |fault, pointer, text: &str| (fault, pointer, text.as_bytes().to_vec());
    let no_id = with("employee_id", Value::Null);
    let no_time = with("updated_at", json!("yesterday"));
    let many_records: Vec<_> = (0..501).map(person).collect();
    let deep = |open: &str, close: &str, levels: usize| format!("{}{}", open.repeat(levels), close.repeat(levels));
    let doubled = updated().replacen('{', r#"{"type":"employee.created","#, 1);
    vec![
        (NotUtf8, "", b"{\"type\":\"\xff\xfe\"}".to_vec()),
        (NotUtf8, "", updated().into_bytes().into_iter().chain([0xe9]).collect()),
        text(NotJson, "", ""),
        text(NotJson, "", "  "),
        text(NotJson, "", "null"),
        text(NotJson, "", "[]"),
        text(NotJson, "", r#"["employee.updated",{"employee":{}}]"#),
        text(NotJson, "", "\"text\""),
        text(NotJson, "", "{"),
        text(NotJson, "", "{'type':1}"),
        text(NotJson, "", "{\"type\":\"employee.updated\",}"),
        text(NotJson, "", &format!("{}{}", updated(), updated())),
        text(NotJson, "", &format!("\u{feff}{}", updated())),
        text(NotJson, "", "{\"a\":NaN}"),
        text(NotJson, "", "{\"a\":\"\u{0}\"}"),
        text(TooDeep, "", &deep("[", "]", 100_000)),
        text(TooDeep, "", &deep("{\"a\":", "}", 100_000)),
        text(TooDeep, "", &format!("{{\"x\":{},\"type\":\"employee.updated\"}}", deep("[", "]", 10_000))),
        text(TooDeep, "", &one("employee.updated", &with("x", serde_json::from_str(&deep("[", "]", 126)).unwrap()))),
        text(DuplicateKey, "", &doubled),
        text(DuplicateKey, "/data", &updated().replacen(r#""employee":"#, r#""employee":{},"employee":"#, 1)),
        text(Type, "/type", "{}"),
        text(Type, "/type", &json!({"data": {"employee": hanako()}}).to_string()),
        text(Type, "/type", &one("employee.hired", &hanako())),
        text(Type, "/type", &one("EMPLOYEE.UPDATED", &hanako())),
        text(Type, "/type", &json!({"type": null, "data": {"employee": hanako()}}).to_string()),
        text(Type, "/type", &json!({"type": 7, "data": {"employee": hanako()}}).to_string()),
        text(Data, "/data", &json!({"type": "employee.updated"}).to_string()),
        text(Data, "/data", &json!({"type": "employee.updated", "data": null}).to_string()),
        text(Data, "/data", &json!({"type": "employee.updated", "data": [hanako(), []]}).to_string()),
        text(NoForm, "/data", &json!({"type": "employee.updated", "data": {}}).to_string()),
        text(NoForm, "/data", &json!({"type": "employee.updated", "data": {"employee": null}}).to_string()),
        text(
            BothForms,
            "/data",
            &json!({"type": "employee.updated", "data": {"employee": hanako(), "employees": [hanako()]}}).to_string(),
        ),
        text(BatchType, "/type", &json!({"type": "employee.created", "data": {"employees": [hanako()]}}).to_string()),
        text(BatchType, "/type", &json!({"type": "employee.deleted", "data": {"employees": [hanako()]}}).to_string()),
        text(
            NotAList,
            "/data/employees",
            &json!({"type": "employee.updated", "data": {"employees": hanako()}}).to_string(),
        ),
        text(NotAList, "/data/employees", &json!({"type": "employee.updated", "data": {"employees": "x"}}).to_string()),
        text(NoRecord, "/data/employees", &many(&[])),
        text(TooManyRecords, "/data/employees", &many(&many_records)),
        text(NoUsableRecord, "/data/employees", &many(&[no_id.clone(), no_time.clone(), json!(1), json!(null)])),
        text(NoUsableRecord, "/data/employee/employee_id", &one("employee.updated", &no_id)),
        text(NoUsableRecord, "/data/employee/updated_at", &one("employee.updated", &no_time)),
        text(NoUsableRecord, "/data/employee/employee_id", &one("employee.updated", &with("employee_id", json!(12)))),
        text(
            NoUsableRecord,
            "/data/employee/employee_id",
            &one("employee.updated", &with("employee_id", json!("x".repeat(65)))),
        ),
        text(NoUsableRecord, "/data/employee/updated_at", &one("employee.deleted", &json!({"employee_id": "rm_1"}))),
        text(NoUsableRecord, "/data/employee", &one("employee.updated", &json!("E0012"))),
        text(NoUsableRecord, "/data/employee", &one("employee.updated", &json!([hanako()]))),
        text(NoUsableRecord, "/data/employee", &updated().replace("髙橋", r"\ud842")),
        text(NoUsableRecord, "/data/employee", &updated().replace(r#""gender""#, r#""email":"a@b.example","gender""#)),
    ]
}

#[actix_web::test]
async fn what_can_not_be_read_at_all_is_400_with_code_and_pointer() {
    let serving = start().await;
    for (fault, pointer, body) in refused() {
        let answer = serving.send(&Request::signed(body.clone())).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(120)]).into_owned();
        assert_eq!(answer.status, 400, "{fault:?} {shown}");
        let expected = Refusal::from(fault);
        assert_eq!(answer.code(), expected.code(), "{fault:?} {shown}");
        assert_eq!(answer.json()["pointer"], pointer, "{fault:?} {shown}");
        assert!(answer.json()["detail"].is_string());
    }
    assert!(serving.log.appends().is_empty());
    for fault in EnvelopeFault::ALL {
        let refusal = Refusal::from(fault);
        assert!(serving.counted("parse", refusal.reason()).await > 0.0, "{fault:?} has a body in the table");
    }
    serving.assert_alive().await;
}

// --- accepted deliveries -------------------------------------------------------------------------------------------

async fn accepted(serving: &Serving, body: impl Into<Vec<u8>>) -> Vec<EmployeeEvent> {
    let before = serving.log.events().len();
    let answer = serving.send(&Request::signed(body)).await;
    assert_eq!(answer.status, 202, "{answer:?}");
    let events = serving.log.events().split_off(before);
    assert_eq!(answer.json(), json!({"accepted": events.len()}));
    events
}

#[actix_web::test]
async fn a_record_stands_on_the_log_as_one_event() {
    let serving = start().await;
    let events = accepted(&serving, updated()).await;
    let [event] = &events[..] else { panic!("{events:?}") };
    assert_eq!(event.event_id.as_str(), "msg_1/0");
    assert_eq!(event.connection_id.as_str(), "acme");
    assert_eq!(event.employee_id.as_str(), "rm_01J8ZC3");
    assert_eq!((event.origin, event.change), (Origin::Webhook, Change::Updated));
    assert_eq!(event.received_at.as_second(), START);
    assert_eq!(event.version.0, (START - 60) * 1_000_000, "the source's own time, when it is the earlier one");
    assert_eq!(event.employee.as_ref().unwrap().last_name.as_deref(), Some("髙橋"));
    let record = &serving.log.appends()[0][0];
    assert_eq!((record.topic.name(), record.key.as_str()), ("renkei.employee.v1", "acme/rm_01J8ZC3"));
}

#[actix_web::test]
async fn each_type_is_its_change() {
    let serving = start().await;
    for (kind, change) in [
        ("employee.created", Change::Created),
        ("employee.updated", Change::Updated),
        ("employee.status_changed", Change::StatusChanged),
        ("employee.deleted", Change::Deleted),
    ] {
        assert_eq!(accepted(&serving, one(kind, &hanako())).await[0].change, change, "{kind}");
    }
}

#[actix_web::test]
async fn the_envelope_is_read_leniently_where_nothing_depends_on_it() {
    let serving = start().await;
    let data = json!({"employee": hanako(), "changed_fields": ["gender"], "more": {"a": [1]}});
    for body in [
        json!({"type": "employee.updated", "data": data}),
        json!({"type": "employee.updated", "timestamp": null, "data": data}),
        json!({"type": "employee.updated", "timestamp": "not a time", "data": data}),
        json!({"type": "employee.updated", "timestamp": 17, "data": data, "unknown": {"type": "x", "data": []}}),
        json!({"type": "employee.updated", "data": {"employee": hanako(), "employees": null}}),
    ] {
        assert_eq!(accepted(&serving, body.to_string()).await.len(), 1, "{body}");
    }
    assert_eq!(accepted(&serving, format!("\r\n\t {} \n", updated())).await.len(), 1);
    let escaped = updated().replacen("\"type\"", r#""\u0074ype""#, 1);
    assert_eq!(accepted(&serving, escaped).await.len(), 1);
}

#[actix_web::test]
async fn unknown_keys_are_dropped_before_producing() {
    let serving = start().await;
    accepted(&serving, one("employee.updated", &with("my_number", json!("123456789012")))).await;
    let value = String::from_utf8(serving.log.appends()[0][0].value.clone()).unwrap();
    assert!(!value.contains("my_number") && !value.contains("123456789012"));
}

#[actix_web::test]
async fn names_in_any_script_survive() {
    let serving = start().await;
    for name in ["髙橋", "𠮷田", "山﨑", "葛\u{e0100}城", "👩‍💻"] {
        let events = accepted(&serving, one("employee.updated", &with("last_name", json!(name)))).await;
        assert_eq!(events[0].employee.as_ref().unwrap().last_name.as_deref(), Some(name));
    }
    let escaped = updated().replace("髙橋", r"\ud842\udfb7");
    assert_eq!(accepted(&serving, escaped).await[0].employee.as_ref().unwrap().last_name.as_deref(), Some("𠮷"));
}

#[actix_web::test]
async fn i5_of_500_one_bad_record_stops_no_other() {
    let serving = start().await;
    let mut people: Vec<_> = (0..500).map(person).collect();
    people[123]["employee_number"] = json!("9".repeat(51));
    let events = accepted(&serving, many(&people)).await;
    assert_eq!(events.len(), 500);
    for (n, event) in events.iter().enumerate() {
        assert_eq!(event.event_id.as_str(), format!("msg_1/{n}"));
        assert_eq!(event.employee_id.as_str(), format!("rm_{n:05}"));
        assert_eq!(event.change == Change::Invalid, n == 123);
        assert_eq!(event.employee.is_some(), n != 123);
    }
    assert_eq!(codes(&events[123]), ["/employee_number source.too_long"]);
    assert_eq!(serving.metric("renkei_ingest_records_total{kind=\"invalid\"}").await, 1.0);
    assert_eq!(serving.metric("renkei_ingest_records_total{kind=\"state\"}").await, 499.0);
}

#[actix_web::test]
async fn a_faulty_record_is_parked_under_its_person() {
    let serving = start().await;
    let nul = with("last_name", json!("a\u{0}b"));
    let cases = [
        (with("employee_number", json!(12)), "/employee_number source.type"),
        (with("employee_number", json!(9_007_199_254_740_993_u64)), "/employee_number source.type"),
        (with("employee_number", json!(" E0012")), "/employee_number source.blank_at_ends"),
        (with("birthday", json!("1990-02-30")), "/birthday source.date"),
        (with("employee_status", Value::Null), "/employee_status source.required"),
        (nul, "/last_name source.control_character"),
        (with("updated_at", json!("2099-01-01T00:00:00Z")), "/updated_at source.updated_at_in_future"),
        (with("note", json!("x".repeat(300_000))), " source.record_too_large"),
    ];
    for (record, fault) in cases {
        let events = accepted(&serving, one("employee.created", &record)).await;
        assert_eq!((events[0].change, events[0].employee_id.as_str()), (Change::Invalid, "rm_01J8ZC3"), "{fault}");
        assert_eq!(codes(&events[0]), [fault]);
        assert!(events[0].employee.is_none());
        assert!(events[0].version.0 <= START * 1_000_000, "never later than the receipt");
    }
}

#[actix_web::test]
async fn a_record_without_usable_id_is_parked_under_the_delivery() {
    let serving = start().await;
    let twice = hanako().to_string().replace(r#""gender""#, r#""email":"a@b.example","gender""#);
    let records = [
        hanako().to_string(),
        with("employee_id", Value::Null).to_string(),
        "17".to_owned(),
        twice,
        with("updated_at", json!("2026-04-01")).to_string(),
        hanako().to_string().replace("髙橋", r"\ud842"),
    ];
    let body = format!(r#"{{"type":"employee.updated","data":{{"employees":[{}]}}}}"#, records.join(","));
    let events = accepted(&serving, body).await;
    let seen: Vec<_> = events.iter().map(|event| (event.employee_id.as_str(), codes(event).join(","))).collect();
    assert_eq!(
        seen,
        [
            ("rm_01J8ZC3", String::new()),
            ("msg_1/1", "/employee_id source.required".into()),
            ("msg_1/2", " source.type".into()),
            ("msg_1/3", " source.duplicate_key".into()),
            ("msg_1/4", "/updated_at source.timestamp".into()),
            ("msg_1/5", " source.unreadable".into()),
        ]
    );
}

#[test]
fn long_webhook_ids_are_shortened_without_becoming_the_same() {
    let body = many(&[hanako(), json!(1)]);
    let name = |id: &str| read_as(id, body.as_bytes()).unwrap()[1].employee_id.as_str().to_owned();
    assert_eq!(name(&"m".repeat(62)), format!("{}/1", "m".repeat(62)));
    let long = ["a", "b"].map(|last| format!("{}{last}", "m".repeat(255)));
    let names = long.each_ref().map(|id| name(id));
    assert_ne!(names[0], names[1]);
    assert_eq!(names[0], name(&long[0]), "a resend is parked under the same");
    assert!(names[0].len() <= 64);
    let event = read_as(&long[0], body.as_bytes()).unwrap();
    assert_eq!(event[1].event_id.as_str(), format!("{}/1", long[0]));
}

#[actix_web::test]
async fn a_deletion_needs_only_who_and_when() {
    let serving = start().await;
    let bare = json!({"employee_id": "rm_1", "updated_at": "2026-03-31T00:00:00Z"});
    let mut odd = bare.clone();
    odd["employee_number"] = json!(12);
    for record in [bare, odd] {
        let events = accepted(&serving, one("employee.deleted", &record)).await;
        assert_eq!((events[0].change, events[0].employee_id.as_str()), (Change::Deleted, "rm_1"));
        assert!(events[0].employee.is_none() && events[0].faults.is_empty());
    }
    let ahead = json!({"employee_id": "rm_1", "updated_at": "2099-01-01T00:00:00Z"});
    let events = accepted(&serving, one("employee.deleted", &ahead)).await;
    assert_eq!(
        (events[0].change, codes(&events[0])),
        (Change::Invalid, vec!["/updated_at source.updated_at_in_future".into()])
    );
}

#[actix_web::test]
async fn one_person_may_stand_twice_in_a_delivery() {
    let serving = start().await;
    let events = accepted(&serving, many(&[person(1), with("employee_id", json!("rm_00001"))])).await;
    assert_eq!(events[0].key(), events[1].key());
    assert_ne!(events[0].event_id, events[1].event_id);
}

// --- anything ------------------------------------------------------------------------------------------------------

fn bent_json() -> impl Strategy<Value = Vec<u8>> {
    let whole =
        prop_oneof![Just(updated()), Just(many(&[person(1), person(2)])), Just(one("employee.deleted", &hanako()))];
    (whole, proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>(), any::<bool>()), 0..6)).prop_map(
        |(text, bends)| {
            let mut bytes = text.into_bytes();
            for (at, byte, insert) in bends {
                let at = at.index(bytes.len());
                if insert {
                    bytes.insert(at, byte);
                } else {
                    bytes[at] = byte;
                }
            }
            bytes
        },
    )
}

proptest! {
    #[test]
    fn whatever_is_signed_is_read_or_refused_as_an_envelope(body in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        bent_json(),
        "\\PC{0,200}".prop_map(String::into_bytes),
    ]) {
        match read(&body) {
            Ok(events) => {
                prop_assert!(!events.is_empty());
                for event in events {
                    prop_assert_eq!(event.change == Change::Invalid, !event.faults.is_empty());
                    prop_assert!(event.version.0 <= START * 1_000_000);
                    let value = event.value().unwrap();
                    prop_assert_eq!(EmployeeEvent::decode(&event.headers("00-1-1-00"), &value), Ok(event));
                }
            }
            Err(refusal) => prop_assert_eq!(refusal.status().as_u16(), 400),
        }
    }
}
