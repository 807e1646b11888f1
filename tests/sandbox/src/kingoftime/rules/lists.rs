//! What the lists hold: rules 5 to 11 and 16.

use std::collections::BTreeSet;

use serde_json::Value;

use super::desk::{APART, Desk, items, passed, refused};
use crate::rules::{Shown, ensure};

const PUNCHES: &str = "daily-workings/timerecord?start=2026-04-07&end=2026-04-08";
const TOTALS: &str = "daily-workings?start=2026-04-07&end=2026-04-08";

/// The text of a member; empty when it is not there.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or("")
}

fn punches(item: &Value) -> Vec<(String, String)> {
    let record = item.get("timeRecord").and_then(Value::as_array).cloned().unwrap_or_default();
    record.iter().map(|punch| (text(punch, "time").to_owned(), text(punch, "code").to_owned())).collect()
}

/// The longest record of punches: the night of 8 April.
fn night(desk: &mut Desk) -> Result<Vec<(String, String)>, String> {
    let all = items(&desk.read("daily-workings/timerecord?start=2026-04-08&end=2026-04-08")?);
    let record = all.iter().map(punches).find(|record| record.iter().any(|(_, code)| code == "3"));
    record.ok_or_else(|| "no night shift".to_owned())
}

pub(super) fn asks_for_a_quarter() -> Shown {
    let mut desk = Desk::open()?;
    for query in [
        "start=2026-01-01&end=2026-04-01",
        "start=2026-02-01&end=2026-04-04",
        "start=2026-04-01",
        "end=2026-04-01",
        "start=2023-04-01&end=2023-04-05",
        "start=2027-04-10&end=2027-04-11",
        "start=2026-04-02&end=2026-04-01",
        "start=2026/04/01&end=2026/04/02",
        "ondivision=false",
    ] {
        refused(&desk.get(&format!("daily-workings?{query}")), 400, 222)?;
        refused(&desk.get(&format!("daily-workings/timerecord?{query}")), 400, 222)?;
    }
    refused(&desk.get("daily-workings/timerecord?employeeKeys=a&division=210"), 400, 222)?;
    refused(&desk.get("daily-workings/2026-4-1"), 400, 222)
}

pub(super) fn asks_in_slices() -> Shown {
    let mut desk = Desk::open()?;
    for (start, end) in [("2026-02-28", "2026-03-04"), ("2026-04-05", "2026-04-09"), ("2026-02-08", "2026-04-10")] {
        desk.wait(APART);
        passed(&desk.get(&format!("daily-workings/timerecord?start={start}&end={end}")))?;
        passed(&desk.get(&format!("daily-workings?start={start}&end={end}&division=210&ondivision=false")))?;
    }
    Ok(())
}

pub(super) fn wants_an_array() -> Shown {
    let mut desk = Desk::open()?;
    for path in ["daily-workings/2026-04-08", "daily-workings/timerecord/2026-04-08"] {
        let body = desk.read(path)?;
        ensure!(body.as_array().is_none() && body.is_object(), "{path} brings an array");
    }
    Ok(())
}

pub(super) fn reads_both_forms() -> Shown {
    let mut desk = Desk::open()?;
    let one = items(&desk.read("daily-workings/timerecord/2026-04-08")?);
    let list = items(&desk.read("daily-workings/timerecord?start=2026-04-08&end=2026-04-08")?);
    ensure!(one == list && one.len() == 3, "{} and {} items", one.len(), list.len());
    Ok(())
}

pub(super) fn reads_codes_from_items() -> Shown {
    let mut desk = Desk::open()?;
    let plain = items(&desk.read(TOTALS)?);
    ensure!(plain.iter().all(|item| item.pointer("/currentDateEmployee").is_none()), "it is there unasked");
    // Of an old date the code of today comes: whoever keeps it as the code of that date keeps another one.
    let key = text(plain.first().unwrap_or(&Value::Null), "employeeKey").to_owned();
    desk.company()?.change_code(&key, Some("P0009"));
    let asked = items(&desk.read(&format!("{TOTALS}&additionalFields=currentDateEmployee"))?);
    let codes: BTreeSet<&str> = asked
        .iter()
        .filter(|item| text(item, "employeeKey") == key)
        .filter_map(|item| item.pointer("/currentDateEmployee/code").and_then(Value::as_str))
        .collect();
    ensure!(codes == BTreeSet::from(["P0009"]), "{codes:?}");
    Ok(())
}

pub(super) fn reads_codes_from_employees() -> Shown {
    let mut desk = Desk::open()?;
    let people = desk.read("employees?includeResigner=true")?;
    let known: BTreeSet<&str> = people.as_array().into_iter().flatten().map(|person| text(person, "key")).collect();
    for item in items(&desk.read(PUNCHES)?) {
        ensure!(known.contains(text(&item, "employeeKey")), "nobody has the key {}", text(&item, "employeeKey"));
    }
    Ok(())
}

pub(super) fn wants_every_member() -> Shown {
    let mut desk = Desk::open()?;
    let all = items(&desk.read(TOTALS)?);
    ensure!(all.iter().all(|item| item.get("autoBreakOff").is_none()), "autoBreakOff is there");
    let full = all.iter().filter(|item| item.pointer("/holidaysObtained/fulltimeHoliday").is_some()).count();
    ensure!(full == 0, "a day without leave has one");
    let mut punches = items(&desk.read(PUNCHES)?).into_iter();
    ensure!(punches.all(|item| !item.to_string().contains("null") && !item.to_string().contains("latitude")), "nulls");
    Ok(())
}

pub(super) fn takes_what_is_there() -> Shown {
    let mut desk = Desk::open()?;
    let all = items(&desk.read(TOTALS)?);
    let halves = |item: &Value| item.pointer("/holidaysObtained/halfdayHolidays/0/typeName").cloned();
    let names: Vec<Value> = all.iter().filter_map(halves).collect();
    ensure!(names == [Value::from("AM休")], "{names:?}");
    Ok(())
}

pub(super) fn reads_numbers() -> Shown {
    let mut desk = Desk::open()?;
    let all = items(&desk.read(PUNCHES)?);
    let as_numbers = all.iter().filter_map(|item| item.pointer("/timeRecord/0/code")).filter(|code| code.is_number());
    ensure!(as_numbers.count() == 0, "a code is a number");
    let total = items(&desk.read(TOTALS)?);
    ensure!(total.iter().all(|item| item.get("totalWork").is_some_and(Value::is_i64)), "a total is no whole number");
    Ok(())
}

pub(super) fn reads_texts() -> Shown {
    let mut desk = Desk::open()?;
    for (time, code) in night(&mut desk)? {
        ensure!(time.len() == 25 && time.ends_with(":00+09:00"), "written as {time}");
        ensure!(["1", "2", "3", "4"].contains(&code.as_str()), "code {code}");
    }
    Ok(())
}

pub(super) fn takes_first_and_last() -> Shown {
    let record = night(&mut Desk::open()?)?;
    let ends = (record.first().map(|punch| punch.1.as_str()), record.last().map(|punch| punch.1.as_str()));
    ensure!(ends != (Some("1"), Some("2")), "they come in the order of time");
    let out = record.iter().find(|punch| punch.1 == "2").map(|punch| punch.0.as_str());
    ensure!(out == Some("2026-04-09T05:12:00+09:00"), "the end is {out:?}");
    Ok(())
}

pub(super) fn sorts_by_time() -> Shown {
    let mut record = night(&mut Desk::open()?)?;
    record.sort();
    let codes: Vec<&str> = record.iter().map(|punch| punch.1.as_str()).collect();
    ensure!(codes == ["1", "3", "4", "2"], "{codes:?}");
    Ok(())
}

fn listed(desk: &mut Desk, query: &str) -> Result<usize, String> {
    Ok(desk.read(&format!("employees{query}"))?.as_array().map_or(0, Vec::len))
}

pub(super) fn forgets_leavers() -> Shown {
    let mut desk = Desk::open()?;
    let found = (listed(&mut desk, "")?, listed(&mut desk, "?date=2026-04-08")?);
    ensure!(found == (2, 3), "{found:?} people");
    // A day of the one who left has a key that nobody of the list has.
    let keys = desk.read("employees")?.to_string();
    let days = items(&desk.read(PUNCHES)?);
    ensure!(days.iter().any(|item| !keys.contains(text(item, "employeeKey"))), "everybody is there");
    Ok(())
}

pub(super) fn asks_for_leavers() -> Shown {
    let mut desk = Desk::open()?;
    let found = listed(&mut desk, "?includeResigner=true")?;
    ensure!(found == 3, "{found} people");
    Ok(())
}

fn renamed() -> Result<(Value, Value, String), String> {
    let mut desk = Desk::open()?;
    let before = desk.read("employees")?;
    let key = before.pointer("/0/key").and_then(Value::as_str).unwrap_or_default().to_owned();
    desk.company()?.change_code(&key, Some("Q1"));
    Ok((before, desk.read("employees")?, key))
}

pub(super) fn keys_by_code() -> Shown {
    let (before, after, _) = renamed()?;
    let codes = |list: &Value| -> BTreeSet<String> {
        list.as_array().into_iter().flatten().map(|person| text(person, "code").to_owned()).collect()
    };
    let all = codes(&before).union(&codes(&after)).count();
    ensure!(all == 3, "two people have {all} codes");
    Ok(())
}

pub(super) fn keys_by_key() -> Shown {
    let (_, after, key) = renamed()?;
    let found = after.as_array().into_iter().flatten().find(|person| text(person, "key") == key);
    ensure!(found.is_some_and(|person| text(person, "code") == "Q1"), "the key changed");
    Ok(())
}
