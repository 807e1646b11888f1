//! The subcommands.

pub(crate) mod demo;
pub(crate) mod kaonavi;
pub(crate) mod rules;
pub(crate) mod send;
