//! Where a secret of the file is: in another file or in the environment, never in the file itself.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// A reference to a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// The content of a file, without the line end.
    File(PathBuf),
    /// The value of an environment variable.
    Env(String),
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RefVisitor)
    }
}

struct RefVisitor;

impl<'de> Visitor<'de> for RefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{file: PATH} or {env: NAME}")
    }

    fn visit_str<E: Error>(self, _literal: &str) -> Result<SecretRef, E> {
        // The text is not repeated: it may be the secret.
        Err(E::custom("a secret must not stand in the file itself; write {file: PATH} or {env: NAME}"))
    }

    fn visit_i64<E: Error>(self, _literal: i64) -> Result<SecretRef, E> {
        self.visit_str("")
    }

    fn visit_u64<E: Error>(self, _literal: u64) -> Result<SecretRef, E> {
        self.visit_str("")
    }

    fn visit_f64<E: Error>(self, _literal: f64) -> Result<SecretRef, E> {
        self.visit_str("")
    }

    fn visit_bool<E: Error>(self, _literal: bool) -> Result<SecretRef, E> {
        self.visit_str("")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<String>()?;
            let reference = match key.as_str() {
                "file" => SecretRef::File(PathBuf::from(value)),
                "env" => SecretRef::Env(value),
                _ => return Err(A::Error::custom("a secret is {file: PATH} or {env: NAME}")),
            };
            if found.replace(reference).is_some() {
                return Err(A::Error::custom("a secret is either {file: PATH} or {env: NAME}, not both"));
            }
        }
        found.ok_or_else(|| A::Error::custom("a secret is {file: PATH} or {env: NAME}"))
    }
}

impl SecretRef {
    /// Reads the secret. A relative file is looked for from `folder`, where the declaring file is.
    ///
    /// # Errors
    /// Says which file or variable is missing or empty.
    pub fn read(&self, folder: &std::path::Path) -> Result<SecretString, String> {
        let text = match self {
            SecretRef::File(path) => {
                let path = folder.join(path);
                std::fs::read_to_string(&path).map_err(|cause| format!("{}: {cause}", path.display()))?
            }
            SecretRef::Env(name) => {
                std::env::var(name).map_err(|_| format!("environment variable {name} is not set"))?
            }
        };
        let text = text.trim_end_matches(['\n', '\r']);
        if text.is_empty() {
            return Err(match self {
                SecretRef::File(path) => format!("{} is empty", path.display()),
                SecretRef::Env(name) => format!("environment variable {name} is empty"),
            });
        }
        Ok(SecretString::from(text.to_owned()))
    }
}
