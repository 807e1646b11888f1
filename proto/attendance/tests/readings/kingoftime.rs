use jiff::civil::{Date, date};
use renkei_attendance::day::{Day, Leave};
use renkei_attendance::reading::{Reading, Settled, kingoftime};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{object, settled, told};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KingOfTimeCase {
    rule: String,
    /// `in 09:00, out 25:30`, from 00:00 of the work date.
    #[serde(default)]
    punches: String,
    totals: Option<Map<String, Value>>,
    #[serde(default)]
    options: kingoftime::Options,
    settled: Option<bool>,
    reads: String,
}

pub(super) const WORK_DATE: Date = date(2026, 4, 6);

/// A punch as the source writes it.
fn punch(text: &str) -> Value {
    let (kind, time) = text.trim().split_once(' ').unwrap();
    let code = match kind {
        "in" => "1",
        "out" => "2",
        "break" => "3",
        "back" => "4",
        "go" => "7",
        "come" => "8",
        _ => "99",
    };
    let (sign, time) = time.strip_prefix('-').map_or((1, time), |time| (-1, time));
    let parts: Vec<i64> = time.split(':').map(|part| part.parse().unwrap()).collect();
    let seconds = sign * (parts[0] * 3600 + parts[1] * 60) + parts.get(2).unwrap_or(&0);
    let at = WORK_DATE.to_datetime(jiff::civil::Time::midnight()) + jiff::SignedDuration::from_secs(seconds);
    json!({ "time": format!("{at}+09:00"), "code": code, "name": kind, "divisionCode": "210", "divisionName": "東支店" })
}

/// The one row of these lists.
fn row_of(punches: &str, totals: Option<&Map<String, Value>>) -> kingoftime::Row {
    let mut slice = kingoftime::Slice::default();
    let records: Vec<Value> = punches.split(',').filter(|text| !text.trim().is_empty()).map(punch).collect();
    let item = json!({ "date": WORK_DATE, "employeeKey": "5f0c51", "timeRecord": records });
    let list = json!({ "date": WORK_DATE, "dailyWorkings": [item] }).to_string();
    assert_eq!(kingoftime::each(list.as_bytes(), |item| slice.punched(item)).unwrap(), 0);
    if let Some(totals) = totals {
        let mut item = totals.clone();
        item.extend(object(r#"{"date":"2026-04-06","employeeKey":"5f0c51"}"#));
        let list = json!([{ "date": WORK_DATE, "dailyWorkings": [item] }]).to_string();
        assert_eq!(kingoftime::each(list.as_bytes(), |item| slice.totals(item)).unwrap(), 0);
    }
    slice.rows().next().unwrap().2.clone()
}

#[test]
fn every_rule_of_reading_a_date_of_king_of_time_holds() {
    let cases: Vec<KingOfTimeCase> = serde_json::from_str(include_str!("../fixtures/kingoftime_cases.json")).unwrap();
    for case in cases {
        let row = row_of(&case.punches, case.totals.as_ref());
        let reading = row.reading(WORK_DATE, &case.options, settled(case.settled));
        assert_eq!(told(&reading), case.reads, "{}", case.rule);
        let kept: kingoftime::Row = serde_json::from_value(serde_json::to_value(&row).unwrap()).unwrap();
        assert_eq!(kept, row, "{}", case.rule);
    }
}

#[test]
fn lists_of_king_of_time_are_read_item_by_item_and_joined_by_date_and_person() {
    let mut slice = kingoftime::Slice::default();
    let unreadable =
        kingoftime::each(&include_bytes!("../fixtures/kingoftime_timerecord.json")[..], |item| slice.punched(item));
    assert_eq!(unreadable.unwrap(), 1, "the item without a date");
    let unreadable =
        kingoftime::each(&include_bytes!("../fixtures/kingoftime_totals.json")[..], |item| slice.totals(item));
    assert_eq!(unreadable.unwrap(), 0);
    let options = kingoftime::Options::default();
    let rows: Vec<_> = slice
        .rows()
        .map(|(date, key, row)| {
            let reading = row.reading(date, &options, Settled::Yes);
            let differs = if let Reading::Day(day) = &reading { row.differs(day, &options) } else { None };
            (date, key, slice.code(key), told(&reading), differs)
        })
        .collect();
    // The night's break fits in the middle; 9ab3e0 has an item for each of two divisions; c0ffee was never asked for its code.
    let expected = [
        (WORK_DATE, "5f0c51", Some("P3001"), "16:31-25:12 (20:21-21:21)".to_owned(), None),
        (WORK_DATE, "9ab3e0", Some("P3002"), "09:00-18:00 (12:00-13:00)".to_owned(), Some(60)),
        (WORK_DATE, "c0ffee", None, "off full_day".to_owned(), None),
    ];
    assert_eq!(rows, expected);
    let kept: Vec<_> = slice.rows().map(|(_, _, row)| serde_json::to_string(row).unwrap()).collect();
    // Names are not kept, and what is kept is so from the first version on.
    let night = concat!(
        r#"{"punches":[{"time":"2026-04-07T01:12:00+09:00","code":"2"},{"time":"2026-04-06T16:31:00+09:00","code":"1"}],"#,
        r#""break_minutes":60,"total_minutes":461}"#,
    );
    assert_eq!(kept[0], night);
    assert_eq!(kept[2], r#"{"total_minutes":0,"full_day":true}"#);
}

#[test]
fn what_is_no_list_of_king_of_time_is_an_error() {
    let table = [
        (r#"{"code":"303","message":"Too Many Requests"}"#, false),
        (r#"{"errors":[{"message":"Id is empty.","code":222}]}"#, false),
        ("<html>", false),
        ("", false),
        ("[{}]", false),
        ("[", false),
        ("[] []", false),
        (r#"[{"date":"2026-04-06","dailyWorkings":{}}]"#, false),
        ("[]", true),
        (r#"{"date":"2026-04-06"}"#, true),
        (r#"{"dailyWorkings":[],"more":{"x":[1]}}"#, true),
    ];
    for (json, list) in table {
        let read = kingoftime::each(json.as_bytes(), |_: kingoftime::Punched| {});
        assert_eq!(read.is_ok(), list, "{json}");
    }
}

#[test]
fn totals_that_differ_by_more_than_rounding_are_told() {
    let table = [
        (Some(540), None),
        (Some(525), None),
        (Some(524), Some(16)),
        (Some(555), None),
        (Some(556), Some(-16)),
        (None, None),
    ];
    let options = kingoftime::Options::default();
    for (total, differs) in table {
        let totals = json!({ "totalWork": total });
        let row = row_of("in 09:00, out 18:00", totals.as_object());
        let Reading::Day(day) = row.reading(WORK_DATE, &options, Settled::Yes) else { panic!("{total:?}") };
        assert_eq!(row.differs(&day, &options), differs, "{total:?}");
        assert_eq!(row.differs(&Day::off(Leave::FullDay), &options), None);
    }
}

#[test]
fn a_date_of_king_of_time_is_shown_with_its_punches_in_order() {
    let leave = json!({ "holidaysObtained": { "halfdayHolidays": [{ "typeName": "AM休" }],
        "hourHolidays": [{ "start": "2026-04-06T15:00+09:00", "end": "2026-04-06T16:00+09:00" }] } });
    let shown = |punches, totals: &Value| row_of(punches, totals.as_object()).shown(WORK_DATE);
    assert_eq!(shown("out 25:10, in 09:00, break 12:00", &json!({})), "出勤09:00 休憩開始12:00 退勤翌日01:10");
    assert_eq!(shown("in -01:30", &leave), "出勤前日22:30 AM休 時間休15:00-16:00");
    assert_eq!(shown("in 09:00, out 90:00", &json!({})), "2026-04-06T09:00:00+09:00 2026-04-09T18:00:00+09:00");
}
