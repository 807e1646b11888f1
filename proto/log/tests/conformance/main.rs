//! One suite, every engine: what the log promises holds on Kafka and on the embedded log alike.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests stop the test")]

mod embedded;
mod groups;
mod kafka;
mod suite;
