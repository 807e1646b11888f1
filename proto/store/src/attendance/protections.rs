//! Days of one code that somebody listed as not to be written, beside a link's closing date.

use renkei_runtime::clock::Millis;

use crate::db::{Row, Sql, Tx};
use crate::error::{Result, StoreError};

/// Listed days.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedDays {
    /// Its number.
    pub id: i64,
    /// 社員コード.
    pub code: String,
    /// The first day, `YYYY-MM-DD`.
    pub first: String,
    /// The last day.
    pub last: String,
    /// Who listed them.
    pub actor: String,
    /// When.
    pub made: Millis,
}

impl ListedDays {
    /// 社員コード, first and last day.
    #[must_use]
    pub fn days(&self) -> (&str, &str, &str) {
        (&self.code, &self.first, &self.last)
    }
}

/// Lists days; [`ListedDays::id`] is not looked at. Answers the number.
///
/// # Errors
/// When the store does not answer.
pub async fn add(tx: &Tx, link: &str, days: &ListedDays) -> Result<i64> {
    let sql = "INSERT INTO attendance_protections (link_id, code, first_day, last_day, actor, made_ms)
        VALUES ($1, $2, $3, $4, $5, $6) RETURNING protection_id";
    let values = vec![
        link.into(),
        days.code.clone().into(),
        days.first.clone().into(),
        days.last.clone().into(),
        days.actor.clone().into(),
        days.made.0.into(),
    ];
    let row = tx.row(sql, values).await?.ok_or_else(|| StoreError::Corrupt("protection".to_owned()))?;
    row.get("protection_id")
}

/// Takes listed days off; `false` when the link has none with this number.
///
/// # Errors
/// When the store does not answer.
pub async fn remove(tx: &Tx, link: &str, id: i64) -> Result<bool> {
    let sql = "DELETE FROM attendance_protections WHERE link_id = $1 AND protection_id = $2";
    Ok(tx.exec(sql, vec![link.into(), id.into()]).await? == 1)
}

/// The link's listed days, in the order in which they were listed.
///
/// # Errors
/// When the store does not answer.
pub async fn of_link(sql: &impl Sql, link: &str) -> Result<Vec<ListedDays>> {
    let query = "SELECT protection_id, code, first_day, last_day, actor, made_ms FROM attendance_protections
        WHERE link_id = $1 ORDER BY protection_id";
    let read = |row: &Row| {
        Ok(ListedDays {
            id: row.get("protection_id")?,
            code: row.get("code")?,
            first: row.get("first_day")?,
            last: row.get("last_day")?,
            actor: row.get("actor")?,
            made: Millis(row.get("made_ms")?),
        })
    };
    sql.rows(query, vec![link.into()]).await?.iter().map(read).collect()
}
