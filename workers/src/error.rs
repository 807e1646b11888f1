//! What can go wrong in a worker, and whose side it is.

use renkei_log::LogError;
use renkei_store::error::StoreError;

/// A failed step. What カオナビ answers is not an error but an outcome ([`crate::clients::kaonavi::Outcome`]).
#[derive(Debug, thiserror::Error)]
pub enum WorkerError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
}

impl WorkerError {
    /// Another worker has the account: stop quietly.
    #[must_use]
    pub fn is_fenced(&self) -> bool {
        matches!(self, WorkerError::Store(StoreError::Fenced))
    }

    /// Whether the same step may succeed later without anybody doing anything.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        match self {
            WorkerError::Store(error) => error.is_transient(),
            WorkerError::Log(error) => !matches!(error, LogError::Refused(_) | LogError::Setup(_)),
        }
    }
}

/// What steps answer.
pub type Result<T> = std::result::Result<T, WorkerError>;
