//! People for tests.

use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

/// A complete, eligible record of person `index`, changed at `at`.
pub fn person(index: usize, at: Millis) -> EmployeeRecord {
    record(json!({}), index, at)
}

/// The same with some keys replaced.
pub fn record(changes: Value, index: usize, at: Millis) -> EmployeeRecord {
    let mut whole = json!({
        "employee_id": format!("rm_{index:05}"),
        "employee_number": format!("E{index:05}"),
        "employee_status": "在籍",
        "data_entry_state": "データ入力完了",
        "last_name": "髙橋", "first_name": format!("花子{index}"),
        "last_name_kana": "タカハシ", "first_name_kana": "ハナコ",
        "gender": "女性", "birthday": "1990-02-28", "hire_date": "2026-04-01",
        "updated_at": at.timestamp().to_string(),
    });
    for (key, value) in changes.as_object().unwrap() {
        whole[key] = value.clone();
    }
    renkei_events::parse::record(&whole, at.timestamp()).unwrap()
}

/// A member of カオナビ, as a row of a write.
pub fn member(index: usize, name: &str) -> Value {
    json!({ "code": format!("E{index:05}"), "name": name, "name_kana": "フルイ", "gender": "女性",
        "birthday": "1990-02-28", "entered_date": "2026-04-01" })
}
