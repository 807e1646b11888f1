//! HRMOS勤怠 beyond the numbered rules: keys, tokens, limits, faults; rows and lists stand in their own files.

#![allow(clippy::unwrap_used, reason = "a test that can not go on ends here")]

#[path = "hrmos/http.rs"]
mod http;
#[path = "hrmos/lists.rs"]
mod lists;
#[path = "hrmos/rows.rs"]
mod rows;

use jiff::civil::{Date, date};
use renkei_runtime::clock::Millis;
use renkei_sandbox::hrmos::rules::{self, Desk};
use renkei_sandbox::hrmos::{CompanySpec, Day, Hrmos, IpTarget, KeyLife, User, sample};
use renkei_sandbox::rules::{Proof, check_family};
use renkei_sandbox::wire::{SimRequest, SimResponse};
use serde_json::{Value, json};

const DAY: Date = date(2026, 4, 9);

/// One person, one day of 2026-04-09, seen the morning after.
fn one(record: Day) -> Desk {
    Desk::with(Desk::empty().user(User::new(41, Some("P1004"), "見本", "花子")).day(41, DAY, record)).unwrap()
}

/// The one row of 2026-04-09.
fn row(desk: &mut Desk) -> Value {
    let answer = desk.get("work_outputs/daily/2026-04-09");
    assert_eq!(answer.status(), Some(200), "{}", answer.body());
    assert_eq!(answer.body().as_array().unwrap().len(), 1);
    answer.body()[0].clone()
}

fn total(answer: &SimResponse) -> u64 {
    answer.header("X-Total-Count").unwrap().parse().unwrap()
}

/// So many people without any day.
fn crowd(people: i64) -> CompanySpec {
    (1..=people).fold(Desk::empty(), |spec, id| spec.user(User::new(id, Some(&format!("P{id}")), "見本", "花子")))
}

#[test]
fn every_hrmos_rule_has_a_line() {
    let ids: Vec<&str> = rules::RULES.iter().map(|rule| rule.id).collect();
    assert_eq!(ids, (1..=21).map(|number| format!("H{number}")).collect::<Vec<_>>());
    let report = check_family("H", rules::COUNT, rules::RULES);
    assert_eq!(report.failed(), 0, "\n{report}");
    let untouched = rules::RULES.iter().filter(|rule| matches!(rule.proof, Proof::NotTouched(_)));
    assert_eq!(untouched.map(|rule| rule.id).collect::<Vec<_>>(), ["H11", "H19"]);
}

#[test]
fn a_key_and_its_tokens_end_as_the_switches_say() {
    const HOUR: i64 = 3_600_000;
    let key = sample::key("desk");
    let status = |desk: &mut Desk| {
        let key = sample::key("desk");
        desk.raw(Desk::token_request(&key)).status().unwrap()
    };
    // The desk's key is of 2026-04-10 05:00; three months later is 91 days later.
    for (life, hours) in
        [(KeyLife::Months(3), 91 * 24), (KeyLife::Days(90), 90 * 24), (KeyLife::MonthsToTheDay(3), 91 * 24 + 19)]
    {
        let mut desk = Desk::shut(crowd(1).set(|settings| settings.key_life = life)).unwrap();
        desk.wait(hours * HOUR - 1);
        assert_eq!(status(&mut desk), 200, "{life:?}");
        assert_eq!(desk.company().unwrap().key_expires_at().0, desk.now.0 + 1);
        let answer = desk.raw(Desk::token_request(&key));
        desk.take(&answer).unwrap();
        desk.wait(1);
        assert_eq!(status(&mut desk), 401, "{life:?}");
        assert_eq!(desk.get("users").status(), Some(200), "a token outlives its key");
        desk.set(|settings| settings.token_survives_key_expiry = false).unwrap();
        assert_eq!(desk.get("users").status(), Some(401));
    }
    for (revokes, ends, old_key, old_token) in
        [(true, false, 401, 200), (false, false, 200, 200), (true, true, 401, 401)]
    {
        let spec = crowd(1).set(|settings| {
            (settings.regenerate_revokes_old, settings.regenerate_ends_tokens) = (revokes, ends);
        });
        let mut desk = Desk::with(spec).unwrap();
        let now = desk.now;
        desk.company().unwrap().regenerate_key(now, "bmV3LWtleQ==");
        assert_eq!(status(&mut desk), old_key);
        assert_eq!(desk.raw(Desk::token_request("bmV3LWtleQ==")).status(), Some(200));
        assert_eq!(desk.get("users").status(), Some(old_token));
    }
}

#[test]
fn a_token_is_issued_postponed_and_destroyed() {
    let mut desk = Desk::shut(crowd(1)).unwrap();
    let answer = desk.raw(Desk::token_request(&sample::key("desk")));
    assert_eq!(answer.body()["expired_at"], "2026-04-11T05:00:00.000+09:00");
    desk.take(&answer).unwrap();
    desk.wait(86_399_999);
    let postponed = desk.call("PUT", "authentication/postpone");
    assert_eq!(postponed.body()["expired_at"], "2026-04-12T04:59:59.999+09:00");
    assert_eq!(postponed.body()["token"], desk.token());
    desk.wait(86_400_000);
    assert_eq!(desk.call("PUT", "authentication/postpone").status(), Some(401));
    desk.set(|settings| (settings.postpone_keeps_token, settings.several_tokens) = (false, false)).unwrap();
    desk.renew().unwrap();
    let postponed = desk.call("PUT", "authentication/postpone");
    assert_eq!(desk.get("users").status(), Some(401), "the former text is void");
    desk.take(&postponed).unwrap();
    assert_eq!(desk.get("users").status(), Some(200));
    let older = desk.token().to_owned();
    desk.renew().unwrap();
    let with_older = Desk::request("GET", "users").with_header("Authorization", format!("Token {older}"));
    assert_eq!(desk.raw(with_older).status(), Some(401), "a newer token ends it");
    let destroyed = desk.call("DELETE", "authentication/destroy");
    assert_eq!((destroyed.status(), &destroyed.body()["token"]), (Some(200), &json!(desk.token())));
    assert_eq!(desk.call("DELETE", "authentication/destroy").status(), Some(401));
    let tokens: Vec<Option<u64>> = desk.company().unwrap().log().calls().map(|call| call.token).collect();
    assert_eq!(tokens.first(), Some(&None));
    assert_eq!(desk.company().unwrap().stats().tokens, 3);
}

#[test]
fn checks_run_in_their_order() {
    let mut desk = Desk::with(crowd(1).set(|settings| settings.calls_per_window = 3)).unwrap();
    let here = desk.hrmos.caller();
    desk.company().unwrap().restrict_ip(IpTarget::Whole, &[]);
    assert_eq!(desk.get("nowhere").status(), Some(403), "the address comes before token and path");
    assert_eq!(desk.raw(Desk::token_request("wrong")).status(), Some(403));
    let over = desk.raw(Desk::token_request("wrong"));
    assert_eq!(over.status(), Some(429), "the minute comes before the address");
    assert_eq!(over.header("Retry-After"), None);
    let SimResponse::Answer(over) = over else { panic!("reset") };
    assert!(over.body.is_empty() && !over.content_type.contains("json"));
    assert_eq!(desk.raw(SimRequest::new("GET", "/api/other/v1/users")).status(), Some(404), "the company comes first");
    assert_eq!(desk.hrmos.strays().len(), 1);
    desk.company().unwrap().restrict_ip(IpTarget::Whole, &[here]);
    desk.wait(60_000);
    assert_eq!(desk.raw(Desk::request("GET", "nowhere")).status(), Some(401), "the token comes before the path");
    assert_eq!(desk.get("nowhere").status(), Some(404));
    assert_eq!(desk.call("POST", "users").status(), Some(405));
}

#[test]
fn only_the_target_whole_blocks_calls() {
    let mut desk = Desk::with(crowd(1)).unwrap();
    for (target, newer_block, status) in [
        (IpTarget::Off, true, 200),
        (IpTarget::Whole, false, 403),
        (IpTarget::AdminScreens, true, 200),
        (IpTarget::ByMenu, false, 200),
        (IpTarget::ByMenu, true, 403),
        (IpTarget::ByRole, true, 403),
    ] {
        desk.company().unwrap().restrict_ip(target, &["198.51.100.1".parse().unwrap()]);
        desk.set(|settings| settings.newer_ip_targets_block = newer_block).unwrap();
        assert_eq!(desk.get("users").status(), Some(status), "{target:?}");
    }
    desk.set(|settings| (settings.ip_html, settings.ip_status) = (true, 403)).unwrap();
    assert!(desk.get("users").header("content-type").is_none());
    let SimResponse::Answer(page) = desk.get("users") else { panic!("reset") };
    assert!(page.content_type.starts_with("text/html") && page.status == 403);
    desk.hrmos.set_caller("198.51.100.1".parse().unwrap());
    assert_eq!(desk.get("users").status(), Some(200));
}

#[test]
fn the_window_rolls_and_counts_what_it_refuses() {
    for (refused_count, after) in [(true, 429), (false, 200)] {
        let mut desk = Desk::with(crowd(1).set(|settings| settings.refused_calls_count = refused_count)).unwrap();
        // The token was the first call; 59 more are one a second.
        for _ in 0..59 {
            desk.wait(1_000);
            assert_eq!(desk.get("users").status(), Some(200));
        }
        assert_eq!(desk.get("users").status(), Some(429));
        // The token's call leaves the window; the refused one stands in its place, or not.
        desk.wait(1_000);
        assert_eq!(desk.get("users").status(), Some(after));
    }
    let mut desk = Desk::with(crowd(1).set(|settings| settings.retry_after = Some(7))).unwrap();
    let now = desk.now;
    desk.company().unwrap().outside_calls(now, 59);
    assert_eq!(desk.get("users").header("Retry-After"), Some("7"));
}

#[test]
fn errors_come_with_the_status_and_code_that_are_set() {
    let spec = crowd(1).set(|settings| {
        (settings.key_status, settings.token_status, settings.parameter_status) = (403, 400, 422);
        settings.error_code = Some(9);
    });
    let mut desk = Desk::with(spec).unwrap();
    assert_eq!(desk.raw(Desk::token_request("wrong")).status(), Some(403));
    assert_eq!(desk.raw(Desk::request("GET", "users")).status(), Some(400));
    let answer = desk.get("work_outputs/daily/2026-04-31");
    assert_eq!((answer.status(), &answer.body()["code"]), (Some(422), &json!(9)));
}

#[test]
fn faults_strike_as_often_as_ordered_and_where_ordered() {
    let mut desk = Desk::with(crowd(120)).unwrap();
    let daily = "work_outputs/daily/2026-04-09?limit=100";
    desk.fault(|faults| (faults.server_errors, faults.only_path, faults.after) = (2, Some("/daily/".to_owned()), 1))
        .unwrap();
    let statuses: Vec<_> = [daily, "users", daily, daily, daily].iter().map(|path| desk.get(path).status()).collect();
    assert_eq!(statuses, [200, 200, 500, 500, 200].map(Some));
    desk.fault(|faults| (faults.only_path, faults.resets) = (None, 1)).unwrap();
    assert!(matches!(desk.get(daily), SimResponse::Reset { .. }));
    assert_eq!(desk.company().unwrap().log().calls().last().unwrap().status, 0);
    desk.fault(|faults| (faults.too_many, faults.unauthorized) = (1, 1)).unwrap();
    assert_eq!([desk.get(daily).status(), desk.get(daily).status()], [429, 401].map(Some));
    desk.fault(|faults| (faults.html_answers, faults.cut_bodies) = (1, 1)).unwrap();
    let answers = [desk.get(daily), desk.get(daily)];
    assert!(answers.iter().all(|answer| answer.status() == Some(200) && answer.body() == Value::Null));
    desk.fault(|faults| faults.without_totals = 1).unwrap();
    let answer = desk.get(daily);
    assert!(answer.header("X-Total-Page").is_none() && answer.header("Link").is_none());
    desk.fault(|faults| (faults.slow_answers, faults.slow_answer_ms) = (1, 40_000)).unwrap();
    let SimResponse::Answer(slow) = desk.get(daily) else { panic!("reset") };
    assert_eq!(slow.delay.as_millis(), 40_000);
    let end = Millis(desk.now.0 + 60_000);
    desk.fault(|faults| faults.unavailable_until = Some(end)).unwrap();
    assert_eq!(desk.get(daily).status(), Some(503));
    desk.wait(60_000);
    assert_eq!(desk.get(daily).status(), Some(200));
}

#[test]
fn the_log_holds_no_secret() {
    let mut desk = Desk::with(crowd(1)).unwrap();
    let (key, token) = (sample::key("desk"), desk.token().to_owned());
    let escaped = key.replace('=', "%3D");
    for path in [
        format!("users?key={key}"),
        format!("users?key={escaped}"),
        format!("users?t={token}&page=1"),
        format!("users/{token}"),
    ] {
        desk.get(&path);
    }
    let log = serde_json::to_string(&desk.company().unwrap().log().calls().collect::<Vec<_>>()).unwrap();
    assert!(!log.contains(&key) && !log.contains(&escaped) && !log.contains(&token), "{log}");
    assert_eq!(log.matches("redacted").count(), 4);
    let debug = format!("{:?} {:?}", desk.hrmos, Desk::sample());
    assert!(!debug.contains(&key) && !debug.contains(&token) && !debug.contains("見本"));
}

#[test]
fn companies_do_not_touch_each_other() {
    let now = Millis(1_775_764_800_000);
    let spec = |id: &str| CompanySpec::new(id, now).user(User::new(1, Some(id), "見本", "一"));
    let mut hrmos = Hrmos::new().with(spec("a")).unwrap().with(spec("b")).unwrap();
    assert!(hrmos.add(spec("a")).is_err() && hrmos.add(spec("a/b")).is_err());
    let twice = spec("c").user(User::new(1, None, "見本", "二"));
    assert!(hrmos.add(twice).is_err());
    let ask = |hrmos: &mut Hrmos, company: &str, path: &str, authorization: String| {
        let request = SimRequest::new("GET", &format!("/api/{company}/v1/{path}"));
        hrmos.handle(now, request.with_header("Authorization", authorization))
    };
    let token = ask(&mut hrmos, "a", "authentication/token", format!("Basic {}", sample::key("a"))).body();
    let token = format!("Token {}", token["token"].as_str().unwrap());
    assert_eq!(ask(&mut hrmos, "a", "users", token.clone()).body()[0]["number"], "a");
    assert_eq!(ask(&mut hrmos, "b", "users", token.clone()).status(), Some(401));
    assert_eq!(ask(&mut hrmos, "b", "authentication/token", format!("Basic {}", sample::key("a"))).status(), Some(401));
    hrmos.company("a").unwrap().outside_calls(now, 60);
    assert_eq!(ask(&mut hrmos, "a", "users", token.clone()).status(), Some(429));
    assert_eq!(ask(&mut hrmos, "b", "users", token).status(), Some(401));
    assert!(hrmos.remove("a") && !hrmos.remove("a"));
}
