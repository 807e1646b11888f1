//! The threads behind a reader: one polls the client, one commits. librdkafka's calls block, so none of them runs on the
//! async executor.
//!
//! Commits and revocations exclude each other by one gate. A commit that is on its way when a partition is revoked is
//! waited for, and afterwards the partition is not held any more: so no commit of ours can reach the group after another
//! member has taken the partition over and gone on.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode as Code};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use renkei_events::topic::Topic;
use renkei_runtime::clock::Clock;
use tokio::sync::{Notify, oneshot};

use super::KafkaSettings;
use super::client::Reporter;
use super::failure::from_code;
use super::holdings::{Holdings, Slot};
use super::settings::TopicPrefix;
use super::statistics::{self, Ends};
use crate::{LogError, Position, Record};

/// How long one poll waits; also how long it may take to notice that the reader is to leave.
const POLL: Duration = Duration::from_millis(100);

/// After how many records at the latest a waiting reader is woken.
const BURST: usize = 256;

/// How long to wait before a commit that was refused is tried again.
const AGAIN: Duration = Duration::from_millis(50);

/// A wish to commit what is marked as done.
pub(super) struct CommitOrder {
    pub(super) answer: oneshot::Sender<Result<(), LogError>>,
    pub(super) within: Duration,
}

/// What the reader and its threads share.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Wakes the pump when there is room again, or when it is to end.
    room: Condvar,
    /// Wakes the reader.
    filled: Notify,
    /// Held while a commit is on its way, and while partitions are given up.
    gate: Mutex<()>,
    prefix: TopicPrefix,
    clock: Arc<dyn Clock>,
}

#[derive(Default)]
struct State {
    holdings: Holdings,
    trouble: Option<LogError>,
    ends: Ends,
    /// No broker answers: a commit would only block, until long after anybody waits for it.
    down: bool,
    stopping: bool,
}

impl Shared {
    pub(super) fn new(prefix: TopicPrefix, clock: Arc<dyn Clock>) -> Self {
        let (state, room, filled, gate) = (Mutex::default(), Condvar::new(), Notify::new(), Mutex::default());
        Self { state, room, filled, gate, prefix, clock }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gate(&self) -> MutexGuard<'_, ()> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands out what was read ahead.
    pub(super) fn take(&self, most: usize) -> Vec<Record> {
        let mut state = self.state();
        let was_full = state.holdings.is_full();
        let records = state.holdings.take(most);
        if was_full && !state.holdings.is_full() {
            self.room.notify_one();
        }
        records
    }

    /// What went wrong since the last question.
    pub(super) fn trouble(&self) -> Option<LogError> {
        self.state().trouble.take()
    }

    /// Waits until there may be something new.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Marks positions as done; says whether anything is to be committed.
    pub(super) fn mark(&self, done: &[Position]) -> bool {
        let mut state = self.state();
        state.holdings.mark(done);
        !state.holdings.uncommitted().is_empty()
    }

    /// Records behind the group's position over all partitions held; `None` as long as none is held or one is not known.
    pub(super) fn lag(&self) -> Option<u64> {
        let state = self.state();
        state.holdings.slots().next()?;
        let lag = |slot: Slot| state.ends.get(&slot)?.lag(state.holdings.last_commit(slot));
        state.holdings.slots().map(lag).try_fold(0_u64, |sum, lag| Some(sum.saturating_add(lag?)))
    }

    /// Tells the threads to leave the group and end.
    pub(super) fn stop(&self) {
        self.state().stopping = true;
        self.room.notify_all();
    }

    fn is_stopping(&self) -> bool {
        self.state().stopping
    }

    fn slot(&self, topic: &str, partition: i32) -> Option<Slot> {
        Some((Topic::from_name(self.prefix.strip(topic)?)?, partition))
    }

    fn slots(&self, list: &TopicPartitionList) -> Vec<Slot> {
        list.elements().iter().filter_map(|element| self.slot(element.topic(), element.partition())).collect()
    }

    fn fail(&self, trouble: LogError) {
        self.state().trouble = Some(trouble);
        self.filled.notify_one();
    }
}

type Group = BaseConsumer<Membership>;

/// A consumer that has asked to join `group`.
fn consumer(settings: &KafkaSettings, group: &str, topics: &[Topic], shared: &Arc<Shared>) -> KafkaResult<Group> {
    let reporter = Reporter::new("consumer", Arc::clone(&shared.clock));
    let context = Membership { reporter, shared: Arc::clone(shared) };
    let consumer: Group = settings.consumer(group).create_with_context(context)?;
    let names: Vec<String> = topics.iter().map(|topic| settings.topic_name(*topic)).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    consumer.subscribe(&names)?;
    Ok(consumer)
}

/// Asks to join `group` and starts the threads. `ended` is answered when the group was left.
pub(super) fn start(
    settings: &KafkaSettings,
    group: &str,
    topics: &[Topic],
    shared: &Arc<Shared>,
    orders: Receiver<CommitOrder>,
    ended: oneshot::Sender<()>,
) -> Result<JoinHandle<()>, LogError> {
    let consumer = consumer(settings, group, topics, shared).map_err(|error| LogError::Setup(error.to_string()))?;
    let no_thread = |error: io::Error| LogError::Setup(format!("no thread for the log's reader: {error}"));
    let consumer = Arc::new(consumer);
    let (committer, common) = (Arc::clone(&consumer), Arc::clone(shared));
    let commit_thread = std::thread::Builder::new().name("log-commit".to_owned());
    let commits = commit_thread.spawn(move || serve_commits(&committer, &common, orders)).map_err(no_thread)?;
    let shared = Arc::clone(shared);
    let read_thread = std::thread::Builder::new().name("log-read".to_owned());
    let run = move || {
        while !shared.is_stopping() {
            poll(&consumer, &shared);
        }
        let _ = commits.join();
        if !shared.state().down {
            let _ = commit(&consumer, &shared);
        }
        // The last one out closes: gives the partitions up and says goodbye to the group.
        drop(consumer);
        let _ = ended.send(());
    };
    read_thread.spawn(run).map_err(no_thread)
}

/// Reads ahead, once.
fn poll(consumer: &Group, shared: &Shared) {
    {
        let state = shared.state();
        if state.holdings.is_full() {
            // Not polling also holds rebalances up until there is room, as any consumer does that is busy.
            drop(shared.room.wait_timeout(state, POLL));
            return;
        }
    }
    let mut wait = POLL;
    for _ in 0..BURST {
        match consumer.poll(wait) {
            None => break,
            Some(Ok(message)) => {
                if let Some(record) = record(shared, &message) {
                    let mut state = shared.state();
                    state.down = false;
                    state.holdings.push(record);
                }
            }
            Some(Err(error)) => trouble(shared, &error),
        }
        wait = Duration::ZERO;
    }
    if wait.is_zero() {
        shared.filled.notify_one();
    }
}

/// Tells the reader what it has to know. Lost connections are not among it: the client mends them by itself.
fn trouble(shared: &Shared, error: &KafkaError) {
    match error.rdkafka_error_code() {
        Some(code @ (Code::AllBrokersDown | Code::Fatal | Code::PollExceeded)) => {
            shared.state().down |= code == Code::AllBrokersDown;
            shared.fail(LogError::Unavailable(code.to_string()));
        }
        Some(code) => match from_code(code) {
            setup @ LogError::Setup(_) => shared.fail(setup),
            _ => tracing::debug!(kafka.kind = ?code, "kafka consumer hit something that passes"),
        },
        None => shared.fail(LogError::Unavailable(error.to_string())),
    }
}

fn record(shared: &Shared, message: &BorrowedMessage<'_>) -> Option<Record> {
    let (topic, partition) = shared.slot(message.topic(), message.partition())?;
    Some(Record {
        position: Position { topic, partition, offset: message.offset() },
        key: message.key().and_then(|key| std::str::from_utf8(key).ok()).map(str::to_owned),
        headers: headers(message),
        value: message.payload().unwrap_or_default().to_vec(),
        appended_at_ms: message.timestamp().to_millis().unwrap_or(0),
    })
}

/// The binding panics on a header whose name is no UTF-8. Such a record must not end the reader: it goes on without headers,
/// and whoever decodes it will refuse it.
fn headers(message: &BorrowedMessage<'_>) -> Vec<(String, String)> {
    let read = || {
        let Some(headers) = message.headers() else { return Vec::new() };
        let all = headers.iter().filter_map(|header| {
            let value = std::str::from_utf8(header.value?).ok()?;
            Some((header.key.to_owned(), value.to_owned()))
        });
        all.collect()
    };
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_default()
}

fn serve_commits(consumer: &Group, shared: &Shared, orders: Receiver<CommitOrder>) {
    for order in orders {
        let end = shared.clock.monotonic() + order.within;
        let outcome = loop {
            if order.answer.is_closed() {
                break Ok(());
            }
            match commit(consumer, shared) {
                Err(_) if shared.clock.monotonic() + AGAIN < end => std::thread::sleep(AGAIN),
                outcome => break outcome,
            }
        };
        let _ = order.answer.send(outcome);
    }
}

/// Commits what is done, unless a partition is given up meanwhile.
fn commit(consumer: &Group, shared: &Shared) -> Result<(), LogError> {
    let _gate = shared.gate();
    commit_inside_gate(consumer, shared)
}

fn commit_inside_gate(consumer: &Group, shared: &Shared) -> Result<(), LogError> {
    let open = shared.state().holdings.uncommitted();
    if open.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::with_capacity(open.len());
    for ((topic, partition), offset) in &open {
        let name = consumer.context().name(*topic);
        let added = list.add_partition_offset(&name, *partition, Offset::Offset(*offset));
        added.map_err(|error| LogError::Unavailable(error.to_string()))?;
    }
    match consumer.commit(&list, CommitMode::Sync) {
        Ok(()) => {
            let mut state = shared.state();
            state.down = false;
            state.holdings.committed(&open);
            Ok(())
        }
        Err(error) => {
            Err(error.rdkafka_error_code().map_or_else(|| LogError::Unavailable(error.to_string()), from_code))
        }
    }
}

/// Follows what the group gives and takes.
struct Membership {
    reporter: Reporter,
    shared: Arc<Shared>,
}

impl Membership {
    fn name(&self, topic: Topic) -> String {
        self.shared.prefix.put_before(topic.name())
    }
}

impl ClientContext for Membership {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.reporter.line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reporter.error(&error, reason);
    }

    fn stats_raw(&self, json: &[u8]) {
        if let Some(ends) = statistics::read(json, &self.shared.prefix) {
            self.shared.state().ends = ends;
        }
    }
}

impl ConsumerContext for Membership {
    fn pre_rebalance(&self, consumer: &Group, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) => {
                let slots = self.shared.slots(list);
                tracing::info!(kafka.partitions = slots.len(), "log partitions taken over");
                self.shared.state().holdings.assign(slots);
            }
            Rebalance::Revoke(list) => {
                let slots = self.shared.slots(list);
                let _gate = self.shared.gate();
                let lost = consumer.assignment_lost();
                let down = self.shared.state().down;
                // A lost partition may be another member's already; its new owner reads again what we did not commit.
                if !lost
                    && !down
                    && let Err(error) = commit_inside_gate(consumer, &self.shared)
                {
                    tracing::warn!(%error, "log positions not committed before giving partitions up");
                }
                tracing::info!(kafka.partitions = slots.len(), kafka.lost = lost, "log partitions given up");
                self.shared.state().holdings.revoke(slots);
            }
            Rebalance::Error(error) => tracing::warn!(%error, "log group could not be rebalanced"),
        }
    }

    fn commit_callback(&self, result: KafkaResult<()>, _: &TopicPartitionList) {
        if let Err(error) = result {
            tracing::debug!(%error, "log positions not committed");
        }
    }
}
