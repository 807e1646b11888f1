//! Reads from Kafka as one member of a group.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use async_trait::async_trait;
use renkei_events::topic::Topic;
use renkei_runtime::clock::Clock;
use tokio::sync::oneshot;

use super::KafkaSettings;
use super::pump::{self, CommitOrder, Shared};
use crate::{LogError, LogReader, Position, Record};

/// How long a commit may take, retries included.
const COMMIT: Duration = Duration::from_secs(5);

/// How long leaving the group may take. Without a broker it takes longer, and then nobody needs to wait for it.
const LEAVE: Duration = Duration::from_secs(5);

/// Reads topics as a member of a group. Dropping it leaves the group in the background.
pub struct KafkaReader {
    shared: Arc<Shared>,
    commits: SyncSender<CommitOrder>,
    pump: JoinHandle<()>,
    ended: Option<oneshot::Receiver<()>>,
}

impl KafkaReader {
    /// Joins `group` for `topics`, in the background.
    ///
    /// # Errors
    /// [`LogError::Setup`] when the settings can not work.
    pub fn new(
        settings: &KafkaSettings,
        group: &str,
        topics: &[Topic],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, LogError> {
        settings.check_files()?;
        let shared = Arc::new(Shared::new(settings.topic_prefix.clone(), clock));
        let (commits, orders) = sync_channel(4);
        let (end, ended) = oneshot::channel();
        let pump = pump::start(settings, group, topics, &shared, orders, end)?;
        Ok(Self { shared, commits, pump, ended: Some(ended) })
    }

    /// Whether reading can not go on, because its thread is gone.
    fn is_dead(&self) -> bool {
        self.pump.is_finished()
    }
}

#[async_trait]
impl LogReader for KafkaReader {
    async fn read(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, LogError> {
        let first = async {
            loop {
                let records = self.shared.take(most);
                if !records.is_empty() {
                    return Ok(records);
                }
                if let Some(trouble) = self.shared.trouble() {
                    return Err(trouble);
                }
                if self.is_dead() {
                    return Err(LogError::Unavailable("the thread that reads has ended".to_owned()));
                }
                self.shared.filled().await;
            }
        };
        tokio::time::timeout(wait, first).await.unwrap_or(Ok(Vec::new()))
    }

    async fn commit(&mut self, done: &[Position]) -> Result<(), LogError> {
        if !self.shared.mark(done) {
            return Ok(());
        }
        let (answer, result) = oneshot::channel();
        match self.commits.try_send(CommitOrder { answer, within: COMMIT }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => return Err(LogError::Full),
            Err(TrySendError::Disconnected(_)) => return Err(LogError::Unavailable("the reader has ended".to_owned())),
        }
        match tokio::time::timeout(COMMIT, result).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(LogError::Unavailable("the reader has ended".to_owned())),
            Err(_) => Err(LogError::Deadline),
        }
    }

    async fn lag(&mut self) -> Option<u64> {
        self.shared.lag()
    }

    async fn close(mut self: Box<Self>) -> Result<(), LogError> {
        let ended = self.ended.take();
        // Says to leave, and lets go of the thread that commits.
        drop(self);
        let Some(ended) = ended else { return Ok(()) };
        match tokio::time::timeout(LEAVE, ended).await {
            Ok(_) => Ok(()),
            Err(_) => Err(LogError::Deadline),
        }
    }
}

impl Drop for KafkaReader {
    fn drop(&mut self) {
        self.shared.stop();
    }
}

impl std::fmt::Debug for KafkaReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaReader").finish_non_exhaustive()
    }
}
