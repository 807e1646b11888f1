//! Episodes: a trouble from its first failure to its end, what it is about, and what of that was told by mail.
//!
//! An item is a person, or a connection itself. Of one episode an item is told once, whether or not it goes and comes back.

use std::collections::{BTreeMap, BTreeSet};

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::connections::Connection;
use crate::db::{Row, Sql, Tx, pieces, tuples};
use crate::error::{Result, StoreError};

/// Which trouble: there is at most one open episode of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trouble {
    /// The company.
    pub tenant: String,
    /// `connection:{id}`, or `account:{id}` for codes about an account as a whole.
    pub scope: String,
    /// What is wrong.
    pub code: Code,
}

impl Trouble {
    /// The trouble that `code` is for `connection`.
    #[must_use]
    pub fn of(code: Code, connection: &Connection) -> Self {
        let scope = match &connection.account {
            Some(account) if code.account_wide() => format!("account:{account}"),
            _ => format!("connection:{}", connection.id),
        };
        Self { tenant: connection.tenant.clone(), scope, code }
    }
}

/// Who or what has the trouble.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item {
    /// The connection.
    pub connection: String,
    /// The person by 従業員ID; empty: the connection itself.
    pub employee: String,
}

/// What was told before this episode began, so that it is not told again.
pub const BEFORE: i64 = 0;

/// An open episode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Episode {
    /// Its number.
    pub id: i64,
    /// What it is.
    pub trouble: Trouble,
    /// When it was opened.
    pub opened: Millis,
    /// When an open item of it was last seen.
    pub seen: Millis,
    /// How many mails it has had.
    pub digests: i64,
    /// When the last one was made.
    pub last_digest: Option<Millis>,
    /// What it is about, with the mail in which it was told.
    pub items: BTreeMap<Item, Option<i64>>,
}

fn trouble(row: &Row) -> Result<Trouble> {
    let code: String = row.get("code")?;
    Ok(Trouble {
        tenant: row.get("tenant_id")?,
        scope: row.get("scope")?,
        code: Code::parse(&code).ok_or_else(|| StoreError::Corrupt("code of an episode".to_owned()))?,
    })
}

fn read(row: &Row) -> Result<Episode> {
    Ok(Episode {
        id: row.get("episode_id")?,
        trouble: trouble(row)?,
        opened: Millis(row.get("opened_ms")?),
        seen: Millis(row.get("seen_ms")?),
        digests: row.get("digests")?,
        last_digest: row.get::<Option<i64>>("last_digest_ms")?.map(Millis),
        items: BTreeMap::new(),
    })
}

/// All open episodes with their items, oldest first. One whose code this version does not know is left alone.
///
/// # Errors
/// When the store does not answer.
pub async fn open_ones(sql: &impl Sql) -> Result<Vec<Episode>> {
    let query = "SELECT episode_id, tenant_id, scope, code, opened_ms, seen_ms, digests, last_digest_ms FROM episodes
        WHERE closed_ms IS NULL ORDER BY episode_id";
    let rows = sql.rows(query, vec![]).await?;
    let mut found: BTreeMap<i64, Episode> = BTreeMap::new();
    for episode in rows.iter().filter_map(|row| read(row).ok()) {
        found.insert(episode.id, episode);
    }
    let query = "SELECT i.episode_id, i.connection_id, i.employee_id, i.digest FROM episode_items i
        JOIN episodes e ON e.episode_id = i.episode_id WHERE e.closed_ms IS NULL";
    for row in sql.rows(query, vec![]).await? {
        if let Some(episode) = found.get_mut(&row.get("episode_id")?) {
            episode.items.insert(item(&row)?, row.get("digest")?);
        }
    }
    Ok(found.into_values().collect())
}

fn item(row: &Row) -> Result<Item> {
    Ok(Item { connection: row.get("connection_id")?, employee: row.get("employee_id")? })
}

/// What was told of a trouble in its last episode, which is closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// When it was closed.
    pub closed: Millis,
    /// What was told in it.
    pub told: BTreeSet<Item>,
}

/// The past of a trouble that has no open episode, if it has one.
///
/// # Errors
/// When the store does not answer.
pub async fn past(sql: &impl Sql, trouble: &Trouble) -> Result<Option<Past>> {
    let query = "SELECT episode_id, closed_ms FROM episodes WHERE tenant_id = $1 AND scope = $2 AND code = $3
        AND closed_ms IS NOT NULL ORDER BY episode_id DESC LIMIT 1";
    let Some(row) = sql.row(query, of(trouble)).await? else { return Ok(None) };
    let id: i64 = row.get("episode_id")?;
    let query = "SELECT connection_id, employee_id FROM episode_items WHERE episode_id = $1 AND digest IS NOT NULL";
    let rows = sql.rows(query, vec![id.into()]).await?;
    let told = rows.iter().map(item).collect::<Result<_>>()?;
    Ok(Some(Past { closed: Millis(row.get("closed_ms")?), told }))
}

fn of(trouble: &Trouble) -> Vec<Value> {
    vec![trouble.tenant.clone().into(), trouble.scope.clone().into(), trouble.code.as_str().into()]
}

/// Opens an episode, or finds the one that somebody else has just opened; answers its number.
///
/// # Errors
/// When the store does not answer.
pub async fn open(tx: &Tx, trouble: &Trouble, now: Millis) -> Result<i64> {
    let sql = "INSERT INTO episodes (tenant_id, scope, code, opened_ms, seen_ms) VALUES ($1, $2, $3, $4, $4)
        ON CONFLICT (tenant_id, scope, code) WHERE closed_ms IS NULL DO UPDATE SET seen_ms = excluded.seen_ms
        RETURNING episode_id";
    let mut values = of(trouble);
    values.push(now.0.into());
    let row = tx.row(sql, values).await?;
    let row = row.ok_or_else(|| StoreError::NotFound("the episode that was opened".to_owned()))?;
    row.get("episode_id")
}

/// Adds items that an episode does not have yet. `told`: the mail in which they were told, if they were.
///
/// # Errors
/// When the store does not answer.
pub async fn add_items(tx: &Tx, episode: i64, items: &[Item], told: Option<i64>, now: Millis) -> Result<u64> {
    let mut added = 0;
    for chunk in pieces(items, tx.rows_at_once(5)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 5);
        for item in chunk {
            values.extend([
                episode.into(),
                item.connection.clone().into(),
                item.employee.clone().into(),
                now.0.into(),
                told.into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO episode_items (episode_id, connection_id, employee_id, added_ms, digest) VALUES {}
             ON CONFLICT (episode_id, connection_id, employee_id) DO NOTHING",
            tuples(chunk.len(), 5, 1)
        );
        added += tx.exec(&sql, values).await?;
    }
    Ok(added)
}

/// Nobody else writes an open episode, or its items, until the transaction ends. `false`: somebody does just now, or it is closed.
///
/// # Errors
/// When the store does not answer.
pub async fn try_hold(tx: &Tx, episode: i64) -> Result<bool> {
    let free = tx.for_update_skip_locked();
    let query = format!("SELECT episode_id FROM episodes WHERE episode_id = $1 AND closed_ms IS NULL{free}");
    Ok(tx.row(&query, vec![episode.into()]).await?.is_some())
}

/// The same for all open episodes that people of a connection can be in; whoever has one is waited for.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn hold_open(tx: &Tx, connection: &Connection) -> Result<()> {
    let query = format!(
        "SELECT episode_id FROM episodes WHERE scope IN ($1, $2) AND closed_ms IS NULL ORDER BY episode_id{}",
        tx.for_update()
    );
    let account = connection.account.as_deref().unwrap_or_default();
    let scopes = [format!("connection:{}", connection.id), format!("account:{account}")];
    tx.rows(&query, scopes.map(Value::from).to_vec()).await?;
    Ok(())
}

/// Those of the items that are there still; whoever was deleted is not. With the company's lock nobody is deleted until the
/// transaction ends.
///
/// # Errors
/// When the store does not answer.
pub async fn still_there(tx: &Tx, items: Vec<Item>) -> Result<Vec<Item>> {
    let people: Vec<&Item> = items.iter().filter(|item| !item.employee.is_empty()).collect();
    let mut there = BTreeSet::new();
    for chunk in pieces(&people, tx.rows_at_once(2)) {
        let values = chunk.iter().flat_map(|item| [item.connection.clone().into(), item.employee.clone().into()]);
        let query = format!(
            "SELECT connection_id, employee_id FROM employees WHERE (connection_id, employee_id) IN (VALUES {})",
            tuples(chunk.len(), 2, 1)
        );
        for row in tx.rows(&query, values.collect()).await? {
            there.insert(item(&row)?);
        }
    }
    Ok(items.into_iter().filter(|item| item.employee.is_empty() || there.contains(item)).collect())
}

/// Notes that a mail is made: it is the episode's next one, and these items are told in it. `false`: somebody else made it
/// already, or the episode has been closed; then nothing has changed and no mail may go out.
///
/// # Errors
/// When the store does not answer.
pub async fn tell(tx: &Tx, episode: i64, digest: i64, items: &[Item], now: Millis) -> Result<bool> {
    let sql = "UPDATE episodes SET digests = $1, last_digest_ms = $2
        WHERE episode_id = $3 AND digests = $1 - 1 AND closed_ms IS NULL";
    if tx.exec(sql, vec![digest.into(), now.0.into(), episode.into()]).await? != 1 {
        return Ok(false);
    }
    for chunk in pieces(items, tx.rows_at_once(2)) {
        let mut values: Vec<Value> = vec![digest.into(), episode.into()];
        for item in chunk {
            values.extend([item.connection.clone().into(), item.employee.clone().into()]);
        }
        let sql = format!(
            "UPDATE episode_items SET digest = $1 WHERE episode_id = $2 AND digest IS NULL
             AND (connection_id, employee_id) IN (VALUES {})",
            tuples(chunk.len(), 2, 3)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(true)
}

/// What a mail of an episode told, without people who were deleted since; `None` when nothing of it is left.
///
/// # Errors
/// When the store does not answer.
pub async fn told_in(sql: &impl Sql, episode: i64, digest: i64) -> Result<Option<(Trouble, Vec<Item>)>> {
    let query = "SELECT e.tenant_id, e.scope, e.code, i.connection_id, i.employee_id FROM episodes e
        JOIN episode_items i ON i.episode_id = e.episode_id WHERE e.episode_id = $1 AND i.digest = $2
        ORDER BY i.connection_id, i.employee_id";
    let rows = sql.rows(query, vec![episode.into(), digest.into()]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    Ok(Some((trouble(first)?, rows.iter().map(item).collect::<Result<_>>()?)))
}

/// Notes that open items of these episodes were seen. One that somebody else holds now is seen the next time.
///
/// # Errors
/// When the store does not answer.
pub async fn seen(tx: &Tx, episodes: &[i64], now: Millis) -> Result<()> {
    for chunk in pieces(episodes, 500) {
        let mut values: Vec<Value> = vec![now.0.into()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        see(tx, &format!("episode_id IN ({})", crate::db::list(chunk.len(), 2)), values).await?;
    }
    Ok(())
}

async fn see(tx: &Tx, those: &str, values: Vec<Value>) -> Result<()> {
    let free = tx.for_update_skip_locked();
    let sql = format!(
        "UPDATE episodes SET seen_ms = $1 WHERE episode_id IN (SELECT episode_id FROM episodes WHERE {those}{free})"
    );
    tx.exec(&sql, values).await?;
    Ok(())
}

/// What is open counts as seen open until now.
///
/// # Errors
/// When the store does not answer.
pub async fn all_seen(tx: &Tx, now: Millis) -> Result<()> {
    see(tx, "closed_ms IS NULL", vec![now.0.into()]).await
}

/// Ends an episode.
///
/// # Errors
/// When the store does not answer.
pub async fn close(tx: &Tx, episode: i64, now: Millis) -> Result<()> {
    let sql = "UPDATE episodes SET closed_ms = $1 WHERE episode_id = $2 AND closed_ms IS NULL";
    tx.exec(sql, vec![now.0.into(), episode.into()]).await?;
    Ok(())
}

/// An administrator did something about a trouble: its episode ends, so that the next failure begins another one and is told
/// at once. Who was told before and did not fail again meanwhile is not told again.
///
/// # Errors
/// When the store does not answer.
pub async fn acted(tx: &Tx, trouble: &Trouble, now: Millis) -> Result<()> {
    let sql =
        "UPDATE episodes SET closed_ms = $4 WHERE tenant_id = $1 AND scope = $2 AND code = $3 AND closed_ms IS NULL";
    let mut values = of(trouble);
    values.push(now.0.into());
    tx.exec(sql, values).await?;
    Ok(())
}

/// The same for a trouble of one connection alone, not of its account.
///
/// # Errors
/// When the store does not answer.
pub async fn acted_on(tx: &Tx, connection: &str, code: Code, now: Millis) -> Result<()> {
    let sql = "UPDATE episodes SET closed_ms = $3 WHERE scope = $1 AND code = $2 AND closed_ms IS NULL";
    tx.exec(sql, vec![format!("connection:{connection}").into(), code.as_str().into(), now.0.into()]).await?;
    Ok(())
}

/// Deletes episodes that ended before `before`, with their items.
///
/// # Errors
/// When the store does not answer.
pub async fn tidy(store: &Store, before: Millis) -> Result<u64> {
    let tx = store.begin().await?;
    let items = "DELETE FROM episode_items WHERE episode_id IN (SELECT episode_id FROM episodes WHERE closed_ms < $1)";
    tx.exec(items, vec![before.0.into()]).await?;
    let deleted = tx.exec("DELETE FROM episodes WHERE closed_ms < $1", vec![before.0.into()]).await?;
    tx.commit().await?;
    Ok(deleted)
}
