//! Ingest: takes signed webhooks, puts what they say on the log, and answers only when the log has acknowledged it.
//!
//! It listens and never calls out. A request goes through [`webhook`]; what may sign it comes from [`connections`]; every
//! refusal is written down in one table, [`refusal`]; beside it stands the REST [`api`]; [`server`] starts all of it and ends it in order.

pub mod api;
pub mod apply;
pub mod connections;
pub mod health;
pub mod import;
pub mod metrics;
pub mod pages;
pub mod rate;
pub mod refusal;
pub mod server;
pub mod settings;
pub mod setup;
pub mod tally;
pub mod token;
pub mod trace;
pub mod upload;
pub mod webhook;
