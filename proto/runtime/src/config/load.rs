//! Layers into types, each key parsed once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use figment::value::Value;
use secrecy::SecretString;

use super::layers::{KEYS, Layers, Surroundings};
use super::mail;
use super::{
    BaseUrl, Config, ConfigError, IngestConfig, KafkaConfig, LogChoice, LogFormat, MasterKeyConfig, OutsideConfig,
    Program, SecurityProtocol, StoreUrl, SweepConfig, TelemetryConfig, WorkersConfig,
};
use crate::http::guard::AllowPrivate;

impl Config {
    /// Reads the configuration of a program from its surroundings.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn load(program: Program, surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let reader = Reader { layers: Layers::stack(surroundings)? };
        let any = if surroundings.in_container { [0, 0, 0, 0] } else { [127, 0, 0, 1] };
        let port = match program {
            Program::Ingest => 9090,
            Program::Workers => 9091,
        };
        let config = Self {
            store: reader.parsed("store", store)?,
            log: reader.parsed("log", log)?,
            kafka: reader.kafka()?,
            master_key: reader.master_key()?,
            listen: reader.optional("listen", address)?.unwrap_or_else(|| SocketAddr::from((any, 8080))),
            internal_listen: reader.optional("internal_listen", address)?.unwrap_or_else(|| (any, port).into()),
            outside: reader.outside()?,
            clock_scale: reader.number("clock_scale", 1, 10_000)?,
            telemetry: reader.telemetry()?,
            ingest: reader.ingest()?,
            workers: reader.workers()?,
            sweep: reader.sweep()?,
            mail: reader.mail()?,
            egress_addresses: reader.list("egress_addresses")?,
            public_url: reader.optional("public_url", mail::public_url)?,
        };
        if config.clock_scale > 1 && !config.outside.kaonavi_base_url.is_loopback() {
            let url = config.outside.kaonavi_base_url.as_str();
            let reason =
                format!("a faster clock needs every outside base URL on this machine; kaonavi_base_url is {url}");
            return Err(reader.fault("clock_scale", reason));
        }
        if config.clock_scale > 1 && config.mail.smtp.as_ref().is_some_and(|smtp| !smtp.is_loopback()) {
            return Err(reader.fault("clock_scale", "a faster clock needs the mail server on this machine, too"));
        }
        Ok(config)
    }
}

pub(super) struct Reader {
    layers: Layers,
}

impl Reader {
    pub(super) fn fault(&self, path: &str, reason: impl Into<String>) -> ConfigError {
        let secret = KEYS.iter().any(|key| key.path == path && key.secret);
        let value = self.layers.value(path).filter(|_| !secret).map(|value| shown(&value));
        ConfigError { place: self.layers.place(path), value, reason: reason.into() }
    }

    /// The text of a key; empty when it is not given.
    pub(super) fn text(&self, path: &str) -> Result<String, ConfigError> {
        match self.layers.value(path) {
            None => Ok(String::new()),
            Some(Value::String(_, text)) => Ok(text),
            Some(_) => Err(self.fault(path, "must be a text in quotes")),
        }
    }

    fn parsed<T>(&self, path: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T, ConfigError> {
        parse(&self.text(path)?).map_err(|reason| self.fault(path, reason))
    }

    pub(super) fn optional<T>(
        &self,
        path: &str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ConfigError> {
        let text = self.text(path)?;
        if text.is_empty() {
            return Ok(None);
        }
        parse(&text).map(Some).map_err(|reason| self.fault(path, reason))
    }

    pub(super) fn path(&self, path: &str) -> Result<Option<PathBuf>, ConfigError> {
        self.optional(path, |text| Ok(PathBuf::from(text)))
    }

    fn number<T: FromStr + PartialOrd + std::fmt::Display>(
        &self,
        path: &str,
        least: T,
        most: T,
    ) -> Result<T, ConfigError> {
        let text = match self.layers.value(path) {
            Some(Value::String(_, text)) => text,
            Some(Value::Num(_, number)) => number
                .to_i128()
                .or_else(|| number.to_u128().map(|number| number as i128))
                .map_or_else(String::new, |number| number.to_string()),
            _ => String::new(),
        };
        match text.trim().parse::<T>() {
            Ok(number) if number >= least && number <= most => Ok(number),
            _ => Err(self.fault(path, format!("must be a whole number from {least} to {most}"))),
        }
    }

    fn flag(&self, path: &str) -> Result<bool, ConfigError> {
        match self.layers.value(path) {
            Some(Value::Bool(_, flag)) => Ok(flag),
            Some(Value::String(_, text)) if text == "true" => Ok(true),
            Some(Value::String(_, text)) if text == "false" => Ok(false),
            _ => Err(self.fault(path, "must be true or false")),
        }
    }

    pub(super) fn list(&self, path: &str) -> Result<Vec<String>, ConfigError> {
        let texts = match self.layers.value(path) {
            Some(Value::String(_, text)) => text.split(',').map(|item| item.trim().to_owned()).collect(),
            Some(Value::Array(_, items)) => {
                let texts: Option<Vec<String>> = items.into_iter().map(Value::into_string).collect();
                texts.ok_or_else(|| self.fault(path, "must be a list of texts"))?
            }
            Some(_) => return Err(self.fault(path, "must be a list of texts")),
            None => Vec::new(),
        };
        Ok(texts.into_iter().filter(|text| !text.is_empty()).collect())
    }

    pub(super) fn one_of(&self, path: &str, choices: &[&str]) -> Result<String, ConfigError> {
        let text = self.text(path)?;
        if choices.contains(&text.as_str()) {
            return Ok(text);
        }
        let choices: Vec<_> = choices.iter().map(|choice| format!("\"{choice}\"")).collect();
        Err(self.fault(path, format!("must be one of {}", choices.join(", "))))
    }

    fn master_key(&self) -> Result<MasterKeyConfig, ConfigError> {
        let hint = "make one with `openssl rand -base64 32` and keep it: without it the store can not be read";
        if self.text("master_key")?.is_empty() {
            return Err(self.fault("master_key", format!("is missing; {hint}")));
        }
        Ok(MasterKeyConfig {
            current: self.parsed("master_key", master_key)?,
            previous: self.optional("master_key_previous", master_key)?,
        })
    }

    fn outside(&self) -> Result<OutsideConfig, ConfigError> {
        let allowed = self.list("allow_private_base_urls")?;
        let allow_private =
            AllowPrivate::parse(&allowed).map_err(|reason| self.fault("allow_private_base_urls", reason))?;
        let kaonavi_base_url = self.parsed("kaonavi_base_url", |text| BaseUrl::parse(text, &allow_private))?;
        let loopback_only = self.number::<u32>("clock_scale", 1, 10_000)? > 1;
        Ok(OutsideConfig { kaonavi_base_url, allow_private, loopback_only })
    }

    fn telemetry(&self) -> Result<TelemetryConfig, ConfigError> {
        let format = match self.one_of("log_format", &["json", "text"])?.as_str() {
            "text" => LogFormat::Text,
            _ => LogFormat::Json,
        };
        let filter = self.parsed("log_filter", |text| {
            let read = tracing_subscriber::EnvFilter::try_new(text);
            read.map(|_| text.to_owned()).map_err(|error| format!("is not a filter: {error}"))
        })?;
        Ok(TelemetryConfig { format, filter })
    }

    fn ingest(&self) -> Result<IngestConfig, ConfigError> {
        Ok(IngestConfig {
            rate_per_second: self.number("ingest.rate_per_second", 1, 1_000_000)?,
            rate_burst: self.number("ingest.rate_burst", 1, 1_000_000)?,
            tolerance_past_seconds: self.number("ingest.tolerance_past_seconds", 1, 3600)?,
            tolerance_future_seconds: self.number("ingest.tolerance_future_seconds", 0, 3600)?,
            threads: self.number("ingest.threads", 0, 1024)?,
            drain: Duration::from_secs(self.number("ingest.drain_seconds", 1, 3600)?),
        })
    }

    fn workers(&self) -> Result<WorkersConfig, ConfigError> {
        Ok(WorkersConfig {
            roles: self.list("workers.roles")?,
            wake_hints: self.flag("workers.wake_hints")?,
            lease_ttl: Duration::from_millis(self.number("workers.lease_ttl_ms", 1000, 600_000)?),
            batch_size: self.number("workers.batch_size", 1, 1000)?,
        })
    }

    fn sweep(&self) -> Result<SweepConfig, ConfigError> {
        Ok(SweepConfig {
            at_once: self.number("sweep.at_once", 1, 10_000)?,
            feed_interval: Duration::from_millis(self.number("feed.min_interval_ms", 0, 60_000)?),
            hrmos_base_url: self.attendance_url("hrmos.base_url")?,
            kingoftime_base_url: self.attendance_url("kingoftime.base_url")?,
            kinkakuji_base_url: self.attendance_url("kinkakuji.base_url")?,
            hrmos_interval: Duration::from_millis(self.number("hrmos.min_interval_ms", 0, 60_000)?),
            attendance_dir: self.folder("attendance.dir")?,
        })
    }

    fn folder(&self, path: &str) -> Result<Option<PathBuf>, ConfigError> {
        let text = self.text(path)?;
        if text.is_empty() {
            return Ok(None);
        }
        let folder = PathBuf::from(&text);
        if folder.is_absolute() { Ok(Some(folder)) } else { Err(self.fault(path, "must be an absolute path")) }
    }

    fn attendance_url(&self, path: &str) -> Result<BaseUrl, ConfigError> {
        let outside = self.outside()?;
        let url = self.parsed(path, |text| BaseUrl::parse(text, &outside.allow_private))?;
        if !outside.loopback_only || url.is_loopback() {
            return Ok(url);
        }
        if self.layers.is_given(path) {
            return Err(self.fault(path, "a faster clock needs every outside base URL on this machine"));
        }
        // Nobody is there: whoever tries a faster clock without attendance names no source, and none may be called by default.
        let here = AllowPrivate::parse(&["127.0.0.1".to_owned()]).map_err(|reason| self.fault(path, reason))?;
        BaseUrl::parse("http://127.0.0.1:9", &here).map_err(|reason| self.fault(path, reason))
    }

    fn kafka(&self) -> Result<KafkaConfig, ConfigError> {
        let protocols = ["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"];
        let protocol = self.one_of("kafka.security_protocol", &protocols)?;
        let security_protocol = SecurityProtocol { tls: protocol.ends_with("ssl"), sasl: protocol.starts_with("sasl") };
        let user = self.text("kafka.sasl_username")?;
        let password = self.text("kafka.sasl_password")?;
        let sasl = match (security_protocol.sasl, user.is_empty(), password.is_empty()) {
            (true, true, _) => {
                return Err(self.fault("kafka.sasl_username", format!("is missing, and {protocol} needs it")));
            }
            (true, _, true) => {
                return Err(self.fault("kafka.sasl_password", format!("is missing, and {protocol} needs it")));
            }
            (true, false, false) => Some((user, SecretString::from(password))),
            (false, true, true) => None,
            (false, _, _) => {
                let reason = format!("is \"{protocol}\", but a login is given; use sasl_ssl or sasl_plaintext");
                return Err(ConfigError { value: None, ..self.fault("kafka.security_protocol", reason) });
            }
        };
        let certificate = self.path("kafka.ssl_certificate_location")?;
        let ssl_certificate = match (certificate, self.path("kafka.ssl_key_location")?) {
            (Some(certificate), Some(key)) => Some((certificate, key)),
            (None, None) => None,
            (Some(_), None) => {
                return Err(self.fault("kafka.ssl_key_location", "is missing; the certificate needs its key"));
            }
            (None, Some(_)) => {
                return Err(self.fault("kafka.ssl_certificate_location", "is missing; the key needs its certificate"));
            }
        };
        let replicas: u16 = self.number("kafka.replication_factor", 0, 100)?;
        Ok(KafkaConfig {
            security_protocol,
            sasl_mechanism: self.one_of("kafka.sasl_mechanism", &["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])?,
            sasl,
            ssl_ca_location: self.path("kafka.ssl_ca_location")?,
            ssl_certificate,
            partitions: self.number("kafka.partitions", 1, 10_000)?,
            replication_factor: Some(replicas).filter(|replicas| *replicas > 0),
            topic_prefix: self.text("kafka.topic_prefix")?,
            client_id: self.text("kafka.client_id")?,
            compression: self.one_of("kafka.compression", &["lz4", "none"])?,
        })
    }
}

/// A value for a message.
fn shown(value: &Value) -> String {
    match value {
        Value::String(_, text) => text.clone(),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_i128()
            .map(|number| number.to_string())
            .or_else(|| number.to_f64().map(|number| number.to_string()))
            .unwrap_or_default(),
        Value::Array(_, items) => items.iter().map(shown).collect::<Vec<_>>().join(","),
        Value::Dict(..) => "{…}".to_owned(),
        _ => String::new(),
    }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "must be an address and a port, like 127.0.0.1:8080".to_owned())
}

fn store(text: &str) -> Result<StoreUrl, String> {
    if let Some(path) = text.strip_prefix("sqlite://") {
        // "sqlite::memory:" and "?mode=" forms would lose the state or its durability.
        if path.is_empty() || path.contains('?') || path.contains(":memory:") {
            return Err("must name a file, like sqlite:///var/lib/renkei/renkei.db".to_owned());
        }
        return Ok(StoreUrl::Sqlite(PathBuf::from(path)));
    }
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        let encode = "in a user or password write @ : / ? # and % as %40 %3A %2F %3F %23 and %25";
        let url = reqwest::Url::parse(text).map_err(|error| format!("is not a URL: {error}; {encode}"))?;
        // Otherwise the start of a password would be taken for the host, and told as such.
        if url.fragment().is_some() || (url.username().is_empty() && text.contains('@')) {
            return Err(format!("is not understood; {encode}"));
        }
        if url.host_str().is_none_or(str::is_empty) && url.query().is_none() {
            return Err("has no host".to_owned());
        }
        for (name, value) in url.query_pairs() {
            parameter(&name, &value)?;
        }
        return Ok(StoreUrl::Postgres(SecretString::from(text.to_owned())));
    }
    Err("must start with sqlite:// or postgres://".to_owned())
}

/// What may follow the `?` of a PostgreSQL URL. The driver passes over what it does not know, so that a misspelt `sslmode` would
/// leave the connection unchecked; and it repeats it in a warning.
fn parameter(name: &str, value: &str) -> Result<(), String> {
    const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];
    const OTHERS: [&str; 7] = ["sslrootcert", "sslcert", "sslkey", "application_name", "host", "port", "options"];
    match name {
        "sslmode" if MODES.contains(&value) => Ok(()),
        "sslmode" => Err(format!("has a sslmode that is none of {}", MODES.join(", "))),
        name if OTHERS.contains(&name) => Ok(()),
        _ => Err(format!("has a parameter that is not known; known are sslmode, {}", OTHERS.join(", "))),
    }
}

fn log(text: &str) -> Result<LogChoice, String> {
    match text {
        "embedded" => Ok(LogChoice::Embedded),
        _ if text.contains('@') => Err("must not hold a user or a password; give them in RENKEI_KAFKA_SASL_USERNAME \
            and RENKEI_KAFKA_SASL_PASSWORD"
            .to_owned()),
        _ if text.strip_prefix("kafka://").is_some_and(|brokers| !brokers.trim_matches('/').is_empty()) => {
            Ok(LogChoice::Kafka(text.to_owned()))
        }
        _ => Err("must be \"embedded\" or kafka://host:9092,host2:9092".to_owned()),
    }
}

fn master_key(text: &str) -> Result<SecretString, String> {
    let decoded = STANDARD.decode(text.trim()).map(zeroize::Zeroizing::new);
    if decoded.is_ok_and(|key| key.len() == 32) {
        return Ok(SecretString::from(text.trim().to_owned()));
    }
    Err("must be base64 of exactly 32 bytes, as `openssl rand -base64 32` prints it".to_owned())
}
