//! Reading employee records: what senders may write, what is kept of it, and what is a fault where.

#![allow(clippy::unwrap_used)]

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use renkei_events::json::{self, JsonFault};
use renkei_events::parse::{self, FaultCode, LARGEST_RECORD_BYTES, Reading};
use renkei_events::record::{DataEntryState, EmployeeRecord, EmployeeStatus};
use serde_json::{Value, json};

fn received() -> Timestamp {
    "2026-04-01T00:00:05Z".parse().unwrap()
}

/// A whole, eligible record.
fn hanako() -> Value {
    json!({
        "employee_id": "rm_01J8ZC3",
        "employee_number": "E0012",
        "employee_status": "active",
        "data_entry_state": "completed",
        "last_name": "髙橋", "first_name": "花子",
        "last_name_kana": "タカハシ", "first_name_kana": "ハナコ",
        "business_name": "山本 花子", "business_name_kana": "ヤマモト ハナコ",
        "gender": "女性", "birthday": "1990-02-28", "hire_date": "2026-04-01", "retired_date": null,
        "employment_type": "正社員",
        "department": {"code": "D100", "name": "開発部"},
        "email": "hanako@example.com",
        "updated_at": "2026-04-01T09:00:00+09:00",
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut record = hanako();
    record[key] = value;
    record
}

fn without(key: &str) -> Value {
    let mut record = hanako();
    record.as_object_mut().unwrap().remove(key);
    record
}

fn read(record: &Value) -> EmployeeRecord {
    parse::record(record, received()).unwrap()
}

/// Pointers and codes of all faults, as `pointer code`.
fn faults(record: &Value) -> Vec<String> {
    let faults = parse::record(record, received()).err().unwrap_or_default();
    faults.into_iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect()
}

#[test]
fn a_whole_record_is_read_as_it_stands() {
    let record = read(&hanako());
    assert_eq!(record.employee_id.as_str(), "rm_01J8ZC3");
    assert_eq!(record.employee_number.unwrap().as_str(), "E0012");
    assert_eq!(record.employee_status, EmployeeStatus::Active);
    assert_eq!(record.data_entry_state, DataEntryState::Completed);
    assert_eq!(record.last_name.as_deref(), Some("髙橋"));
    assert_eq!(record.business_name.as_deref(), Some("山本 花子"));
    assert_eq!(record.birthday.unwrap().to_string(), "1990-02-28");
    assert_eq!(record.retired_date, None);
    assert_eq!(record.department.unwrap().name.as_deref(), Some("開発部"));
    assert_eq!(record.updated_at.to_string(), "2026-04-01T00:00:00Z");
}

#[test]
fn a_record_never_shows_personal_values_in_debug() {
    let shown = format!("{:?}", read(&hanako()));
    for value in ["髙橋", "花子", "タカハシ", "山本", "女性", "1990", "hanako@"] {
        assert!(!shown.contains(value), "{value} in {shown}");
    }
    assert!(shown.contains("E0012"));
}

// --- codes, labels and the unknown ---------------------------------------------------------------------------------

#[test]
fn statuses_come_as_code_or_label_and_unknown_ones_are_kept() {
    let cases = [
        (["applicant", "応募者"], EmployeeStatus::Applicant),
        (["pending_hire", "内定"], EmployeeStatus::PendingHire),
        (["pending_hire", "入社予定"], EmployeeStatus::PendingHire),
        (["active", "在籍"], EmployeeStatus::Active),
        (["on_leave", "休職"], EmployeeStatus::OnLeave),
        (["retired", "退職"], EmployeeStatus::Retired),
        (["出向中", "出向中"], EmployeeStatus::Other("出向中".into())),
        (["Active", "Active"], EmployeeStatus::Other("Active".into())),
        (["在籍 ", "在籍 "], EmployeeStatus::Other("在籍 ".into())),
    ];
    for (texts, status) in cases {
        for text in texts {
            assert_eq!(read(&with("employee_status", json!(text))).employee_status, status, "{text}");
        }
        assert!(status.labels().contains(&texts[1]), "{}", texts[1]);
    }
    assert_eq!(EmployeeStatus::PendingHire.labels(), ["内定", "入社予定"], "the usual word comes first");
}

#[test]
fn data_entry_states_come_as_code_or_label_and_unknown_ones_are_kept() {
    let cases = [
        (["not_invited", "未招待"], DataEntryState::NotInvited),
        (["invited", "招待中"], DataEntryState::Invited),
        (["in_progress", "データ入力中"], DataEntryState::InProgress),
        (["awaiting_review", "確認待ち"], DataEntryState::AwaitingReview),
        (["completed", "データ入力完了"], DataEntryState::Completed),
        (["不明な値", "不明な値"], DataEntryState::Other("不明な値".into())),
    ];
    for (texts, state) in cases {
        for text in texts {
            assert_eq!(read(&with("data_entry_state", json!(text))).data_entry_state, state, "{text}");
        }
    }
}

#[test]
fn what_is_written_again_is_the_code_or_the_unknown_text() {
    for (given, written) in [("在籍", "active"), ("active", "active"), ("出向中", "出向中")] {
        let record = read(&with("employee_status", json!(given)));
        assert_eq!(serde_json::to_value(record).unwrap()["employee_status"], written);
    }
}

#[test]
fn gender_and_employment_type_are_labels_kept_verbatim() {
    for label in ["女性", "男性", "その他", "回答しない", "F"] {
        assert_eq!(read(&with("gender", json!(label))).gender.as_deref(), Some(label));
        assert_eq!(read(&with("employment_type", json!(label))).employment_type.as_deref(), Some(label));
    }
}

// --- not provided --------------------------------------------------------------------------------------------------

#[test]
fn null_empty_and_absent_all_mean_not_provided() {
    let optional = [
        "employee_number",
        "last_name",
        "first_name",
        "last_name_kana",
        "first_name_kana",
        "business_name",
        "business_name_kana",
        "gender",
        "birthday",
        "hire_date",
        "retired_date",
        "employment_type",
        "email",
    ];
    for key in optional {
        let absent = read(&without(key));
        assert_eq!(read(&with(key, Value::Null)), absent, "{key}");
        assert_eq!(read(&with(key, json!(""))), absent, "{key}");
        assert!(serde_json::to_value(&absent).unwrap().get(key).is_none(), "{key}");
    }
    assert_eq!(read(&with("department", Value::Null)), read(&without("department")));
}

#[test]
fn a_number_of_nothing_but_blanks_counts_as_not_provided() {
    for blanks in [" ", "\u{3000}", " \u{3000} "] {
        assert_eq!(read(&with("employee_number", json!(blanks))).employee_number, None);
    }
}

#[test]
fn needed_keys_are_reported_by_name() {
    for key in ["employee_id", "employee_status", "data_entry_state", "updated_at"] {
        for record in [without(key), with(key, Value::Null), with(key, json!(""))] {
            assert_eq!(faults(&record), [format!("/{key} source.required")]);
        }
    }
    assert_eq!(faults(&json!({})).len(), 4);
}

#[test]
fn unknown_keys_are_dropped() {
    let mut record = hanako();
    record["my_number"] = json!("123456789012");
    record["department"]["secret"] = json!({"deep": [1, 2, 3]});
    let parsed = read(&record);
    assert_eq!(parsed, read(&hanako()));
    assert!(!serde_json::to_string(&parsed).unwrap().contains("123456789012"));
}

// --- lengths -------------------------------------------------------------------------------------------------------

#[test]
fn lengths_count_code_points_and_the_bound_itself_passes() {
    let bounds = [
        ("employee_id", 64),
        ("employee_number", 50),
        ("last_name", 50),
        ("first_name", 50),
        ("last_name_kana", 50),
        ("first_name_kana", 50),
        ("business_name", 100),
        ("business_name_kana", 100),
        ("gender", 100),
        ("employment_type", 100),
        ("email", 254),
    ];
    for (key, longest) in bounds {
        // One code point each, of one, three and four bytes.
        for character in ["a", "髙", "𠮷"] {
            assert_eq!(faults(&with(key, json!(character.repeat(longest)))), Vec::<String>::new(), "{key}");
            let one_more = with(key, json!(character.repeat(longest + 1)));
            assert_eq!(faults(&one_more), [format!("/{key} source.too_long")], "{key}");
        }
    }
}

#[test]
fn faults_inside_of_the_department_are_pointed_at() {
    let record = with("department", json!({"code": 7, "name": "部".repeat(201)}));
    assert_eq!(faults(&record), ["/department/code source.type", "/department/name source.too_long"]);
    assert_eq!(faults(&with("department", json!("開発部"))), ["/department source.type"]);
}

#[test]
fn every_fault_of_a_record_is_reported_at_once() {
    let mut record = hanako();
    record["employee_number"] = json!(12);
    record["birthday"] = json!("1990-02-30");
    record["last_name"] = json!("a\nb");
    record["updated_at"] = Value::Null;
    assert_eq!(
        faults(&record),
        [
            "/employee_number source.type",
            "/last_name source.control_character",
            "/birthday source.date",
            "/updated_at source.required",
        ]
    );
}

// --- 社員番号 -------------------------------------------------------------------------------------------------------

#[test]
fn a_number_is_text_and_exact() {
    for number in ["0012", "000", "E-12/3", "１２３", "12 34", "a.b", "髙-𠮷"] {
        assert_eq!(read(&with("employee_number", json!(number))).employee_number.unwrap().as_str(), number);
    }
}

#[test]
fn a_json_number_is_refused_as_employee_number_because_zeros_are_lost() {
    for number in [json!(12), json!(12.0), json!(9_007_199_254_740_993_u64), json!(true), json!(["E0012"])] {
        assert_eq!(faults(&with("employee_number", number)), ["/employee_number source.type"]);
    }
}

#[test]
fn blanks_at_the_ends_of_a_number_are_a_fault_never_trimmed() {
    for number in [" E0012", "E0012 ", "\u{3000}E0012", "E0012\u{3000}", "E0012\u{a0}"] {
        assert_eq!(faults(&with("employee_number", json!(number))), ["/employee_number source.blank_at_ends"]);
    }
}

#[test]
fn control_characters_are_a_fault_everywhere() {
    for text in ["a\u{0}b", "a\nb", "a\tb", "a\u{7f}b", "a\u{85}b", "\u{1b}[31m"] {
        for key in ["employee_id", "employee_number", "last_name", "business_name_kana", "gender", "email"] {
            assert_eq!(faults(&with(key, json!(text))), [format!("/{key} source.control_character")], "{text:?}");
        }
    }
}

// --- characters ----------------------------------------------------------------------------------------------------

#[test]
fn names_survive_unchanged() {
    // The "ladder" form, a character outside of the first plane, a compatibility ideograph, half-width kana, a
    // variation selector, and a letter with a separate accent: none of them is normalised.
    for name in ["髙橋", "𠮷田", "山﨑", "ﾀｶﾊｼ", "葛\u{e0100}城", "e\u{301}", "O’Brien", "　全角　"]
    {
        assert_eq!(read(&with("last_name", json!(name))).last_name.as_deref(), Some(name));
    }
    let escaped = r#"{"employee_id":"a","employee_status":"在籍","data_entry_state":"completed",
        "last_name":"\ud842\udfb7\u7530","updated_at":"2026-04-01T00:00:00Z"}"#;
    let Reading::Record(record) = parse::reading(escaped, received()) else { panic!("readable") };
    assert_eq!(record.last_name.as_deref(), Some("𠮷田"));
}

// --- dates and times -----------------------------------------------------------------------------------------------

#[test]
fn dates_are_calendar_days_in_one_form() {
    for date in ["1900-01-01", "2024-02-29", "2026-12-31", "0001-01-01", "9999-12-31"] {
        assert_eq!(read(&with("birthday", json!(date))).birthday.unwrap().to_string(), date);
    }
    let bad = [
        "2026-02-29",
        "1990-02-30",
        "1990-13-01",
        "1990-00-10",
        "1990-01-00",
        "1990/02/28",
        "19900228",
        "1990-2-8",
        "90-02-28",
        "1990-02-28T00:00:00Z",
        "1990-02-28 ",
        "H2-02-28",
        "平成2年2月28日",
        "-990-02-28",
        "１９９０-02-28",
    ];
    for key in ["birthday", "hire_date", "retired_date"] {
        for date in bad {
            assert_eq!(faults(&with(key, json!(date))), [format!("/{key} source.date")], "{date}");
        }
        assert_eq!(faults(&with(key, json!(19_900_228))), [format!("/{key} source.type")]);
    }
}

#[test]
fn updated_at_is_rfc_3339_with_offset() {
    let good = [
        ("2026-04-01T09:00:00+09:00", "2026-04-01T00:00:00Z"),
        ("2026-04-01T00:00:00Z", "2026-04-01T00:00:00Z"),
        ("2026-04-01t00:00:00z", "2026-04-01T00:00:00Z"),
        ("2026-03-31T19:00:00.25-05:00", "2026-04-01T00:00:00.25Z"),
        ("2026-04-01T00:00:00.123456789Z", "2026-04-01T00:00:00.123456789Z"),
    ];
    for (text, instant) in good {
        assert_eq!(read(&with("updated_at", json!(text))).updated_at.to_string(), instant, "{text}");
    }
    let bad = [
        "2026-04-01T09:00:00",
        "2026-04-01",
        "2026-04-01 09:00:00+09:00",
        "2026-04-01T09:00+09:00",
        "2026-04-01T09:00:00+09",
        "2026-04-01T09:00:00+0900",
        "2026-04-01T09:00:00+09:00[Asia/Tokyo]",
        "20260401T000000Z",
        "2026-04-31T00:00:00Z",
        "2026-04-01T24:00:00Z",
        "2026-04-01T09:00:00.+09:00",
        "1775001600",
        "2026-04-01T09:00:00 +09:00",
        "2026-04-01T09:00:00Z ",
        "+002026-04-01T00:00:00Z",
    ];
    for text in bad {
        assert_eq!(faults(&with("updated_at", json!(text))), ["/updated_at source.timestamp"], "{text}");
        assert_eq!(parse::anchor(&with("updated_at", json!(text))), None, "{text}");
    }
    assert_eq!(faults(&with("updated_at", json!(1_775_001_600))), ["/updated_at source.type"]);
}

#[test]
fn more_than_a_day_ahead_is_not_believed() {
    let ahead = |by: SignedDuration| with("updated_at", json!((received() + by).to_string()));
    assert_eq!(faults(&ahead(SignedDuration::from_hours(24))), Vec::<String>::new());
    let beyond = SignedDuration::from_hours(24) + SignedDuration::from_millis(1);
    assert_eq!(faults(&ahead(beyond)), ["/updated_at source.updated_at_in_future"]);
    assert_eq!(faults(&with("updated_at", json!("2099-01-01T00:00:00Z"))), ["/updated_at source.updated_at_in_future"]);
    // Still parked under its own person.
    assert!(parse::anchor(&with("updated_at", json!("2099-01-01T00:00:00Z"))).is_some());
}

// --- reading from text ---------------------------------------------------------------------------------------------

fn codes(text: &str) -> (bool, Vec<String>) {
    match parse::reading(text, received()) {
        Reading::Record(_) => (true, Vec::new()),
        Reading::Faulty { anchor, faults } => (anchor.is_some(), faults.into_iter().map(|fault| fault.code).collect()),
    }
}

#[test]
fn a_record_is_never_larger_than_256_kib() {
    let sized = |bytes: usize| {
        let empty = with("note", json!("")).to_string();
        with("note", json!("x".repeat(bytes - empty.len()))).to_string()
    };
    assert_eq!(sized(LARGEST_RECORD_BYTES).len(), LARGEST_RECORD_BYTES);
    assert_eq!(codes(&sized(LARGEST_RECORD_BYTES)), (true, vec![]));
    let large = (true, vec!["source.record_too_large".to_owned()]);
    assert_eq!(codes(&sized(LARGEST_RECORD_BYTES + 1)), large, "and it is parked under its person");
}

#[test]
fn a_key_that_stands_twice_has_no_one_meaning() {
    let text = hanako().to_string();
    let twice = text.replacen('{', r#"{"employee_number":"E9999","#, 1);
    assert_eq!(codes(&twice), (false, vec!["source.duplicate_key".to_owned()]));
    let escaped = text.replacen('{', r#"{"employee\u005fnumber":"E9999","#, 1);
    assert_eq!(codes(&escaped), (false, vec!["source.duplicate_key".to_owned()]));
    let inner = text.replacen(r#""code":"D100""#, r#""code":"D100","code":"D200""#, 1);
    assert_eq!(codes(&inner), (false, vec!["source.duplicate_key".to_owned()]));
}

#[test]
fn text_without_a_value_is_unreadable() {
    let unreadable = (false, vec!["source.unreadable".to_owned()]);
    for half in [r"\ud842", r"\udfb7", r"\ud842\ud842", r"\ud842x"] {
        let text = hanako().to_string().replace("髙橋", half);
        assert_eq!(codes(&text), unreadable, "{half}");
    }
    let huge = hanako().to_string().replacen('{', r#"{"n":1e999,"#, 1);
    assert_eq!(codes(&huge), unreadable);
    let deep = format!(r#"{{"n":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    assert_eq!(codes(&deep), unreadable);
    for not_an_object in ["1", "null", "[]", "\"text\""] {
        assert_eq!(codes(not_an_object), (false, vec!["source.type".to_owned()]), "{not_an_object}");
    }
}

#[test]
fn depth_is_counted_outside_of_strings_only() {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels)).into_bytes();
    assert!(!json::is_too_deep(&deep(json::DEEPEST)));
    assert!(json::value(std::str::from_utf8(&deep(json::DEEPEST)).unwrap()).is_ok());
    assert!(json::is_too_deep(&deep(json::DEEPEST + 1)));
    assert_eq!(json::value(std::str::from_utf8(&deep(json::DEEPEST + 1)).unwrap()), Err(JsonFault::Unreadable));
    assert!(json::is_too_deep(&b"[".repeat(100_000)));
    assert!(json::is_too_deep(&br#"{"a":"#.repeat(100_000)));
    let in_a_string = format!("[\"\\\"{}\"]", "[{".repeat(1000)).into_bytes();
    assert!(!json::is_too_deep(&in_a_string));
    let side_by_side = format!("[{}[]]", "[],".repeat(1000)).into_bytes();
    assert!(!json::is_too_deep(&side_by_side));
}

#[test]
fn every_fault_has_its_own_code() {
    let codes: std::collections::BTreeSet<_> = FaultCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(codes.len(), FaultCode::ALL.len());
    assert!(codes.iter().all(|code| code.starts_with("source.")));
}

// --- anything ------------------------------------------------------------------------------------------------------

/// Any JSON, with the contract's own keys more often than chance has them.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,60}".prop_map(Value::from),
        "[0-9T:+Z-]{0,25}".prop_map(Value::from),
        Just(json!("2026-04-01T00:00:00Z")),
    ];
    let key = prop_oneof![
        Just("employee_id".to_owned()),
        Just("employee_number".to_owned()),
        Just("employee_status".to_owned()),
        Just("data_entry_state".to_owned()),
        Just("department".to_owned()),
        Just("birthday".to_owned()),
        Just("updated_at".to_owned()),
        "\\PC{0,12}",
    ];
    leaf.prop_recursive(4, 64, 12, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            proptest::collection::hash_map(key.clone(), inner, 0..12)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn optional(pattern: &'static str) -> impl Strategy<Value = Option<String>> {
    proptest::option::of(pattern)
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_with_a_place(value in any_json()) {
        match parse::record(&value, received()) {
            Ok(record) => {
                // What was read once is read again as the same.
                let again = serde_json::to_value(&record).unwrap();
                prop_assert_eq!(parse::record(&again, received()), Ok(record));
            }
            Err(faults) => prop_assert!(!faults.is_empty()),
        }
        let _ = parse::anchor(&value);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,200}") {
        let _ = parse::reading(&text, received());
        let _ = json::is_too_deep(text.as_bytes());
    }

    #[test]
    fn what_is_not_too_deep_by_the_scan_is_not_too_deep_for_the_parser(value in any_json()) {
        let text = value.to_string();
        prop_assert!(!json::is_too_deep(text.as_bytes()));
        prop_assert_eq!(json::value(&text).unwrap(), serde_json::from_str::<Value>(&text).unwrap());
    }

    #[test]
    fn a_record_survives_writing_and_reading(
        id in "[a-z0-9_髙]{1,64}",
        number in optional("[A-Z0-9]{1,50}"),
        name in optional("[ぁ-ん髙𠮷﨑 ]{1,50}"),
        birthday in proptest::option::of((1900_i16..2100, 1_i8..=12, 1_i8..=28)),
        second in 0_i64..1_775_000_000,
        nano in 0_i32..1_000_000_000,
    ) {
        let record = json!({
            "employee_id": id,
            "employee_number": number,
            "employee_status": "在籍",
            "data_entry_state": "何か",
            "last_name": name,
            "birthday": birthday.map(|(year, month, day)| format!("{year:04}-{month:02}-{day:02}")),
            "updated_at": Timestamp::new(second, nano).unwrap().to_string(),
        });
        let parsed = parse::record(&record, received()).unwrap();
        let written = serde_json::to_string(&parsed).unwrap();
        prop_assert_eq!(&serde_json::from_str::<EmployeeRecord>(&written).unwrap(), &parsed);
        prop_assert_eq!(parse::reading(&written, received()), Reading::Record(Box::new(parsed)));
    }
}
