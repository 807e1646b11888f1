//! Clients of the outside systems.

pub mod kaonavi;
pub mod smtp;
