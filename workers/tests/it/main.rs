//! The delivery to カオナビ, on an injected clock, with the real steps, a real store and the simulator in process.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on ends here")]

mod budget;
mod crash;
mod delivery;
mod mapping;
mod people;
mod promises;
mod rules;
mod world;
