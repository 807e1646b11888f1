//! What can be asked (E1 to E4, E9, E10).

use serde_json::Value;

use super::desk::{Desk, START, answered, encoded, ids, nothing, page_of, updated_at};
use crate::feed::{Feed, sample};
use crate::rules::{Shown, ensure};
use crate::wire::SimRequest;

pub(super) fn takes_a_list() -> Shown {
    let body = Desk::of(3)?.page("")?;
    ensure!(body.as_array().is_none() && body.get("data").is_none(), "it is a list");
    Ok(())
}

pub(super) fn takes_the_envelope() -> Shown {
    let body = Desk::of(3)?.page("limit=2")?;
    let (employees, next) = page_of(&body).ok_or("no page")?;
    ensure!(employees.len() == 2 && next.is_some(), "not two and a cursor");
    let first = employees.first().ok_or("nobody")?;
    let record = renkei_events::parse::record(first, START.timestamp());
    let record = record.map_err(|faults| format!("no employee record: {faults:?}"))?;
    ensure!(record.employee_id.as_str() == sample::id(0), "somebody else");
    Ok(())
}

pub(super) fn sends_it_empty() -> Shown {
    answered(&Desk::of(3)?.ask("updated_since="), 400)
}

pub(super) fn leaves_it_out() -> Shown {
    let sweep = Desk::of(450)?.sweep(None, 200, &mut nothing)?;
    ensure!(sweep.newest.len() == 450, "{} of 450", sweep.newest.len());
    Ok(())
}

/// Two people changed in the same millisecond, which is the watermark of somebody who has seen one of them.
fn twins() -> Result<(Desk, jiff::Timestamp), String> {
    let mut desk = Desk::of(5)?;
    let seen = desk.rename(1, "新一")?;
    desk.rename(2, "新二")?;
    desk.wait(1);
    Ok((desk, seen))
}

pub(super) fn asks_a_millisecond_later() -> Shown {
    let (mut desk, watermark) = twins()?;
    let later = watermark + std::time::Duration::from_millis(1);
    let page = desk.page(&format!("updated_since={}", encoded(&later.to_string())))?;
    ensure!(ids(&page).is_empty(), "the second one came all the same");
    Ok(())
}

pub(super) fn asks_from_the_watermark() -> Shown {
    let (mut desk, watermark) = twins()?;
    let sweep = desk.sweep(Some(watermark), 200, &mut nothing)?;
    ensure!(sweep.name(2) == Some("新二") && sweep.newest.len() == 2, "{:?}", sweep.times);
    Ok(())
}

/// The watermark as records write it, with a plus.
fn with_plus(desk: &mut Desk) -> Result<String, String> {
    let page = desk.page("limit=1")?;
    let (employees, _) = page_of(&page).ok_or("no page")?;
    let text = employees.first().and_then(|record| record.get("updated_at")).and_then(Value::as_str);
    let text = text.ok_or("no updated_at")?.to_owned();
    ensure!(text.contains('+'), "no plus in {text}");
    Ok(text)
}

pub(super) fn writes_a_plus() -> Shown {
    let mut desk = Desk::of(3)?;
    let text = with_plus(&mut desk)?;
    answered(&desk.ask(&format!("updated_since={text}")), 400)
}

pub(super) fn encodes_the_plus() -> Shown {
    let mut desk = Desk::of(3)?;
    let text = with_plus(&mut desk)?;
    let page = desk.page(&format!("updated_since={}", encoded(&text)))?;
    ensure!(ids(&page).len() == 3, "not all");
    Ok(())
}

pub(super) fn sends_bad_parameters() -> Shown {
    let mut desk = Desk::of(3)?;
    for query in [
        "updated_since=2026-04-01",
        "updated_since=2026-04-01T09:00:00",
        "updated_since=1775001600",
        "limit=0",
        "limit=-1",
        "limit=all",
        "cursor=2",
        "cursor=",
        "offset=200",
        "limit=1&limit=2",
    ] {
        answered(&desk.ask(query), 400).map_err(|why| format!("{query}: {why}"))?;
    }
    answered(&desk.raw(&SimRequest { method: "POST".to_owned(), ..Desk::request("") }), 405)?;
    answered(&desk.raw(&SimRequest::new("GET", "/feeds/desk/people")), 404)
}

pub(super) fn sends_good_parameters() -> Shown {
    let mut desk = Desk::of(3)?;
    for query in ["", "limit=1", "limit=200&updated_since=2026-04-01T00:00:00Z", "updated_since=2099-01-01T00:00:00Z"] {
        desk.page(query)?;
    }
    Ok(())
}

pub(super) fn comes_without_token() -> Shown {
    let mut desk = Desk::of(3)?;
    let bare = SimRequest::new("GET", &Feed::path("desk"));
    answered(&desk.raw(&bare), 401)?;
    answered(&desk.raw(&bare.clone().with_bearer("another")), 401)?;
    answered(&desk.raw(&bare.with_header("Authorization", "Basic token-desk")), 401)?;
    desk.company()?.set_token("renewed");
    answered(&desk.ask(""), 401)
}

pub(super) fn comes_with_token() -> Shown {
    let mut desk = Desk::of(3)?;
    let page = desk.page("")?;
    let records = page_of(&page).ok_or("no page")?.0;
    ensure!(records.iter().all(|record| updated_at(record).is_some()), "a record without a time");
    Ok(())
}
