//! Clients of the outside systems.

mod chunks;
pub mod feed;
pub mod hrmos;
pub mod kaonavi;
pub mod kingoftime;
pub mod smtp;
