//! People in full, with what was sealed opened.

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use super::{EmployeeKey, FullRow, Mass, Op, RowState, key_of, place};
use crate::Store;
use crate::db::{Row, Sql, Tx, list, tuples};
use crate::error::Result;

pub(crate) const FULL: &str =
    "connection_id, employee_id, number, version, content, change, record, state, op, reason, detail, due_ms,
    next_try_ms, attempts, lone_attempts, failing_since_ms, batch_id, flying_version, written, written_number, released_number, confirmed, declined, declined_ms,
    left_before, warning, warned_ms, received_ms, changed_ms";

pub(crate) fn full(store: &Store, row: &Row) -> Result<FullRow> {
    read_full(row, |place, sealed| store.keys.open(place, sealed).map(Some))
}

/// A row for a list: what does not open is left out and named in the log, so that one row never hides the others.
pub(crate) fn full_as_far_as_it_opens(store: &Store, row: &Row) -> Result<FullRow> {
    read_full(row, |place, sealed| Ok(store.keys.open_if_it_does(place, sealed)))
}

fn read_full(row: &Row, open: impl Fn(&str, &[u8]) -> Result<Option<Vec<u8>>>) -> Result<FullRow> {
    let key = key_of(row)?;
    let open = |column: &str| -> Result<Option<Vec<u8>>> {
        let sealed: Option<Vec<u8>> = row.get(column)?;
        sealed.map_or(Ok(None), |sealed| open(&place(column, &key), &sealed))
    };
    let record = open("record")?.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
    let written = open("written")?.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
    let detail = open("detail")?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(FullRow {
        number: row.get("number")?,
        version: row.get("version")?,
        content: row.get("content")?,
        change: serde_json::from_str(&row.get::<String>("change")?)?,
        record,
        state: RowState::parse(&row.get::<String>("state")?)?,
        op: row.get::<Option<String>>("op")?.map(|text| Op::parse(&text)),
        reason: row.get("reason")?,
        detail,
        due: row.get::<Option<i64>>("due_ms")?.map(Millis),
        next_try: Millis(row.get("next_try_ms")?),
        attempts: row.get("attempts")?,
        lone_attempts: row.get("lone_attempts")?,
        failing_since: row.get::<Option<i64>>("failing_since_ms")?.map(Millis),
        batch: row.get("batch_id")?,
        flying_version: row.get("flying_version")?,
        written,
        written_number: row.get("written_number")?,
        released_number: row.get("released_number")?,
        confirmed: row.get::<i64>("confirmed")? == 1,
        mass: match (row.get::<Option<String>>("declined")?, row.get::<Option<i64>>("declined_ms")?) {
            (None, _) => Mass::None,
            (Some(_), None) => Mass::Undecided,
            (Some(values), Some(_)) => Mass::Declined(values),
        },
        left_before: row.get::<i64>("left_before")? == 1,
        warning: row.get("warning")?,
        warned: row.get::<Option<i64>>("warned_ms")?.map(Millis),
        received: Millis(row.get("received_ms")?),
        changed: Millis(row.get("changed_ms")?),
        key,
    })
}

/// Rows in full that meet a condition over the table's columns.
pub(crate) async fn full_where(
    store: &Store,
    sql: &impl Sql,
    filter: &str,
    values: Vec<Value>,
) -> Result<Vec<FullRow>> {
    let rows = sql.rows(&format!("SELECT {FULL} FROM employees WHERE {filter}"), values).await?;
    rows.iter().map(|row| full(store, row)).collect()
}

/// These people in full, locked.
///
/// # Errors
/// When the store does not answer, or a record does not open.
pub async fn lock_full(store: &Store, tx: &Tx, keys: &[EmployeeKey]) -> Result<Vec<FullRow>> {
    let mut found = Vec::with_capacity(keys.len());
    let mut sorted: Vec<&EmployeeKey> = keys.iter().collect();
    sorted.sort();
    for chunk in sorted.chunks(300) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 2);
        for key in chunk {
            values.push(key.connection.clone().into());
            values.push(key.employee.clone().into());
        }
        // A list of pairs in brackets is understood by both engines when it is a VALUES table.
        let query = format!(
            "SELECT {FULL} FROM employees WHERE (connection_id, employee_id) IN (VALUES {})
             ORDER BY connection_id, employee_id{}",
            tuples(chunk.len(), 2, 1),
            tx.for_update()
        );
        for row in tx.rows(&query, values).await? {
            found.push(full(store, &row)?);
        }
    }
    Ok(found)
}

/// Rows in one of `states`, oldest change first.
///
/// # Errors
/// When the store does not answer.
pub async fn in_states(store: &Store, connection: &str, states: &[RowState], most: usize) -> Result<Vec<FullRow>> {
    let mut values: Vec<Value> = vec![connection.into(), i64::try_from(most).unwrap_or(i64::MAX).into()];
    values.extend(states.iter().map(|state| state.as_str().into()));
    let query = format!(
        "SELECT {FULL} FROM employees WHERE connection_id = $1 AND state IN ({}) ORDER BY changed_ms, employee_id LIMIT $2",
        list(states.len(), 3)
    );
    let rows = store.db.rows(&query, values).await?;
    rows.iter().map(|row| full(store, row)).collect()
}

/// The people of a connection with this 社員番号.
///
/// # Errors
/// When the store does not answer.
pub async fn with_number(store: &Store, sql: &impl Sql, connection: &str, number: &str) -> Result<Vec<FullRow>> {
    let query = format!("SELECT {FULL} FROM employees WHERE connection_id = $1 AND number = $2 ORDER BY employee_id");
    let rows = sql.rows(&query, vec![connection.into(), number.into()]).await?;
    rows.iter().map(|row| full(store, row)).collect()
}

/// How many rows of each state a connection has, with the reason.
///
/// # Errors
/// When the store does not answer.
pub async fn counts(sql: &impl Sql, connection: &str) -> Result<Vec<(RowState, Option<String>, i64)>> {
    let query = "SELECT state, reason, COUNT(*) AS rows FROM employees WHERE connection_id = $1
        GROUP BY state, reason ORDER BY state, reason";
    let rows = sql.rows(query, vec![connection.into()]).await?;
    rows.iter()
        .map(|row| Ok((RowState::parse(&row.get::<String>("state")?)?, row.get("reason")?, row.get("rows")?)))
        .collect()
}
