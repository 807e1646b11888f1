//! Tenants and connections, their switch and their webhook secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use renkei_runtime::clock::Millis;
use secrecy::{ExposeSecret, SecretString};

use crate::Store;
use crate::db::{Row, Sql, Tx};
use crate::error::{Result, StoreError};
use crate::settings::Settings;
use crate::verification::Check;

/// Where the automation switch (連携の自動化) stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConnectionState {
    /// Never switched on: events are kept as a baseline.
    Draft,
    /// On.
    Active,
    /// A person switched it off: changes wait.
    Paused,
    /// A failure switched it off: changes wait.
    Halted,
    /// 連携解除: credentials and secrets are gone, the history stays.
    Disconnected,
}

impl ConnectionState {
    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ConnectionState::Draft => "draft",
            ConnectionState::Active => "active",
            ConnectionState::Paused => "paused",
            ConnectionState::Halted => "halted",
            ConnectionState::Disconnected => "disconnected",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let all = [Self::Draft, Self::Active, Self::Paused, Self::Halted, Self::Disconnected];
        all.into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("connection state".to_owned()))
    }
}

impl fmt::Display for ConnectionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A connection as workers and commands see it.
#[derive(Clone)]
pub struct Connection {
    /// Its id.
    pub id: String,
    /// The company.
    pub tenant: String,
    /// What people call it.
    pub name: String,
    /// `roumumate`, …
    pub source: String,
    /// The destination account, once credentials are known.
    pub account: Option<String>,
    /// The switch.
    pub state: ConnectionState,
    /// Why it is halted.
    pub state_code: Option<String>,
    /// カオナビ's own words, if any.
    pub state_detail: Option<String>,
    /// First activation; changes from before it are a baseline.
    pub activated: Option<Millis>,
    /// Since when somebody wants it switched on; a worker verifies and answers.
    pub wanted: Option<Millis>,
    /// What stood in the way at the last try, as codes with what they are about.
    pub problems: Vec<String>,
    /// Decisions of the administrator.
    pub settings: Settings,
    /// Rises with every change of the settings or the name.
    pub settings_version: i64,
    /// When the settings were last changed.
    pub settings_saved: Millis,
    /// The 性別 labels that arrived with records.
    pub gender_seen: BTreeSet<String>,
    /// First activation on the worker's calendar, to compare with times that ingest wrote.
    pub activated_wall: Option<Millis>,
    /// Since when somebody wants to know whether it would work; a worker tries and answers.
    pub verify_wanted: Option<Millis>,
    /// Since when somebody waits for a preview; a worker makes it.
    pub preview_wanted: Option<Millis>,
    /// When the dry run that is open was asked for.
    pub dry_run: Option<Millis>,
    /// What the last verification found, and when it ended.
    pub verification: Option<(Millis, Vec<Check>)>,
    /// The `state` of the last applied file.
    pub declared_state: Option<String>,
    /// The mail address of who made it over the API, if that token is named after one.
    pub created_by: Option<String>,
}

impl Connection {
    /// A new connection that was never switched on, with all settings at their defaults.
    #[must_use]
    pub fn draft(id: &str, tenant: &str, source: &str) -> Self {
        Self {
            id: id.to_owned(),
            tenant: tenant.to_owned(),
            name: id.to_owned(),
            source: source.to_owned(),
            account: None,
            state: ConnectionState::Draft,
            state_code: None,
            state_detail: None,
            activated: None,
            wanted: None,
            problems: Vec::new(),
            settings: Settings::default(),
            settings_version: 1,
            settings_saved: Millis(0),
            gender_seen: BTreeSet::new(),
            activated_wall: None,
            verify_wanted: None,
            preview_wanted: None,
            dry_run: None,
            verification: None,
            declared_state: None,
            created_by: None,
        }
    }

    /// The 性別 labels of the source: those of the settings, and those that arrived.
    #[must_use]
    pub fn gender_labels(&self) -> BTreeSet<String> {
        self.settings.gender_labels.union(&self.gender_seen).cloned().collect()
    }
}

/// A webhook secret with its end.
#[derive(Clone)]
pub struct StoredSecret {
    /// Names it among the connection's secrets.
    pub id: String,
    /// `whsec_…`.
    pub secret: SecretString,
    /// When it ends (calendar time), if ever.
    pub expires: Option<Millis>,
}

impl fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredSecret").field("id", &self.id).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A connection as ingest sees it.
#[derive(Debug, Clone)]
pub struct IngestConnection {
    /// Its id.
    pub id: String,
    /// `roumumate`, …
    pub source: String,
    /// Whether it still takes events.
    pub live: bool,
    /// The secrets that may sign.
    pub secrets: Vec<StoredSecret>,
    /// Whether it has more secrets, which do not open with our keys.
    pub sealed_shut: bool,
}

fn detail_place(id: &str) -> String {
    format!("connections.state_detail|{id}")
}

fn genders_place(id: &str) -> String {
    format!("connections.gender_seen|{id}")
}

fn secret_place(connection: &str, id: &str) -> String {
    format!("webhook_secrets.secret|{connection}|{id}")
}

const COLUMNS: &str =
    "connection_id, tenant_id, name, source, account_id, state, state_code, state_detail, activated_ms,
    wanted_ms, problems, settings, settings_version, activated_wall_ms, verify_wanted_ms, preview_wanted_ms, verified_ms, verification,
    declared_state, created_by, settings_ms, gender_seen, dry_run_ms";

/// One of another form was written by another version, and tells nothing.
fn found(row: &Row) -> Result<Option<Vec<Check>>> {
    let text: Option<String> = row.get("verification")?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn read(store: &Store, row: &Row) -> Result<Connection> {
    let id: String = row.get("connection_id")?;
    let detail: Option<Vec<u8>> = row.get("state_detail")?;
    // Only a message; one that does not open must not stop the connection, let alone all of them.
    let detail = detail.and_then(|sealed| store.keys.open(&detail_place(&id), &sealed).ok());
    // The same: labels arrive again.
    let genders: Option<Vec<u8>> = row.get("gender_seen")?;
    let genders = genders.and_then(|sealed| store.keys.open_json(&genders_place(&id), &sealed).ok());
    Ok(Connection {
        settings_saved: Millis(row.get("settings_ms")?),
        gender_seen: genders.unwrap_or_default(),
        tenant: row.get("tenant_id")?,
        name: row.get("name")?,
        source: row.get("source")?,
        account: row.get("account_id")?,
        state: ConnectionState::parse(&row.get::<String>("state")?)?,
        state_code: row.get("state_code")?,
        state_detail: detail.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
        activated: row.get::<Option<i64>>("activated_ms")?.map(Millis),
        wanted: row.get::<Option<i64>>("wanted_ms")?.map(Millis),
        problems: serde_json::from_str(&row.get::<String>("problems")?)?,
        settings: serde_json::from_str(&row.get::<String>("settings")?)?,
        settings_version: row.get("settings_version")?,
        activated_wall: row.get::<Option<i64>>("activated_wall_ms")?.map(Millis),
        verify_wanted: row.get::<Option<i64>>("verify_wanted_ms")?.map(Millis),
        preview_wanted: row.get::<Option<i64>>("preview_wanted_ms")?.map(Millis),
        dry_run: row.get::<Option<i64>>("dry_run_ms")?.map(Millis),
        verification: row.get::<Option<i64>>("verified_ms")?.map(Millis).zip(found(row)?),
        declared_state: row.get("declared_state")?,
        created_by: row.get("created_by")?,
        id,
    })
}

/// All connections, by id.
///
/// # Errors
/// When the store does not answer.
pub async fn all(store: &Store) -> Result<Vec<Connection>> {
    let rows = store.db.rows(&format!("SELECT {COLUMNS} FROM connections ORDER BY connection_id"), vec![]).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

/// One connection.
///
/// # Errors
/// When there is none.
pub async fn get(store: &Store, sql: &impl Sql, id: &str) -> Result<Connection> {
    find(store, sql, id).await?.ok_or_else(|| StoreError::NotFound(format!("connection {id}")))
}

/// One connection, if there is one.
///
/// # Errors
/// When the store does not answer.
pub async fn find(store: &Store, sql: &impl Sql, id: &str) -> Result<Option<Connection>> {
    let row = sql.row(&format!("SELECT {COLUMNS} FROM connections WHERE connection_id = $1"), vec![id.into()]).await?;
    row.map(|row| read(store, &row)).transpose()
}

/// The connections of one account, by id.
///
/// # Errors
/// When the store does not answer.
pub async fn of_account(store: &Store, sql: &impl Sql, account: &str) -> Result<Vec<Connection>> {
    let query = format!("SELECT {COLUMNS} FROM connections WHERE account_id = $1 ORDER BY connection_id");
    let rows = sql.rows(&query, vec![account.into()]).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

/// The connections of one tenant, by id.
///
/// # Errors
/// When the store does not answer.
pub async fn of_tenant(store: &Store, sql: &impl Sql, tenant: &str) -> Result<Vec<Connection>> {
    let query = format!("SELECT {COLUMNS} FROM connections WHERE tenant_id = $1 ORDER BY connection_id");
    let rows = sql.rows(&query, vec![tenant.into()]).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

/// Locks a connection's row for the rest of the transaction: two changes of settings come one after the other.
///
/// # Errors
/// When the store does not answer.
pub async fn lock(tx: &Tx, id: &str) -> Result<()> {
    let query = format!("SELECT connection_id FROM connections WHERE connection_id = $1{}", tx.for_update());
    tx.row(&query, vec![id.into()]).await?;
    Ok(())
}

/// Makes a new connection with its name and settings; `false` when the id is taken, by whomever.
///
/// # Errors
/// When the store does not answer.
pub async fn insert(tx: &Tx, connection: &Connection, now: Millis) -> Result<bool> {
    let sql = "INSERT INTO connections (connection_id, tenant_id, name, source, state, state_ms, settings, created_by)
        VALUES ($1, $2, $3, $4, 'draft', $5, $6, $7) ON CONFLICT (connection_id) DO NOTHING";
    let values = vec![
        connection.id.clone().into(),
        connection.tenant.clone().into(),
        connection.name.clone().into(),
        connection.source.clone().into(),
        now.0.into(),
        serde_json::to_string(&connection.settings)?.into(),
        connection.created_by.clone().into(),
    ];
    Ok(tx.exec(sql, values).await? == 1)
}

/// What ingest needs of all connections, disconnected ones included.
///
/// # Errors
/// When the store does not answer, or a secret does not open.
pub async fn for_ingest(store: &Store) -> Result<Vec<IngestConnection>> {
    let rows = store.db.rows("SELECT connection_id, source, state FROM connections", vec![]).await?;
    let mut connections: BTreeMap<String, IngestConnection> = BTreeMap::new();
    for row in &rows {
        let id: String = row.get("connection_id")?;
        let connection = IngestConnection {
            id: id.clone(),
            source: row.get("source")?,
            live: row.get::<String>("state")? != ConnectionState::Disconnected.as_str(),
            secrets: Vec::new(),
            sealed_shut: false,
        };
        connections.insert(id, connection);
    }
    let rows =
        store.db.rows("SELECT connection_id, secret_id, secret, expires_ms FROM webhook_secrets", vec![]).await?;
    for row in &rows {
        let connection: String = row.get("connection_id")?;
        // A secret that does not open stops its own connection's senders, and nobody else's.
        match (read_secret(store, &connection, row), connections.get_mut(&connection)) {
            (Ok(secret), Some(known)) => known.secrets.push(secret),
            (Err(error), known) => {
                tracing::error!(connection.id = %connection, error = %error, "webhook secret does not open");
                if let Some(known) = known {
                    known.sealed_shut = true;
                }
            }
            (Ok(_), None) => {}
        }
    }
    Ok(connections.into_values().collect())
}

fn read_secret(store: &Store, connection: &str, row: &Row) -> Result<StoredSecret> {
    let id: String = row.get("secret_id")?;
    let plain = store.keys.open(&secret_place(connection, &id), &row.get::<Vec<u8>>("secret")?)?;
    let text = String::from_utf8(plain).map_err(|_| StoreError::Corrupt("webhook secret".to_owned()))?;
    Ok(StoredSecret {
        id,
        secret: SecretString::from(text),
        expires: row.get::<Option<i64>>("expires_ms")?.map(Millis),
    })
}

/// The secrets of one connection.
///
/// # Errors
/// When the store does not answer.
pub async fn secrets(store: &Store, sql: &impl Sql, connection: &str) -> Result<Vec<StoredSecret>> {
    let query = "SELECT secret_id, secret, expires_ms FROM webhook_secrets WHERE connection_id = $1 ORDER BY secret_id";
    let rows = sql.rows(query, vec![connection.into()]).await?;
    rows.iter().map(|row| read_secret(store, connection, row)).collect()
}

/// A webhook secret without the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretMark {
    /// Names it among the connection's secrets.
    pub id: String,
    /// When it ends (calendar time), if ever.
    pub expires: Option<Millis>,
}

/// Which secrets a connection has, those that do not open included.
///
/// # Errors
/// When the store does not answer.
pub async fn secret_marks(sql: &impl Sql, connection: &str) -> Result<Vec<SecretMark>> {
    let query = "SELECT secret_id, expires_ms FROM webhook_secrets WHERE connection_id = $1 ORDER BY secret_id";
    let rows = sql.rows(query, vec![connection.into()]).await?;
    let mark = |row: &Row| {
        Ok(SecretMark { id: row.get("secret_id")?, expires: row.get::<Option<i64>>("expires_ms")?.map(Millis) })
    };
    rows.iter().map(mark).collect()
}

/// Sets one secret of a connection; the others stay, also those that do not open.
///
/// # Errors
/// When the store does not answer.
pub async fn put_secret(store: &Store, tx: &Tx, connection: &str, secret: &StoredSecret) -> Result<()> {
    let sealed = store.keys.seal(&secret_place(connection, &secret.id), secret.secret.expose_secret().as_bytes());
    let expires = secret.expires.map(|end| end.0);
    let values = vec![connection.into(), secret.id.clone().into(), sealed.into(), expires.into()];
    let sql = "INSERT INTO webhook_secrets (connection_id, secret_id, secret, expires_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (connection_id, secret_id) DO UPDATE SET secret = excluded.secret, expires_ms = excluded.expires_ms";
    tx.exec(sql, values).await?;
    Ok(())
}

/// Deletes one secret of a connection; `false` when there is none of that name.
///
/// # Errors
/// When the store does not answer.
pub async fn delete_secret(tx: &Tx, connection: &str, id: &str) -> Result<bool> {
    let sql = "DELETE FROM webhook_secrets WHERE connection_id = $1 AND secret_id = $2";
    Ok(tx.exec(sql, vec![connection.into(), id.into()]).await? == 1)
}

/// Whether anybody may send webhooks to the connection.
///
/// # Errors
/// When the store does not answer.
pub async fn has_secrets(sql: &impl Sql, connection: &str) -> Result<bool> {
    let query = "SELECT 1 AS one FROM webhook_secrets WHERE connection_id = $1 LIMIT 1";
    Ok(sql.row(query, vec![connection.into()]).await?.is_some())
}

/// Replaces the secrets of one connection.
///
/// # Errors
/// When the store does not answer.
pub async fn replace_secrets(store: &Store, tx: &Tx, connection: &str, secrets: &[StoredSecret]) -> Result<()> {
    tx.exec("DELETE FROM webhook_secrets WHERE connection_id = $1", vec![connection.into()]).await?;
    for secret in secrets {
        put_secret(store, tx, connection, secret).await?;
    }
    Ok(())
}

/// Makes or renames a tenant.
///
/// # Errors
/// When the store does not answer.
pub async fn put_tenant(tx: &Tx, id: &str, name: &str, now: Millis) -> Result<()> {
    let sql = "INSERT INTO tenants (tenant_id, name, created_ms) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET name = excluded.name";
    tx.exec(sql, vec![id.into(), name.into(), now.0.into()]).await?;
    Ok(())
}

/// The name of a tenant, if there is one.
///
/// # Errors
/// When the store does not answer.
pub async fn tenant_name(sql: &impl Sql, id: &str) -> Result<Option<String>> {
    let row = sql.row("SELECT name FROM tenants WHERE tenant_id = $1", vec![id.into()]).await?;
    row.map(|row| row.get("name")).transpose()
}

/// Writes everything of a connection but its switch; a new one starts as a draft.
///
/// # Errors
/// When the store does not answer.
pub async fn put(tx: &Tx, connection: &Connection, now: Millis) -> Result<()> {
    let sql = "INSERT INTO connections (connection_id, tenant_id, name, source, account_id, state, state_ms, settings,
          declared_state, settings_ms) VALUES ($1, $2, $3, $4, $5, 'draft', $6, $7, $8, $6)
        ON CONFLICT (connection_id) DO UPDATE SET name = excluded.name, account_id = excluded.account_id,
          settings_version = connections.settings_version
            + CASE WHEN connections.settings = excluded.settings AND connections.name = excluded.name THEN 0 ELSE 1 END,
          settings_ms = CASE WHEN connections.settings = excluded.settings THEN connections.settings_ms
            ELSE excluded.settings_ms END,
          settings = excluded.settings, declared_state = excluded.declared_state";
    let values = vec![
        connection.id.clone().into(),
        connection.tenant.clone().into(),
        connection.name.clone().into(),
        connection.source.clone().into(),
        connection.account.clone().into(),
        now.0.into(),
        serde_json::to_string(&connection.settings)?.into(),
        connection.declared_state.clone().into(),
    ];
    tx.exec(sql, values).await?;
    // Rows that came before the credentials were known belong to the account from now on.
    let values = vec![connection.account.clone().into(), connection.id.clone().into()];
    tx.exec("UPDATE employees SET account_id = $1 WHERE connection_id = $2", values).await?;
    Ok(())
}

/// How many 性別 labels of a connection are kept: more of them are no choices.
const GENDERS: usize = 100;

/// Adds 性別 labels that arrived to those that the connection knows.
///
/// # Errors
/// When the store does not answer.
pub async fn add_genders(store: &Store, tx: &Tx, id: &str, labels: &BTreeSet<String>) -> Result<()> {
    lock(tx, id).await?;
    let Some(connection) = find(store, tx, id).await? else { return Ok(()) };
    let mut seen = connection.gender_seen;
    let before = seen.len();
    for label in labels {
        if seen.len() < GENDERS {
            seen.insert(label.clone());
        }
    }
    if seen.len() > before {
        let sealed = store.keys.seal_json(&genders_place(id), &seen)?;
        let sql = "UPDATE connections SET gender_seen = $1 WHERE connection_id = $2";
        tx.exec(sql, vec![sealed.into(), id.into()]).await?;
    }
    Ok(())
}

/// Asks a worker to verify the connection and to switch it on.
///
/// # Errors
/// When the store does not answer.
pub async fn want(tx: &Tx, id: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE connections SET wanted_ms = $1, problems = '[]' WHERE connection_id = $2";
    tx.exec(sql, vec![now.0.into(), id.into()]).await?;
    Ok(())
}

/// Writes down what a verification found, and that nobody waits for it any more.
///
/// # Errors
/// When the store does not answer.
pub async fn put_verification(tx: &Tx, id: &str, found: &[Check], now: Millis) -> Result<()> {
    let sql =
        "UPDATE connections SET verify_wanted_ms = NULL, verified_ms = $1, verification = $2 WHERE connection_id = $3";
    tx.exec(sql, vec![now.0.into(), serde_json::to_string(found)?.into(), id.into()]).await?;
    Ok(())
}

/// Turns the switch on. `wall` is the calendar time, of which the first is kept to compare with times that ingest wrote.
///
/// # Errors
/// When the store does not answer.
pub async fn switch_on(tx: &Tx, id: &str, now: Millis, wall: Option<Millis>) -> Result<()> {
    let sql = "UPDATE connections SET wanted_ms = NULL, problems = '[]', state = 'active', state_code = NULL,
        state_detail = NULL, state_ms = $1, activated_ms = COALESCE(activated_ms, $1),
        activated_wall_ms = CASE WHEN activated_ms IS NULL THEN $2 ELSE activated_wall_ms END WHERE connection_id = $3 AND state <> 'disconnected'";
    tx.exec(sql, vec![now.0.into(), wall.map(|wall| wall.0).into(), id.into()]).await?;
    Ok(())
}

/// Answers a wish with what stands in its way; the switch stays where it is.
///
/// # Errors
/// When the store does not answer.
pub async fn refuse_wish(tx: &Tx, id: &str, problems: &[String]) -> Result<()> {
    let sql = "UPDATE connections SET wanted_ms = NULL, problems = $1 WHERE connection_id = $2";
    tx.exec(sql, vec![serde_json::to_string(problems)?.into(), id.into()]).await?;
    Ok(())
}

/// Turns the switch off, as a person does ([`ConnectionState::Paused`], [`ConnectionState::Disconnected`]) or as a failure
/// does ([`ConnectionState::Halted`]).
///
/// # Errors
/// When the store does not answer.
pub async fn switch_off(
    store: &Store,
    tx: &Tx,
    id: &str,
    state: ConnectionState,
    code: Option<&str>,
    detail: Option<&str>,
    now: Millis,
) -> Result<()> {
    let sealed = detail.map(|text| store.keys.seal(&detail_place(id), text.as_bytes()));
    let sql = "UPDATE connections SET state = $1, state_code = $2, state_detail = $3, state_ms = $4, wanted_ms = NULL
        WHERE connection_id = $5 AND state <> 'disconnected'";
    let values = vec![state.as_str().into(), code.map(str::to_owned).into(), sealed.into(), now.0.into(), id.into()];
    tx.exec(sql, values).await?;
    if state == ConnectionState::Disconnected {
        tx.exec("DELETE FROM webhook_secrets WHERE connection_id = $1", vec![id.into()]).await?;
        let sql = "UPDATE connections SET verify_wanted_ms = NULL, preview_wanted_ms = NULL, dry_run_ms = NULL
            WHERE connection_id = $1";
        tx.exec(sql, vec![id.into()]).await?;
    }
    Ok(())
}
