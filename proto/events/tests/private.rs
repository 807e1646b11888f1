//! `Debug` shows ids, states and lengths, and nothing of a person or of a signature.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use renkei_events::event::{Change, EmployeeEvent, Origin};
use renkei_events::ids::{ConnectionId, EventId, Version};
use renkei_events::parse::Reading;
use renkei_events::record::EmployeeRecord;
use renkei_events::signature::SignatureHeaders;

#[test]
fn i8_debug_output_of_a_record_an_event_and_a_signature_shows_no_value() {
    let needle = "needle-髙橋";
    let employee: EmployeeRecord = serde_json::from_value(serde_json::json!({
        "employee_id": "rm_1", "employee_number": "A0001", "employee_status": needle, "data_entry_state": needle,
        "last_name": needle, "first_name": needle, "gender": needle, "birthday": "1990-04-01", "email": needle,
        "hire_date": "1990-04-01", "employment_type": needle, "department": { "code": needle, "name": needle },
        "updated_at": "2026-04-01T00:00:00Z",
    }))
    .unwrap();
    let event = EmployeeEvent {
        event_id: EventId::new("msg_1/0").unwrap(),
        connection_id: ConnectionId::new("acme").unwrap(),
        employee_id: employee.employee_id.clone(),
        origin: Origin::Webhook,
        change: Change::Updated,
        received_at: Timestamp::UNIX_EPOCH,
        version: Version(1),
        employee: Some(employee.clone()),
        faults: Vec::new(),
    };
    let all = [
        format!("{:?} {:?} {:?}", employee.employee_status, employee.data_entry_state, employee.department),
        format!("{event:#?}"),
        format!("{:?}", Reading::Record(Box::new(employee))),
        format!("{:?}", SignatureHeaders::pick([("webhook-signature", b"v1,needle".as_slice())])),
    ];
    for shown in all {
        // A list of bytes would be as readable as the text: 110, 101 is "ne".
        for needle in ["needle", "髙橋", "1990", "110, 101"] {
            assert!(!shown.contains(needle), "{shown}");
        }
    }
    assert!(format!("{event:?}").contains("rm_1") && format!("{event:?}").contains("A0001"), "ids are told");
}
