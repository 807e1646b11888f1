//! People of one connection who have the same 社員番号.

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use super::{EmployeeKey, key_of};
use crate::db::{Sql, Tx, list};
use crate::error::Result;

/// People that were parked because they shared a number which one of them gave up: due again.
///
/// # Errors
/// When the store does not answer.
pub async fn unpark_sharers(tx: &Tx, connection: &str, number: &str, now: Millis) -> Result<u64> {
    let sql = "UPDATE employees SET state = 'due', reason = NULL, due_ms = $1, next_try_ms = 0, changed_ms = $1
        WHERE connection_id = $2 AND number = $3 AND state = 'parked' AND reason = 'member.number_shared'";
    tx.exec(sql, vec![now.0.into(), connection.into(), number.into()]).await
}

/// The numbers among `wanted` that more than one eligible person of the connection has.
///
/// # Errors
/// When the store does not answer.
pub async fn shared_numbers(sql: &impl Sql, connection: &str, wanted: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for chunk in wanted.chunks(500) {
        let mut values: Vec<Value> = vec![connection.into()];
        values.extend(chunk.iter().map(|number| number.clone().into()));
        let query = format!(
            "SELECT number FROM employees WHERE connection_id = $1 AND eligible = 1 AND number IN ({})
             GROUP BY number HAVING COUNT(*) > 1",
            list(chunk.len(), 2)
        );
        for row in sql.rows(&query, values).await? {
            found.push(row.get("number")?);
        }
    }
    Ok(found)
}

/// Parks whoever else of the connection is eligible with this number and waits for nothing: of two people with one number
/// neither may be taken for the one who is meant. Answers who.
///
/// # Errors
/// When the store does not answer.
pub async fn park_sharers(tx: &Tx, connection: &str, number: &str, now: Millis) -> Result<Vec<EmployeeKey>> {
    // Who never changed since the activation is a baseline, and is not sent as long as the number is shared anyway.
    let sql = "UPDATE employees SET state = 'parked', reason = 'member.number_shared', detail = NULL, changed_ms = $1
        WHERE connection_id = $2 AND number = $3 AND eligible = 1
          AND (state = 'synced' OR (state = 'skipped' AND reason = 'filtered')) RETURNING connection_id, employee_id";
    let rows = tx.rows(sql, vec![now.0.into(), connection.into(), number.into()]).await?;
    rows.iter().map(key_of).collect()
}
