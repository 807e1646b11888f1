//! Rows: what they say, when they change, who writes them.

use jiff::civil::date;
use renkei_sandbox::hrmos::rules::Desk;
use renkei_sandbox::hrmos::{Break, ClockForm, Day, EmptyDays, Flags, Ratios, User, at};
use renkei_sandbox::wire::SimResponse;
use serde_json::{Value, json};

use super::{DAY, crowd, one, row, total};

#[test]
fn a_night_shift_comes_with_flags_lengths_and_seconds() {
    let record = Day::work(at(20, 0), at(29, 30))
        .titled("夜勤")
        .pause(at(24, 0), at(25, 0))
        .pause(at(27, 0), at(27, 15))
        .with_break(Break { start: Some(at(28, 0)), end: None, stamped: true })
        .stamped(Some(at(19, 56)), Some(at(29, 34)))
        .status(3);
    let got = row(&mut one(record));
    let expected = r#"{
        "user_id": 41, "number": "P1004", "full_name": "見本 花子",
        "month": "202604", "day": "2026-04-09", "wday": "木",
        "segment_display_title": "夜勤", "segment_title": "夜勤",
        "start_at": "20:00", "next_day_start": 0, "stamping_start_at": "19:56",
        "end_at": "05:30", "next_day_end": 1, "stamping_end_at": "05:34",
        "break_1_start_at": "00:00", "next_day_break_1_start": 1, "stamping_break_1_start_at": null,
        "break_1_end_at": "01:00", "next_day_break_1_end": 1, "stamping_break_1_end_at": null,
        "break_2_start_at": "03:00", "next_day_break_2_start": 1, "stamping_break_2_start_at": null,
        "break_2_end_at": "03:15", "next_day_break_2_end": 1, "stamping_break_2_end_at": null,
        "procedure_overtime_end_at": null,
        "total_break_time": "1:15", "time_paid_holiday": "00:00",
        "total_over_work_time": "0:15", "total_over_work_time_36": "0:15",
        "total_working_hours": "8:15", "actual_working_hours": "8:15",
        "hours_in_prescribed_working_hours": "8:00", "hours_in_statutory_working_hours": "0:00",
        "excess_of_statutory_working_hours": "0:15",
        "excess_of_statutory_working_hours_in_holidays": "0:00",
        "hours_in_statutory_working_hours_in_holidays": "0:00",
        "late_night_overtime_working_hours": "5:45",
        "status": 3, "expense": 0,
        "created_at": "2026-03-20T10:11:00.000+09:00", "updated_at": "2026-04-10T05:39:00.000+09:00",
        "daytime_prescribed_work_time": 8100, "midnight_prescribed_work_time": 20700,
        "daytime_statutory_work_overtime": 0, "midnight_statutory_work_overtime": 0,
        "daytime_out_statutory_work_time": 900, "midnight_out_statutory_work_time": 0,
        "daytime_out_statutory_holiday_work_time": 0, "midnight_out_statutory_holiday_work_time": 0,
        "daytime_statutory_holiday_work_time": 0, "midnight_statutory_holiday_work_time": 0,
        "extra_breaks": [
            { "start_at": "04:00", "end_at": null, "stamping_start_at": "04:00", "stamping_end_at": null }
        ],
        "paid_holiday_with_time_paid": 0.0,
        "image_attachment_ids": [], "pdf_attachment_ids": [],
        "work": {
            "id": 4100000, "user_id": 41, "day": "2026-04-09",
            "main_operation_ratio": 1.0, "sub_operation_ratio": 0.0, "other_operation_ratio": 0.0
        }
    }"#;
    let expected: Value = serde_json::from_str(expected).unwrap();
    for (member, value) in expected.as_object().unwrap() {
        assert_eq!(&got[member], value, "{member}");
    }
    assert_eq!(got.as_object().unwrap().len(), expected.as_object().unwrap().len());
}

#[test]
fn days_of_every_kind_say_what_they_are() {
    let noon = |day: Day| day.pause(at(12, 0), at(13, 0));
    let cases = [
        (
            "leave",
            Day::leave(),
            json!({ "segment_title": "有休", "segment_display_title": "有給休暇",
            "start_at": null, "end_at": null, "paid_holiday_with_time_paid": 1.0, "total_working_hours": "0:00" }),
        ),
        (
            "morning",
            Day::work(at(13, 0), at(18, 0)).morning_off(),
            json!({ "segment_title": "出勤（午前休）",
            "segment_display_title": "午前休", "start_at": "13:00", "paid_holiday_with_time_paid": 0.5 }),
        ),
        (
            "afternoon",
            Day::work(at(9, 0), at(12, 0)).afternoon_off(),
            json!({ "segment_title": "出勤（午後休）",
            "end_at": "12:00", "paid_holiday_with_time_paid": 0.5 }),
        ),
        (
            "hours",
            noon(Day::work(at(9, 0), at(16, 0))).hourly_leave(120),
            json!({ "segment_title": "出勤",
            "time_paid_holiday": "02:00", "paid_holiday_with_time_paid": 0.25 }),
        ),
        (
            "half entered",
            Day::started(at(9, 0)),
            json!({ "start_at": "09:00", "end_at": null, "next_day_end": 0,
            "total_working_hours": "0:00" }),
        ),
        (
            "over a day",
            Day::work(at(9, 0), at(34, 30)),
            json!({ "start_at": "09:00", "end_at": "10:30",
            "next_day_start": 0, "next_day_end": 1, "total_working_hours": "25:30" }),
        ),
        (
            "from before",
            Day::work(at(-1, 30), at(8, 0)),
            json!({ "start_at": "23:30", "next_day_start": -1,
            "end_at": "08:00", "next_day_end": 0, "total_working_hours": "8:30" }),
        ),
        ("day off", Day::off("公休"), json!({ "segment_title": "公休", "start_at": null })),
        (
            "free title",
            Day::work(at(9, 0), at(18, 0)).titled("在宅"),
            json!({ "segment_title": "在宅",
            "segment_display_title": "在宅" }),
        ),
        (
            "day off, worked",
            Day::work(at(10, 0), at(15, 0)).titled("出勤（休出）"),
            json!({
            "hours_in_prescribed_working_hours": "0:00", "hours_in_statutory_working_hours_in_holidays": "5:00",
            "daytime_statutory_holiday_work_time": 18_000 }),
        ),
        // The segment's break shows although nobody worked.
        (
            "empty",
            Day::empty(),
            json!({ "start_at": null, "end_at": null, "break_1_start_at": "12:00",
            "break_1_end_at": "13:00", "total_break_time": "0:00" }),
        ),
    ];
    for (what, record, expected) in cases {
        let got = row(&mut one(record));
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(&got[member], value, "{what}: {member}");
        }
    }
}

#[test]
fn switches_change_the_form_of_rows() {
    let record = || Day::work(at(20, 0), at(29, 30));
    let mut desk = one(record());
    desk.set(|settings| settings.clock = ClockForm::Extended).unwrap();
    let got = row(&mut desk);
    assert_eq!((&got["end_at"], &got["next_day_end"]), (&json!("29:30"), &json!(1)));
    desk.set(|settings| (settings.clock, settings.flags) = (ClockForm::Clock, Flags::Null)).unwrap();
    assert_eq!(row(&mut desk).get("next_day_end"), Some(&Value::Null));
    desk.set(|settings| settings.flags = Flags::Missing).unwrap();
    assert_eq!(row(&mut desk).get("next_day_end"), None);
    desk.set(|settings| (settings.without_optional, settings.unknown_members) = (true, true)).unwrap();
    let got = row(&mut desk);
    assert!(["notes", "work", "image_attachment_ids"].iter().all(|member| got.get(member).is_none()));
    assert!(got.get("remote_work").is_some());
    desk.set(|settings| (settings.without_optional, settings.ratios) = (false, Ratios::Strings)).unwrap();
    assert_eq!(row(&mut desk)["work"]["main_operation_ratio"], json!("1.0"));
    desk.company().unwrap().remove_day(41, DAY);
    assert_eq!(total(&desk.get("work_outputs/daily/2026-04-09")), 0);
    let mut desk = one(Day::empty());
    desk.set(|settings| settings.default_breaks = false).unwrap();
    assert_eq!(row(&mut desk)["break_1_start_at"], Value::Null);
}

#[test]
fn rows_follow_the_clock_and_empty_days_the_switch() {
    let spec = crowd(2).day(1, DAY, Day::work(at(9, 0), at(30, 0)).live());
    let mut desk = Desk::with(spec).unwrap();
    // 05:00 on the day after: still at work.
    let body = desk.get("work_outputs/daily/2026-04-09").body();
    assert_eq!(
        (&body[0]["start_at"], &body[0]["end_at"], &body[1]["start_at"]),
        (&json!("09:00"), &Value::Null, &Value::Null)
    );
    let before = body[0]["updated_at"].as_str().unwrap().to_owned();
    desk.wait(89 * 60_000);
    assert_eq!(desk.get("work_outputs/daily/2026-04-09").body()[0]["end_at"], Value::Null);
    assert_eq!(desk.get("stamp_logs/daily/2026-04-09").body()[1]["stamp_type"], 2, "punches are there at once");
    desk.wait(60_000);
    let body = desk.get("work_outputs/daily/2026-04-09").body();
    assert_eq!(body[0]["end_at"], "06:00");
    assert!(body[0]["updated_at"].as_str().unwrap() > before.as_str());
    desk.set(|settings| settings.empty_days = EmptyDays::Missing).unwrap();
    assert_eq!(total(&desk.get("work_outputs/daily/2026-04-09")), 1);
    assert_eq!(total(&desk.get("work_outputs/daily/2026-04-11")), 0);
    desk.set(|settings| settings.future_rows = true).unwrap();
    assert_eq!(total(&desk.get("work_outputs/daily/2026-04-11")), 2);
}

#[test]
fn nobody_has_rows_before_joining_or_after_leaving() {
    let joined = User::new(1, Some("A"), "見本", "一").joined(date(2026, 4, 9));
    let left = User::new(2, Some("B"), "見本", "二").left(date(2026, 4, 8));
    let mut desk =
        Desk::with(Desk::empty().user(joined).user(left).day(2, DAY, Day::work(at(9, 0), at(18, 0)))).unwrap();
    let users = |desk: &mut Desk, day: &str| -> Vec<i64> {
        let body = desk.get(&format!("work_outputs/daily/{day}")).body();
        body.as_array().unwrap().iter().map(|row| row["user_id"].as_i64().unwrap()).collect()
    };
    assert_eq!(users(&mut desk, "2026-04-08"), [2]);
    assert_eq!(users(&mut desk, "2026-04-09"), [1]);
    let listed = desk.get("users").body();
    assert_eq!((listed.as_array().unwrap().len(), &listed[1]["end_date"]), (2, &json!("2026-04-08")));
    desk.set(|settings| settings.leavers_listed = false).unwrap();
    assert_eq!(total(&desk.get("users")), 1);
}

#[test]
fn a_corrected_number_shows_in_all_rows_and_touches_them_only_if_set() {
    for touches in [false, true] {
        let spec = crowd(1).day(1, DAY, Day::work(at(9, 0), at(18, 0)));
        let mut desk = Desk::with(spec.set(|settings| settings.number_touches_rows = touches)).unwrap();
        let now = desk.now;
        assert!(desk.company().unwrap().change_number(now, 1, Some("Q1")));
        assert!(!desk.company().unwrap().change_number(now, 2, Some("Q2")));
        assert_eq!(row(&mut desk)["number"], "Q1");
        let since = desk.get("work_outputs/daily/2026-04-09?from=2026-04-10T05:00:00%2B09:00");
        assert_eq!(total(&since), u64::from(touches));
        assert_eq!(total(&desk.get("users?from=2026-04-10T05:00:00%2B09:00")), 1);
    }
}

#[test]
fn what_an_operator_edits_is_there_at_once_and_counts_as_changed() {
    let mut desk = Desk::open().unwrap();
    let since = "from=2026-04-10T05:00:00%2B09:00";
    let quiet = date(2026, 3, 10);
    assert_eq!(total(&desk.get(&format!("work_outputs/daily/2026-03-10?{since}"))), 0);
    let now = desk.now;
    let company = desk.company().unwrap();
    company.edit_day(now, 101, quiet, |record| record.end = Some(at(22, 0)));
    company.remove_day(102, quiet);
    company.set_day(now, 103, quiet, Day::leave());
    company.edit_segments(now, |segments| segments.truncate(2));
    assert_eq!(company.kept_days(), 3);
    let changed = desk.all(&format!("work_outputs/daily/2026-03-10?{since}")).unwrap();
    let changed: Vec<_> = changed.iter().map(|row| (row["user_id"].clone(), row["end_at"].clone())).collect();
    assert_eq!(changed, [(json!(101), json!("22:00")), (json!(103), Value::Null)]);
    let all = desk.all("work_outputs/daily/2026-03-10").unwrap();
    assert!(all.iter().all(|row| row["user_id"] != 102));
    assert_eq!(total(&desk.get(&format!("segments?{since}"))), 2);
}

#[test]
fn put_work_changes_a_row_that_is_there_and_is_on_record_as_a_write() {
    let mut desk = one(Day::work(at(9, 0), at(18, 0)).pause(at(12, 0), at(13, 0)));
    let before = row(&mut desk)["updated_at"].clone();
    let put = "work?user_id=41&day=2026-04-09&end_at=01:30&next_day_end=1&break_2_start_at=20:00&break_2_end_at=20:30";
    let answer = desk.call("PUT", put);
    assert_eq!((&answer.body()["end_at"], &answer.body()["next_day_end"]), (&json!("01:30"), &json!(1)));
    let after = row(&mut desk);
    assert_eq!(
        (&after["start_at"], &after["break_1_start_at"], &after["break_2_end_at"]),
        (&json!("09:00"), &json!("12:00"), &json!("20:30"))
    );
    assert_ne!(before, after["updated_at"]);
    desk.set(|settings| settings.empty_days = EmptyDays::Missing).unwrap();
    for (query, status) in [
        ("user_id=41&day=2026-04-08&end_at=18:00", 404),
        ("user_id=42&day=2026-04-09&end_at=18:00", 404),
        ("user_id=41&day=2026-04-09&end_at=24:00", 400),
        ("user_id=41&day=2026-04-09&end_at=18:00&next_day_end=2", 400),
        ("user_id=41&day=tomorrow", 400),
        ("day=2026-04-09", 400),
    ] {
        assert_eq!(desk.call("PUT", &format!("work?{query}")).status(), Some(status), "{query}");
    }
    desk.call("POST", "stamp_logs?user_id=41&stamp_type=1");
    let company = desk.company().unwrap();
    assert_eq!((company.stats().writes, company.log().writes().count(), company.log().count("/work?")), (8, 8, 0));
    assert!(company.log().writes().all(|call| call.method != "GET"));
}

#[test]
fn punches_of_a_day_and_of_a_person_can_be_read() {
    let record = Day::work(at(9, 0), at(18, 0)).stamped(Some(at(8, 57)), Some(at(18, 3)));
    let record = record.with_break(Break { start: Some(at(12, 0)), end: Some(at(13, 0)), stamped: true });
    let mut desk = one(record.clone());
    let now = desk.now;
    desk.company().unwrap().set_day(now, 41, date(2026, 4, 8), record.pause(at(15, 0), at(15, 10)));
    let kinds = |answer: &SimResponse| -> Vec<(i64, String)> {
        let stamp = |row: &Value| (row["stamp_type"].as_i64().unwrap(), row["created_at"].as_str().unwrap().to_owned());
        answer.body().as_array().unwrap().iter().map(stamp).collect()
    };
    let of_day = kinds(&desk.get("stamp_logs/daily/2026-04-09"));
    assert_eq!(of_day.iter().map(|stamp| stamp.0).collect::<Vec<_>>(), [1, 7, 8, 2]);
    assert_eq!(of_day[0].1, "2026-04-09T08:57:00.000+09:00");
    let of_person = kinds(&desk.get("stamp_logs/user/41?limit=100"));
    assert_eq!(of_person.len(), 8);
    assert!(of_person.windows(2).all(|pair| pair[0].1 > pair[1].1));
    assert_eq!(total(&desk.get("stamp_logs/user/41?stamp_type=1")), 2);
    for (path, status) in [("stamp_logs/user/42", 404), ("stamp_logs/user/x", 400), ("stamp_logs/daily/x", 400)] {
        assert_eq!(desk.get(path).status(), Some(status), "{path}");
    }
}
