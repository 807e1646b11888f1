//! Configuration: compiled-in defaults, then a TOML file, then the environment.
//!
//! [`DEFAULTS`] documents every key. Whatever is wrong stops the start with one line that names the key, the value (unless
//! it is a secret) and the reason.

mod layers;
mod load;
mod mail;
mod url;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

pub use layers::{KEYS, Surroundings};
pub use mail::{MailConfig, SmtpConfig, SmtpTls, is_mail_address};
pub use url::BaseUrl;

use crate::http::guard::AllowPrivate;

/// The annotated default file.
pub const DEFAULTS: &str = include_str!("config/default.toml");

/// Exit code of a process that was started with a bad configuration.
pub const EXIT_BAD_CONFIG: u8 = 2;

/// Which of the two programs is started; some defaults differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `renkei-ingest`.
    Ingest,
    /// `renkei-workers`.
    Workers,
}

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where the state lives.
    pub store: StoreUrl,
    /// Where events go.
    pub log: LogChoice,
    /// How Kafka is used, when the log is Kafka.
    pub kafka: KafkaConfig,
    /// What seals the store.
    pub master_key: MasterKeyConfig,
    /// Where webhooks are received.
    pub listen: SocketAddr,
    /// Probes and metrics.
    pub internal_listen: SocketAddr,
    /// The systems outside.
    pub outside: OutsideConfig,
    /// How many times faster than real time the injected clock runs.
    pub clock_scale: u32,
    /// What is logged.
    pub telemetry: TelemetryConfig,
    /// Receiving.
    pub ingest: IngestConfig,
    /// Working.
    pub workers: WorkersConfig,
    /// What is due at the sources.
    pub sweep: SweepConfig,
    /// Mails to people in charge.
    pub mail: MailConfig,
    /// Our own addresses, for IP restrictions at sources.
    pub egress_addresses: Vec<String>,
    /// Where people reach Renkei with a browser, without a slash at its end.
    pub public_url: Option<String>,
}

/// Where the state lives.
#[derive(Clone)]
pub enum StoreUrl {
    /// A file on this machine.
    Sqlite(PathBuf),
    /// A PostgreSQL server. The URL may hold a password.
    Postgres(SecretString),
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreUrl::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            StoreUrl::Postgres(_) => f.write_str("Postgres(redacted)"),
        }
    }
}

impl StoreUrl {
    /// The URL, for opening the store. Never for logs.
    #[must_use]
    pub fn expose(&self) -> SecretString {
        match self {
            StoreUrl::Sqlite(path) => SecretString::from(format!("sqlite://{}", path.display())),
            StoreUrl::Postgres(url) => url.clone(),
        }
    }
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogChoice {
    /// A table of the store.
    Embedded,
    /// Kafka; the text is `kafka://host:9092,…` as it was given.
    Kafka(String),
}

/// How the connection to the brokers is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecurityProtocol {
    /// TLS.
    pub tls: bool,
    /// A login.
    pub sasl: bool,
}

/// How Kafka is used. Checked for what belongs together; the log checks the rest.
#[derive(Debug, Clone)]
pub struct KafkaConfig {
    /// TLS and login.
    pub security_protocol: SecurityProtocol,
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub sasl_mechanism: String,
    /// User and password; there when the protocol has a login.
    pub sasl: Option<(String, SecretString)>,
    /// Authorities to trust.
    pub ssl_ca_location: Option<PathBuf>,
    /// Our certificate and its key.
    pub ssl_certificate: Option<(PathBuf, PathBuf)>,
    /// Partitions of a topic that is created.
    pub partitions: u16,
    /// Replicas of a topic that is created; `None` is the brokers' default.
    pub replication_factor: Option<u16>,
    /// Before every topic's name.
    pub topic_prefix: String,
    /// The name that the brokers see.
    pub client_id: String,
    /// `lz4` or `none`.
    pub compression: String,
}

/// What seals the store: base64 of 32 bytes each.
#[derive(Debug, Clone)]
pub struct MasterKeyConfig {
    /// The key.
    pub current: SecretString,
    /// The one before, while keys are changed.
    pub previous: Option<SecretString>,
}

/// The systems outside.
#[derive(Debug, Clone)]
pub struct OutsideConfig {
    /// カオナビ's API.
    pub kaonavi_base_url: BaseUrl,
    /// Which private addresses may be called.
    pub allow_private: AllowPrivate,
    /// Whether only this machine may be called, because the clock runs faster than the world's.
    pub loopback_only: bool,
}

impl OutsideConfig {
    /// Whether credentials may be sent to `url`: to カオナビ's own host, or to one that the installation allows by name or
    /// address.
    #[must_use]
    pub fn may_be_called(&self, url: &BaseUrl) -> bool {
        url.same_host(&self.kaonavi_base_url) || url.is_allowed(&self.allow_private)
    }
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// What is logged.
#[derive(Debug, Clone)]
pub struct TelemetryConfig {
    /// How a line looks.
    pub format: LogFormat,
    /// Which lines are written.
    pub filter: String,
}

/// Receiving.
#[derive(Debug, Clone)]
pub struct IngestConfig {
    /// Deliveries a second, per connection and replica.
    pub rate_per_second: u32,
    /// Deliveries at once.
    pub rate_burst: u32,
    /// Oldest timestamp, in seconds.
    pub tolerance_past_seconds: i64,
    /// Furthest timestamp ahead, in seconds.
    pub tolerance_future_seconds: i64,
    /// Threads that answer; 0 is one per core.
    pub threads: usize,
    /// How long requests in flight may take to end.
    pub drain: Duration,
}

/// Working.
#[derive(Debug, Clone)]
pub struct WorkersConfig {
    /// Which work; empty means all.
    pub roles: Vec<String>,
    /// Whether notifications shorten polling.
    pub wake_hints: bool,
    /// How long an account stays with a silent worker.
    pub lease_ttl: Duration,
    /// Most employees of one call.
    pub batch_size: usize,
}

/// What is due on the calendar at the sources.
#[derive(Debug, Clone)]
pub struct SweepConfig {
    /// How many sources one process asks at the same time.
    pub at_once: usize,
    /// How long an employee feed is left alone between two calls with one token (injected clock).
    pub feed_interval: Duration,
    /// HRMOS勤怠's Web API.
    pub hrmos_base_url: BaseUrl,
    /// KING OF TIME's web API.
    pub kingoftime_base_url: BaseUrl,
    /// 勤革時's web API.
    pub kinkakuji_base_url: BaseUrl,
    /// How long a source of attendance is left alone between two calls with one key (injected clock).
    pub hrmos_interval: Duration,
    /// Where files for クラウドログ are put as well.
    pub attendance_dir: Option<PathBuf>,
}

/// A configuration that can not be used. Shown as one line, without what is secret in a URL.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The variable or key, and where it stands.
    pub place: String,
    /// The value as it was given; never of a secret.
    pub value: Option<String>,
    /// What is wrong and what would be right.
    pub reason: String,
}

impl ConfigError {
    /// A fault of a key that is judged outside of this module.
    #[must_use]
    pub fn of_key(path: &str, value: Option<&str>, reason: impl Into<String>) -> Self {
        Self { place: layers::variable(path), value: value.map(str::to_owned), reason: reason.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bad configuration: ")?;
        f.write_str(&without_login(&self.place))?;
        if let Some(value) = &self.value {
            // One line, whatever was given.
            write!(f, " = {:?}", without_login(value))?;
        }
        write!(f, ": {}", without_login(&self.reason))
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfigError({self})")
    }
}

/// `text` as it may be shown: of a URL, without user, password and query, wherever in the text it stands.
///
/// It would rather hide too much than too little: a password that was not percent-encoded may hold any character.
#[must_use]
pub fn without_login(text: &str) -> String {
    let Some(scheme) = text.find("://") else {
        return match text.rfind('@') {
            Some(at) => format!("…{}", &text[at..]),
            None => text.to_owned(),
        };
    };
    let (before, rest) = text.split_at(scheme + "://".len());
    let (login, rest) = match rest.rfind('@') {
        Some(at) => ("…", &rest[at..]),
        None => ("", rest),
    };
    match rest.find(['?', '#']) {
        Some(query) => format!("{before}{login}{}…", &rest[..=query]),
        None => format!("{before}{login}{rest}"),
    }
}

impl std::error::Error for ConfigError {}

impl Config {
    /// Reads the configuration of this process.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn from_process(program: Program) -> Result<Self, ConfigError> {
        Self::load(program, &Surroundings::of_process()?)
    }
}
