//! T: accepted is not done.

use serde_json::{Value, json};

use super::desk::{Desk, passed, person, refused};
use super::{Rule, Shown, ensure, not_touched, run};

pub(super) const RULES: &[Rule] = &[
    run("T1", "a write answers with the number of a task", takes_answer_for_done, reads_numbers),
    run("T2", "a task waits, runs, ends", looks_too_early, polls_to_the_end),
    run("T3", "tasks run one after the other", expects_side_by_side, waits_in_line),
    run("T4", "effects show only when the task is OK", reads_too_early, reads_after_ok),
    run("T5", "an unknown department fails the whole task", unknown_department, known_department),
    run("T6", "an update of an unknown code fails", updates_unknown, creates_first),
    run("T7", "a member gone by then fails the task", gone_by_then, still_there),
    run("T8", "a second creation in the queue fails", creates_twice, creates_once),
    not_touched("T9", "a choice in use can not be deleted", "Renkei changes no choices"),
    run("T10", "a task may break or never end", trusts_every_end, tries_again),
    run("T11", "a task is forgotten after a day", asks_too_late, asks_in_time),
    run("T12", "messages are missing while a task is open", reads_messages_early, reads_messages_late),
];

fn created(desk: &mut Desk, code: &str) -> Result<i64, String> {
    let answer = desk.write("POST", json!([person(code)]));
    answer.task_id().ok_or_else(|| format!("no task: {:?}", answer.status()))
}

fn takes_answer_for_done() -> Shown {
    let mut desk = Desk::open()?;
    created(&mut desk, "A1")?;
    ensure!(desk.member("A1").is_none(), "the member is there at once");
    Ok(())
}

fn reads_numbers() -> Shown {
    let mut desk = Desk::open()?;
    let (first, second) = (created(&mut desk, "A1")?, created(&mut desk, "A2")?);
    ensure!(second > first, "{second} after {first}");
    Ok(())
}

fn looks_too_early() -> Shown {
    let mut desk = Desk::open()?;
    let id = created(&mut desk, "A1")?;
    desk.wait(1_999);
    let early = desk.status(id)?;
    desk.wait(3_000);
    let later = desk.status(id)?;
    ensure!(early == "WAITING" && later == "RUNNING", "{early}, {later}");
    Ok(())
}

fn polls_to_the_end() -> Shown {
    let mut desk = Desk::open()?;
    let id = created(&mut desk, "A1")?;
    let mut seen = Vec::new();
    for _ in 0..=10 {
        let status = desk.status(id)?;
        if seen.last() != Some(&status) {
            seen.push(status);
        }
        desk.wait(500);
    }
    ensure!(seen == ["WAITING", "RUNNING", "OK"], "{seen:?}");
    Ok(())
}

fn expects_side_by_side() -> Shown {
    let mut desk = Desk::open()?;
    let (first, second) = (created(&mut desk, "A1")?, created(&mut desk, "A2")?);
    desk.wait(5_000);
    let (one, two) = (desk.status(first)?, desk.status(second)?);
    ensure!(one == "OK" && two == "RUNNING", "{one}, {two}");
    Ok(())
}

fn waits_in_line() -> Shown {
    let mut desk = Desk::open()?;
    let second = [created(&mut desk, "A1")?, created(&mut desk, "A2")?][1];
    desk.wait(8_000);
    let status = desk.status(second)?;
    ensure!(status == "OK", "{status}");
    Ok(())
}

fn reads_too_early() -> Shown {
    let mut desk = Desk::open()?;
    let id = created(&mut desk, "A1")?;
    let before = desk.get("members").body().get("updated_at").cloned();
    desk.wait(4_999);
    let early = desk.get("members").body();
    ensure!(desk.status(id)? == "RUNNING", "not running");
    let empty = early.get("member_data").and_then(Value::as_array).is_some_and(Vec::is_empty);
    ensure!(empty && early.get("updated_at") == before.as_ref(), "visible too early");
    Ok(())
}

fn reads_after_ok() -> Shown {
    let mut desk = Desk::open()?;
    let before = desk.get("members").body().get("updated_at").cloned();
    desk.hired(person("A1"))?;
    let after = desk.get("members").body().get("updated_at").cloned();
    ensure!(desk.member("A1").is_some() && after != before, "not visible");
    Ok(())
}

fn at(code: &str, department: &str) -> Value {
    json!({ "code": code, "name": "試験 太郎", "department": { "code": department } })
}

fn unknown_department() -> Shown {
    let mut desk = Desk::open()?;
    let answer = desk.write("POST", json!([at("A1", "D100"), at("A2", "D777")]));
    let status = desk.ended(&answer)?;
    ensure!(status == "NG", "{status}");
    ensure!(desk.member("A1").is_none() && desk.member("A2").is_none(), "half of it was done");
    let messages = desk.get(&format!("tasks/{}", answer.task_id().unwrap_or(0))).body();
    let first = messages.pointer("/messages/0").and_then(Value::as_str).unwrap_or("").to_owned();
    ensure!(first.contains("A2") && first.contains("D777"), "message {first}");
    Ok(())
}

fn known_department() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(at("A1", "D310"))
}

fn updates_unknown() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("A1"))?;
    let answer = desk.write("PATCH", json!([{ "code": "A1", "name": "別名" }, person("A2")]));
    let status = desk.ended(&answer)?;
    let name = desk.member("A1").unwrap_or_default().get("name").cloned();
    ensure!(status == "NG" && name == Some(json!("試験 太郎")), "{status}, {name:?}");
    Ok(())
}

fn creates_first() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("A2"))?;
    let answer = desk.write("PATCH", json!([person("A2")]));
    desk.done(&answer)
}

fn gone_by_then() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("A1"))?;
    let answer = desk.write("PATCH", json!([person("A1")]));
    let now = desk.now;
    ensure!(desk.company()?.delete(now, "A1"), "could not be deleted");
    let status = desk.ended(&answer)?;
    ensure!(status == "NG", "{status}");
    Ok(())
}

fn still_there() -> Shown {
    creates_first()
}

fn creates_twice() -> Shown {
    let mut desk = Desk::open()?;
    let first = desk.write("POST", json!([person("A1")]));
    let second = desk.write("POST", json!([person("A1"), person("A2")]));
    passed(&second)?;
    desk.done(&first)?;
    let status = desk.ended(&second)?;
    ensure!(status == "NG" && desk.member("A2").is_none(), "{status}");
    Ok(())
}

fn creates_once() -> Shown {
    let mut desk = Desk::open()?;
    desk.hired(person("A1"))?;
    desk.hired(person("A2"))
}

fn trusts_every_end() -> Shown {
    let mut desk = Desk::open()?;
    desk.fault(|faults| faults.task_errors = 1)?;
    let answer = desk.write("POST", json!([person("A1")]));
    let status = desk.ended(&answer)?;
    ensure!(status == "ERROR" && desk.member("A1").is_none(), "{status}");
    desk.fault(|faults| faults.hold_tasks = true)?;
    let held = created(&mut desk, "A1")?;
    let behind = created(&mut desk, "A2")?;
    desk.wait(3_000_000);
    let (held, behind) = (desk.status(held)?, desk.status(behind)?);
    ensure!(held == "RUNNING" && behind == "WAITING", "{held}, {behind}");
    Ok(())
}

fn tries_again() -> Shown {
    let mut desk = Desk::open()?;
    desk.fault(|faults| faults.task_errors = 1)?;
    let answer = desk.write("POST", json!([person("A1")]));
    desk.ended(&answer)?;
    desk.hired(person("A1"))?;
    desk.fault(|faults| faults.hold_tasks = true)?;
    let answer = desk.write("PATCH", json!([person("A1")]));
    desk.wait(300_000);
    desk.fault(|faults| faults.hold_tasks = false)?;
    desk.done(&answer)
}

fn asks_too_late() -> Shown {
    let mut desk = Desk::open()?;
    refused(&desk.get("tasks/1"), 404)?;
    refused(&desk.get("tasks/x"), 404)?;
    let id = created(&mut desk, "A1")?;
    desk.wait(5_000 + 24 * 3_600_000);
    desk.renew()?;
    refused(&desk.get(&format!("tasks/{id}")), 404)
}

fn asks_in_time() -> Shown {
    let mut desk = Desk::open()?;
    let id = created(&mut desk, "A1")?;
    desk.wait(24 * 3_600_000);
    desk.renew()?;
    let status = desk.status(id)?;
    ensure!(status == "OK", "{status}");
    Ok(())
}

fn reads_messages_early() -> Shown {
    let mut desk = Desk::open()?;
    let id = created(&mut desk, "A1")?;
    for _ in 0..2 {
        let body = desk.get(&format!("tasks/{id}")).body();
        ensure!(body.get("messages").is_none(), "{body}");
        desk.wait(2_500);
    }
    Ok(())
}

fn reads_messages_late() -> Shown {
    let mut desk = Desk::open()?;
    let id = created(&mut desk, "A1")?;
    desk.wait(5_000);
    let body = desk.get(&format!("tasks/{id}")).body();
    ensure!(body == json!({ "id": id, "status": "OK", "messages": [] }), "{body}");
    Ok(())
}
