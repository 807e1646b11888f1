//! One event: one state of one employee, as it stands on the log.
//!
//! On the log an event is a CloudEvents 1.0 record in binary mode: the attributes are headers, the value is the JSON of
//! [`EmployeeEvent`]. Headers may be read and logged by intermediaries, so they name the connection and the event, never a
//! person: no `ce_subject`, and the partition key stands in the record's key alone.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{ConnectionId, EmployeeId, EventId, Version};
use crate::record::EmployeeRecord;
use crate::topic::employee_key;

/// What the source says happened. Advisory: only [`Change::Deleted`] and [`Change::Invalid`] change what is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A person appeared at the source.
    Created,
    /// A person's record changed.
    Updated,
    /// 従業員ステータス changed.
    StatusChanged,
    /// The person was deleted at the source. Recorded; nothing is ever deleted in カオナビ.
    Deleted,
    /// The record breaks the contract; [`EmployeeEvent::faults`] says where. The person is parked.
    Invalid,
}

impl Change {
    /// `ce_type`.
    #[must_use]
    pub fn ce_type(self) -> &'static str {
        match self {
            Change::Created => "jp.renkei.employee.created.v1",
            Change::Updated => "jp.renkei.employee.updated.v1",
            Change::StatusChanged => "jp.renkei.employee.status_changed.v1",
            Change::Deleted => "jp.renkei.employee.deleted.v1",
            Change::Invalid => "jp.renkei.employee.invalid.v1",
        }
    }
}

/// Which way an event came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// A signed webhook.
    Webhook,
    /// The quarter-hour sweep of the source.
    Sweep,
    /// A CSV upload.
    Csv,
}

/// One thing that is wrong with a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fault {
    /// JSON pointer inside the record, such as `/birthday`.
    pub pointer: String,
    /// Stable code, such as `too_long`; see [`crate::parse::FaultCode`].
    pub code: String,
}

/// One state of one employee.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmployeeEvent {
    /// Unique per distinct event; the same on every resend.
    #[schemars(with = "String")]
    pub event_id: EventId,
    /// The connection that it came through.
    #[schemars(with = "String")]
    pub connection_id: ConnectionId,
    /// The person. For a record without usable id: `{webhook-id}/{index}`, shortened to fit.
    #[schemars(with = "String")]
    pub employee_id: EmployeeId,
    /// Which way it came.
    pub origin: Origin,
    /// What happened.
    pub change: Change,
    /// When ingest (or the sweep) received it.
    #[schemars(with = "String")]
    pub received_at: Timestamp,
    /// When this state was made; microseconds since 1970.
    #[schemars(with = "i64")]
    pub version: Version,
    /// The state. Absent for [`Change::Deleted`] and [`Change::Invalid`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employee: Option<EmployeeRecord>,
    /// What is wrong, for [`Change::Invalid`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// The media type of the value.
pub const CONTENT_TYPE: &str = "application/json";

/// A record on the log that is not an event of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A required CloudEvents attribute is missing, null or empty.
    #[error("header {0} is missing or empty")]
    Header(&'static str),
    /// `ce_specversion` is not 1.0.
    #[error("cloudevents version is not 1.0")]
    SpecVersion,
    /// The value is not an employee event. The text names the place, never the content.
    #[error("value is not an employee event (line {line}, column {column})")]
    Value {
        /// Line in the value, from 1.
        line: usize,
        /// Column in the value, from 1.
        column: usize,
    },
}

impl EmployeeEvent {
    /// The record key: one person's events stay in order.
    #[must_use]
    pub fn key(&self) -> String {
        employee_key(&self.connection_id, &self.employee_id)
    }

    /// The headers of the record: CloudEvents 1.0 binary mode and `traceparent`.
    #[must_use]
    pub fn headers(&self, traceparent: &str) -> Vec<(String, String)> {
        [
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", self.event_id.to_string()),
            ("ce_source", format!("/connections/{}", self.connection_id)),
            ("ce_type", self.change.ce_type().to_owned()),
            ("ce_time", self.received_at.to_string()),
            ("content-type", CONTENT_TYPE.to_owned()),
            ("traceparent", traceparent.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// The value of the record.
    ///
    /// # Errors
    /// Only if serialisation itself fails.
    pub fn value(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// Reads an event from a record of the log. Unknown keys and headers are ignored; of a repeated header the last counts.
    ///
    /// # Errors
    /// Says which part is not as the contract has it. Such a record belongs into the dead letter.
    pub fn decode(headers: &[(String, String)], value: &[u8]) -> Result<Self, DecodeError> {
        let last = |name: &'static str| {
            let found = headers.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, text)| text.as_str()).filter(|text| !text.is_empty()).ok_or(DecodeError::Header(name))
        };
        if last("ce_specversion")? != "1.0" {
            return Err(DecodeError::SpecVersion);
        }
        last("ce_id")?;
        last("ce_source")?;
        last("ce_type")?;
        serde_json::from_slice(value).map_err(|error| DecodeError::Value { line: error.line(), column: error.column() })
    }
}
