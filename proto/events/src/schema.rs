//! The published JSON Schema of the wire contract, generated from the types.

use serde_json::Value;

use crate::event::EmployeeEvent;

/// JSON Schema (2020-12) of the value of a record on the employee topic.
#[must_use]
pub fn employee_event() -> Value {
    schemars::schema_for!(EmployeeEvent).to_value()
}
