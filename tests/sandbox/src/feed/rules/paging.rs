//! How a run goes from page to page (E5 to E8, E12, E13, E15, E16).

use serde_json::Value;

use super::desk::{Desk, answered, encoded, ids, next, nothing, page_of, updated_at};
use crate::feed::{Late, sample};
use crate::rules::{Shown, ensure};

pub(super) fn takes_the_first_for_newest() -> Shown {
    let page = Desk::of(5)?.page("")?;
    let first = page_of(&page).and_then(|(records, _)| records.first().and_then(updated_at)).ok_or("nobody")?;
    let newest = page_of(&page).into_iter().flat_map(|(records, _)| records.iter().filter_map(updated_at)).max();
    ensure!(newest.is_some_and(|newest| newest > first), "the first is the newest");
    Ok(())
}

pub(super) fn takes_the_last_for_newest() -> Shown {
    let mut desk = Desk::of(5)?;
    for number in [4, 3] {
        desk.rename(number, "同時")?;
    }
    let body = desk.page("")?;
    let places: Vec<_> = page_of(&body)
        .into_iter()
        .flat_map(|(records, _)| records)
        .map(|record| (updated_at(record), record.get("employee_id").and_then(Value::as_str)))
        .collect();
    ensure!(places.is_sorted() && places.len() == 5, "not in order: {places:?}");
    Ok(())
}

pub(super) fn moves_the_watermark_midway() -> Shown {
    let mut desk = Desk::of(5)?;
    let first = desk.page("limit=2&updated_since=2026-01-01T00:00:00Z")?;
    let cursor = encoded(&next(&first)?);
    answered(&desk.ask(&format!("limit=2&updated_since=2026-01-02T00:00:00Z&cursor={cursor}")), 400)?;
    answered(&desk.ask(&format!("limit=2&cursor={cursor}")), 400)
}

pub(super) fn keeps_the_question() -> Shown {
    let mut desk = Desk::of(5)?;
    let first = desk.page("limit=2&updated_since=2026-01-01T00:00:00Z")?;
    let cursor = encoded(&next(&first)?);
    // The same instant, written otherwise; and another length of the page.
    let second = desk.page(&format!("limit=3&updated_since=2026-01-01T09:00:00%2B09:00&cursor={cursor}"))?;
    ensure!(ids(&second) == [sample::id(2), sample::id(3), sample::id(4)], "{:?}", ids(&second));
    ensure!(next(&second).is_err(), "no end");
    Ok(())
}

/// Nobody changes the people of the first page twice: with each page one of them goes to the end.
pub(super) fn counts_by_position() -> Shown {
    let mut desk = Desk::of(6)?;
    let first = desk.page("limit=3")?;
    desk.rename(0, "改")?;
    // A client that skips three of what there is now.
    let now = ids(&desk.page("")?);
    let skipped: Vec<&String> = now.iter().skip(3).collect();
    let missed = (0..6).map(sample::id).find(|id| !ids(&first).contains(id) && !skipped.contains(&id));
    ensure!(missed == Some(sample::id(3)), "nobody was missed");
    Ok(())
}

pub(super) fn follows_the_cursor() -> Shown {
    let mut desk = Desk::of(20)?;
    let mut touch = |desk: &mut Desk, page: usize| {
        desk.wait(10);
        // One who has been read and one who has not, as long as there are such.
        if page < 5 {
            desk.rename(page, "改")?;
            desk.rename(19 - page, "改")?;
        }
        Ok(())
    };
    let sweep = desk.sweep(None, 4, &mut touch)?;
    ensure!(sweep.times.len() == 20, "{} of 20", sweep.times.len());
    ensure!(sweep.times.get(&sample::id(1)) == Some(&2), "the changed one did not come again");
    for (id, record) in desk.company()?.everybody() {
        let seen = sweep.newest.get(id).and_then(Value::as_object);
        ensure!(seen == Some(record), "{id} is not what it is now");
    }
    Ok(())
}

pub(super) fn asks_for_a_thousand() -> Shown {
    let page = Desk::of(450)?.page("limit=1000")?;
    ensure!(ids(&page).len() == 200, "{} came", ids(&page).len());
    ensure!(next(&page).is_ok(), "that was all");
    Ok(())
}

pub(super) fn asks_for_two_hundred() -> Shown {
    let sweep = Desk::of(450)?.sweep(None, 200, &mut nothing)?;
    ensure!(sweep.pages == 3 && sweep.newest.len() == 450, "{} pages", sweep.pages);
    Ok(())
}

/// Person 1 changes before person 2, and is seen after.
fn overtaken() -> Result<(Desk, jiff::Timestamp), String> {
    let mut desk = Desk::with(3, |settings| settings.most_late_ms = 300_000)?;
    let put = |desk: &mut Desk, number: usize, late: u64| -> Result<jiff::Timestamp, String> {
        let mut record = sample::person(number);
        record.insert("last_name".to_owned(), Value::from("遅"));
        let now = desk.now;
        desk.company()?.put_late(now, record, late).map_err(|error| error.to_string())
    };
    put(&mut desk, 1, 300_000)?;
    desk.wait(1_000);
    let watermark = put(&mut desk, 2, 0)?;
    let sweep = desk.sweep(Some(watermark - std::time::Duration::from_secs(300)), 200, &mut nothing)?;
    ensure!(sweep.name(2) == Some("遅") && sweep.name(1).is_none(), "person 1 is seen already");
    desk.wait(900_000);
    Ok((desk, watermark))
}

pub(super) fn goes_on_exactly() -> Shown {
    let (mut desk, watermark) = overtaken()?;
    let sweep = desk.sweep(Some(watermark), 200, &mut nothing)?;
    ensure!(sweep.name(1).is_none(), "person 1 came all the same");
    Ok(())
}

pub(super) fn overlaps() -> Shown {
    let (mut desk, watermark) = overtaken()?;
    let sweep = desk.sweep(Some(watermark - std::time::Duration::from_secs(300)), 200, &mut nothing)?;
    ensure!(sweep.name(1) == Some("遅"), "person 1 did not come");
    // Whatever the delays are, nothing is later than that.
    for late in [Late::Never, Late::Spread, Late::AtMost] {
        let mut desk = Desk::with(40, |settings| settings.late = late)?;
        for number in 0..40 {
            desk.rename(number, "改")?;
            desk.wait(700);
        }
        let last = desk.now;
        desk.wait(300_000);
        let since = last.timestamp() - std::time::Duration::from_secs(300);
        let sweep = desk.sweep(Some(since), 200, &mut nothing)?;
        ensure!(sweep.newest.len() == 40, "{late:?}: {} of 40", sweep.newest.len());
    }
    Ok(())
}

fn removed() -> Result<Desk, String> {
    let mut desk = Desk::of(4)?;
    let now = desk.now;
    ensure!(desk.company()?.delete(now, &sample::id(2)), "nobody to remove");
    Ok(desk)
}

pub(super) fn waits_for_a_sign() -> Shown {
    let mut desk = removed()?;
    let since = desk.now.timestamp();
    let sweep = desk.sweep(Some(since), 200, &mut nothing)?;
    ensure!(sweep.newest.is_empty(), "there was a sign: {:?}", sweep.times);
    Ok(())
}

pub(super) fn leaves_them_alone() -> Shown {
    let mut desk = removed()?;
    let sweep = desk.sweep(None, 200, &mut nothing)?;
    ensure!(!sweep.times.contains_key(&sample::id(2)) && sweep.times.len() == 3, "{:?}", sweep.times);
    // Whoever comes back is somebody again.
    let now = desk.now;
    desk.company()?.put(now, sample::person(2)).map_err(|error| error.to_string())?;
    ensure!(desk.sweep(None, 200, &mut nothing)?.times.len() == 4, "did not come back");
    Ok(())
}

fn short() -> Result<Desk, String> {
    let mut desk = Desk::of(10)?;
    desk.company()?.faults_mut().short_pages = 2;
    Ok(desk)
}

pub(super) fn stops_at_a_short_page() -> Shown {
    let mut desk = short()?;
    let page = desk.page("limit=4")?;
    ensure!(ids(&page).len() < 4 && next(&page).is_ok(), "a full page, or the last");
    Ok(())
}

pub(super) fn stops_at_null() -> Shown {
    let sweep = short()?.sweep(None, 4, &mut nothing)?;
    ensure!(sweep.newest.len() == 10, "{} of 10", sweep.newest.len());
    // An exactly full page can be the last one.
    let sweep = Desk::of(8)?.sweep(None, 4, &mut nothing)?;
    ensure!(sweep.pages == 2 && sweep.newest.len() == 8, "{} pages", sweep.pages);
    Ok(())
}

pub(super) fn insists_on_the_cursor() -> Shown {
    let mut desk = Desk::with(10, |settings| settings.cursor_life_ms = 60_000)?;
    let cursor = encoded(&next(&desk.page("limit=4")?)?);
    desk.wait(60_001);
    for _ in 0..3 {
        answered(&desk.ask(&format!("limit=4&cursor={cursor}")), 400)?;
        desk.wait(1_000);
    }
    Ok(())
}

pub(super) fn starts_the_run_again() -> Shown {
    let mut desk = Desk::of(10)?;
    let faults = desk.company()?.faults_mut();
    (faults.spared, faults.expired_cursors) = (2, 1);
    let sweep = desk.sweep(None, 4, &mut nothing)?;
    ensure!(sweep.times.len() == 10 && sweep.pages == 5, "{} people, {} pages", sweep.times.len(), sweep.pages);
    Ok(())
}
