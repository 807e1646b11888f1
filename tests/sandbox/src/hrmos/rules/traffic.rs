//! Calls and what happens to them: rules 16 to 18, 20 and 21.

use std::collections::BTreeMap;

use jiff::civil::{Date, date};
use serde_json::Value;

use super::desk::{APART, Desk, passed, refused, rows, text};
use crate::hrmos::{Between, CompanySpec, Day, IpTarget, User, at};
use crate::rules::{Shown, ensure};
use crate::wire::SimResponse;

const DAY: Date = date(2026, 4, 9);
const DAILY: &str = "work_outputs/daily/2026-04-09";

pub(super) fn calls_every_second() -> Shown {
    let mut desk = Desk::open()?;
    // Every second on its own clock; some reach the service a little earlier than that.
    for number in 0..59 {
        desk.wait(if number % 2 == 0 { 980 } else { 1_020 });
        passed(&desk.get("users"))?;
    }
    desk.wait(980);
    let over = desk.get("users");
    ensure!(over.status() == Some(429), "the 61st of a minute answers {:?}", over.status());
    ensure!(over.body() == Value::Null && over.header("Retry-After").is_none(), "it says more");
    // Asking again at once only takes places: 60 calls later the minute is still full.
    for _ in 0..60 {
        desk.wait(500);
        let status = desk.get("users").status();
        ensure!(status == Some(429) || status == Some(200), "answers {status:?}");
    }
    let stats = desk.company()?.stats().clone();
    let over = stats.by_status.get(&429).copied().unwrap_or(0);
    ensure!(over > 30 && stats.peak_per_minute > 60, "only {over} refusals, peak {}", stats.peak_per_minute);
    Ok(())
}

pub(super) fn keeps_apart() -> Shown {
    let mut desk = Desk::open()?;
    for number in 0..200 {
        // As early and as late as a call may come by jitter.
        desk.wait(APART + if number % 2 == 0 { -50 } else { 50 });
        passed(&desk.get("users"))?;
    }
    let stats = desk.company()?.stats().clone();
    ensure!(stats.peak_per_minute <= 60, "peak {}", stats.peak_per_minute);
    // Others use up the minute; backing off gets through.
    let now = desk.now;
    desk.company()?.outside_calls(now, 60);
    let mut waits = [5_000, 10_000, 20_000, 40_000].into_iter();
    loop {
        if desk.get("users").status() == Some(200) {
            return Ok(());
        }
        desk.wait(waits.next().ok_or("not within five tries")?);
    }
}

fn shut_out(html: bool) -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    desk.company()?.restrict_ip(IpTarget::Whole, &[]);
    desk.set(|settings| settings.ip_html = html)?;
    Ok(desk)
}

pub(super) fn reads_json_of_a_refusal() -> Shown {
    let mut desk = shut_out(true)?;
    let key = desk.company()?.key().to_owned();
    let answer = desk.raw(Desk::token_request(&key));
    ensure!(answer.status() == Some(403) && answer.body() == Value::Null, "{:?} with JSON", answer.status());
    refused(&shut_out(false)?.get("users"), 403)
}

pub(super) fn goes_by_the_status() -> Shown {
    for html in [false, true] {
        let mut desk = shut_out(html)?;
        ensure!(desk.get("users").status() == Some(403), "not shut out");
        // The addresses are entered, or the restriction is meant for the screens only.
        let here = desk.hrmos.caller();
        desk.company()?.restrict_ip(IpTarget::Whole, &[here]);
        passed(&desk.get("users"))?;
        desk.company()?.restrict_ip(IpTarget::AdminScreens, &[]);
        passed(&desk.get("users"))?;
    }
    Ok(())
}

/// 120 people who worked.
fn crowd() -> CompanySpec {
    (1..=120).fold(Desk::empty(), |spec, id| {
        let spec = spec.user(User::new(id, Some(&format!("P{id}")), "見本", "花子"));
        spec.day(id, DAY, Day::work(at(9, 0), at(18, 0)))
    })
}

fn page(desk: &mut Desk, number: u8) -> SimResponse {
    desk.wait(APART);
    desk.get(&format!("{DAILY}?limit=100&page={number}"))
}

pub(super) fn takes_what_comes() -> Shown {
    // The first fault ends the run.
    let mut desk = Desk::with(crowd())?;
    desk.fault(|faults| (faults.server_errors, faults.server_error_html, faults.server_error_status) = (1, true, 502))?;
    let answer = page(&mut desk, 1);
    ensure!(answer.status() == Some(502) && answer.body() == Value::Null, "no fault");
    // A list that grows gives a person twice, one that shrinks gives 119 people of 120.
    desk.fault(|faults| faults.between_pages = Some(Between::RowCame))?;
    let grown = rows(&page(&mut desk, 1)).len() + rows(&page(&mut desk, 2)).len();
    desk.fault(|faults| faults.between_pages = Some(Between::RowWent))?;
    let shrunk = rows(&page(&mut desk, 1)).len() + rows(&page(&mut desk, 2)).len();
    ensure!((grown, shrunk) == (121, 119), "{grown} and {shrunk} rows");
    // Five minutes after the end the row still lacks it.
    let late = Desk::empty().user(User::new(1, Some("P1"), "見本", "花子"));
    let mut desk = Desk::with(late.day(1, DAY, Day::work(at(20, 0), at(28, 55)).live()))?;
    let got = rows(&desk.get(DAILY));
    ensure!(got.len() == 1 && text(&got[0], "end_at").is_empty(), "the end is there");
    Ok(())
}

/// A list read until its total stays the same from the first page to the last; of two rows of one person the later one
/// counts. Faults that pass are waited out.
fn merged(desk: &mut Desk) -> Result<BTreeMap<i64, Value>, String> {
    for _ in 0..5 {
        let mut found: BTreeMap<i64, Value> = BTreeMap::new();
        let mut totals = Vec::new();
        let mut number = 1;
        while number <= 2 {
            let answer = page(desk, number);
            let body = answer.body();
            let Some(got) = body.as_array().filter(|_| answer.status() == Some(200)) else {
                desk.wait(5_000);
                continue;
            };
            totals.push(answer.header("X-Total-Count").map(str::to_owned));
            for row in got {
                let id = row.get("user_id").and_then(Value::as_i64).ok_or("a row of nobody")?;
                let known = found.get(&id).is_some_and(|known| text(known, "updated_at") > text(row, "updated_at"));
                if !known {
                    found.insert(id, row.clone());
                }
            }
            number += 1;
        }
        if totals.iter().all(|total| *total == totals[0]) {
            return Ok(found);
        }
    }
    Err("the list does not come to rest".to_owned())
}

pub(super) fn tries_again_and_merges() -> Shown {
    for between in [None, Some(Between::RowCame), Some(Between::RowWent)] {
        let mut desk = Desk::with(crowd())?;
        desk.fault(|faults| {
            (faults.server_errors, faults.resets, faults.html_answers, faults.cut_bodies) = (2, 1, 1, 1);
            faults.between_pages = between;
        })?;
        let found = merged(&mut desk)?;
        ensure!(found.len() == 120, "{between:?}: {} people", found.len());
        let edited = found.get(&100).map_or("", |row| text(row, "end_at"));
        let wanted = if between == Some(Between::RowCame) { "18:15" } else { "18:00" };
        ensure!(edited == wanted, "{between:?}: the row ends at {edited}");
    }
    // What was late comes with a later look, by its update time.
    let late = Desk::empty().user(User::new(1, Some("P1"), "見本", "花子"));
    let mut desk = Desk::with(late.day(1, DAY, Day::work(at(20, 0), at(28, 55)).live()))?;
    desk.wait(24 * 3_600_000);
    desk.renew()?;
    let got = desk.all(&format!("{DAILY}?from=2026-04-10T05:00:00%2B09:00"))?;
    ensure!(got.len() == 1 && text(&got[0], "end_at") == "04:55", "{} rows", got.len());
    Ok(())
}

pub(super) fn puts_the_token_into_the_url() -> Shown {
    let mut desk = Desk::open()?;
    let (token, key) = (desk.token().to_owned(), desk.company()?.key().to_owned());
    refused(&desk.raw(Desk::request("GET", &format!("users?token={token}"))), 401)?;
    refused(&desk.raw(Desk::request("GET", &format!("users?key={key}"))), 401)?;
    let company = desk.company()?;
    let shown = company.log().calls().filter(|call| call.query == "redacted").count();
    ensure!(shown == 2, "{shown} calls were made unreadable");
    let log = format!("{:?}", company.log());
    ensure!(!log.contains(&token) && !log.contains(&key), "a secret is in the log");
    Ok(())
}

pub(super) fn uses_one_token() -> Shown {
    let mut desk = Desk::open()?;
    for day in ["2026-04-07", "2026-04-08", "2026-04-09"] {
        desk.all(&format!("work_outputs/daily/{day}"))?;
    }
    desk.wait(APART);
    passed(&desk.call("DELETE", "authentication/destroy"))?;
    let company = desk.company()?;
    let (log, stats) = (company.log(), company.stats());
    let others = log.calls().filter(|call| !call.path.ends_with("/token") && call.token != Some(1)).count();
    ensure!(others == 0 && stats.tokens == 1, "{others} calls without the token, {} tokens", stats.tokens);
    ensure!(log.count("/work_outputs/daily/") == 3 && stats.calls == 5, "{} calls", stats.calls);
    ensure!(stats.least_spacing_ms >= Some(APART), "{:?} ms apart", stats.least_spacing_ms);
    ensure!(log.writes().next().is_none() && stats.writes == 0, "something was written");
    Ok(())
}

pub(super) fn waits_to_be_told() -> Shown {
    let mut desk = Desk::open()?;
    for (method, path) in [("POST", "webhooks"), ("PUT", "webhook"), ("POST", "subscriptions")] {
        refused(&desk.call(method, path), 404)?;
    }
    let now = desk.now;
    desk.company()?.edit_day(now, 101, DAY, |record| record.end = Some(at(23, 0)));
    desk.wait(3_600_000);
    // Nothing leaves the service by itself: all there ever was is what it was asked.
    let calls = desk.company()?.stats().calls;
    ensure!(calls == 4, "{calls} calls");
    Ok(())
}

pub(super) fn polls() -> Shown {
    let mut desk = Desk::open()?;
    let now = desk.now;
    desk.company()?.edit_day(now, 101, DAY, |record| record.end = Some(at(23, 0)));
    let got = desk.all(&format!("{DAILY}?from=2026-04-10T05:00:00%2B09:00"))?;
    let own = got.iter().find(|row| row.get("user_id").and_then(Value::as_i64) == Some(101));
    ensure!(own.is_some_and(|row| text(row, "end_at") == "23:00"), "the change is not there");
    Ok(())
}
