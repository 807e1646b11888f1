//! The attendance book and what stands around it.
//!
//! [`staging`] holds the date that a run is reading, [`book`] every day as the source last told it. [`members`] is クラウドログ's own
//! list, [`protections`] what must not be written. [`files`] go to クラウドログ by a person's hand, [`handwork`] is what a person
//! types there. [`notes`] say what a run could not bring, [`run_lists`] whose codes were on one side only, [`mornings`] what was
//! told of it by mail. [`shared_codes`] are nobody's.

pub mod book;
pub mod files;
pub mod handwork;
pub mod members;
pub mod mornings;
pub mod notes;
pub mod protections;
pub mod run_lists;
pub mod shared_codes;
pub mod staging;
