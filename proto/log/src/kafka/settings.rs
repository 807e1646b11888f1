//! What an operator can say about Kafka, and what librdkafka is told.

use std::fmt;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::RDKafkaLogLevel;
use renkei_events::topic::Topic;
use secrecy::{ExposeSecret as _, SecretString};

use super::MAX_RECORD_BYTES;
use crate::LogError;

/// How to reach Kafka and how to use it.
#[derive(Debug, Clone)]
pub struct KafkaSettings {
    /// Where to ask for the cluster.
    pub brokers: Brokers,
    /// TLS towards the brokers; none means plain TCP.
    pub tls: Option<KafkaTls>,
    /// A login; none means anonymous, or known by the client certificate.
    pub login: Option<KafkaLogin>,
    /// The name that the brokers log and meter for us.
    pub client_id: String,
    /// Put before every topic's name, on clusters that are shared.
    pub topic_prefix: TopicPrefix,
    /// Partitions of a topic that is created.
    pub partitions: NonZeroU16,
    /// Replicas of a topic that is created; none takes the brokers' default.
    pub replication: Option<NonZeroU16>,
    /// How batches are compressed.
    pub compression: Compression,
    /// How long a record may be under way. Shorter than every deadline given to an append, so that nothing is written long
    /// after its sender was told that it failed.
    pub delivery_timeout: Duration,
    /// After what silence the group gives a reader's partitions to others. A reader that is killed has to be replaced within 15 s:
    /// the others hear of it with their next heartbeat, join anew, and fetch. Brokers take no less than 6 s unless they are told to.
    pub session_timeout: Duration,
}

impl KafkaSettings {
    /// Plain TCP, six partitions, lz4.
    #[must_use]
    pub fn new(brokers: Brokers) -> Self {
        Self {
            brokers,
            tls: None,
            login: None,
            client_id: "renkei".to_owned(),
            topic_prefix: TopicPrefix::default(),
            partitions: NonZeroU16::MIN.saturating_add(5),
            replication: None,
            compression: Compression::default(),
            delivery_timeout: Duration::from_millis(3_500),
            session_timeout: Duration::from_secs(8),
        }
    }

    /// The topic's name on these brokers.
    pub(super) fn topic_name(&self, topic: Topic) -> String {
        self.topic_prefix.put_before(topic.name())
    }

    /// Opens the files that the client will read: its own message does not name the one that is missing.
    pub(super) fn check_files(&self) -> Result<(), LogError> {
        let files = self.tls.iter().flat_map(|tls| {
            let own = tls.certificate.iter().flat_map(|own| [&own.certificate, &own.key]);
            tls.ca.iter().chain(own)
        });
        for file in files {
            let open = std::fs::File::open(file);
            open.map_err(|error| LogError::Setup(format!("TLS file {}: {error}", file.display())))?;
        }
        Ok(())
    }

    /// What every client is told.
    pub(super) fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.brokers.0).set("client.id", &self.client_id);
        // A broker that comes back is found within a second; the default is ten.
        config.set("reconnect.backoff.ms", "100").set("reconnect.backoff.max.ms", "1000");
        // A frozen host keeps its connections open and says nothing.
        config.set("socket.keepalive.enable", "true").set("socket.timeout.ms", "10000");
        config.set("socket.connection.setup.timeout.ms", "5000");
        config.set("enable.metrics.push", "false");
        config.set_log_level(RDKafkaLogLevel::Info);
        config.set(
            "security.protocol",
            match (&self.tls, &self.login) {
                (None, None) => "plaintext",
                (Some(_), None) => "ssl",
                (None, Some(_)) => "sasl_plaintext",
                (Some(_), Some(_)) => "sasl_ssl",
            },
        );
        if let Some(tls) = &self.tls {
            tls.apply(&mut config);
        }
        if let Some(login) = &self.login {
            config.set("sasl.mechanism", login.mechanism.name());
            config.set("sasl.username", &login.user).set("sasl.password", login.password.expose_secret());
        }
        config
    }

    pub(super) fn producer(&self) -> ClientConfig {
        let mut config = self.client();
        let timeout = self.delivery_timeout.as_millis().clamp(100, 60_000).to_string();
        config.set("enable.idempotence", "true").set("acks", "all");
        config.set("message.timeout.ms", &timeout).set("request.timeout.ms", &timeout);
        // No waiting for company: while a request is on its way the next batch gathers by itself.
        config.set("linger.ms", "0").set("compression.type", self.compression.name());
        config.set("message.max.bytes", MAX_RECORD_BYTES.to_string());
        config.set("queue.buffering.max.messages", (2 * super::writer::MOST_IN_FLIGHT).to_string());
        config.set("queue.buffering.max.kbytes", "131072");
        // The same partitions as Java's producer picks, so that other tools find a key where we put it.
        config.set("partitioner", "murmur2_random");
        config
    }

    pub(super) fn consumer(&self, group: &str) -> ClientConfig {
        let mut config = self.client();
        let session = self.session_timeout.as_millis().clamp(1_000, 300_000);
        config.set("group.id", group).set("partition.assignment.strategy", "cooperative-sticky");
        config.set("session.timeout.ms", session.to_string());
        // With its heartbeat a member learns that it has more to read, after another has left.
        config.set("heartbeat.interval.ms", (session / 5).min(1_000).to_string());
        config.set("max.poll.interval.ms", "300000");
        config.set("auto.offset.reset", "earliest");
        config.set("enable.auto.commit", "false").set("enable.auto.offset.store", "false");
        config.set("allow.auto.create.topics", "false");
        config.set("topic.metadata.refresh.interval.ms", "30000");
        // Prefetching is bounded in memory, and goes on soon after there is room again.
        config.set("queued.min.messages", "20000").set("queued.max.messages.kbytes", "32768");
        config.set("fetch.queue.backoff.ms", "10").set("fetch.wait.max.ms", "500");
        config.set("fetch.message.max.bytes", (2 * MAX_RECORD_BYTES).to_string());
        config.set("statistics.interval.ms", "1000");
        config
    }
}

/// `host:port` of one or more brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brokers(String);

impl FromStr for Brokers {
    type Err = LogError;

    /// Reads `kafka://host:9092,host:9092` or the same without `kafka://`. The port may be left out.
    fn from_str(text: &str) -> Result<Self, LogError> {
        let list = text.strip_prefix("kafka://").unwrap_or(text).trim_end_matches('/');
        // Before it is split: a password may hold a comma, and no piece of it may be told.
        if list.contains('@') {
            return Err(LogError::Setup("the address of a broker must not hold a user or a password".to_owned()));
        }
        let brokers: Result<Vec<String>, LogError> =
            list.split(',').zip(1..).map(|(one, number)| broker(one.trim(), number)).collect();
        Ok(Self(brokers?.join(",")))
    }
}

fn broker(text: &str, number: usize) -> Result<String, LogError> {
    // The text is not repeated: of `user:pass` it is the password that is no port.
    let bad = || LogError::Setup(format!("number {number} of the brokers is not host:port"));
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, port),
        None => (text, "9092"),
        Some(_) if text.ends_with(']') => (text, "9092"),
        Some(_) => return Err(bad()),
    };
    let port: NonZeroU16 = port.parse().map_err(|_| bad())?;
    let name = host.strip_prefix('[').map_or(Some(host), |inner| inner.strip_suffix(']')).ok_or_else(bad)?;
    let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if name.is_empty() || !name.chars().all(usual) {
        return Err(bad());
    }
    Ok(format!("{host}:{port}"))
}

impl fmt::Display for Brokers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands before each topic's name; usually nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TopicPrefix(String);

impl TopicPrefix {
    pub(super) fn put_before(&self, name: &str) -> String {
        format!("{self}{name}")
    }

    /// The part of `name` after the prefix.
    pub(super) fn strip<'a>(&self, name: &'a str) -> Option<&'a str> {
        name.strip_prefix(self.0.as_str())
    }
}

impl fmt::Display for TopicPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for TopicPrefix {
    type Err = LogError;

    fn from_str(text: &str) -> Result<Self, LogError> {
        let usual = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if text.len() <= 100 && text.chars().all(usual) {
            return Ok(Self(text.to_owned()));
        }
        Err(LogError::Setup(format!("`{text}` can not stand before a topic's name: at most 100 of a-z A-Z 0-9 . - _")))
    }
}

/// TLS towards the brokers. Their names are always checked.
#[derive(Debug, Clone, Default)]
pub struct KafkaTls {
    /// Certificates to trust, as PEM; none takes the system's.
    pub ca: Option<PathBuf>,
    /// A certificate of our own.
    pub certificate: Option<ClientCertificate>,
}

impl KafkaTls {
    fn apply(&self, config: &mut ClientConfig) {
        if let Some(ca) = &self.ca {
            config.set("ssl.ca.location", ca.to_string_lossy());
        }
        if let Some(own) = &self.certificate {
            config.set("ssl.certificate.location", own.certificate.to_string_lossy());
            config.set("ssl.key.location", own.key.to_string_lossy());
            if let Some(password) = &own.key_password {
                config.set("ssl.key.password", password.expose_secret());
            }
        }
    }
}

/// A certificate that tells the brokers who we are.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The chain, as PEM.
    pub certificate: PathBuf,
    /// Its key, as PEM.
    pub key: PathBuf,
    /// What the key is locked with.
    pub key_password: Option<SecretString>,
}

/// A login at the brokers.
#[derive(Debug, Clone)]
pub struct KafkaLogin {
    /// How the password is shown.
    pub mechanism: SaslMechanism,
    /// The user.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// How a password is shown to the brokers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
pub enum SaslMechanism {
    /// As it is; only sensible inside TLS.
    #[serde(rename = "PLAIN")]
    Plain,
    /// SCRAM with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// SCRAM with SHA-512.
    #[default]
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

impl SaslMechanism {
    fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

/// How batches are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// Not at all.
    None,
    /// lz4.
    #[default]
    Lz4,
}

impl Compression {
    fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Lz4 => "lz4",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brokers_are_read_with_and_without_scheme_and_port() {
        let cases = [
            ("kafka://a:9092", "a:9092"),
            ("kafka://a:9092,b.example.com:19092", "a:9092,b.example.com:19092"),
            ("kafka://a", "a:9092"),
            ("kafka://a:9093/", "a:9093"),
            ("a:1, b:2", "a:1,b:2"),
            ("kafka://[::1]:9092", "[::1]:9092"),
            ("kafka://[::1]", "[::1]:9092"),
        ];
        for (text, wanted) in cases {
            assert_eq!(text.parse::<Brokers>().unwrap().to_string(), wanted, "{text}");
        }
    }

    #[test]
    fn a_reader_that_is_killed_is_given_up_early_enough_to_be_replaced_within_15_s() {
        let settings = KafkaSettings::new("kafka://a".parse().unwrap());
        let consumer = settings.consumer("group");
        let millis = |key: &str| consumer.get(key).unwrap().parse::<u32>().unwrap();
        let (session, heartbeat) = (millis("session.timeout.ms"), millis("heartbeat.interval.ms"));
        assert!(session >= 6_000, "brokers refuse less by default: {session}");
        assert!(heartbeat * 3 <= session, "some heartbeats may be lost: {heartbeat}");
        // What is left is for joining anew, the positions and the first fetch, on a busy machine.
        assert!(session + heartbeat <= 15_000 - 5_000, "{session} and {heartbeat}");
    }

    #[test]
    fn what_is_no_broker_is_refused() {
        for text in ["", "kafka://", "a:0", "a:x", "a:70000", "a,,b", ":9092", "::1:9092", "[::1:9092", "user@a:9092"] {
            assert!(matches!(text.parse::<Brokers>(), Err(LogError::Setup(_))), "{text}");
        }
    }

    #[test]
    fn a_login_in_the_brokers_is_not_told() {
        for text in [
            "kafka://user:hunter2@a:9092",
            "a:9092,user:hunter2@b",
            "kafka://user:hunter2",
            "u:hun,ter2@a",
            "hunter2:x",
        ] {
            let told = text.parse::<Brokers>().unwrap_err().to_string();
            assert!(!told.contains("hun") && !told.contains("ter2"), "{told}");
        }
    }

    #[test]
    fn a_prefix_holds_only_what_a_topic_name_may() {
        assert!("shared.".parse::<TopicPrefix>().is_ok());
        for text in ["a b", "a/", "é", &"x".repeat(101)] {
            assert!(text.parse::<TopicPrefix>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_password_is_in_no_debug_output() {
        let mut settings = KafkaSettings::new("a".parse().unwrap());
        let password = SecretString::from("open sesame");
        settings.login = Some(KafkaLogin { mechanism: SaslMechanism::default(), user: "renkei".into(), password });
        assert!(!format!("{settings:?} {:?}", settings.producer()).contains("sesame"));
    }

    #[test]
    fn every_combination_of_tls_and_login_has_its_protocol() {
        let login = || KafkaLogin { mechanism: SaslMechanism::Plain, user: "u".into(), password: "p".into() };
        let cases = [
            (None, None, "plaintext"),
            (Some(KafkaTls::default()), None, "ssl"),
            (None, Some(login()), "sasl_plaintext"),
            (Some(KafkaTls::default()), Some(login()), "sasl_ssl"),
        ];
        for (tls, login, wanted) in cases {
            let settings = KafkaSettings { tls, login, ..KafkaSettings::new("a".parse().unwrap()) };
            assert_eq!(settings.client().get("security.protocol"), Some(wanted));
        }
    }
}
