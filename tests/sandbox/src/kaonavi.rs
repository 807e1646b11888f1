//! カオナビ's public API v2, as far as Renkei touches it.
//!
//! [`Kaonavi::handle`] takes the time and a request and answers; nothing else moves it but the hands of an operator
//! ([`Company`]'s methods). Checks run in the order route, token, hourly limit, permission, content type and size, body,
//! update limit, acceptance; accepted writes become tasks that run one after the other.

mod accept;
pub mod admin;
mod calls;
mod company;
mod departments;
pub mod http;
mod jst;
mod layout;
mod limits;
mod machine;
mod member;
mod page;
mod permissions;
mod route;
pub mod sample;
mod settings;
mod spec;
mod tasks;
pub mod transport;
mod validate;
mod wire;

pub use crate::wire::{Answer, SimRequest, SimResponse};
pub use calls::{AcceptedRow, Call, CallLog, Stats, max_in_window};
pub use company::Company;
pub use departments::Department;
pub use layout::{CustomField, Field, FieldType, Layout, TypeDetail};
pub use machine::{Kaonavi, Shared};
pub use member::{Member, TextField};
pub use permissions::{Operation, Permissions};
pub use route::Route;
pub use settings::{DuplicateCreate, Faults, LengthUnit, NameMembers, Settings, WindowKind};
pub use spec::CompanySpec;
pub use tasks::{Task, TaskStatus};
