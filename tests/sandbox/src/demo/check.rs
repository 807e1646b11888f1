//! Compares the members of カオナビ with what they should be.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Expected;

/// Every difference between the members (as `GET /members` shows them) and what is expected, one line each, by code and
/// item; values are not repeated.
#[must_use]
pub fn differences(expected: &BTreeMap<String, Expected>, members: &[Value]) -> Vec<String> {
    let text = |member: &Value, pointer: &str| member.pointer(pointer).and_then(Value::as_str).unwrap_or("").to_owned();
    let mut found: BTreeMap<String, &Value> = BTreeMap::new();
    let mut differences = Vec::new();
    for member in members {
        let code = text(member, "/code");
        if found.insert(code.clone(), member).is_some() {
            differences.push(format!("{code}: there twice"));
        }
    }
    for (code, wanted) in expected {
        let Some(member) = found.remove(code) else {
            differences.push(format!("{code}: missing"));
            continue;
        };
        let items = [
            ("/name", &wanted.name),
            ("/name_kana", &wanted.name_kana),
            ("/gender", &wanted.gender),
            ("/birthday", &wanted.birthday),
            ("/entered_date", &wanted.entered_date),
            ("/mail", &wanted.mail),
            ("/department/code", &wanted.department),
            ("/retired_date", &String::new()),
        ];
        for (pointer, value) in items {
            if text(member, pointer) != *value {
                differences.push(format!("{code}: {} differs", pointer.trim_start_matches('/')));
            }
        }
    }
    differences.extend(found.keys().map(|code| format!("{code}: should not be there")));
    differences
}
