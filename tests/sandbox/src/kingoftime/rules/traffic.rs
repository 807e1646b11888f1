//! Calls and what happens to them: rules 3, 14, 15 and 18.

use serde_json::Value;

use super::desk::{APART, Desk, code, items, passed, refused};
use crate::kingoftime::Faults;
use crate::rules::{Shown, ensure};
use crate::wire::SimRequest;

const MINUTE: i64 = 60_000;
const PUNCHES: &str = "daily-workings/timerecord?start=2026-04-07&end=2026-04-08";

/// The desk at so many minutes after 00:00 of its day.
fn at(minutes: i64) -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    desk.wait((minutes - 5 * 60) * MINUTE);
    Ok(desk)
}

pub(super) fn calls_at_nine() -> Shown {
    for minutes in [8 * 60 + 30, 9 * 60, 10 * 60 - 1, 17 * 60 + 30, 18 * 60 + 29] {
        let mut desk = at(minutes)?;
        for path in ["employees", PUNCHES, "daily-workings", "company"] {
            refused(&desk.get(path), 403, 104)?;
        }
        // Token calls are open at all hours.
        let path = format!("tokens/{}/available", desk.token);
        passed(&desk.get(&path))?;
    }
    // Whether the last minute belongs to it is not known.
    let mut desk = at(10 * 60)?;
    desk.company()?.set(|settings| settings.window_end_inclusive = true);
    refused(&desk.get("employees"), 403, 104)
}

pub(super) fn stays_outside() -> Shown {
    for inclusive in [false, true] {
        for minutes in [5 * 60, 8 * 60 + 28, 10 * 60 + 1, 17 * 60 + 28, 18 * 60 + 31] {
            let mut desk = at(minutes)?;
            desk.company()?.set(|settings| settings.window_end_inclusive = inclusive);
            passed(&desk.get("employees"))?;
        }
    }
    Ok(())
}

pub(super) fn hurries() -> Shown {
    let mut desk = Desk::open()?;
    for _ in 0..60 {
        desk.wait(900);
        passed(&desk.get("employees"))?;
    }
    let over = desk.get("employees");
    refused(&over, 429, 303)?;
    let body = over.body();
    ensure!(body.get("errors").is_none() && body.get("code") == Some(&Value::from("303")), "told as {body}");
    Ok(())
}

pub(super) fn keeps_apart() -> Shown {
    let mut desk = Desk::open()?;
    for _ in 0..150 {
        desk.wait(APART);
        passed(&desk.get("employees"))?;
    }
    let now = desk.now;
    desk.company()?.outside_calls(now, 60);
    for wait in [10_000, 30_000, 60_000] {
        if code(&desk.get("employees")).is_none() {
            return Ok(());
        }
        desk.wait(wait);
    }
    passed(&desk.get("employees"))
}

fn faulty(order: impl FnOnce(&mut Faults)) -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    desk.company()?.fault(order);
    Ok(desk)
}

pub(super) fn takes_what_comes() -> Shown {
    refused(&faulty(|faults| faults.server_errors = 1)?.get(PUNCHES), 500, 300)?;
    ensure!(faulty(|faults| faults.resets = 1)?.get(PUNCHES).status().is_none(), "there is an answer");
    let wrecks: [fn(&mut Faults); 3] =
        [|faults| faults.html_answers = 1, |faults| faults.cut_bodies = 1, |faults| faults.errors_as_200 = 1];
    for wreck in wrecks {
        let answer = faulty(wreck)?.get(PUNCHES);
        passed(&answer)?;
        // Whoever takes it for a list without anybody empties the days.
        ensure!(items(&answer.body()).is_empty(), "there are items");
    }
    Ok(())
}

pub(super) fn tries_again() -> Shown {
    let mut desk = faulty(|faults| (faults.resets, faults.server_errors, faults.cut_bodies) = (1, 1, 1))?;
    for wait in [10_000, 30_000, 60_000, 60_000] {
        let answer = desk.get(PUNCHES);
        if answer.status() == Some(200) && answer.body().is_array() {
            return Ok(());
        }
        desk.wait(wait);
    }
    Err("not within four tries".to_owned())
}

pub(super) fn asks_for_page_two() -> Shown {
    let mut desk = Desk::open()?;
    let first = desk.read(&format!("{PUNCHES}&page=1&limit=1"))?;
    let second = desk.read(&format!("{PUNCHES}&page=2&limit=1"))?;
    ensure!(first == second && items(&first).len() > 1, "there are pages");
    let hook = SimRequest::new("POST", "/v1.0/webhooks").with_bearer(&desk.token);
    ensure!(desk.raw(hook).status() == Some(404), "there are webhooks");
    Ok(())
}

pub(super) fn takes_the_list_once() -> Shown {
    let mut desk = Desk::open()?;
    let list = items(&desk.read(PUNCHES)?);
    ensure!(list.len() == 6, "{} items", list.len());
    ensure!(desk.company()?.log().calls().len() == 1, "it was asked again");
    Ok(())
}
