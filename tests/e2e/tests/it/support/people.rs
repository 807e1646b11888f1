//! Employees to send.

use jiff::Timestamp;
use renkei_runtime::clock::{Clock as _, SystemClock};
use serde_json::{Value, json};

/// An eligible person, whole, as of now.
pub fn person(id: &str, number: &str) -> Value {
    changed(id, number, "一郎")
}

/// The same person with another given name.
pub fn changed(id: &str, number: &str, first_name: &str) -> Value {
    let now: Timestamp = SystemClock::real().wall();
    json!({
        "employee_id": id,
        "employee_number": number,
        "employee_status": "active",
        "data_entry_state": "completed",
        "last_name": "試験",
        "first_name": first_name,
        "last_name_kana": "シケン",
        "first_name_kana": "イチロウ",
        "gender": "男性",
        "birthday": "1990-04-01",
        "hire_date": "2026-04-01",
        "updated_at": now.to_string(),
    })
}

/// The member that [`person`] is before it is changed, as a row of a write.
pub fn member(number: &str, first_name: &str) -> Value {
    json!({
        "code": number,
        "name": format!("試験 {first_name}"),
        "name_kana": "シケン イチロウ",
        "gender": "男性",
        "birthday": "1990-04-01",
        "entered_date": "2026-04-01",
    })
}
