//! How many people change at once: what brake and ceiling look at.

use std::time::Duration;

use renkei_runtime::clock::Millis;

use crate::Store;
use crate::db::{Sql, Tx};
use crate::employees::{EmployeeKey, Op, RowState, place};
use crate::error::Result;

/// How long changes count as coming together.
pub const TOGETHER: Duration = Duration::from_secs(600);

/// How many people of a connection became due as `op` since `since` without a person's yes, whatever became of them, or wait
/// still and so go out together, for a quarter hour or after a pause, say; no more than `most` are counted. Whoever was held
/// since then counts too: else those who are judged after the first who are held would be few, and go.
///
/// # Errors
/// When the store does not answer.
pub async fn count(sql: &impl Sql, connection: &str, op: Op, since: Millis, most: i64) -> Result<i64> {
    let query = "SELECT COUNT(*) AS people FROM (SELECT 1 AS one FROM employees
        WHERE connection_id = $1 AND surge_op = $2 AND surge_ms IS NOT NULL
          AND (surge_ms > $3 OR state = 'due' OR (state = 'held' AND changed_ms > $3))
        LIMIT $4) AS few";
    let values = vec![connection.into(), op.as_str().into(), since.0.into(), most.into()];
    let row = sql.row(query, values).await?;
    row.map(|row| row.get("people")).transpose().map(Option::unwrap_or_default)
}

/// How many member codes カオナビ held at the last read.
///
/// # Errors
/// When the store does not answer.
pub async fn members(sql: &impl Sql, account: &str) -> Result<i64> {
    let query = "SELECT COUNT(*) AS codes FROM codes WHERE account_id = $1 AND present = 1";
    let row = sql.row(query, vec![account.into()]).await?;
    row.map(|row| row.get("codes")).transpose().map(Option::unwrap_or_default)
}

/// Holds somebody who is part of a mass change. `values` is the keyed hash of what would be sent.
///
/// # Errors
/// When the store does not answer.
pub async fn hold(
    store: &Store,
    tx: &Tx,
    key: &EmployeeKey,
    reason: &str,
    detail: &str,
    values: &str,
    now: Millis,
) -> Result<()> {
    let sealed = store.keys.seal(&place("detail", key), detail.as_bytes());
    let sql = "UPDATE employees SET state = $1, reason = $2, detail = $3, declined = $4, declined_ms = NULL,
          batch_id = NULL, flying_version = NULL, changed_ms = $5
        WHERE connection_id = $6 AND employee_id = $7";
    let values = vec![
        RowState::Held.as_str().into(),
        reason.into(),
        sealed.into(),
        values.into(),
        now.0.into(),
        key.connection.clone().into(),
        key.employee.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}
