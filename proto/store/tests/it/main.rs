//! The same promises of the store on SQLite and on PostgreSQL.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that can not go on ends here")]

mod accounts;
mod attendance;
mod attention;
mod deadlines;
mod dry_runs;
mod employees;
mod engines;
mod episodes;
mod forgotten;
mod forgotten_numbers;
mod jobs;
mod leases;
mod logtable;
mod outbox;
mod outlook;
mod private;
mod sealing;
mod takeover;
mod tidy;
mod time;
mod tokens;
mod troubles;
mod webhook_health;
