//! From the records of a page to the events that nobody has brought yet.

use std::collections::HashMap;

use jiff::Timestamp;
use renkei_events::event::{Change, EmployeeEvent, Origin};
use renkei_events::ids::{ConnectionId, EmployeeId, EventId, Version};
use renkei_events::parse::{self, Reading};
use renkei_store::known::Known;
use renkei_store::seal::Keys;
use serde_json::value::RawValue;

use crate::members::consume::content_hash;

/// A record of a page.
pub(super) struct Found {
    /// What it says, as an event.
    pub(super) event: EmployeeEvent,
    /// What the source says when it was changed; `None` when it says nothing usable.
    pub(super) updated_at: Option<Timestamp>,
    /// Keyed hash of what it says.
    content: String,
}

/// Reads a record. `None` only if an id that we make ourselves breaks a rule, which it can not.
pub(super) fn read(keys: &Keys, connection: &ConnectionId, record: &RawValue, received_at: Timestamp) -> Option<Found> {
    let text = record.get();
    let (change, anchor, employee, faults) = match parse::reading(text, received_at) {
        Reading::Record(record) => {
            let anchor = (record.employee_id.clone(), record.updated_at);
            (Change::Updated, Some(anchor), Some(*record), Vec::new())
        }
        Reading::Faulty { anchor, faults } => {
            (Change::Invalid, anchor.map(|anchor| (anchor.employee_id, anchor.updated_at)), None, faults)
        }
    };
    let updated_at = anchor.as_ref().map(|(_, updated_at)| *updated_at);
    let (employee_id, version) = match anchor {
        Some((id, updated_at)) => (id, Version::judge(updated_at, received_at)),
        // Under the same name every time, so that it is parked once however often the source lists it.
        None => {
            let mark = keys.hash("feed_record", &[connection.as_str().as_bytes(), text.as_bytes()]);
            (EmployeeId::new(format!("feed/{mark}")).ok()?, Version::judge(received_at, received_at))
        }
    };
    // Stands in a header, so it names nobody.
    let person = keys.hash("sweep_event", &[connection.as_str().as_bytes(), employee_id.as_str().as_bytes()]);
    let event = EmployeeEvent {
        event_id: EventId::new(format!("sweep/{person}/{}", version.0)).ok()?,
        connection_id: connection.clone(),
        employee_id,
        origin: Origin::Sweep,
        change,
        received_at,
        version,
        employee,
        faults,
    };
    Some(Found { content: content_hash(keys, &event), event, updated_at })
}

/// Whether the store has not seen it: no state of that person says the same, and none is newer.
pub(super) fn is_new(found: &Found, known: &HashMap<String, Known>) -> bool {
    known
        .get(found.event.employee_id.as_str())
        .is_none_or(|known| known.content != found.content && known.version <= found.event.version.0)
}
