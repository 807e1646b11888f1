//! L: how much of what.

use serde_json::json;

use super::desk::{Desk, passed, person, refused};
use super::{Rule, Shown, ensure, not_touched, run};
use crate::kaonavi::{Settings, SimRequest, SimResponse};

const MINUTE: i64 = 60_000;

pub(super) const RULES: &[Rule] = &[
    run("L1", "3,000 calls an hour", polls_without_end, polls_with_measure),
    run("L2", "five update calls in any 60 s", six_in_a_minute, five_in_a_minute),
    run("L3", "whether a refused call uses a slot is open", trusts_free_refusals, counts_refusals),
    not_touched("L4", "users and webhook calls use no slot", "Renkei calls neither"),
    run("L5", "a dry run uses a slot", trusts_free_dry_runs, counts_dry_runs),
    run("L6", "a 429 names no time to wait", retries_at_once, waits_a_window),
    run("L7", "a body has a largest size", one_large_body, split_body),
    not_touched("L8", "photos and files have their own sizes", "Renkei sends no photos and no files"),
    run("L9", "others may use the company's slots", ignores_others, backs_off),
];

/// One call a second for 3,000 s, the token included.
fn hour_used_up() -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    for _ in 0..2_999 {
        desk.wait(1_000);
        passed(&desk.get("member_layouts"))?;
    }
    Ok(desk)
}

fn polls_without_end() -> Shown {
    let mut desk = hour_used_up()?;
    refused(&desk.get("member_layouts"), 429)?;
    // Even the token is a call.
    let request = desk.token_request();
    refused(&desk.raw(request), 429)
}

fn polls_with_measure() -> Shown {
    let mut desk = hour_used_up()?;
    // An hour after the token call its place is free.
    desk.wait(3_600_000 - 2_999_000);
    desk.renew()?;
    let now = desk.now;
    let stats = desk.company()?.stats(now);
    ensure!(stats.refused_429 == 0 && stats.peak_calls_per_hour == 3_000, "{stats:?}");
    Ok(())
}

fn writes(desk: &mut Desk, count: usize) -> Shown {
    for number in 0..count {
        passed(&desk.write("POST", json!([person(&format!("N{}-{number}", desk.now.0))])))?;
    }
    Ok(())
}

fn six_in_a_minute() -> Shown {
    let mut desk = Desk::open()?;
    writes(&mut desk, 4)?;
    desk.wait(30_000);
    writes(&mut desk, 1)?;
    desk.wait(MINUTE - 30_001);
    let sixth = desk.write("PATCH", json!([person("A1")]));
    refused(&sixth, 429)?;
    ensure!(sixth.task_id().is_none() && desk.company()?.tasks().count() == 5, "a task was made");
    Ok(())
}

fn five_in_a_minute() -> Shown {
    let mut desk = Desk::open()?;
    for _ in 0..3 {
        writes(&mut desk, 5)?;
        // Exactly 60 s later the slots are free.
        desk.wait(MINUTE);
    }
    let now = desk.now;
    let stats = desk.company()?.stats(now);
    ensure!(stats.peak_update_calls == 5 && stats.refused_429 == 0, "{stats:?}");
    Ok(())
}

fn refusals(use_slots: bool) -> Result<Desk, String> {
    let settings = Settings { client_errors_use_slot: use_slots, ..Settings::default() };
    let mut desk = Desk::with(|spec| spec.settings = settings)?;
    for _ in 0..5 {
        refused(&desk.write("POST", json!([{ "code": "A1" }])), 400)?;
    }
    Ok(desk)
}

fn trusts_free_refusals() -> Shown {
    refused(&refusals(true)?.write("POST", json!([person("A1")])), 429)
}

fn counts_refusals() -> Shown {
    for use_slots in [false, true] {
        let mut desk = refusals(use_slots)?;
        desk.wait(MINUTE);
        passed(&desk.write("POST", json!([person("A1")])))?;
    }
    // By default a refused call is free.
    passed(&refusals(false)?.write("POST", json!([person("A1")])))
}

fn dry_runs(use_slots: bool) -> Result<Desk, String> {
    let settings = Settings { dry_run_uses_slot: use_slots, ..Settings::default() };
    let mut desk = Desk::with(|spec| spec.settings = settings)?;
    for _ in 0..5 {
        let request = Desk::writing("POST", json!([person("A1")])).with_header("Dry-Run", "1");
        passed(&desk.call(request))?;
    }
    Ok(desk)
}

fn trusts_free_dry_runs() -> Shown {
    refused(&dry_runs(true)?.write("POST", json!([person("A1")])), 429)
}

fn counts_dry_runs() -> Shown {
    for use_slots in [false, true] {
        let mut desk = dry_runs(use_slots)?;
        desk.wait(MINUTE);
        passed(&desk.write("POST", json!([person("A1")])))?;
    }
    passed(&dry_runs(false)?.write("POST", json!([person("A1")])))
}

fn exhausted() -> Result<(Desk, SimResponse), String> {
    let mut desk = Desk::open()?;
    writes(&mut desk, 5)?;
    let answer = desk.write("POST", json!([person("A1")]));
    refused(&answer, 429)?;
    Ok((desk, answer))
}

fn retries_at_once() -> Shown {
    let (mut desk, answer) = exhausted()?;
    let SimResponse::Answer(answer) = answer else { return Err("no answer".to_owned()) };
    ensure!(
        answer.headers.iter().all(|(name, _)| !name.eq_ignore_ascii_case("Retry-After")),
        "a time to wait is named"
    );
    desk.wait(1_000);
    refused(&desk.write("POST", json!([person("A1")])), 429)
}

fn waits_a_window() -> Shown {
    let (mut desk, _) = exhausted()?;
    desk.wait(MINUTE);
    passed(&desk.write("POST", json!([person("A1")])))
}

/// A company that takes 64 KB, and 1,000 people.
fn small_door() -> Result<(Desk, Vec<serde_json::Value>), String> {
    let settings = Settings { max_body: 64 * 1024, ..Settings::default() };
    let desk = Desk::with(|spec| spec.settings = settings)?;
    let name = "長".repeat(50);
    let rows = (0..1_000).map(|number| json!({ "code": format!("L{number}"), "name": name })).collect();
    Ok((desk, rows))
}

fn one_large_body() -> Shown {
    let (mut desk, rows) = small_door()?;
    refused(&desk.write("POST", json!(rows)), 413)
}

fn split_body() -> Shown {
    let (mut desk, rows) = small_door()?;
    for part in rows.chunks(200) {
        passed(&desk.write("POST", json!(part)))?;
    }
    Ok(())
}

fn with_others() -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    let now = desk.now;
    let taken = desk.company()?.outside_traffic(now, 5, 0, 0);
    ensure!(taken == 5, "took {taken}");
    refused(&desk.write("POST", json!([person("A1")])), 429)?;
    Ok(desk)
}

fn ignores_others() -> Shown {
    let mut desk = with_others()?;
    desk.wait(30_000);
    refused(&desk.write("POST", json!([person("A1")])), 429)
}

fn backs_off() -> Shown {
    let mut desk = with_others()?;
    desk.wait(MINUTE);
    passed(&desk.call(SimRequest::new("GET", "/api/v2.0/members")))?;
    passed(&desk.write("POST", json!([person("A1")])))
}
