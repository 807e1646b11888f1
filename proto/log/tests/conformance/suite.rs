//! The promises, one function each. [`conformance`] makes them tests of an engine.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use renkei_events::topic::Topic;
use renkei_log::{LogError, LogReader, LogWriter, NewRecord, Position, Record};

/// Long enough for a busy machine; never waited out when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long "nothing comes" is watched.
const SILENCE: Duration = Duration::from_millis(400);

/// A fresh, empty log.
pub(crate) trait Log: Send + Sync {
    /// Appends to it.
    fn writer(&self) -> Arc<dyn LogWriter>;
    /// A new member of `group`.
    fn reader(&self, group: &str, topic: Topic) -> Box<dyn LogReader>;
    /// A writer whose engine does not answer.
    fn deaf_writer(&self) -> Option<Arc<dyn LogWriter>>;
}

/// Makes a test of each promise. `$open` is an async expression that gives a boxed [`Log`].
macro_rules! conformance {
    ($open:expr) => {
        $crate::suite::conformance!($open;
            appended_is_read_once_and_in_order_of_each_key,
            one_append_of_500_keeps_its_order,
            groups_read_independently,
            topics_are_apart,
            uncommitted_is_read_again,
            committed_is_not_read_again,
            a_commit_never_goes_back,
            every_byte_survives,
            a_record_of_one_mib_survives,
            an_empty_append_is_fine,
            reading_waits_for_the_first_record_only,
            a_read_that_is_dropped_loses_nothing,
            lag_falls_to_zero,
            flush_waits_for_what_is_under_way,
            a_deaf_engine_is_noticed_in_time
        );
    };
    ($open:expr; $($promise:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $promise() {
                let log: Box<dyn $crate::suite::Log> = $open.await;
                $crate::suite::$promise(&*log).await;
            }
        )*
    };
}
pub(crate) use conformance;

pub(crate) fn record(key: &str, value: impl Into<Vec<u8>>) -> NewRecord {
    NewRecord { topic: Topic::Employee, key: key.to_owned(), headers: vec![], value: value.into() }
}

/// `count` records of one key, with the numbers from `first` as values.
pub(crate) fn numbered(key: &str, numbers: std::ops::Range<usize>) -> Vec<NewRecord> {
    numbers.map(|number| record(key, number.to_string())).collect()
}

pub(crate) fn values(records: &[Record]) -> Vec<String> {
    records.iter().map(|record| String::from_utf8(record.value.clone()).unwrap()).collect()
}

pub(crate) fn positions(records: &[Record]) -> Vec<Position> {
    records.iter().map(|record| record.position).collect()
}

pub(crate) async fn append(log: &dyn Log, records: Vec<NewRecord>) {
    log.writer().append(records, PATIENCE).await.unwrap();
}

/// Reads exactly `count` records, or fails after [`PATIENCE`].
pub(crate) async fn read(reader: &mut dyn LogReader, count: usize) -> Vec<Record> {
    let mut records = Vec::new();
    let all = async {
        while records.len() < count {
            let left = count - records.len();
            records.extend(reader.read(left, Duration::from_secs(1)).await.unwrap());
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    assert!(in_time.is_ok(), "{} of {count} records came", records.len());
    assert_eq!(records.len(), count);
    records
}

pub(crate) async fn nothing_comes(reader: &mut dyn LogReader) {
    assert_eq!(values(&reader.read(10, SILENCE).await.unwrap()), [] as [&str; 0]);
}

pub(crate) async fn appended_is_read_once_and_in_order_of_each_key(log: &dyn Log) {
    let (keys, each) = (12, 15);
    let appends = (0..keys).map(|key| {
        let writer = log.writer();
        tokio::spawn(async move {
            for one in numbered(&format!("c/{key}"), 0..each) {
                writer.append(vec![one], PATIENCE).await.unwrap();
            }
        })
    });
    let appends: Vec<_> = appends.collect();
    for append in appends {
        append.await.unwrap();
    }
    let mut reader = log.reader("g", Topic::Employee);
    let records = read(&mut *reader, keys * each).await;
    nothing_comes(&mut *reader).await;
    let distinct: HashSet<Position> = positions(&records).into_iter().collect();
    assert_eq!(distinct.len(), keys * each);
    let mut by_key: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for record in &records {
        by_key.entry(record.key.clone().unwrap()).or_default().extend(values(std::slice::from_ref(record)));
    }
    assert_eq!(by_key.len(), keys);
    let wanted: Vec<String> = (0..each).map(|number| number.to_string()).collect();
    assert!(by_key.values().all(|numbers| *numbers == wanted), "{by_key:?}");
}

pub(crate) async fn one_append_of_500_keeps_its_order(log: &dyn Log) {
    append(log, numbered("c/one", 0..500)).await;
    let records = read(&mut *log.reader("g", Topic::Employee), 500).await;
    let wanted: Vec<String> = (0..500).map(|number| number.to_string()).collect();
    assert_eq!(values(&records), wanted);
}

pub(crate) async fn groups_read_independently(log: &dyn Log) {
    append(log, numbered("c/1", 0..5)).await;
    let (mut one, mut two) = (log.reader("one", Topic::Employee), log.reader("two", Topic::Employee));
    let records = read(&mut *one, 5).await;
    one.commit(&positions(&records)).await.unwrap();
    assert_eq!(values(&read(&mut *two, 5).await), ["0", "1", "2", "3", "4"]);
}

pub(crate) async fn topics_are_apart(log: &dyn Log) {
    let mut other = record("c/1", "attendance");
    other.topic = Topic::Attendance;
    append(log, vec![record("c/1", "employee"), other]).await;
    for (topic, wanted) in [(Topic::Employee, "employee"), (Topic::Attendance, "attendance")] {
        let mut reader = log.reader("g", topic);
        let records = read(&mut *reader, 1).await;
        assert_eq!(values(&records), [wanted]);
        assert_eq!(records[0].position.topic, topic);
        nothing_comes(&mut *reader).await;
        reader.commit(&positions(&records)).await.unwrap();
    }
}

pub(crate) async fn uncommitted_is_read_again(log: &dyn Log) {
    append(log, numbered("c/1", 0..10)).await;
    let mut first = log.reader("g", Topic::Employee);
    let records = read(&mut *first, 10).await;
    first.commit(&positions(&records[..4])).await.unwrap();
    first.close().await.unwrap();
    let again = read(&mut *log.reader("g", Topic::Employee), 6).await;
    assert_eq!(values(&again), ["4", "5", "6", "7", "8", "9"]);
    assert_eq!(positions(&again), positions(&records[4..]));
}

pub(crate) async fn committed_is_not_read_again(log: &dyn Log) {
    append(log, numbered("c/1", 0..3)).await;
    let mut first = log.reader("g", Topic::Employee);
    let records = read(&mut *first, 3).await;
    first.commit(&positions(&records)).await.unwrap();
    // As a crash would: nobody says goodbye after the commit.
    drop(first);
    append(log, numbered("c/1", 3..4)).await;
    let mut second = log.reader("g", Topic::Employee);
    assert_eq!(values(&read(&mut *second, 1).await), ["3"]);
    nothing_comes(&mut *second).await;
}

pub(crate) async fn a_commit_never_goes_back(log: &dyn Log) {
    append(log, numbered("c/1", 0..10)).await;
    let mut first = log.reader("g", Topic::Employee);
    let records = read(&mut *first, 10).await;
    first.commit(&positions(&records[..9])).await.unwrap();
    first.commit(&positions(&records[..2])).await.unwrap();
    first.commit(&[]).await.unwrap();
    first.close().await.unwrap();
    let mut second = log.reader("g", Topic::Employee);
    assert_eq!(values(&read(&mut *second, 1).await), ["9"]);
    nothing_comes(&mut *second).await;
}

pub(crate) async fn every_byte_survives(log: &dyn Log) {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let headers = vec![
        header("ce_id", "0190/0"),
        header("empty", ""),
        header("twice", "a"),
        header("twice", "b"),
        header("text", "𠮷野家 髙橋\u{3000}\"\\\n\u{7f}é"),
    ];
    let all_bytes: Vec<u8> = (0..=255).collect();
    let cases = [
        NewRecord { headers, ..record("c/𠮷", "𠮷野 髙".as_bytes()) },
        record("c/2", ""),
        record("c/3", all_bytes),
        record("", "no key"),
    ];
    for case in cases {
        append(log, vec![case.clone()]).await;
        let mut reader = log.reader("g", Topic::Employee);
        let read = read(&mut *reader, 1).await;
        reader.commit(&positions(&read)).await.unwrap();
        reader.close().await.unwrap();
        assert_eq!(read[0].key.as_ref(), Some(&case.key));
        assert_eq!(read[0].headers, case.headers);
        assert_eq!(read[0].value, case.value);
        assert!(read[0].appended_at_ms > 1_700_000_000_000, "{}", read[0].appended_at_ms);
    }
}

pub(crate) async fn a_record_of_one_mib_survives(log: &dyn Log) {
    // Does not shrink when it is compressed, and comes with headers on top.
    let mut state = 1_u64;
    let mut byte = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    let value: Vec<u8> = (0..1024 * 1024).map(|_| byte()).collect();
    let mut large = record("c/1", value.clone());
    large.headers = vec![("h".to_owned(), "x".repeat(4096))];
    append(log, vec![record("c/1", "before"), large, record("c/1", "after")]).await;
    let records = read(&mut *log.reader("g", Topic::Employee), 3).await;
    assert!(records[1].value == value);
    assert_eq!(records[2].value, b"after");
}

pub(crate) async fn an_empty_append_is_fine(log: &dyn Log) {
    append(log, vec![]).await;
    nothing_comes(&mut *log.reader("g", Topic::Employee)).await;
}

pub(crate) async fn reading_waits_for_the_first_record_only(log: &dyn Log) {
    append(log, numbered("c/1", 0..1)).await;
    let mut reader = log.reader("g", Topic::Employee);
    read(&mut *reader, 1).await;
    let writer = log.writer();
    let append = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(200)).await;
        writer.append(numbered("c/1", 1..2), PATIENCE).await.unwrap();
    });
    let wait = reader.read(100, PATIENCE);
    let records = tokio::time::timeout(Duration::from_secs(10), wait).await.expect("does not wait for 100").unwrap();
    assert_eq!(values(&records), ["1"]);
    append.await.unwrap();
}

pub(crate) async fn a_read_that_is_dropped_loses_nothing(log: &dyn Log) {
    append(log, numbered("c/1", 0..200)).await;
    let mut reader = log.reader("g", Topic::Employee);
    let mut records = Vec::new();
    let mut dropped = 0;
    let all = async {
        while records.len() < 200 {
            let patience = Duration::from_micros(dropped % 7 * 300);
            match tokio::time::timeout(patience, reader.read(3, PATIENCE)).await {
                Ok(read) => records.extend(read.unwrap()),
                Err(_) => dropped += 1,
            }
            if dropped % 50 == 49 {
                // Else a group is never joined on a machine that is busy with dropped reads.
                dropped += 1;
                records.extend(reader.read(1, Duration::from_millis(100)).await.unwrap());
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, all).await;
    assert!(in_time.is_ok(), "{} of 200 records came", records.len());
    let wanted: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(values(&records), wanted);
}

pub(crate) async fn lag_falls_to_zero(log: &dyn Log) {
    append(log, numbered("c/1", 0..7)).await;
    let mut reader = log.reader("g", Topic::Employee);
    let records = read(&mut *reader, 7).await;
    for (done, wanted) in [(0, 7), (3, 4), (7, 0)] {
        reader.commit(&positions(&records[..done])).await.unwrap();
        let falls = async {
            while reader.lag().await != Some(wanted) {
                reader.read(1, Duration::from_millis(50)).await.unwrap();
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, falls).await;
        assert!(in_time.is_ok(), "{done} done: lag is {:?}", reader.lag().await);
    }
}

pub(crate) async fn flush_waits_for_what_is_under_way(log: &dyn Log) {
    let writer = log.writer();
    assert!(writer.reachable().await);
    // Appends whose callers have gone away still have to arrive.
    for number in 0..20 {
        let append = writer.append(numbered("c/1", number..number + 1), PATIENCE);
        let _ = tokio::time::timeout(Duration::from_micros(1), append).await;
    }
    assert_eq!(writer.flush(PATIENCE).await, 0);
    let mut arrived = values(&read(&mut *log.reader("g", Topic::Employee), 20).await);
    arrived.sort_by_key(|number| number.parse::<usize>().unwrap());
    let wanted: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(arrived, wanted);
}

pub(crate) async fn a_deaf_engine_is_noticed_in_time(log: &dyn Log) {
    let Some(writer) = log.deaf_writer() else { return };
    let deadline = Duration::from_millis(700);
    let append = writer.append(numbered("c/1", 0..3), deadline);
    let answer = tokio::time::timeout(deadline * 2, append).await.expect("answers within the deadline");
    assert!(matches!(answer, Err(LogError::Deadline | LogError::Unavailable(_))), "{answer:?}");
    let reachable = tokio::time::timeout(Duration::from_millis(1_500), writer.reachable()).await;
    assert!(!reachable.expect("answers within a second"));
    let flush = tokio::time::timeout(Duration::from_secs(2), writer.flush(Duration::from_millis(300))).await;
    flush.expect("answers within the deadline");
}
