//! The rows of the date that a run is reading, until all pages of it are there.

use sea_orm::Value;

use crate::Store;
use crate::db::{Sql, Tx, tuples};
use crate::error::Result;

/// One person's row.
#[derive(Clone)]
pub struct Staged {
    /// The source's own id of the person.
    pub person: String,
    /// 社員コード, trimmed; empty where the source has none.
    pub code: String,
    /// When the source last changed the row, as it says so; of two rows of one person the later counts.
    pub updated_at: String,
    /// What of the row matters, as JSON.
    pub value: Vec<u8>,
    /// Keyed hash of it.
    pub content: String,
}

fn place(run: i64, person: &str) -> String {
    format!("attendance_staging.value|{run}|{person}")
}

/// Adds rows. A person who is there already keeps the row that was changed later.
///
/// # Errors
/// When the store does not answer.
pub async fn add(store: &Store, tx: &Tx, run: i64, rows: &[Staged]) -> Result<()> {
    for chunk in rows.chunks(100) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 6);
        for row in chunk {
            values.extend([
                run.into(),
                row.person.clone().into(),
                row.code.clone().into(),
                row.updated_at.clone().into(),
                store.keys.seal(&place(run, &row.person), &row.value).into(),
                row.content.clone().into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO attendance_staging (run_id, person, code, updated_at, value, content) VALUES {}
             ON CONFLICT (run_id, person) DO UPDATE SET code = excluded.code, updated_at = excluded.updated_at,
               value = excluded.value, content = excluded.content
             WHERE attendance_staging.updated_at <= excluded.updated_at",
            tuples(chunk.len(), 6, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// The rows of a run, by person, after `after`.
///
/// # Errors
/// When the store does not answer, or a row does not open.
pub async fn page(store: &Store, sql: &impl Sql, run: i64, after: &str, most: u32) -> Result<Vec<Staged>> {
    let query = "SELECT person, code, updated_at, value, content FROM attendance_staging
        WHERE run_id = $1 AND person > $2 ORDER BY person LIMIT $3";
    let rows = sql.rows(query, vec![run.into(), after.into(), i64::from(most).into()]).await?;
    rows.iter()
        .map(|row| {
            let person: String = row.get("person")?;
            let value = store.keys.open(&place(run, &person), &row.get::<Vec<u8>>("value")?)?;
            Ok(Staged {
                code: row.get("code")?,
                updated_at: row.get("updated_at")?,
                value,
                content: row.get("content")?,
                person,
            })
        })
        .collect()
}

/// 社員コード that several people of the date have.
///
/// # Errors
/// When the store does not answer.
pub async fn doubles(sql: &impl Sql, run: i64) -> Result<Vec<String>> {
    let query = "SELECT code FROM attendance_staging WHERE run_id = $1 AND code <> '' GROUP BY code HAVING COUNT(*) > 1 ORDER BY code";
    sql.rows(query, vec![run.into()]).await?.iter().map(|row| row.get("code")).collect()
}

/// Whom the date has rows of: the source's ids and the codes.
///
/// # Errors
/// When the store does not answer.
pub async fn people(sql: &impl Sql, run: i64) -> Result<Vec<(String, String)>> {
    let rows = sql.rows("SELECT person, code FROM attendance_staging WHERE run_id = $1", vec![run.into()]).await?;
    rows.iter().map(|row| Ok((row.get("person")?, row.get("code")?))).collect()
}

/// Clears the rows of a run.
///
/// # Errors
/// When the store does not answer.
pub async fn clear(tx: &Tx, run: i64) -> Result<u64> {
    tx.exec("DELETE FROM attendance_staging WHERE run_id = $1", vec![run.into()]).await
}
