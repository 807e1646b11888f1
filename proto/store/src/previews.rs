//! Previews: what would be sent, shown to a person before it is; and what the person confirmed.
//!
//! Whoever wants one leaves a request; a worker, which knows カオナビ's layout and members, answers it. Only people whose record is
//! still the one that was shown can be confirmed.

use std::collections::BTreeMap;

use renkei_events::csv;
use renkei_events::ids::UploadId;
use renkei_runtime::clock::Millis;
use sea_orm::Value;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::activity::{self, Entry};
use crate::connections::Connection;
use crate::db::{Sql, Tx, list};
use crate::employees::{self, Op};
use crate::error::{Result, StoreError};
use crate::{accounts, audit, decisions, uploads};

/// The most people that one preview shows.
pub const MOST: usize = 20_000;

/// The most people that the preview of an upload shows: all of the largest file, so that nobody is left unconfirmed unseen.
pub const MOST_OF_UPLOAD: usize = csv::MOST_ROWS as usize;

/// Whom a preview is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shown {
    /// Everybody who waits: due, skipped, parked or held.
    Waiting,
    /// The same after this employee id: those whom a preview before had no room for.
    WaitingAfter(String),
    /// People known from before the first activation, who were never sent.
    FirstLoad,
    /// The same after this employee id.
    FirstLoadAfter(String),
    /// These employee ids.
    People(Vec<String>),
    /// Those whom this upload is about.
    Upload(String),
}

impl Shown {
    /// Whether it is about people who were never sent, of whom only those who are missing are registered.
    #[must_use]
    pub fn is_first_load(&self) -> bool {
        matches!(self, Shown::FirstLoad | Shown::FirstLoadAfter(_))
    }

    /// Whether another preview can go on where one of these ends.
    fn goes_on(&self) -> bool {
        self.is_first_load() || matches!(self, Shown::Waiting | Shown::WaitingAfter(_))
    }
}

/// What would be done about one person.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Item {
    /// 従業員ID.
    pub employee: String,
    /// 社員番号.
    pub number: Option<String>,
    /// Keyed hash of the record that was judged.
    pub content: String,
    /// `create`, `update`, `unchanged`, `skip`, `park` or `hold`.
    pub action: String,
    /// Why not sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Field → old (where it is known) and new.
    #[serde(default)]
    pub fields: BTreeMap<String, (Option<String>, String)>,
}

/// A preview.
#[derive(Clone)]
pub struct Preview {
    /// Its id.
    pub id: String,
    /// The connection.
    pub connection: String,
    /// When it was asked for.
    pub made: Millis,
    /// Whom it is about.
    pub shown: Shown,
    /// Whether it is made; `None` while a worker has not answered.
    pub items: Option<Vec<Item>>,
    /// Of the settings that it was made with; `None` while it is not made.
    pub settings_version: Option<i64>,
}

impl Preview {
    /// When it is full, the employee id after which another preview goes on.
    #[must_use]
    pub fn rest_after(&self) -> Option<&str> {
        let items = self.items.as_ref().filter(|items| self.shown.goes_on() && items.len() >= MOST)?;
        items.last().map(|item| item.employee.as_str())
    }
}

/// Why nobody is sent.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    /// A worker has not made it yet.
    #[error("the preview is not made yet")]
    NotMade,
    /// Somebody changed the settings after it was made, so that something else would go out than was shown.
    #[error("the settings have changed since the preview was made; ask for a new one")]
    SettingsChanged,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn place(connection: &str, id: &str) -> String {
    format!("previews.doc|{connection}|{id}")
}

/// Asks for a preview.
///
/// # Errors
/// When the store does not answer.
pub async fn want(store: &Store, connection: &Connection, shown: &Shown, actor: &str) -> Result<Preview> {
    let id = fresh_id();
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &connection.account {
        accounts::wake(&tx, account, now).await?;
    }
    let sql = "INSERT INTO previews (preview_id, connection_id, made_ms, who, state) VALUES ($1, $2, $3, $4, 'wanted')";
    tx.exec(
        sql,
        vec![id.clone().into(), connection.id.clone().into(), now.0.into(), serde_json::to_string(shown)?.into()],
    )
    .await?;
    let sql = "UPDATE connections SET preview_wanted_ms = $1 WHERE connection_id = $2";
    tx.exec(sql, vec![now.0.into(), connection.id.clone().into()]).await?;
    audit::of_connection(store, &tx, connection, actor, "connection.preview", None, now).await?;
    tx.commit().await?;
    store.hint();
    Ok(Preview {
        id,
        connection: connection.id.clone(),
        made: now,
        shown: shown.clone(),
        items: None,
        settings_version: None,
    })
}

/// Prepares a preview of those whom an upload is about; [`start`] lets it be made. Answers its id.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn prepare(tx: &Tx, connection: &str, upload: &UploadId, now: Millis) -> Result<String> {
    let id = fresh_id();
    let shown = serde_json::to_string(&Shown::Upload(upload.to_string()))?;
    let sql =
        "INSERT INTO previews (preview_id, connection_id, made_ms, who, state) VALUES ($1, $2, $3, $4, 'gathering')";
    tx.exec(sql, vec![id.clone().into(), connection.into(), now.0.into(), shown.into()]).await?;
    Ok(id)
}

/// Lets a prepared preview be made.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn start(tx: &Tx, connection: &str, id: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE previews SET state = 'wanted', made_ms = $1 WHERE preview_id = $2 AND state = 'gathering'";
    if tx.exec(sql, vec![now.0.into(), id.into()]).await? == 1 {
        let sql = "UPDATE connections SET preview_wanted_ms = $1 WHERE connection_id = $2";
        tx.exec(sql, vec![now.0.into(), connection.into()]).await?;
    }
    Ok(())
}

/// Nobody can guess another's.
fn fresh_id() -> String {
    use base64::Engine as _;
    let bytes = crate::seal::fresh_key();
    format!("pv_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes[..16]))
}

fn read(store: &Store, row: &crate::db::Row) -> Result<Preview> {
    let id: String = row.get("preview_id")?;
    let connection: String = row.get("connection_id")?;
    let sealed: Option<Vec<u8>> = row.get("doc")?;
    let items = sealed.map(|sealed| store.keys.open_json(&place(&connection, &id), &sealed)).transpose()?;
    Ok(Preview {
        made: Millis(row.get("made_ms")?),
        shown: serde_json::from_str(&row.get::<String>("who")?)?,
        items,
        settings_version: row.get("settings_version")?,
        id,
        connection,
    })
}

/// The oldest request of a connection that nobody answered.
///
/// # Errors
/// When the store does not answer.
pub async fn next_wanted(store: &Store, tx: &Tx, connection: &str) -> Result<Option<Preview>> {
    let query = "SELECT preview_id, connection_id, made_ms, who, doc, settings_version FROM previews
        WHERE connection_id = $1 AND state = 'wanted' ORDER BY made_ms, preview_id LIMIT 1";
    let row = tx.row(query, vec![connection.into()]).await?;
    row.map(|row| read(store, &row)).transpose()
}

/// Nobody waits for a preview of the connection any more.
///
/// # Errors
/// When the store does not answer.
pub async fn none_wanted(tx: &Tx, connection: &str) -> Result<()> {
    let sql = "UPDATE connections SET preview_wanted_ms = NULL WHERE connection_id = $1";
    tx.exec(sql, vec![connection.into()]).await?;
    Ok(())
}

/// Answers a request with what these settings of the connection make of it.
///
/// # Errors
/// When the store does not answer.
pub async fn answer(store: &Store, tx: &Tx, preview: &Preview, settings_version: i64, items: &[Item]) -> Result<()> {
    let sealed = store.keys.seal_json(&place(&preview.connection, &preview.id), &items)?;
    let sql = "UPDATE previews SET state = 'ready', doc = $1, settings_version = $3 WHERE preview_id = $2";
    tx.exec(sql, vec![sealed.into(), preview.id.clone().into(), settings_version.into()]).await?;
    Ok(())
}

/// A preview of this connection, if there is one.
///
/// # Errors
/// When the store does not answer.
pub async fn find(store: &Store, sql: &impl Sql, connection: &str, id: &str) -> Result<Option<Preview>> {
    let query = "SELECT preview_id, connection_id, made_ms, who, doc, settings_version FROM previews
        WHERE connection_id = $1 AND preview_id = $2";
    let row = sql.row(query, vec![connection.into(), id.into()]).await?;
    row.map(|row| read(store, &row)).transpose()
}

/// Sends the people of a preview that a person confirmed: those who would be registered or changed and whose record is still
/// the one that was shown. After a first load only those who are missing are registered; differing values are not written.
/// Answers how many will go.
///
/// # Errors
/// When the preview is not made, the settings are others by now, or the store does not answer.
pub async fn confirm(
    store: &Store,
    connection: &Connection,
    preview: &Preview,
    who: decisions::Who<'_>,
    actor: &str,
) -> std::result::Result<u64, ConfirmError> {
    let (Some(items), Some(settings)) = (&preview.items, preview.settings_version) else {
        return Err(ConfirmError::NotMade);
    };
    let first_load = preview.shown.is_first_load();
    let wanted = |item: &&Item| {
        let among = match who {
            decisions::Who::All => true,
            decisions::Who::Some(ids) => ids.contains(&item.employee),
        };
        among && (item.action == "create" || (item.action == "update" && !first_load))
    };
    let chosen: Vec<&Item> = items.iter().filter(wanted).collect();
    let mut confirmed = 0;
    for chunk in chosen.chunks(300) {
        confirmed += confirm_some(store, connection, settings, chunk, first_load, actor).await?;
    }
    store.hint();
    Ok(confirmed)
}

async fn confirm_some(
    store: &Store,
    connection: &Connection,
    settings: i64,
    items: &[&Item],
    first_load: bool,
    actor: &str,
) -> std::result::Result<u64, ConfirmError> {
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &connection.account {
        accounts::wake(&tx, account, now).await?;
    }
    // Whoever changes settings takes the account's row first as well.
    let sql = "SELECT settings_version FROM connections WHERE connection_id = $1";
    let current = tx.row(sql, vec![connection.id.clone().into()]).await?;
    if current.map(|row| row.get::<i64>("settings_version")).transpose()? != Some(settings) {
        return Err(ConfirmError::SettingsChanged);
    }
    let morning = employees::after_backup(now);
    let next_try = if first_load { morning } else { now };
    let mut confirmed = Vec::new();
    for op in [Op::Create, Op::Update] {
        let items: Vec<&&Item> = items.iter().filter(|item| item.action == op.as_str()).collect();
        if items.is_empty() {
            continue;
        }
        let mut values: Vec<Value> =
            vec![now.0.into(), next_try.0.into(), op.as_str().into(), connection.id.clone().into(), morning.0.into()];
        values.extend(items.iter().flat_map(|item| [item.employee.clone().into(), item.content.clone().into()]));
        let pairs = crate::db::tuples(items.len(), 2, 6);
        // A mass change that was held is released by this, and starts no sooner than one that is released without a preview;
        // nor does it when it is confirmed once more.
        let sql = format!(
            "UPDATE employees SET state = 'due', op = $3, reason = NULL, detail = NULL, attempts = 0, lone_attempts = 0, due_ms = $1,
               next_try_ms = CASE WHEN reason IN ('delivery.brake', 'delivery.ceiling', 'delivery.declined') THEN $5
                 WHEN state = 'due' AND confirmed = 1 AND attempts = 0 AND next_try_ms > $2 THEN next_try_ms ELSE $2 END,
               changed_ms = $1, confirmed = 1, declined = NULL, declined_ms = NULL, surge_op = NULL, surge_ms = NULL
             WHERE connection_id = $4 AND state <> 'flying' AND (employee_id, content) IN (VALUES {pairs})
             RETURNING employee_id"
        );
        for row in tx.rows(&sql, values).await? {
            confirmed.push(row.get::<String>("employee_id")?);
        }
    }
    let entries: Vec<Entry> = confirmed
        .iter()
        .map(|employee| Entry {
            at: now,
            connection: connection.id.clone(),
            employee: Some(employee.clone()),
            kind: "confirmed".to_owned(),
            code: None,
            detail: None,
        })
        .collect();
    activity::add(store, &tx, &entries).await?;
    let detail = format!("preview of {} people, {} sent", items.len(), confirmed.len());
    audit::of_connection(store, &tx, connection, actor, "connection.sync", Some(&detail), now).await?;
    tx.commit().await?;
    Ok(confirmed.len() as u64)
}

/// The ids of the people that a preview is about, at most [`MOST`], of an upload at most [`MOST_OF_UPLOAD`]. Where there may be
/// more, in the order in which another preview goes on.
///
/// # Errors
/// When the store does not answer.
pub async fn people(sql: &impl Sql, connection: &str, shown: &Shown) -> Result<Vec<String>> {
    let waiting = ["due", "skipped", "parked", "held"].as_slice();
    let (states, after) = match shown {
        Shown::Waiting => (waiting, ""),
        Shown::WaitingAfter(after) => (waiting, after.as_str()),
        Shown::FirstLoad => (["baseline"].as_slice(), ""),
        Shown::FirstLoadAfter(after) => (["baseline"].as_slice(), after.as_str()),
        Shown::People(ids) => return Ok(ids.iter().take(MOST).cloned().collect()),
        Shown::Upload(id) => return uploads::people(sql, connection, id, MOST_OF_UPLOAD).await,
    };
    let mut values: Vec<Value> = vec![connection.into(), i64::try_from(MOST).unwrap_or(i64::MAX).into(), after.into()];
    values.extend(states.iter().map(|state| (*state).into()));
    let query = format!(
        "SELECT employee_id FROM employees WHERE connection_id = $1 AND employee_id > $3 AND state IN ({})
         ORDER BY employee_id LIMIT $2",
        list(states.len(), 4)
    );
    let rows = sql.rows(&query, values).await?;
    rows.iter().map(|row| row.get("employee_id")).collect()
}
