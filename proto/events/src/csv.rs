//! Employee records from a file: comma-separated, with a header line, in UTF-8 or in the Windows encoding of Japan (CP932).
//!
//! [`Reader`] goes through the file row by row and holds one row at a time. What is wrong with the file as a whole is a
//! [`Refusal`]; what is wrong with a row is a [`RowFault`] with line and column, and the other rows go on. A column that is
//! not there says nothing about its field, an empty cell says that the field has no value ([`Cell`]).

mod bounded;
mod columns;
mod date;
mod fault;
mod reader;
mod row;
mod text;

use jiff::Timestamp;

pub use columns::{Columns, Field, Header};
pub use fault::{Refusal, RowFault};
pub use reader::Reader;
pub use row::{Cell, Constants, Person, Row};
pub use text::Encoding;

use crate::event::{Change, EmployeeEvent, Origin};
use crate::ids::{ConnectionId, EmployeeId, EmployeeNumber, EventId, IdFault, UploadId, Version};
use crate::record::EmployeeRecord;

/// The most rows of a file, its header line not counted.
pub const MOST_ROWS: u64 = 50_000;

/// The largest row, in bytes; one that is larger is most likely a quotation mark without its other half.
pub const LARGEST_ROW_BYTES: usize = 256 * 1024;

/// The largest file, in bytes.
pub const LARGEST_FILE_BYTES: u64 = 64 * 1024 * 1024;

/// Under which id somebody stands of whom a file tells the 社員番号 and no 従業員ID.
///
/// # Errors
/// None in fact: what a number may hold an id may hold, too.
pub fn id_of_number(number: &EmployeeNumber) -> Result<EmployeeId, IdFault> {
    EmployeeId::new(format!("n:{number}"))
}

/// The event of a row: one state of one person, received with its upload.
///
/// # Errors
/// None in fact: an upload's id and a line make an event's id.
pub fn event(
    connection: &ConnectionId,
    upload: &UploadId,
    line: u64,
    change: Change,
    record: EmployeeRecord,
    received_at: Timestamp,
) -> Result<EmployeeEvent, IdFault> {
    Ok(EmployeeEvent {
        event_id: EventId::new(format!("csv/{upload}/{line}"))?,
        connection_id: connection.clone(),
        employee_id: record.employee_id.clone(),
        origin: Origin::Csv,
        change,
        received_at,
        version: Version::judge(record.updated_at, received_at),
        employee: Some(record),
        faults: Vec::new(),
    })
}

/// The upload and the line that an event came from, if it came from a file.
#[must_use]
pub fn upload_of(event: &EmployeeEvent) -> Option<(UploadId, u64)> {
    if event.origin != Origin::Csv {
        return None;
    }
    let (upload, line) = event.event_id.as_str().strip_prefix("csv/")?.split_once('/')?;
    Some((UploadId::new(upload).ok()?, line.parse().ok()?))
}
