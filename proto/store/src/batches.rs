//! Batches: what went out together, written down before the call, kept until its end is known.

use renkei_runtime::clock::Millis;
use sea_orm::Value;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{Row, Sql, Tx};
use crate::employees::{EmployeeKey, Op, Values};
use crate::error::{Result, StoreError};

/// How far a batch has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchState {
    /// Written down; the call may or may not have been made.
    Planned,
    /// カオナビ made a task of it.
    Accepted,
    /// Nobody can say whether カオナビ has it.
    Unknown,
    /// One person alone was refused; a read of the members tells whether the code was the reason.
    Refused,
    /// The end is known.
    Done,
}

impl BatchState {
    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            BatchState::Planned => "planned",
            BatchState::Accepted => "accepted",
            BatchState::Unknown => "unknown",
            BatchState::Refused => "refused",
            BatchState::Done => "done",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let all = [Self::Planned, Self::Accepted, Self::Unknown, Self::Refused, Self::Done];
        all.into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("batch state".to_owned()))
    }
}

/// One person of a batch. What stands here is in plain text: ids and numbers only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Who.
    #[serde(flatten)]
    pub key: EmployeeKey,
    /// The code that was sent.
    #[serde(rename = "n")]
    pub code: String,
    /// The version that was sent.
    #[serde(rename = "v")]
    pub version: i64,
    /// Keyed hash of the content that was sent: two contents may share a version.
    #[serde(rename = "h", default)]
    pub content: String,
    /// When its newest event had come, for the log.
    #[serde(rename = "r")]
    pub received: Millis,
}

/// A batch.
#[derive(Clone)]
pub struct Batch {
    /// The account.
    pub account: String,
    /// Its number in the account, rising.
    pub id: i64,
    /// POST or PATCH.
    pub op: Op,
    /// The search that it belongs to, if any.
    pub repair: Option<i64>,
    /// How far it has come.
    pub state: BatchState,
    /// Who is in it.
    pub members: Vec<Member>,
    /// What was sent for each, in the order of `members`.
    pub payload: Vec<Values>,
    /// カオナビ's task.
    pub task: Option<i64>,
    /// The lease under which it was planned.
    pub epoch: i64,
    /// When.
    pub planned: Millis,
    /// When its call has certainly ended, answered or not.
    pub gives_up: Millis,
    /// When it is looked at next.
    pub next_look: Millis,
    /// How often it was looked at.
    pub looks: i64,
}

fn place(account: &str, id: i64) -> String {
    format!("batches.payload|{account}|{id}")
}

/// Writes a new batch down.
///
/// # Errors
/// When the store does not answer.
pub async fn insert(store: &Store, tx: &Tx, batch: &Batch) -> Result<()> {
    let sql = "INSERT INTO batches (account_id, batch_id, kind, repair, state, members, payload, epoch, planned_ms,
        gives_up_ms, next_look_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let values: Vec<Value> = vec![
        batch.account.clone().into(),
        batch.id.into(),
        batch.op.as_str().into(),
        batch.repair.unwrap_or(0).into(),
        batch.state.as_str().into(),
        serde_json::to_string(&batch.members)?.into(),
        store.keys.seal_json(&place(&batch.account, batch.id), &batch.payload)?.into(),
        batch.epoch.into(),
        batch.planned.0.into(),
        batch.gives_up.0.into(),
        batch.next_look.0.into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

const COLUMNS: &str =
    "account_id, batch_id, kind, repair, state, members, payload, task_id, epoch, planned_ms, gives_up_ms,
    next_look_ms, looks";

fn read(store: &Store, row: &Row) -> Result<Batch> {
    let account: String = row.get("account_id")?;
    let id: i64 = row.get("batch_id")?;
    let repair: i64 = row.get("repair")?;
    Ok(Batch {
        op: Op::parse(&row.get::<String>("kind")?),
        repair: (repair != 0).then_some(repair),
        state: BatchState::parse(&row.get::<String>("state")?)?,
        members: serde_json::from_str(&row.get::<String>("members")?)?,
        payload: store.keys.open_json(&place(&account, id), &row.get::<Vec<u8>>("payload")?)?,
        task: row.get("task_id")?,
        epoch: row.get("epoch")?,
        planned: Millis(row.get("planned_ms")?),
        gives_up: Millis(row.get("gives_up_ms")?),
        next_look: Millis(row.get("next_look_ms")?),
        looks: row.get("looks")?,
        account,
        id,
    })
}

/// The batches of an account whose end is not known, oldest first.
///
/// # Errors
/// When the store does not answer.
pub async fn open(store: &Store, sql: &impl Sql, account: &str) -> Result<Vec<Batch>> {
    let query = format!("SELECT {COLUMNS} FROM batches WHERE account_id = $1 AND state <> 'done' ORDER BY batch_id");
    let rows = sql.rows(&query, vec![account.into()]).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

/// One batch.
///
/// # Errors
/// When there is none.
pub async fn get(store: &Store, sql: &impl Sql, account: &str, id: i64) -> Result<Batch> {
    let query = format!("SELECT {COLUMNS} FROM batches WHERE account_id = $1 AND batch_id = $2");
    let row = sql.row(&query, vec![account.into(), id.into()]).await?;
    let row = row.ok_or_else(|| StoreError::NotFound(format!("batch {id}")))?;
    read(store, &row)
}

/// What is known of an open batch without opening its payload.
#[derive(Debug, Clone, Copy)]
pub struct OpenBatch {
    /// Its number.
    pub id: i64,
    /// POST or PATCH.
    pub op: Op,
    /// How far it has come.
    pub state: BatchState,
    /// カオナビ's task.
    pub task: Option<i64>,
    /// The lease under which it was planned.
    pub epoch: i64,
    /// When it was planned.
    pub planned: Millis,
    /// When its call has certainly ended.
    pub gives_up: Millis,
    /// When it is looked at next.
    pub next_look: Millis,
    /// How often it was looked at.
    pub looks: i64,
    /// The search that it belongs to.
    pub repair: Option<i64>,
}

/// The open batches, lightly.
///
/// # Errors
/// When the store does not answer.
pub async fn open_lightly(sql: &impl Sql, account: &str) -> Result<Vec<OpenBatch>> {
    let query = "SELECT batch_id, kind, repair, state, task_id, epoch, planned_ms, gives_up_ms, next_look_ms, looks FROM batches
        WHERE account_id = $1 AND state <> 'done' ORDER BY batch_id";
    let rows = sql.rows(query, vec![account.into()]).await?;
    rows.iter()
        .map(|row| {
            let repair: i64 = row.get("repair")?;
            Ok(OpenBatch {
                id: row.get("batch_id")?,
                op: Op::parse(&row.get::<String>("kind")?),
                state: BatchState::parse(&row.get::<String>("state")?)?,
                task: row.get("task_id")?,
                epoch: row.get("epoch")?,
                planned: Millis(row.get("planned_ms")?),
                gives_up: Millis(row.get("gives_up_ms")?),
                next_look: Millis(row.get("next_look_ms")?),
                looks: row.get("looks")?,
                repair: (repair != 0).then_some(repair),
            })
        })
        .collect()
}

/// The codes that open batches carry.
///
/// # Errors
/// When the store does not answer.
pub async fn open_codes(sql: &impl Sql, account: &str) -> Result<std::collections::HashSet<String>> {
    let query = "SELECT members FROM batches WHERE account_id = $1 AND state <> 'done'";
    let mut codes = std::collections::HashSet::new();
    for row in sql.rows(query, vec![account.into()]).await? {
        let members: Vec<Member> = serde_json::from_str(&row.get::<String>("members")?)?;
        codes.extend(members.into_iter().map(|member| member.code));
    }
    Ok(codes)
}

/// Moves an open batch on.
///
/// # Errors
/// When the store does not answer.
pub async fn advance(
    tx: &Tx,
    account: &str,
    id: i64,
    state: BatchState,
    task: Option<i64>,
    looks: i64,
    next_look: Millis,
) -> Result<()> {
    let sql = "UPDATE batches SET state = $1, task_id = COALESCE($2, task_id), looks = $3, next_look_ms = $4
        WHERE account_id = $5 AND batch_id = $6 AND state <> 'done'";
    let values = vec![state.as_str().into(), task.into(), looks.into(), next_look.0.into(), account.into(), id.into()];
    tx.exec(sql, values).await?;
    Ok(())
}

/// From now on nobody can say whether カオナビ has the batch. `ended` is when its call certainly was over.
///
/// # Errors
/// When the store does not answer.
pub async fn mark_unknown(tx: &Tx, account: &str, id: i64, ended: Millis, next_look: Millis) -> Result<()> {
    let sql = "UPDATE batches SET state = 'unknown', gives_up_ms = $1, looks = 0, next_look_ms = $2
        WHERE account_id = $3 AND batch_id = $4 AND state <> 'done'";
    tx.exec(sql, vec![ended.0.into(), next_look.0.into(), account.into(), id.into()]).await?;
    Ok(())
}

/// Ends a batch. Its payload is dropped: nobody needs it any more.
///
/// # Errors
/// When the store does not answer.
pub async fn finish(store: &Store, tx: &Tx, account: &str, id: i64, outcome: &str, now: Millis) -> Result<bool> {
    let empty = store.keys.seal_json(&place(account, id), &Vec::<Values>::new())?;
    let sql = "UPDATE batches SET state = 'done', outcome = $1, payload = $2, settled_ms = $3
        WHERE account_id = $4 AND batch_id = $5 AND state <> 'done'";
    let values = vec![outcome.into(), empty.into(), now.0.into(), account.into(), id.into()];
    Ok(tx.exec(sql, values).await? == 1)
}

/// A search for bad records, as JSON of the role that runs it.
#[derive(Debug, Clone)]
pub struct Repair {
    /// Its number in the account.
    pub id: i64,
    /// POST or PATCH.
    pub op: Op,
    /// What the role remembers.
    pub doc: String,
}

/// The searches of an account, oldest first.
///
/// # Errors
/// When the store does not answer.
pub async fn repairs(sql: &impl Sql, account: &str) -> Result<Vec<Repair>> {
    let query = "SELECT repair_id, kind, doc FROM repairs WHERE account_id = $1 ORDER BY repair_id";
    let rows = sql.rows(query, vec![account.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Repair { id: row.get("repair_id")?, op: Op::parse(&row.get::<String>("kind")?), doc: row.get("doc")? })
        })
        .collect()
}

/// Writes a search down.
///
/// # Errors
/// When the store does not answer.
pub async fn put_repair(tx: &Tx, account: &str, repair: &Repair) -> Result<()> {
    let sql = "INSERT INTO repairs (account_id, repair_id, kind, doc) VALUES ($1, $2, $3, $4)
        ON CONFLICT (account_id, repair_id) DO UPDATE SET doc = excluded.doc";
    let values = vec![account.into(), repair.id.into(), repair.op.as_str().into(), repair.doc.clone().into()];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Ends a search.
///
/// # Errors
/// When the store does not answer.
pub async fn delete_repair(tx: &Tx, account: &str, id: i64) -> Result<()> {
    tx.exec("DELETE FROM repairs WHERE account_id = $1 AND repair_id = $2", vec![account.into(), id.into()]).await?;
    Ok(())
}
