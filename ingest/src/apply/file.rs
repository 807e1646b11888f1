//! The file's form. Every key is documented in `docs/connections.md`, with a complete example that a test applies.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use renkei_events::csv::Field;
use renkei_store::settings::{CustomField, Filter};
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
    /// The employee feed of the source.
    #[serde(default)]
    pub feed: Option<FeedFile>,
    /// That people come by CSV, and how the columns are called.
    #[serde(default)]
    pub csv: Option<CsvFile>,
    /// 連携対象者.
    #[serde(default)]
    pub filter: Option<Filter>,
    /// 連携項目.
    #[serde(default)]
    pub mapping: Option<MappingFile>,
    /// How it is delivered.
    #[serde(default)]
    pub delivery: Option<DeliveryFile>,
    /// Who is told by mail.
    #[serde(default)]
    pub notify: Option<NotifyFile>,
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

/// Where the source is asked every quarter hour for what changed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeedFile {
    /// The address, without a query.
    pub url: Spanned<String>,
    /// The Bearer token that the source wants.
    pub token: Spanned<SecretRef>,
    /// How far before the newest known change is asked again.
    #[serde(default)]
    pub overlap_minutes: Option<u32>,
}

/// That people come by CSV.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CsvFile {
    /// Name in the file → field; null: pass it over.
    #[serde(default)]
    pub columns: Option<Spanned<BTreeMap<String, Option<Field>>>>,
}

/// 連携項目.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingFile {
    /// Between 姓 and 名.
    #[serde(default)]
    pub name_joiner: Option<String>,
    /// The 性別 labels that the source has, beside those that arrive.
    #[serde(default)]
    pub gender_labels: Option<BTreeSet<String>>,
    /// The source's 性別 → カオナビ's choice; null: do not send.
    #[serde(default)]
    pub gender: Option<BTreeMap<String, Option<String>>>,
    /// Whether the mail address goes over.
    #[serde(default)]
    pub mail: Option<bool>,
    /// Whether 退職日 goes over when somebody becomes 退職.
    #[serde(default)]
    pub retired_date: Option<bool>,
    /// The source's department code → カオナビ's 所属; `off`: 所属 does not go over.
    #[serde(default)]
    pub departments: Option<Spanned<TableFile>>,
    /// `custom:412` → what fills it.
    #[serde(default)]
    pub custom: Option<Spanned<BTreeMap<String, CustomField>>>,
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

/// A table, or none.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum TableFile {
    /// Source → カオナビ.
    Table(BTreeMap<String, String>),
    /// `off`, which YAML reads as "no".
    Flag(bool),
}

/// A number, or none.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum NumberFile {
    /// At most so many.
    Number(u32),
    /// `off`, which YAML reads as "no".
    Flag(bool),
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
    /// `on_arrival` or `quarter_hour`.
    #[serde(default)]
    pub timing: Option<Spanned<String>>,
    /// `on` or `off`: whether a mass change is held.
    #[serde(default)]
    pub brake: Option<Spanned<String>>,
    /// How many hires in ten minutes are not held; `off`: any number.
    #[serde(default)]
    pub ceiling: Option<Spanned<NumberFile>>,
    /// `park` or `halt`: what happens when a record is rejected.
    #[serde(default)]
    pub on_rejected: Option<Spanned<String>>,
}

/// Who is told by mail when a person is needed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotifyFile {
    /// Addresses; the list replaces the one before.
    #[serde(default)]
    pub recipients: Option<Vec<Spanned<String>>>,
    /// Whether a mail may name people.
    #[serde(default)]
    pub names_in_mail: Option<bool>,
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
            let key = key_at(text, line, column).unwrap_or_else(|| "document".to_owned());
            Err(ApplyError::File { path: path.to_owned(), line, column, key, reason: reason(&error.to_string()) })
        }
    }
}

/// The first line of the parser's message, without the place, which is told already.
fn reason(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let first = first.strip_prefix("error: ").unwrap_or(first);
    let first = match first.split_once(": ") {
        Some((place, rest)) if place.starts_with("line ") => rest,
        _ => first,
    };
    if first.is_empty() { "is not as it must be".to_owned() } else { first.to_owned() }
}

/// The key at a place, or the one whose value is there, for messages.
fn key_at(text: &str, line: u64, column: u64) -> Option<String> {
    let index = usize::try_from(line).ok()?.checked_sub(1)?;
    let line = text.lines().nth(index)?;
    let at = usize::try_from(column).ok()?.saturating_sub(1);
    let split = line.char_indices().nth(at).map_or(line.len(), |(byte, _)| byte);
    let (before, after) = line.split_at(split);
    let is_part = |c: char| !c.is_whitespace() && !"{}[],:\"'".contains(c);
    let here = after.trim_start_matches(['"', '\'']).split(|c| !is_part(c)).next().unwrap_or_default();
    let followed =
        after.split_once(here).is_some_and(|(_, rest)| rest.trim_start_matches(['"', '\'']).starts_with(':'));
    if !here.is_empty() && followed {
        return Some(here.to_owned());
    }
    let (name, _) = before.rsplit_once(':').or_else(|| line.split_once(':'))?;
    let name = name.rsplit(|c| !is_part(c)).find(|part| !part.is_empty())?;
    Some(name.trim_start_matches('-').to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use renkei_runtime::clock::SystemClock;
    use renkei_runtime::config::{BaseUrl, OutsideConfig};
    use renkei_runtime::http::guard::AllowPrivate;
    use renkei_store::Store;
    use renkei_store::seal::MasterKey;

    use super::*;
    use crate::apply::plan;

    const EXAMPLE: &str = include_str!("../../../docs/examples/connections.yaml");
    const EVERY_KEY: &str = include_str!("../../../docs/examples/every-key.yaml");
    const PAGE: &str = include_str!("../../../docs/connections.md");
    /// 32 bytes of 7.
    const KEY: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=";

    #[test]
    fn the_page_shows_the_example_as_it_is() {
        let block = PAGE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next());
        assert_eq!(block, Some(EXAMPLE));
    }

    #[test]
    fn the_page_documents_every_key_and_the_example_uses_it() {
        let read = |text: &str| parse(Path::new("connections.yaml"), text).unwrap_err().to_string();
        let unknown = |at: &str| read(&EVERY_KEY.replacen(at, &format!("nonsense_{at}"), 1));
        // A struct that meets an unknown key lists the keys that it has.
        let lists = [
            "tenants",
            "name: 必",
            "name: ロ",
            "expires",
            "base_url",
            "url: http",
            "columns",
            "gender",
            "batch_size",
            "employment_types",
            "on_or_after",
            "days_before",
            "recipients",
        ]
        .map(unknown)
        .join("\n");
        let keys: BTreeSet<&str> = lists
            .lines()
            .filter_map(|line| line.split_once("expected one of ").or_else(|| line.split_once("expected ")))
            .flat_map(|(_, keys)| keys.split([',', ' ', '`']))
            .filter(|key| key.len() > 1)
            .collect();
        assert!(keys.len() > 20, "{lists}");
        for key in keys {
            assert!(PAGE.contains(&format!("`{key}`")), "{key} is not documented");
            assert!(EVERY_KEY.contains(&format!("{key}:")), "{key} is not in the example");
        }
    }

    #[tokio::test]
    async fn the_example_is_applied_and_a_second_time_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("connections.yaml");
        std::fs::create_dir(folder.path().join("secrets")).unwrap();
        for name in ["webhook-2026-11", "webhook-2026-05"] {
            std::fs::write(folder.path().join("secrets").join(name), format!("whsec_{KEY}\n")).unwrap();
        }
        std::fs::write(folder.path().join("secrets/consumer-key"), "key-required\n").unwrap();
        // Any variable that a process is sure to have.
        let text = EXAMPLE.replace("KAONAVI_CONSUMER_SECRET", "PATH");
        let document = parse(&path, &text).unwrap();
        let url = format!("sqlite://{}", folder.path().join("renkei.db").display());
        let clock = Arc::new(SystemClock::real());
        let store = Store::open(&url, &MasterKey::parse(KEY).unwrap(), clock).await.unwrap();
        let allow_private = AllowPrivate::parse(&["127.0.0.1".to_owned()]).unwrap();
        let kaonavi_base_url = BaseUrl::parse("https://api.kaonavi.jp/api/v2.0", &allow_private).unwrap();
        let outside = OutsideConfig { kaonavi_base_url, allow_private, loopback_only: false };

        let tried = plan::apply(&store, &document, &outside, true).await.unwrap();
        let first = plan::apply(&store, &document, &outside, false).await.unwrap();
        assert_eq!(tried.lines, first.lines, "a dry run says what would be done");
        assert_eq!(first.lines.len(), 5, "{:?}", first.lines);
        assert_eq!(first.wanted, ["sample-members"]);
        let second = plan::apply(&store, &document, &outside, false).await.unwrap();
        assert_eq!(second.lines, [] as [&str; 0]);

        let closed = OutsideConfig { allow_private: AllowPrivate::default(), ..outside };
        let refused = plan::apply(&store, &document, &closed, false).await.unwrap_err().to_string();
        assert!(refused.contains("connections.yaml:15:") && refused.contains("kaonavi.base_url"), "{refused}");
    }
}
