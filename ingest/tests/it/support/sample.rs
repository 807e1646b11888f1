//! A sample company: its connections, its people, and bodies about them.

use renkei_events::ids::ConnectionId;
use renkei_events::signature::{ActiveSecret, WebhookSecret};
use renkei_ingest::connections::{IngestConnection, IngestState, Source};
use serde_json::{Value, json};

/// Secret of the connection `acme`.
pub const SECRET: &str = "whsec_8v46/oIk7o7wh8N0DCknsCeO/MINQk+XOrL7nWM66Ds=";
/// Another one.
pub const OTHER_SECRET: &str = "whsec_M6+V9QgFe2q8j51crs4FRLsGo7Mg0Zoype35j0+xFug=";
/// Where `acme` receives.
pub const PATH: &str = "/webhooks/roumumate/acme";

pub fn secret(text: &str) -> ActiveSecret {
    ActiveSecret::lasting(WebhookSecret::parse(text).unwrap())
}

pub fn connection(id: &str, state: IngestState, secrets: &[&str]) -> IngestConnection {
    IngestConnection {
        id: ConnectionId::new(id).unwrap(),
        source: Source::Roumumate,
        state,
        secrets: secrets.iter().map(|text| secret(text)).collect(),
        unreadable_secrets: false,
    }
}

/// `acme` is live, `gone` was ended, `bare` has no secret, `shut` has one that can not be read.
pub fn connections() -> Vec<IngestConnection> {
    vec![
        connection("acme", IngestState::Live, &[SECRET]),
        connection("gone", IngestState::Disconnected, &[SECRET]),
        connection("bare", IngestState::Live, &[]),
        IngestConnection { unreadable_secrets: true, ..connection("shut", IngestState::Live, &[OTHER_SECRET]) },
    ]
}

/// A whole record.
pub fn hanako() -> Value {
    json!({
        "employee_id": "rm_01J8ZC3", "employee_number": "E0012", "employee_status": "active",
        "data_entry_state": "completed", "last_name": "髙橋", "first_name": "花子",
        "last_name_kana": "タカハシ", "first_name_kana": "ハナコ", "business_name": "山本 花子",
        "business_name_kana": "ヤマモト ハナコ", "gender": "女性", "birthday": "1990-02-28",
        "hire_date": "2026-04-01", "retired_date": null, "employment_type": "正社員",
        "department": {"code": "D100", "name": "開発部"}, "email": "hanako@example.com",
        "updated_at": "2026-04-01T08:59:00+09:00",
    })
}

/// What of [`hanako`] is personal.
pub const PERSONAL: [&str; 10] =
    ["髙橋", "花子", "タカハシ", "ハナコ", "山本", "ヤマモト", "女性", "1990-02-28", "hanako@example.com", "開発部"];

/// Person number `n` of the company.
pub fn person(n: usize) -> Value {
    let mut person = hanako();
    person["employee_id"] = json!(format!("rm_{n:05}"));
    person["employee_number"] = json!(format!("{n:05}"));
    person
}

/// A delivery of one record.
pub fn one(kind: &str, employee: &Value) -> String {
    json!({"type": kind, "timestamp": "2026-04-01T08:59:00+09:00", "data": {"employee": employee}}).to_string()
}

/// A delivery of many records.
pub fn many(employees: &[Value]) -> String {
    json!({"type": "employee.updated", "data": {"employees": employees}}).to_string()
}

pub fn updated() -> String {
    one("employee.updated", &hanako())
}
