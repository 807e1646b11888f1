//! Records on their way into the store: as they were read, and what they say.

use renkei_events::event::EmployeeEvent;
use renkei_log::{Position, Record};
use renkei_store::content;
use renkei_store::seal::Keys;

/// After how many records the preparing lets others go on: the write of the batch before runs beside it.
const AT_A_TIME: usize = 32;

/// An event with its place on the log.
pub(super) struct Placed {
    pub(super) position: Position,
    pub(super) event: EmployeeEvent,
    /// Keyed hash, equal for two events that say the same about a person.
    pub(super) content: String,
}

/// The records of one step. They stay until they are written and committed, so that nothing is skipped when the store or
/// the log fails.
#[derive(Default)]
pub(super) struct Batch {
    records: Vec<Record>,
    /// How many records were prepared so far.
    prepared: usize,
    events: Vec<Placed>,
    /// Records that are no events, with what is wrong.
    broken: Vec<(usize, String)>,
    /// How many of them are in the dead letter already, also when the rest has to be prepared again.
    buried: usize,
}

impl Batch {
    pub(super) fn of(records: Vec<Record>) -> Self {
        Self { records, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    pub(super) fn records(&self) -> &[Record] {
        &self.records
    }

    pub(super) fn positions(&self) -> Vec<Position> {
        self.records.iter().map(|record| record.position).collect()
    }

    /// Decodes the records and hashes what they say. Goes on where it was when it was dropped before its end.
    pub(super) async fn prepare(&mut self, keys: &Keys) {
        while let Some(record) = self.records.get(self.prepared) {
            match event_of(record) {
                Ok(event) => {
                    let content = content::of_event(keys, &event);
                    self.events.push(Placed { position: record.position, event, content });
                }
                Err(fault) => self.broken.push((self.prepared, fault)),
            }
            self.prepared += 1;
            if self.prepared.is_multiple_of(AT_A_TIME) {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The first record, as far as prepared, that is no event and that is not buried yet.
    pub(super) fn unburied(&self) -> Option<(&Record, &str)> {
        let (at, fault) = self.broken.get(self.buried)?;
        Some((self.records.get(*at)?, fault.as_str()))
    }

    /// The first one of [`Batch::unburied`] is in the dead letter.
    pub(super) fn bury_one(&mut self) {
        self.buried += 1;
    }

    /// Hands the events out. Whoever fails with them prepares the batch again.
    pub(super) fn take_events(&mut self) -> Vec<Placed> {
        self.prepared = 0;
        self.broken.clear();
        std::mem::take(&mut self.events)
    }
}

/// What the record says, or why it is no event.
fn event_of(record: &Record) -> Result<EmployeeEvent, String> {
    let event = EmployeeEvent::decode(&record.headers, &record.value).map_err(|fault| fault.to_string())?;
    // The key decides the partition: under another one the person's events would stand in two places, in no order.
    match &record.key {
        Some(key) if *key != event.key() => Err("the record's key is not its event's key".to_owned()),
        _ => Ok(event),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use renkei_events::topic::Topic;
    use zeroize::Zeroizing;

    use super::*;

    fn keys() -> Keys {
        Keys::new(BTreeMap::new(), Zeroizing::new([7; 32]))
    }

    fn record(offset: i64, value: &str) -> Record {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let headers = vec![
            header("ce_specversion", "1.0"),
            header("ce_id", "x"),
            header("ce_source", "x"),
            header("ce_type", "x"),
        ];
        let position = Position { topic: Topic::Employee, partition: 0, offset };
        Record { position, key: None, headers, value: value.as_bytes().to_vec(), appended_at_ms: 0 }
    }

    const DELETED: &str = r#"{"event_id":"m/0","connection_id":"c","employee_id":"e","origin":"webhook",
        "change":"deleted","received_at":"2026-04-01T00:00:00Z","version":1}"#;

    #[tokio::test]
    async fn a_batch_that_was_handed_out_is_prepared_again_from_its_records() {
        let mut batch = Batch::of(vec![record(0, DELETED), record(1, "no event"), record(2, DELETED)]);
        for _ in 0..2 {
            batch.prepare(&keys()).await;
            assert_eq!(batch.unburied().map(|(record, _)| record.position.offset), Some(1));
            let events = batch.take_events();
            assert_eq!(events.iter().map(|placed| placed.position.offset).collect::<Vec<_>>(), [0, 2]);
            assert_eq!(events[0].content, events[1].content);
        }
        assert_eq!(batch.positions().len(), 3);
    }

    #[tokio::test]
    async fn what_is_in_the_dead_letter_is_not_buried_again_when_the_batch_is_prepared_again() {
        let mut batch = Batch::of(vec![record(0, "no event"), record(1, DELETED), record(2, "no event")]);
        for left in [Some(0), Some(2), None] {
            batch.prepare(&keys()).await;
            assert_eq!(batch.unburied().map(|(record, _)| record.position.offset), left);
            batch.bury_one();
            assert_eq!(batch.take_events().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_record_under_another_key_than_its_events_is_no_event() {
        let keys_and_events =
            [(None, true), (Some("c/e"), true), (Some("c/f"), false), (Some("c"), false), (Some(""), false)];
        for (key, is_event) in keys_and_events {
            let record = Record { key: key.map(str::to_owned), ..record(0, DELETED) };
            let mut batch = Batch::of(vec![record]);
            batch.prepare(&keys()).await;
            let fault = batch.unburied().map(|(_, fault)| fault.to_owned());
            assert_eq!(fault.as_deref(), (!is_event).then_some("the record's key is not its event's key"), "{key:?}");
            assert_eq!(batch.take_events().len(), usize::from(is_event), "{key:?}");
        }
    }

    #[test]
    fn preparing_that_is_dropped_half_way_goes_on_where_it_was() {
        let mut batch = Batch::of((0..100).map(|offset| record(offset, DELETED)).collect());
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        for rest in [true, true, true, false] {
            let pending = std::pin::pin!(batch.prepare(&keys())).poll(&mut context).is_pending();
            assert_eq!(pending, rest);
        }
        let offsets: Vec<i64> = batch.take_events().iter().map(|placed| placed.position.offset).collect();
        assert_eq!(offsets, (0..100).collect::<Vec<_>>());
    }
}
