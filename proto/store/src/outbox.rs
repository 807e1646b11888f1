//! Mails on their way: made in the transaction that marks their items as told, tried until they are gone or given up.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use sea_orm::Value;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{Row, Sql, Tx};
use crate::error::Result;

/// How long a mail is tried.
pub const GIVES_UP_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);

/// A mail. Sealed in the store, and gone from there once it is sent.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mail {
    /// Who still has to get it.
    pub to: Vec<String>,
    /// In one line.
    pub subject: String,
    /// As plain text.
    pub text: String,
    /// As HTML.
    pub html: String,
}

impl Mail {
    /// Whether what it said was taken back: it is written anew before it goes out.
    #[must_use]
    pub fn is_taken_back(&self) -> bool {
        // No other mail is without a subject.
        self.subject.is_empty()
    }

    fn taken_back(to: &[String]) -> Self {
        Self { to: to.to_vec(), subject: String::new(), text: String::new(), html: String::new() }
    }
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mail({} recipients)", self.to.len())
    }
}

/// A mail that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its Message-ID, without the angle brackets.
    pub message_id: String,
    /// The episode that it is about.
    pub episode: i64,
    /// Which of its mails it is, from 1.
    pub digest: i64,
    /// How often it was tried, this time included.
    pub attempts: i64,
    /// When it was made.
    pub created: Millis,
    /// What is sent.
    pub mail: Mail,
    /// How it stood in the store when it was taken.
    sealed: Vec<u8>,
}

/// The Message-ID of an episode's mail (of a morning's, with its number below zero), always the same: a mail server or a reader that meets it twice can tell.
#[must_use]
pub fn message_id(store: &Store, episode: i64, digest: i64, domain: &str) -> String {
    let installation: String = store.keys.hash("installation", &[]).chars().take(12).collect();
    match episode {
        ..0 => format!("renkei-{installation}-morning-{}@{domain}", episode.unsigned_abs()),
        _ => format!("renkei-{installation}-{episode}-{digest}@{domain}"),
    }
}

fn place(message_id: &str) -> String {
    format!("outbox.mail|{message_id}")
}

/// Puts a mail on its way. `false`: this mail of the episode is there already.
///
/// # Errors
/// When the store does not answer.
pub async fn enqueue(
    store: &Store,
    tx: &Tx,
    message_id: &str,
    (episode, digest): (i64, i64),
    mail: &Mail,
    now: Millis,
) -> Result<bool> {
    let sql = "INSERT INTO outbox (message_id, episode_id, digest, state, mail, next_try_ms, created_ms)
        VALUES ($1, $2, $3, 'waiting', $4, $5, $5) ON CONFLICT DO NOTHING";
    let sealed = store.keys.seal_json(&place(message_id), mail)?;
    let values = vec![message_id.into(), episode.into(), digest.into(), sealed.into(), now.0.into()];
    Ok(tx.exec(sql, values).await? == 1)
}

/// Takes the mail that is due longest, so that nobody else takes it before `back`. A process that dies with it leaves it due
/// again from then on.
///
/// # Errors
/// When the store does not answer.
pub async fn take(store: &Store, now: Millis, back: Millis) -> Result<Option<Waiting>> {
    let tx = store.begin().await?;
    let query = format!(
        "SELECT message_id, episode_id, digest, attempts, created_ms, mail FROM outbox
         WHERE state = 'waiting' AND next_try_ms <= $1 ORDER BY next_try_ms, message_id LIMIT 1{}",
        // One that is taken back just now keeps nobody else's waiting.
        tx.for_update_skip_locked()
    );
    let Some(row) = tx.row(&query, vec![now.0.into()]).await? else { return Ok(None) };
    let taken = read(store, &row);
    let id: String = row.get("message_id")?;
    let sql = "UPDATE outbox SET attempts = attempts + 1, next_try_ms = $1 WHERE message_id = $2";
    tx.exec(sql, vec![back.0.into(), id.clone().into()]).await?;
    if taken.is_err() {
        // One that does not open must not stand in the way of the others.
        end(&tx, &id, "given_up", now).await?;
    }
    tx.commit().await?;
    taken.map(Some)
}

fn read(store: &Store, row: &Row) -> Result<Waiting> {
    let message_id: String = row.get("message_id")?;
    let sealed: Vec<u8> = row.get("mail")?;
    Ok(Waiting {
        episode: row.get("episode_id")?,
        digest: row.get("digest")?,
        attempts: row.get::<i64>("attempts")? + 1,
        created: Millis(row.get("created_ms")?),
        mail: store.keys.open_json(&place(&message_id), &sealed)?,
        message_id,
        sealed,
    })
}

/// When the next mail is due.
///
/// # Errors
/// When the store does not answer.
pub async fn next_try(sql: &impl Sql) -> Result<Option<Millis>> {
    let row = sql.row("SELECT MIN(next_try_ms) AS ms FROM outbox WHERE state = 'waiting'", vec![]).await?;
    Ok(row.map(|row| row.get::<Option<i64>>("ms")).transpose()?.flatten().map(Millis))
}

async fn end(sql: &impl Sql, message_id: &str, state: &str, now: Millis) -> Result<()> {
    end_all(sql, "message_id = $3", message_id, state, now).await
}

/// Ends `those` mails that wait, which `$3` tells.
async fn end_all(sql: &impl Sql, those: &str, which: &str, state: &str, now: Millis) -> Result<()> {
    let ends = format!("UPDATE outbox SET state = $1, mail = NULL, ended_ms = $2 WHERE state = 'waiting' AND {those}");
    sql.exec(&ends, vec![state.into(), now.0.into(), which.into()]).await?;
    Ok(())
}

/// The mail is with the mail server; what it said is forgotten.
///
/// # Errors
/// When the store does not answer.
pub async fn sent(sql: &impl Sql, message_id: &str, now: Millis) -> Result<()> {
    end(sql, message_id, "sent", now).await
}

/// Nobody will get the mail any more; what it said is forgotten.
///
/// # Errors
/// When the store does not answer.
pub async fn give_up(sql: &impl Sql, message_id: &str, now: Millis) -> Result<()> {
    end(sql, message_id, "given_up", now).await
}

/// Nobody will get `those` mails any more that wait, which `$3` tells.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn give_up_all(tx: &Tx, those: &str, which: &str, now: Millis) -> Result<()> {
    end_all(tx, those, which, "given_up", now).await
}

/// Takes back what mails that tell of somebody say.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn take_back_about(
    store: &Store,
    tx: &Tx,
    connection: &str,
    employee: &str,
    now: Millis,
) -> Result<()> {
    let those = "EXISTS (SELECT 1 FROM episode_items AS told WHERE told.connection_id = $1 AND told.employee_id = $2
        AND told.episode_id = outbox.episode_id AND told.digest = outbox.digest)";
    take_back(store, tx, those, vec![connection.into(), employee.into()], now).await
}

/// Takes back what `those` mails say that wait, as somebody may stand in them who is to stand nowhere. They wait still, for
/// those alone who have not got them, and are written anew before they go out.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn take_back(store: &Store, tx: &Tx, those: &str, values: Vec<Value>, now: Millis) -> Result<()> {
    let query = format!(
        "SELECT message_id, mail FROM outbox WHERE state = 'waiting' AND {those} ORDER BY message_id{}",
        tx.for_update()
    );
    for row in tx.rows(&query, values).await? {
        let id: String = row.get("message_id")?;
        let Ok(mail) = store.keys.open_json::<Mail>(&place(&id), &row.get::<Vec<u8>>("mail")?) else {
            // Nobody can tell who has it.
            end(tx, &id, "given_up", now).await?;
            continue;
        };
        let sealed = store.keys.seal_json(&place(&id), &Mail::taken_back(&mail.to))?;
        tx.exec("UPDATE outbox SET mail = $1 WHERE message_id = $2", vec![sealed.into(), id.into()]).await?;
    }
    Ok(())
}

/// The mail is tried again at `next`, to those who are still in it; `false` and given up when that is longer than three days
/// after it was made.
///
/// # Errors
/// When the store does not answer.
pub async fn failed(store: &Store, waiting: &Waiting, next: Millis, now: Millis) -> Result<bool> {
    if next > waiting.created + GIVES_UP_AFTER {
        give_up(&store.db, &waiting.message_id, now).await?;
        return Ok(false);
    }
    let place = place(&waiting.message_id);
    let sealed = store.keys.seal_json(&place, &waiting.mail)?;
    // What was taken back while it was handed over must not stand there again.
    let taken_back = store.keys.seal_json(&place, &Mail::taken_back(&waiting.mail.to))?;
    let sql = "UPDATE outbox SET next_try_ms = $1, mail = CASE WHEN mail = $2 THEN $3 ELSE $4 END
        WHERE message_id = $5 AND state = 'waiting'";
    let as_it_stood = waiting.sealed.clone();
    let id = waiting.message_id.clone();
    let values = vec![next.0.into(), as_it_stood.into(), sealed.into(), taken_back.into(), id.into()];
    store.db.exec(sql, values).await?;
    Ok(true)
}

/// How many mails are in each state: waiting, sent, given_up.
///
/// # Errors
/// When the store does not answer.
pub async fn counts(sql: &impl Sql) -> Result<Vec<(String, i64)>> {
    let rows = sql.rows("SELECT state, COUNT(*) AS mails FROM outbox GROUP BY state ORDER BY state", vec![]).await?;
    rows.iter().map(|row| Ok((row.get("state")?, row.get("mails")?))).collect()
}

/// Deletes mails that ended before `before`.
///
/// # Errors
/// When the store does not answer.
pub async fn tidy(sql: &impl Sql, before: Millis) -> Result<u64> {
    sql.exec("DELETE FROM outbox WHERE state <> 'waiting' AND ended_ms < $1", vec![before.0.into()]).await
}
