//! クラウドログ, as far as a person at its import screen can tell.
//!
//! [`CrowdLog`] is one company: its members, their timesheets, and the import of an attendance file
//! ([`CrowdLog::import`]), which refuses a whole file for its header and single rows for what stands in them. No public
//! API is known that takes attendance, so there is none here; [`web`] only lets another process press the buttons.

mod company;
mod encoding;
mod excel;
mod import;
mod member;
mod page;
mod result;
pub mod rules;
pub mod sample;
mod settings;
mod table;
mod timesheet;
pub mod web;

pub use company::{CrowdLog, PastImport, Shared};
pub use encoding::Encoding;
pub use member::{Member, MemberHeaders};
pub use result::{FileError, ImportResult, Reason, RowError, RowResult};
pub use settings::{LeaveColumn, LineEnds, PastMidnight, ProtectedDays, Settings};
pub use timesheet::{Attendance, Face, Hours, Leave, Minutes, Seen, Status};
