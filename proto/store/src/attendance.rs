//! The attendance book and what stands around it.
//!
//! [`staging`] holds the date that a run is reading, [`book`] every day as the source last told it.

pub mod book;
pub mod staging;
