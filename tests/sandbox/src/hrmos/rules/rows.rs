//! Rows: rules 13 to 15.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use serde_json::Value;

use super::desk::{Desk, passed, rows, text};
use crate::hrmos::{ClockForm, Day, EmptyDays, Flags, Minute, User, at, sample};
use crate::rules::{Shown, ensure};

const DAY: Date = date(2026, 4, 9);

/// A night, a start on the day before, more than a day.
fn nights() -> Result<Desk, String> {
    let spec =
        (41..44).fold(Desk::empty(), |spec, id| spec.user(User::new(id, Some(&format!("P{id}")), "見本", "花子")));
    let spec = spec
        .day(41, DAY, Day::work(at(20, 0), at(29, 30)).pause(at(24, 0), at(25, 0)))
        .day(42, DAY, Day::work(at(-1, 30), at(8, 0)))
        .day(43, DAY, Day::work(at(9, 0), at(34, 30)));
    Desk::with(spec)
}

/// Minutes of a text `HH:MM`.
fn clock(text: &str) -> Option<i32> {
    let (hour, minute) = text.split_once(':')?;
    Some(hour.parse::<i32>().ok()? * 60 + minute.parse::<i32>().ok()?)
}

pub(super) fn ignores_flags() -> Shown {
    let got = rows(&nights()?.get("work_outputs/daily/2026-04-09"));
    let lengths: Vec<Option<i32>> =
        got.iter().map(|row| Some(clock(text(row, "end_at"))? - clock(text(row, "start_at"))?)).collect();
    ensure!(lengths == [Some(-870), Some(-930), Some(90)], "{lengths:?}");
    Ok(())
}

/// A time and its flag as minutes of the work date. From 24:00 on the time says all; without a flag a time before
/// `start` is taken for the next day's.
fn minute(row: &Value, time: &str, flag: &str, start: Option<i32>) -> Option<i32> {
    let clock = clock(text(row, time))?;
    let flag = row.get(flag).and_then(Value::as_i64);
    Some(match flag {
        _ if clock >= 1440 => clock,
        Some(flag) => clock + i32::try_from(flag).ok()? * 1440,
        None if start.is_some_and(|start| clock < start) => clock + 1440,
        None => clock,
    })
}

fn worked(row: &Value) -> Option<(i32, i32)> {
    let start = minute(row, "start_at", "next_day_start", None)?;
    Some((start, minute(row, "end_at", "next_day_end", Some(start))?))
}

pub(super) fn reads_flags() -> Shown {
    let minutes = |from: Minute, to: Minute| Some((from.get(), to.get()));
    let night = minutes(at(20, 0), at(29, 30));
    let mut desk = nights()?;
    for form in [ClockForm::Clock, ClockForm::Extended] {
        desk.set(|settings| settings.clock = form)?;
        let got: Vec<_> = rows(&desk.get("work_outputs/daily/2026-04-09")).iter().map(worked).collect();
        ensure!(got == [night, minutes(at(-1, 30), at(8, 0)), minutes(at(9, 0), at(34, 30))], "{form:?}: {got:?}");
    }
    for flags in [Flags::Null, Flags::Missing] {
        desk.set(|settings| (settings.clock, settings.flags) = (ClockForm::Clock, flags))?;
        let got = rows(&desk.get("work_outputs/daily/2026-04-09"));
        ensure!(got.first().and_then(worked) == night, "{flags:?}");
    }
    Ok(())
}

/// One who worked, one who entered nothing, one who began.
fn three() -> Result<Desk, String> {
    let spec =
        (41..44).fold(Desk::empty(), |spec, id| spec.user(User::new(id, Some(&format!("P{id}")), "見本", "花子")));
    let spec = spec.day(41, DAY, Day::work(at(9, 0), at(18, 0)).pause(at(12, 0), at(13, 0)));
    Desk::with(spec.day(43, DAY, Day::started(at(9, 0))))
}

pub(super) fn counts_rows() -> Shown {
    let got = rows(&three()?.get("work_outputs/daily/2026-04-09"));
    let breaks = got.iter().filter(|row| !text(row, "break_1_start_at").is_empty()).count();
    ensure!(got.len() == 3 && breaks == 2, "{} rows, {breaks} with a break", got.len());
    Ok(())
}

pub(super) fn wants_start_and_end() -> Shown {
    for empty in [EmptyDays::NullRow, EmptyDays::Missing] {
        let mut desk = three()?;
        desk.set(|settings| settings.empty_days = empty)?;
        let answer = desk.get("work_outputs/daily/2026-04-09");
        passed(&answer)?;
        let got = rows(&answer);
        let whole = got.iter().filter(|row| worked(row).is_some()).count();
        let half = got.iter().filter(|row| text(row, "start_at").is_empty() != text(row, "end_at").is_empty()).count();
        ensure!((whole, half) == (1, 1), "{empty:?}: {whole} whole, {half} half");
    }
    Ok(())
}

pub(super) fn keys_by_number() -> Shown {
    let mut desk = Desk::open()?;
    let day = desk.yesterday()?;
    let got = desk.all(&format!("work_outputs/daily/{day}"))?;
    let by_number: BTreeMap<&str, &Value> = got.iter().map(|row| (text(row, "number"), row)).collect();
    // The shared number swallows one, the null and the empty one are one.
    ensure!(by_number.len() + 2 == got.len(), "{} numbers for {} rows", by_number.len(), got.len());
    Ok(())
}

pub(super) fn names_doubles() -> Shown {
    let mut desk = Desk::open()?;
    let day = desk.yesterday()?;
    let got = desk.all(&format!("work_outputs/daily/{day}"))?;
    let mut people: BTreeMap<&str, BTreeSet<i64>> = BTreeMap::new();
    for row in &got {
        let id = row.get("user_id").and_then(Value::as_i64).ok_or("a row of nobody")?;
        people.entry(text(row, "number")).or_default().insert(id);
    }
    let nameless = people.remove("").unwrap_or_default();
    let doubles: Vec<_> = people.iter().filter(|(_, ids)| ids.len() > 1).collect();
    ensure!(nameless.len() == 2 && doubles.len() == 1, "{nameless:?} have no number, doubles are {doubles:?}");
    ensure!(people.len() + nameless.len() + 1 == got.len(), "somebody was lost");
    // A correction at the source shows in the rows of the same person.
    let (now, second) = (desk.now, 112);
    ensure!(desk.company()?.change_number(now, second, Some("P9999")), "no such person");
    let after = desk.all(&format!("work_outputs/daily/{day}"))?;
    let own = after.iter().find(|row| row.get("user_id").and_then(Value::as_i64) == Some(second));
    ensure!(own.is_some_and(|row| text(row, "number") == "P9999"), "the old number");
    ensure!(sample::oddities(60, date(2026, 3, 1), date(2026, 4, 30)).len() == 7, "the sample lacks an oddity");
    Ok(())
}
