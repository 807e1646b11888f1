//! What can go wrong around the stand-ins; what goes wrong inside カオナビ is an answer.

use renkei_events::signature::SecretFault;

/// A fault of the sandbox's user, of this machine, or of the way to a receiver.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// No company has this id.
    #[error("no company has the id {0}")]
    UnknownCompany(String),
    /// A company with this id or consumer key is there already.
    #[error("a company with this id or consumer key exists already: {0}")]
    Taken(String),
    /// The input is not what this operation takes.
    #[error("bad input: {0}")]
    BadInput(String),
    /// The webhook secret is none.
    #[error("webhook secret {0}")]
    Secret(#[from] SecretFault),
    /// A delivery got no answer.
    #[error("no answer from the receiver: {0}")]
    NoAnswer(#[from] reqwest::Error),
    /// A file or a socket does not do as asked.
    #[error("{what}: {source}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: std::io::Error,
    },
}

impl SandboxError {
    /// A fault of this machine.
    #[must_use]
    pub fn io(what: impl Into<String>, source: std::io::Error) -> Self {
        Self::Io { what: what.into(), source }
    }

    /// The HTTP status of the admin API for this fault.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::UnknownCompany(_) => 404,
            Self::Taken(_) => 409,
            Self::BadInput(_) | Self::Secret(_) => 400,
            Self::NoAnswer(_) => 502,
            Self::Io { .. } => 500,
        }
    }

    /// Whether the same again may go well.
    #[must_use]
    pub fn is_worth_a_retry(&self) -> bool {
        matches!(self, Self::NoAnswer(_))
    }
}
