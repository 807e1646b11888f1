//! The REST API over real sockets and a real store.

mod csv;
mod delivered;
mod document;
mod dry_runs;
mod flow;
mod input;
mod matrix;
mod people;
pub mod world;
