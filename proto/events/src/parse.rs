//! Untrusted JSON into an employee record: parse once, then never check again.

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value};

use crate::codes::Code;
use crate::event::Fault;
use crate::ids::{EmployeeId, EmployeeNumber, IdFault};
use crate::json::JsonFault;
use crate::record::{DataEntryState, Department, EmployeeRecord, EmployeeStatus};

/// The largest record, in bytes of its JSON as it came.
pub const LARGEST_RECORD_BYTES: usize = 256 * 1024;

/// The longest values, in Unicode code points.
pub(crate) mod longest {
    /// 姓, 名 and their readings.
    pub(crate) const NAME: usize = 50;
    /// ビジネスネーム and its reading.
    pub(crate) const BUSINESS_NAME: usize = 100;
    /// What is chosen from a list at the source.
    pub(crate) const LABEL: usize = 100;
    /// A department's name.
    pub(crate) const DEPARTMENT: usize = 200;
    /// メールアドレス.
    pub(crate) const EMAIL: usize = 254;
}

/// How far ahead of the receipt an `updated_at` may lie, in hours.
pub const FURTHEST_AHEAD_HOURS: i64 = 24;

/// What can be wrong with one value. The text is stable and has a place in `docs/operations.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultCode {
    /// The key is needed and is not there (or is null or "").
    Required,
    /// Another JSON type than the contract has.
    Type,
    /// More code points than allowed.
    TooLong,
    /// A control character (NUL included).
    ControlCharacter,
    /// A blank at the start or end of a 社員番号 or 従業員ID.
    BlankAtEnds,
    /// Not a date `YYYY-MM-DD` that is in the calendar.
    Date,
    /// Not an RFC 3339 time with offset.
    Timestamp,
    /// More than 24 hours ahead.
    UpdatedAtInFuture,
    /// The whole record is over 256 KiB.
    RecordTooLarge,
    /// A key stands twice in one object of the record.
    DuplicateKey,
    /// The record's text has no value: half of a surrogate pair, a number out of range.
    Unreadable,
}

impl FaultCode {
    /// Every code, for tables and tests.
    pub const ALL: [FaultCode; 11] = [
        FaultCode::Required,
        FaultCode::Type,
        FaultCode::TooLong,
        FaultCode::ControlCharacter,
        FaultCode::BlankAtEnds,
        FaultCode::Date,
        FaultCode::Timestamp,
        FaultCode::UpdatedAtInFuture,
        FaultCode::RecordTooLarge,
        FaultCode::DuplicateKey,
        FaultCode::Unreadable,
    ];

    /// The code in the list of all codes.
    #[must_use]
    pub fn code(self) -> Code {
        match self {
            FaultCode::Required => Code::SourceRequired,
            FaultCode::Type => Code::SourceType,
            FaultCode::TooLong => Code::SourceTooLong,
            FaultCode::ControlCharacter => Code::SourceControlCharacter,
            FaultCode::BlankAtEnds => Code::SourceBlankAtEnds,
            FaultCode::Date => Code::SourceDate,
            FaultCode::Timestamp => Code::SourceTimestamp,
            FaultCode::UpdatedAtInFuture => Code::SourceUpdatedAtInFuture,
            FaultCode::RecordTooLarge => Code::SourceRecordTooLarge,
            FaultCode::DuplicateKey => Code::SourceDuplicateKey,
            FaultCode::Unreadable => Code::SourceUnreadable,
        }
    }

    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.code().as_str()
    }
}

impl From<IdFault> for FaultCode {
    fn from(fault: IdFault) -> Self {
        match fault {
            IdFault::Empty => FaultCode::Required,
            IdFault::TooLong => FaultCode::TooLong,
            IdFault::ControlCharacter | IdFault::Character => FaultCode::ControlCharacter,
            IdFault::BlankAtEnds => FaultCode::BlankAtEnds,
        }
    }
}

/// The two values without which a record can not even be parked under its own person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// 従業員ID.
    pub employee_id: EmployeeId,
    /// 更新日時.
    pub updated_at: Timestamp,
}

/// Reads `employee_id` and `updated_at`, if both are usable.
#[must_use]
pub fn anchor(record: &Value) -> Option<Anchor> {
    let employee_id = EmployeeId::new(record.get("employee_id")?.as_str()?).ok()?;
    let updated_at = rfc3339(record.get("updated_at")?.as_str()?)?;
    Some(Anchor { employee_id, updated_at })
}

/// What one record of a delivery or of a feed turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// A state of a person.
    Record(Box<EmployeeRecord>),
    /// It breaks the contract. Under whom it is parked, if that much could be read.
    Faulty {
        /// The person and the time, if usable.
        anchor: Option<Anchor>,
        /// Every fault, with its place.
        faults: Vec<Fault>,
    },
}

/// Reads one record from its own text.
#[must_use]
pub fn reading(text: &str, received_at: Timestamp) -> Reading {
    let value = match crate::json::value(text) {
        Ok(value) => value,
        Err(unreadable) => {
            let code = match unreadable {
                JsonFault::DuplicateKey => FaultCode::DuplicateKey,
                JsonFault::Unreadable => FaultCode::Unreadable,
            };
            return Reading::Faulty { anchor: None, faults: vec![fault("", code)] };
        }
    };
    // Unknown keys are dropped, so the record that goes on is always small; what came with it is still bounded.
    if text.len() > LARGEST_RECORD_BYTES {
        return Reading::Faulty { anchor: anchor(&value), faults: vec![fault("", FaultCode::RecordTooLarge)] };
    }
    match record(&value, received_at) {
        Ok(record) => Reading::Record(Box::new(record)),
        Err(faults) => Reading::Faulty { anchor: anchor(&value), faults },
    }
}

/// Reads a whole record. Unknown keys are dropped; `null`, `""` and a missing key all mean "not provided".
///
/// # Errors
/// Every fault, with its place.
pub fn record(record: &Value, received_at: Timestamp) -> Result<EmployeeRecord, Vec<Fault>> {
    let Some(object) = record.as_object() else {
        return Err(vec![fault("", FaultCode::Type)]);
    };
    let mut reader = Reader { object, prefix: "", faults: Vec::new() };
    let employee_id = reader.id(EmployeeId::new, "employee_id");
    let employee_number = reader.id(EmployeeNumber::new, "employee_number");
    let employee_status = reader.text("employee_status", longest::LABEL);
    let data_entry_state = reader.text("data_entry_state", longest::LABEL);
    let last_name = reader.text("last_name", longest::NAME);
    let first_name = reader.text("first_name", longest::NAME);
    let last_name_kana = reader.text("last_name_kana", longest::NAME);
    let first_name_kana = reader.text("first_name_kana", longest::NAME);
    let business_name = reader.text("business_name", longest::BUSINESS_NAME);
    let business_name_kana = reader.text("business_name_kana", longest::BUSINESS_NAME);
    let gender = reader.text("gender", longest::LABEL);
    let birthday = reader.date("birthday");
    let hire_date = reader.date("hire_date");
    let retired_date = reader.date("retired_date");
    let employment_type = reader.text("employment_type", longest::LABEL);
    let department = reader.department();
    let email = reader.text("email", longest::EMAIL);
    let updated_at = reader.updated_at(received_at);
    for (value, key) in [
        (employee_id.is_some(), "employee_id"),
        (employee_status.is_some(), "employee_status"),
        (data_entry_state.is_some(), "data_entry_state"),
        (updated_at.is_some(), "updated_at"),
    ] {
        if !value {
            reader.require(key);
        }
    }
    let faults = reader.faults;
    let (Some(employee_id), Some(employee_status), Some(data_entry_state), Some(updated_at), true) =
        (employee_id, employee_status, data_entry_state, updated_at, faults.is_empty())
    else {
        return Err(faults);
    };
    Ok(EmployeeRecord {
        employee_id,
        employee_number,
        employee_status: EmployeeStatus::from(employee_status),
        data_entry_state: DataEntryState::from(data_entry_state),
        last_name,
        first_name,
        last_name_kana,
        first_name_kana,
        business_name,
        business_name_kana,
        gender,
        birthday,
        hire_date,
        retired_date,
        employment_type,
        department,
        email,
        updated_at,
    })
}

/// Whether a record that says `updated_at` is dated so far ahead that its time can not be believed.
#[must_use]
pub fn is_too_far_ahead(updated_at: Timestamp, received_at: Timestamp) -> bool {
    updated_at.duration_since(received_at) > SignedDuration::from_hours(FURTHEST_AHEAD_HOURS)
}

/// An RFC 3339 time with offset. Stricter than the parser behind it, which takes further ISO 8601 forms as well.
#[must_use]
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let digits =
        |range: std::ops::Range<usize>| bytes.get(range).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let is = |at: usize, marks: &[u8]| bytes.get(at).is_some_and(|byte| marks.contains(byte));
    let date = digits(0..4) && is(4, b"-") && digits(5..7) && is(7, b"-") && digits(8..10) && is(10, b"Tt");
    let time = digits(11..13) && is(13, b":") && digits(14..16) && is(16, b":") && digits(17..19);
    if !date || !time {
        return None;
    }
    let mut at = 19;
    if is(at, b".") {
        let places = bytes.iter().skip(20).take_while(|byte| byte.is_ascii_digit()).count();
        // No source counts finer than nanoseconds, and neither does the clock behind.
        if !(1..=9).contains(&places) {
            return None;
        }
        at = 20 + places;
    }
    let zulu = is(at, b"Zz") && bytes.len() == at + 1;
    let offset = is(at, b"+-") && digits(at + 1..at + 3) && is(at + 3, b":") && digits(at + 4..at + 6);
    if zulu || (offset && bytes.len() == at + 6) { text.parse().ok() } else { None }
}

/// A fault at `pointer`.
#[must_use]
pub fn fault(pointer: &str, code: FaultCode) -> Fault {
    Fault { pointer: pointer.to_owned(), code: code.as_str().to_owned() }
}

/// Whether a value may stand in a record.
///
/// # Errors
/// Says why not.
pub(crate) fn sound_text(text: &str, longest: usize) -> Result<(), FaultCode> {
    if text.chars().any(char::is_control) {
        return Err(FaultCode::ControlCharacter);
    }
    if text.chars().count() > longest {
        return Err(FaultCode::TooLong);
    }
    Ok(())
}

struct Reader<'a> {
    object: &'a Map<String, Value>,
    prefix: &'static str,
    faults: Vec<Fault>,
}

impl Reader<'_> {
    fn add(&mut self, key: &str, code: FaultCode) {
        self.faults.push(fault(&format!("{}/{key}", self.prefix), code));
    }

    /// Adds `required`, unless the key already has a fault of its own.
    fn require(&mut self, key: &str) {
        let pointer = format!("{}/{key}", self.prefix);
        if !self.faults.iter().any(|known| known.pointer == pointer) {
            self.add(key, FaultCode::Required);
        }
    }

    /// The text at `key`; `None` when it is not provided or not a text.
    fn raw(&mut self, key: &str) -> Option<String> {
        match self.object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.is_empty() => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(_) => {
                self.add(key, FaultCode::Type);
                None
            }
        }
    }

    fn text(&mut self, key: &str, longest: usize) -> Option<String> {
        let text = self.raw(key)?;
        sound_text(&text, longest).map_err(|code| self.add(key, code)).ok()?;
        Some(text)
    }

    fn id<T>(&mut self, make: impl Fn(String) -> Result<T, IdFault>, key: &str) -> Option<T> {
        let text = self.raw(key)?;
        match make(text) {
            Ok(id) => Some(id),
            // A 社員番号 of nothing but blanks counts as not provided, like "".
            Err(IdFault::Empty) => None,
            Err(other) => {
                self.add(key, other.into());
                None
            }
        }
    }

    fn date(&mut self, key: &str) -> Option<Date> {
        let text = self.raw(key)?;
        let shape = text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| match at {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        let date = if shape { text.parse().ok() } else { None };
        if date.is_none() {
            self.add(key, FaultCode::Date);
        }
        date
    }

    fn updated_at(&mut self, received_at: Timestamp) -> Option<Timestamp> {
        let text = self.raw("updated_at")?;
        let Some(updated_at) = rfc3339(&text) else {
            self.add("updated_at", FaultCode::Timestamp);
            return None;
        };
        if is_too_far_ahead(updated_at, received_at) {
            self.add("updated_at", FaultCode::UpdatedAtInFuture);
            return None;
        }
        Some(updated_at)
    }

    fn department(&mut self) -> Option<Department> {
        match self.object.get("department") {
            None | Some(Value::Null) => None,
            Some(Value::Object(object)) => {
                let mut inner = Reader { object, prefix: "/department", faults: Vec::new() };
                let department = Department {
                    code: inner.text("code", longest::LABEL),
                    name: inner.text("name", longest::DEPARTMENT),
                };
                self.faults.append(&mut inner.faults);
                Some(department)
            }
            Some(_) => {
                self.add("department", FaultCode::Type);
                None
            }
        }
    }
}
