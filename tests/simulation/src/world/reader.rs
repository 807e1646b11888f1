//! The log as a worker that may die reads it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use renkei_log::{LogError, LogReader, Position, Record};

use super::clock::SimClock;
use super::network::Doom;

/// A reader in whose commits its worker may die.
pub(super) struct Mortal {
    pub(super) reader: Box<dyn LogReader>,
    pub(super) doom: Arc<Doom>,
    pub(super) clock: Arc<SimClock>,
}

#[async_trait]
impl LogReader for Mortal {
    async fn read(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, LogError> {
        self.reader.read(most, wait).await
    }

    async fn commit(&mut self, done: &[Position]) -> Result<(), LogError> {
        self.doom.point(&self.clock).await;
        self.reader.commit(done).await?;
        self.doom.point(&self.clock).await;
        Ok(())
    }

    async fn lag(&mut self) -> Option<u64> {
        self.reader.lag().await
    }

    async fn close(self: Box<Self>) -> Result<(), LogError> {
        self.reader.close().await
    }
}
