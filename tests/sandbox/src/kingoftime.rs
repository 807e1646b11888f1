//! KING OF TIME's web API, and 勤革時, which is the same service under another name, as far as a link touches them.
//!
//! [`KingOfTime::handle`] takes the time and a request and answers; nothing else moves it but the hands of an operator
//! ([`Company`]'s methods). A company is known by the token that comes with a call. Checks run in the order token, forbidden
//! hours, calls of the last 60 s, path and parameters (rule 4). Nothing is pushed, and no list has pages.

mod access;
mod company;
mod day;
mod employee;
mod lists;
mod machine;
mod period;
mod route;
pub mod rules;
pub mod sample;
mod serve;
mod settings;

pub use crate::hrmos::calls::{Call, CallLog, Stats};
pub use access::{Item, Network, Token};
pub use company::{Company, CompanySpec, Roster};
pub use day::{Day, Kind, Punch};
pub use employee::Employee;
pub use machine::{KingOfTime, Shared};
pub use settings::{EmptyDays, Faults, Settings};
