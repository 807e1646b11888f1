//! 定期確認: what changed at a source of employees since the last time, page by page.
//!
//! A sweep asks for what was changed at or after its watermark, less an overlap, and puts on the log what the store has not
//! seen. The watermark moves at the end only, after the log acknowledged everything, and never past the source's own clock at
//! the first page, so nothing that changed meanwhile is passed over. Where a sweep stands is in its job: a worker that dies is
//! followed by another one at the same page, and a page that is read twice changes nothing.

use std::time::Duration;

use jiff::Timestamp;
use renkei_events::codes::Code;
use renkei_events::ids::ConnectionId;
use renkei_events::topic::Topic;
use renkei_log::NewRecord;
use renkei_runtime::clock::Millis;
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::db::Tx;
use renkei_store::feeds::{self, Feed, Missed};
use renkei_store::forgotten;
use renkei_store::jobs::{self, Job};
use renkei_store::known::{self, Known};
use renkei_store::runs::{self, Counts, Run, RunKind, RunState};
use serde::{Deserialize, Serialize};

use super::found::{self, Found};
use super::{Sweeper, calendar};
use crate::clients::feed::{self as client, Page, PageFault};
use crate::context::{Context, back_off};
use crate::error::Result;

/// How long the log may take to acknowledge a page (real time).
const APPEND: Duration = Duration::from_secs(10);
/// A change that is older than this should have come by webhook.
const SHOULD_HAVE_COME: Duration = Duration::from_secs(600);
/// How often a sweep begins with its first page again. A source that never takes its own cursor is in trouble.
const BEGINS_ANEW: u32 = 2;
/// The longest wait that a source may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// How far a sweep is. Stands in the job; the cursor is the source's and may say anything, so it is sealed.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Progress {
    /// When the first page was asked for, on the store's clock.
    started: Option<Millis>,
    /// What was asked for; `None` in a first load.
    since: Option<Timestamp>,
    /// The source's clock at the first page.
    until: Option<Timestamp>,
    /// The largest `updated_at` so far.
    newest: Option<Timestamp>,
    cursor: Option<Vec<u8>>,
    seen: i64,
    new: i64,
    known: i64,
    invalid: i64,
    late: i64,
    calls: i64,
    failures: u32,
    /// How often it began with the first page again because a cursor was not taken.
    begun_anew: u32,
}

impl Sweeper {
    /// Goes one page further.
    pub(super) async fn sweep_feed(&self, context: &Context, job: &Job) -> Result<()> {
        let store = &context.store;
        let now = store.now().await?;
        let connection = connections::find(store, &store.db, &job.subject).await?;
        let feed = feeds::find(store, &store.db, &job.subject).await?;
        let (Some(connection), Some(feed)) = (connection, feed) else { return self.end_for_good(context, job).await };
        let Some(token) = &feed.token else { return self.end_for_good(context, job).await };
        if connection.state == ConnectionState::Disconnected {
            return self.end_for_good(context, job).await;
        }
        let mut progress: Progress = serde_json::from_str(&job.doc).unwrap_or_default();
        if job.kind == feeds::SWEEP {
            // What was before the first activation is a baseline and none of the sweep's business.
            let Some(activated) = connection.activated_wall else { return self.next_time(context, job).await };
            progress.since.get_or_insert_with(|| since(&feed, activated));
        } else if connection.activated.is_some() {
            return self.end_for_good(context, job).await;
        }
        if let Err(wait) = self.limits.take(&job.queue) {
            return self.go_on(context, job, &progress, now + wait).await;
        }
        progress.started.get_or_insert(now);
        progress.calls += 1;
        let place = cursor_place(&job.subject);
        let cursor = progress.cursor.as_ref().map(|sealed| store.keys.open(&place, sealed)).transpose()?;
        let cursor = cursor.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
        let answer = client::page(&context.transport, &feed.url, token, progress.since, cursor.as_deref()).await;
        match answer {
            Ok(page) => self.take(context, job, &connection, &feed, progress, page).await,
            // The cursor is not taken any more: from the first page again, with the same beginning.
            Err(PageFault::BadRequest) if cursor.is_some() && progress.begun_anew < BEGINS_ANEW => {
                progress.cursor = None;
                progress.begun_anew += 1;
                self.go_on(context, job, &progress, now).await
            }
            Err(fault) => self.failed(context, job, progress, fault).await,
        }
    }

    /// Puts on the log what is new of a page, and goes on to the next one or ends the sweep.
    async fn take(
        &self,
        context: &Context,
        job: &Job,
        connection: &Connection,
        feed: &Feed,
        mut progress: Progress,
        page: Page,
    ) -> Result<()> {
        let store = &context.store;
        let received = context.clock.now().timestamp();
        progress.until.get_or_insert(page.date.unwrap_or(received));
        let Ok(id) = ConnectionId::new(connection.id.clone()) else { return self.end_for_good(context, job).await };
        let read: Vec<Found> =
            page.records.iter().filter_map(|record| found::read(&store.keys, &id, record, received)).collect();
        let ids: Vec<&str> = read.iter().map(|found| found.event.employee_id.as_str()).collect();
        let mut known = known::of_people(&store.db, &connection.id, &ids).await?;
        let of_it = ids.iter().map(|id| (connection.id.as_str(), *id));
        for ((_, id), version) in forgotten::people(store, &store.db, of_it).await? {
            // What was said before somebody was forgotten is not news.
            known.entry(id).or_insert(Known { version, content: String::new() });
        }
        let (new, old): (Vec<&Found>, Vec<&Found>) = read.iter().partition(|found| found::is_new(found, &known));
        let mut records = Vec::with_capacity(new.len());
        for found in &new {
            let traceparent = super::traceparent(&store.keys, &job.name, found.event.event_id.as_str());
            records.push(NewRecord {
                topic: Topic::Employee,
                key: found.event.key(),
                headers: found.event.headers(&traceparent),
                value: found.event.value().map_err(renkei_store::error::StoreError::from)?,
            });
        }
        if !records.is_empty() {
            self.log.append(records, APPEND).await?;
            store.hint();
        }
        let late = received - SHOULD_HAVE_COME;
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        progress.seen += count(page.records.len());
        progress.known += count(old.len());
        progress.new += count(new.len());
        progress.invalid += count(new.iter().filter(|found| found.event.employee.is_none()).count());
        progress.late += count(new.iter().filter(|found| found.updated_at.is_some_and(|at| at < late)).count());
        progress.newest = progress.newest.max(read.iter().filter_map(|found| found.updated_at).max());
        progress.failures = 0;
        let place = cursor_place(&job.subject);
        progress.cursor = page.next.as_ref().map(|cursor| store.keys.seal(&place, cursor.as_bytes()));
        let now = store.now().await?;
        if progress.cursor.is_some() {
            return self.go_on(context, job, &progress, now).await;
        }
        let tx = store.begin().await?;
        self.end(context, &tx, job, connection, feed, &progress, now).await?;
        tx.commit().await?;
        context.metrics.sweeps.with_label_values(&[if progress.new > 0 { "found" } else { "nothing" }]).inc();
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "the end needs all that the sweep knows")]
    async fn end(
        &self,
        context: &Context,
        tx: &Tx,
        job: &Job,
        connection: &Connection,
        feed: &Feed,
        progress: &Progress,
        now: Millis,
    ) -> Result<()> {
        let first_load = job.kind == feeds::FIRST_LOAD;
        if first_load {
            jobs::finish(tx, job).await?;
        } else {
            let slot = calendar::next_quarter(now.max(job.slot));
            jobs::come_again(tx, job, slot, slot + self.offset(context, &job.subject).await?).await?;
            let has_webhook = connections::has_secrets(tx, &connection.id).await?;
            let missed = missed(feed.missed, progress.late, has_webhook, now);
            feeds::checked(tx, &connection.id, watermark(feed, progress), missed, now).await?;
        }
        if progress.new == 0 && !first_load {
            return Ok(());
        }
        let kind = if first_load { RunKind::FirstLoad } else { RunKind::Sweep };
        let run = Run {
            state: RunState::Ok,
            slot: job.slot,
            started: progress.started.unwrap_or(now),
            ended: Some(now),
            counts: counts(progress, now),
            ..Run::draft(&connection.tenant, kind, &connection.id, now)
        };
        let id = runs::insert(tx, &run).await?;
        tracing::info!(run.id = id, connection.id = %connection.id, sweep.new = progress.new, sweep.seen = progress.seen,
            sweep.calls = progress.calls, "sweep ended");
        Ok(())
    }

    async fn failed(&self, context: &Context, job: &Job, mut progress: Progress, fault: PageFault) -> Result<()> {
        let store = &context.store;
        let (code, wait) = match fault {
            PageFault::Unauthorized => (Code::SourceFeedUnauthorized, None),
            PageFault::BadRequest | PageFault::Unreadable => (Code::SourceFeedUnreadable, None),
            PageFault::Busy(wait) => (Code::SourceFeedUnavailable, wait),
            PageFault::NoAnswer => (Code::SourceFeedUnavailable, None),
        };
        let wait = wait.unwrap_or_else(|| back_off(context.random.as_ref(), progress.failures)).min(LONGEST_WAIT);
        progress.failures = progress.failures.saturating_add(1);
        context.metrics.sweeps.with_label_values(&["failed"]).inc();
        tracing::warn!(connection.id = %job.subject, error.code = %code, sweep.failures = progress.failures, "feed was not read");
        let tx = store.begin().await?;
        let now = store.now_in(&tx).await?;
        feeds::failed(&tx, &job.subject, code.as_str(), now).await?;
        // What does not pass by itself is tried again at the next quarter hour, from the beginning.
        if code == Code::SourceFeedUnavailable {
            jobs::go_on(&tx, job, &super::doc(&progress)?, now + wait).await?;
        } else {
            let slot = calendar::next_quarter(now.max(job.slot));
            jobs::come_again(&tx, job, slot, slot + self.offset(context, &job.subject).await?).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Nothing to do at this quarter hour.
    async fn next_time(&self, context: &Context, job: &Job) -> Result<()> {
        let offset = self.offset(context, &job.subject).await?;
        let tx = context.store.begin().await?;
        let now = context.store.now_in(&tx).await?;
        let slot = calendar::next_quarter(now.max(job.slot));
        jobs::come_again(&tx, job, slot, slot + offset).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn cursor_place(connection: &str) -> String {
    format!("jobs.feed_cursor|{connection}")
}

/// From when on a sweep asks: the watermark less the overlap, and never before the first activation.
fn since(feed: &Feed, activated: Millis) -> Timestamp {
    let activated = activated.timestamp();
    let overlapping = feed.watermark.and_then(|watermark| watermark.checked_sub(feed.overlap).ok());
    overlapping.map_or(activated, |since| since.max(activated))
}

/// Up to when everything is known: the largest `updated_at` that came, never later than the source's clock at the first page
/// and never earlier than before.
fn watermark(feed: &Feed, progress: &Progress) -> Timestamp {
    let newest = progress.newest.or(progress.since).unwrap_or(Timestamp::UNIX_EPOCH);
    let newest = progress.until.map_or(newest, |until| newest.min(until));
    feed.watermark.map_or(newest, |before| before.max(newest))
}

/// What sweeps found in a row that a webhook should have brought.
fn missed(before: Missed, late: i64, has_webhook: bool, now: Millis) -> Missed {
    if late == 0 || !has_webhook {
        return Missed::default();
    }
    Missed { sweeps: before.sweeps + 1, changes: before.changes + late, since: before.since.or(Some(now)) }
}

fn counts(progress: &Progress, now: Millis) -> Counts {
    let length = now.since(progress.started.unwrap_or(now));
    [
        ("seen", progress.seen),
        ("new", progress.new),
        ("already_known", progress.known),
        ("invalid", progress.invalid),
        ("calls", progress.calls),
        ("duration_ms", i64::try_from(length.as_millis()).unwrap_or(i64::MAX)),
    ]
    .into_iter()
    .map(|(name, number)| (name.to_owned(), number))
    .collect()
}
