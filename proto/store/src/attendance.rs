//! The attendance book and what stands around it.
//!
//! [`staging`] holds the date that a run is reading, [`book`] every day as the source last told it, [`members`] what
//! クラウドログ knows, [`files`] what waits for its import, [`handwork`] what a person has to type.

pub mod book;
pub mod staging;
