//! Whether two events say the same about a person, told without keeping what they say.

use renkei_events::event::EmployeeEvent;
use renkei_events::record::EmployeeRecord;

use crate::seal::Keys;

/// Keyed hash of what an event says about a person, whoever brought it and when.
#[must_use]
pub fn of_event(keys: &Keys, event: &EmployeeEvent) -> String {
    match &event.employee {
        Some(record) => of_record(keys, record),
        None => keys.hash("content", &[&serde_json::to_vec(&(event.change, &event.faults)).unwrap_or_default()]),
    }
}

/// The same of a record.
#[must_use]
pub fn of_record(keys: &Keys, record: &EmployeeRecord) -> String {
    keys.hash("content", &[&record.content_bytes()])
}
