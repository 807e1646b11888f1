//! Stand-ins for the outside systems: カオナビ as a state machine that enforces its API's rules, and a sender of signed
//! webhooks.
//!
//! The state machine ([`kaonavi::Kaonavi`]) has no clock, no randomness and no socket of its own, so that a test can
//! drive it call by call; [`kaonavi::http`] serves it to people and processes, [`kaonavi::transport`] stands where the
//! network is.

pub mod demo;
pub mod error;
pub mod kaonavi;
pub mod rules;
pub mod send;

pub use error::SandboxError;
