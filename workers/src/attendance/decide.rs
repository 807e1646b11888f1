//! What becomes of a link's days, decided anew whenever the source, クラウドログ's list, a setting or the protected days change.
//!
//! A decision is a job of the sweeper: some dates a step, then the files. It comes to the same however often it is made, and
//! whoever changes something asks for another one, so that one which read what was true before is put right by the next.

mod files;
mod question;

use std::collections::BTreeSet;

use jiff::ToSpan as _;
use jiff::civil::Date;
use renkei_attendance::decide::Decision;
use renkei_attendance::matching::Matching;
use renkei_attendance::window::MOST_DAYS;
use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::attendance::book::{self, BookDay, DayState, Decided};
use renkei_store::attendance::handwork::{self, Item};
use renkei_store::attendance::members;
use renkei_store::db::Tx;
use renkei_store::jobs::{self, Job};
use renkei_store::links;
use serde::{Deserialize, Serialize};

use self::question::Judge;
use crate::context::Context;
use crate::error::Result;
use crate::sweep::calendar;

/// How many dates one step takes.
const DATES: u32 = 5;
/// How many days are read at once.
const CHUNK: u32 = 500;

/// How far a decision is.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    /// The date that was decided about last.
    after: String,
    /// The first date that is looked at.
    first: Option<Date>,
    /// The oldest date on which days waited as the decision began: who had a code from then on is compared, also when the days of
    /// the first dates wait no more.
    oldest: Option<String>,
}

/// Goes one step further in a decision.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn advance(context: &Context, job: &Job) -> Result<()> {
    let store = &context.store;
    let now = store.now().await?;
    let link = links::find(store, &store.db, &job.subject).await?;
    let listed = match &link {
        Some(link) => members::info(&store.db, &link.tenant).await?.is_some(),
        None => false,
    };
    // Without クラウドログ's list nobody is anybody: nothing is decided until there is one.
    let Some(link) = link.filter(|_| listed) else {
        let tx = store.begin().await?;
        jobs::finish(&tx, job).await?;
        return Ok(tx.commit().await?);
    };
    let mut progress: Progress = serde_json::from_str(&job.doc).unwrap_or_default();
    let today = calendar::today(now);
    let first = *progress.first.get_or_insert(today.checked_sub(MOST_DAYS.days()).unwrap_or(today));
    let first = first.to_string();
    let oldest = match progress.oldest.take() {
        Some(oldest) => oldest,
        None => book::dates(&store.db, &link.id, &first, "", 1).await?.pop().unwrap_or_else(|| first.clone()),
    };
    let judge = Judge::new(store, &link, &oldest, today).await?;
    progress.oldest = Some(oldest);
    let dates = book::dates(&store.db, &link.id, &first, &progress.after, DATES).await?;
    let Some(last) = dates.last().cloned() else {
        return files::make(context, job, &judge, now).await;
    };
    let matching = judge.matching();
    for date in dates {
        decide_date(context, job, &judge, &matching, &date, date < first, now).await?;
    }
    progress.after = last;
    let tx = store.begin().await?;
    jobs::go_on(&tx, job, &crate::sweep::doc(&progress)?, now).await?;
    Ok(tx.commit().await?)
}

/// Decides about a date. Of an `old` one only what is not settled: who shared a code then is known no more (`shared_codes::tidy`),
/// so that a day which was nobody's would become somebody's because another one of its date waits.
async fn decide_date(
    context: &Context,
    job: &Job,
    judge: &Judge,
    matching: &Matching<'_>,
    date: &str,
    old: bool,
    now: Millis,
) -> Result<()> {
    let store = &context.store;
    let mut settled: BTreeSet<String> = BTreeSet::new();
    let mut known = handwork::of_period(store, &store.db, &judge.link.id, date, date).await?;
    let mut after = String::new();
    loop {
        let days = book::of_date(store, &store.db, &judge.link.id, date, &after, CHUNK).await?;
        let Some(last) = days.last() else { break };
        after.clone_from(&last.told.code);
        let mut decided = Vec::with_capacity(days.len());
        let mut to_type: Vec<(i64, Item)> = Vec::new();
        for day in &days {
            if old && !matches!(day.state, DayState::New | DayState::Pending) {
                settled.insert(day.told.code.clone());
                continue;
            }
            let Some(decision) = judge.decision(matching, day) else { continue };
            decided.push(written(day, &decision));
            if let Some(work) = decision.handwork() {
                let item = Item {
                    id: 0,
                    code: day.told.code.clone(),
                    day: date.to_owned(),
                    reason: work.why.code().to_owned(),
                    value: work.value.clone(),
                    made: now,
                    done: None,
                };
                let same = |old: &Item| old.code == item.code && old.reason == item.reason;
                let before = known.iter().position(same).map(|at| known.swap_remove(at));
                if before.is_none_or(|old| old.value != item.value) {
                    to_type.push((day.told.run, item));
                }
            }
        }
        let tx = begin_writing(store, job, &judge.link.tenant).await?;
        book::decide(&tx, &judge.link.tenant, &decided).await?;
        for (run, item) in &to_type {
            handwork::put(store, &tx, &judge.link.tenant, &judge.link.id, *run, item, now).await?;
        }
        tx.commit().await?;
    }
    // What is left of the list is not to be typed any more.
    let is_over = |item: &&Item| item.done.is_none() && !settled.contains(&item.code);
    let over: Vec<i64> = known.iter().filter(is_over).map(|item| item.id).collect();
    // What is over by now may be wanted again by another worker's decision.
    let tx = begin_writing(store, job, &judge.link.tenant).await?;
    handwork::remove(&tx, &over).await?;
    Ok(tx.commit().await?)
}

/// A transaction that writes what was decided. The company's lock first and the job then, as whoever deletes somebody does: who is
/// deleted by now is in no row that was read before, and of the days of a company one at a time writes.
async fn begin_writing(store: &Store, job: &Job, tenant: &str) -> Result<Tx> {
    let tx = store.begin().await?;
    links::lock_tenant(&tx, tenant).await?;
    // Somebody may have been deleted since the days were read.
    jobs::still_held(&tx, job).await?;
    Ok(tx)
}

fn written(day: &BookDay, decision: &Decision) -> Decided {
    let state = match decision {
        Decision::Pending { .. } => DayState::Pending,
        Decision::Done { .. } => DayState::Done,
        Decision::Handwork(_) => DayState::Handwork,
        Decision::Skipped(_) => DayState::Skipped,
        Decision::Open => DayState::New,
        Decision::Protected => DayState::Protected,
        Decision::Unmatched(_) => DayState::Unmatched,
    };
    Decided {
        code: day.told.code.clone(),
        day: day.told.day.clone(),
        seen: day.seen(),
        state,
        why: decision.why().map(|why| why.code().to_owned()),
        forced: decision.forces_the_next_row(),
    }
}
