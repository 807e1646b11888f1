//! Work on the calendar, taken by any number of workers.
//!
//! A job is a row with the time when to go on with it. Whoever claims it holds it until `until_ms`; every change of the row
//! checks the epoch, so that a worker which was frozen and wakes up writes nothing. Of one `queue` only one worker holds jobs
//! at a time: a queue is a credential of a source, whose limits a worker keeps in memory.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Engine, Row, Sql, Tx};
use crate::error::{Result, StoreError};

/// A new job.
#[derive(Debug, Clone)]
pub struct NewJob {
    /// Names it among all jobs.
    pub name: String,
    /// Which work it is.
    pub kind: &'static str,
    /// The connection or link.
    pub subject: String,
    /// What one worker at a time works on.
    pub queue: String,
    /// The time on the calendar that it is about.
    pub slot: Millis,
    /// When to begin.
    pub due: Millis,
    /// What the work needs to know, as JSON.
    pub doc: String,
}

/// A job that this worker holds.
#[derive(Debug, Clone)]
pub struct Job {
    /// Names it among all jobs.
    pub name: String,
    /// Which work it is.
    pub kind: String,
    /// The connection or link.
    pub subject: String,
    /// What one worker at a time works on.
    pub queue: String,
    /// The time on the calendar that it is about.
    pub slot: Millis,
    /// How far it is, as JSON.
    pub doc: String,
    owner: String,
    epoch: i64,
}

impl Job {
    /// Rises whenever another hold on the job begins.
    #[must_use]
    pub fn epoch(&self) -> i64 {
        self.epoch
    }
}

const COLUMNS: &str = "name, kind, subject, queue, slot_ms, doc, owner, epoch";

fn read(row: &Row) -> Result<Job> {
    Ok(Job {
        name: row.get("name")?,
        kind: row.get("kind")?,
        subject: row.get("subject")?,
        queue: row.get("queue")?,
        slot: Millis(row.get("slot_ms")?),
        doc: row.get("doc")?,
        owner: row.get::<Option<String>>("owner")?.unwrap_or_default(),
        epoch: row.get("epoch")?,
    })
}

/// Puts a job on the calendar. One of that name that is there already stays as it is; `false` then.
///
/// # Errors
/// When the store does not answer.
pub async fn put(tx: &Tx, job: &NewJob) -> Result<bool> {
    let sql = "INSERT INTO jobs (name, kind, subject, queue, slot_ms, due_ms, doc) VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (name) DO NOTHING";
    let values = vec![
        job.name.clone().into(),
        job.kind.into(),
        job.subject.clone().into(),
        job.queue.clone().into(),
        job.slot.0.into(),
        job.due.0.into(),
        job.doc.clone().into(),
    ];
    Ok(tx.exec(sql, values).await? == 1)
}

/// Takes up to `most` due jobs of these kinds for `length`. What this owner holds and has let rest until now is among them;
/// what is under way is not, unless it takes longer than `length`.
///
/// # Errors
/// When the store does not answer.
pub async fn claim(
    store: &Store,
    owner: &str,
    kinds: &[&str],
    now: Millis,
    length: Duration,
    most: u32,
) -> Result<Vec<Job>> {
    let tx = store.begin().await?;
    if tx.engine() == Engine::Postgres {
        // Two claims side by side would not see each other's rows, and both take jobs of one queue.
        tx.exec("SELECT pg_advisory_xact_lock(7244362)", vec![]).await?;
    }
    // A decision that began earlier and ended later would put old files in the place of new ones. So there is one of a link at a
    // time, also where several are free: those of a worker that ended go back beside those that wait. One whose worker stands still
    // goes before them, so that this one writes nothing any more.
    let alone = crate::links::DECIDE;
    let mut values: Vec<Value> =
        vec![owner.into(), (now + length).0.into(), now.0.into(), i64::from(most).into(), alone.into()];
    let first = values.len() + 1;
    values.extend(kinds.iter().map(|kind| Value::from(*kind)));
    let sql = format!(
        "UPDATE jobs SET epoch = CASE WHEN owner = $1 AND until_ms > $3 THEN epoch ELSE epoch + 1 END, owner = $1, until_ms = $2, due_ms = $2
         WHERE name IN (
           SELECT name FROM jobs AS due WHERE due.due_ms <= $3 AND (due.until_ms <= $3 OR due.owner = $1)
             AND due.kind IN ({})
             AND NOT EXISTS (SELECT 1 FROM jobs AS held WHERE held.queue = due.queue AND held.owner IS NOT NULL
                             AND held.until_ms > $3 AND held.name <> due.name AND (held.owner <> $1 OR due.kind = $5))
             AND (due.kind <> $5 OR due.until_ms > $3 OR NOT EXISTS (
               SELECT 1 FROM jobs AS first WHERE first.queue = due.queue AND first.due_ms <= $3 AND first.until_ms <= $3
                 AND (first.owner IS NULL, first.due_ms, first.name) < (due.owner IS NULL, due.due_ms, due.name)))
           ORDER BY due.due_ms, due.name LIMIT $4)
         RETURNING {COLUMNS}",
        crate::db::list(kinds.len(), first)
    );
    let rows = tx.rows(&sql, values).await?;
    let jobs = rows.iter().map(read).collect();
    tx.commit().await?;
    jobs
}

/// Whether any job of these kinds is due for `owner`, without taking it: one look at an index.
///
/// # Errors
/// When the store does not answer.
pub async fn next_due(sql: &impl Sql) -> Result<Option<Millis>> {
    let row = sql.row("SELECT MIN(due_ms) AS due FROM jobs", vec![]).await?;
    Ok(row.map(|row| row.get::<Option<i64>>("due")).transpose()?.flatten().map(Millis))
}

/// Gives all jobs of `owner` back, so that another worker goes on at once.
///
/// # Errors
/// When the store does not answer.
pub async fn release_all(store: &Store, owner: &str) -> Result<()> {
    // What is not under way keeps the time when it goes on.
    let sql =
        "UPDATE jobs SET due_ms = CASE WHEN due_ms = until_ms THEN slot_ms ELSE due_ms END, owner = NULL, until_ms = 0
        WHERE owner = $1";
    store.db.exec(sql, vec![owner.into()]).await?;
    Ok(())
}

async fn fenced(tx: &Tx, job: &Job, set: &str, mut values: Vec<Value>) -> Result<()> {
    let first = values.len() + 1;
    values.extend([job.name.clone().into(), job.owner.clone().into(), job.epoch.into()]);
    let sql =
        format!("UPDATE jobs SET {set} WHERE name = ${first} AND owner = ${} AND epoch = ${}", first + 1, first + 2);
    if tx.exec(&sql, values).await? == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Nobody takes the job away until the transaction ends: whoever wants to waits, and finds what was written.
///
/// # Errors
/// [`StoreError::Fenced`] when another worker has it, or it is on the calendar no more.
pub async fn still_held(tx: &Tx, job: &Job) -> Result<()> {
    fenced(tx, job, "epoch = epoch", vec![]).await
}

/// Notes how far the job is; it goes on at `due`, with this worker unless it is lost meanwhile.
///
/// # Errors
/// [`StoreError::Fenced`] when another worker has it.
pub async fn go_on(tx: &Tx, job: &Job, doc: &str, due: Millis) -> Result<()> {
    fenced(tx, job, "doc = $1, due_ms = $2", vec![doc.into(), due.0.into()]).await
}

/// The job is done for this time, and comes again at `due` for `slot`.
///
/// # Errors
/// [`StoreError::Fenced`] when another worker has it.
pub async fn come_again(tx: &Tx, job: &Job, slot: Millis, due: Millis) -> Result<()> {
    let set = "doc = '{}', slot_ms = $1, due_ms = $2, owner = NULL, until_ms = 0";
    fenced(tx, job, set, vec![slot.0.into(), due.0.into()]).await
}

/// The job is done for good.
///
/// # Errors
/// [`StoreError::Fenced`] when another worker has it.
pub async fn finish(tx: &Tx, job: &Job) -> Result<()> {
    let sql = "DELETE FROM jobs WHERE name = $1 AND owner = $2 AND epoch = $3";
    let values = vec![job.name.clone().into(), job.owner.clone().into(), job.epoch.into()];
    if tx.exec(sql, values).await? == 1 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Takes a job off the calendar, whoever holds it.
///
/// # Errors
/// When the store does not answer.
pub async fn remove(tx: &Tx, name: &str) -> Result<bool> {
    Ok(tx.exec("DELETE FROM jobs WHERE name = $1", vec![name.into()]).await? == 1)
}

/// Takes all jobs of a kind about `subject` off the calendar, whoever holds them.
///
/// # Errors
/// When the store does not answer.
pub async fn remove_all(tx: &Tx, kind: &str, subject: &str) -> Result<()> {
    tx.exec("DELETE FROM jobs WHERE kind = $1 AND subject = $2", vec![kind.into(), subject.into()]).await?;
    Ok(())
}

/// Jobs of a kind about `subject` belong to another queue from now on; whoever holds one goes on with it.
///
/// # Errors
/// When the store does not answer.
pub async fn move_to_queue(tx: &Tx, kind: &str, subject: &str, queue: &str) -> Result<()> {
    let sql = "UPDATE jobs SET queue = $1 WHERE kind = $2 AND subject = $3";
    tx.exec(sql, vec![queue.into(), kind.into(), subject.into()]).await?;
    Ok(())
}

/// A job begins anew at its own time, whoever holds it: what was noted of it counts no more, and its holder writes nothing more.
///
/// # Errors
/// When the store does not answer.
pub async fn begin_anew(tx: &Tx, name: &str) -> Result<()> {
    let sql =
        "UPDATE jobs SET doc = '{}', due_ms = slot_ms, owner = NULL, until_ms = 0, epoch = epoch + 1 WHERE name = $1";
    tx.exec(sql, vec![name.into()]).await?;
    Ok(())
}

/// A job is over for this time, whoever holds it, and comes again for `slot`.
///
/// # Errors
/// When the store does not answer.
pub async fn put_off(tx: &Tx, name: &str, slot: Millis) -> Result<()> {
    tx.exec("UPDATE jobs SET slot_ms = $1 WHERE name = $2", vec![slot.0.into(), name.into()]).await?;
    begin_anew(tx, name).await
}

/// A job on the calendar as the console shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The time on the calendar that it is about.
    pub slot: Millis,
    /// When it goes on.
    pub due: Millis,
    /// Whether a worker holds it now.
    pub held: bool,
    /// How far it is, as JSON.
    pub doc: String,
}

/// Whether any job of a kind about `subject` is on the calendar.
///
/// # Errors
/// When the store does not answer.
pub async fn is_there(sql: &impl Sql, kind: &str, subject: &str) -> Result<bool> {
    let query = "SELECT 1 AS one FROM jobs WHERE kind = $1 AND subject = $2 LIMIT 1";
    Ok(sql.row(query, vec![kind.into(), subject.into()]).await?.is_some())
}

/// One job, if it is on the calendar.
///
/// # Errors
/// When the store does not answer.
pub async fn find(sql: &impl Sql, name: &str, now: Millis) -> Result<Option<Planned>> {
    let query = "SELECT slot_ms, due_ms, owner, until_ms, doc FROM jobs WHERE name = $1";
    let row = sql.row(query, vec![name.into()]).await?;
    row.map(|row| {
        Ok(Planned {
            slot: Millis(row.get("slot_ms")?),
            due: Millis(row.get("due_ms")?),
            held: row.get::<Option<String>>("owner")?.is_some() && row.get::<i64>("until_ms")? > now.0,
            doc: row.get("doc")?,
        })
    })
    .transpose()
}
