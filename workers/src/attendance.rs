//! Attendance on its way from a source into the book, and from the book into files for クラウドログ.
//!
//! A run ([`run`]) is a job of the sweeper: it reads one page per step and puts changed days on the log; [`consume`] writes
//! them into the book. When the book has them all, the run decides which days have to go to クラウドログ and makes the files.

pub(crate) mod check;
pub mod consume;
pub(crate) mod decide;
pub mod folder;
mod progress;
mod reading;
pub mod run;
mod sides;
