//! Which keys there are, and how file and environment lie over the defaults.

use std::path::{Path, PathBuf};

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::{ConfigError, DEFAULTS};

/// One key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// As in the file, such as `kafka.client_id`.
    pub path: &'static str,
    /// Its value is never shown, and it can be given as a file.
    pub secret: bool,
}

const fn key(path: &'static str) -> Key {
    Key { path, secret: false }
}

const fn secret(path: &'static str) -> Key {
    Key { path, secret: true }
}

/// All keys.
pub const KEYS: &[Key] = &[
    secret("store"),
    key("log"),
    secret("master_key"),
    secret("master_key_previous"),
    key("listen"),
    key("internal_listen"),
    key("kaonavi_base_url"),
    key("allow_private_base_urls"),
    key("clock_scale"),
    key("log_format"),
    key("log_filter"),
    key("ingest.rate_per_second"),
    key("ingest.rate_burst"),
    key("ingest.tolerance_past_seconds"),
    key("ingest.tolerance_future_seconds"),
    key("ingest.threads"),
    key("ingest.drain_seconds"),
    key("workers.roles"),
    key("workers.wake_hints"),
    key("workers.lease_ttl_ms"),
    key("workers.batch_size"),
    key("sweep.at_once"),
    key("feed.min_interval_ms"),
    key("hrmos.base_url"),
    key("hrmos.min_interval_ms"),
    key("kingoftime.base_url"),
    key("kinkakuji.base_url"),
    key("attendance.dir"),
    key("kafka.security_protocol"),
    key("kafka.sasl_mechanism"),
    key("kafka.sasl_username"),
    secret("kafka.sasl_password"),
    key("kafka.ssl_ca_location"),
    key("kafka.ssl_certificate_location"),
    key("kafka.ssl_key_location"),
    key("kafka.partitions"),
    key("kafka.replication_factor"),
    key("kafka.topic_prefix"),
    key("kafka.client_id"),
    key("kafka.compression"),
    key("public_url"),
    key("egress_addresses"),
    key("mail.smtp_host"),
    key("mail.smtp_tls"),
    key("mail.smtp_ca_location"),
    key("mail.smtp_user"),
    secret("mail.smtp_password"),
    key("mail.from"),
    key("mail.fallback_to"),
];

const PREFIX: &str = "RENKEI_";
const FILE_VARIABLE: &str = "RENKEI_CONFIG";
const FILE_SUFFIX: &str = "_file";

/// The variable of a key: `RENKEI_KAFKA_CLIENT_ID` of `kafka.client_id`.
pub(super) fn variable(path: &str) -> String {
    format!("{PREFIX}{}", path.replace('.', "_").to_ascii_uppercase())
}

/// What the configuration is read from, so that a test can hand in its own.
pub struct Surroundings {
    /// Environment variables.
    pub variables: Vec<(String, String)>,
    /// Whether the process runs in a container.
    pub in_container: bool,
    /// Reads a file.
    pub read: fn(&Path) -> std::io::Result<String>,
}

impl std::fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Surroundings").field("in_container", &self.in_container).finish_non_exhaustive()
    }
}

impl Surroundings {
    /// Those of this process.
    pub(super) fn of_process() -> Result<Self, ConfigError> {
        let mut variables = Vec::new();
        for (name, value) in std::env::vars_os() {
            // Foreign variables may hold anything; ours are text.
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
            let value = value.into_string().map_err(|_| ConfigError {
                place: name.to_owned(),
                value: None,
                reason: "is not UTF-8".to_owned(),
            })?;
            variables.push((name.to_owned(), value));
        }
        let in_container = std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
            || ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
        Ok(Self { variables, in_container, read: |path| std::fs::read_to_string(path) })
    }
}

/// The layers, one over the other.
pub(super) struct Layers {
    figment: Figment,
    file: Option<PathBuf>,
}

impl Layers {
    /// Lays file and environment over the defaults; refuses keys that are not there.
    pub(super) fn stack(surroundings: &Surroundings) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        let named = surroundings.variables.iter().find(|(name, value)| name == FILE_VARIABLE && !value.is_empty());
        let file = named.map(|(_, path)| PathBuf::from(path));
        if let Some(path) = &file {
            let dict = read_file(surroundings, path)?;
            figment = figment.merge(Given { name: "file".to_owned(), dict });
        }
        let mut variables: Vec<_> = surroundings.variables.iter().filter(|(_, value)| !value.is_empty()).collect();
        variables.sort();
        for (name, value) in variables {
            if let Some(path) = path_of_variable(name)? {
                let dict = figment::util::nest(&path, Value::from(value.clone())).into_dict().unwrap_or_default();
                figment = figment.merge(Given { name: name.clone(), dict });
            }
        }
        let mut layers = Self { figment, file };
        layers.read_secret_files(surroundings)?;
        Ok(layers)
    }

    /// Puts what a `…_file` key names in the place of the key itself.
    fn read_secret_files(&mut self, surroundings: &Surroundings) -> Result<(), ConfigError> {
        for key in KEYS.iter().filter(|key| key.secret) {
            let by_file = format!("{}{FILE_SUFFIX}", key.path);
            let Some(Value::String(_, name)) = self.value(&by_file) else { continue };
            if name.is_empty() {
                continue;
            }
            let place = self.place(&by_file);
            // Who mistakes the one variable for the other gives the secret itself where its file should stand.
            let value = looks_like_a_path(&name).then(|| name.clone());
            let fault = |reason: String| ConfigError { place: place.clone(), value: value.clone(), reason };
            // The default does not count as given: a file over it is what the operator wants.
            if self.is_given(key.path) {
                return Err(fault(format!("{} is given as well; keep one of them", self.place(key.path))));
            }
            let text =
                (surroundings.read)(Path::new(&name)).map_err(|error| fault(format!("can not be read: {error}")))?;
            let text = text.trim_end_matches(['\n', '\r']).to_owned();
            let dict = figment::util::nest(key.path, Value::from(text)).into_dict().unwrap_or_default();
            let shown = value.as_ref().map(|path| format!(" = {path:?}")).unwrap_or_default();
            let given = Given { name: format!("{place}{shown}"), dict };
            self.figment = self.figment.clone().merge(given);
        }
        Ok(())
    }

    /// The value of a key, if it has one.
    pub(super) fn value(&self, path: &str) -> Option<Value> {
        self.figment.find_value(path).ok()
    }

    pub(super) fn is_given(&self, path: &str) -> bool {
        self.figment.find_metadata(path).is_some_and(|layer| layer.name == "file" || layer.name.starts_with(PREFIX))
    }

    /// Where the value of a key comes from, for a message.
    pub(super) fn place(&self, path: &str) -> String {
        match self.figment.find_metadata(path).map(|layer| layer.name.as_ref()) {
            Some("file") => format!("{path} in {}", self.file.as_deref().unwrap_or(Path::new("?")).display()),
            Some(name) if name.starts_with(PREFIX) => name.to_owned(),
            _ => variable(path),
        }
    }
}

/// One layer with a name of its own, so that a fault can be traced to it.
struct Given {
    name: String,
    dict: Dict,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.dict.clone()))
    }
}

fn read_file(surroundings: &Surroundings, path: &Path) -> Result<Dict, ConfigError> {
    let shown = path.display().to_string();
    let text = (surroundings.read)(path).map_err(|error| ConfigError {
        place: FILE_VARIABLE.to_owned(),
        value: Some(shown.clone()),
        reason: format!("can not be read: {error}"),
    })?;
    let dict = Toml::from_str::<Dict>(&text).map_err(|error| {
        let line = error.span().map_or(1, |span| text.get(..span.start).unwrap_or("").matches('\n').count() + 1);
        let reason = format!("line {line} is not TOML: {}", error.message().replace('\n', " "));
        ConfigError { place: shown.clone(), value: None, reason }
    })?;
    for (name, value) in &dict {
        match value {
            Value::Dict(_, inner) if is_section(name) => {
                for key in inner.keys() {
                    known(&format!("{name}.{key}"), &shown)?;
                }
            }
            _ => known(name, &shown)?,
        }
    }
    Ok(dict)
}

/// Whether a text can be shown as the path of a secret's file: it is not a secret in its place.
fn looks_like_a_path(text: &str) -> bool {
    let is_key = text.len() >= 40 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
    let starts = ["/", "./", "../"].iter().any(|start| text.starts_with(start));
    starts && !is_key && !text.contains("://") && !text.contains('@')
}

fn is_section(name: &str) -> bool {
    KEYS.iter().any(|key| key.path.split_once('.').is_some_and(|(section, _)| section == name))
}

fn find(path: &str) -> bool {
    let by_file = path.strip_suffix(FILE_SUFFIX);
    KEYS.iter().any(|key| key.path == path || (key.secret && Some(key.path) == by_file))
}

fn known(path: &str, file: &str) -> Result<(), ConfigError> {
    if find(path) {
        return Ok(());
    }
    let reason = if is_section(path) { "is a section, not a key" } else { "unknown key" };
    Err(ConfigError { place: format!("{path} in {file}"), value: None, reason: reason.to_owned() })
}

/// The key of a variable; `None` for one that is not ours to judge.
fn path_of_variable(name: &str) -> Result<Option<String>, ConfigError> {
    let Some(rest) = name.strip_prefix(PREFIX) else { return Ok(None) };
    if name == FILE_VARIABLE || is_service_link(rest) {
        return Ok(None);
    }
    for key in KEYS {
        if variable(key.path) == name {
            return Ok(Some(key.path.to_owned()));
        }
        if key.secret && format!("{}_FILE", variable(key.path)) == name {
            return Ok(Some(format!("{}{FILE_SUFFIX}", key.path)));
        }
    }
    Err(ConfigError { place: name.to_owned(), value: None, reason: "unknown key".to_owned() })
}

/// Kubernetes sets such variables in every pod for a service whose name starts with `renkei-`.
fn is_service_link(rest: &str) -> bool {
    let of_port = |after: &str| {
        let mut parts = after.split('_').filter(|part| !part.is_empty());
        let number = parts.next().is_none_or(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
        number && parts.next().is_none_or(|part| matches!(part, "TCP" | "UDP" | "SCTP"))
    };
    rest.ends_with("_SERVICE_HOST")
        || rest.contains("_SERVICE_PORT")
        || rest.split_once("_PORT").is_some_and(|(_, after)| of_port(after))
}
