//! Whether this replica shall be given work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use renkei_log::LogWriter;
use renkei_runtime::clock::Clock;
use renkei_runtime::probe::Readiness;
use renkei_runtime::shutdown::Shutdown;

use crate::metrics::Metrics;

/// How often the log is asked.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long it has to answer; it promises one second.
const ASK_TIME: Duration = Duration::from_millis(1_500);
/// Stands for "never".
const NEVER: u64 = u64::MAX;

/// Drain state and when the log was last reached. A short outage is answered by 503 and takes no replica away: all of them
/// would go at once, and come back at once.
#[derive(Debug)]
pub struct Health {
    clock: Arc<dyn Clock>,
    patience: Duration,
    draining: AtomicBool,
    reached_ms: AtomicU64,
}

impl Health {
    /// Not ready until the log was reached once.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, patience: Duration) -> Self {
        Self { clock, patience, draining: AtomicBool::new(false), reached_ms: AtomicU64::new(NEVER) }
    }

    /// From now on no work.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// The log answered just now.
    pub fn log_reached(&self) {
        self.reached_ms.store(self.now_ms(), Ordering::SeqCst);
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.clock.monotonic().as_millis()).unwrap_or(NEVER - 1)
    }

    /// Asks the log again and again, until the end.
    pub async fn watch(&self, log: &dyn LogWriter, metrics: &Metrics, shutdown: &Shutdown) {
        loop {
            let reachable = tokio::select! {
                reachable = log.reachable() => reachable,
                () = self.clock.sleep(ASK_TIME) => false,
            };
            let before = metrics.log_reachable.get() == 1;
            if reachable {
                self.log_reached();
            }
            if before != reachable {
                metrics.log_reachable.set(i64::from(reachable));
                if reachable {
                    tracing::info!("log is reachable");
                } else {
                    tracing::warn!("log is not reachable");
                }
            }
            tokio::select! {
                () = self.clock.sleep(ASK_EVERY) => {}
                () = shutdown.requested() => return,
            }
        }
    }
}

impl Readiness for Health {
    fn obstacles(&self) -> Vec<&'static str> {
        let mut obstacles = Vec::new();
        if self.draining.load(Ordering::SeqCst) {
            obstacles.push("draining");
        }
        let reached = self.reached_ms.load(Ordering::SeqCst);
        if reached == NEVER || u128::from(self.now_ms().saturating_sub(reached)) >= self.patience.as_millis() {
            obstacles.push("log not reachable");
        }
        obstacles
    }
}
