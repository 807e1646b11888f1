//! M: what a write means and how members are shown. W: what カオナビ sends by itself.

use serde_json::{Value, json};

use super::desk::{Desk, passed, person, refused};
use super::{Rule, Shown, ensure, not_touched, run};
use crate::kaonavi::Settings;

const NO_INCOMING: &str = "Renkei does not receive カオナビ's webhooks";

pub(super) const RULES: &[Rule] = &[
    run("M1", "each way to write has its own reach", replaces_all, touches_one),
    run("M2", "left out keeps, an empty text clears", sends_blanks, leaves_out),
    run("M3", "age is computed at night, department names come from the tree", wants_age_at_once, waits_for_night),
    run("M4", "an unset date is an empty text", parses_every_date, takes_blank_dates),
    run("M5", "updated_since is a day", asks_with_a_time, asks_with_a_day),
    run("M6", "the order of members means nothing", trusts_order, trusts_codes),
    not_touched("M7", "deleting a member may delete a user", "Renkei deletes nothing"),
    not_touched("M8", "renaming a choice shows at members", "Renkei changes no choices; the layout is read again"),
    run("M9", "the layout says what is closed and computed", expects_formulas, asks_for_formulas),
    run("M10", "only Dry-Run: 1 is a dry run", dry_run_true, dry_run_one),
    not_touched("W1", "a webhook follows an OK task", NO_INCOMING),
    not_touched("W2", "an update that changes nothing sends none", NO_INCOMING),
    not_touched("W3", "sheets, tree, choices and users send none", NO_INCOMING),
    not_touched("W4", "ten seconds, no retry", NO_INCOMING),
    not_touched("W5", "deliveries may be lost or doubled", NO_INCOMING),
];

fn item(desk: &mut Desk, code: &str, name: &str) -> Value {
    desk.member(code).and_then(|member| member.get(name).cloned()).unwrap_or_default()
}

fn staffed() -> Result<Desk, String> {
    let mut desk = Desk::open()?;
    let first = json!({ "code": "A1", "name": "試験 太郎", "gender": "男性", "birthday": "2000-02-29",
        "department": { "code": "D310" } });
    let answer = desk.write("POST", json!([first, person("A2")]));
    desk.done(&answer)?;
    Ok(desk)
}

fn replaces_all() -> Shown {
    let mut desk = staffed()?;
    // These calls clear or delete whoever the body leaves out. They are not played; that they came is on record.
    refused(&desk.write("PUT", json!([person("A2")])), 405)?;
    let calls = desk.company()?.log().update_calls().filter(|call| call.method == "PUT").count();
    ensure!(calls == 1, "not on record");
    refused(&desk.write("POST", json!([person("A1")])), 400)
}

fn touches_one() -> Shown {
    let mut desk = staffed()?;
    let answer = desk.write("PATCH", json!([{ "code": "A2", "name": "試験 花子" }]));
    desk.done(&answer)?;
    ensure!(
        item(&mut desk, "A1", "gender") == "男性" && item(&mut desk, "A2", "name") == "試験 花子",
        "reached too far"
    );
    Ok(())
}

fn sends_blanks() -> Shown {
    let mut desk = staffed()?;
    let answer = desk.write("PATCH", json!([{ "code": "A1", "gender": "", "birthday": null, "department": null }]));
    desk.done(&answer)?;
    for name in ["gender", "birthday"] {
        ensure!(item(&mut desk, "A1", name) == "", "{name} was kept");
    }
    Ok(())
}

fn leaves_out() -> Shown {
    let mut desk = staffed()?;
    let answer = desk.write("PATCH", json!([{ "code": "A1", "name": "試験 二郎" }]));
    desk.done(&answer)?;
    let kept = (item(&mut desk, "A1", "gender"), item(&mut desk, "A1", "birthday"));
    ensure!(kept == (json!("男性"), json!("2000-02-29")), "{kept:?}");
    Ok(())
}

fn wants_age_at_once() -> Shown {
    let mut desk = staffed()?;
    let age = item(&mut desk, "A1", "age");
    ensure!(age.is_null(), "{age}");
    Ok(())
}

fn waits_for_night() -> Shown {
    let mut desk = staffed()?;
    desk.wait(24 * 3_600_000);
    desk.renew()?;
    let age = item(&mut desk, "A1", "age");
    ensure!(age == json!(26), "{age}");
    let department = item(&mut desk, "A1", "department");
    let wanted = json!({ "code": "D310", "name": "開発本部 基盤部", "names": ["開発本部", "基盤部"] });
    ensure!(department == wanted, "{department}");
    Ok(())
}

fn parses_every_date() -> Shown {
    let mut desk = staffed()?;
    let entered = item(&mut desk, "A2", "entered_date");
    ensure!(entered.as_str().is_some_and(|text| text.parse::<jiff::civil::Date>().is_err()), "{entered}");
    Ok(())
}

fn takes_blank_dates() -> Shown {
    let mut desk = staffed()?;
    for name in ["entered_date", "retired_date", "birthday"] {
        ensure!(item(&mut desk, "A2", name) == "", "{name}");
    }
    Ok(())
}

fn asks_with_a_time() -> Shown {
    let mut desk = staffed()?;
    for bad in ["2026-04-01T00:00:00%2B09:00", "2026-02-30", "20260401", ""] {
        refused(&desk.get(&format!("members?updated_since={bad}")), 400)?;
    }
    Ok(())
}

fn asks_with_a_day() -> Shown {
    let mut desk = staffed()?;
    for (day, found) in [("2026-03-31", 2), ("2026-04-01", 2), ("2026-04-02", 0)] {
        let answer = desk.get(&format!("members?updated_since={day}"));
        passed(&answer)?;
        let count = answer.body().get("member_data").and_then(Value::as_array).map(Vec::len);
        ensure!(count == Some(found), "{day}: {count:?}");
    }
    Ok(())
}

/// The codes of three reads of twenty members.
fn three_reads(shuffle: bool) -> Result<[Vec<String>; 3], String> {
    let settings = Settings { shuffle_members: shuffle, ..Settings::default() };
    let mut desk = Desk::with(|spec| spec.settings = settings)?;
    let rows: Vec<Value> = (0..20).map(|number| person(&format!("A{number}"))).collect();
    let answer = desk.write("POST", json!(rows));
    desk.done(&answer)?;
    Ok([(); 3].map(|()| {
        let body = desk.get("members").body();
        let members = body.get("member_data").and_then(Value::as_array).cloned().unwrap_or_default();
        members.iter().filter_map(|member| member.get("code")?.as_str().map(str::to_owned)).collect()
    }))
}

fn trusts_order() -> Shown {
    let [first, second, third] = three_reads(true)?;
    ensure!(first != second || second != third, "the order stays");
    let [first, second, third] = three_reads(false)?;
    ensure!(first == second && second == third, "the order changes unasked");
    Ok(())
}

fn trusts_codes() -> Shown {
    let [mut first, mut second, _] = three_reads(true)?;
    first.sort();
    second.sort();
    ensure!(first == second && first.len() == 20, "members differ");
    Ok(())
}

fn layout(query: &str) -> Result<Vec<Value>, String> {
    let body = Desk::open()?.get(&format!("member_layouts{query}")).body();
    Ok(body.get("custom_fields").and_then(Value::as_array).cloned().unwrap_or_default())
}

fn expects_formulas() -> Shown {
    let customs = layout("")?;
    ensure!(customs.iter().all(|custom| custom.get("type") != Some(&json!("calc"))), "formulas come unasked");
    Ok(())
}

fn asks_for_formulas() -> Shown {
    let customs = layout("?get_calc_type=true")?;
    ensure!(customs.iter().any(|custom| custom.get("type") == Some(&json!("calc"))), "no formula");
    let closed = customs.iter().filter(|custom| custom.get("read_only") == Some(&json!(true))).count();
    ensure!(closed == 1 && customs.iter().all(|custom| custom.get("type_detail").is_some()), "{customs:?}");
    Ok(())
}

fn tried(value: &str) -> Result<(Desk, Value), String> {
    let mut desk = Desk::open()?;
    let answer = desk.call(Desk::writing("POST", json!([person("A1")])).with_header("Dry-Run", value));
    desk.done(&answer)?;
    let member = desk.member("A1").unwrap_or_default();
    Ok((desk, member))
}

fn dry_run_true() -> Shown {
    for other in ["true", "0", "yes"] {
        let (_, member) = tried(other)?;
        ensure!(!member.is_null(), "{other} changed nothing");
    }
    Ok(())
}

fn dry_run_one() -> Shown {
    let (mut desk, member) = tried("1")?;
    ensure!(member.is_null(), "a dry run changed something");
    refused(&desk.call(Desk::writing("POST", json!([{ "code": "A2" }])).with_header("Dry-Run", "1")), 400)?;
    let settings = Settings { dry_run_task_id: false, ..Settings::default() };
    let mut desk = Desk::with(|spec| spec.settings = settings)?;
    let answer = desk.call(Desk::writing("POST", json!([person("A1")])).with_header("Dry-Run", "1"));
    passed(&answer)?;
    ensure!(answer.task_id().is_none(), "a task is named");
    Ok(())
}
