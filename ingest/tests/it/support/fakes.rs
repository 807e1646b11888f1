//! Stand-ins for time, log and store.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use renkei_events::event::EmployeeEvent;
use renkei_ingest::connections::{ConnectionSource, IngestConnection, SourceError};
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_runtime::clock::{BoxFuture, Clock, Millis};
use renkei_store::webhook_health::Seen;

/// Time of day and time since start stand still until they are moved; only sleeping is real.
#[derive(Debug)]
pub struct ManualClock {
    wall_ms: AtomicI64,
    monotonic_ms: AtomicI64,
}

/// 2026-04-01T00:00:00Z, the time of the published vectors.
pub const START: i64 = 1_775_001_600;

impl ManualClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { wall_ms: AtomicI64::new(START * 1000), monotonic_ms: AtomicI64::new(1_000_000) })
    }

    pub fn set_wall(&self, second: i64) {
        self.wall_ms.store(second * 1000, Ordering::SeqCst);
    }

    pub fn advance(&self, by: Duration) {
        self.monotonic_ms.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Millis {
        Millis(self.wall_ms.load(Ordering::SeqCst))
    }

    fn wall(&self) -> jiff::Timestamp {
        self.now().timestamp()
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst).try_into().unwrap())
    }

    fn boot(&self) -> Duration {
        self.monotonic()
    }

    fn boot_id(&self) -> String {
        "test".into()
    }

    fn scale(&self) -> u32 {
        1
    }

    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(real))
    }
}

/// What the log does with the next appends.
#[derive(Debug, Clone, Copy)]
pub enum Mood {
    Acknowledge,
    After(Duration),
    Unavailable,
    Deadline,
    Full,
    Refused,
    /// Breaks its promise to answer by the deadline.
    Hang,
}

/// A log in memory.
pub struct FakeLog {
    mood: Mutex<Mood>,
    appends: Mutex<Vec<Vec<NewRecord>>>,
    deadlines: Mutex<Vec<Duration>>,
    pub reachable: AtomicBool,
    pub unflushed: AtomicUsize,
    pub flushes: AtomicUsize,
}

impl FakeLog {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            mood: Mutex::new(Mood::Acknowledge),
            appends: Mutex::default(),
            deadlines: Mutex::default(),
            reachable: AtomicBool::new(true),
            unflushed: AtomicUsize::new(0),
            flushes: AtomicUsize::new(0),
        })
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The records of each append, in order.
    pub fn appends(&self) -> Vec<Vec<NewRecord>> {
        self.appends.lock().unwrap().clone()
    }

    pub fn deadlines(&self) -> Vec<Duration> {
        self.deadlines.lock().unwrap().clone()
    }

    /// All events, decoded as a worker would.
    pub fn events(&self) -> Vec<EmployeeEvent> {
        let records = self.appends().into_iter().flatten();
        records.map(|record| EmployeeEvent::decode(&record.headers, &record.value).unwrap()).collect()
    }
}

#[async_trait]
impl LogWriter for FakeLog {
    async fn append(&self, records: Vec<NewRecord>, deadline: Duration) -> Result<(), LogError> {
        let mood = *self.mood.lock().unwrap();
        self.deadlines.lock().unwrap().push(deadline);
        match mood {
            Mood::Acknowledge => {}
            Mood::After(delay) => tokio::time::sleep(delay).await,
            Mood::Unavailable => return Err(LogError::Unavailable("connection refused".into())),
            Mood::Deadline => return Err(LogError::Deadline),
            Mood::Full => return Err(LogError::Full),
            Mood::Refused => return Err(LogError::Refused("too large".into())),
            Mood::Hang => std::future::pending().await,
        }
        self.appends.lock().unwrap().push(records);
        Ok(())
    }

    async fn reachable(&self) -> bool {
        self.reachable.load(Ordering::SeqCst)
    }

    async fn flush(&self, _deadline: Duration) -> usize {
        self.flushes.fetch_add(1, Ordering::SeqCst);
        self.unflushed.load(Ordering::SeqCst)
    }
}

/// Connections in memory; can be away.
pub struct FakeSource {
    connections: Mutex<Vec<IngestConnection>>,
    pub down: AtomicBool,
    pub reads: AtomicUsize,
    /// What it was told of deliveries.
    pub reported: Mutex<Vec<Seen>>,
}

impl FakeSource {
    pub fn new(connections: Vec<IngestConnection>) -> Arc<Self> {
        Arc::new(Self {
            connections: Mutex::new(connections),
            down: AtomicBool::new(false),
            reads: AtomicUsize::new(0),
            reported: Mutex::default(),
        })
    }

    pub fn change(&self, connections: Vec<IngestConnection>) {
        *self.connections.lock().unwrap() = connections;
    }
}

#[async_trait]
impl ConnectionSource for FakeSource {
    async fn ingest_connections(&self) -> Result<Vec<IngestConnection>, SourceError> {
        self.reads.fetch_add(1, Ordering::SeqCst);
        if self.down.load(Ordering::SeqCst) {
            return Err(SourceError("store is down".into()));
        }
        Ok(self.connections.lock().unwrap().clone())
    }

    async fn report(&self, seen: &[Seen]) -> Result<(), SourceError> {
        self.reported.lock().unwrap().extend(seen.iter().cloned());
        Ok(())
    }
}
