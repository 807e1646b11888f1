//! The rules of the attendance side: from what a source says of a day to the rows that クラウドログ imports.
//!
//! Everything here is a function of its arguments: no clock, no store, no network.

pub mod breaks;
pub mod codes;
pub mod day;
pub mod decide;
pub mod files;
pub mod imported;
pub mod matching;
pub mod members;
pub mod protection;
pub mod reading;
pub mod segments;
pub mod settings;
mod texts;
pub mod window;
