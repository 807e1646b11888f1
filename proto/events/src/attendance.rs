//! One day of one person's attendance, as a run found it and as it stands on the log.
//!
//! Like an employee's event it is a CloudEvents 1.0 record in binary mode whose headers name nobody; the value says what of the
//! source's row matters, so that it can be read again when a setting changes.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::event::{CONTENT_TYPE, DecodeError};
use crate::ids::{EventId, TenantId};

/// `ce_type`.
pub const CE_TYPE: &str = "jp.renkei.attendance.day.v1";

/// A day as a run found it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AttendanceEvent {
    /// Unique per run, person and day; the same when a run tells of it again.
    #[schemars(with = "String")]
    pub event_id: EventId,
    /// The company.
    #[schemars(with = "String")]
    pub tenant_id: TenantId,
    /// The link that it came through.
    pub link_id: String,
    /// The source's own id of the person.
    pub person: String,
    /// 社員コード, trimmed.
    pub code: String,
    /// The work date.
    #[schemars(with = "String")]
    pub day: Date,
    /// The run.
    pub run_id: i64,
    /// When the run began, in milliseconds on the store's clock. Of two runs the later one's day wins.
    pub run_began: i64,
    /// When the run found it.
    #[schemars(with = "String")]
    pub found_at: Timestamp,
    /// What of the source's row matters: times, flags, breaks, leave.
    #[schemars(with = "serde_json::Map<String, Value>")]
    pub value: Value,
}

impl AttendanceEvent {
    /// The record key: one person's days stay in one partition and in order.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.link_id, self.person)
    }

    /// The headers of the record: CloudEvents 1.0 binary mode and `traceparent`.
    #[must_use]
    pub fn headers(&self, traceparent: &str) -> Vec<(String, String)> {
        [
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", self.event_id.to_string()),
            ("ce_source", format!("/links/{}", self.link_id)),
            ("ce_type", CE_TYPE.to_owned()),
            ("ce_time", self.found_at.to_string()),
            ("content-type", CONTENT_TYPE.to_owned()),
            ("traceparent", traceparent.to_owned()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
    }

    /// Reads an event from the value of a record. Unknown keys are ignored.
    ///
    /// # Errors
    /// Says where the value is not as the contract has it. Such a record belongs into the dead letter.
    pub fn decode(value: &[u8]) -> Result<Self, DecodeError> {
        serde_json::from_slice(value).map_err(|error| DecodeError::Value { line: error.line(), column: error.column() })
    }
}
