//! Dry runs on demand: whether カオナビ would take one person as they are now.
//!
//! Whoever wants to know leaves a question; a worker judges the person, asks カオナビ, and answers it here. There is one question of
//! a connection at a time, marked in the connection's row, and the last one of a person is kept for a day. Nothing of the
//! person's own row changes by it.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::accounts;
use crate::audit::{self, Deed};
use crate::connections::{self, Connection, ConnectionState};
use crate::db::{Row, Sql, Tx};
use crate::employees::{EmployeeKey, Op};
use crate::error::{Result, StoreError};

/// How long a question waits for its call.
pub const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// What a question came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// カオナビ would take the person.
    Accepted,
    /// カオナビ would refuse the person, and says why.
    Rejected,
    /// Renkei would not send the person, so カオナビ was not asked.
    NotSent,
    /// Nobody knows. It is not asked again by itself.
    NoAnswer,
}

impl End {
    const ALL: [End; 4] = [End::Accepted, End::Rejected, End::NotSent, End::NoAnswer];

    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            End::Accepted => "accepted",
            End::Rejected => "rejected",
            End::NotSent => "not_sent",
            End::NoAnswer => "no_answer",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let corrupt = || StoreError::Corrupt("end of a dry run".to_owned());
        Self::ALL.into_iter().find(|end| end.as_str() == text).ok_or_else(corrupt)
    }
}

/// How far a question has come.
#[derive(Clone, PartialEq, Eq)]
pub enum Progress {
    /// Nobody has looked at it.
    Wanted,
    /// The person would be sent: it waits for a token and a slot.
    Ready,
    /// The call is under way.
    Sent {
        /// Its number in the log of calls.
        call: i64,
    },
    /// カオナビ made a task of it, whose end tells.
    Task {
        /// カオナビ's id.
        id: i64,
        /// How often it was looked at.
        looks: i64,
        /// When it is looked at next.
        next_look: Millis,
    },
    /// It is answered.
    Ended {
        /// What it came to.
        end: End,
        /// Why, as a code, where there is one.
        code: Option<String>,
        /// カオナビ's own words; may be personal.
        detail: Option<String>,
        /// When.
        at: Millis,
    },
}

impl Progress {
    fn state(&self) -> &'static str {
        match self {
            Progress::Wanted => "wanted",
            Progress::Ready => "ready",
            Progress::Sent { .. } => "sent",
            Progress::Task { .. } => "task",
            Progress::Ended { .. } => "ended",
        }
    }

    /// What it is once nobody has answered in time: a call that was made says that カオナビ did not answer.
    #[must_use]
    pub fn unanswered(&self, at: Millis) -> Self {
        let asked = matches!(self, Progress::Sent { .. } | Progress::Task { .. });
        let code = asked.then(|| Code::KaonaviUnavailable.as_str().to_owned());
        Progress::Ended { end: End::NoAnswer, code, detail: None, at }
    }
}

/// A question about one person.
#[derive(Clone)]
pub struct DryRun {
    /// Who.
    pub key: EmployeeKey,
    /// When it was asked.
    pub made: Millis,
    /// When it ends without an answer.
    pub until: Millis,
    /// Whether the person would be registered or changed; `None` while it is not known.
    pub op: Option<Op>,
    /// How far it has come.
    pub progress: Progress,
}

/// Why nothing is asked.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The switch is off.
    #[error("the connection is {0}; a dry run is made only while it is active")]
    Off(ConnectionState),
    /// There is no such person, or not any more.
    #[error("there is no such person")]
    Nobody,
    /// One of the connection is open.
    #[error("another dry run of the connection is under way; try again when it has ended")]
    UnderWay,
}

fn place(key: &EmployeeKey) -> String {
    format!("dry_runs.detail|{}|{}", key.connection, key.employee)
}

/// Asks about one person of a connection that is on.
///
/// # Errors
/// While the connection is off or another question of it is open, of nobody, and when the store does not answer.
pub async fn want(
    store: &Store,
    connection: &Connection,
    employee: &str,
    actor: &str,
) -> std::result::Result<DryRun, AskError> {
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &connection.account {
        accounts::wake(&tx, account, now).await?;
    }
    connections::lock(&tx, &connection.id).await?;
    // As it is under the locks, not as it was before.
    let connection = connections::get(store, &tx, &connection.id).await?;
    if connection.state != ConnectionState::Active {
        return Err(AskError::Off(connection.state));
    }
    if current(store, &tx, &connection).await?.is_some_and(|open| open.until > now) {
        return Err(AskError::UnderWay);
    }
    let person = || -> Vec<Value> { vec![connection.id.clone().into(), employee.into()] };
    let there = "SELECT 1 AS one FROM employees WHERE connection_id = $1 AND employee_id = $2";
    if tx.row(there, person()).await?.is_none() {
        return Err(AskError::Nobody);
    }
    let key = EmployeeKey { connection: connection.id.clone(), employee: employee.to_owned() };
    let asked = DryRun { key, made: now, until: now + PATIENCE, op: None, progress: Progress::Wanted };
    tx.exec("DELETE FROM dry_runs WHERE connection_id = $1 AND employee_id = $2", person()).await?;
    let sql = "INSERT INTO dry_runs (connection_id, employee_id, made_ms, until_ms, state) VALUES ($1, $2, $3, $4, $5)";
    let mut values = person();
    values.extend([asked.made.0.into(), asked.until.0.into(), asked.progress.state().into()]);
    tx.exec(sql, values).await?;
    let sql = "UPDATE connections SET dry_run_ms = $1 WHERE connection_id = $2";
    tx.exec(sql, vec![now.0.into(), connection.id.clone().into()]).await?;
    let target = format!("{}/{employee}", connection.id);
    let deed =
        Deed { tenant: Some(&connection.tenant), actor, action: "employee.dry_run", target: &target, detail: None };
    audit::add(store, &tx, deed, now).await?;
    tx.commit().await?;
    store.hint();
    Ok(asked)
}

const COLUMNS: &str = "connection_id, employee_id, made_ms, until_ms, state, op, call_id, task_id, looks, next_look_ms,
    result, code, detail, ended_ms";

fn read(store: &Store, row: &Row) -> Result<DryRun> {
    let key = EmployeeKey { connection: row.get("connection_id")?, employee: row.get("employee_id")? };
    let progress = match row.get::<String>("state")?.as_str() {
        "wanted" => Progress::Wanted,
        "ready" => Progress::Ready,
        "sent" => Progress::Sent { call: row.get("call_id")? },
        "task" => Progress::Task {
            id: row.get("task_id")?,
            looks: row.get("looks")?,
            next_look: Millis(row.get("next_look_ms")?),
        },
        "ended" => {
            // Only words; what does not open must not hide the rest.
            let sealed: Option<Vec<u8>> = row.get("detail")?;
            let detail = sealed.and_then(|sealed| store.keys.open_if_it_does(&place(&key), &sealed));
            Progress::Ended {
                end: End::parse(&row.get::<String>("result")?)?,
                code: row.get("code")?,
                detail: detail.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
                at: Millis(row.get("ended_ms")?),
            }
        }
        _ => return Err(StoreError::Corrupt("state of a dry run".to_owned())),
    };
    Ok(DryRun {
        made: Millis(row.get("made_ms")?),
        until: Millis(row.get("until_ms")?),
        op: row.get::<Option<String>>("op")?.map(|text| Op::parse(&text)),
        progress,
        key,
    })
}

/// The last question about a person, as it is at `now`: one that nobody answered in time has ended, whether a worker has seen
/// that or not.
///
/// # Errors
/// When the store does not answer.
pub async fn find(store: &Store, sql: &impl Sql, key: &EmployeeKey, now: Millis) -> Result<Option<DryRun>> {
    let query = format!("SELECT {COLUMNS} FROM dry_runs WHERE connection_id = $1 AND employee_id = $2");
    let row = sql.row(&query, vec![key.connection.clone().into(), key.employee.clone().into()]).await?;
    let mut found = row.map(|row| read(store, &row)).transpose()?;
    if let Some(run) = &mut found
        && run.until <= now
        && !matches!(run.progress, Progress::Ended { .. })
    {
        run.progress = run.progress.unanswered(run.until);
    }
    Ok(found)
}

/// The question of a connection that is open, if there is one; also one whose time is over.
///
/// # Errors
/// When the store does not answer.
pub async fn current(store: &Store, sql: &impl Sql, connection: &Connection) -> Result<Option<DryRun>> {
    let Some(made) = connection.dry_run else { return Ok(None) };
    let query =
        format!("SELECT {COLUMNS} FROM dry_runs WHERE connection_id = $1 AND made_ms = $2 AND state <> 'ended'");
    let row = sql.row(&query, vec![connection.id.clone().into(), made.0.into()]).await?;
    row.map(|row| read(store, &row)).transpose()
}

/// Writes down how far a question has come.
///
/// # Errors
/// When the store does not answer.
pub async fn save(store: &Store, tx: &Tx, run: &DryRun) -> Result<()> {
    let (mut call, mut task, mut look) = (None, None, (0, Millis(0)));
    let (mut result, mut code, mut detail, mut ended) = (None, None, None, None);
    match &run.progress {
        Progress::Wanted | Progress::Ready => {}
        Progress::Sent { call: number } => call = Some(*number),
        Progress::Task { id, looks, next_look } => (task, look) = (Some(*id), (*looks, *next_look)),
        Progress::Ended { end, code: why, detail: words, at } => {
            (result, code, ended) = (Some(end.as_str().to_owned()), why.clone(), Some(at.0));
            detail = words.as_ref().map(|text| store.keys.seal(&place(&run.key), text.as_bytes()));
        }
    }
    let sql = "UPDATE dry_runs SET until_ms = $1, state = $2, op = $3, call_id = $4, task_id = $5, looks = $6,
        next_look_ms = $7, result = $8, code = $9, detail = $10, ended_ms = $11
        WHERE connection_id = $12 AND employee_id = $13 AND made_ms = $14";
    let values: Vec<Value> = vec![
        run.until.0.into(),
        run.progress.state().into(),
        run.op.map(|op| op.as_str().to_owned()).into(),
        call.into(),
        task.into(),
        look.0.into(),
        look.1.0.into(),
        result.into(),
        code.into(),
        detail.into(),
        ended.into(),
        run.key.connection.clone().into(),
        run.key.employee.clone().into(),
        run.made.0.into(),
    ];
    tx.exec(sql, values).await?;
    if matches!(run.progress, Progress::Ended { .. }) {
        none_asked(tx, &run.key.connection).await?;
    }
    Ok(())
}

/// No question of the connection is open any more.
///
/// # Errors
/// When the store does not answer.
pub async fn none_asked(tx: &Tx, connection: &str) -> Result<()> {
    tx.exec("UPDATE connections SET dry_run_ms = NULL WHERE connection_id = $1", vec![connection.into()]).await?;
    Ok(())
}

/// An account's open questions end without an answer: they were asked with other credentials.
///
/// # Errors
/// When the store does not answer.
pub async fn give_up_those_of(tx: &Tx, account: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE dry_runs SET code = CASE WHEN state IN ('sent', 'task') THEN $3 ELSE code END, state = 'ended',
          result = 'no_answer', ended_ms = $2
        WHERE state <> 'ended' AND connection_id IN (SELECT connection_id FROM connections WHERE account_id = $1)";
    tx.exec(sql, vec![account.into(), now.0.into(), Code::KaonaviUnavailable.as_str().into()]).await?;
    tx.exec("UPDATE connections SET dry_run_ms = NULL WHERE account_id = $1", vec![account.into()]).await?;
    Ok(())
}

/// Until when a dry run of the account may be one of カオナビ's open tasks, if there is one.
///
/// # Errors
/// When the store does not answer.
pub async fn task_until(sql: &impl Sql, account: &str, now: Millis) -> Result<Option<Millis>> {
    let query = "SELECT MAX(until_ms) AS until FROM dry_runs JOIN connections USING (connection_id)
        WHERE account_id = $1 AND made_ms = dry_run_ms AND dry_runs.state IN ('sent', 'task') AND until_ms > $2";
    let row = sql.row(query, vec![account.into(), now.0.into()]).await?;
    let until: Option<i64> = row.map(|row| row.get("until")).transpose()?.flatten();
    Ok(until.map(Millis))
}
