//! People to fill a feed with: the same for the same number.

use serde_json::{Value, json};

use super::company::Record;

/// Family names with their readings.
const LAST: [(&str, &str); 10] = [
    ("佐藤", "サトウ"),
    ("髙橋", "タカハシ"),
    ("渡邉", "ワタナベ"),
    ("伊藤", "イトウ"),
    ("𠮷田", "ヨシダ"),
    ("小林", "コバヤシ"),
    ("加藤", "カトウ"),
    ("齋藤", "サイトウ"),
    ("山﨑", "ヤマザキ"),
    ("長谷川", "ハセガワ"),
];

/// Given names with their readings.
const FIRST: [(&str, &str); 6] = [
    ("花子", "ハナコ"),
    ("太郎", "タロウ"),
    ("美咲", "ミサキ"),
    ("健", "ケン"),
    ("さくら", "サクラ"),
    ("大輔", "ダイスケ"),
];

/// 雇用形態.
const EMPLOYMENT: [&str; 3] = ["正社員", "契約社員", "パート・アルバイト"];

/// The id of the person with this number: `rm_00012`.
#[must_use]
pub fn id(number: usize) -> String {
    format!("rm_{number:05}")
}

/// A person whose data entry is complete, without `updated_at`. Numbers are text with zeros in front: `00012`.
#[must_use]
pub fn person(number: usize) -> Record {
    let (last, last_kana) = LAST[number % LAST.len()];
    let (first, first_kana) = FIRST[number / LAST.len() % FIRST.len()];
    let record = json!({
        "employee_id": id(number),
        "employee_number": format!("{number:05}"),
        "employee_status": "active",
        "data_entry_state": "completed",
        "last_name": last,
        "first_name": first,
        "last_name_kana": last_kana,
        "first_name_kana": first_kana,
        "gender": if number.is_multiple_of(2) { "女性" } else { "男性" },
        "birthday": format!("{}-{:02}-{:02}", 1970 + number % 35, 1 + number % 12, 1 + number % 28),
        "hire_date": format!("{}-04-01", 2010 + number % 16),
        "retired_date": null,
        "employment_type": EMPLOYMENT[number % EMPLOYMENT.len()],
        "department": { "code": "D100", "name": "開発部" },
        "email": format!("{}@example.com", id(number)),
    });
    match record {
        Value::Object(record) => record,
        _ => Record::new(),
    }
}
