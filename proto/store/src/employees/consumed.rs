//! What the consumer reads of a person and writes when an event came.

use std::collections::{BTreeMap, HashMap};

use renkei_events::event::Change;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use super::{EmployeeKey, Op, RowState, key_of, place};
use crate::Store;
use crate::db::{Engine, Sql, Tx, list, pieces, tuples};
use crate::error::Result;

/// What the consumer needs to know of a row to judge an event.
#[derive(Debug, Clone)]
pub struct SlimRow {
    /// Who.
    pub key: EmployeeKey,
    /// 社員番号 of the newest record.
    pub number: Option<String>,
    /// Version of the newest record.
    pub version: i64,
    /// Where the newest record stands on the log.
    pub position: (i64, i64),
    /// Keyed hash of its content.
    pub content: String,
    /// The last 16 event ids.
    pub event_ids: Vec<String>,
    /// How far it has come.
    pub state: RowState,
    /// Whether status, data entry and number allow it to be sent.
    pub eligible: bool,
    /// Whether the person was 退職 already when nothing of the person was to be sent, and is still.
    pub left_before: bool,
}

/// What the consumer writes.
#[derive(Clone)]
pub struct ConsumedRow {
    /// Identity, version and state after the event.
    pub slim: SlimRow,
    /// The account, if known.
    pub account: Option<String>,
    /// What the event said.
    pub change: Change,
    /// The record; `None` for deleted and invalid ones.
    pub record: Option<EmployeeRecord>,
    /// Create or update, as far as the codes tell now.
    pub op: Option<Op>,
    /// Why skipped or parked.
    pub reason: Option<String>,
    /// What may be personal about it.
    pub detail: Option<String>,
    /// When it came.
    pub received: Millis,
}

/// Reads and locks the rows of these people, in key order.
///
/// # Errors
/// When the store does not answer.
pub async fn lock_slim(tx: &Tx, keys: &[EmployeeKey]) -> Result<HashMap<EmployeeKey, SlimRow>> {
    let mut found = HashMap::with_capacity(keys.len());
    let mut by_connection: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for key in keys {
        by_connection.entry(&key.connection).or_default().push(&key.employee);
    }
    for (connection, mut employees) in by_connection {
        employees.sort_unstable();
        employees.dedup();
        for chunk in pieces(&employees, 500) {
            let mut values: Vec<Value> = vec![connection.into()];
            values.extend(chunk.iter().map(|id| (*id).into()));
            let query = slim_query(tx.engine(), chunk.len());
            for row in tx.rows(&query, values).await? {
                let key = key_of(&row)?;
                let slim = SlimRow {
                    number: row.get("number")?,
                    version: row.get("version")?,
                    position: (row.get("log_partition")?, row.get("log_offset")?),
                    content: row.get("content")?,
                    event_ids: serde_json::from_str(&row.get::<String>("event_ids")?)?,
                    state: RowState::parse(&row.get::<String>("state")?)?,
                    eligible: row.get::<i64>("eligible")? == 1,
                    left_before: row.get::<i64>("left_before")? == 1,
                    key: key.clone(),
                };
                found.insert(key, slim);
            }
        }
    }
    Ok(found)
}

/// Finds the rows of `count` people by their keys, in the order of `$2` and following.
fn slim_query(engine: Engine, count: usize) -> String {
    let columns = "connection_id, employee_id, number, version, log_partition, log_offset, content, event_ids, state, eligible, left_before";
    match engine {
        Engine::Sqlite => {
            let ids = list(count, 2);
            format!("SELECT {columns} FROM employees WHERE connection_id = $1 AND employee_id IN ({ids}) ORDER BY employee_id")
        }
        // One look at the primary key for each: as long as a fast growing table was not analysed, PostgreSQL would read all
        // rows of the connection for a list, and compare each with the whole list.
        Engine::Postgres => format!(
            "SELECT found.* FROM (VALUES {}) AS wanted (id), LATERAL
               (SELECT {columns} FROM employees WHERE connection_id = $1 AND employee_id = wanted.id FOR UPDATE) AS found",
            tuples(count, 1, 2)
        ),
    }
}

const CONSUMED: [&str; 25] = [
    "connection_id",
    "employee_id",
    "account_id",
    "number",
    "version",
    "log_partition",
    "log_offset",
    "content",
    "event_ids",
    "change",
    "record",
    "eligible",
    "state",
    "op",
    "reason",
    "detail",
    "due_ms",
    "received_ms",
    "changed_ms",
    "attempts",
    "lone_attempts",
    "confirmed",
    "surge_op",
    "surge_ms",
    "left_before",
];

/// Writes rows as the consumer left them. An older version never replaces a newer one, whatever happened in between.
///
/// # Errors
/// When the store does not answer.
pub async fn put_consumed(store: &Store, tx: &Tx, rows: &[ConsumedRow], now: Millis) -> Result<()> {
    // Of somebody in flight it stays known that the change under way counted.
    let updates: Vec<String> = CONSUMED[2..]
        .iter()
        .map(|column| match *column {
            "surge_op" | "surge_ms" => format!("{column} = COALESCE(excluded.{column}, employees.{column})"),
            // Whoever waits keeps the place in the queue, however often the record changes meanwhile.
            "due_ms" => {
                "due_ms = CASE WHEN employees.state = 'due' THEN employees.due_ms ELSE excluded.due_ms END".to_owned()
            }
            column => format!("{column} = excluded.{column}"),
        })
        .collect();
    for chunk in pieces(rows, tx.rows_at_once(CONSUMED.len())) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * CONSUMED.len());
        for row in chunk {
            let slim = &row.slim;
            let record = row.record.as_ref().map(|record| store.keys.seal_json(&place("record", &slim.key), record));
            let detail = row.detail.as_ref().map(|text| store.keys.seal(&place("detail", &slim.key), text.as_bytes()));
            values.extend([
                slim.key.connection.clone().into(),
                slim.key.employee.clone().into(),
                row.account.clone().into(),
                slim.number.clone().into(),
                slim.version.into(),
                slim.position.0.into(),
                slim.position.1.into(),
                slim.content.clone().into(),
                serde_json::to_string(&slim.event_ids)?.into(),
                serde_json::to_string(&row.change)?.into(),
                record.transpose()?.into(),
                i64::from(slim.eligible).into(),
                slim.state.as_str().into(),
                row.op.map(Op::as_str).map(str::to_owned).into(),
                row.reason.clone().into(),
                detail.into(),
                (slim.state == RowState::Due).then_some(now.0).into(),
                row.received.0.into(),
                now.0.into(),
                0_i64.into(),
                0_i64.into(),
                0_i64.into(),
                row.op.filter(|_| slim.state == RowState::Due).map(|op| op.as_str().to_owned()).into(),
                (slim.state == RowState::Due).then_some(now.0).into(),
                i64::from(slim.left_before).into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO employees ({}) VALUES {} ON CONFLICT (connection_id, employee_id) DO UPDATE SET {}, next_try_ms = 0
             WHERE employees.version <= excluded.version",
            CONSUMED.join(", "),
            tuples(chunk.len(), CONSUMED.len(), 1),
            updates.join(", ")
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Notes events that changed nothing but are known now: version and event ids.
///
/// # Errors
/// When the store does not answer.
pub async fn put_known(tx: &Tx, rows: &[SlimRow]) -> Result<()> {
    for chunk in pieces(rows, tx.rows_at_once(6)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 6);
        for row in chunk {
            values.extend([
                row.key.connection.clone().into(),
                row.key.employee.clone().into(),
                row.version.into(),
                row.position.0.into(),
                row.position.1.into(),
                serde_json::to_string(&row.event_ids)?.into(),
            ]);
        }
        let sql = format!(
            "WITH known (c, e, v, p, o, ids) AS (VALUES {})
             UPDATE employees SET version = known.v, log_partition = known.p, log_offset = known.o, event_ids = known.ids
             FROM known WHERE connection_id = known.c AND employee_id = known.e AND version <= known.v",
            tuples(chunk.len(), 6, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}
