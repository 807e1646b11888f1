//! How a person moves from state to state: into a call, out of it, and back to wait.

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use super::{EmployeeKey, FORGOTTEN, FullRow, Op, RowState, Values, place};
use crate::Store;
use crate::db::{Sql, Tx, tuples};
use crate::error::Result;

/// Writes down what somebody should look at about a person who goes on being sent, or that it is over (`None`).
///
/// # Errors
/// When the store does not answer.
pub async fn warn(tx: &Tx, key: &EmployeeKey, warning: Option<&str>, now: Millis) -> Result<()> {
    let sql = "UPDATE employees SET warning = $1, warned_ms = CASE WHEN $1 IS NULL THEN NULL ELSE $2 END
        WHERE connection_id = $3 AND employee_id = $4";
    let values = vec![
        warning.map(str::to_owned).into(),
        now.0.into(),
        key.connection.clone().into(),
        key.employee.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Moves a person to a state in which no batch holds it.
///
/// # Errors
/// When the store does not answer.
pub async fn settle(
    store: &Store,
    tx: &Tx,
    key: &EmployeeKey,
    state: RowState,
    reason: Option<&str>,
    detail: Option<&str>,
    now: Millis,
) -> Result<()> {
    let sealed = detail.map(|text| store.keys.seal(&place("detail", key), text.as_bytes()));
    let sql = "UPDATE employees SET state = $1, reason = $2, detail = $3, batch_id = NULL, flying_version = NULL,
          changed_ms = $4, settled_version = CASE WHEN $1 = 'synced' THEN version ELSE settled_version END,
          attempts = CASE WHEN $1 = 'synced' THEN 0 ELSE attempts END,
          lone_attempts = CASE WHEN $1 = 'synced' THEN 0 ELSE lone_attempts END,
          -- Who is left out or needs no call was no part of a mass change; what was said about one is over when nothing differs.
          surge_ms = CASE WHEN $1 IN ('synced', 'skipped') THEN NULL ELSE surge_ms END,
          confirmed = CASE WHEN $1 = 'synced' THEN 0 ELSE confirmed END,
          declined = CASE WHEN $1 = 'synced' THEN NULL ELSE declined END,
          declined_ms = CASE WHEN $1 = 'synced' THEN NULL ELSE declined_ms END
        WHERE connection_id = $5 AND employee_id = $6";
    let values = vec![
        state.as_str().into(),
        reason.map(str::to_owned).into(),
        sealed.into(),
        now.0.into(),
        key.connection.clone().into(),
        key.employee.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Makes people due again, not before `next_try`, with `failed` more failed attempts.
///
/// # Errors
/// When the store does not answer.
pub async fn make_due(tx: &Tx, key: &EmployeeKey, op: Op, next_try: Millis, failed: i64, now: Millis) -> Result<()> {
    let sql = "UPDATE employees SET state = 'due', op = $1, reason = NULL,
          -- Of a record that breaks the contract it says where.
          detail = CASE WHEN record IS NULL THEN detail END, batch_id = NULL,
          flying_version = NULL, next_try_ms = $2, attempts = attempts + $3, due_ms = COALESCE(due_ms, $4), changed_ms = $4,
          surge_op = CASE WHEN surge_ms IS NULL THEN surge_op ELSE $1 END
        WHERE connection_id = $5 AND employee_id = $6";
    let values = vec![
        op.as_str().into(),
        next_try.0.into(),
        failed.into(),
        now.0.into(),
        key.connection.clone().into(),
        key.employee.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Counts a failed attempt of one call for its people, who stay where they are.
///
/// # Errors
/// When the store does not answer.
pub async fn count_failure(tx: &Tx, keys: &[EmployeeKey], now: Millis) -> Result<()> {
    let lone = i64::from(keys.len() == 1);
    for chunk in keys.chunks(300) {
        let mut values: Vec<Value> = vec![lone.into(), now.0.into()];
        values.extend(chunk.iter().flat_map(|key| [key.connection.clone().into(), key.employee.clone().into()]));
        let sql = format!(
            "UPDATE employees SET attempts = attempts + 1, lone_attempts = lone_attempts + $1,
               failing_since_ms = CASE WHEN attempts = 0 THEN $2 ELSE failing_since_ms END
             WHERE (connection_id, employee_id) IN (VALUES {})",
            tuples(chunk.len(), 2, 3)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Puts people into a batch.
///
/// # Errors
/// When the store does not answer.
pub async fn fly(tx: &Tx, keys: &[EmployeeKey], batch: i64, now: Millis) -> Result<()> {
    for chunk in keys.chunks(300) {
        let mut values: Vec<Value> = vec![batch.into(), now.0.into()];
        for key in chunk {
            values.push(key.connection.clone().into());
            values.push(key.employee.clone().into());
        }
        let sql = format!(
            "UPDATE employees SET state = 'flying', batch_id = $1, flying_version = version, reason = NULL, detail = NULL,
               changed_ms = $2 WHERE (connection_id, employee_id) IN (VALUES {})",
            tuples(chunk.len(), 2, 3)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// How one person of an accepted batch lands.
#[derive(Clone)]
pub struct Landing {
    /// Who.
    pub key: EmployeeKey,
    /// What カオナビ now holds because we wrote it, all fields that we ever wrote.
    pub written: Values,
    /// Under which number.
    pub number: String,
    /// Whether another content came while it flew.
    pub due_again: bool,
}

/// Ends the flight of people whose batch カオナビ took.
///
/// # Errors
/// When the store does not answer.
pub async fn land(store: &Store, tx: &Tx, landings: &[Landing], now: Millis) -> Result<()> {
    for chunk in landings.chunks(tx.rows_at_once(5)) {
        let mut values: Vec<Value> = vec![now.0.into()];
        for one in chunk {
            values.push(one.key.connection.clone().into());
            values.push(one.key.employee.clone().into());
            values.push(store.keys.seal_json(&place("written", &one.key), &one.written)?.into());
            values.push(one.number.clone().into());
            values.push(if one.due_again { "due" } else { "synced" }.into());
        }
        let sql = format!(
            "WITH landed (c, e, w, n, s) AS (VALUES {})
             UPDATE employees SET written = landed.w, written_number = landed.n, state = landed.s, op = 'update',
               released_number = NULL, confirmed = 0, declined = NULL, declined_ms = NULL,
               reason = NULL, detail = CASE WHEN record IS NULL THEN detail END, batch_id = NULL, flying_version = NULL, attempts = 0, lone_attempts = 0, next_try_ms = 0,
               due_ms = CASE WHEN landed.s = 'due' THEN $1 ELSE due_ms END, changed_ms = $1,
               surge_op = CASE WHEN landed.s = 'due' THEN 'update' ELSE surge_op END,
               surge_ms = CASE WHEN landed.s = 'due' THEN $1 ELSE surge_ms END,
               settled_version = CASE WHEN landed.s = 'synced' THEN version ELSE flying_version END
             FROM landed WHERE connection_id = landed.c AND employee_id = landed.e",
            tuples(chunk.len(), 5, 2)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// カオナビ was seen to hold these values of a person before we ever wrote any of it: later changes are told from them, too.
///
/// # Errors
/// When the store does not answer.
pub async fn put_held_already(store: &Store, tx: &Tx, key: &EmployeeKey, values: &Values) -> Result<()> {
    let sealed = store.keys.seal_json(&place("written", key), values)?;
    let sql = "UPDATE employees SET written = $1 WHERE connection_id = $2 AND employee_id = $3 AND written IS NULL";
    tx.exec(sql, vec![sealed.into(), key.connection.clone().into(), key.employee.clone().into()]).await?;
    Ok(())
}

/// Nobody knows any more what カオナビ holds in these fields of a person: the next change sends them again.
///
/// # Errors
/// When the store does not answer.
pub async fn forget_fields(store: &Store, tx: &Tx, row: &FullRow, fields: &[String]) -> Result<()> {
    let mut written = row.written.clone().unwrap_or_default();
    written.extend(fields.iter().map(|field| (field.clone(), FORGOTTEN.to_owned())));
    let sealed = store.keys.seal_json(&place("written", &row.key), &written)?;
    let sql = "UPDATE employees SET written = $1 WHERE connection_id = $2 AND employee_id = $3";
    tx.exec(sql, vec![sealed.into(), row.key.connection.clone().into(), row.key.employee.clone().into()]).await?;
    Ok(())
}

/// Keeps what is known about a person in flight, for the case that it is parked.
///
/// # Errors
/// When the store does not answer.
pub async fn note(store: &Store, tx: &Tx, key: &EmployeeKey, reason: &str, detail: &str) -> Result<()> {
    let sealed = store.keys.seal(&place("detail", key), detail.as_bytes());
    let sql = "UPDATE employees SET reason = $1, detail = $2 WHERE connection_id = $3 AND employee_id = $4";
    tx.exec(sql, vec![reason.into(), sealed.into(), key.connection.clone().into(), key.employee.clone().into()])
        .await?;
    Ok(())
}
