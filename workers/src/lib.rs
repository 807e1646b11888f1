//! What takes events from the log and brings them into カオナビ.
//!
//! [`members::consume`] turns events into rows of the store; [`members::steps`] are the delivery steps of one account;
//! [`clients::kaonavi`] speaks the API; [`runner`] runs the steps of many accounts at once, under leases. Every role is a
//! step over what it is handed ([`context::Context`]): nothing here sleeps, reads a system clock or opens a socket by itself.

pub mod attendance;
pub mod clients;
pub mod commands;
pub mod context;
pub mod error;
pub mod members;
pub mod metrics;
pub mod notify;
pub mod runner;
pub mod sweep;
