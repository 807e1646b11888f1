//! The whole product from the outside: real programs as processes, real servers, カオナビ simulated in this process.
//!
//! Tests whose names begin with `prove_` take long and are ignored unless asked for (`make prove`).

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on ends here")]

mod apply;
mod commands;
mod forget;
mod import;
mod outage;
mod private;
mod prove_budget;
mod prove_crash;
mod prove_hires;
mod prove_loss;
mod roles;
mod start;
mod support;
mod takeover;
mod whole;
