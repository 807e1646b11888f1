//! A: tokens and credentials. P: 操作対象の管理.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::desk::{Desk, passed, person, refused};
use super::{Rule, Shown, ensure, run};
use crate::kaonavi::{Operation, Permissions, Settings, SimRequest};

pub(super) const RULES: &[Rule] = &[
    run("A1", "a token needs key and secret", wrong_secret, right_secret),
    run("A2", "the token call is a form", token_by_json, right_secret),
    run("A3", "the life of a token is called expire_in", reads_expires_in, reads_expire_in),
    run("A4", "five tokens an hour", token_per_call, one_token),
    run("A5", "a token lives 3,600 s", old_token, token_renewed),
    run("A6", "the token goes into Kaonavi-Token", token_elsewhere, token_in_place),
    run("A7", "new credentials end the old ones and their tokens", old_credentials, new_credentials),
    run("A8", "a new token may or may not end older ones", older_token, newest_token),
    run("P1", "everything is off at first", nothing_ticked, all_ticked),
    run("P2", "what is off answers 403", update_not_ticked, all_ticked),
    run("P3", "取得, 登録 and 更新 stand for GET, POST and PATCH", boxes_mixed_up, all_ticked),
    run("P4", "layout and tasks need no box", box_needed_after_all, no_box_needed),
];

fn wrong_secret() -> Shown {
    let mut desk = Desk::open()?;
    refused(&desk.raw(SimRequest::for_token("key-desk", "wrong")), 401)?;
    refused(&desk.raw(SimRequest::for_token("unknown", "secret-desk")), 401)?;
    let mut nameless = desk.token_request();
    nameless.headers.retain(|(name, _)| name != "Authorization");
    refused(&desk.raw(nameless), 401)
}

fn right_secret() -> Shown {
    let mut desk = Desk::open()?;
    let request = desk.token_request();
    passed(&desk.raw(request))
}

fn token_by_json() -> Shown {
    let mut desk = Desk::open()?;
    let mut request = desk.token_request();
    request.headers.retain(|(name, _)| name != "Content-Type");
    let body = json!({ "grant_type": "client_credentials" });
    refused(&desk.raw(request.clone().with_json(&body)), 400)?;
    request.body = b"grant_type=password".to_vec();
    refused(&desk.raw(request.with_header("Content-Type", "application/x-www-form-urlencoded")), 400)
}

fn reads_expires_in() -> Shown {
    let mut desk = Desk::open()?;
    let request = desk.token_request();
    let body = desk.raw(request).body();
    ensure!(body.get("expires_in").is_none(), "expires_in is there");
    Ok(())
}

fn reads_expire_in() -> Shown {
    let mut desk = Desk::open()?;
    let request = desk.token_request();
    let body = desk.raw(request).body();
    let keys: BTreeSet<&str> = body.as_object().into_iter().flat_map(|map| map.keys().map(String::as_str)).collect();
    ensure!(keys == BTreeSet::from(["access_token", "token_type", "expire_in"]), "keys {keys:?}");
    ensure!(body.get("expire_in") == Some(&json!(3600)) && body.get("token_type") == Some(&json!("Bearer")), "values");
    Ok(())
}

fn token_per_call() -> Shown {
    let mut desk = Desk::open()?;
    for _ in 0..4 {
        desk.wait(60_000);
        desk.renew()?;
    }
    let request = desk.token_request();
    refused(&desk.raw(request), 429)
}

fn one_token() -> Shown {
    let mut desk = Desk::open()?;
    for _ in 0..50 {
        desk.wait(60_000);
        passed(&desk.get("member_layouts"))?;
    }
    let now = desk.now;
    ensure!(desk.company()?.stats(now).peak_tokens_per_hour == 1, "more than one token");
    Ok(())
}

fn old_token() -> Shown {
    let mut desk = Desk::open()?;
    desk.wait(3_599_999);
    passed(&desk.get("member_layouts"))?;
    desk.wait(1);
    refused(&desk.get("member_layouts"), 401)
}

fn token_renewed() -> Shown {
    let mut desk = Desk::open()?;
    for _ in 0..6 {
        desk.wait(3_300_000);
        desk.renew()?;
        passed(&desk.get("member_layouts"))?;
    }
    Ok(())
}

fn token_elsewhere() -> Shown {
    let mut desk = Desk::open()?;
    let token = desk.token().to_owned();
    let request = SimRequest::new("GET", "/api/v2.0/members");
    refused(&desk.raw(request.clone()), 401)?;
    refused(&desk.raw(request.clone().with_header("Authorization", format!("Bearer {token}"))), 401)?;
    refused(&desk.raw(request.clone().with_header("X-KAONAVI-TOKEN", token.clone())), 401)?;
    refused(&desk.raw(request.with_header("Kaonavi-Token", format!("Bearer {token}"))), 401)
}

fn token_in_place() -> Shown {
    passed(&Desk::open()?.get("members"))
}

fn old_credentials() -> Shown {
    let mut desk = Desk::open()?;
    desk.kaonavi.reissue("desk", "new-key", "new-secret").map_err(|error| error.to_string())?;
    refused(&desk.get("members"), 401)?;
    let request = desk.token_request();
    refused(&desk.raw(request), 401)
}

fn new_credentials() -> Shown {
    let mut desk = Desk::open()?;
    desk.kaonavi.reissue("desk", "new-key", "new-secret").map_err(|error| error.to_string())?;
    passed(&desk.raw(SimRequest::for_token("new-key", "new-secret")))
}

fn older_token() -> Shown {
    let strict = Settings { new_token_revokes_old: true, ..Settings::default() };
    let mut desk = Desk::with(|spec| spec.settings = strict)?;
    let older = desk.token().to_owned();
    desk.renew()?;
    refused(&desk.raw(SimRequest::new("GET", "/api/v2.0/members").with_token(&older)), 401)
}

fn newest_token() -> Shown {
    for revokes in [false, true] {
        let settings = Settings { new_token_revokes_old: revokes, ..Settings::default() };
        let mut desk = Desk::with(|spec| spec.settings = settings)?;
        let older = desk.token().to_owned();
        desk.renew()?;
        passed(&desk.get("members"))?;
        let with_older = desk.raw(SimRequest::new("GET", "/api/v2.0/members").with_token(&older));
        ensure!((with_older.status() == Some(200)) != revokes, "older token answers {:?}", with_older.status());
    }
    Ok(())
}

fn ticked(members: &[Operation]) -> Result<Desk, String> {
    let members = members.iter().copied().collect();
    Desk::with(|spec| spec.permissions = Permissions { members, ..Permissions::default() })
}

fn nothing_ticked() -> Shown {
    let mut desk = Desk::with(|spec| spec.permissions = Permissions::default())?;
    refused(&desk.get("members"), 403)?;
    refused(&desk.get("departments"), 403)?;
    refused(&desk.write("POST", json!([person("A1")])), 403)?;
    refused(&desk.write("PATCH", json!([person("A1")])), 403)
}

fn all_ticked() -> Shown {
    let mut desk = Desk::open()?;
    passed(&desk.get("members"))?;
    desk.hired(person("A1"))?;
    let answer = desk.write("PATCH", json!([person("A1")]));
    desk.done(&answer)
}

fn update_not_ticked() -> Shown {
    let mut desk = ticked(&[Operation::Read, Operation::Create])?;
    desk.hired(person("A1"))?;
    // Decided before the body: this one is broken as well.
    refused(&desk.write("PATCH", Value::Null), 403)?;
    refused(&desk.write("PATCH", json!([person("A1")])), 403)
}

fn boxes_mixed_up() -> Shown {
    for (open, answers) in [
        (Operation::Read, [200, 403, 403]),
        (Operation::Create, [403, 200, 403]),
        (Operation::Update, [403, 403, 200]),
        (Operation::Delete, [403, 403, 403]),
    ] {
        let mut desk = ticked(&[open])?;
        let got = [
            desk.get("members").status(),
            desk.write("POST", json!([person("A1")])).status(),
            desk.write("PATCH", json!([person("A1")])).status(),
        ];
        ensure!(got == answers.map(Some), "{open:?} alone answers {got:?}");
    }
    Ok(())
}

fn box_needed_after_all() -> Shown {
    let settings = Settings { layout_needs_target: true, tasks_need_target: true, ..Settings::default() };
    let mut desk = Desk::with(|spec| (spec.settings, spec.permissions) = (settings, Permissions::default()))?;
    refused(&desk.get("member_layouts"), 403)?;
    refused(&desk.get("tasks/1"), 403)
}

fn no_box_needed() -> Shown {
    let mut desk = ticked(&[Operation::Create])?;
    passed(&desk.get("member_layouts"))?;
    desk.hired(person("A1"))
}
