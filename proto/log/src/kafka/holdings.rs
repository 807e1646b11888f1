//! What a reader holds, has handed out, and may commit. No I/O here.

use std::collections::{BTreeMap, VecDeque};

use renkei_events::topic::Topic;

use crate::{Position, Record};

/// A partition of a topic.
pub(super) type Slot = (Topic, i32);

/// Bounds of what is read ahead.
const MOST_RECORDS: usize = 8_192;
const MOST_BYTES: usize = 32 * 1024 * 1024;

/// One partition, from its assignment to its revocation.
#[derive(Debug, Default)]
struct Held {
    /// First and last offset handed out in this assignment.
    handed_out: Option<(i64, i64)>,
    /// The offset after the last one that is done; what is to be committed.
    done: i64,
    /// What was committed in this assignment.
    committed: i64,
}

/// The partitions held now, and the records read ahead from them.
#[derive(Debug, Default)]
pub(super) struct Holdings {
    held: BTreeMap<Slot, Held>,
    ahead: VecDeque<Record>,
    bytes: usize,
}

impl Holdings {
    /// Takes partitions over. Each starts afresh, also when it was held before.
    pub(super) fn assign(&mut self, slots: impl IntoIterator<Item = Slot>) {
        self.held.extend(slots.into_iter().map(|slot| (slot, Held::default())));
    }

    /// Gives partitions up: what was read ahead from them is forgotten, and later commits for them are passed over.
    pub(super) fn revoke(&mut self, slots: impl IntoIterator<Item = Slot>) {
        for slot in slots {
            self.held.remove(&slot);
        }
        let held = &self.held;
        self.ahead.retain(|record| held.contains_key(&slot(record.position)));
        self.bytes = self.ahead.iter().map(size).sum();
    }

    /// The partitions held.
    pub(super) fn slots(&self) -> impl Iterator<Item = Slot> {
        self.held.keys().copied()
    }

    /// Keeps a record for the next read, unless its partition is not held (any more).
    pub(super) fn push(&mut self, record: Record) {
        if self.held.contains_key(&slot(record.position)) {
            self.bytes += size(&record);
            self.ahead.push_back(record);
        }
    }

    /// Whether reading ahead has to wait.
    pub(super) fn is_full(&self) -> bool {
        self.ahead.len() >= MOST_RECORDS || self.bytes >= MOST_BYTES
    }

    /// Hands out records.
    pub(super) fn take(&mut self, most: usize) -> Vec<Record> {
        let count = most.min(self.ahead.len());
        let records: Vec<Record> = self.ahead.drain(..count).collect();
        for record in &records {
            self.bytes = self.bytes.saturating_sub(size(record));
            if let Some(held) = self.held.get_mut(&slot(record.position)) {
                let offset = record.position.offset;
                let first = held.handed_out.map_or(offset, |(first, _)| first);
                held.handed_out = Some((first, offset));
            }
        }
        records
    }

    /// Marks positions as done. Passed over are positions that were not handed out in the present assignment: those of a
    /// partition that is gone, or gone and come back and not read again so far, and those before what is done already.
    pub(super) fn mark(&mut self, done: &[Position]) {
        for position in done {
            let Some(held) = self.held.get_mut(&slot(*position)) else { continue };
            let Some((first, last)) = held.handed_out else { continue };
            if (first..=last).contains(&position.offset) {
                held.done = held.done.max(position.offset + 1);
            }
        }
    }

    /// What is done and not committed: per partition the offset after the last one done.
    pub(super) fn uncommitted(&self) -> Vec<(Slot, i64)> {
        let open = self.held.iter().filter(|(_, held)| held.done > held.committed);
        open.map(|(slot, held)| (*slot, held.done)).collect()
    }

    /// Notes what the brokers took.
    pub(super) fn committed(&mut self, offsets: &[(Slot, i64)]) {
        for (slot, offset) in offsets {
            if let Some(held) = self.held.get_mut(slot) {
                held.committed = held.committed.max(*offset);
            }
        }
    }

    /// What was committed for a partition in this assignment, if anything.
    pub(super) fn last_commit(&self, slot: Slot) -> Option<i64> {
        self.held.get(&slot).map(|held| held.committed).filter(|offset| *offset > 0)
    }
}

fn slot(position: Position) -> Slot {
    (position.topic, position.partition)
}

fn size(record: &Record) -> usize {
    // Headers and bookkeeping are not counted one by one.
    record.value.len() + record.key.as_ref().map_or(0, String::len) + 512
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Slot = (Topic::Employee, 0);
    const B: Slot = (Topic::Employee, 1);

    fn at(slot: Slot, offset: i64) -> Position {
        Position { topic: slot.0, partition: slot.1, offset }
    }

    fn record(slot: Slot, offset: i64) -> Record {
        Record { position: at(slot, offset), key: None, headers: vec![], value: vec![0; 10], appended_at_ms: 0 }
    }

    fn holding(slots: &[Slot], offsets: std::ops::Range<i64>) -> Holdings {
        let mut holdings = Holdings::default();
        holdings.assign(slots.iter().copied());
        for slot in slots {
            offsets.clone().for_each(|offset| holdings.push(record(*slot, offset)));
        }
        holdings
    }

    #[test]
    fn what_was_handed_out_can_be_committed_once() {
        let mut holdings = holding(&[A], 0..10);
        assert_eq!(holdings.take(4).len(), 4);
        holdings.mark(&[at(A, 2)]);
        assert_eq!(holdings.uncommitted(), [(A, 3)]);
        holdings.committed(&[(A, 3)]);
        assert_eq!(holdings.uncommitted(), []);
    }

    #[test]
    fn a_commit_never_goes_back() {
        let mut holdings = holding(&[A], 0..10);
        holdings.take(10);
        holdings.mark(&[at(A, 7), at(A, 3)]);
        assert_eq!(holdings.uncommitted(), [(A, 8)]);
        holdings.committed(&[(A, 8)]);
        holdings.mark(&[at(A, 5)]);
        assert_eq!(holdings.uncommitted(), []);
    }

    #[test]
    fn what_was_not_handed_out_is_passed_over() {
        let mut holdings = holding(&[A], 5..10);
        holdings.mark(&[at(A, 5)]);
        assert_eq!(holdings.uncommitted(), [], "still read ahead");
        holdings.take(2);
        holdings.mark(&[at(A, 7), at(A, 4), at(B, 5)]);
        assert_eq!(holdings.uncommitted(), []);
    }

    #[test]
    fn a_revoked_partition_takes_its_records_and_commits_with_it() {
        let mut holdings = holding(&[A, B], 0..5);
        let handed_out = holdings.take(10);
        assert_eq!(handed_out.len(), 10);
        holdings.push(record(A, 5));
        holdings.push(record(B, 5));
        holdings.revoke([A]);
        holdings.push(record(A, 6));
        holdings.mark(&[at(A, 4), at(B, 4)]);
        assert_eq!(holdings.uncommitted(), [(B, 5)]);
        let rest: Vec<Position> = holdings.take(10).iter().map(|record| record.position).collect();
        assert_eq!(rest, [at(B, 5)]);
    }

    #[test]
    fn a_commit_from_before_a_partition_came_back_is_passed_over() {
        let mut holdings = holding(&[A], 0..10);
        holdings.take(10);
        holdings.revoke([A]);
        holdings.assign([A]);
        holdings.mark(&[at(A, 9)]);
        assert_eq!(holdings.uncommitted(), [], "nothing was read since it came back");
        // Meanwhile another reader has got to offset 20.
        holdings.push(record(A, 20));
        holdings.take(1);
        holdings.mark(&[at(A, 9)]);
        assert_eq!(holdings.uncommitted(), []);
        holdings.mark(&[at(A, 20)]);
        assert_eq!(holdings.uncommitted(), [(A, 21)]);
    }

    #[test]
    fn reading_ahead_is_bounded_in_records_and_bytes() {
        let mut holdings = holding(&[A], 0..8_192);
        assert!(holdings.is_full());
        holdings.take(1);
        assert!(!holdings.is_full());
        let mut holdings = holding(&[A], 0..0);
        for offset in 0..33 {
            holdings.push(Record { value: vec![0; 1024 * 1024], ..record(A, offset) });
        }
        assert!(holdings.is_full());
        holdings.take(33);
        assert!(!holdings.is_full());
        assert_eq!(holdings.bytes, 0);
    }
}
