//! The account's log of calls. Its update calls are the budget: a slot is taken from the reservation until 60 s after the
//! answer was read.

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;

use crate::db::{Sql, Tx};
use crate::employees::EmployeeKey;
use crate::error::Result;

/// How many update calls カオナビ takes in any rolling window.
pub const UPDATE_SLOTS: usize = 5;

/// How long a slot stays taken after the answer was read.
pub const SLOT_HOLD: Duration = Duration::from_secs(60);

/// What a call is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKind {
    /// `POST /members`.
    Create,
    /// `PATCH /members`.
    Update,
    /// Either, in search of a bad record.
    Repair,
    /// `POST /token`.
    Token,
    /// Layouts, members, departments.
    Read,
    /// `GET /tasks/{id}`.
    Poll,
}

impl CallKind {
    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CallKind::Create => "create",
            CallKind::Update => "update",
            CallKind::Repair => "repair",
            CallKind::Token => "token",
            CallKind::Read => "read",
            CallKind::Poll => "poll",
        }
    }

    /// Whether it is an update call, of which カオナビ takes five in a minute.
    #[must_use]
    pub fn takes_a_slot(self) -> bool {
        matches!(self, CallKind::Create | CallKind::Update | CallKind::Repair)
    }

    fn from_text(text: &str) -> Self {
        match text {
            "create" => CallKind::Create,
            "update" => CallKind::Update,
            "repair" => CallKind::Repair,
            "token" => CallKind::Token,
            "poll" => CallKind::Poll,
            _ => CallKind::Read,
        }
    }
}

/// One taken slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slot {
    /// What for.
    pub kind: CallKind,
    /// When it was reserved.
    pub reserved: Millis,
    /// When it is free again, as far as known: the worst case until the answer was read.
    pub frees: Millis,
    /// Whether the answer was read.
    pub answered: bool,
}

/// The update calls that still take a slot at `now`, oldest first.
///
/// # Errors
/// When the store does not answer.
pub async fn taken(sql: &impl Sql, account: &str, now: Millis) -> Result<Vec<Slot>> {
    let query = "SELECT kind, reserved_ms, frees_ms, answered_ms FROM calls
        WHERE account_id = $1 AND frees_ms > $2 AND kind IN ('create', 'update', 'repair') ORDER BY reserved_ms";
    let rows = sql.rows(query, vec![account.into(), now.0.into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Slot {
                kind: CallKind::from_text(&row.get::<String>("kind")?),
                reserved: Millis(row.get("reserved_ms")?),
                frees: Millis(row.get("frees_ms")?),
                answered: row.get::<Option<i64>>("answered_ms")?.is_some(),
            })
        })
        .collect()
}

/// Writes down a call before it is made. `frees` is when its slot is free if nobody ever says that it was answered.
///
/// # Errors
/// When the store does not answer.
pub async fn reserve(
    tx: &Tx,
    account: &str,
    kind: CallKind,
    batch: Option<i64>,
    now: Millis,
    frees: Millis,
) -> Result<i64> {
    let sql = "INSERT INTO calls (account_id, kind, batch_id, reserved_ms, frees_ms) VALUES ($1, $2, $3, $4, $5)
        RETURNING call_id";
    let values = vec![account.into(), kind.as_str().into(), batch.into(), now.0.into(), frees.0.into()];
    let row = tx.row(sql, values).await?;
    row.map(|row| row.get("call_id")).transpose().map(Option::unwrap_or_default)
}

/// Writes down that the answer was read, which frees the slot 60 s later. `status` is `None` when there was no answer: then
/// the slot stays taken as reserved.
///
/// # Errors
/// When the store does not answer.
pub async fn answered(sql: &impl Sql, call: i64, status: Option<u16>, now: Millis) -> Result<()> {
    let Some(status) = status else { return Ok(()) };
    let values = vec![now.0.into(), i64::from(status).into(), (now + SLOT_HOLD).0.into(), call.into()];
    if broken::is(Broken::SlotFromTheSend) {
        let from_the_send =
            "UPDATE calls SET answered_ms = $1, status = $2, frees_ms = reserved_ms + 60000 WHERE call_id = $3";
        sql.exec(from_the_send, vec![now.0.into(), i64::from(status).into(), call.into()]).await?;
        return Ok(());
    }
    if broken::is(Broken::SharedKeyNotCounted) {
        let counted = "UPDATE calls SET answered_ms = $1, status = $2, frees_ms = CASE WHEN frees_ms > reserved_ms THEN $3 ELSE frees_ms END WHERE call_id = $4";
        sql.exec(counted, values).await?;
        return Ok(());
    }
    sql.exec("UPDATE calls SET answered_ms = $1, status = $2, frees_ms = $3 WHERE call_id = $4", values).await?;
    Ok(())
}

/// How many calls of each kind were made since `since`.
///
/// # Errors
/// When the store does not answer.
pub async fn counts_since(sql: &impl Sql, account: &str, since: Millis) -> Result<Vec<(CallKind, i64)>> {
    let query = "SELECT kind, COUNT(*) AS calls FROM calls WHERE account_id = $1 AND reserved_ms > $2 GROUP BY kind";
    let rows = sql.rows(query, vec![account.into(), since.0.into()]).await?;
    rows.iter().map(|row| Ok((CallKind::from_text(&row.get::<String>("kind")?), row.get("calls")?))).collect()
}

/// The moments of the last calls of one kind since `since`, oldest first.
///
/// # Errors
/// When the store does not answer.
pub async fn moments(sql: &impl Sql, account: &str, kind: CallKind, since: Millis) -> Result<Vec<Millis>> {
    let query =
        "SELECT reserved_ms FROM calls WHERE account_id = $1 AND kind = $2 AND reserved_ms > $3 ORDER BY reserved_ms";
    let rows = sql.rows(query, vec![account.into(), kind.as_str().into(), since.0.into()]).await?;
    rows.iter().map(|row| Ok(Millis(row.get("reserved_ms")?))).collect()
}

/// Update calls that were reserved after `since` and of which nobody has read an answer: calls that may be on their way.
///
/// # Errors
/// When the store does not answer.
pub async fn unanswered_since(sql: &impl Sql, account: &str, since: Millis) -> Result<i64> {
    let query = "SELECT COUNT(*) AS calls FROM calls WHERE account_id = $1 AND reserved_ms > $2 AND answered_ms IS NULL
        AND kind IN ('create', 'update', 'repair')";
    let row = sql.row(query, vec![account.into(), since.0.into()]).await?;
    Ok(row.map(|row| row.get("calls")).transpose()?.unwrap_or(0))
}

/// The update calls that still take a slot at `now`, oldest first, each with the connections whose people it carries.
///
/// # Errors
/// When the store does not answer.
pub async fn taken_by(sql: &impl Sql, account: &str, now: Millis) -> Result<Vec<(Slot, BTreeSet<String>)>> {
    let query = "SELECT calls.kind AS kind, reserved_ms, frees_ms, answered_ms, members FROM calls
        LEFT JOIN batches ON batches.account_id = calls.account_id AND batches.batch_id = calls.batch_id
        WHERE calls.account_id = $1 AND frees_ms > $2 AND calls.kind IN ('create', 'update', 'repair')
        ORDER BY reserved_ms";
    let rows = sql.rows(query, vec![account.into(), now.0.into()]).await?;
    rows.iter()
        .map(|row| {
            let members: Option<String> = row.get("members")?;
            let members: Vec<EmployeeKey> = serde_json::from_str(members.as_deref().unwrap_or("[]"))?;
            let slot = Slot {
                kind: CallKind::from_text(&row.get::<String>("kind")?),
                reserved: Millis(row.get("reserved_ms")?),
                frees: Millis(row.get("frees_ms")?),
                answered: row.get::<Option<i64>>("answered_ms")?.is_some(),
            };
            Ok((slot, members.into_iter().map(|member| member.connection).collect()))
        })
        .collect()
}
