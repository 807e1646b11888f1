//! What the log does while its broker is frozen, killed and started again.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests stop the test")]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use renkei_e2e::servers::Kafka;
use renkei_events::topic::Topic;
use renkei_log::kafka::{KafkaReader, KafkaSettings, KafkaWriter, ensure_topics};
use renkei_log::{LogError, LogReader, LogWriter, NewRecord, Position, Record};
use renkei_runtime::clock::{Clock, SystemClock};
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);

/// The one broker of this test binary, for one test at a time.
struct Turn {
    kafka: &'static Kafka,
    settings: KafkaSettings,
    _turn: MutexGuard<'static, ()>,
}

impl Turn {
    async fn take() -> Self {
        static KAFKA: OnceLock<Kafka> = OnceLock::new();
        static TURN: Mutex<()> = Mutex::const_new(());
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let turn = TURN.lock().await;
        let kafka = blocking(|| KAFKA.get_or_init(|| Kafka::start().expect("kafka starts"))).await;
        // A test that failed may have left it frozen or dead.
        kafka.thaw();
        let mut settings = KafkaSettings::new(kafka.bootstrap().parse().unwrap());
        settings.topic_prefix = format!("t{}.", NEXT.fetch_add(1, Ordering::Relaxed)).parse().unwrap();
        settings.session_timeout = Duration::from_secs(6);
        if ensure_topics(&settings, clock(), Duration::from_secs(10)).await.is_err() {
            blocking(|| kafka.restart().unwrap()).await;
            ensure_topics(&settings, clock(), Duration::from_secs(10)).await.unwrap();
        }
        Self { kafka, settings, _turn: turn }
    }

    fn writer(&self) -> Arc<KafkaWriter> {
        Arc::new(KafkaWriter::new(self.settings.clone(), clock()).unwrap())
    }

    fn reader(&self) -> KafkaReader {
        let group = format!("{}g", self.settings.topic_prefix);
        KafkaReader::new(&self.settings, &group, &[Topic::Employee], clock()).unwrap()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock::real())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.unwrap()
}

fn numbered(numbers: std::ops::Range<usize>) -> Vec<NewRecord> {
    let record = |number: usize| NewRecord {
        topic: Topic::Employee,
        key: format!("c/{}", number % 50),
        headers: vec![],
        value: number.to_string().into_bytes(),
    };
    numbers.map(record).collect()
}

fn number(record: &Record) -> usize {
    String::from_utf8_lossy(&record.value).parse().unwrap()
}

fn positions(records: &[Record]) -> Vec<Position> {
    records.iter().map(|record| record.position).collect()
}

/// Fails when an answer takes longer than promised, give or take a busy machine.
async fn within<T>(promise: Duration, answer: impl Future<Output = T>) -> T {
    timeout(promise + Duration::from_millis(700), answer).await.expect("answers within the deadline")
}

/// Reads until the numbers `wanted` were all seen, through all errors.
async fn read_all(reader: &mut KafkaReader, wanted: impl IntoIterator<Item = usize>) -> Vec<Record> {
    let mut missing: std::collections::BTreeSet<usize> = wanted.into_iter().collect();
    let mut all = Vec::new();
    let reading = async {
        while !missing.is_empty() {
            match reader.read(500, Duration::from_millis(500)).await {
                Ok(records) => {
                    for record in &records {
                        missing.remove(&number(record));
                    }
                    all.extend(records);
                }
                Err(error) => assert!(matches!(error, LogError::Unavailable(_)), "{error}"),
            }
        }
    };
    assert!(timeout(PATIENCE, reading).await.is_ok(), "these never came: {missing:?}");
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_broker_is_answered_for_in_time_and_forgiven() {
    let mut turn = Turn::take().await;
    // Longer than it is frozen; else the reader gives its partitions up in between.
    turn.settings.session_timeout = Duration::from_secs(30);
    let (writer, mut reader) = (turn.writer(), turn.reader());
    writer.append(numbered(0..100), PATIENCE).await.unwrap();
    let first = read_all(&mut reader, 0..100).await;
    assert!(writer.reachable().await);

    turn.kafka.freeze();
    for deadline in [Duration::from_millis(500), Duration::from_secs(4)] {
        let answer = within(deadline, writer.append(numbered(100..103), deadline)).await;
        assert!(matches!(answer, Err(LogError::Deadline | LogError::Unavailable(_))), "{answer:?}");
    }
    assert!(!within(Duration::from_secs(1), writer.reachable()).await);
    let read = within(Duration::from_millis(300), reader.read(10, Duration::from_millis(300))).await;
    assert!(matches!(&read, Err(LogError::Unavailable(_))) || read.is_ok_and(|records| records.is_empty()));
    let commit = within(Duration::from_secs(5), reader.commit(&positions(&first))).await;
    assert!(commit.is_err(), "nobody took the commit");

    turn.kafka.thaw();
    let retried = async { while writer.append(numbered(100..110), Duration::from_secs(4)).await.is_err() {} };
    timeout(PATIENCE, retried).await.expect("appends again");
    assert!(writer.reachable().await);
    let records = read_all(&mut reader, 100..110).await;
    let committed = async { while reader.commit(&positions(&records)).await.is_err() {} };
    timeout(PATIENCE, committed).await.expect("commits again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_is_said_at_once() {
    let turn = Turn::take().await;
    let writer = turn.writer();
    writer.append(numbered(0..1), PATIENCE).await.unwrap();
    turn.kafka.freeze();
    let mut tries = 0;
    let full = async {
        loop {
            tries += 1;
            match writer.append(numbered(0..2_000), Duration::from_millis(1)).await {
                Err(LogError::Full) => break,
                other => assert!(matches!(other, Err(LogError::Deadline)), "{other:?}"),
            }
        }
    };
    timeout(Duration::from_secs(3), full).await.expect("is full before anything times out");
    assert!(tries <= 12, "{tries} times 2000 records were taken in");
    turn.kafka.thaw();
    assert_eq!(writer.flush(Duration::from_secs(20)).await, 0);
    writer.append(numbered(0..2_000), Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_killed_broker() {
    let turn = Turn::take().await;
    let (writer, mut reader) = (turn.writer(), turn.reader());
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let feed = |lane: usize| {
        let (writer, acknowledged) = (Arc::clone(&writer), Arc::clone(&acknowledged));
        tokio::spawn(async move {
            let mut refused = 0;
            let mut next = lane * 1_000_000;
            let mut after_the_kill = 0;
            while after_the_kill < 20 {
                let numbers = next..next + 10;
                next += 10;
                match writer.append(numbered(numbers.clone()), Duration::from_secs(4)).await {
                    Ok(()) => {
                        acknowledged.lock().await.extend(numbers);
                        after_the_kill += usize::from(refused > 0);
                    }
                    Err(_) => refused += 1,
                }
                sleep(Duration::from_millis(5)).await;
            }
        })
    };
    let feeds = [feed(1), feed(2), feed(3)];
    while acknowledged.lock().await.len() < 1_000 {
        sleep(Duration::from_millis(10)).await;
    }
    turn.kafka.kill9();
    // Long enough that something is refused on every lane.
    sleep(Duration::from_secs(5)).await;
    assert!(!within(Duration::from_secs(1), writer.reachable()).await);
    let kafka = turn.kafka;
    blocking(|| kafka.restart().unwrap()).await;
    for feed in feeds {
        timeout(PATIENCE, feed).await.expect("appends again after the restart").unwrap();
    }
    assert!(writer.reachable().await);
    let acknowledged = std::mem::take(&mut *acknowledged.lock().await);
    assert!(acknowledged.len() >= 1_600, "{}", acknowledged.len());
    let records = read_all(&mut reader, acknowledged).await;
    let mut last: BTreeMap<(i32, String, usize), usize> = BTreeMap::new();
    for record in &records {
        let (key, number) = (record.key.clone().unwrap(), number(record));
        let before = last.insert((record.position.partition, key, number / 1_000_000), number);
        assert!(before.is_none_or(|before| before < number), "{before:?} before {number}");
    }
    timeout(Duration::from_secs(11), Box::new(reader).close()).await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_can_be_closed_and_opened_without_a_broker() {
    let turn = Turn::take().await;
    let writer = turn.writer();
    writer.append(numbered(0..10), PATIENCE).await.unwrap();
    let mut reader = turn.reader();
    let records = read_all(&mut reader, 0..10).await;
    turn.kafka.kill9();
    let started = Instant::now();
    let _ = reader.commit(&positions(&records)).await;
    let _ = within(Duration::from_secs(5), Box::new(reader).close()).await;
    assert!(started.elapsed() < Duration::from_secs(11), "{:?}", started.elapsed());

    let mut reader = turn.reader();
    let mut errors = 0;
    for _ in 0..20 {
        match reader.read(10, Duration::from_millis(100)).await {
            Ok(records) => assert!(records.is_empty()),
            Err(error) => {
                assert!(matches!(error, LogError::Unavailable(_)), "{error}");
                errors += 1;
            }
        }
    }
    assert!(errors >= 1, "a missing broker is told");
    let kafka = turn.kafka;
    blocking(|| kafka.restart().unwrap()).await;
    // Nobody waited for the first reader, which may still commit what was done, so that only what is new has to come.
    writer.append(numbered(10..20), PATIENCE).await.unwrap();
    read_all(&mut reader, 10..20).await;
}
