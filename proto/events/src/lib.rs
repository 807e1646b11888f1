//! The wire contract of Renkei: what an employee event is, how it is written on the log, and how a webhook is signed.
//!
//! Everything that crosses a process boundary is defined here and nowhere else: [`record`] is the employee record that
//! sources send, [`parse`] turns untrusted JSON into it, [`event`] is what stands on the log (CloudEvents 1.0, binary
//! mode), [`topic`] names topics and keys, [`signature`] is Standard Webhooks v1, [`schema`] is the published JSON Schema,
//! [`csv`] reads the same records from a file, [`codes`] is the one list of stable codes.

pub mod attendance;
pub mod codes;
pub mod csv;
pub mod event;
pub mod ids;
pub mod json;
pub mod parse;
pub mod record;
pub mod schema;
pub mod signature;
pub mod topic;
