//! Employees to send: distinct people with every field filled, about one kilobyte each.

use jiff::Timestamp;
use serde_json::{Value, json};

/// The record of a person. `version` tells two states of the same person apart.
pub fn record(person: usize, version: usize, updated_at: Timestamp) -> Value {
    json!({
        "employee_id": format!("rm_{person:08}"),
        "employee_number": format!("{person:07}"),
        "employee_status": "active",
        "data_entry_state": "completed",
        "last_name": "髙橋",
        "first_name": format!("花子{version}"),
        "last_name_kana": "タカハシ",
        "first_name_kana": "ハナコ",
        "business_name": "田中 花子",
        "business_name_kana": "タナカ ハナコ",
        "gender": "女性",
        "birthday": "1990-04-01",
        "hire_date": "2024-04-01",
        "employment_type": "正社員",
        "department": { "code": "R900", "name": "人事部人事企画課第二係" },
        "email": format!("rm_{person:08}@example.com"),
        "updated_at": updated_at.to_string(),
    })
}
