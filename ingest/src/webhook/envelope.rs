//! The envelope of a delivery, and its records as events.
//!
//! Only the envelope can be refused. A record that breaks the contract becomes an event of its own that says where, so that
//! it is seen by a person and stops no other record of the delivery.

use jiff::Timestamp;
use renkei_events::event::{Change, EmployeeEvent, Fault, Origin};
use renkei_events::ids::{ConnectionId, EmployeeId, EventId, Version};
use renkei_events::json;
use renkei_events::parse::{self, Anchor, FaultCode, Reading};
use renkei_events::signature::VerifiedDelivery;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::refusal::{EnvelopeFault, OwnFault, Refusal};

/// Most records of one delivery.
pub const MOST_RECORDS: usize = 500;

/// `null` and a missing key are the same here, too. Records stay text until each is read by itself.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", borrow, default)]
    kind: Option<&'a RawValue>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    employee: Option<&'a RawValue>,
    #[serde(borrow, default)]
    employees: Option<&'a RawValue>,
}

/// The records of a delivery, each as its own text.
enum Records<'a> {
    One(&'a RawValue),
    Many(Vec<&'a RawValue>),
}

/// Reads a verified delivery into events, in the order of its records.
///
/// # Errors
/// [`Refusal::Envelope`] when nothing of it can be used.
pub fn read(
    delivery: VerifiedDelivery<'_>,
    connection: &ConnectionId,
    received_at: Timestamp,
) -> Result<Vec<EmployeeEvent>, Refusal> {
    let text = std::str::from_utf8(delivery.body()).map_err(|_| EnvelopeFault::NotUtf8)?;
    if json::is_too_deep(delivery.body()) {
        return Err(EnvelopeFault::TooDeep.into());
    }
    let envelope: Envelope<'_> = object(text, EnvelopeFault::NotJson)?;
    let change = envelope.kind.and_then(|kind| change_of(kind.get())).ok_or(EnvelopeFault::Type)?;
    let data = envelope.data.ok_or(EnvelopeFault::Data)?;
    let data = object(data.get(), EnvelopeFault::Data);
    let data: Data<'_> = data.map_err(|fault| Refusal::Envelope { fault, pointer: Some("/data".to_owned()) })?;
    let records = match (data.employee, data.employees) {
        (Some(_), Some(_)) => return Err(EnvelopeFault::BothForms.into()),
        (None, None) => return Err(EnvelopeFault::NoForm.into()),
        (Some(one), None) => Records::One(one),
        (None, Some(_)) if change != Change::Updated => return Err(EnvelopeFault::BatchType.into()),
        (None, Some(many)) => Records::Many(list(many.get())?),
    };
    let context = Context { webhook_id: delivery.webhook_id(), connection, received_at, change };
    match records {
        Records::One(record) => {
            let outcome = context.judge(record.get());
            if outcome.anchor.is_none() {
                let pointer = format!("/data/employee{}", blame(&outcome.faults));
                return Err(Refusal::Envelope { fault: EnvelopeFault::NoUsableRecord, pointer: Some(pointer) });
            }
            Ok(vec![context.event(0, outcome)?])
        }
        Records::Many(records) => {
            let outcomes: Vec<Outcome> = records.iter().map(|record| context.judge(record.get())).collect();
            if outcomes.iter().all(|outcome| outcome.anchor.is_none()) {
                return Err(EnvelopeFault::NoUsableRecord.into());
            }
            outcomes.into_iter().enumerate().map(|(index, outcome)| context.event(index, outcome)).collect()
        }
    }
}

/// Reads an object. The derived reader would take a list in its place, so the first byte is looked at.
fn object<'a, T: Deserialize<'a>>(text: &'a str, otherwise: EnvelopeFault) -> Result<T, EnvelopeFault> {
    let blank = |c: char| matches!(c, ' ' | '\t' | '\r' | '\n');
    if !text.trim_start_matches(blank).starts_with('{') {
        return Err(otherwise);
    }
    serde_json::from_str(text).map_err(|error| {
        // Every value is taken as it is, so a fault that is not of syntax is a key that stands twice.
        if error.is_data() { EnvelopeFault::DuplicateKey } else { EnvelopeFault::NotJson }
    })
}

fn list(text: &str) -> Result<Vec<&RawValue>, EnvelopeFault> {
    let records: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| EnvelopeFault::NotAList)?;
    match records.len() {
        0 => Err(EnvelopeFault::NoRecord),
        1..=MOST_RECORDS => Ok(records),
        _ => Err(EnvelopeFault::TooManyRecords),
    }
}

fn change_of(kind: &str) -> Option<Change> {
    let kind: String = serde_json::from_str(kind).ok()?;
    match kind.as_str() {
        "employee.created" => Some(Change::Created),
        "employee.updated" => Some(Change::Updated),
        "employee.status_changed" => Some(Change::StatusChanged),
        "employee.deleted" => Some(Change::Deleted),
        _ => None,
    }
}

/// The place of the fault that makes a record unusable, if one of its two keys is to blame.
fn blame(faults: &[Fault]) -> &str {
    let keys = ["/employee_id", "/updated_at"];
    faults.iter().map(|fault| fault.pointer.as_str()).find(|pointer| keys.contains(pointer)).unwrap_or("")
}

struct Context<'a> {
    webhook_id: &'a str,
    connection: &'a ConnectionId,
    received_at: Timestamp,
    change: Change,
}

/// What a record turned out to be.
struct Outcome {
    change: Change,
    anchor: Option<Anchor>,
    employee: Option<renkei_events::record::EmployeeRecord>,
    faults: Vec<Fault>,
}

impl Context<'_> {
    fn judge(&self, record: &str) -> Outcome {
        if self.change == Change::Deleted {
            return self.judge_deletion(record);
        }
        match parse::reading(record, self.received_at) {
            Reading::Record(employee) => Outcome {
                change: self.change,
                anchor: Some(Anchor { employee_id: employee.employee_id.clone(), updated_at: employee.updated_at }),
                employee: Some(*employee),
                faults: Vec::new(),
            },
            Reading::Faulty { anchor, faults } => Outcome { change: Change::Invalid, anchor, employee: None, faults },
        }
    }

    /// Of someone who is gone, who and when is all that has to be known.
    fn judge_deletion(&self, record: &str) -> Outcome {
        let unusable = |faults| Outcome { change: Change::Invalid, anchor: None, employee: None, faults };
        let Ok(value) = json::value(record) else { return unusable(Vec::new()) };
        let Some(anchor) = parse::anchor(&value) else {
            return unusable(parse::record(&value, self.received_at).err().unwrap_or_default());
        };
        if parse::is_too_far_ahead(anchor.updated_at, self.received_at) {
            let faults = vec![parse::fault("/updated_at", FaultCode::UpdatedAtInFuture)];
            return Outcome { change: Change::Invalid, anchor: Some(anchor), employee: None, faults };
        }
        Outcome { change: Change::Deleted, anchor: Some(anchor), employee: None, faults: Vec::new() }
    }

    fn event(&self, index: usize, outcome: Outcome) -> Result<EmployeeEvent, Refusal> {
        // Both ids are made of a verified webhook id, which can not break their rules; if it ever does, that is our fault.
        let event_id = EventId::new(format!("{}/{index}", self.webhook_id)).map_err(|_| OwnFault::Internal)?;
        let (employee_id, updated_at) = match outcome.anchor {
            Some(anchor) => (anchor.employee_id, anchor.updated_at),
            None => (stand_in(self.webhook_id, index)?, self.received_at),
        };
        Ok(EmployeeEvent {
            event_id,
            connection_id: self.connection.clone(),
            employee_id,
            origin: Origin::Webhook,
            change: outcome.change,
            received_at: self.received_at,
            version: Version::judge(updated_at, self.received_at),
            employee: outcome.employee,
            faults: outcome.faults,
        })
    }
}

/// Under what a record without a usable id is parked: `{webhook-id}/{index}`. A longer id is cut and ends in a checksum, so
/// that a resend is parked under the same and another delivery is not.
fn stand_in(webhook_id: &str, index: usize) -> Result<EmployeeId, OwnFault> {
    let whole = format!("{webhook_id}/{index}");
    if whole.len() <= EmployeeId::LONGEST {
        return EmployeeId::new(whole).map_err(|_| OwnFault::Internal);
    }
    // FNV-1a: the same in every version of this program, and nobody who could choose ids gains by a collision.
    let checksum = webhook_id
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let start = webhook_id.get(..40).unwrap_or(webhook_id);
    EmployeeId::new(format!("{start}~{checksum:016x}/{index}")).map_err(|_| OwnFault::Internal)
}
