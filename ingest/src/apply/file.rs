//! The file's form. Every key is documented in `docs/connections.md`, with a complete example that a test applies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use super::ApplyError;
use super::secret::SecretRef;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct File {
    /// Companies.
    pub tenants: Vec<TenantFile>,
}

/// One company.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantFile {
    /// Letters, digits, `-`, `_`.
    pub id: Spanned<String>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// Its connections.
    #[serde(default)]
    pub connections: Vec<ConnectionFile>,
}

/// One connection. What is left out stays as it is.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConnectionFile {
    /// Letters, digits, `-`, `_`; stands in the webhook's URL.
    pub id: Spanned<String>,
    /// What people call it.
    #[serde(default)]
    pub name: Option<String>,
    /// The sending system.
    #[serde(default)]
    pub source: Option<Spanned<String>>,
    /// What may sign.
    #[serde(default)]
    pub webhook_secrets: Option<Vec<WebhookSecretFile>>,
    /// The destination.
    #[serde(default)]
    pub kaonavi: Option<KaonaviFile>,
    /// 連携項目.
    #[serde(default)]
    pub mapping: Option<MappingFile>,
    /// How it is delivered.
    #[serde(default)]
    pub delivery: Option<DeliveryFile>,
    /// `active` or `paused`.
    #[serde(default)]
    pub state: Option<Spanned<String>>,
}

/// A webhook secret.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookSecretFile {
    /// Names it; by default its place in the list.
    #[serde(default)]
    pub id: Option<String>,
    /// Where it is.
    pub secret: Spanned<SecretRef>,
    /// RFC 3339; by default never.
    #[serde(default)]
    pub expires: Option<Spanned<String>>,
}

/// The destination account.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KaonaviFile {
    /// By default the installation's.
    #[serde(default)]
    pub base_url: Option<Spanned<String>>,
    /// Consumer Key.
    pub consumer_key: Spanned<SecretRef>,
    /// Consumer Secret.
    pub consumer_secret: Spanned<SecretRef>,
}

/// 連携項目.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingFile {
    /// Between 姓 and 名.
    #[serde(default)]
    pub name_joiner: Option<String>,
    /// The source's 性別 → カオナビ's choice; null: do not send.
    #[serde(default)]
    pub gender: Option<BTreeMap<String, Option<String>>>,
    /// Values that a new member gets: `mail`, `custom:412`, …
    #[serde(default)]
    pub constants: Option<BTreeMap<String, String>>,
    /// Fields that are cleared when the source has no value any more.
    #[serde(default)]
    pub clear_when_empty: Option<Spanned<BTreeSet<String>>>,
    /// Whether hiragana in readings becomes katakana.
    #[serde(default)]
    pub hiragana_to_katakana: Option<bool>,
}

/// How a connection is delivered.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeliveryFile {
    /// Most people of one call.
    #[serde(default)]
    pub batch_size: Option<Spanned<u32>>,
    /// Whether カオナビ runs tasks strictly in order.
    #[serde(default)]
    pub fifo_tasks: Option<bool>,
    /// `off`: a mass change is not held.
    #[serde(default)]
    pub brake: Option<Spanned<String>>,
    /// `off`: the number of new members is not limited.
    #[serde(default)]
    pub ceiling: Option<Spanned<String>>,
}

/// A document with its path, for messages.
#[derive(Debug)]
pub struct Document<'a> {
    /// Where it was read from.
    pub path: &'a Path,
    /// What it says.
    pub file: File,
}

/// Reads the form; what it means is judged by the plan.
///
/// # Errors
/// With line and column.
pub fn parse<'a>(path: &'a Path, text: &str) -> Result<Document<'a>, ApplyError> {
    match serde_saphyr::from_str::<File>(text) {
        Ok(file) => Ok(Document { path, file }),
        Err(error) => {
            let location = error.location();
            let line = location.map_or(1, |location| location.line());
            let column = location.map_or(1, |location| location.column());
            let reason = error.to_string();
            let reason = reason.lines().next().unwrap_or("is not as it must be").to_owned();
            let key = key_at(text, line).unwrap_or_else(|| "document".to_owned());
            Err(ApplyError::File { path: path.to_owned(), line, column, key, reason })
        }
    }
}

/// The key that stands in a line, for messages.
fn key_at(text: &str, line: u64) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let text = text.lines().nth(index)?.trim().trim_start_matches("- ");
    let key = text.split(':').next()?.trim();
    (!key.is_empty()).then(|| key.to_owned())
}
