//! The state machine beyond the numbered rules: who is named, what poisons, what is on record.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

use std::collections::BTreeSet;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use renkei_sandbox::kaonavi::{CompanySpec, NameMembers, Settings, SimRequest, WindowKind, max_in_window, sample};
use renkei_sandbox::rules::Desk;
use serde_json::{Value, json};

fn named(mode: NameMembers, quote: bool) -> Desk {
    let settings = Settings { errors_name: mode, messages_name: mode, quote_values: quote, ..Settings::default() };
    Desk::with(|spec| spec.settings = settings).unwrap()
}

fn person(code: &str) -> Value {
    json!({ "code": code, "name": "試験 太郎" })
}

#[test]
fn errors_and_messages_name_by_code_by_index_or_nobody() {
    let cases = [
        (NameMembers::Code, false, "B2: gender の値が不正です", "B2: 登録できない値が含まれています"),
        (
            NameMembers::Index,
            false,
            "member_data.1.gender の値が不正です",
            "member_data.1: 登録できない値が含まれています",
        ),
        (NameMembers::Nobody, true, "gender の値が不正です(値: 男)", "登録できない値が含まれています"),
    ];
    for (mode, quote, error, message) in cases {
        let mut desk = named(mode, quote);
        let mut bad = person("B2");
        bad["gender"] = json!("男");
        let answer = desk.write("POST", json!([person("B1"), bad]));
        assert_eq!(answer.body(), json!({ "errors": [error] }), "{mode:?}");
        desk.fault(|faults| faults.ng_codes = BTreeSet::from(["B2".to_owned()])).unwrap();
        let answer = desk.write("POST", json!([person("B1"), person("B2"), person("B3")]));
        assert_eq!(desk.ended(&answer).unwrap(), "NG");
        let task = desk.get(&format!("tasks/{}", answer.task_id().unwrap())).body();
        assert_eq!(task["messages"], json!([message]), "{mode:?}");
        assert!(desk.member("B1").is_none(), "nothing of an NG task is applied");
    }
}

#[test]
fn a_poisonous_code_is_refused_at_the_door_until_it_is_taken_back() {
    let mut desk = named(NameMembers::Code, false);
    desk.fault(|faults| faults.bad_codes = BTreeSet::from(["B2".to_owned()])).unwrap();
    assert_eq!(desk.write("POST", json!([person("B1"), person("B2")])).status(), Some(400));
    desk.fault(|faults| faults.bad_codes.clear()).unwrap();
    desk.hired(person("B2")).unwrap();
}

#[test]
fn refused_calls_and_strange_methods_are_on_record() {
    let mut desk = Desk::open().unwrap();
    desk.write("POST", json!([{ "code": "A1" }]));
    for (method, path) in
        [("PUT", "members"), ("PUT", "members/overwrite"), ("POST", "members/delete"), ("DELETE", "members")]
    {
        let body = json!({ "codes": ["A1"] });
        let answer = desk.call(SimRequest::new(method, &format!("/api/v2.0/{path}")).with_json(&body));
        assert!(matches!(answer.status(), Some(404 | 405)), "{method} {path}");
        assert!(answer.body()["errors"].is_array());
    }
    let company = desk.company().unwrap();
    let seen: Vec<(String, u16)> =
        company.log().update_calls().map(|call| (call.method.clone(), call.status)).collect();
    let seen: Vec<(&str, u16)> = seen.iter().map(|(method, status)| (method.as_str(), *status)).collect();
    assert_eq!(seen, [("POST", 400), ("PUT", 405), ("PUT", 404), ("POST", 404), ("DELETE", 405)]);
    assert_eq!(company.log().update_calls().next().unwrap().codes, ["A1"]);
}

#[test]
fn a_held_task_goes_on_when_it_is_let_go() {
    let mut desk = Desk::open().unwrap();
    desk.fault(|faults| faults.hold_tasks = true).unwrap();
    let answer = desk.write("POST", json!([person("A1")]));
    let id = answer.task_id().unwrap();
    desk.wait(100_000);
    assert_eq!(desk.status(id).unwrap(), "RUNNING");
    desk.fault(|faults| faults.hold_tasks = false).unwrap();
    let now = desk.now;
    assert_eq!(desk.status(id).unwrap(), "OK");
    assert_eq!(desk.company().unwrap().tasks().next().unwrap().ended_at, Some(now));
}

#[test]
fn the_department_list_needs_its_own_box() {
    let mut desk = Desk::open().unwrap();
    assert_eq!(desk.get("departments").status(), Some(403));
    let all = renkei_sandbox::kaonavi::Permissions::all();
    *desk.company().unwrap().permissions_mut() = all;
    assert_eq!(desk.get("departments").body()["department_data"][2]["parent_code"], "D300");
}

#[test]
fn a_company_needs_little_in_a_file() {
    let spec: CompanySpec = serde_json::from_value(
        json!({ "id": "a", "consumer_key": "k", "consumer_secret": "s", "settings": { "max_body": 1 } }),
    )
    .unwrap();
    assert_eq!(spec.settings, Settings { max_body: 1, ..Settings::default() });
    let whole = serde_json::to_value(sample::company_with_required_field("a")).unwrap();
    assert!(serde_json::from_value::<CompanySpec>(whole).is_ok());
    let wrong = json!({ "id": "a", "consumer_key": "k", "consumer_secret": "s", "setings": {} });
    assert!(serde_json::from_value::<CompanySpec>(wrong).is_err());
}

#[test]
fn no_call_over_the_limit_is_ever_accepted() {
    for (seed, kind) in (0..40).flat_map(|seed| [(seed, WindowKind::Rolling), (seed, WindowKind::Fixed)]) {
        let mut random = StdRng::seed_from_u64(seed);
        let settings = Settings { update_window: kind, ..Settings::default() };
        let mut desk = Desk::with(|spec| spec.settings = settings).unwrap();
        for number in 0..300 {
            desk.wait(random.random_range(0..20_000));
            if number % 100 == 99 {
                desk.renew().unwrap();
            }
            desk.write("POST", json!([person(&format!("N{number}"))]));
        }
        let company = desk.company().unwrap();
        let times: Vec<_> = company.log().update_calls().map(|call| (call.at, call.accepted)).collect();
        let accepted: Vec<_> = times.iter().filter(|(_, accepted)| *accepted).map(|(at, _)| *at).collect();
        // Judged without the product's window: each call against all others.
        for (at, was_accepted) in &times {
            let before = |other: &&renkei_runtime::clock::Millis| match kind {
                WindowKind::Rolling => other.0 > at.0 - 60_000 && **other < *at,
                WindowKind::Fixed => other.0 / 60_000 == at.0 / 60_000 && **other < *at,
            };
            let full = accepted.iter().filter(before).count() >= 5;
            let same_instant = accepted.iter().filter(|other| *other == at).count() > 1;
            assert!(*was_accepted != full || same_instant, "seed {seed}, at {at:?}");
        }
        if kind == WindowKind::Rolling {
            assert!(max_in_window(&accepted, 60_000) <= 5);
        }
    }
}

#[test]
fn time_never_goes_back() {
    let mut desk = Desk::open().unwrap();
    let answer = desk.write("POST", json!([person("A1")]));
    desk.wait(6_000);
    assert_eq!(desk.status(answer.task_id().unwrap()).unwrap(), "OK");
    desk.wait(-3_600_000);
    assert_eq!(desk.get("members").status(), Some(200));
    let company = desk.company().unwrap();
    let times: Vec<_> = company.log().calls().map(|call| call.at).collect();
    assert!(times.is_sorted());
}
