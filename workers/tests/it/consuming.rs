//! Regressions: what the consumer does when the log or the store takes something not.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use renkei_events::ids::TenantId;
use renkei_events::topic::Topic;
use renkei_log::embedded::EmbeddedReader;
use renkei_log::{LogError, LogReader, LogWriter, NewRecord, Position, Record};
use renkei_runtime::clock::Clock;
use renkei_store::activity::{self, About};
use renkei_store::db::Sql as _;
use renkei_store::employees::{self, EmployeeKey, RowState};
use renkei_store::{owned, undecodable};
use renkei_workers::members::consume::{BATCH, Consumer, GROUP};
use serde_json::json;

use crate::people::{person, record};
use crate::world::World;

/// What passed between the consumer and the log.
#[derive(Debug, Default)]
struct Seen {
    read: Vec<i64>,
    committed: Vec<i64>,
    letters: Vec<NewRecord>,
}

/// The log's reader, watched.
struct Watched {
    reader: EmbeddedReader,
    seen: Arc<Mutex<Seen>>,
}

#[async_trait::async_trait]
impl LogReader for Watched {
    async fn read(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, LogError> {
        let records = self.reader.read(most, wait).await?;
        self.seen.lock().unwrap().read.extend(records.iter().map(|record| record.position.offset));
        Ok(records)
    }

    async fn commit(&mut self, done: &[Position]) -> Result<(), LogError> {
        self.reader.commit(done).await?;
        self.seen.lock().unwrap().committed.extend(done.iter().map(|position| position.offset));
        Ok(())
    }

    async fn lag(&mut self) -> Option<u64> {
        self.reader.lag().await
    }

    async fn close(self: Box<Self>) -> Result<(), LogError> {
        Ok(())
    }
}

/// A dead letter that takes records up to a size, as a topic does.
struct Letters {
    largest: usize,
    seen: Arc<Mutex<Seen>>,
}

#[async_trait::async_trait]
impl LogWriter for Letters {
    async fn append(&self, records: Vec<NewRecord>, _: Duration) -> Result<(), LogError> {
        let size = |record: &NewRecord| {
            let headers = record.headers.iter().map(|(name, value)| name.len() + value.len());
            record.value.len() + headers.sum::<usize>()
        };
        if records.iter().any(|record| size(record) > self.largest) {
            return Err(LogError::Refused("message size too large".to_owned()));
        }
        self.seen.lock().unwrap().letters.extend(records);
        Ok(())
    }

    async fn reachable(&self) -> bool {
        true
    }

    async fn flush(&self, _: Duration) -> usize {
        0
    }
}

/// A consumer of the world's log that is not run by the world.
fn consumer(world: &World) -> (Consumer, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let clock: Arc<dyn Clock> = world.clock.clone();
    let reader = EmbeddedReader::new(world.store.clone(), clock, Topic::Employee, GROUP, false);
    let reader = Watched { reader, seen: Arc::clone(&seen) };
    let letters = Letters { largest: 1000, seen: Arc::clone(&seen) };
    (Consumer::new(world.workers[0].context.clone(), Box::new(reader), Arc::new(letters)), seen)
}

fn is_each_once_and_in_order(offsets: &[i64], count: usize) -> bool {
    offsets.len() == count && offsets.windows(2).all(|pair| pair[0] + 1 == pair[1])
}

#[tokio::test]
async fn a_record_that_is_too_large_for_the_dead_letter_does_not_hold_up_the_others() {
    let mut world = World::simple().await;
    let broken = |value: Vec<u8>, headers: Vec<(String, String)>| NewRecord {
        topic: Topic::Employee,
        key: "c1/x".to_owned(),
        headers,
        value,
    };
    let padded = ("padding".to_owned(), "x".repeat(2000));
    let at = world.now();
    let (one, other) = (world.event("c1", person(1, at)), world.event("c1", person(2, at)));
    world.append(vec![one]).await;
    let bad =
        vec![broken(vec![b'x'; 2000], vec![]), broken(b"small".to_vec(), vec![padded]), broken(b"x".to_vec(), vec![])];
    world.log.append(bad, Duration::from_secs(60)).await.unwrap();
    world.append(vec![other]).await;

    let (mut consumer, seen) = consumer(&world);
    let consumed = consumer.step(Duration::ZERO).await.unwrap();
    assert_eq!((consumed.records, consumed.changed), (5, 2));
    let seen = seen.lock().unwrap();
    assert!(is_each_once_and_in_order(&seen.committed, 5), "{seen:?}");
    let told = |letter: &NewRecord, name: &str| letter.headers.iter().any(|(known, _)| known == name);
    for letter in &seen.letters {
        assert!(told(letter, "renkei_deadletter_place") && told(letter, "renkei_deadletter_fault"), "{letter:?}");
    }
    let values: Vec<&[u8]> = seen.letters.iter().map(|letter| letter.value.as_slice()).collect();
    assert_eq!(values, [&b""[..], b"", b"x"], "too large to be copied, but told");
}

#[tokio::test]
async fn a_record_that_can_not_be_read_is_counted_and_shown_once() {
    let world = World::simple().await;
    let broken = |key: &str| NewRecord {
        topic: Topic::Employee,
        key: key.to_owned(),
        headers: vec![],
        value: b"no event".to_vec(),
    };
    world.log.append(vec![broken("c1/x"), broken("nobody/y"), broken("c1/z")], Duration::from_secs(60)).await.unwrap();
    let (mut consumer, seen) = consumer(&world);
    assert_eq!(consumer.step(Duration::ZERO).await.unwrap().records, 3);
    let metrics = &world.workers[0].context.metrics;
    assert_eq!(metrics.consumed.with_label_values(&["dead_letter"]).get(), 3);
    let places: Vec<String> = seen.lock().unwrap().letters.iter().map(|letter| letter.key.clone()).collect();
    let found = async |connections: Option<&[String]>| undecodable::of(&world.store.db, connections).await.unwrap();
    let whole = found(None).await;
    assert_eq!((whole.records, whole.last.unwrap().1), (3, places[2].clone()));
    let of_one = found(Some(&["c1".to_owned()])).await;
    assert_eq!((of_one.records, of_one.last.unwrap().1), (2, places[2].clone()));
    assert_eq!(found(Some(&["c2".to_owned()])).await.records, 0);
    let own = owned::all(&world.store, &world.store.db, &TenantId::new("t1").unwrap()).await.unwrap();
    let shown = activity::page(&world.store, &own, About::default(), i64::MAX, 100).await.unwrap();
    let shown: Vec<_> = shown.into_iter().map(|(_, entry)| entry).filter(|entry| entry.kind == "undecodable").collect();
    assert!(shown.iter().all(|entry| entry.code.as_deref() == Some("renkei.record_undecodable")));
    let mut details: Vec<String> = shown.into_iter().filter_map(|entry| entry.detail).collect();
    details.sort();
    assert_eq!(details, [places[0].clone(), places[2].clone()]);
    // Read again by a process that did not know how far the one before had come.
    let tx = world.store.begin().await.unwrap();
    undecodable::add(&world.store, &tx, &places[0], Some("c1"), world.now()).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(found(None).await.records, 3);
}

#[tokio::test]
async fn a_record_under_the_key_of_somebody_else_goes_to_the_dead_letter() {
    let mut world = World::simple().await;
    let at = world.now();
    let event = world.event("c1", person(1, at));
    let record = NewRecord {
        topic: Topic::Employee,
        key: "c1/rm_00002".to_owned(),
        headers: event.headers("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        value: event.value().unwrap(),
    };
    world.log.append(vec![record], Duration::from_secs(60)).await.unwrap();
    let (mut consumer, seen) = consumer(&world);
    assert_eq!(consumer.step(Duration::ZERO).await.unwrap().changed, 0);
    let seen = seen.lock().unwrap();
    let faults = seen.letters.iter().flat_map(|letter| &letter.headers);
    let faults: Vec<&str> =
        faults.filter(|(name, _)| name == "renkei_deadletter_fault").map(|(_, fault)| fault.as_str()).collect();
    assert_eq!(faults, ["the record's key is not its event's key"]);
}

/// The store refuses to write one person of many; the whole step fails, and nothing of it is lost, doubled or overtaken.
#[tokio::test]
async fn events_of_a_step_whose_write_failed_are_written_by_the_next_in_order_and_once() {
    let mut world = World::simple().await;
    let at = world.now();
    let people = BATCH / 2;
    let mut events = Vec::new();
    // Three states of each, at one time: only their order on the log tells which is the newer. And more than one step takes.
    for birthday in ["1991-05-05", "1992-06-06", "1993-07-07"] {
        events.extend((1..=people).map(|index| world.event("c1", record(json!({ "birthday": birthday }), index, at))));
    }
    world.append(events[..people].to_vec()).await;
    let no_event = NewRecord { topic: Topic::Employee, key: "c1/x".to_owned(), headers: vec![], value: b"x".to_vec() };
    world.log.append(vec![no_event], Duration::from_secs(60)).await.unwrap();
    world.append(events[people..].to_vec()).await;
    let all = events.len() + 1;

    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON employees WHEN NEW.employee_id = 'rm_00400'
        BEGIN SELECT RAISE(ABORT, 'no room'); END";
    world.store.db.exec(refuse, vec![]).await.unwrap();
    let (mut consumer, seen) = consumer(&world);
    for _ in 0..3 {
        assert!(consumer.step(Duration::ZERO).await.is_err());
        assert!(seen.lock().unwrap().committed.is_empty(), "nothing is done that is not written");
        assert_eq!(world.count("c1", RowState::Due).await, 0, "all of a step or nothing");
    }
    world.store.db.exec("DROP TRIGGER refuse", vec![]).await.unwrap();
    while consumer.step(Duration::ZERO).await.unwrap().records > 0 {}

    {
        let seen = seen.lock().unwrap();
        assert!(is_each_once_and_in_order(&seen.read, all), "{:?}", seen.read.len());
        assert!(is_each_once_and_in_order(&seen.committed, all), "{:?}", seen.committed.len());
        assert_eq!(seen.letters.len(), 1, "what was in the dead letter is not put there again");
    }
    assert_eq!(world.count("c1", RowState::Due).await, i64::try_from(people).unwrap());
    let key = |index: usize| EmployeeKey { connection: "c1".to_owned(), employee: format!("rm_{index:05}") };
    let keys: Vec<EmployeeKey> = (1..=people).map(key).collect();
    let tx = world.store.begin().await.unwrap();
    let rows = employees::lock_slim(&tx, &keys).await.unwrap();
    drop(tx);
    assert!(rows.len() == people && rows.values().all(|row| row.event_ids.len() == 3), "each event once");
    // A worker that goes on where this consumer was.
    world.kill(0);
    world.start_worker("w2");
    world.drain("c1", Duration::from_secs(600)).await;
    let sent: Vec<String> =
        world.company("a", |company| company.log().rows().map(|row| row.row.clone()).collect()).await;
    assert_eq!(sent.len(), people, "each person is sent once");
    assert!(sent.iter().all(|row| row.contains("1993-07-07")), "as the last event says");
}
