//! What only Kafka has: several readers of one group, and partitions that move between them.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use renkei_events::topic::Topic;
use renkei_log::{LogReader, Position, Record};

use crate::kafka::KafkaLog;
use crate::suite::{self, Log as _, PATIENCE};

const TOPIC: Topic = Topic::Employee;

/// Reads from both until `done` says that it is enough.
async fn read_both(
    one: &mut dyn LogReader,
    two: &mut dyn LogReader,
    mut done: impl FnMut(&[Record], &[Record]) -> bool,
) -> (Vec<Record>, Vec<Record>) {
    let (mut from_one, mut from_two) = (Vec::new(), Vec::new());
    let enough = async {
        while !done(&from_one, &from_two) {
            from_one.extend(one.read(50, Duration::from_millis(50)).await.unwrap());
            from_two.extend(two.read(50, Duration::from_millis(50)).await.unwrap());
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, enough).await;
    assert!(in_time.is_ok(), "{} and {} records came", from_one.len(), from_two.len());
    (from_one, from_two)
}

/// Records that reach every partition.
async fn spread(log: &KafkaLog, numbers: std::ops::Range<usize>) -> usize {
    let records: Vec<_> = numbers.map(|number| suite::record(&format!("c/{number}"), number.to_string())).collect();
    let count = records.len();
    suite::append(log, records).await;
    count
}

fn partitions(records: &[Record]) -> HashSet<i32> {
    records.iter().map(|record| record.position.partition).collect()
}

/// Where the group would go on, per partition, read by a client of another make.
fn committed(log: &KafkaLog, group: &str) -> BTreeMap<i32, i64> {
    use rdkafka::consumer::{BaseConsumer, Consumer as _};
    let prefix = log.settings.topic_prefix.to_string();
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", log.settings.brokers.to_string()).set("group.id", format!("{prefix}{group}"));
    let client: BaseConsumer = config.create().unwrap();
    let mut list = rdkafka::TopicPartitionList::new();
    let count = i32::from(log.settings.partitions.get());
    list.add_partition_range(&format!("{prefix}{}", TOPIC.name()), 0, count - 1);
    let offsets = client.committed_offsets(list, PATIENCE).unwrap();
    let known = offsets.elements().into_iter().filter_map(|one| Some((one.partition(), one.offset().to_raw()?)));
    known.filter(|(_, offset)| *offset >= 0).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_readers_share_the_partitions_and_nothing_is_lost() {
    let log = KafkaLog::new(4).await;
    let mut one = log.reader("g", TOPIC);
    let mut total = spread(&log, 0..200).await;
    let early = suite::read(&mut *one, total).await;
    assert_eq!(partitions(&early).len(), 4);
    one.commit(&suite::positions(&early)).await.unwrap();

    let mut two = log.reader("g", TOPIC);
    let mut seen = early;
    // Both get some: the second reader has taken over a part of the partitions.
    let mut next = 200;
    let (from_one, from_two) = loop {
        total += spread(&log, next..next + 40).await;
        next += 40;
        let wanted = next;
        let mut count = seen.len();
        let (a, b) = read_both(&mut *one, &mut *two, |a, b| count + a.len() + b.len() >= wanted).await;
        count += a.len() + b.len();
        assert!(count >= wanted);
        one.commit(&suite::positions(&a)).await.unwrap();
        two.commit(&suite::positions(&b)).await.unwrap();
        seen.extend(a.iter().chain(&b).cloned());
        if partitions(&a).len() == 2 && partitions(&b).len() == 2 {
            break (a, b);
        }
        assert!(next < 40_000, "the partitions are never shared");
    };
    assert!(partitions(&from_one).is_disjoint(&partitions(&from_two)));

    // The first leaves, the second gets everything, and each record was seen.
    one.close().await.unwrap();
    total += spread(&log, next..next + 200).await;
    let distinct = |records: &[Record]| records.iter().map(|record| record.position).collect::<HashSet<_>>().len();
    let all = async {
        while distinct(&seen) < total {
            let records = two.read(50, Duration::from_millis(100)).await.unwrap();
            two.commit(&suite::positions(&records)).await.unwrap();
            seen.extend(records);
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    assert!(in_time.is_ok(), "{} of {total} records came", distinct(&seen));
    assert_eq!(committed(&log, "g").values().sum::<i64>(), i64::try_from(total).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_for_a_partition_that_moved_is_passed_over() {
    let log = KafkaLog::new(2).await;
    let total = spread(&log, 0..100).await;
    let mut one = log.reader("g", TOPIC);
    let held = suite::read(&mut *one, total).await;
    let ends: HashMap<i32, i64> =
        held.iter().map(|record| (record.position.partition, record.position.offset)).collect();
    assert_eq!(ends.len(), 2);

    // The second reader takes one partition and reads its uncommitted records again.
    let mut two = log.reader("g", TOPIC);
    let (_, again) = read_both(&mut *one, &mut *two, |_, two| !two.is_empty()).await;
    let moved = again[0].position.partition;
    let rest = usize::try_from(ends[&moved] + 1).unwrap() - again.len();
    let mut again = again;
    again.extend(suite::read(&mut *two, rest).await);
    assert_eq!(partitions(&again), HashSet::from([moved]));

    // The late commit of the first reader: what it still holds counts, what it lost does not.
    one.commit(&suite::positions(&held)).await.unwrap();
    let kept = 1 - moved;
    assert_eq!(committed(&log, "g"), BTreeMap::from([(kept, ends[&kept] + 1)]));

    // The new owner goes on; a late commit can not take that back.
    two.commit(&suite::positions(&again)).await.unwrap();
    one.commit(&suite::positions(&held[..1])).await.unwrap();
    one.commit(&suite::positions(&held)).await.unwrap();
    assert_eq!(committed(&log, "g"), BTreeMap::from([(kept, ends[&kept] + 1), (moved, ends[&moved] + 1)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_of_what_was_not_read_is_passed_over() {
    let log = KafkaLog::new(1).await;
    suite::append(&log, suite::numbered("c/1", 0..3)).await;
    let mut first = log.reader("g", TOPIC);
    let records = suite::read(&mut *first, 1).await;
    let ahead = Position { offset: records[0].position.offset + 2, ..records[0].position };
    first.commit(&[ahead]).await.unwrap();
    first.close().await.unwrap();
    assert_eq!(suite::values(&suite::read(&mut *log.reader("g", TOPIC), 3).await), ["0", "1", "2"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn positions_never_go_back_while_readers_come_and_go() {
    let log = KafkaLog::new(4).await;
    let total = 4_000;
    let writer = log.writer();
    let feed = tokio::spawn(async move {
        for chunk in 0..total / 50 {
            let numbers = chunk * 50..(chunk + 1) * 50;
            let records = numbers.map(|number| suite::record(&format!("c/{}", number % 97), number.to_string()));
            writer.append(records.collect(), PATIENCE).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mut readers = vec![log.reader("g", TOPIC)];
    let mut done: HashSet<Position> = HashSet::new();
    let mut before: BTreeMap<i32, i64> = BTreeMap::new();
    let mut turn = 0;
    let all = async {
        while done.len() < total {
            turn += 1;
            match turn % 40 {
                10 | 20 => readers.push(log.reader("g", TOPIC)),
                30 | 39 => readers.remove(0).close().await.unwrap(),
                _ => {}
            }
            for reader in &mut readers {
                let records = reader.read(40, Duration::from_millis(20)).await.unwrap();
                let positions = suite::positions(&records);
                // Done as soon as it was read; what is committed must be a part of that.
                done.extend(&positions);
                reader.commit(&positions).await.unwrap();
            }
            if turn % 5 == 0 {
                let now = tokio::task::block_in_place(|| committed(&log, "g"));
                for (partition, offset) in &before {
                    assert!(now[partition] >= *offset, "partition {partition}: {} after {offset}", now[partition]);
                }
                for (partition, end) in &now {
                    for offset in 0..*end {
                        let position = Position { topic: TOPIC, partition: *partition, offset };
                        assert!(done.contains(&position), "{position:?} is committed and was not read");
                    }
                }
                before = now;
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE * 2, all).await;
    assert!(in_time.is_ok(), "{} of {total} records came", done.len());
    feed.await.unwrap();
}
