//! Root and token: rules 1, 2, 4 and 17.

use std::net::Ipv4Addr;

use super::desk::{Desk, code, passed, refused};
use crate::kingoftime::{CompanySpec, Item, KingOfTime, Network, Token, sample};
use crate::rules::{Shown, ensure};
use crate::wire::SimRequest;

pub(super) fn sends_token() -> Shown {
    let mut desk = Desk::open()?;
    let token = desk.token.clone();
    for header in [format!("Token {token}"), format!("Basic {token}"), token.clone()] {
        let request = SimRequest::new("GET", "/v1.0/employees").with_header("Authorization", header);
        refused(&desk.raw(request), 401, 111)?;
    }
    refused(&desk.raw(SimRequest::new("GET", &format!("/v1.0/tokens/{token}/available"))), 401, 111)?;
    for path in ["/employees", "/v1/employees", "/api/v1.0/employees"] {
        let status = desk.raw(SimRequest::new("GET", path).with_bearer(&token)).status();
        ensure!(status == Some(404), "{path} answers {status:?}");
    }
    Ok(())
}

pub(super) fn sends_bearer() -> Shown {
    let mut desk = Desk::open()?;
    passed(&desk.get("employees"))
}

fn with_fresh_token(change: impl FnOnce(&mut Token)) -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    // As it is issued: it may read, but from nowhere.
    let mut fresh = Token { networks: Vec::new(), ..Token::reading("fresh") };
    change(&mut fresh);
    desk.company()?.tokens_mut().push(fresh);
    "fresh".clone_into(&mut desk.token);
    Ok(desk)
}

pub(super) fn uses_a_fresh_token() -> Shown {
    refused(&with_fresh_token(|_| ())?.get("employees"), 403, 100)?;
    let here = Network::one(Ipv4Addr::new(203, 0, 113, 10));
    let mut desk = with_fresh_token(|token| (token.networks, token.items) = (vec![here], [Item::Daily].into()))?;
    passed(&desk.get("daily-workings"))?;
    refused(&desk.get("employees"), 403, 100)?;
    refused(&desk.get("daily-workings/timerecord"), 403, 100)?;
    let mut desk = with_fresh_token(|token| (token.networks, token.stopped) = (vec![here], true))?;
    refused(&desk.get("daily-workings"), 403, 100)?;
    "unknown".clone_into(&mut desk.token);
    refused(&desk.get("daily-workings"), 403, 100)
}

pub(super) fn sets_addresses_and_rights() -> Shown {
    let office = Network { address: Ipv4Addr::new(203, 0, 113, 0), bits: 24 };
    let mut desk = with_fresh_token(|token| token.networks = vec![office])?;
    for list in ["employees", "daily-workings", "daily-workings/timerecord"] {
        passed(&desk.get(list))?;
    }
    Ok(())
}

/// 09:00 on the desk's day.
const NINE: i64 = 4 * 3_600_000;

pub(super) fn goes_by_the_status() -> Shown {
    let mut desk = Desk::open()?;
    desk.wait(NINE);
    // A good token at the wrong hour and a wrong token have the same status.
    refused(&desk.get("employees"), 403, 104)?;
    "wrong".clone_into(&mut desk.token);
    refused(&desk.get("employees"), 403, 100)?;
    // Bad parameters are not seen before the minute has room again.
    let mut desk = Desk::open()?;
    let now = desk.now;
    desk.company()?.outside_calls(now, 60);
    refused(&desk.get("daily-workings?start=2026-04-01"), 429, 303)
}

pub(super) fn goes_by_the_code() -> Shown {
    let mut desk = Desk::open()?;
    desk.wait(NINE);
    let answer = desk.get("employees");
    ensure!(code(&answer) == Some(104), "not told from a wrong token");
    desk.wait(3_600_000);
    passed(&desk.get("employees"))
}

fn both() -> Result<(KingOfTime, KingOfTime, i64), String> {
    let made = |id: &str| KingOfTime::new().with(CompanySpec::new(id)).map_err(|error| error.to_string());
    Ok((made("kot")?, made("kinkakuji")?, Desk::open()?.now.0))
}

fn ask(service: &mut KingOfTime, now: i64, company: &str) -> Shown {
    let request = SimRequest::new("GET", "/v1.0/employees").with_bearer(&sample::token(company));
    passed(&service.handle(renkei_runtime::clock::Millis(now), request))
}

pub(super) fn mixes_them_up() -> Shown {
    let (mut one, mut other, now) = both()?;
    let crossed = ask(&mut one, now, "kinkakuji").is_err() && ask(&mut other, now, "kot").is_err();
    ensure!(crossed, "a token of the other service was taken");
    Ok(())
}

pub(super) fn keeps_them_apart() -> Shown {
    let (mut one, mut other, now) = both()?;
    ask(&mut one, now, "kot").and_then(|()| ask(&mut other, now, "kinkakuji"))
}
