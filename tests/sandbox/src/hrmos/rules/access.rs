//! Root, key and token: rules 1 to 7.

use base64::Engine as _;
use renkei_runtime::clock::Millis;
use serde_json::Value;

use super::desk::{Desk, passed, refused, text};
use crate::hrmos::Settings;
use crate::rules::{Shown, ensure};
use crate::wire::SimRequest;

const HOUR: i64 = 3_600_000;
/// 91 days: from 10 April to 10 July.
const THREE_MONTHS: i64 = 91 * 24 * HOUR;
/// A key that the screen has made anew.
const NEW_KEY: &str = "ZGVzazpzZWNvbmQta2V5";

pub(super) fn guesses_the_root() -> Shown {
    let mut desk = Desk::open()?;
    let token = format!("Token {}", desk.token());
    for path in
        ["/api/v1/users", "/api/v1/desk/users", "/api/desk/v2/users", "/desk/api/v1/users", "/api/desk/login/v1"]
    {
        refused(&desk.raw(SimRequest::new("GET", path).with_header("Authorization", token.clone())), 404)?;
    }
    ensure!(desk.hrmos.strays().len() == 5, "not all on record");
    Ok(())
}

/// The company of a pasted login URL, on whatever host.
fn company_of(pasted: &str) -> Option<&str> {
    let rest = pasted
        .trim()
        .strip_prefix("https://")
        .map_or(pasted.trim(), |rest| rest.split_once('/').map_or("", |parts| parts.1));
    rest.split(['/', '?']).next().filter(|company| !company.is_empty())
}

pub(super) fn takes_the_login_url() -> Shown {
    let mut desk = Desk::open()?;
    for pasted in
        ["desk", "https://ieyasu.co/desk/login", " https://f.ieyasu.co/desk/login?x=1", "https://p.ieyasu.co/desk"]
    {
        let company = company_of(pasted).ok_or_else(|| format!("no company in {pasted}"))?;
        let request = SimRequest::new("GET", &format!("/api/{company}/v1/users"));
        let token = format!("Token {}", desk.token());
        passed(&desk.raw(request.with_header("Authorization", token)))?;
    }
    Ok(())
}

pub(super) fn encodes_again() -> Shown {
    let mut desk = Desk::open()?;
    let key = desk.company()?.key().to_owned();
    let base64 = base64::engine::general_purpose::STANDARD;
    refused(&desk.raw(Desk::token_request(&base64.encode(&key))), 401)?;
    // As a library does with a user name and an empty password.
    refused(&desk.raw(Desk::token_request(&base64.encode(format!("{key}:")))), 401)?;
    refused(&desk.raw(Desk::request("GET", "authentication/token")), 401)?;
    for scheme in ["Token", "Bearer", "basic", "Basic "] {
        let request =
            Desk::request("GET", "authentication/token").with_header("Authorization", format!("{scheme} {key}"));
        refused(&desk.raw(request), 401)?;
    }
    refused(&desk.raw(Desk::request("GET", &format!("authentication/token?key={key}"))), 401)
}

pub(super) fn sends_the_key_as_it_is() -> Shown {
    let mut desk = Desk::shut(Desk::sample())?;
    let key = desk.company()?.key().to_owned();
    let answer = desk.raw(Desk::token_request(&key));
    passed(&answer)?;
    desk.take(&answer)?;
    passed(&desk.get("users"))
}

pub(super) fn keeps_the_old_key() -> Shown {
    let mut desk = Desk::open()?;
    let key = desk.company()?.key().to_owned();
    desk.wait(THREE_MONTHS - 1);
    passed(&desk.raw(Desk::token_request(&key)))?;
    desk.wait(1);
    refused(&desk.raw(Desk::token_request(&key)), 401)?;
    // It ends at once when another one is made.
    let mut desk = Desk::open()?;
    let now = desk.now;
    desk.company()?.regenerate_key(now, NEW_KEY);
    refused(&desk.raw(Desk::token_request(&key)), 401)
}

pub(super) fn enters_the_new_key() -> Shown {
    let mut desk = Desk::open()?;
    desk.wait(THREE_MONTHS);
    let now = desk.now;
    desk.company()?.regenerate_key(now, NEW_KEY);
    let answer = desk.raw(Desk::token_request(NEW_KEY));
    desk.take(&answer)?;
    passed(&desk.get("users"))
}

pub(super) fn keeps_the_token() -> Shown {
    let mut desk = Desk::open()?;
    desk.wait(24 * HOUR - 1);
    passed(&desk.get("users"))?;
    desk.wait(1);
    refused(&desk.get("users"), 401)
}

pub(super) fn reads_the_end() -> Shown {
    let mut desk = Desk::open()?;
    let key = desk.company()?.key().to_owned();
    for _ in 0..3 {
        let body = desk.raw(Desk::token_request(&key)).body();
        let written = text(&body, "expired_at").to_owned();
        ensure!(written.len() == 29 && written.ends_with("+09:00"), "written as {written}");
        let end: jiff::Timestamp = written.parse().map_err(|_| format!("{written} is no instant"))?;
        let left = Millis::from(end).0 - desk.now.0;
        ensure!(left == 24 * HOUR, "{left} ms are left");
        desk.wait(left - 60_000);
    }
    Ok(())
}

pub(super) fn sends_bearer() -> Shown {
    let mut desk = Desk::open()?;
    let (token, key) = (desk.token().to_owned(), desk.company()?.key().to_owned());
    for wrong in [
        format!("Bearer {token}"),
        format!("token {token}"),
        format!("Basic {key}"),
        format!("Token {key}"),
        token.clone(),
        "Token ".to_owned(),
    ] {
        refused(&desk.raw(Desk::request("GET", "users").with_header("Authorization", wrong)), 401)?;
    }
    refused(&desk.raw(Desk::request("GET", "users")), 401)
}

pub(super) fn sends_token() -> Shown {
    for accept_bearer in [false, true] {
        let mut desk =
            Desk::with(Desk::sample().set(|settings: &mut Settings| settings.accept_bearer = accept_bearer))?;
        passed(&desk.get("users"))?;
    }
    Ok(())
}

pub(super) fn postpones_too_late() -> Shown {
    let mut desk = Desk::open()?;
    desk.wait(24 * HOUR);
    refused(&desk.call("PUT", "authentication/postpone"), 401)
}

pub(super) fn postpones_in_time() -> Shown {
    for keeps in [true, false] {
        let mut desk = Desk::with(Desk::sample().set(|settings| settings.postpone_keeps_token = keeps))?;
        for _ in 0..3 {
            desk.wait(24 * HOUR - 1);
            let answer = desk.call("PUT", "authentication/postpone");
            passed(&answer)?;
            let same = answer.body().get("token").and_then(Value::as_str) == Some(desk.token());
            ensure!(same == keeps, "the text is the same: {same}");
            // Whatever comes back is what counts from now on.
            desk.take(&answer)?;
        }
        passed(&desk.get("users"))?;
    }
    Ok(())
}

pub(super) fn uses_a_destroyed_token() -> Shown {
    let mut desk = Desk::open()?;
    passed(&desk.call("DELETE", "authentication/destroy"))?;
    refused(&desk.get("users"), 401)?;
    refused(&desk.call("PUT", "authentication/postpone"), 401)
}

pub(super) fn destroys_last() -> Shown {
    let mut desk = Desk::open()?;
    let day = desk.yesterday()?;
    desk.all(&format!("work_outputs/daily/{day}"))?;
    let answer = desk.call("DELETE", "authentication/destroy");
    passed(&answer)?;
    ensure!(text(&answer.body(), "token") == desk.token(), "another token was destroyed");
    desk.renew()?;
    passed(&desk.get("users"))
}
