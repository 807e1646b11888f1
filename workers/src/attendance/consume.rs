//! From the log into the book.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use renkei_events::attendance::AttendanceEvent;
use renkei_events::topic::Topic;
use renkei_log::{LogReader, LogWriter, NewRecord, Record};
use renkei_runtime::clock::Millis;
use renkei_store::attendance::book::{self, Told};
use renkei_store::db::Tx;
use renkei_store::runs::{self, Run, RunState};
use renkei_store::seal::Keys;
use renkei_store::{Store, forgotten, links};

use crate::context::Context;
use crate::error::Result;

/// The consumer's group on the log.
pub const GROUP: &str = "renkei-attendance";
/// How many records one step takes at most.
const BATCH: usize = 500;
/// How long the dead letter may take to acknowledge.
const DEAD_LETTER_DEADLINE: Duration = Duration::from_secs(10);

/// Writes days into the book. What is read again after a crash changes nothing.
pub struct BookKeeper {
    context: Context,
    reader: Box<dyn LogReader>,
    dead_letters: Arc<dyn LogWriter>,
    pending: Vec<Record>,
}

impl BookKeeper {
    /// A book keeper over an open reader.
    #[must_use]
    pub fn new(context: Context, reader: Box<dyn LogReader>, dead_letters: Arc<dyn LogWriter>) -> Self {
        Self { context, reader, dead_letters, pending: Vec::new() }
    }

    /// Takes the next records, waiting up to `wait` for the first; answers how many there were.
    ///
    /// # Errors
    /// When log or store fail; the next step then goes on with the same records.
    pub async fn step(&mut self, wait: Duration) -> Result<usize> {
        if self.pending.is_empty() {
            self.pending = self.reader.read(BATCH, wait).await?;
        }
        if self.pending.is_empty() {
            return Ok(0);
        }
        let store = &self.context.store;
        let mut days = Vec::with_capacity(self.pending.len());
        for record in &self.pending {
            match AttendanceEvent::decode(&record.value) {
                Ok(event) if record.key.as_deref().is_none_or(|key| key == event.key()) => {
                    days.push(told(&store.keys, event));
                }
                Ok(_) => self.bury(record, "the record's key is not its event's key").await?,
                Err(fault) => self.bury(record, &fault.to_string()).await?,
            }
        }
        // In one statement no day may stand twice: of one person's days of one run the last on the log counts.
        let mut once = std::collections::BTreeMap::new();
        for day in days {
            once.insert((day.tenant.clone(), day.code.clone(), day.day.clone()), day);
        }
        let mut days: Vec<Told> = once.into_values().collect();
        let tx = store.begin().await?;
        drop_forgotten(store, &tx, &mut days).await?;
        let now = store.now_in(&tx).await?;
        let over = of_runs_that_are_over(&tx, &days).await?;
        let written = book::put(store, &tx, &days, now).await?;
        let late = if written.days > 0 { over } else { BTreeSet::new() };
        for link in &late {
            links::want_decision(store, &tx, link, now).await?;
        }
        links::gave_way(store, &tx, &written.others, now).await?;
        if !late.is_empty() {
            // Nobody ends the run any more for which those would wait.
            for tenant in days.iter().map(|day| day.tenant.as_str()).collect::<BTreeSet<_>>() {
                links::decide_at_once(&tx, tenant, now).await?;
            }
        }
        tx.commit().await?;
        if !late.is_empty() {
            store.hint();
        }
        let positions: Vec<_> = self.pending.iter().map(|record| record.position).collect();
        self.reader.commit(&positions).await?;
        let count = self.pending.len();
        self.pending.clear();
        self.context.metrics.consumed.with_label_values(&["attendance"]).inc_by(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }

    async fn bury(&self, record: &Record, fault: &str) -> Result<()> {
        let position = record.position;
        let place = format!("{}/{}/{}", position.topic.name(), position.partition, position.offset);
        tracing::warn!(log.place = %place, fault = %fault, "record is not a day of attendance, sent to the dead letter");
        let headers = vec![
            ("renkei_deadletter_place".to_owned(), place.clone()),
            ("renkei_deadletter_fault".to_owned(), fault.to_owned()),
        ];
        let letter = NewRecord { topic: Topic::DeadLetter, key: place, headers, value: record.value.clone() };
        self.dead_letters.append(vec![letter], DEAD_LETTER_DEADLINE).await?;
        self.context.metrics.consumed.with_label_values(&["dead_letter"]).inc();
        Ok(())
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn close(self) -> Result<()> {
        Ok(self.reader.close().await?)
    }
}

/// The links whose days come after their run was over, and after the decision that followed it, perhaps: nobody else asks for one. A
/// run that is not over does not end before the days are written, so that the decision which follows it sees them.
async fn of_runs_that_are_over(tx: &Tx, days: &[Told]) -> Result<BTreeSet<String>> {
    let told_by: BTreeSet<(i64, &str)> = days.iter().map(|day| (day.run, day.link.as_str())).collect();
    let mut links = BTreeSet::new();
    for (run, link) in told_by.into_iter().rev() {
        let is_over = |run: Run| !matches!(run.state, RunState::Waiting | RunState::Running);
        if runs::hold(tx, run).await?.is_some_and(is_over) {
            links.insert(link.to_owned());
        }
    }
    Ok(links)
}

/// Days up to the one on which a person was forgotten do not come back from the log.
async fn drop_forgotten(store: &Store, tx: &Tx, days: &mut Vec<Told>) -> Result<()> {
    let tenants: BTreeSet<String> = days.iter().map(|day| day.tenant.clone()).collect();
    for tenant in tenants {
        // First, as everywhere: who is being deleted is known as deleted, or all of this is there to be deleted.
        links::lock_tenant(tx, &tenant).await?;
        let codes = days.iter().filter(|day| day.tenant == tenant).map(|day| day.code.as_str());
        let forgotten = forgotten::codes(store, tx, &tenant, codes).await?;
        days.retain(|day| day.tenant != tenant || forgotten.get(&day.code).is_none_or(|last| *last < day.day));
    }
    Ok(())
}

fn told(keys: &Keys, event: AttendanceEvent) -> Told {
    let value = serde_json::to_vec(&event.value).unwrap_or_default();
    Told {
        tenant: event.tenant_id.to_string(),
        content: content(keys, &value),
        code: event.code,
        day: event.day.to_string(),
        link: event.link_id,
        person: event.person,
        run: event.run_id,
        began: Millis(event.run_began),
        value,
    }
}

/// Keyed hash of what of a source's row matters.
pub(super) fn content(keys: &Keys, value: &[u8]) -> String {
    keys.hash("attendance", &[value])
}
