//! The log on Apache Kafka.
//!
//! [`KafkaWriter`] is an idempotent producer that answers when all replicas that must have a record have it.
//! [`KafkaReader`] is a member of a consumer group whose commits are tied to what it holds *now*. [`ensure_topics`] creates
//! or checks the topics at start.

mod client;
mod failure;
mod holdings;
mod pump;
mod reader;
mod settings;
mod statistics;
mod topics;
mod writer;

pub use reader::KafkaReader;
pub use settings::{
    Brokers, ClientCertificate, Compression, KafkaLogin, KafkaSettings, KafkaTls, SaslMechanism, TopicPrefix,
};
pub use topics::ensure_topics;
pub use writer::KafkaWriter;

/// The largest record, key and headers included, that the log takes: above one webhook body of 1 MiB with its headers.
pub const MAX_RECORD_BYTES: usize = 2 * 1024 * 1024;
