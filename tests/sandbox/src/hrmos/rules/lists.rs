//! Lists: rules 8, 9, 10 and 12.

use std::collections::BTreeSet;

use jiff::civil::date;
use serde_json::Value;

use super::desk::{APART, Desk, passed, refused, rows, text};
use crate::hrmos::{Day, OverLimit, PastEnd, User, at, sample};
use crate::rules::{Shown, ensure};

/// 120 people; 119 of them are there on any one date near the end.
fn crowd() -> Result<Desk, String> {
    let mut spec = sample::company("desk", 120, date(2026, 3, 1), date(2026, 4, 9), 5);
    spec.key_issued_at = Desk::empty().key_issued_at;
    Desk::with(spec)
}

const PEOPLE: usize = 120;

pub(super) fn reads_one_page() -> Shown {
    let mut desk = crowd()?;
    ensure!(rows(&desk.get("users")).len() == 25, "not 25 by default");
    ensure!(rows(&desk.get("users?limit=500")).len() == 100, "not cut to 100");
    let page = |number: u8| format!("users?limit=100&page={number}");
    ensure!(rows(&desk.get(&page(3))).is_empty(), "a page behind the end has rows");
    refused(&desk.get(&page(0)), 400)?;
    // As headers both mean nothing.
    let token = format!("Token {}", desk.token());
    let request = Desk::request("GET", "users").with_header("Authorization", token);
    let answer = desk.raw(request.with_header("limit", "100").with_header("page", "2"));
    ensure!(rows(&answer).len() == 25 && answer.header("X-Total-Page") == Some("5"), "headers were read");
    desk.set(|settings| settings.over_limit = OverLimit::Refuse)?;
    refused(&desk.get("users?limit=500"), 400)
}

pub(super) fn reads_all_pages() -> Shown {
    for strict in [false, true] {
        let mut desk = crowd()?;
        desk.set(|settings| {
            if strict {
                (settings.over_limit, settings.past_end) = (OverLimit::Refuse, PastEnd::NotFound);
            }
        })?;
        let everybody = desk.all("users")?;
        let ids: BTreeSet<i64> = everybody.iter().filter_map(|row| row.get("id")?.as_i64()).collect();
        ensure!(everybody.len() == PEOPLE && ids.len() == PEOPLE, "{} rows, {} people", everybody.len(), ids.len());
        // An empty list is read as well, and a list without totals up to the first short page.
        ensure!(desk.all("work_outputs/daily/2026-04-11")?.is_empty(), "rows of a date to come");
        desk.fault(|faults| faults.without_totals = 2)?;
        ensure!(desk.all("users")?.len() == PEOPLE, "not everybody without totals");
    }
    Ok(())
}

pub(super) fn takes_them_for_work_dates() -> Shown {
    let mut desk = crowd()?;
    // 1 to 9 April, it thinks; but of that one date nothing was changed in March.
    let answer = desk.get("work_outputs/daily/2026-04-08?from=2026-03-01&to=2026-03-31&limit=100");
    passed(&answer)?;
    let worked = rows(&answer).iter().filter(|row| !text(row, "start_at").is_empty()).count();
    ensure!(worked == 0, "{worked} days of work");
    let march = desk.get("work_outputs/daily/2026-03-10?from=2026-04-01&to=2026-04-09&limit=100");
    ensure!(rows(&march).is_empty(), "rows of 10 March were changed in April");
    // Leave that was entered weeks ago is nothing new on a date that is read for the first time.
    let on_leave = |desk: &mut Desk, query: &str| -> Result<usize, String> {
        let all = desk.all(&format!("work_outputs/daily/2026-04-09{query}"))?;
        Ok(all.iter().filter(|row| text(row, "segment_title") == "有休").count())
    };
    let (there, found) = (on_leave(&mut desk, "")?, on_leave(&mut desk, "?from=2026-04-08T05:00:00%2B09:00")?);
    ensure!(there > 0 && found == 0, "{found} of {there} on leave");
    // An offset whose plus sign is not escaped is none.
    refused(&desk.get("work_outputs/daily/2026-04-08?from=2026-04-01T00:00:00+09:00"), 400)
}

pub(super) fn keeps_a_high_water_mark() -> Shown {
    let mut desk = crowd()?;
    let day = date(2026, 3, 10);
    let before = desk.all("work_outputs/daily/2026-03-10")?.len();
    // The mark of the last run; the plus sign is escaped.
    let since = "work_outputs/daily/2026-03-10?from=2026-04-10T05:00:00.000%2B09:00";
    ensure!(desk.all(since)?.is_empty(), "rows that nobody changed");
    desk.wait(3_600_000);
    let now = desk.now;
    desk.company()?.edit_day(now, 101, day, |record| record.end = Some(at(21, 0)));
    let changed = desk.all(since)?;
    ensure!(changed.len() == 1 && text(&changed[0], "end_at") == "21:00", "{} rows changed", changed.len());
    ensure!(desk.all("work_outputs/daily/2026-03-10")?.len() == before, "another number of rows");
    Ok(())
}

pub(super) fn asks_for_one_person() -> Shown {
    let mut desk = crowd()?;
    let got = rows(&desk.get("work_outputs/daily/2026-04-08?user_id=101&limit=100"));
    let others = got.iter().filter(|row| row.get("user_id").and_then(Value::as_i64) != Some(101)).count();
    ensure!(others == 99, "{others} rows of others");
    Ok(())
}

pub(super) fn picks_by_id() -> Shown {
    let spec =
        Desk::empty().user(User::new(41, Some("P1"), "見本", "一")).user(User::new(42, Some("P2"), "見本", "二"));
    let day = date(2026, 4, 9);
    let mut desk = Desk::with(spec.day(42, day, Day::work(at(9, 0), at(18, 0))))?;
    desk.wait(APART);
    let all = desk.all("work_outputs/daily/2026-04-09")?;
    let of: Vec<&Value> = all.iter().filter(|row| row.get("user_id").and_then(Value::as_i64) == Some(42)).collect();
    ensure!(of.len() == 1 && text(of[0], "start_at") == "09:00", "{} rows", of.len());
    Ok(())
}

pub(super) fn writes_dates_freely() -> Shown {
    let mut desk = Desk::open()?;
    for wrong in ["2026-4-9", "20260409", "2026-02-30", "2026-04", "today"] {
        refused(&desk.get(&format!("work_outputs/daily/{wrong}")), 400)?;
    }
    for wrong in ["2026-13", "202604", "2026-04-01"] {
        refused(&desk.get(&format!("work_outputs/monthly/{wrong}")), 400)?;
    }
    refused(&desk.get("work_outputs/daily/2026/04/09"), 404)
}

pub(super) fn writes_dates_exactly() -> Shown {
    let mut desk = Desk::open()?;
    for day in [date(2024, 2, 29), date(2026, 4, 9)] {
        passed(&desk.get(&format!("work_outputs/daily/{day}")))?;
    }
    Ok(())
}
