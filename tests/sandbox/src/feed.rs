//! The employee feed: ロウムメイト's side of the sweep.
//!
//! [`Feed::handle`] takes the time and a request and answers; nothing else moves it but the hands of an operator
//! ([`Company`]'s methods), who hires, changes and removes people. Checks run in the order path (404), method (405),
//! outage (503), token (401), calls of the last 60 s (429), parameters (400). What changed is not seen at once: each state
//! of a person has its own delay, so that a state with an earlier `updated_at` may appear behind a later one.

mod calls;
mod company;
mod cursor;
mod machine;
mod page;
mod query;
pub mod rules;
pub mod sample;
mod settings;

pub use calls::{Call, CallLog};
pub use company::{Company, CompanySpec, Record};
pub use machine::{Feed, Shared};
pub use settings::{Faults, Late, RetryAfter, Settings};
