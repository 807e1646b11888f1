//! The embedded log: a sealed, append-only table in the store, for one machine.
//!
//! One partition a topic and one reader a group. A reader looks when it is hinted at and every 250 ms; the hint is only a
//! shortcut.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use renkei_events::topic::Topic;
use renkei_runtime::clock::Clock;
use renkei_store::Store;
use renkei_store::error::StoreError;
use renkei_store::logtable::{self, LogRow};

use crate::{LogError, LogReader, LogWriter, NewRecord, Position, Record};

const LOOK_EVERY: Duration = Duration::from_millis(250);

fn fault(error: StoreError) -> LogError {
    match error {
        StoreError::Sealed { .. } | StoreError::Corrupt(_) => LogError::Refused(error.to_string()),
        other => LogError::Unavailable(other.to_string()),
    }
}

/// Appends to the table.
#[derive(Debug, Clone)]
pub struct EmbeddedWriter {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Where appends run: not on the caller's runtime, which may end with an HTTP thread.
    runtime: tokio::runtime::Handle,
    /// Bounds the callers that wait for the database.
    places: Arc<tokio::sync::Semaphore>,
}

const PLACES: usize = 1024;

impl EmbeddedWriter {
    /// A writer on `store`. Made inside of the runtime that outlives all appends.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>) -> Self {
        let runtime = tokio::runtime::Handle::current();
        Self { store, clock, runtime, places: Arc::new(tokio::sync::Semaphore::new(PLACES)) }
    }
}

#[async_trait]
impl LogWriter for EmbeddedWriter {
    async fn append(&self, records: Vec<NewRecord>, deadline: Duration) -> Result<(), LogError> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| LogError::Full)?;
        let mut rows = Vec::with_capacity(records.len());
        for record in records {
            let headers =
                serde_json::to_string(&record.headers).map_err(|error| LogError::Refused(error.to_string()))?;
            rows.push(LogRow { topic: record.topic.name().to_owned(), key: record.key, headers, value: record.value });
        }
        let store = self.store.clone();
        // The append goes on by itself when the caller gives up: half a transaction would hold the write lock.
        let append = self.runtime.spawn(async move {
            let appended = logtable::append(&store, &rows).await;
            store.hint();
            drop(place);
            appended
        });
        tokio::select! {
            appended = append => appended.map_err(|_| LogError::Unavailable("append ended early".to_owned()))?.map_err(fault),
            () = self.clock.sleep(deadline) => Err(LogError::Deadline),
        }
    }

    async fn reachable(&self) -> bool {
        tokio::select! {
            now = self.store.now() => now.is_ok(),
            () = self.clock.sleep(Duration::from_secs(1)) => false,
        }
    }

    async fn flush(&self, deadline: Duration) -> usize {
        let all = u32::try_from(PLACES).unwrap_or(u32::MAX);
        tokio::select! {
            _ = self.places.acquire_many(all) => 0,
            () = self.clock.sleep(deadline) => PLACES - self.places.available_permits(),
        }
    }
}

/// Reads the table as one group.
pub struct EmbeddedReader {
    store: Store,
    clock: Arc<dyn Clock>,
    topic: Topic,
    group: String,
    next: Option<i64>,
    hints: bool,
}

impl EmbeddedReader {
    /// A reader of `topic` for `group`. Without `hints` it only looks every 250 ms.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, topic: Topic, group: &str, hints: bool) -> Self {
        Self { store, clock, topic, group: group.to_owned(), next: None, hints }
    }

    async fn next(&mut self) -> Result<i64, LogError> {
        match self.next {
            Some(next) => Ok(next),
            None => {
                let next = logtable::position(&self.store, &self.group, self.topic.name()).await.map_err(fault)?;
                self.next = Some(next);
                Ok(next)
            }
        }
    }
}

#[async_trait]
impl LogReader for EmbeddedReader {
    async fn read(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, LogError> {
        let started = self.clock.monotonic();
        let hints = self.store.hints();
        loop {
            // Registered before the look, so that an append right after it is not missed.
            let hint = hints.notified();
            let next = self.next().await?;
            let entries = logtable::read(&self.store, self.topic.name(), next, most).await.map_err(fault)?;
            if let Some(last) = entries.last() {
                self.next = Some(last.offset + 1);
                return Ok(entries.into_iter().map(|entry| record(self.topic, entry)).collect());
            }
            let waited = self.clock.monotonic().saturating_sub(started);
            if waited >= wait {
                return Ok(Vec::new());
            }
            let pause = self.clock.sleep(LOOK_EVERY.min(wait - waited));
            if self.hints {
                tokio::select! { () = hint => {}, () = pause => {} }
            } else {
                pause.await;
            }
        }
    }

    async fn commit(&mut self, done: &[Position]) -> Result<(), LogError> {
        // Only what was handed out: a position from elsewhere must not make records be passed over.
        let next = self.next().await?;
        let handed_out = done.iter().filter(|position| position.topic == self.topic && position.offset < next);
        let Some(last) = handed_out.map(|position| position.offset).max() else { return Ok(()) };
        logtable::commit(&self.store, &self.group, self.topic.name(), last + 1).await.map_err(fault)
    }

    async fn lag(&mut self) -> Option<u64> {
        let head = logtable::head(&self.store, self.topic.name()).await.ok()?;
        let next = logtable::position(&self.store, &self.group, self.topic.name()).await.ok()?;
        u64::try_from(head - next).ok()
    }

    async fn close(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}

/// A record that can not be read is handed on without headers and value, so that it is no event and goes to the dead letter
/// with its place, and the records behind it go on.
fn record(topic: Topic, entry: logtable::LogEntry) -> Record {
    let headers: Option<Vec<(String, String)>> = serde_json::from_str(&entry.headers).ok();
    let (headers, value) = match (headers, entry.value) {
        (Some(headers), Some(value)) => (headers, value),
        _ => (Vec::new(), Vec::new()),
    };
    Record {
        position: Position { topic, partition: 0, offset: entry.offset },
        key: Some(entry.key),
        headers,
        value,
        appended_at_ms: entry.appended.0,
    }
}
