//! Asking a source whether it takes a key. Only then a link is made or changed.

use std::sync::Arc;
use std::time::Duration;

use renkei_attendance::reading::kingoftime::Slice;
use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::db::{Sql, Tx};
use renkei_store::jobs::{self, Job};
use renkei_store::link_checks::{self, Check, Wish};
use renkei_store::links::{self, AttendanceSource, CHECK, Link};
use serde::{Deserialize, Serialize};

use super::run::AT;
use crate::clients::hrmos::{self as client, Company, Fault};
use crate::clients::kingoftime;
use crate::context::Context;
use crate::error::Result;
use crate::sweep::{Sweeper, calendar};

/// So often a source that gives no answer is asked, so far apart.
const TRIES: u32 = 3;
const APART: Duration = Duration::from_secs(5);

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    tries: u32,
    /// Lists that were read already, of a token that needs the right to each.
    read: u32,
}

/// Asks once, and settles the check unless the source gave no answer.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn advance(sweeper: &Sweeper, context: &Context, job: &Job) -> Result<()> {
    let store = &context.store;
    let now = store.now().await?;
    let found = link_checks::find(store, &store.db, &job.subject).await?;
    let Some((check, wish)) = found.and_then(|check| check.wish.clone().map(|wish| (check, wish))) else {
        let tx = store.begin().await?;
        jobs::finish(&tx, job).await?;
        return Ok(tx.commit().await?);
    };
    let wish = as_it_is_now(store, &store.db, &check, &wish).await?;
    if wish.queue(store) != job.queue {
        let tx = store.begin().await?;
        ask_anew(&tx, job, &wish.queue(store), now).await?;
        return Ok(tx.commit().await?);
    }
    if let Err(wait) = sweeper.attendance_limits.take(&job.queue) {
        let tx = store.begin().await?;
        jobs::go_on(&tx, job, &job.doc, now + wait).await?;
        return Ok(tx.commit().await?);
    }
    let mut progress: Progress = serde_json::from_str(&job.doc).unwrap_or_default();
    let outcome = ask(sweeper, context, &wish, progress.read, now).await;
    progress.tries += 1;
    let code = match outcome {
        Ok(Asked::All) => None,
        Ok(Asked::Part) => {
            let tx = store.begin().await?;
            let progress = Progress { tries: 0, read: progress.read + 1 };
            jobs::go_on(&tx, job, &crate::sweep::doc(&progress)?, now).await?;
            return Ok(tx.commit().await?);
        }
        Err(Fault::TooMany(_) | Fault::NoAnswer) if progress.tries < TRIES => {
            let tx = store.begin().await?;
            jobs::go_on(&tx, job, &crate::sweep::doc(&progress)?, now + APART).await?;
            return Ok(tx.commit().await?);
        }
        Err(fault) => Some(code_of(fault)),
    };
    settle(context, job, &check, &wish, code).await
}

/// The wish with what it keeps of the link as that is now.
async fn as_it_is_now(store: &Store, sql: &impl Sql, check: &Check, wish: &Wish) -> Result<Wish> {
    let link = match wish.kept {
        Some(_) => links::find_own(store, sql, &check.tenant, &check.link).await?,
        None => None,
    };
    Ok(link.map_or_else(|| wish.clone(), |link| wish.renewed(&link)))
}

/// The link has another key or company than the one that the source is asked about: it is asked about these, in their turn.
async fn ask_anew(tx: &Tx, job: &Job, queue: &str, now: Millis) -> Result<()> {
    jobs::come_again(tx, job, job.slot, now).await?;
    Ok(jobs::move_to_queue(tx, CHECK, &job.subject, queue).await?)
}

enum Asked {
    All,
    Part,
}

async fn ask(
    sweeper: &Sweeper,
    context: &Context,
    wish: &Wish,
    read: u32,
    now: Millis,
) -> std::result::Result<Asked, Fault> {
    match wish.source {
        AttendanceSource::Hrmos => {
            let company = Company { base_url: sweeper.sources.hrmos.clone(), company: wish.company.clone() };
            let transport: &Arc<_> = &context.transport;
            client::token(transport, &company, &wish.key).await.map(|_| Asked::All)
        }
        AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji => {
            if kingoftime::closed_until(now).is_some() {
                return Err(Fault::Closed);
            }
            let base_url = sweeper.sources.of(wish.source).to_owned();
            let service = kingoftime::Service { base_url, token: wish.key.clone() };
            let today = calendar::today(now);
            let (transport, dates) = (&context.transport, (today, today));
            match read {
                0 => kingoftime::people(transport, &service).await.map(|_| Asked::Part),
                1 => kingoftime::punches(transport, &service, dates, Slice::default()).await.map(|_| Asked::Part),
                _ => kingoftime::totals(transport, &service, dates, Slice::default()).await.map(|_| Asked::All),
            }
        }
    }
}

fn code_of(fault: Fault) -> Code {
    match fault {
        Fault::Unauthorized => Code::AttendanceKeyRefused,
        Fault::Blocked => Code::AttendanceIpBlocked,
        Fault::NotFound => Code::AttendanceCompanyUnknown,
        Fault::Closed => Code::AttendanceSourceClosed,
        Fault::TooMany(_) | Fault::NoAnswer => Code::AttendanceSourceUnavailable,
        Fault::Unreadable => Code::AttendanceSourceUnreadable,
    }
}

async fn settle(context: &Context, job: &Job, check: &Check, wish: &Wish, code: Option<Code>) -> Result<()> {
    let store = &context.store;
    let tx = store.begin().await?;
    links::lock_tenant(&tx, &check.tenant).await?;
    let now = store.now_in(&tx).await?;
    let wish = as_it_is_now(store, &tx, check, wish).await?;
    if wish.queue(store) != job.queue {
        // What the source said is of a key or a company that the link has no more.
        ask_anew(&tx, job, &wish.queue(store), now).await?;
        return Ok(tx.commit().await?);
    }
    jobs::finish(&tx, job).await?;
    let code = match code {
        None => take_over(store, &tx, check, &wish, now).await?,
        refused => refused,
    };
    link_checks::answer(&tx, &check.id, code.map(Code::as_str), now).await?;
    tx.commit().await?;
    tracing::info!(link.id = %check.link, link.accepted = code.is_none(), "a key was checked");
    Ok(())
}

/// The source takes the key: makes the link, or gives the one that is there its new key. What else somebody changed of it
/// meanwhile stays. Answers why that can not be.
async fn take_over(store: &Store, tx: &Tx, check: &Check, wish: &Wish, now: Millis) -> Result<Option<Code>> {
    let issued = wish.key_issued.parse().unwrap_or_else(|_| calendar::today(now));
    let company = (wish.source, wish.company.as_str());
    let (link, before) = match (&wish.new, links::find(store, tx, &check.link).await?) {
        (Some(new), None) => {
            let draft = Link::draft(store, &check.link, &check.tenant, company, wish.key.clone(), issued, now);
            (Link { name: new.name.clone(), auto: new.auto, stated: new.stated.clone(), ..draft }, None)
        }
        (None, Some(before)) if before.tenant == check.tenant && before.source == wish.source => {
            let link = Link {
                company: wish.company.clone(),
                key: wish.key.clone(),
                queue: wish.queue(store),
                key_issued: issued,
                ..before.clone()
            };
            (link, Some(before))
        }
        // Somebody else took the id while the source was asked.
        (Some(_), Some(_)) => return Ok(Some(Code::ApiConflict)),
        // The link was taken away meanwhile.
        (None, _) => return Ok(Some(Code::ApiNotFound)),
    };
    let another_company = before.as_ref().is_some_and(|before| before.company != link.company);
    if before.is_some() {
        links::replan(tx, &link, another_company).await?;
    } else if links::is_anothers(tx, &check.tenant, &link.id).await? {
        // What is kept under the id is another tenant's. An earlier wish of that one may still be asked about.
        return Ok(Some(Code::ApiConflict));
    }
    if !links::put(store, tx, &link).await? {
        return Ok(Some(Code::ApiConflict));
    }
    links::set_trouble(tx, &link.id, None, now).await?;
    if another_company {
        links::company_changed(store, tx, &link, now).await?;
    }
    // A new link begins with the next 05:00, never at once.
    links::plan_window(tx, &link, calendar::next_daily(now, AT)).await?;
    Ok(None)
}
