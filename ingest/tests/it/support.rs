//! The parts that tests are built from.

pub mod client;
pub mod fakes;
pub mod sample;
pub mod serving;
