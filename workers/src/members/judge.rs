//! What is to be done about one due person, with the record, the settings and the facts of this moment.

use renkei_events::codes::Code as Why;
use renkei_events::event::Change;
use renkei_runtime::clock::Millis;
use renkei_store::codes::{Code, near_key};
use renkei_store::employees::{FullRow, Op, Values};
use renkei_store::settings::Settings;

use crate::members::doc::Layout;
use crate::members::eligible::{NotEligible, eligible};
use crate::members::map::{Mapped, map};

/// How old a read of a member may be when it is written for the first time, in hours.
pub const FIRST_CONTACT_HOURS: u64 = 24;

/// What is known around the person.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What カオナビ holds under this number.
    pub code: Option<&'a Code>,
    /// Present codes that a person could take for this number (may contain the number itself).
    pub near: &'a [String],
    /// Whether another eligible person of the connection has the number too.
    pub shared: bool,
    /// Now, on the store's clock.
    pub now: Millis,
}

/// The judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Register, with these values.
    Create(Values),
    /// Change, these values only.
    Update(Values),
    /// カオナビ holds everything already.
    Unchanged,
    /// Not now; judged again when something changes.
    Skip(&'static str),
    /// A person has to look: code and detail.
    Park(&'static str, String),
    /// A person has to say yes: code and detail.
    Hold(&'static str, String),
    /// What カオナビ holds is not known well enough: read the members first.
    ReadFirst,
}

/// Judges. `hash` gives the keyed hash of a field's value, as the codes have it.
#[must_use]
pub fn judge(
    row: &FullRow,
    facts: Facts<'_>,
    settings: &Settings,
    layout: &Layout,
    hash: &dyn Fn(&str, &str) -> String,
) -> Verdict {
    let Some(record) = &row.record else {
        return match row.change {
            Change::Deleted => Verdict::Skip(Why::DeletedAtSource.as_str()),
            _ => Verdict::Park(Why::SourceRecordInvalid.as_str(), row.detail.clone().unwrap_or_default()),
        };
    };
    let number = match (eligible(record), &record.employee_number) {
        (Ok(()), Some(number)) => number.as_str(),
        (Err(NotEligible::MissingEmployeeNumber) | Ok(()), _) => {
            return Verdict::Park(NotEligible::MissingEmployeeNumber.as_str(), String::new());
        }
        (Err(reason), _) => return Verdict::Skip(reason.as_str()),
    };
    if facts.shared {
        return Verdict::Park(Why::MemberNumberShared.as_str(), String::new());
    }
    if row.written_number.as_deref().is_some_and(|written| written != number) {
        return Verdict::Park(Why::MemberNumberChanged.as_str(), String::new());
    }
    let owner = facts.code.and_then(|code| code.owner.as_ref());
    if owner.is_some_and(|(connection, _)| *connection != row.key.connection) {
        return Verdict::Park(Why::MemberOwnedElsewhere.as_str(), String::new());
    }
    match facts.code.filter(|code| code.present) {
        Some(code) => update(row, code, facts.now, settings, layout, hash),
        None => create(row, number, facts, settings, layout),
    }
}

fn create(row: &FullRow, number: &str, facts: Facts<'_>, settings: &Settings, layout: &Layout) -> Verdict {
    let released = row.released_number.as_deref() == Some(number);
    if !released && row.written_number.as_deref() == Some(number) {
        // We wrote it, and it is gone: somebody deleted it by hand, and we must not undo that.
        return Verdict::Hold(Why::MemberGone.as_str(), String::new());
    }
    let near: Vec<&str> = facts.near.iter().map(String::as_str).filter(|code| *code != number).collect();
    if !released && !near.is_empty() {
        debug_assert!(near.iter().all(|code| near_key(code) == near_key(number)), "near codes share a key");
        return Verdict::Hold(Why::MemberNearMiss.as_str(), near.join(", "));
    }
    let Some(record) = &row.record else { return Verdict::Skip(Why::DeletedAtSource.as_str()) };
    match map(record, settings, layout, Op::Create) {
        Ok(Mapped { values, .. }) => Verdict::Create(values),
        Err(fault) => Verdict::Park(fault.code, fault.detail),
    }
}

fn update(
    row: &FullRow,
    code: &Code,
    now: Millis,
    settings: &Settings,
    layout: &Layout,
    hash: &dyn Fn(&str, &str) -> String,
) -> Verdict {
    let Some(record) = &row.record else { return Verdict::Skip(Why::DeletedAtSource.as_str()) };
    let mapped = match map(record, settings, layout, Op::Update) {
        Ok(mapped) => mapped,
        Err(fault) => return Verdict::Park(fault.code, fault.detail),
    };
    let mut changed = mapped.values;
    match &row.written {
        Some(written) => changed.retain(|field, value| written.get(field) != Some(value)),
        None => {
            let age = now.since(code.read);
            if age > std::time::Duration::from_secs(FIRST_CONTACT_HOURS * 3600) {
                return Verdict::ReadFirst;
            }
            changed.retain(|field, value| code.hashes.get(field) != Some(&hash(field, value)));
        }
    }
    if changed.is_empty() { Verdict::Unchanged } else { Verdict::Update(changed) }
}
