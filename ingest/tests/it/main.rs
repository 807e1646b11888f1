//! Ingest over real sockets, with a log, a store and a clock that do as they are told.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod support;

mod api;
mod apply;
mod cached;
mod drain;
mod envelope;
mod files;
mod health;
mod mornings;
mod order;
mod pages;
mod private;
mod process;
mod produce;
mod receive;
mod sources;
mod verify;
