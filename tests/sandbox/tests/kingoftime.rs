//! KING OF TIME: every rule has a line, and what the lines do not touch.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use jiff::civil::date;
use renkei_sandbox::kingoftime::rules::{self, Desk};
use renkei_sandbox::kingoftime::{EmptyDays, Item, sample};
use renkei_sandbox::rules::check_family;
use renkei_sandbox::wire::{SimRequest, SimResponse};
use serde_json::{Value, json};

#[test]
fn every_rule_has_a_line_and_comes_out() {
    let report = check_family("K", rules::COUNT, rules::RULES);
    assert_eq!(report.lines.len(), rules::RULES.len());
    assert_eq!(report.failed(), 0, "\n{report}");
}

fn send(desk: &mut Desk, method: &str, path: &str, body: &Value) -> SimResponse {
    let request = SimRequest::new(method, &format!("/v1.0/{path}")).with_bearer(&desk.token).with_json(body);
    desk.raw(request)
}

fn code(answer: &SimResponse) -> Value {
    answer.body()["errors"][0]["code"].clone()
}

#[test]
fn k12_a_replaced_token_is_void_and_its_heir_has_the_same_rights() {
    let mut desk = Desk::open().unwrap();
    let old = desk.token.clone();
    let available =
        |desk: &mut Desk, token: &str| desk.get(&format!("tokens/{token}/available")).body()["available"].clone();
    assert_eq!(available(&mut desk, &old), true);
    let answer = send(&mut desk, "POST", &format!("tokens/{old}"), &Value::Null);
    assert_eq!(answer.status(), Some(201));
    assert_eq!(code(&desk.get("employees")), 100);
    answer.body()["token"].as_str().unwrap().clone_into(&mut desk.token);
    assert_eq!(desk.get("employees").status(), Some(200));
    assert_eq!(available(&mut desk, &old), false);
    let path = format!("tokens/{}", desk.token);
    assert_eq!(send(&mut desk, "DELETE", &path, &Value::Null).status(), Some(204));
    assert_eq!(code(&desk.get("employees")), 100);
    let log = format!("{:?}", desk.company().unwrap().log());
    assert!(!log.contains(&old), "a token stands in the log");
}

#[test]
fn k13_a_punch_needs_the_right_a_person_and_a_time_and_is_on_record_as_a_write() {
    let mut desk = Desk::open().unwrap();
    let key = desk.company().unwrap().employees()[0].key.clone();
    let path = format!("daily-workings/timerecord/{key}");
    let punch = json!({ "date": "2026-04-09", "time": "2026-04-09T09:01:00+09:00" });
    assert_eq!(code(&send(&mut desk, "POST", &path, &punch)), 100, "reading is no writing");
    desk.company().unwrap().tokens_mut()[0].items.insert(Item::Punching);
    // At nine, when nobody may read.
    desk.wait(4 * 3_600_000);
    let answer = send(&mut desk, "POST", &path, &punch);
    assert_eq!((answer.status(), &answer.body()["code"]), (Some(201), &json!("1")));
    let nobody = send(&mut desk, "POST", "daily-workings/timerecord/nobody", &punch);
    assert_eq!(code(&nobody), 526);
    for time in ["09:01", "2026-04-09T09:01:00Z", ""] {
        let bad = json!({ "date": "2026-04-09", "time": time });
        assert_eq!(code(&send(&mut desk, "POST", &path, &bad)), 280, "{time}");
    }
    assert_eq!(desk.company().unwrap().stats().writes, 6);
}

#[test]
fn days_without_anything_have_zeros_or_no_item() {
    for (empty, items) in [(EmptyDays::Zeros, 2), (EmptyDays::Missing, 0)] {
        let mut desk = Desk::with(Desk::sample().set(|settings| settings.empty_days = empty)).unwrap();
        for list in ["daily-workings/2026-04-09", "daily-workings/timerecord/2026-04-09"] {
            assert_eq!(desk.get(list).body()["dailyWorkings"].as_array().unwrap().len(), items, "{list}");
        }
    }
}

#[test]
fn the_sample_has_every_kind_of_day_and_is_always_the_same() {
    let (first, last) = (date(2026, 3, 1), date(2026, 4, 9));
    let lists = || {
        let mut spec = sample::company("desk", 120, first, last, 1);
        spec.settings.empty_days = EmptyDays::Missing;
        let mut desk = Desk::with(spec).unwrap();
        ["daily-workings", "daily-workings/timerecord"]
            .map(|path| desk.get(&format!("{path}?start={first}&end={last}")).body().to_string())
    };
    let [totals, punches] = lists();
    assert_eq!([totals.clone(), punches.clone()], lists());
    let over_long = format!("\"totalWork\":{}", 24 * 60 + 30);
    for needle in ["fulltimeHoliday", "AM休", "PM休", "hourHolidays\":[{", "\"isError\":true", &over_long] {
        assert!(totals.contains(needle), "{needle}");
    }
    assert!(punches.contains("休憩開始") && !totals.contains("null"));
}
