//! What can stop a measurement.

use renkei_e2e::servers::ServerError;

/// Why there are no figures.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A server or program did not do what was asked.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The system refused something.
    #[error("{what}: {cause}")]
    Io {
        /// What was being done.
        what: String,
        /// What the system said.
        cause: std::io::Error,
    },
    /// A part of the tool ended by a fault.
    #[error("a part of the measurement ended by a fault: {0}")]
    Part(#[from] tokio::task::JoinError),
    /// The null server's configuration.
    #[error(transparent)]
    Config(#[from] renkei_runtime::config::ConfigError),
    /// The store does not open.
    #[error(transparent)]
    OpenStore(#[from] renkei_store::OpenError),
    /// The store does not answer.
    #[error(transparent)]
    Store(#[from] renkei_store::error::StoreError),
    /// The log.
    #[error(transparent)]
    Log(#[from] renkei_log::LogError),
    /// Kafka, asked by the tool itself.
    #[error("kafka: {0}")]
    Kafka(#[from] rdkafka::error::KafkaError),
    /// The null server.
    #[error(transparent)]
    Serve(#[from] renkei_ingest::server::ServeError),
    /// Figures that are worth nothing, because something was not answered or not written as it must be.
    #[error("the figures do not count: {0}")]
    Wrong(String),
}

impl LoadError {
    /// An [`LoadError::Io`] about `what`.
    pub fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |cause| Self::Io { what, cause }
    }
}
