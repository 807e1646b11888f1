//! Employee feeds: where a connection's source can be asked for what changed, and up to when it was.

use std::time::Duration;

use jiff::Timestamp;
use renkei_runtime::clock::Millis;
use secrecy::{ExposeSecret, SecretString};

use crate::Store;
use crate::db::{Row, Sql, Tx};
use crate::error::{Result, StoreError};
use crate::jobs::{self, NewJob};

/// A feed as it was set up, and how far it was read.
#[derive(Debug, Clone)]
pub struct Feed {
    /// The connection.
    pub connection: String,
    /// Where.
    pub url: String,
    /// The Bearer token; `None` once the connection is disconnected.
    pub token: Option<SecretString>,
    /// How far before the watermark is asked again.
    pub overlap: Duration,
    /// What was changed up to then is known; `None` before the first sweep.
    pub watermark: Option<Timestamp>,
    /// 最終確認: when a sweep last came to its end.
    pub checked: Option<Millis>,
    /// How many sweeps did.
    pub sweeps: i64,
    /// What is wrong with it, and since when.
    pub trouble: Option<(String, Millis)>,
    /// What sweeps found in a row that no webhook had brought.
    pub missed: Missed,
}

/// Changes that only sweeps found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Missed {
    /// How many sweeps in a row found some.
    pub sweeps: i64,
    /// How many they found.
    pub changes: i64,
    /// When the first of them ended.
    pub since: Option<Millis>,
}

fn place(connection: &str) -> String {
    format!("feeds.token|{connection}")
}

const COLUMNS: &str = "connection_id, url, token, overlap_ms, watermark, checked_ms, sweeps, trouble_code, trouble_since_ms, missed_sweeps, missed, missed_since_ms";

fn read(store: &Store, row: &Row) -> Result<Feed> {
    let connection: String = row.get("connection_id")?;
    let token = match row.get::<Option<Vec<u8>>>("token")? {
        Some(sealed) => {
            let plain = store.keys.open(&place(&connection), &sealed)?;
            let text = String::from_utf8(plain).map_err(|_| StoreError::Corrupt("feed token".to_owned()))?;
            Some(SecretString::from(text))
        }
        None => None,
    };
    let watermark: Option<String> = row.get("watermark")?;
    let watermark = watermark.map(|text| text.parse()).transpose();
    let code: Option<String> = row.get("trouble_code")?;
    Ok(Feed {
        url: row.get("url")?,
        token,
        overlap: Duration::from_millis(u64::try_from(row.get::<i64>("overlap_ms")?).unwrap_or(0)),
        watermark: watermark.map_err(|_| StoreError::Corrupt("feed watermark".to_owned()))?,
        checked: row.get::<Option<i64>>("checked_ms")?.map(Millis),
        sweeps: row.get("sweeps")?,
        trouble: code.zip(row.get::<Option<i64>>("trouble_since_ms")?.map(Millis)),
        missed: Missed {
            sweeps: row.get("missed_sweeps")?,
            changes: row.get("missed")?,
            since: row.get::<Option<i64>>("missed_since_ms")?.map(Millis),
        },
        connection,
    })
}

/// Sets a feed up, or changes it; how far it was read stays.
///
/// # Errors
/// When the store does not answer.
pub async fn put(
    store: &Store,
    tx: &Tx,
    connection: &str,
    url: &str,
    token: &SecretString,
    overlap: Duration,
) -> Result<()> {
    let sealed = store.keys.seal(&place(connection), token.expose_secret().as_bytes());
    let sql = "INSERT INTO feeds (connection_id, url, token, overlap_ms) VALUES ($1, $2, $3, $4)
        ON CONFLICT (connection_id) DO UPDATE SET url = excluded.url, token = excluded.token, overlap_ms = excluded.overlap_ms,
          trouble_code = NULL, trouble_since_ms = NULL";
    let overlap = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
    tx.exec(sql, vec![connection.into(), url.into(), sealed.into(), overlap.into()]).await?;
    Ok(())
}

/// The feed of a connection, if it has one.
///
/// # Errors
/// When the store does not answer, or the token does not open.
pub async fn find(store: &Store, sql: &impl Sql, connection: &str) -> Result<Option<Feed>> {
    let query = format!("SELECT {COLUMNS} FROM feeds WHERE connection_id = $1");
    let row = sql.row(&query, vec![connection.into()]).await?;
    row.map(|row| read(store, &row)).transpose()
}

/// How many feeds there are.
///
/// # Errors
/// When the store does not answer.
pub async fn count(sql: &impl Sql) -> Result<i64> {
    let row = sql.row("SELECT COUNT(*) AS feeds FROM feeds WHERE token IS NOT NULL", vec![]).await?;
    row.map_or(Ok(0), |row| row.get("feeds"))
}

/// A sweep came to its end: what was changed up to `watermark` is known.
///
/// # Errors
/// When the store does not answer.
pub async fn checked(tx: &Tx, connection: &str, watermark: Timestamp, missed: Missed, now: Millis) -> Result<()> {
    let sql = "UPDATE feeds SET watermark = $1, checked_ms = $2, sweeps = sweeps + 1, trouble_code = NULL, trouble_since_ms = NULL,
        missed_sweeps = $3, missed = $4, missed_since_ms = $5 WHERE connection_id = $6";
    let values = vec![
        watermark.to_string().into(),
        now.0.into(),
        missed.sweeps.into(),
        missed.changes.into(),
        missed.since.map(|since| since.0).into(),
        connection.into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// A sweep did not come to its end. The time of the first failure stays, whatever is wrong since.
///
/// # Errors
/// When the store does not answer.
pub async fn failed(tx: &Tx, connection: &str, code: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE feeds SET trouble_code = $1, trouble_since_ms = COALESCE(trouble_since_ms, $2) WHERE connection_id = $3";
    tx.exec(sql, vec![code.into(), now.0.into(), connection.into()]).await?;
    Ok(())
}

/// What is wrong with the feeds of connections that are not disconnected: connection, code, since when.
///
/// # Errors
/// When the store does not answer.
pub async fn troubles(sql: &impl Sql) -> Result<Vec<(String, String, Millis)>> {
    let query = "SELECT connection_id, trouble_code, trouble_since_ms FROM feeds
        WHERE trouble_code IS NOT NULL AND token IS NOT NULL ORDER BY connection_id";
    let rows = sql.rows(query, vec![]).await?;
    rows.iter()
        .map(|row| Ok((row.get("connection_id")?, row.get("trouble_code")?, Millis(row.get("trouble_since_ms")?))))
        .collect()
}

/// The connections whose webhooks are silent: at least `sweeps` sweeps in a row found what no webhook had brought.
///
/// # Errors
/// When the store does not answer.
pub async fn silent(sql: &impl Sql, sweeps: i64) -> Result<Vec<(String, Millis)>> {
    let query = "SELECT connection_id, missed_since_ms FROM feeds
        WHERE missed_sweeps >= $1 AND missed_since_ms IS NOT NULL AND token IS NOT NULL ORDER BY connection_id";
    let rows = sql.rows(query, vec![sweeps.into()]).await?;
    rows.iter().map(|row| Ok((row.get("connection_id")?, Millis(row.get("missed_since_ms")?)))).collect()
}

/// The kind of the job that sweeps a feed every quarter hour.
pub const SWEEP: &str = "feed_sweep";
/// The kind of the job that reads everybody once, before the connection is switched on.
pub const FIRST_LOAD: &str = "feed_load";

/// The name of a connection's sweep among the jobs.
#[must_use]
pub fn sweep_job(connection: &str) -> String {
    format!("{SWEEP}:{connection}")
}

/// Puts the work of a feed on the calendar: its sweep, and for a connection that was never on a reading of everybody. What
/// stood there for an older token is begun anew.
///
/// # Errors
/// When the store does not answer.
pub async fn plan(
    store: &Store,
    tx: &Tx,
    connection: &str,
    token: &SecretString,
    first_load: bool,
    now: Millis,
) -> Result<()> {
    let token = store.keys.hash("source_credential", &[b"feed", token.expose_secret().as_bytes()]);
    let job = |kind: &'static str| NewJob {
        name: format!("{kind}:{connection}"),
        kind,
        subject: connection.to_owned(),
        queue: format!("feed:{token}"),
        slot: now,
        due: now,
        doc: "{}".to_owned(),
    };
    let kinds = if first_load { vec![FIRST_LOAD, SWEEP] } else { vec![SWEEP] };
    for kind in kinds {
        let job = job(kind);
        jobs::remove(tx, &job.name).await?;
        jobs::put(tx, &job).await?;
    }
    Ok(())
}

/// Takes a connection's feed away with its work; `false` when it has none.
///
/// # Errors
/// When the store does not answer.
pub async fn remove(tx: &Tx, connection: &str) -> Result<bool> {
    for kind in [SWEEP, FIRST_LOAD] {
        jobs::remove(tx, &format!("{kind}:{connection}")).await?;
    }
    Ok(tx.exec("DELETE FROM feeds WHERE connection_id = $1", vec![connection.into()]).await? == 1)
}

/// Forgets the token of a connection's feed.
///
/// # Errors
/// When the store does not answer.
pub async fn forget(tx: &Tx, connection: &str) -> Result<()> {
    tx.exec("UPDATE feeds SET token = NULL WHERE connection_id = $1", vec![connection.into()]).await?;
    Ok(())
}
