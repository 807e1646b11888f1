use jiff::civil::date;
use renkei_attendance::reading::hrmos;
use renkei_attendance::segments::SegmentTable;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{object, settled, told};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HrmosCase {
    rule: String,
    #[serde(default)]
    row: Map<String, Value>,
    #[serde(default)]
    without: Vec<String>,
    #[serde(default)]
    options: hrmos::Options,
    #[serde(default)]
    table: SegmentTable,
    settled: Option<bool>,
    reads: String,
}

pub(super) const HRMOS_ROW: &str = include_str!("../fixtures/hrmos_row.json");

fn hrmos_row(changed: &Map<String, Value>, without: &[String]) -> hrmos::Found {
    let mut row = object(HRMOS_ROW);
    row.extend(changed.clone());
    row.retain(|field, _| !without.contains(field));
    hrmos::found(&Value::Object(row).to_string()).unwrap()
}

#[test]
fn every_rule_of_reading_a_row_of_hrmos_holds() {
    let cases: Vec<HrmosCase> = serde_json::from_str(include_str!("../fixtures/hrmos_cases.json")).unwrap();
    for case in cases {
        let row = hrmos_row(&case.row, &case.without).row;
        let reading = row.reading(&case.table, case.options, settled(case.settled));
        assert_eq!(told(&reading), case.reads, "{}", case.rule);
        // What the book keeps is read in the same way.
        let kept: hrmos::Row = serde_json::from_value(serde_json::to_value(&row).unwrap()).unwrap();
        assert_eq!(kept, row, "{}", case.rule);
    }
}

#[test]
fn nothing_of_a_row_is_kept_but_times_flags_breaks_and_leave() {
    let kept = serde_json::to_value(hrmos_row(&Map::new(), &[]).row).unwrap();
    let expected = json!({
        "segment_title": "出勤", "segment_display_title": "出勤", "start_at": "09:05", "end_at": "18:20",
        "stamping_start_at": "08:58", "stamping_end_at": "18:26", "break_1_start_at": "12:10", "break_1_end_at": "13:05",
        "stamping_break_1_start_at": "12:08", "stamping_break_1_end_at": "13:07", "time_paid_holiday": "00:00",
        "next_day_start": 0, "next_day_end": 0, "next_day_break_1_start": 0, "next_day_break_1_end": 0,
        "next_day_break_2_start": 0, "next_day_break_2_end": 0, "paid_holiday_with_time_paid": 0.0,
    });
    assert_eq!(kept, expected);
    // State, notes and the time of the change are no content.
    let changed = object(r#"{"status":3,"notes":"x","updated_at":"2026-06-01T00:00:00.000+09:00","full_name":"別名"}"#);
    assert_eq!(serde_json::to_value(hrmos_row(&changed, &[]).row).unwrap(), expected);
}

#[test]
fn a_row_says_whom_and_which_date_it_is_about_or_is_none() {
    let table = [
        (r#"{"user_id":73,"number":" P1 ","day":"2026-05-12"}"#, Some(("73", "P1"))),
        (r#"{"user_id":"73","number":2051,"day":"2026-05-12"}"#, Some(("73", "2051"))),
        (r#"{"user_id":73,"number":"","day":"2026-05-12"}"#, Some(("73", ""))),
        (r#"{"number":"00123","day":"2026-05-12"}"#, Some(("number:00123", "00123"))),
        (r#"{"user_id":null,"number":"P1","day":"2026-05-12"}"#, Some(("number:P1", "P1"))),
        (r#"{"user_id":9007199254740993,"day":"2026-05-12"}"#, Some(("9007199254740993", ""))),
        (r#"{"number":" ","day":"2026-05-12"}"#, None),
        (r#"{"user_id":73}"#, None),
        (r#"{"user_id":73,"day":"2026-02-30"}"#, None),
        (r#"{"user_id":73,"day":null}"#, None),
        ("[]", None),
        ("null", None),
        ("", None),
    ];
    for (json, expected) in table {
        let found = hrmos::found(json);
        let found = found.as_ref().map(|found| (found.person.as_str(), found.code.as_str()));
        assert_eq!(found, expected, "{json}");
    }
}

#[test]
fn of_a_row_that_came_twice_the_later_change_is_kept() {
    let found = |person: &str, day: i8, updated_at: &str, start: &str| hrmos::Found {
        person: person.to_owned(),
        code: "P1".to_owned(),
        day: date(2026, 5, day),
        updated_at: updated_at.to_owned(),
        row: hrmos::Row { start_at: Some(start.to_owned()), ..hrmos::Row::default() },
    };
    let kept = hrmos::latest([
        found("2", 1, "2026-05-02T10:00:00.000+09:00", "a"),
        found("1", 2, "2026-05-02T10:00:00.000+09:00", "b"),
        found("1", 1, "2026-05-02T10:00:00.000+09:00", "c"),
        // Earlier, though its text is the greater one.
        found("1", 1, "2026-05-02T11:00:00.000+11:00", "d"),
        found("2", 1, "2026-05-02T10:00:00.000+09:00", "e"),
        found("1", 2, "", "f"),
    ]);
    let starts: Vec<_> = kept.iter().map(|found| found.row.start_at.as_deref().unwrap()).collect();
    assert_eq!(starts, ["c", "b", "e"]);
}

#[test]
fn what_has_to_be_typed_in_is_shown_as_the_source_has_it() {
    let table = [
        (json!({}), "09:05-18:20 出勤"),
        (json!({ "end_at": null }), "09:05- 出勤"),
        (
            json!({ "start_at": "22:00", "next_day_start": -1, "end_at": "02:00", "next_day_end": 1 }),
            "前日22:00-翌日02:00 出勤",
        ),
        (json!({ "start_at": null, "end_at": null, "segment_title": "有休" }), "有休"),
        (json!({ "time_paid_holiday": "1:30" }), "09:05-18:20 出勤 時間休1:30"),
        (json!({ "end_at": "48:00" }), "09:05-48:00 出勤"),
    ];
    for (changed, shown) in table {
        let row = hrmos_row(&object(&changed.to_string()), &[]).row;
        assert_eq!(row.shown(hrmos::Options::default()), shown);
    }
}
