//! People who came by CSV under their 社員番号 alone, and whose 従業員ID became known.
//!
//! The row is taken over whole, with its state, with what was written to カオナビ and with what flies: only its key changes. So
//! there is one row and one member, whichever way somebody came first.

use std::collections::{HashMap, HashSet};

use renkei_events::ids::EmployeeId;
use renkei_runtime::clock::Millis;
use sea_orm::Value;
use serde_json::Value as Json;

use crate::Store;
use crate::activity::{self, Entry};
use crate::batches::Member;
use crate::connections::Connection;
use crate::content;
use crate::db::{Sql, Tx, pieces, tuples};
use crate::employees::{self, EmployeeKey, FullRow, RowState, SlimRow, place};
use crate::episodes;
use crate::error::Result;

/// How many event ids a row remembers.
const EVENT_IDS: usize = 16;

/// One person: under which id, and under which from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takeover {
    /// `n:` and the 社員番号.
    pub from: String,
    /// 従業員ID at the source.
    pub to: EmployeeId,
}

/// A row on its way to its new key.
struct Move {
    from: EmployeeKey,
    to: EmployeeKey,
    row: FullRow,
    content: String,
    event_ids: Vec<String>,
    version: i64,
    /// The row that stood under the new id had a change that waits: it goes on waiting.
    due: bool,
}

/// Takes people of a connection over, whose account is locked. A row that stands under the new id already becomes part of the
/// one that is taken over, unless something was written of it: then they are two people who share a number, and stay so.
/// Answers who was taken over.
///
/// # Errors
/// When the store does not answer, or a row does not open.
pub async fn take_over(
    store: &Store,
    tx: &Tx,
    connection: &Connection,
    wanted: &[Takeover],
    now: Millis,
) -> Result<HashSet<String>> {
    let moves = plan(store, tx, connection, wanted).await?;
    if moves.is_empty() {
        return Ok(HashSet::new());
    }
    move_rows(store, tx, &connection.id, &moves).await?;
    make_due(tx, &connection.id, &moves, now).await?;
    if let Some(account) = &connection.account {
        move_owners(tx, account, &connection.id, &moves).await?;
        if moves.iter().any(|moved| moved.row.state == RowState::Flying) {
            move_in_flight(tx, account, &moves).await?;
        }
    }
    move_mentions(tx, connection, &moves).await?;
    let entries: Vec<Entry> = moves
        .iter()
        .map(|moved| Entry {
            at: now,
            connection: connection.id.clone(),
            employee: Some(moved.to.employee.clone()),
            kind: "identified".to_owned(),
            code: None,
            detail: None,
        })
        .collect();
    activity::add(store, tx, &entries).await?;
    tracing::info!(connection.id = %connection.id, people.count = moves.len(), "people known by number got their ids");
    Ok(moves.into_iter().map(|moved| moved.from.employee).collect())
}

async fn plan(store: &Store, tx: &Tx, connection: &Connection, wanted: &[Takeover]) -> Result<Vec<Move>> {
    let key = |employee: &str| EmployeeKey { connection: connection.id.clone(), employee: employee.to_owned() };
    let keys: Vec<EmployeeKey> = wanted.iter().flat_map(|one| [key(&one.from), key(one.to.as_str())]).collect();
    let slim: HashMap<EmployeeKey, SlimRow> = employees::lock_slim(tx, &keys).await?;
    let rows = employees::lock_full(store, tx, &keys).await?;
    let mut rows: HashMap<EmployeeKey, FullRow> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    let mut moves: Vec<Move> = Vec::new();
    for Takeover { from, to } in wanted {
        let (from, to_key) = (key(from), key(to.as_str()));
        let there = rows.get(&to_key);
        let delivered =
            |row: &FullRow| row.written.is_some() || row.written_number.is_some() || row.state == RowState::Flying;
        if there.is_some_and(delivered) || moves.iter().any(|moved| moved.to == to_key) {
            continue;
        }
        let waits =
            |row: &FullRow| matches!(row.state, RowState::Due | RowState::Skipped | RowState::Parked | RowState::Held);
        let due = there.is_some_and(waits);
        let Some(mut row) = rows.remove(&from) else { continue };
        let mut version = row.version;
        let mut event_ids = slim.get(&from).map(|slim| slim.event_ids.clone()).unwrap_or_default();
        if let Some(there) = slim.get(&to_key).filter(|_| rows.remove(&to_key).is_some()) {
            version = version.max(there.version);
            event_ids.extend(there.event_ids.iter().cloned());
            event_ids.drain(..event_ids.len().saturating_sub(EVENT_IDS));
        }
        let content = match &mut row.record {
            Some(record) => {
                record.employee_id = to.clone();
                content::of_record(&store.keys, record)
            }
            None => row.content.clone(),
        };
        let due = due && matches!(row.state, RowState::Baseline | RowState::Synced);
        moves.push(Move { from, to: to_key, row, content, event_ids, version, due });
    }
    Ok(moves)
}

async fn move_rows(store: &Store, tx: &Tx, connection: &str, moves: &[Move]) -> Result<()> {
    for chunk in pieces(moves, tx.rows_at_once(8)) {
        let mut values: Vec<Value> = vec![connection.into()];
        values.extend(chunk.iter().map(|moved| Value::from(moved.to.employee.clone())));
        let sql = format!(
            "DELETE FROM employees WHERE connection_id = $1 AND employee_id IN ({})",
            crate::db::list(chunk.len(), 2)
        );
        tx.exec(&sql, values).await?;
        let mut values: Vec<Value> = vec![connection.into()];
        for moved in chunk {
            let Move { from, to, row, content, event_ids, version, due: _ } = moved;
            let seal =
                |column: &str, plain: Option<Vec<u8>>| plain.map(|plain| store.keys.seal(&place(column, to), &plain));
            let record = row.record.as_ref().map(serde_json::to_vec).transpose()?;
            let written = row.written.as_ref().map(serde_json::to_vec).transpose()?;
            values.extend([
                from.employee.clone().into(),
                to.employee.clone().into(),
                seal("record", record).into(),
                seal("detail", row.detail.as_ref().map(|detail| detail.clone().into_bytes())).into(),
                seal("written", written).into(),
                content.clone().into(),
                serde_json::to_string(event_ids)?.into(),
                (*version).into(),
            ]);
        }
        let sql = format!(
            "WITH moved (o, n, r, d, w, c, ids, v) AS (VALUES {})
             UPDATE employees SET employee_id = moved.n, record = moved.r, detail = moved.d, written = moved.w,
               content = moved.c, event_ids = moved.ids, version = moved.v
             FROM moved WHERE connection_id = $1 AND employee_id = moved.o",
            tuples(chunk.len(), 8, 2)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

async fn make_due(tx: &Tx, connection: &str, moves: &[Move], now: Millis) -> Result<()> {
    let due: Vec<&Move> = moves.iter().filter(|moved| moved.due).collect();
    for chunk in pieces(&due, 200) {
        let mut values: Vec<Value> = vec![now.0.into(), connection.into()];
        values.extend(chunk.iter().map(|moved| Value::from(moved.to.employee.clone())));
        let sql = format!(
            "UPDATE employees SET state = 'due', reason = NULL, detail = NULL, due_ms = $1, next_try_ms = 0, changed_ms = $1
             WHERE connection_id = $2 AND employee_id IN ({})",
            crate::db::list(chunk.len(), 3)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// What カオナビ holds because we wrote it stays theirs.
async fn move_owners(tx: &Tx, account: &str, connection: &str, moves: &[Move]) -> Result<()> {
    let mut owned: Vec<(&str, &Move)> = Vec::new();
    for moved in moves {
        let numbers = [&moved.row.number, &moved.row.written_number];
        owned.extend(numbers.into_iter().flatten().map(|number| (number.as_str(), moved)));
    }
    owned.sort_by_key(|(number, moved)| (*number, moved.from.employee.as_str()));
    owned.dedup_by_key(|(number, moved)| (*number, moved.from.employee.as_str()));
    for chunk in pieces(&owned, tx.rows_at_once(3)) {
        let mut values: Vec<Value> = vec![account.into(), connection.into()];
        for (number, moved) in chunk {
            values.extend([(*number).into(), moved.from.employee.clone().into(), moved.to.employee.clone().into()]);
        }
        let sql = format!(
            "WITH moved (k, o, n) AS (VALUES {})
             UPDATE codes SET owner_employee = moved.n FROM moved
             WHERE account_id = $1 AND code = moved.k AND owner_connection = $2 AND owner_employee = moved.o",
            tuples(chunk.len(), 3, 3)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// What flies lands under the new key.
async fn move_in_flight(tx: &Tx, account: &str, moves: &[Move]) -> Result<()> {
    let by_key: HashMap<&EmployeeKey, &Move> = moves.iter().map(|moved| (&moved.from, moved)).collect();
    let query = "SELECT batch_id, members FROM batches WHERE account_id = $1 AND state <> 'done'";
    for row in tx.rows(query, vec![account.into()]).await? {
        let mut members: Vec<Member> = serde_json::from_str(&row.get::<String>("members")?)?;
        let mut changed = false;
        for member in &mut members {
            let Some(moved) = by_key.get(&member.key) else { continue };
            member.key = moved.to.clone();
            if member.content == moved.row.content {
                member.content.clone_from(&moved.content);
            }
            changed = true;
        }
        if changed {
            let values =
                vec![serde_json::to_string(&members)?.into(), account.into(), row.get::<i64>("batch_id")?.into()];
            tx.exec("UPDATE batches SET members = $1 WHERE account_id = $2 AND batch_id = $3", values).await?;
        }
    }
    let query = "SELECT repair_id, doc FROM repairs WHERE account_id = $1";
    for row in tx.rows(query, vec![account.into()]).await? {
        let mut doc: Json = serde_json::from_str(&row.get::<String>("doc")?)?;
        if rename(&mut doc, &by_key) {
            let values = vec![doc.to_string().into(), account.into(), row.get::<i64>("repair_id")?.into()];
            tx.exec("UPDATE repairs SET doc = $1 WHERE account_id = $2 AND repair_id = $3", values).await?;
        }
    }
    Ok(())
}

/// Renames people wherever they stand in a document; whether any did.
fn rename(doc: &mut Json, moves: &HashMap<&EmployeeKey, &Move>) -> bool {
    if let Ok(key) = serde_json::from_value::<EmployeeKey>(doc.clone()) {
        let Some(moved) = moves.get(&key) else { return false };
        doc["e"] = Json::String(moved.to.employee.clone());
        return true;
    }
    match doc {
        // Each of them, not only up to the first that is found.
        Json::Array(items) => items.iter_mut().map(|item| u32::from(rename(item, moves))).sum::<u32>() > 0,
        Json::Object(entries) => entries.values_mut().map(|item| u32::from(rename(item, moves))).sum::<u32>() > 0,
        _ => false,
    }
}

/// The history, mails that were sent, and uploads under way go on to mean the same people.
async fn move_mentions(tx: &Tx, connection: &Connection, moves: &[Move]) -> Result<()> {
    let statements = [
        "UPDATE activity SET employee_id = moved.n FROM moved
         WHERE activity.connection_id = $1 AND activity.employee_id = moved.o",
        "UPDATE upload_people SET employee_id = moved.n FROM moved WHERE upload_people.employee_id = moved.o
           AND upload_id IN (SELECT upload_id FROM uploads WHERE uploads.connection_id = $1)",
        // Sealed under the id of before; who wants to know asks again.
        "DELETE FROM dry_runs WHERE connection_id = $1 AND employee_id IN (SELECT o FROM moved)",
    ];
    // Only those who need a person are in a mail, and there is no quick way to them.
    let told = "UPDATE episode_items SET employee_id = moved.n FROM moved
        WHERE episode_items.connection_id = $1 AND episode_items.employee_id = moved.o
          AND NOT EXISTS (SELECT 1 FROM episode_items AS others WHERE others.episode_id = episode_items.episode_id
            AND others.connection_id = $1 AND others.employee_id = moved.n)";
    let all: Vec<&Move> = moves.iter().collect();
    let waiting: Vec<&Move> =
        moves.iter().filter(|moved| matches!(moved.row.state, RowState::Parked | RowState::Held)).collect();
    if !waiting.is_empty() {
        // Who is put into an episode, or told, just now is there then to be renamed.
        episodes::hold_open(tx, connection).await?;
    }
    for (sql, moves) in statements.into_iter().map(|sql| (sql, &all)).chain([(told, &waiting)]) {
        for chunk in pieces(moves, tx.rows_at_once(2)) {
            let mut values: Vec<Value> = vec![connection.id.clone().into()];
            for moved in chunk {
                values.extend([moved.from.employee.clone().into(), moved.to.employee.clone().into()]);
            }
            let with = tuples(chunk.len(), 2, 2);
            tx.exec(&format!("WITH moved (o, n) AS (VALUES {with}) {sql}"), values).await?;
        }
    }
    Ok(())
}
