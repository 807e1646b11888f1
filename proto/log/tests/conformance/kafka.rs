//! The suite on Apache Kafka.

use std::net::TcpListener;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use renkei_e2e::servers::Kafka;
use renkei_events::topic::Topic;
use renkei_log::kafka::{KafkaReader, KafkaSettings, KafkaWriter, MAX_RECORD_BYTES, ensure_topics};
use renkei_log::{LogError, LogReader, LogWriter};
use renkei_runtime::clock::{Clock, SystemClock};

use crate::suite::{self, Log, PATIENCE, conformance};

conformance!(open());

/// The broker of this test binary.
pub(crate) fn broker() -> &'static Kafka {
    static KAFKA: OnceLock<Kafka> = OnceLock::new();
    KAFKA.get_or_init(|| Kafka::start().expect("kafka starts"))
}

pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::real())
}

/// Topics of its own, told apart by a prefix.
pub(crate) struct KafkaLog {
    pub(crate) settings: KafkaSettings,
    writer: Arc<KafkaWriter>,
    deaf: TcpListener,
}

impl KafkaLog {
    pub(crate) async fn new(partitions: u16) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let broker = tokio::task::spawn_blocking(broker).await.unwrap();
        let mut settings = KafkaSettings::new(broker.bootstrap().parse().unwrap());
        settings.topic_prefix = format!("t{}.", NEXT.fetch_add(1, Ordering::Relaxed)).parse().unwrap();
        settings.partitions = NonZeroU16::new(partitions).unwrap();
        settings.session_timeout = Duration::from_secs(6);
        ensure_topics(&settings, clock(), PATIENCE).await.unwrap();
        let writer = Arc::new(KafkaWriter::new(settings.clone(), clock()).unwrap());
        Self { settings, writer, deaf: TcpListener::bind("127.0.0.1:0").unwrap() }
    }
}

impl Log for KafkaLog {
    fn writer(&self) -> Arc<dyn LogWriter> {
        Arc::clone(&self.writer) as Arc<dyn LogWriter>
    }

    fn reader(&self, group: &str, topic: Topic) -> Box<dyn LogReader> {
        // Groups are the broker's, and all tests share it.
        let group = format!("{}{group}", self.settings.topic_prefix);
        Box::new(KafkaReader::new(&self.settings, &group, &[topic], clock()).unwrap())
    }

    /// Connections are taken, by the kernel, and never answered.
    fn deaf_writer(&self) -> Option<Arc<dyn LogWriter>> {
        let address = self.deaf.local_addr().unwrap().to_string();
        let settings = KafkaSettings { brokers: address.parse().unwrap(), ..self.settings.clone() };
        Some(Arc::new(KafkaWriter::new(settings, clock()).unwrap()))
    }
}

async fn open() -> Box<dyn Log> {
    Box::new(KafkaLog::new(3).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_are_there_are_left_alone() {
    let log = KafkaLog::new(2).await;
    suite::append(&log, suite::numbered("c/1", 0..3)).await;
    let mut other = log.settings.clone();
    other.partitions = NonZeroU16::new(12).unwrap();
    ensure_topics(&other, clock(), PATIENCE).await.unwrap();
    assert_eq!(suite::read(&mut *log.reader("g", Topic::Employee), 3).await.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn topics_that_can_not_be_made_stop_the_start() {
    let log = KafkaLog::new(1).await;
    let mut settings = log.settings.clone();
    settings.topic_prefix = "too-many-replicas.".parse().unwrap();
    settings.replication = NonZeroU16::new(3);
    let refused = ensure_topics(&settings, clock(), PATIENCE).await;
    assert!(matches!(&refused, Err(LogError::Setup(reason)) if reason.contains("too-many-replicas.")), "{refused:?}");
    settings.brokers = log.deaf.local_addr().unwrap().to_string().parse().unwrap();
    let unheard =
        tokio::time::timeout(PATIENCE, ensure_topics(&settings, clock(), Duration::from_secs(1))).await.unwrap();
    assert!(matches!(unheard, Err(LogError::Unavailable(_) | LogError::Deadline)), "{unheard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_is_too_large_is_refused_and_others_go_on() {
    let log = KafkaLog::new(1).await;
    let large = suite::record("c/1", vec![0; MAX_RECORD_BYTES + 1]);
    let refused = log.writer().append(vec![large], PATIENCE).await;
    assert!(matches!(refused, Err(LogError::Refused(_))), "{refused:?}");
    suite::append(&log, suite::numbered("c/1", 0..1)).await;
    assert_eq!(log.writer().flush(PATIENCE).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_is_read_as_far_as_it_can_be() {
    use rdkafka::message::{Header, OwnedHeaders};
    use rdkafka::producer::{FutureProducer, FutureRecord};
    let log = KafkaLog::new(1).await;
    let mut config = rdkafka::ClientConfig::new();
    let stranger: FutureProducer = config.set("bootstrap.servers", log.settings.brokers.to_string()).create().unwrap();
    let topic = format!("{}{}", log.settings.topic_prefix, Topic::Employee.name());
    let value = |value: Option<&'static [u8]>| Header { key: "h", value };
    let headers = OwnedHeaders::new().insert(value(None)).insert(value(Some(b"\xff"))).insert(value(Some(b"text")));
    let bare: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic);
    stranger.send(bare, PATIENCE).await.unwrap();
    let odd = FutureRecord::to(&topic).key(&b"\xff"[..]).payload(&b"\xfe"[..]).headers(headers);
    stranger.send(odd, PATIENCE).await.unwrap();
    let records = suite::read(&mut *log.reader("g", Topic::Employee), 2).await;
    assert!(records[0].key.is_none() && records[0].headers.is_empty() && records[0].value.is_empty());
    assert!(records[1].key.is_none(), "no text");
    assert_eq!(records[1].headers, [("h".to_owned(), "text".to_owned())]);
    assert_eq!(records[1].value, b"\xfe");
}
