//! What the end-to-end tests share: real servers, and our own programs as processes.

pub mod servers;
