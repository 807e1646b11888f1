//! Appends to Kafka.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use rdkafka::statistics::Statistics;
use renkei_events::topic::Topic;
use renkei_runtime::clock::Clock;
use tokio::sync::Notify;

use super::KafkaSettings;
use super::client::Reporter;
use super::failure::log_error;
use crate::{LogError, LogWriter, NewRecord};

/// How many records may be under way. More are refused at once, so that an outage costs bounded memory.
pub(super) const MOST_IN_FLIGHT: usize = 20_000;

/// How long an answer about the brokers is good, and how long to wait for one.
const PROBE: Duration = Duration::from_secs(1);

type Producer = ThreadedProducer<Deliveries>;

/// Appends to Kafka with one idempotent producer. Dropping it gives up what is under way; flush before.
pub struct KafkaWriter {
    settings: KafkaSettings,
    clock: Arc<dyn Clock>,
    traffic: Arc<Traffic>,
    producer: RwLock<Arc<Producer>>,
    probe: tokio::sync::Mutex<Option<(Duration, bool)>>,
    names: [(Topic, String); Topic::ALL.len()],
}

impl KafkaWriter {
    /// A writer. The brokers are looked for in the background.
    ///
    /// # Errors
    /// [`LogError::Setup`] when the settings can not work, say a certificate that is not there.
    pub fn new(settings: KafkaSettings, clock: Arc<dyn Clock>) -> Result<Self, LogError> {
        settings.check_files()?;
        let traffic = Arc::new(Traffic::default());
        let producer = RwLock::new(Arc::new(producer(&settings, &clock, &traffic)?));
        let names = Topic::ALL.map(|topic| (topic, settings.topic_name(topic)));
        Ok(Self { settings, clock, traffic, producer, probe: tokio::sync::Mutex::default(), names })
    }

    /// How many records are under way, for metrics.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.traffic.in_flight.load(Ordering::Acquire)
    }

    fn producer(&self) -> Arc<Producer> {
        Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Some faults end a producer for good; then a new one takes its place.
    fn replace_if_dead(&self, used: &Arc<Producer>) {
        let Some((code, reason)) = used.client().fatal_error() else { return };
        let mut current = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, used) {
            return;
        }
        tracing::error!(kafka.kind = ?code, kafka.message = reason, "kafka producer ended and is replaced");
        if let Ok(fresh) = producer(&self.settings, &self.clock, &self.traffic) {
            let dead = std::mem::replace(&mut *current, Arc::new(fresh));
            // Its end waits for its threads.
            std::thread::spawn(move || drop(dead));
        }
    }

    fn name(&self, topic: Topic) -> &str {
        self.names.iter().find(|(known, _)| *known == topic).map_or("", |(_, name)| name)
    }

    fn send(&self, producer: &Producer, record: &NewRecord, append: &Arc<Append>) -> Result<(), LogError> {
        let headers = OwnedHeaders::new_with_capacity(record.headers.len());
        let headers = record
            .headers
            .iter()
            .fold(headers, |all, (key, value)| all.insert(Header { key, value: Some(value.as_bytes()) }));
        let message = BaseRecord::with_opaque_to(self.name(record.topic), Arc::clone(append));
        let message = message.key(record.key.as_bytes()).payload(&record.value[..]).headers(headers);
        producer.send(message).map_err(|(error, _)| log_error(&error))
    }
}

fn producer(settings: &KafkaSettings, clock: &Arc<dyn Clock>, traffic: &Arc<Traffic>) -> Result<Producer, LogError> {
    let reporter = Reporter::new("producer", Arc::clone(clock));
    let context = Deliveries { reporter, clock: Arc::clone(clock), traffic: Arc::clone(traffic) };
    settings.producer().create_with_context(context).map_err(|error| LogError::Setup(error.to_string()))
}

#[async_trait]
impl LogWriter for KafkaWriter {
    async fn append(&self, records: Vec<NewRecord>, deadline: Duration) -> Result<(), LogError> {
        if records.is_empty() {
            return Ok(());
        }
        self.traffic.enter(records.len())?;
        let append = Arc::new(Append::new(records.len()));
        let producer = self.producer();
        for (sent, record) in records.iter().enumerate() {
            if let Err(error) = self.send(&producer, record, &append) {
                self.traffic.leave(records.len() - sent);
                self.replace_if_dead(&producer);
                return Err(error);
            }
        }
        // From here on only the client holds the records.
        drop(records);
        if tokio::time::timeout(deadline, append.settled.notified()).await.is_err() {
            return Err(LogError::Deadline);
        }
        match append.failure() {
            None => Ok(()),
            Some(error) => {
                self.replace_if_dead(&producer);
                Err(error)
            }
        }
    }

    async fn reachable(&self) -> bool {
        let asked = async {
            let mut probe = self.probe.lock().await;
            let now = self.clock.monotonic();
            if self.traffic.acknowledged_since(now.saturating_sub(PROBE)) {
                return true;
            }
            if let Some((when, answer)) = *probe
                && now.saturating_sub(when) < PROBE
            {
                return answer;
            }
            let (producer, topic) = (self.producer(), self.name(Topic::Employee).to_owned());
            let ask = move || producer.client().fetch_metadata(Some(&topic), PROBE * 9 / 10).is_ok();
            let answer = tokio::task::spawn_blocking(ask).await.unwrap_or(false);
            *probe = Some((self.clock.monotonic(), answer));
            answer
        };
        tokio::time::timeout(PROBE, asked).await.unwrap_or(false)
    }

    async fn flush(&self, deadline: Duration) -> usize {
        let idle = async {
            loop {
                let notified = self.traffic.idle.notified();
                tokio::pin!(notified);
                notified.as_mut().enable();
                if self.in_flight() == 0 {
                    return;
                }
                notified.await;
            }
        };
        let _ = tokio::time::timeout(deadline, idle).await;
        self.in_flight()
    }
}

impl std::fmt::Debug for KafkaWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KafkaWriter").field("brokers", &self.settings.brokers).finish_non_exhaustive()
    }
}

/// One call of append: counts the answers still to come.
#[derive(Debug)]
struct Append {
    open: AtomicUsize,
    failure: Mutex<Option<LogError>>,
    settled: Notify,
}

impl Append {
    fn new(records: usize) -> Self {
        Self { open: AtomicUsize::new(records), failure: Mutex::default(), settled: Notify::new() }
    }

    /// Takes one record's answer. The first failure settles the whole; so does the last success.
    fn answer(&self, outcome: Result<(), LogError>) {
        let last = self.open.fetch_sub(1, Ordering::AcqRel) == 1;
        let failed = outcome.is_err();
        if let Err(error) = outcome {
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        }
        if last || failed {
            self.settled.notify_one();
        }
    }

    fn failure(&self) -> Option<LogError> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What is under way over all appends, and when something last arrived.
#[derive(Debug, Default)]
struct Traffic {
    in_flight: AtomicUsize,
    idle: Notify,
    /// Monotonic microseconds; zero for never.
    last_acknowledged: AtomicU64,
}

impl Traffic {
    /// Lets all of them in or none.
    fn enter(&self, records: usize) -> Result<(), LogError> {
        let room = |now: usize| now.checked_add(records).filter(|sum| *sum <= MOST_IN_FLIGHT);
        let entered = self.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, room);
        entered.map(drop).map_err(|_| LogError::Full)
    }

    fn leave(&self, records: usize) {
        if self.in_flight.fetch_sub(records, Ordering::AcqRel) == records {
            self.idle.notify_waiters();
        }
    }

    fn acknowledged(&self, now: Duration) {
        self.last_acknowledged.store(micros(now).max(1), Ordering::Release);
    }

    fn acknowledged_since(&self, then: Duration) -> bool {
        let last = self.last_acknowledged.load(Ordering::Acquire);
        last > 0 && last >= micros(then)
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// Hears what became of each record.
struct Deliveries {
    reporter: Reporter,
    clock: Arc<dyn Clock>,
    traffic: Arc<Traffic>,
}

impl ClientContext for Deliveries {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.reporter.line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.reporter.error(&error, reason);
    }

    fn stats(&self, _: Statistics) {}
}

impl ProducerContext for Deliveries {
    type DeliveryOpaque = Arc<Append>;

    fn delivery(&self, result: &DeliveryResult<'_>, append: Arc<Append>) {
        let outcome = result.as_ref().map(drop).map_err(|(error, _)| log_error(error));
        if outcome.is_ok() {
            self.traffic.acknowledged(self.clock.monotonic());
        }
        self.traffic.leave(1);
        append.answer(outcome);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_records_of_an_append_get_in_or_none() {
        let traffic = Traffic::default();
        traffic.enter(MOST_IN_FLIGHT - 1).unwrap();
        assert!(matches!(traffic.enter(2), Err(LogError::Full)));
        traffic.enter(1).unwrap();
        traffic.leave(MOST_IN_FLIGHT);
        assert_eq!(traffic.in_flight.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn an_append_is_settled_by_its_last_success_or_first_failure() {
        let append = Append::new(2);
        append.answer(Ok(()));
        assert!(tokio::time::timeout(Duration::ZERO, append.settled.notified()).await.is_err());
        append.answer(Ok(()));
        append.settled.notified().await;
        assert!(append.failure().is_none());

        let append = Append::new(3);
        append.answer(Err(LogError::Deadline));
        append.settled.notified().await;
        append.answer(Err(LogError::Full));
        assert!(matches!(append.failure(), Some(LogError::Deadline)));
    }
}
