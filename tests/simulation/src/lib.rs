//! The simulation of Renkei's delivery: the real steps over a real store, with a simulated clock, network and カオナビ.
//!
//! [`world`] is that world, [`people`] are who lives in it.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a simulated world that can not go on ends here")]

pub mod people;
pub mod world;
