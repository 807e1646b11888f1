//! The rules of the attendance side: from what a source says of a day to the rows that クラウドログ imports.
//!
//! Everything here is a function of its arguments: no clock, no store, no network.

pub mod breaks;
pub mod day;
pub mod reading;
pub mod segments;
