//! 活動ログ: what happened to whom, with sealed details.

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Row, Sql, Tx, list, tuples};
use crate::employees::EmployeeKey;
use crate::error::Result;
use crate::owned::OwnConnection;

/// One entry.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// When, on the store's clock.
    pub at: Millis,
    /// Where.
    pub connection: String,
    /// Who, if it is about one person.
    pub employee: Option<String>,
    /// Stable kind, such as `created`, `updated`, `parked`.
    pub kind: String,
    /// The error code or reason, if any.
    pub code: Option<String>,
    /// What may be personal: カオナビ's message, old and new values.
    pub detail: Option<String>,
}

fn place(connection: &str) -> String {
    format!("activity.detail|{connection}")
}

/// Adds entries.
///
/// # Errors
/// When the store does not answer.
pub async fn add(store: &Store, tx: &Tx, entries: &[Entry]) -> Result<()> {
    for chunk in entries.chunks(200) {
        let mut values = Vec::with_capacity(chunk.len() * 6);
        for entry in chunk {
            let detail = entry.detail.as_ref().map(|text| store.keys.seal(&place(&entry.connection), text.as_bytes()));
            values.push(entry.at.0.into());
            values.push(entry.connection.clone().into());
            values.push(entry.employee.clone().into());
            values.push(entry.kind.clone().into());
            values.push(entry.code.clone().into());
            values.push(detail.into());
        }
        let columns = "at_ms, connection_id, employee_id, kind, code, detail";
        tx.exec(&format!("INSERT INTO activity ({columns}) VALUES {}", tuples(chunk.len(), 6, 1)), values).await?;
    }
    Ok(())
}

/// The newest entries of one person, newest first.
///
/// # Errors
/// When the store does not answer.
pub async fn of_employee(store: &Store, connection: &str, employee: &str, most: u32) -> Result<Vec<Entry>> {
    let query = "SELECT activity_id, at_ms, connection_id, employee_id, kind, code, detail FROM activity
        WHERE connection_id = $1 AND employee_id = $2 ORDER BY activity_id DESC LIMIT $3";
    let rows = store.db.rows(query, vec![connection.into(), employee.into(), i64::from(most).into()]).await?;
    rows.iter().map(|row| Ok(read(store, row)?.1)).collect()
}

/// Whether an entry of this kind and code stands there for a person.
///
/// # Errors
/// When the store does not answer.
pub async fn is_told(sql: &impl Sql, key: &EmployeeKey, kind: &str, code: &str) -> Result<bool> {
    let query = "SELECT 1 AS one FROM activity
        WHERE connection_id = $1 AND employee_id = $2 AND kind = $3 AND code = $4 LIMIT 1";
    let values = vec![key.connection.clone().into(), key.employee.clone().into(), kind.into(), code.into()];
    Ok(sql.row(query, values).await?.is_some())
}

/// Which entries a list is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct About<'a> {
    /// One person, by 従業員ID.
    pub employee: Option<&'a str>,
    /// What happened for this reason.
    pub code: Option<&'a str>,
}

/// Entries of a tenant's connections before number `before`, newest first, each with its number.
///
/// # Errors
/// When the store does not answer. A detail that does not open is left out.
pub async fn page(
    store: &Store,
    own: &[OwnConnection],
    about: About<'_>,
    before: i64,
    most: u32,
) -> Result<Vec<(i64, Entry)>> {
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> = vec![before.into(), i64::from(most).into()];
    let mut conditions = String::new();
    for (column, wanted) in [("employee_id", about.employee), ("code", about.code)] {
        if let Some(wanted) = wanted {
            values.push(wanted.into());
            conditions.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    let connections = list(own.len(), values.len() + 1);
    values.extend(own.iter().map(|connection| connection.id.clone().into()));
    let query = format!(
        "SELECT activity_id, at_ms, connection_id, employee_id, kind, code, detail FROM activity
         WHERE activity_id < $1 AND connection_id IN ({connections}){conditions} ORDER BY activity_id DESC LIMIT $2"
    );
    let rows = store.db.rows(&query, values).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

fn read(store: &Store, row: &Row) -> Result<(i64, Entry)> {
    let connection: String = row.get("connection_id")?;
    let detail: Option<Vec<u8>> = row.get("detail")?;
    let detail = detail.and_then(|sealed| store.keys.open_if_it_does(&place(&connection), &sealed));
    let entry = Entry {
        at: Millis(row.get("at_ms")?),
        connection,
        employee: row.get("employee_id")?,
        kind: row.get("kind")?,
        code: row.get("code")?,
        detail: detail.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
    };
    Ok((row.get("activity_id")?, entry))
}
