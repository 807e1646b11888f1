//! Clients of the outside systems.

pub mod kaonavi;
