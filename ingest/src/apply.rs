//! `renkei-ingest apply -f connections.yaml`: tenants and connections declared in a file.
//!
//! One transaction, and applying the same file again changes nothing. What the file does not mention is left alone. A
//! `state` acts only when it differs from the one of the last applied file, so that a file never switches on what a person
//! paused or a failure halted. Secrets stand in files or in the environment, never in the file itself.

pub mod file;
pub mod plan;
pub mod secret;
pub mod wait;

use std::path::PathBuf;

use renkei_store::error::StoreError;

/// Why a file is not applied. Shown as one line.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file can not be read.
    #[error("{}: {cause}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        cause: std::io::Error,
    },
    /// The file is not as it must be.
    #[error("{}:{line}:{column}: {key}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// From 1.
        line: u64,
        /// From 1.
        column: u64,
        /// Where in the document, such as `tenants[0].connections[1].source`.
        key: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not every connection became active in time.
    #[error("{0}")]
    NotActive(String),
}
