//! Outgoing HTTP, behind a trait, so that the simulation can stand where the network is.

pub mod client;
pub mod guard;

use std::time::Duration;

use async_trait::async_trait;

/// One request to the outside.
#[derive(Clone)]
pub struct OutRequest {
    /// `GET`, `POST`, `PATCH`.
    pub method: &'static str,
    /// Absolute URL. Never carries a secret or a personal value.
    pub url: String,
    /// Header names and values; values may be secret.
    pub headers: Vec<(&'static str, String)>,
    /// The body, if any.
    pub body: Option<Vec<u8>>,
    /// Real time from the start of the call to the last byte of the answer.
    pub deadline: Duration,
}

impl std::fmt::Debug for OutRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OutRequest").field("method", &self.method).field("url", &self.url).finish_non_exhaustive()
    }
}

/// A piece of an answer's body.
pub type Chunk = Result<Vec<u8>, TransportError>;

/// An answer whose body is read piece by piece.
pub struct OutResponse {
    /// HTTP status.
    pub status: u16,
    /// Header names, in lower case, and values, in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body; dropping it ends the call.
    pub body: tokio::sync::mpsc::Receiver<Chunk>,
}

impl OutResponse {
    /// The first value of a header; `name` in whatever case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// An answer with a whole body and no headers.
    #[must_use]
    pub fn whole(status: u16, body: Vec<u8>) -> Self {
        let (sender, receiver) = tokio::sync::mpsc::channel(1);
        // A fresh channel of one place takes one piece.
        let _ = sender.try_send(Ok(body));
        Self { status, headers: Vec::new(), body: receiver }
    }

    /// Reads the whole body, at most `limit` bytes.
    ///
    /// # Errors
    /// The transport's fault, or [`TransportError::TooLarge`].
    pub async fn bytes(mut self, limit: usize) -> Result<Vec<u8>, TransportError> {
        let mut whole = Vec::new();
        while let Some(chunk) = self.body.recv().await {
            whole.extend_from_slice(&chunk?);
            if whole.len() > limit {
                return Err(TransportError::TooLarge);
            }
        }
        Ok(whole)
    }
}

/// A call that got no whole answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// It failed before the first byte of the request left (name not found, refused, TLS): certainly not received.
    #[error("not sent: {0}")]
    NotSent(String),
    /// Sent, or perhaps sent, and no whole answer came back (reset, cut off).
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// The deadline passed.
    #[error("no answer before the deadline")]
    Deadline,
    /// The answer is larger than this call reads.
    #[error("answer is too large")]
    TooLarge,
}

/// Makes calls.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` and answers when status and headers are there.
    ///
    /// # Errors
    /// See [`TransportError`].
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError>;
}
