//! What is to be done about one due person, with the record, the settings and the facts of this moment.

use renkei_events::codes::Code as Why;
use renkei_events::event::Change;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::codes::{Code, near_key};
use renkei_store::employees::{FullRow, Mass, Op, Values};
use renkei_store::settings::Settings;

use crate::members::eligible::{NotEligible, Sent, sent_as};
use crate::members::filter;
use crate::members::map::{Known, Mapped, Unmappable, map, map_leaver};

/// How old a read of a member may be when it is written for the first time, in hours.
pub const FIRST_CONTACT_HOURS: u64 = 24;

/// A pseudo field of the known hashes: 氏名 without its white space, to tell whether a number is somebody else's now.
pub const NAME_WITHOUT_BLANKS: &str = "name_without_blanks";

/// What [`NAME_WITHOUT_BLANKS`] holds for a name.
#[must_use]
pub fn without_blanks(name: &str) -> String {
    name.chars().filter(|c| !c.is_whitespace()).collect()
}

/// What is known around the person.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// What カオナビ holds under this number.
    pub code: Option<&'a Code>,
    /// Present codes that a person could take for this number (may contain the number itself).
    pub near: &'a [String],
    /// Whether another eligible person of the connection has the number too.
    pub shared: bool,
    /// Whether changes of members are held now, because too many came at once.
    pub braked: bool,
    /// Whether hires are held now, because too many came at once.
    pub over_ceiling: bool,
    /// When the last whole read of the members began.
    pub codes_read: Option<Millis>,
    /// Now, on the store's clock.
    pub now: Millis,
}

/// The judgement.
#[derive(Clone, PartialEq, Eq)]
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
    /// A person has to say yes to a change of many: code and keyed hash of what would be sent.
    HoldMass(&'static str, String),
    /// What カオナビ holds is not known well enough: read the members first.
    ReadFirst,
}

impl std::fmt::Debug for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values and details are personal.
        match self {
            Verdict::Create(values) => write!(f, "Create({} fields)", values.len()),
            Verdict::Update(values) => write!(f, "Update({:?})", values.keys().collect::<Vec<_>>()),
            Verdict::Unchanged => f.write_str("Unchanged"),
            Verdict::Skip(code) => write!(f, "Skip({code})"),
            Verdict::Park(code, _) => write!(f, "Park({code})"),
            Verdict::Hold(code, _) => write!(f, "Hold({code})"),
            Verdict::HoldMass(code, _) => write!(f, "HoldMass({code})"),
            Verdict::ReadFirst => f.write_str("ReadFirst"),
        }
    }
}

/// One person under judgement.
struct Case<'a> {
    row: &'a FullRow,
    record: &'a EmployeeRecord,
    number: &'a str,
    sent: Sent,
    facts: Facts<'a>,
    settings: &'a Settings,
    known: Known<'a>,
    hash: &'a dyn Fn(&str, &str) -> String,
}

/// Judges. `hash` gives the keyed hash of a field's value, as the codes have it.
#[must_use]
pub fn judge<'a>(
    row: &'a FullRow,
    facts: Facts<'a>,
    settings: &'a Settings,
    known: impl Into<Known<'a>>,
    hash: &'a dyn Fn(&str, &str) -> String,
) -> Verdict {
    let Some(record) = &row.record else {
        return match row.change {
            Change::Deleted => Verdict::Skip(Why::DeletedAtSource.as_str()),
            _ => Verdict::Park(Why::SourceRecordInvalid.as_str(), row.detail.clone().unwrap_or_default()),
        };
    };
    let (sent, number) = match (sent_as(record, settings.retired_date), &record.employee_number) {
        (Ok(sent), Some(number)) => (sent, number.as_str()),
        (Err(NotEligible::MissingEmployeeNumber) | Ok(_), _) => {
            return Verdict::Park(NotEligible::MissingEmployeeNumber.as_str(), String::new());
        }
        (Err(reason), _) => return Verdict::Skip(reason.as_str()),
    };
    // 退職日 goes over when somebody becomes 退職, not of somebody who was it before anything was sent.
    if sent == Sent::Leaver && row.left_before {
        return Verdict::Skip(Why::StatusExcluded.as_str());
    }
    let today = filter::today(facts.now);
    let wanted = match sent {
        Sent::Whole => filter::passes(record, &settings.filter, today),
        Sent::Leaver => filter::passes_but_status(record, &settings.filter, today),
    };
    if !wanted && !broken::is(Broken::FilterIgnored) {
        return Verdict::Skip(Why::Filtered.as_str());
    }
    Case { row, record, number, sent, facts, settings, known: known.into(), hash }.judge()
}

impl Case<'_> {
    fn judge(&self) -> Verdict {
        let Case { row, facts, number, .. } = self;
        if facts.shared {
            return Verdict::Park(Why::MemberNumberShared.as_str(), String::new());
        }
        if let Some(written) = row.written_number.as_deref().filter(|written| written != number) {
            return Verdict::Hold(Why::MemberNumberChanged.as_str(), written.to_owned());
        }
        let owner = facts.code.and_then(|code| code.owner.as_ref());
        if owner.is_some_and(|(connection, _)| *connection != row.key.connection) {
            return Verdict::Park(Why::MemberOwnedElsewhere.as_str(), String::new());
        }
        match (facts.code.filter(|code| code.present), self.sent) {
            (Some(code), _) if self.is_reused(code) => Verdict::Hold(Why::MemberNumberReused.as_str(), String::new()),
            (Some(code), _) => self.update(code),
            (None, Sent::Whole) => self.create(),
            // Somebody who left and never was a member does not become one.
            (None, Sent::Leaver) => Verdict::Skip(Why::StatusExcluded.as_str()),
        }
    }

    fn released(&self) -> bool {
        self.row.released_number.as_deref() == Some(self.number)
    }

    /// Whether the number seems to be another person's: last written for somebody else or by nobody known, and both 氏名 and
    /// 入社日 differ from what カオナビ holds. An empty side never counts as different.
    fn is_reused(&self, code: &Code) -> bool {
        // Who wrote it last counts: whoever wrote it before that may have given the number up.
        let ours = match &code.owner {
            Some((_, employee)) => *employee == self.row.key.employee,
            None => self.row.written_number.as_deref() == Some(self.number),
        };
        if ours || self.released() {
            return false;
        }
        let Ok(mapped) = map(self.record, self.settings, self.known, Op::Create) else {
            // Nobody can compare. A whole record is set aside for its mapping; a leaver's 退職日 must not go to somebody else.
            return self.sent == Sent::Leaver && code.owner.is_some();
        };
        let differs = |field: &str, value: Option<String>| {
            let value = value.filter(|value| !value.is_empty());
            let held = code.hashes.get(field).filter(|held| **held != (self.hash)(field, ""));
            value.zip(held).is_some_and(|(value, held)| (self.hash)(field, &value) != *held)
        };
        let name = mapped.values.get("name").map(|name| without_blanks(name));
        differs(NAME_WITHOUT_BLANKS, name) && differs("entered_date", mapped.values.get("entered_date").cloned())
    }

    fn create(&self) -> Verdict {
        let Case { row, facts, number, .. } = self;
        let ours = facts.code.and_then(|code| code.owner.as_ref()).is_some();
        if !self.released() && (ours || row.written_number.as_deref() == Some(number)) {
            // Somebody may just have given the member its number in カオナビ, or deleted it: a fresh look tells.
            if facts.codes_read.is_none_or(|read| read < row.changed) {
                return Verdict::ReadFirst;
            }
            // We wrote it, for this person or for another one, and it is gone: somebody deleted it by hand, and we must not
            // undo that.
            return Verdict::Hold(Why::MemberGone.as_str(), String::new());
        }
        let near: Vec<&str> = facts.near.iter().map(String::as_str).filter(|code| code != number).collect();
        if !self.released() && !near.is_empty() {
            debug_assert!(near.iter().all(|code| near_key(code) == near_key(number)), "near codes share a key");
            return Verdict::Hold(Why::MemberNearMiss.as_str(), near.join(", "));
        }
        let longest = self.known.layout.get("code").and_then(|item| item.max_length);
        if longest.is_some_and(|longest| number.chars().count() > longest as usize) {
            return Verdict::Park(Why::MappingTooLong.as_str(), "code".to_owned());
        }
        match map(self.record, self.settings, self.known, Op::Create) {
            Ok(Mapped { values, .. }) if facts.over_ceiling => self.mass(Why::DeliveryCeiling, Verdict::Create(values)),
            Ok(Mapped { values, .. }) => self.declined(Why::DeliveryCeiling, Verdict::Create(values)),
            Err(fault) => Verdict::Park(fault.code, fault.detail),
        }
    }

    fn update(&self, code: &Code) -> Verdict {
        let Case { row, facts, .. } = self;
        let mapped = match self.map_for_update() {
            Ok(mapped) => mapped,
            Err(fault) => return Verdict::Park(fault.code, fault.detail),
        };
        let mut changed = mapped.values;
        // What we wrote is known. Of a field that we never wrote (first contact, or mapped only since), the last read tells.
        let written = |field: &str| row.written.as_ref().and_then(|written| written.get(field));
        let age = facts.now.since(code.read);
        let too_old = age > std::time::Duration::from_secs(FIRST_CONTACT_HOURS * 3600);
        if too_old && (row.written.is_none() || changed.keys().any(|field| written(field).is_none())) {
            return Verdict::ReadFirst;
        }
        changed.retain(|field, value| match written(field) {
            Some(known) => known != value,
            None => code.hashes.get(field) != Some(&(self.hash)(field, value)),
        });
        if broken::is(Broken::PatchOfNothing) || (broken::is(Broken::PatchOfEverything) && !changed.is_empty()) {
            changed = self.map_for_update().map(|mapped| mapped.values).unwrap_or_default();
        }
        match changed.is_empty() {
            true => Verdict::Unchanged,
            false if facts.braked && !broken::is(Broken::BrakeIgnored) => {
                self.mass(Why::DeliveryBrake, Verdict::Update(changed))
            }
            false => self.declined(Why::DeliveryBrake, Verdict::Update(changed)),
        }
    }

    fn map_for_update(&self) -> Result<Mapped, Unmappable> {
        match self.sent {
            Sent::Whole => map(self.record, self.settings, self.known, Op::Update),
            Sent::Leaver => map_leaver(self.record, self.known),
        }
    }

    /// A change while many come: held, unless a person has said yes.
    fn mass(&self, why: Why, verdict: Verdict) -> Verdict {
        if self.row.confirmed { verdict } else { Verdict::HoldMass(why.as_str(), self.fingerprint()) }
    }

    /// A change of somebody whose part in a mass change is not decided, or was declined: what was declined stays back until
    /// the mapped values change once more.
    fn declined(&self, why: Why, verdict: Verdict) -> Verdict {
        match &self.row.mass {
            _ if self.row.confirmed || broken::is(Broken::HeldGoesOut) => verdict,
            Mass::None => verdict,
            Mass::Undecided => Verdict::HoldMass(why.as_str(), self.fingerprint()),
            Mass::Declined(values) if *values == self.fingerprint() => Verdict::Skip(Why::DeliveryDeclined.as_str()),
            Mass::Declined(_) => verdict,
        }
    }

    /// Keyed hash of everything that the record maps to, whatever カオナビ holds.
    fn fingerprint(&self) -> String {
        let values = self.map_for_update().map(|mapped| mapped.values).unwrap_or_default();
        (self.hash)("all_fields", &serde_json::to_string(&values).unwrap_or_default())
    }
}
