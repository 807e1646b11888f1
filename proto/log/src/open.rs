//! The log that the configuration names.

use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use renkei_events::topic::Topic;
use renkei_runtime::clock::Clock;
use renkei_runtime::config::{Config, KafkaConfig, LogChoice};
use renkei_store::Store;

use crate::embedded::{EmbeddedReader, EmbeddedWriter};
use crate::kafka::{
    ClientCertificate, Compression, KafkaLogin, KafkaReader, KafkaSettings, KafkaTls, KafkaWriter, SaslMechanism,
    ensure_topics,
};
use crate::{LogError, LogReader, LogWriter};

/// How long the brokers may take to answer at start.
const START: Duration = Duration::from_secs(30);

/// Opens the log for appending; on Kafka the topics are created or checked.
///
/// # Errors
/// When the configuration can not work or nothing answers.
pub async fn writer(config: &Config, store: &Store, clock: Arc<dyn Clock>) -> Result<Arc<dyn LogWriter>, LogError> {
    match &config.log {
        LogChoice::Embedded => Ok(Arc::new(EmbeddedWriter::new(store.clone(), clock))),
        LogChoice::Kafka(brokers) => {
            let settings = kafka(brokers, &config.kafka)?;
            ensure_topics(&settings, Arc::clone(&clock), START).await?;
            Ok(Arc::new(KafkaWriter::new(settings, clock)?))
        }
    }
}

/// Opens the log for reading `topic` as a member of `group`.
///
/// # Errors
/// When the configuration can not work.
pub fn reader(
    config: &Config,
    store: &Store,
    clock: Arc<dyn Clock>,
    topic: Topic,
    group: &str,
) -> Result<Box<dyn LogReader>, LogError> {
    match &config.log {
        LogChoice::Embedded => {
            Ok(Box::new(EmbeddedReader::new(store.clone(), clock, topic, group, config.workers.wake_hints)))
        }
        LogChoice::Kafka(brokers) => {
            // Two installations on one cluster must not join one group.
            let group = format!("{}{group}", config.kafka.topic_prefix);
            Ok(Box::new(KafkaReader::new(&kafka(brokers, &config.kafka)?, &group, &[topic], clock)?))
        }
    }
}

fn kafka(brokers: &str, config: &KafkaConfig) -> Result<KafkaSettings, LogError> {
    let mut settings = KafkaSettings::new(brokers.parse()?);
    if config.security_protocol.tls {
        let certificate = config.ssl_certificate.as_ref().map(|(certificate, key)| ClientCertificate {
            certificate: certificate.clone(),
            key: key.clone(),
            key_password: None,
        });
        settings.tls = Some(KafkaTls { ca: config.ssl_ca_location.clone(), certificate });
    }
    if let (true, Some((user, password))) = (config.security_protocol.sasl, &config.sasl) {
        let mechanism = match config.sasl_mechanism.as_str() {
            "PLAIN" => SaslMechanism::Plain,
            "SCRAM-SHA-256" => SaslMechanism::ScramSha256,
            _ => SaslMechanism::ScramSha512,
        };
        settings.login = Some(KafkaLogin { mechanism, user: user.clone(), password: password.clone() });
    }
    settings.client_id.clone_from(&config.client_id);
    settings.topic_prefix = config.topic_prefix.parse()?;
    settings.partitions = NonZeroU16::new(config.partitions).unwrap_or(NonZeroU16::MIN);
    settings.replication = config.replication_factor.and_then(NonZeroU16::new);
    if config.compression == "none" {
        settings.compression = Compression::None;
    }
    Ok(settings)
}
