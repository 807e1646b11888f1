//! F: what breaks on the way.

use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::desk::{Desk, passed, person, refused};
use super::{Rule, Shown, ensure, run};
use crate::kaonavi::{SimRequest, SimResponse};

pub(super) const RULES: &[Rule] = &[
    run("F1", "an answer may be lost after acceptance", resends_blindly, reads_then_decides),
    run("F2", "a 500 may carry HTML", parses_every_answer, reads_after_500),
    run("F3", "maintenance answers 503", hammers_maintenance, waits_for_the_end),
    run("F4", "a token may end in the middle", repeats_with_dead_token, takes_one_new_token),
    run("F5", "the list of members may be slow, large, cut off", reads_a_little, reads_to_the_end),
];

/// A creation whose answer was lost; the task is made.
fn lost() -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    desk.fault(|faults| faults.reset_after_acceptance = 1)?;
    let answer = desk.write("POST", json!([person("A1")]));
    ensure!(answer.status().is_none(), "answered {:?}", answer.status());
    Ok(desk)
}

fn resends_blindly() -> Shown {
    let mut desk = lost()?;
    desk.wait(10_000);
    refused(&desk.write("POST", json!([person("A1")])), 400)
}

fn reads_then_decides() -> Shown {
    let mut desk = lost()?;
    desk.wait(10_000);
    ensure!(desk.member("A1").is_some(), "the task was not made");
    ensure!(desk.company()?.log().rows_of("A1") == 1, "sent again");
    // The other way round: nothing arrived, so the read finds nobody and the creation is repeated.
    let mut desk = Desk::open()?;
    desk.fault(|faults| faults.reset_before_acceptance = 1)?;
    ensure!(desk.write("POST", json!([person("A1")])).status().is_none(), "answered");
    desk.wait(10_000);
    ensure!(desk.member("A1").is_none(), "it was made after all");
    desk.hired(person("A1"))
}

fn parses_every_answer() -> Shown {
    let mut desk = Desk::open()?;
    desk.fault(|faults| (faults.html_500_before_acceptance, faults.html_reads) = (1, 1))?;
    let answer = desk.write("POST", json!([person("A1")]));
    ensure!(answer.status() == Some(500) && answer.body().is_null(), "not HTML");
    let read = desk.get("members");
    ensure!(read.status() == Some(200) && read.body().is_null(), "not HTML");
    Ok(())
}

fn reads_after_500() -> Shown {
    let mut desk = Desk::open()?;
    desk.fault(|faults| faults.html_500_after_acceptance = 1)?;
    ensure!(desk.write("POST", json!([person("A1")])).status() == Some(500), "not 500");
    desk.wait(5_000);
    ensure!(desk.member("A1").is_some(), "not there");
    desk.fault(|faults| faults.without_task_id = 1)?;
    let answer = desk.write("POST", json!([person("A2")]));
    passed(&answer)?;
    ensure!(answer.task_id().is_none(), "a task is named");
    desk.wait(5_000);
    ensure!(desk.member("A2").is_some(), "not there");
    Ok(())
}

fn maintenance() -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    let until = Millis(desk.now.0 + 600_000);
    desk.fault(|faults| faults.unavailable_until = Some(until))?;
    ensure!(desk.get("members").status() == Some(503), "not 503");
    Ok(desk)
}

fn hammers_maintenance() -> Shown {
    let mut desk = maintenance()?;
    desk.wait(1_000);
    ensure!(desk.write("POST", json!([person("A1")])).status() == Some(503), "not 503");
    let request = desk.token_request();
    ensure!(desk.raw(request).status() == Some(503), "not 503");
    Ok(())
}

fn waits_for_the_end() -> Shown {
    let mut desk = maintenance()?;
    desk.wait(600_000);
    desk.hired(person("A1"))
}

fn repeats_with_dead_token() -> Shown {
    let mut desk = Desk::open()?;
    passed(&desk.get("members"))?;
    desk.kaonavi.revoke_tokens("desk");
    refused(&desk.get("members"), 401)?;
    refused(&desk.get("members"), 401)
}

fn takes_one_new_token() -> Shown {
    let mut desk = Desk::open()?;
    desk.kaonavi.revoke_tokens("desk");
    refused(&desk.get("members"), 401)?;
    desk.renew()?;
    passed(&desk.get("members"))?;
    desk.fault(|faults| faults.unauthorized = 1)?;
    refused(&desk.get("members"), 401)?;
    desk.renew()?;
    passed(&desk.get("members"))
}

fn large() -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    desk.hired(person("A1"))?;
    desk.fault(|faults| (faults.members_padding, faults.members_body_ms) = (3_000_000, 30_000))?;
    Ok(desk)
}

fn reads_a_little() -> Shown {
    let mut desk = large()?;
    let SimResponse::Answer(answer) = desk.call(SimRequest::new("GET", "/api/v2.0/members")) else {
        return Err("no answer".to_owned());
    };
    ensure!(answer.body.len() > 2_000_000 && answer.body_over.as_secs() == 30, "neither large nor slow");
    let start = answer.body.get(..1_000_000).unwrap_or_default();
    ensure!(serde_json::from_slice::<Value>(start).is_err(), "its start is enough");
    desk.fault(|faults| faults.members_cut = 1)?;
    let cut = desk.get("members");
    ensure!(cut.status() == Some(200) && cut.body().is_null(), "the cut does not show");
    Ok(())
}

fn reads_to_the_end() -> Shown {
    let mut desk = large()?;
    ensure!(desk.member("A1").is_some(), "not found");
    Ok(())
}
