//! The mail of a morning: for which links and days it was seen to, and what was told before.

use std::collections::BTreeSet;

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Row, Sql, Tx, pieces, tuples};
use crate::error::{Result, StoreError};
use crate::outbox;

/// Of whom is said why days are not written: 社員コード and a code of `/docs/errors/`.
pub type Untold = (String, String);

/// What waits to be imported.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// How many files.
    pub files: i64,
    /// How many rows they have.
    pub rows: i64,
    /// Since when the oldest of these rows wait for somebody.
    pub since: Option<Millis>,
}

/// The links whose mail of `day` nobody has seen to.
///
/// # Errors
/// When the store does not answer.
pub async fn due(sql: &impl Sql, day: &str) -> Result<Vec<String>> {
    let query = "SELECT link_id FROM links WHERE NOT EXISTS
        (SELECT 1 FROM morning_mails WHERE morning_mails.link_id = links.link_id AND day = $1) ORDER BY link_id";
    sql.rows(query, vec![day.into()]).await?.iter().map(|row| row.get("link_id")).collect()
}

/// Writes down that the mail of a link and day was seen to. Answers its number, `None` when that was done already.
///
/// # Errors
/// When the store does not answer.
pub async fn see_to(tx: &Tx, link: &str, day: &str) -> Result<Option<i64>> {
    let sql = "INSERT INTO morning_mails (link_id, day) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING mail_id";
    tx.row(sql, vec![link.into(), day.into()]).await?.map(|row| row.get("mail_id")).transpose()
}

/// What of a link waits to be imported.
///
/// # Errors
/// When the store does not answer.
pub async fn waiting(sql: &impl Sql, link: &str) -> Result<Waiting> {
    // A file that took another's place holds its rows: they have waited since the first of them was made after the last import.
    let query = "SELECT COUNT(*) AS files, CAST(SUM(rows) AS BIGINT) AS rows, MIN(made_ms) AS since
        FROM attendance_files WHERE link_id = $1 AND state = 'open'";
    let row =
        sql.row(query, vec![link.into()]).await?.ok_or_else(|| StoreError::Corrupt("attendance files".to_owned()))?;
    let since: Option<i64> = row.get("since")?;
    let earlier = "SELECT MIN(made_ms) AS since FROM attendance_files WHERE link_id = $1 AND state = 'superseded'
          AND made_ms > COALESCE((SELECT MAX(marked_ms) FROM attendance_files WHERE link_id = $1 AND state = 'imported'), 0)";
    let earlier = sql.row(earlier, vec![link.into()]).await?;
    let earlier: Option<i64> = earlier.map(|row| row.get("since")).transpose()?.flatten();
    Ok(Waiting {
        files: row.get("files")?,
        rows: row.get::<Option<i64>>("rows")?.unwrap_or(0),
        since: since.map(|since| Millis(earlier.map_or(since, |earlier| earlier.min(since)))),
    })
}

/// Whose days of a link from `first` on are not written, and why; and what the last window that came to its end could not bring.
///
/// # Errors
/// When the store does not answer.
pub async fn unwritten(sql: &impl Sql, link: &str, first: &str) -> Result<BTreeSet<Untold>> {
    let query = "SELECT DISTINCT code, why FROM attendance_days WHERE link_id = $1 AND day >= $2 AND why IS NOT NULL
        AND why NOT IN ('attendance.empty_at_source', 'attendance.protected')
        UNION SELECT code, reason FROM run_notes WHERE run_id =
          (SELECT MAX(run_id) FROM runs WHERE subject = $1 AND kind = 'window' AND state IN ('awaiting_import', 'ok', 'warned'))";
    let rows = sql.rows(query, vec![link.into(), first.into()]).await?;
    rows.iter().map(|row| Ok((row.get("code")?, row.get("why")?))).collect()
}

/// What was told of a link.
///
/// # Errors
/// When the store does not answer.
pub async fn told(sql: &impl Sql, link: &str) -> Result<BTreeSet<Untold>> {
    let rows = sql.rows("SELECT code, reason FROM morning_told WHERE link_id = $1", vec![link.into()]).await?;
    rows.iter().map(untold).collect()
}

fn untold(row: &Row) -> Result<Untold> {
    Ok((row.get("code")?, row.get("reason")?))
}

/// The company and the link of a mail, while there is that link.
///
/// # Errors
/// When the store does not answer.
pub async fn link_of(sql: &impl Sql, mail: i64) -> Result<Option<(String, String)>> {
    let query = "SELECT tenant_id, link_id FROM morning_mails JOIN links USING (link_id) WHERE mail_id = $1";
    let row = sql.row(query, vec![mail.into()]).await?;
    row.map(|row| Ok((row.get("tenant_id")?, row.get("link_id")?))).transpose()
}

/// What was told in a mail, as far as that was so still and nobody was deleted since.
///
/// # Errors
/// When the store does not answer.
pub async fn told_in(sql: &impl Sql, mail: i64) -> Result<BTreeSet<Untold>> {
    let rows = sql.rows("SELECT code, reason FROM morning_told WHERE mail_id = $1", vec![mail.into()]).await?;
    rows.iter().map(untold).collect()
}

/// Remembers what is told in a mail, and forgets what is not so any more.
///
/// # Errors
/// When the store does not answer.
pub async fn tell(tx: &Tx, (link, mail): (&str, i64), new: &[Untold], over: &[Untold]) -> Result<()> {
    for chunk in pieces(new, tx.rows_at_once(4).min(200)) {
        let values =
            pairs(chunk, |(code, reason)| [link.into(), code.clone().into(), reason.clone().into(), mail.into()]);
        let sql = format!(
            "INSERT INTO morning_told (link_id, code, reason, mail_id) VALUES {} ON CONFLICT DO NOTHING",
            tuples(chunk.len(), 4, 1)
        );
        tx.exec(&sql, values).await?;
    }
    for chunk in pieces(over, tx.rows_at_once(2).min(200)) {
        let mut values = pairs(chunk, |(code, reason)| [code.clone().into(), reason.clone().into()]);
        values.push(link.into());
        let sql = format!(
            "WITH over_now (c, r) AS (VALUES {}) DELETE FROM morning_told WHERE link_id = ${} AND EXISTS
             (SELECT 1 FROM over_now WHERE over_now.c = code AND over_now.r = reason)",
            tuples(chunk.len(), 2, 1),
            chunk.len() * 2 + 1
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Takes back what the mails of a company's mornings say that wait: whether somebody stands in one is not told by what is so
/// still.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn take_back(store: &Store, tx: &Tx, tenant: &str, now: Millis) -> Result<()> {
    // The outbox knows the mails of mornings by their numbers below zero.
    let those = "episode_id IN (SELECT -mail_id FROM morning_mails WHERE link_id IN
        (SELECT link_id FROM links WHERE tenant_id = $1))";
    outbox::take_back(store, tx, those, vec![tenant.into()], now).await
}

/// Forgets what was told of a link that is taken away, and gives its mails up that wait: once nobody has the link any more, nobody
/// could take back what they say of people.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn remove_link(tx: &Tx, link: &str, now: Millis) -> Result<()> {
    tx.exec("DELETE FROM morning_told WHERE link_id = $1", vec![link.into()]).await?;
    let those = "episode_id IN (SELECT -mail_id FROM morning_mails WHERE link_id = $3)";
    outbox::give_up_all(tx, those, link, now).await
}

/// The member list of which a link's recipients were told that it is too old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListTold {
    /// When it was uploaded.
    pub made: Millis,
    /// In which mail it was told first; `None`: in one of before this was kept.
    pub mail: Option<i64>,
}

/// Of which member list a link's recipients were told last that it is too old.
///
/// # Errors
/// When the store does not answer.
pub async fn list_told(sql: &impl Sql, link: &str) -> Result<Option<ListTold>> {
    let query = "SELECT list_told_ms, list_told_mail FROM links WHERE link_id = $1";
    let Some(row) = sql.row(query, vec![link.into()]).await? else { return Ok(None) };
    let mail = row.get("list_told_mail")?;
    Ok(row.get::<Option<i64>>("list_told_ms")?.map(|made| ListTold { made: Millis(made), mail }))
}

/// A link's recipients are told in a mail that the member list which was uploaded then is too old.
///
/// # Errors
/// When the store does not answer.
pub async fn tell_list(tx: &Tx, (link, mail): (&str, i64), made: Millis) -> Result<()> {
    let sql = "UPDATE links SET list_told_ms = $1, list_told_mail = $2 WHERE link_id = $3";
    tx.exec(sql, vec![made.0.into(), mail.into(), link.into()]).await?;
    Ok(())
}

fn pairs<const N: usize>(of: &[Untold], value: impl Fn(&Untold) -> [Value; N]) -> Vec<Value> {
    of.iter().flat_map(value).collect()
}
