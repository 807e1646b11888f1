//! What a source may do besides answering (E11, E14, E17, E18).

use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::desk::{Desk, answered, nothing, page_of};
use crate::feed::{RetryAfter, sample};
use crate::rules::{Shown, ensure};
use crate::wire::{SimResponse, http_date};

fn crowded() -> Result<Desk, String> {
    let mut desk = Desk::with(10, |settings| settings.calls_per_minute = 3)?;
    for _ in 0..3 {
        desk.page("limit=1")?;
        desk.wait(100);
    }
    Ok(desk)
}

pub(super) fn hammers() -> Shown {
    let mut desk = crowded()?;
    // Refused calls count, so whoever goes on calling stays out.
    for _ in 0..70 {
        let answer = desk.ask("limit=1");
        answered(&answer, 429)?;
        ensure!(answer.header("Retry-After").is_some(), "not told when");
        desk.wait(1_000);
    }
    Ok(())
}

pub(super) fn waits_as_told() -> Shown {
    for form in [RetryAfter::Seconds, RetryAfter::Date] {
        let mut desk = crowded()?;
        desk.company()?.settings_mut().retry_after = form;
        let sweep = desk.sweep(None, 2, &mut nothing)?;
        ensure!(sweep.newest.len() == 10, "{form:?}: {} of 10", sweep.newest.len());
        let refused = desk.company()?.log().calls().filter(|call| call.status == 429).count();
        ensure!(refused <= 3, "{form:?}: refused {refused} times");
        let until = Millis(desk.now.0 + 1_800_000);
        desk.company()?.faults_mut().unavailable_until = Some(until);
        let before = desk.company()?.log().total();
        desk.sweep(None, 200, &mut nothing)?;
        let calls = desk.company()?.log().total() - before;
        ensure!(calls == 2, "{form:?}: {calls} calls in the outage and after");
    }
    Ok(())
}

/// The source's clock is ten minutes behind, and one record is dated far ahead.
fn odd_clocks() -> Result<Desk, String> {
    let mut desk = Desk::with(3, |settings| settings.clock_ahead_ms = -600_000)?;
    let mut record = sample::person(1);
    record.insert("updated_at".to_owned(), Value::from("2099-01-01T00:00:00+09:00"));
    let now = desk.now;
    desk.company()?.put_dated(now, record).map_err(|error| error.to_string())?;
    Ok(desk)
}

pub(super) fn trusts_the_newest_record() -> Shown {
    let mut desk = odd_clocks()?;
    let page = desk.page("")?;
    let newest = page_of(&page).and_then(|(records, _)| records.iter().filter_map(super::desk::updated_at).max());
    desk.wait(60_000);
    desk.rename(2, "改")?;
    desk.wait(60_000);
    for watermark in [newest.ok_or("nobody")?, desk.now.timestamp()] {
        let sweep = desk.sweep(Some(watermark), 200, &mut nothing)?;
        ensure!(sweep.name(2).is_none(), "the change came all the same");
    }
    Ok(())
}

pub(super) fn keeps_below_the_date() -> Shown {
    let mut desk = odd_clocks()?;
    let sweep = desk.sweep(None, 200, &mut nothing)?;
    ensure!(sweep.began == Some(http_date(Millis(desk.now.0 - 600_000))), "Date is {:?}", sweep.began);
    let date = sweep.began.as_deref().and_then(|date| jiff::fmt::rfc2822::parse(date).ok());
    let watermark = date.ok_or("no Date")?.timestamp();
    desk.wait(60_000);
    desk.rename(2, "改")?;
    desk.wait(60_000);
    let sweep = desk.sweep(Some(watermark), 200, &mut nothing)?;
    ensure!(sweep.name(2) == Some("改"), "the change did not come");
    Ok(())
}

pub(super) fn takes_any_200() -> Shown {
    let mut desk = Desk::of(10)?;
    let faults = desk.company()?.faults_mut();
    (faults.html_pages, faults.empty_bodies, faults.cut_bodies) = (1, 1, 1);
    for _ in 0..3 {
        let answer = desk.ask("");
        answered(&answer, 200)?;
        ensure!(page_of(&answer.body()).is_none(), "it is a page");
    }
    Ok(())
}

pub(super) fn takes_whole_pages_only() -> Shown {
    let mut desk = Desk::of(10)?;
    let faults = desk.company()?.faults_mut();
    faults.spared = 1;
    (faults.html_pages, faults.empty_bodies, faults.cut_bodies) = (1, 1, 1);
    (faults.resets, faults.errors_500, faults.bare_503) = (2, 2, 1);
    (faults.slow_answers, faults.slow_answer_ms, faults.body_ms) = (1, 20_000, 5_000);
    let sweep = desk.sweep(None, 4, &mut nothing)?;
    ensure!(sweep.times.len() == 10 && sweep.times.values().all(|times| *times == 1), "{:?}", sweep.times);
    desk.company()?.faults_mut().slow_answers = 1;
    let SimResponse::Answer(answer) = desk.ask("") else { return Err("no answer".to_owned()) };
    ensure!(answer.delay.as_secs() == 20 && answer.body_over.as_secs() == 5, "not late");
    Ok(())
}

fn strange() -> Result<Desk, String> {
    let mut desk = Desk::of(3)?;
    desk.company()?.faults_mut().strange_records = vec![json!({ "employee_id": 7 }), Value::Null, json!("rm_1")];
    Ok(desk)
}

pub(super) fn gives_up_the_page() -> Shown {
    let page = strange()?.page("")?;
    let (records, _) = page_of(&page).ok_or("no page")?;
    let read = |record: &Value| renkei_events::parse::record(record, super::desk::START.timestamp()).is_ok();
    ensure!(!records.iter().all(read), "every record can be read");
    Ok(())
}

pub(super) fn leaves_the_record_aside() -> Shown {
    let sweep = strange()?.sweep(None, 200, &mut nothing)?;
    ensure!(sweep.newest.len() == 3, "{} of 3", sweep.newest.len());
    Ok(())
}
