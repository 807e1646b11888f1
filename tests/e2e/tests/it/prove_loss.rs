//! I1: an event that was answered 202 is never lost, whatever dies.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use renkei_e2e::servers::Kafka;
use renkei_sandbox::send;

use crate::support::people::person;
use crate::support::records::read_topic;
use crate::support::traffic::Sender;
use crate::support::world::{LogKind, Setup, World};
use crate::support::{block, pause, quantile, runtime, setting, until};

/// Records of one delivery.
const TOGETHER: usize = 10;
/// Requests under way at once.
const SENDERS: usize = 24;

/// What came of the sending.
#[derive(Debug, Default)]
struct Sent {
    accepted: BTreeSet<String>,
    refused_for_now: usize,
    broken: usize,
    slowest: u64,
    times: Vec<u64>,
}

/// A sending under way.
struct Sending {
    through: Arc<AtomicUsize>,
    deliveries: usize,
    lanes: Vec<tokio::task::JoinHandle<Sent>>,
}

impl Sending {
    /// Begins to send `PROVE_EVENTS` events, each delivery again until it is accepted.
    fn begin(sender: &Sender) -> Self {
        let events = usize::try_from(setting("PROVE_EVENTS", 20_000)).unwrap();
        let deliveries = events / TOGETHER;
        let next = Arc::new(AtomicUsize::new(0));
        let through = Arc::new(AtomicUsize::new(0));
        let lane = || {
            let (sender, next, through) = (sender.clone(), Arc::clone(&next), Arc::clone(&through));
            runtime().spawn(async move { lane(&sender, &next, &through, deliveries).await })
        };
        let lanes = (0..SENDERS).map(|_| lane()).collect();
        Self { through, deliveries, lanes }
    }

    /// Waits until a third is accepted.
    fn wait_a_third(&self) {
        while self.through.load(Ordering::Relaxed) < self.deliveries / 3 {
            pause(5);
        }
    }

    /// Waits until all is accepted.
    fn end(self) -> Sent {
        let mut sent = Sent::default();
        for lane in self.lanes {
            let part = block(lane).unwrap();
            sent.accepted.extend(part.accepted);
            sent.refused_for_now += part.refused_for_now;
            sent.broken += part.broken;
            sent.slowest = sent.slowest.max(part.slowest);
            sent.times.extend(part.times);
        }
        sent.times.sort_unstable();
        sent
    }
}

async fn lane(sender: &Sender, next: &AtomicUsize, through: &AtomicUsize, deliveries: usize) -> Sent {
    let mut sent = Sent::default();
    loop {
        let at = next.fetch_add(1, Ordering::Relaxed);
        if at >= deliveries {
            return sent;
        }
        let webhook_id = format!("msg_{at}");
        let records: Vec<_> =
            (0..TOGETHER).map(|index| person(&format!("rm_{at}_{index}"), &format!("N{at:05}{index}"))).collect();
        let body = send::body("employee.updated", "2026-04-01T00:00:00Z", &records);
        loop {
            let answer = sender.post(&webhook_id, body.clone()).await;
            let took = u64::try_from(answer.took.as_millis()).unwrap();
            match answer.status {
                Some(202) => {
                    sent.times.push(took);
                    sent.accepted.extend((0..TOGETHER).map(|index| format!("{webhook_id}/{index}")));
                    through.fetch_add(1, Ordering::Relaxed);
                    break;
                }
                Some(429 | 503) => sent.refused_for_now += 1,
                Some(other) => panic!("answered {other}: {}", answer.text),
                // Refused, reset, cut: not accepted, so it is sent again.
                None => sent.broken += 1,
            }
            if answer.status.is_some() {
                sent.slowest = sent.slowest.max(took);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn report(name: &str, sent: &Sent, on_the_log: usize) {
    let slowest = sent.slowest.max(sent.times.last().copied().unwrap_or(0));
    println!(
        "{name}: {} events accepted, {} on the log, {} answers 429 or 503, {} without an answer; accepted in p50 {} ms, p99 {} ms; slowest answer {} ms",
        sent.accepted.len(),
        on_the_log,
        sent.refused_for_now,
        sent.broken,
        quantile(&sent.times, 0.5),
        quantile(&sent.times, 0.99),
        slowest,
    );
    assert!(slowest <= 5_000, "a request was answered after {slowest} ms");
}

fn unlimited() -> Vec<(String, String)> {
    [("RENKEI_INGEST_RATE_PER_SECOND", "100000"), ("RENKEI_INGEST_RATE_BURST", "100000")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
}

/// Ingest alone, with its connection declared.
fn ingest_on(kafka: Option<&Kafka>) -> World {
    let mut environment = unlimited();
    if let Some(kafka) = kafka {
        environment.push(("RENKEI_LOG".to_owned(), format!("kafka://{}", kafka.bootstrap())));
    }
    let mut world = World::new(Setup { log: LogKind::Embedded, environment, ..Setup::default() });
    world.folder.write("connections.yaml", &world.file()).unwrap();
    let applied = world.apply("connections.yaml", &[]);
    assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    world.start_ingest();
    world
}

fn assert_nothing_lost(name: &str, kafka: &Kafka, world: &World, sent: &Sent) {
    let seen = read_topic(&kafka.bootstrap(), &format!("{}renkei.employee.v1", world.topic_prefix));
    let ids: Vec<String> = seen.iter().map(|record| record.header("ce_id")).collect();
    let there: BTreeSet<String> = ids.iter().cloned().collect();
    report(name, sent, ids.len());
    let lost: Vec<&String> = sent.accepted.difference(&there).collect();
    assert!(lost.is_empty(), "{} events were accepted and are not on the topic, such as {}", lost.len(), lost[0]);
}

#[test]
#[ignore = "takes a minute; make prove"]
fn prove_i1_no_accepted_event_is_lost_when_the_broker_is_killed() {
    let kafka = Kafka::start().unwrap();
    let world = ingest_on(Some(&kafka));
    let sending = Sending::begin(&world.sender("acme"));
    sending.wait_a_third();
    kafka.kill9();
    pause(3_000);
    kafka.restart().unwrap();
    let sent = sending.end();
    assert_nothing_lost("broker killed with -9 and restarted", &kafka, &world, &sent);
    assert_eq!(sent.broken, 0, "a living ingest answers every request");
}

#[test]
#[ignore = "takes a minute; make prove"]
fn prove_i1_no_accepted_event_is_lost_when_ingest_is_terminated() {
    let kafka = Kafka::start().unwrap();
    let mut world = ingest_on(Some(&kafka));
    let sending = Sending::begin(&world.sender("acme"));
    sending.wait_a_third();
    let ended = world.ingest().terminate(Duration::from_secs(40)).and_then(|status| status.code());
    assert_eq!(ended, Some(0), "ingest drains and exits 0");
    world.start_ingest();
    let sent = sending.end();
    assert_nothing_lost("ingest terminated and restarted", &kafka, &world, &sent);
}

#[test]
#[ignore = "takes a minute; make prove"]
fn prove_i1_no_accepted_event_is_lost_when_ingest_on_the_embedded_log_is_killed() {
    let mut world = ingest_on(None);
    let sending = Sending::begin(&world.sender("acme"));
    sending.wait_a_third();
    world.ingest().kill9();
    pause(500);
    world.start_ingest();
    let sent = sending.end();
    // Every event is about a person of its own, so that each one on the log becomes a row.
    world.start_workers();
    let accepted = i64::try_from(sent.accepted.len()).unwrap();
    let mut rows = 0;
    until(Duration::from_secs(120), "every accepted event became a row", || {
        let people = world.connection("acme")["people"].clone();
        rows = people.as_object().unwrap().values().filter_map(serde_json::Value::as_i64).sum();
        rows >= accepted
    });
    report("ingest on the embedded log killed with -9 and restarted", &sent, usize::try_from(rows).unwrap());
}
