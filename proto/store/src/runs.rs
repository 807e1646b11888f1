//! Runs: one sweep, window or manual run each, with what came of it.

pub mod captions;

use std::collections::BTreeMap;

use jiff::ToSpan as _;
use jiff::civil::Date;
use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;
use serde::{Deserialize, Serialize};

use crate::attendance::staging;
use crate::db::{Row, Sql, Tx, list};
use crate::error::{Result, StoreError};

/// What a run was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunKind {
    /// 定期確認: what changed at a source of employees.
    Sweep,
    /// Everybody whom a source of employees knows, once.
    FirstLoad,
    /// The days before, every day at 05:00.
    Window,
    /// Days that a person chose.
    Manual,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Another one goes first.
    Waiting,
    /// 実行中.
    Running,
    /// 取込待ち: files wait for a person.
    AwaitingImport,
    /// 成功.
    Ok,
    /// 警告あり.
    Warned,
    /// 失敗.
    Failed,
    /// 中止.
    Cancelled,
}

macro_rules! stored_as {
    ($name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        impl $name {
            /// The stored text.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// Reads the stored text.
            ///
            /// # Errors
            /// When it is none of them.
            pub fn parse(text: &str) -> Result<Self> {
                match text {
                    $($text => Ok(Self::$variant),)+
                    _ => Err(StoreError::Corrupt(stringify!($name).to_owned())),
                }
            }
        }
    };
}

stored_as!(RunKind { Sweep = "sweep", FirstLoad = "first_load", Window = "window", Manual = "manual" });
stored_as!(RunState {
    Waiting = "waiting",
    Running = "running",
    AwaitingImport = "awaiting_import",
    Ok = "ok",
    Warned = "warned",
    Failed = "failed",
    Cancelled = "cancelled",
});

/// How many dates of its period a run has read.
pub const DAYS_READ: &str = "days_read";
/// Of a run that did not come to its end: which date of its period, from 1, is the first one that was not read. When all were, it is
/// one that the period does not have.
pub const FIRST_DAY_NOT_READ: &str = "first_day_not_read";

/// Names of what was counted, and how much.
pub type Counts = BTreeMap<String, i64>;

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// The company.
    pub tenant: String,
    /// What for.
    pub kind: RunKind,
    /// The connection or link.
    pub subject: String,
    /// `system`, or who started it.
    pub executor: String,
    /// Where it stands.
    pub state: RunState,
    /// Why it failed or what it warns of.
    pub code: Option<String>,
    /// The time on the calendar that it is about.
    pub slot: Millis,
    /// When it began.
    pub started: Millis,
    /// When it ended.
    pub ended: Option<Millis>,
    /// First and last day of the period, `YYYY-MM-DD`.
    pub days: Option<(String, String)>,
    /// What was counted.
    pub counts: Counts,
}

impl Run {
    /// A run that no person started, of what is due now: it waits, and was not written down yet.
    #[must_use]
    pub fn draft(tenant: &str, kind: RunKind, subject: &str, now: Millis) -> Self {
        Self {
            id: 0,
            tenant: tenant.to_owned(),
            kind,
            subject: subject.to_owned(),
            executor: "system".to_owned(),
            state: RunState::Waiting,
            code: None,
            slot: now,
            started: now,
            ended: None,
            days: None,
            counts: Counts::new(),
        }
    }

    /// From which day of its period on the run read nothing, if it did not come to its end; none if it had read them all.
    #[must_use]
    pub fn unread_from(&self) -> Option<Date> {
        if !matches!(self.state, RunState::Failed | RunState::Cancelled) {
            return None;
        }
        let (first, last) = self.days.as_ref()?;
        let (first, last): (Date, Date) = (first.parse().ok()?, last.parse().ok()?);
        let at = self.counts.get(FIRST_DAY_NOT_READ).copied().unwrap_or(1);
        first.checked_add((at - 1).days()).ok().filter(|day| *day <= last)
    }
}

const COLUMNS: &str = "run_id, tenant_id, kind, subject, executor, state, code, slot_ms, started_ms, ended_ms, first_day, last_day, counts";

fn read(row: &Row) -> Result<Run> {
    let first: Option<String> = row.get("first_day")?;
    Ok(Run {
        id: row.get("run_id")?,
        tenant: row.get("tenant_id")?,
        kind: RunKind::parse(&row.get::<String>("kind")?)?,
        subject: row.get("subject")?,
        executor: row.get("executor")?,
        state: RunState::parse(&row.get::<String>("state")?)?,
        code: row.get("code")?,
        slot: Millis(row.get("slot_ms")?),
        started: Millis(row.get("started_ms")?),
        ended: row.get::<Option<i64>>("ended_ms")?.map(Millis),
        days: first.zip(row.get::<Option<String>>("last_day")?),
        counts: serde_json::from_str(&row.get::<String>("counts")?)?,
    })
}

/// Writes a new run down and answers its number; [`Run::id`] is not looked at.
///
/// # Errors
/// When the store does not answer.
pub async fn insert(tx: &Tx, run: &Run) -> Result<i64> {
    let (first, last) = run.days.clone().unzip();
    let values: Vec<Value> = vec![
        run.tenant.clone().into(),
        run.kind.as_str().into(),
        run.subject.clone().into(),
        run.executor.clone().into(),
        run.state.as_str().into(),
        run.code.clone().into(),
        run.slot.0.into(),
        run.started.0.into(),
        run.ended.map(|ended| ended.0).into(),
        first.into(),
        last.into(),
        serde_json::to_string(&run.counts)?.into(),
    ];
    let sql = "INSERT INTO runs (tenant_id, kind, subject, executor, state, code, slot_ms, started_ms, ended_ms, first_day, last_day, counts)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) RETURNING run_id";
    let row = tx.row(sql, values).await?.ok_or_else(|| StoreError::Corrupt("run".to_owned()))?;
    row.get("run_id")
}

/// Notes how a run goes on or ended.
///
/// # Errors
/// When the store does not answer.
pub async fn update(tx: &Tx, run: &Run) -> Result<()> {
    let values: Vec<Value> = vec![
        run.state.as_str().into(),
        run.code.clone().into(),
        run.started.0.into(),
        run.ended.map(|ended| ended.0).into(),
        serde_json::to_string(&run.counts)?.into(),
        run.id.into(),
    ];
    let sql = "UPDATE runs SET state = $1, code = $2, started_ms = $3, ended_ms = $4, counts = $5 WHERE run_id = $6";
    tx.exec(sql, values).await?;
    Ok(())
}

/// Ends a run from outside, for `code`. What it was reading is dropped; what it has read stays. `false`: it has ended by itself.
///
/// # Errors
/// When the store does not answer.
pub async fn stop(tx: &Tx, run: &mut Run, code: Code, now: Millis) -> Result<bool> {
    let open = "UPDATE runs SET state = 'cancelled' WHERE run_id = $1 AND state IN ('waiting', 'running')";
    if tx.exec(open, vec![run.id.into()]).await? != 1 {
        return Ok(false);
    }
    run.state = RunState::Cancelled;
    run.code = Some(code.as_str().to_owned());
    run.ended = Some(now);
    if let Some(read) = run.counts.get(DAYS_READ).copied() {
        run.counts.insert(FIRST_DAY_NOT_READ.to_owned(), read + 1);
    }
    staging::clear(tx, run.id).await?;
    update(tx, run).await?;
    Ok(true)
}

/// One run.
///
/// # Errors
/// When the store does not answer.
pub async fn find(sql: &impl Sql, id: i64) -> Result<Option<Run>> {
    let row = sql.row(&format!("SELECT {COLUMNS} FROM runs WHERE run_id = $1"), vec![id.into()]).await?;
    row.map(|row| read(&row)).transpose()
}

/// One run, which nobody else changes before the transaction ends. Whoever holds several holds the newest first, and writes days
/// into the book after that, as whoever ends a run does: otherwise two would wait for each other.
///
/// # Errors
/// When the store does not answer.
pub async fn hold(tx: &Tx, id: i64) -> Result<Option<Run>> {
    let query = format!("SELECT {COLUMNS} FROM runs WHERE run_id = $1{}", tx.for_update());
    tx.row(&query, vec![id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The tenant's last run of a subject that failed for `code`.
///
/// # Errors
/// When the store does not answer.
pub async fn last_failed(sql: &impl Sql, tenant: &str, subject: &str, code: Code) -> Result<Option<Run>> {
    let query = format!(
        "SELECT {COLUMNS} FROM runs WHERE tenant_id = $1 AND subject = $2 AND state = 'failed' AND code = $3
         ORDER BY run_id DESC LIMIT 1"
    );
    let row = sql.row(&query, vec![tenant.into(), subject.into(), code.as_str().into()]).await?;
    row.map(|row| read(&row)).transpose()
}

/// The tenant's runs of these subjects, newest first, before `before`.
///
/// # Errors
/// When the store does not answer.
pub async fn page(sql: &impl Sql, tenant: &str, subjects: &[&str], before: i64, most: u32) -> Result<Vec<Run>> {
    let mut values: Vec<Value> = vec![tenant.into(), before.into(), i64::from(most).into()];
    let mut condition = String::new();
    if !subjects.is_empty() {
        condition = format!(" AND subject IN ({})", list(subjects.len(), values.len() + 1));
        values.extend(subjects.iter().map(|subject| Value::from(*subject)));
    }
    let query = format!(
        "SELECT {COLUMNS} FROM runs WHERE tenant_id = $1 AND run_id < $2{condition} ORDER BY run_id DESC LIMIT $3"
    );
    sql.rows(&query, values).await?.iter().map(read).collect()
}

/// The manual runs of a link that came to their end with days from `first` on, since it reads the company that it reads now.
///
/// # Errors
/// When the store does not answer.
pub async fn brought_by_hand(sql: &impl Sql, link: &str, first: &str) -> Result<Vec<Run>> {
    let query = format!(
        "SELECT {COLUMNS} FROM runs WHERE subject = $1 AND kind = 'manual' AND state IN ('awaiting_import', 'ok', 'warned')
           AND last_day >= $2 AND started_ms >= COALESCE((SELECT company_since_ms FROM links WHERE link_id = $1), 0)"
    );
    sql.rows(&query, vec![link.into(), first.into()]).await?.iter().map(read).collect()
}

/// The tenant's runs of these kinds that have not ended, oldest first.
///
/// # Errors
/// When the store does not answer.
pub async fn open_ones(sql: &impl Sql, tenant: &str, kinds: &[RunKind]) -> Result<Vec<Run>> {
    let mut values: Vec<Value> = vec![tenant.into()];
    values.extend(kinds.iter().map(|kind| Value::from(kind.as_str())));
    let query = format!(
        "SELECT {COLUMNS} FROM runs WHERE tenant_id = $1 AND state IN ('waiting', 'running') AND kind IN ({}) ORDER BY run_id",
        list(kinds.len(), 2)
    );
    sql.rows(&query, values).await?.iter().map(read).collect()
}
