//! The log between ingest and workers: one small trait, two engines.
//!
//! `kafka` is Apache Kafka through librdkafka; `embedded` is an append-only, sealed table in the store, for one machine.
//! Both pass the same conformance suite. What is promised: a record whose [`LogWriter::append`] answered `Ok` is not lost;
//! records of one key are read in the order of their appends; a reader that did not commit reads again.

pub mod embedded;
pub mod kafka;
pub mod open;

use std::time::Duration;

use async_trait::async_trait;
use renkei_events::topic::Topic;

/// A record to append.
#[derive(Clone)]
pub struct NewRecord {
    /// Where to.
    pub topic: Topic,
    /// Decides the partition.
    pub key: String,
    /// Names and values; nothing personal.
    pub headers: Vec<(String, String)>,
    /// The value.
    pub value: Vec<u8>,
}

impl std::fmt::Debug for NewRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The value is a person's record.
        let Self { topic, key, headers: _, value } = self;
        let mut shown = f.debug_struct("NewRecord");
        shown.field("topic", topic).field("key", key).field("value.bytes", &value.len()).finish_non_exhaustive()
    }
}

/// Where a record stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position {
    /// The topic.
    pub topic: Topic,
    /// The partition; always 0 in the embedded log.
    pub partition: i32,
    /// The offset inside the partition, rising.
    pub offset: i64,
}

/// A record as it was read.
#[derive(Clone)]
pub struct Record {
    /// Where it stands.
    pub position: Position,
    /// The key, if it is text.
    pub key: Option<String>,
    /// Names and values; a value that is no text is left out.
    pub headers: Vec<(String, String)>,
    /// The value; empty for a tombstone.
    pub value: Vec<u8>,
    /// When the log took it, milliseconds since 1970.
    pub appended_at_ms: i64,
}

impl std::fmt::Debug for Record {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The value is a person's record.
        let Self { position, key, headers: _, value, appended_at_ms } = self;
        let mut shown = f.debug_struct("Record");
        shown.field("position", position).field("key", key).field("value.bytes", &value.len());
        shown.field("appended_at_ms", appended_at_ms).finish_non_exhaustive()
    }
}

/// What can go wrong. All of it is our side's (never the sender's) and worth another try.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log can not be reached or does not answer.
    #[error("log is unavailable: {0}")]
    Unavailable(String),
    /// Not acknowledged before the deadline; the record may or may not be there.
    #[error("log did not acknowledge within the deadline")]
    Deadline,
    /// The queue towards the log is full.
    #[error("queue towards the log is full")]
    Full,
    /// The log refuses this record for ever (too large, say).
    #[error("log refuses the record: {0}")]
    Refused(String),
    /// The log's set-up is not as it must be.
    #[error("log is not set up: {0}")]
    Setup(String),
}

/// Appends.
#[async_trait]
pub trait LogWriter: Send + Sync {
    /// Appends all of `records`, and answers `Ok` only when each is acknowledged (acks=all). On an error some of them may
    /// still be there: whoever tries again repeats them all.
    ///
    /// # Errors
    /// See [`LogError`]; answers at the latest when `deadline` (real time from now) is over.
    async fn append(&self, records: Vec<NewRecord>, deadline: Duration) -> Result<(), LogError>;

    /// Whether the log answers now. Cheap enough for every probe; never waits longer than a second.
    async fn reachable(&self) -> bool;

    /// Waits until everything that was handed over is acknowledged or has failed; answers how many are still under way.
    async fn flush(&self, deadline: Duration) -> usize;
}

/// Reads as one member of a group.
#[async_trait]
pub trait LogReader: Send + Sync {
    /// The next records, at most `most`; empty when none came within `wait` (real time).
    ///
    /// # Errors
    /// See [`LogError`].
    async fn read(&mut self, most: usize, wait: Duration) -> Result<Vec<Record>, LogError>;

    /// Says that everything up to and including these positions is done. Positions of partitions that this reader does not
    /// hold any more are passed over: a late commit never moves the group back.
    ///
    /// # Errors
    /// See [`LogError`].
    async fn commit(&mut self, done: &[Position]) -> Result<(), LogError>;

    /// How many records stand between the group's position and the end, over the partitions held; `None` if not known.
    async fn lag(&mut self) -> Option<u64>;

    /// Leaves the group, so that others take over at once.
    async fn close(self: Box<Self>) -> Result<(), LogError>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn i8_debug_output_of_a_record_shows_where_and_how_long_and_no_value() {
        let (headers, value) = (vec![("traceparent".to_owned(), "髙橋".to_owned())], "髙橋 花子".as_bytes().to_vec());
        let key = "acme/rm_1".to_owned();
        let new =
            NewRecord { topic: Topic::Employee, key: key.clone(), headers: headers.clone(), value: value.clone() };
        let position = Position { topic: Topic::Employee, partition: 0, offset: 7 };
        let read = Record { position, key: Some(key), headers, value, appended_at_ms: 1 };
        for shown in [format!("{new:?}"), format!("{read:#?}")] {
            // A list of bytes would be as readable as the text.
            for needle in ["髙橋", "花子", "233, 171", "233,\n"] {
                assert!(!shown.contains(needle), "{shown}");
            }
            assert!(shown.contains("acme/rm_1") && shown.contains("13"), "{shown}");
        }
    }
}
