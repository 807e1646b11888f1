//! HRMOS勤怠's web API, as far as a link touches it.
//!
//! [`Hrmos::handle`] takes the time and a request and answers; nothing else moves it but the hands of an operator
//! ([`Company`]'s methods). Checks run in the order company (404), calls of the last 60 s (429), caller's address (403),
//! key or token (401), path, parameters. There is no push of any kind: whoever wants to know has to ask.

pub(crate) mod auth;
pub(crate) mod calls;
mod company;
pub(crate) mod dates;
mod day;
mod faults;
mod listing;
mod machine;
mod page;
mod route;
mod row;
pub mod rules;
pub mod sample;
mod segment;
mod serve;
mod settings;
mod stamps;
mod times;
mod user;
mod work;

pub use calls::{Call, CallLog, Stats};
pub use company::{ApiKey, Company, CompanySpec, Roster};
pub use dates::Dates;
pub use day::{Break, Day};
pub use faults::{Between, Faults};
pub use machine::{Hrmos, Shared};
pub use segment::{Segment, SegmentKind};
pub use settings::{
    ClockForm, EmptyDays, Flags, IpRestriction, IpTarget, KeyLife, OverLimit, PastEnd, Ratios, Settings,
};
pub use times::{Minute, at};
pub use user::{ClosingDay, User};
