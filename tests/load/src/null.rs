//! The limit of the stack: ingest as it is, on a log that acknowledges at once and keeps nothing.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use renkei_ingest::connections::from_store::StoreConnections;
use renkei_ingest::server;
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_runtime::clock::{Clock, SystemClock};
use renkei_runtime::config::{Config, Program};
use renkei_runtime::{shutdown, telemetry};
use renkei_store::Store;

use crate::error::LoadError;

struct NullLog;

#[async_trait]
impl LogWriter for NullLog {
    async fn append(&self, records: Vec<NewRecord>, _: Duration) -> Result<(), LogError> {
        // What was made for the log must not be optimised away.
        std::hint::black_box(&records);
        Ok(())
    }

    async fn reachable(&self) -> bool {
        true
    }

    async fn flush(&self, _: Duration) -> usize {
        0
    }
}

/// Serves as `renkei-ingest` does, with the same configuration.
pub async fn serve() -> Result<(), LoadError> {
    let config = Config::from_process(Program::Ingest)?;
    telemetry::init(&config.telemetry)?;
    let shutdown = shutdown::on_signals().map_err(LoadError::io("listen for signals"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::real());
    let store = Store::from_config(&config, Arc::clone(&clock)).await?;
    server::serve(&config, Arc::new(StoreConnections(store)), Arc::new(NullLog), clock, None, shutdown).await?;
    Ok(())
}
