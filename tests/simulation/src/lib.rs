//! The simulation of Renkei's delivery: the real steps over a real store, with a simulated clock, network and カオナビ.
//!
//! [`world`] is that world, [`people`] are who lives in it. A [`scenario`] is drawn from one seed, [`play`] lets it happen,
//! and [`oracle`] says, from what was sent and done alone, what must have come of it. [`run`] does so for many seeds.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a simulated world that can not go on ends here")]

pub mod attendance;
pub mod oracle;
pub mod people;
pub mod play;
pub mod run;
pub mod scenario;
pub mod source;
pub mod webhooks_off;
pub mod world;
