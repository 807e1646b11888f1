//! What can go wrong with the state.

/// A failed use of the store. All of it is our side's.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can not be reached, or refused the statement for now.
    #[error("store is unavailable: {0}")]
    Unavailable(#[source] sea_orm::DbErr),
    /// The master key is not the one that the store was sealed with.
    #[error("the master key does not open this store (keys were wrapped with master key {expected})")]
    WrongMasterKey {
        /// The id of the master key that is needed.
        expected: String,
    },
    /// An envelope does not open: cut, changed, moved to another row, or sealed with a key that is gone.
    #[error("a sealed value does not open ({place})")]
    Sealed {
        /// Which column.
        place: String,
    },
    /// A row holds something that this version does not understand.
    #[error("a stored value is not understood ({0})")]
    Corrupt(String),
    /// The store's time runs at another speed than this process's.
    #[error("it was made with clock scale {made}, and this process runs with {ours}")]
    OtherClock {
        /// The store's.
        made: u32,
        /// This process's.
        ours: u32,
    },
    /// Another worker holds the account now; whatever was being done must stop.
    #[error("the lease on the account was lost")]
    Fenced,
    /// There is no such thing.
    #[error("not found: {0}")]
    NotFound(String),
}

impl StoreError {
    /// Whether another try may succeed.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, StoreError::Unavailable(_))
    }
}

impl From<sea_orm::DbErr> for StoreError {
    fn from(error: sea_orm::DbErr) -> Self {
        match error {
            sea_orm::DbErr::Type(text) => StoreError::Corrupt(text),
            other => StoreError::Unavailable(other),
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        // Only the place: the text of a serde error may quote the value.
        StoreError::Corrupt(format!("json at line {}, column {}", error.line(), error.column()))
    }
}

/// What most calls answer.
pub type Result<T> = std::result::Result<T, StoreError>;
