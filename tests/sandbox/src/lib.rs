//! Stand-ins for the outside systems: カオナビ as a state machine that enforces its API's rules, and a sender of signed
//! webhooks.
//!
//! A state machine ([`machine::Machine`]) has no clock, no randomness and no socket of its own, so that a test can drive it
//! call by call; [`http`] serves it to people and processes, [`transport`] stands where the network is.

pub mod crowdlog;
pub mod demo;
pub mod error;
pub mod feed;
pub mod hrmos;
pub mod http;
pub mod kaonavi;
pub mod kingoftime;
pub mod machine;
mod page;
pub mod rules;
pub mod send;
pub mod transport;
pub mod wire;

pub use error::SandboxError;
