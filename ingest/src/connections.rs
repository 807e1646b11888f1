//! Which connections there are and what may sign for them.
//!
//! Requests are judged by a snapshot in memory, at most five seconds old. While the store is away the last snapshot goes on
//! being used: a store that is down must not turn webhooks away.

pub mod from_store;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use renkei_events::ids::ConnectionId;
use renkei_events::signature::ActiveSecret;
use renkei_runtime::clock::Clock;
use renkei_runtime::shutdown::Shutdown;
use renkei_store::webhook_health::Seen;

use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::tally::Tally;

/// The systems that can send webhooks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// ロウムメイト: Standard Webhooks with employee records.
    Roumumate,
}

impl Source {
    /// The source with this name in the path.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "roumumate" => Some(Source::Roumumate),
            _ => None,
        }
    }
}

/// Whether a connection still takes events. Paused, halted and never activated ones do: what comes is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestState {
    /// Takes events.
    Live,
    /// Ended for good.
    Disconnected,
}

/// One connection, as far as ingest needs it.
#[derive(Debug, Clone)]
pub struct IngestConnection {
    /// Its id.
    pub id: ConnectionId,
    /// What sends to it.
    pub source: Source,
    /// Whether it still takes events.
    pub state: IngestState,
    /// What may sign.
    pub secrets: Vec<ActiveSecret>,
    /// Whether there is more that may sign, which we can not read: then a signature that fits nothing may be right.
    pub unreadable_secrets: bool,
}

/// The connections could not be read. Always our side, and worth another try.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// Where connections are read from.
#[async_trait]
pub trait ConnectionSource: Send + Sync {
    /// All of them, disconnected ones included.
    ///
    /// # Errors
    /// When they can not be read now.
    async fn ingest_connections(&self) -> Result<Vec<IngestConnection>, SourceError>;

    /// Is told which deliveries passed their signature.
    ///
    /// # Errors
    /// When it can not be written down now; it is told again.
    async fn report(&self, seen: &[Seen]) -> Result<(), SourceError>;
}

/// What a request's path stands for.
#[derive(Debug, Clone)]
pub enum Lookup {
    /// A connection that takes events.
    Live(Arc<IngestConnection>),
    /// One that was ended.
    Disconnected(Arc<IngestConnection>),
    /// None.
    Unknown,
    /// The connections were never read: not the sender's fault.
    NotLoaded,
}

/// Answers at once what a path stands for.
pub trait Connections: Send + Sync {
    /// Looks a connection up by the two parts of the path.
    fn get(&self, source: &str, id: &str) -> Lookup;
}

/// A change of a connection counts after this time at the latest, as long as the store answers.
const OLDEST: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Snapshot {
    by_id: HashMap<String, Arc<IngestConnection>>,
    /// Monotonic time of reading.
    read_at: Duration,
}

/// The snapshot and what keeps it fresh.
pub struct ConnectionCache {
    source: Arc<dyn ConnectionSource>,
    clock: Arc<dyn Clock>,
    refresh: Duration,
    refresh_time: Duration,
    snapshot: RwLock<Option<Arc<Snapshot>>>,
}

impl std::fmt::Debug for ConnectionCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConnectionCache").field("snapshot", &self.snapshot).finish_non_exhaustive()
    }
}

impl ConnectionCache {
    /// An empty cache.
    #[must_use]
    pub fn new(source: Arc<dyn ConnectionSource>, clock: Arc<dyn Clock>, settings: &Settings) -> Self {
        let (refresh, refresh_time) = (settings.refresh, settings.refresh_time);
        Self { source, clock, refresh, refresh_time, snapshot: RwLock::new(None) }
    }

    fn current(&self) -> Option<Arc<Snapshot>> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the connections once.
    ///
    /// # Errors
    /// When they could not be read; the snapshot stays as it was.
    pub async fn load(&self) -> Result<(), SourceError> {
        // The age counts from before the question: what changes while it is answered may not be in the answer.
        let read_at = self.clock.monotonic();
        let connections = tokio::select! {
            answer = self.source.ingest_connections() => answer?,
            () = self.clock.sleep(self.refresh_time) => {
                return Err(SourceError(format!("no answer within {} ms", self.refresh_time.as_millis())));
            }
        };
        let by_id = connections.into_iter().map(|one| (one.id.to_string(), Arc::new(one))).collect();
        let snapshot = Arc::new(Snapshot { by_id, read_at });
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Some(snapshot);
        Ok(())
    }

    /// Tells the source which deliveries passed their signature; what it does not take is told again later.
    pub async fn report(&self, tally: &Tally) {
        let seen = tally.take();
        if seen.is_empty() {
            return;
        }
        let told = tokio::select! {
            told = self.source.report(&seen) => told.is_ok(),
            () = self.clock.sleep(self.refresh_time) => false,
        };
        if !told {
            tally.put_back(&seen);
        }
    }

    /// How old the snapshot is.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.current().map(|snapshot| self.clock.monotonic().saturating_sub(snapshot.read_at))
    }

    /// Reads the connections again and again, until the end.
    pub async fn keep_fresh(&self, metrics: &Metrics, shutdown: &Shutdown) {
        let mut failing = false;
        loop {
            tokio::select! {
                () = self.clock.sleep(self.refresh) => {}
                () = shutdown.requested() => return,
            }
            match self.load().await {
                Ok(()) if failing => {
                    failing = false;
                    tracing::info!("connections are read again");
                }
                Ok(()) => {}
                Err(error) => {
                    metrics.connections_failures.inc();
                    if !failing {
                        tracing::warn!(error = %error, "connections can not be read, going on with the last ones");
                    }
                    failing = true;
                }
            }
            metrics.connections_age.set(self.age().unwrap_or_default().as_secs_f64());
        }
    }
}

impl Connections for ConnectionCache {
    fn get(&self, source: &str, id: &str) -> Lookup {
        let Some(snapshot) = self.current() else { return Lookup::NotLoaded };
        let Some(source) = Source::from_name(source) else { return Lookup::Unknown };
        match snapshot.by_id.get(id) {
            Some(found) if found.source != source => Lookup::Unknown,
            Some(found) if found.state == IngestState::Disconnected => Lookup::Disconnected(Arc::clone(found)),
            Some(found) => Lookup::Live(Arc::clone(found)),
            // Perhaps made since the connections were last read: not the sender's fault.
            None if self.clock.monotonic().saturating_sub(snapshot.read_at) > OLDEST => Lookup::NotLoaded,
            None => Lookup::Unknown,
        }
    }
}
