//! The state of Renkei: one row per employee as its heart, the accounts with their budget, the connections.
//!
//! SQLite on one machine, PostgreSQL in a cluster, from the same statements and migrations ([`db`]). Nothing personal and
//! no secret stands in it in plain text ([`seal`]). Times are the store's own ([`time`]), not the host's wall clock.

pub mod accounts;
pub mod activity;
pub mod attendance;
pub mod attention;
pub mod audit;
pub mod batches;
pub mod budget;
pub mod calls;
pub mod codes;
pub mod connections;
pub mod content;
pub mod db;
pub mod decisions;
pub mod dry_runs;
pub mod employees;
pub mod episodes;
pub mod error;
pub mod feeds;
pub mod forgotten;
pub mod jobs;
pub mod known;
pub mod leases;
pub mod link_checks;
pub mod links;
pub mod logtable;
mod migration;
pub mod outbox;
pub mod outlook;
pub mod owned;
pub mod people;
pub mod previews;
mod private;
pub mod runs;
pub mod seal;
pub mod settings;
pub mod surge;
pub mod switch;
pub mod takeover;
pub mod tenants;
pub mod time;
pub mod tokens;
pub mod troubles;
pub mod undecodable;
pub mod uploads;
pub mod verification;
pub mod webhook_health;

use std::collections::BTreeMap;
use std::sync::Arc;

use renkei_runtime::clock::{Clock, Millis};
use renkei_runtime::config::{Config, StoreUrl};
use secrecy::ExposeSecret;

use crate::db::{Db, Sql, Tx};
use crate::error::{Result, StoreError};
use crate::seal::{Keys, MasterKey, fresh_key};
use crate::time::StoreTime;

/// Why a store does not open at start. Shown as one line.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The master key has not the right form.
    #[error("RENKEI_MASTER_KEY: {0}")]
    MasterKey(#[from] seal::NoMasterKey),
    /// The folder of the SQLite file can not be made.
    #[error("RENKEI_STORE: folder {folder} can not be made: {cause}; name a file in a folder that can be written")]
    Folder {
        /// Which.
        folder: String,
        /// Why.
        cause: std::io::Error,
    },
    /// The database.
    #[error("RENKEI_STORE ({place}): {cause}; {}", advice(cause, place))]
    Store {
        /// Where, without a password.
        place: String,
        /// Why.
        cause: StoreError,
    },
}

fn advice(error: &StoreError, place: &str) -> String {
    match error {
        StoreError::WrongMasterKey { .. } => {
            "give the key that this store was made with in RENKEI_MASTER_KEY, or use another store".to_owned()
        }
        StoreError::OtherClock { made, .. } => format!("set RENKEI_CLOCK_SCALE={made}, or use another store"),
        StoreError::Unavailable(_) if place.contains("://") => {
            "check that the address is right and that the PostgreSQL server answers there".to_owned()
        }
        StoreError::Unavailable(_) => {
            "check that the path is right, that it is a database of Renkei and that it can be written".to_owned()
        }
        _ => "it may be of another version of Renkei, or damaged".to_owned(),
    }
}

/// The store's place, for people: no user, no password, no options.
fn place(url: &StoreUrl) -> String {
    match url {
        StoreUrl::Sqlite(path) => path.display().to_string(),
        StoreUrl::Postgres(url) => format!("postgres://{}", db::postgres_place(url.expose_secret())),
    }
}

/// The open store. Clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    /// Statements.
    pub db: Db,
    /// Sealing.
    pub keys: Arc<Keys>,
    time: Arc<StoreTime>,
    hints: Arc<tokio::sync::Notify>,
    sqlite_url: Option<Arc<str>>,
}

/// See [`Store::watcher`].
#[derive(Debug)]
pub struct Watcher {
    db: Db,
    seen: Option<i64>,
}

impl Watcher {
    /// Whether anything was committed since the last question.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn changed(&mut self) -> Result<bool> {
        let row = self.db.row("PRAGMA data_version", vec![]).await?;
        let version = row.map(|row| row.get::<i64>("data_version")).transpose()?;
        Ok(std::mem::replace(&mut self.seen, version) != version)
    }
}

impl Store {
    /// Connects, brings the schema up to date, unwraps the data keys and settles what a new boot of the host means.
    ///
    /// # Errors
    /// When the database can not be reached, or the master key is not the store's.
    pub async fn open(url: &str, master: &MasterKey, clock: Arc<dyn Clock>) -> Result<Self> {
        Self::open_with(url, std::slice::from_ref(master), clock).await
    }

    /// The same with the first of `masters` that opens the store: while the master key is changed there are two.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn open_with(url: &str, masters: &[MasterKey], clock: Arc<dyn Clock>) -> Result<Self> {
        let db = Db::connect(url).await?;
        migration::migrate(&db).await?;
        let time = StoreTime::adopt(&db, clock).await?;
        let now = time.now(&db).await?;
        let mut outcome = Err(StoreError::Corrupt("no master key is given".to_owned()));
        for master in masters {
            outcome = open_keys(&db, master, now).await;
            if !matches!(outcome, Err(StoreError::WrongMasterKey { .. })) {
                break;
            }
        }
        let sqlite_url = (db.engine() == db::Engine::Sqlite).then(|| Arc::from(url));
        Ok(Self { db, keys: Arc::new(outcome?), time: Arc::new(time), hints: Arc::default(), sqlite_url })
    }

    /// Opens the store that the configuration names.
    ///
    /// # Errors
    /// As [`Store::open`], and when a master key is not 32 bytes in base64.
    pub async fn from_config(config: &Config, clock: Arc<dyn Clock>) -> std::result::Result<Self, OpenError> {
        let mut masters = vec![MasterKey::parse(config.master_key.current.expose_secret())?];
        if let Some(previous) = &config.master_key.previous {
            masters.push(MasterKey::parse(previous.expose_secret())?);
        }
        if let StoreUrl::Sqlite(path) = &config.store
            && let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder)
                .map_err(|cause| OpenError::Folder { folder: folder.display().to_string(), cause })?;
        }
        let opened = Self::open_with(config.store.expose().expose_secret(), &masters, clock).await;
        opened.map_err(|cause| OpenError::Store { place: place(&config.store), cause })
    }

    /// The time that all stored times are compared with.
    ///
    /// # Errors
    /// On PostgreSQL it is the server's, so the server must answer.
    pub async fn now(&self) -> Result<Millis> {
        self.time.now(&self.db).await
    }

    /// The same, inside of a transaction.
    ///
    /// # Errors
    /// As [`Store::now`].
    pub async fn now_in(&self, tx: &Tx) -> Result<Millis> {
        self.time.now(tx).await
    }

    /// Starts a transaction that may write.
    ///
    /// # Errors
    /// When no connection is free in time.
    pub async fn begin(&self) -> Result<Tx> {
        self.db.begin().await
    }

    /// Tells whoever waits in this process that something became due or was appended. Only a hint.
    pub fn hint(&self) {
        self.hints.notify_waiters();
    }

    /// What [`Store::hint`] wakes.
    #[must_use]
    pub fn hints(&self) -> Arc<tokio::sync::Notify> {
        Arc::clone(&self.hints)
    }

    /// Notices commits of other processes to the same SQLite file; `None` on PostgreSQL.
    ///
    /// # Errors
    /// When the file can not be opened once more.
    pub async fn watcher(&self) -> Result<Option<Watcher>> {
        match self.sqlite_url.as_deref() {
            // A connection of its own: the number that is watched is counted per connection.
            Some(url) => Ok(Some(Watcher { db: Db::connect_one(url).await?, seen: None })),
            None => Ok(None),
        }
    }

    /// Deletes what nobody asks for any more: finished batches after a week, calls after a day, records that could not be read
    /// after 30 days, activity, runs, what a day of attendance was before, mails and episodes that ended after 90.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn tidy(&self) -> Result<u64> {
        let now = self.now().await?;
        let days = |days: u64| (now - std::time::Duration::from_secs(days * 24 * 3600)).0;
        let statements = [
            ("DELETE FROM batches WHERE state = 'done' AND settled_ms < $1", days(7)),
            ("DELETE FROM calls WHERE reserved_ms < $1 AND frees_ms < $1", days(1)),
            ("DELETE FROM activity WHERE at_ms < $1", days(90)),
            ("DELETE FROM previews WHERE made_ms < $1", days(1)),
            ("DELETE FROM dry_runs WHERE made_ms < $1", days(1)),
            ("DELETE FROM run_notes WHERE run_id IN (SELECT run_id FROM runs WHERE ended_ms < $1)", days(90)),
            ("DELETE FROM run_codes WHERE run_id IN (SELECT run_id FROM runs WHERE ended_ms < $1)", days(90)),
            ("DELETE FROM run_matchings WHERE run_id IN (SELECT run_id FROM runs WHERE ended_ms < $1)", days(90)),
            ("DELETE FROM runs WHERE ended_ms < $1", days(90)),
            ("DELETE FROM attendance_history WHERE replaced_ms < $1", days(90)),
            // As long as the dead letter keeps them.
            ("DELETE FROM undecodable_records WHERE at_ms < $1", days(30)),
        ];
        let mut deleted = 0;
        for (sql, before) in statements {
            deleted += self.db.exec(sql, vec![before.into()]).await?;
        }
        // Of runs that have ended; what is left there was written by somebody who did not know yet.
        let left = "DELETE FROM attendance_staging WHERE run_id NOT IN
            (SELECT run_id FROM runs WHERE state IN ('waiting', 'running'))";
        deleted += self.db.exec(left, vec![]).await?;
        deleted += outbox::tidy(&self.db, Millis(days(90))).await?;
        deleted += episodes::tidy(self, Millis(days(90))).await?;
        deleted += uploads::tidy(self, Millis(days(7))).await?;
        deleted += attendance::files::forget_contents(&self.db, Millis(days(14))).await?;
        Ok(deleted)
    }

    /// Writes the log beside SQLite's file (`-wal`) into the file and empties it; nothing on PostgreSQL. Until then it holds pages
    /// from before a deletion, which `secure_delete` overwrites in the file only, and nothing says when it is written over. It
    /// costs a write of what is in it, and nobody writes meanwhile; where somebody reads for longer than SQLite waits, it is left
    /// for the next time.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn empty_write_ahead(&self) -> Result<()> {
        if self.db.engine() == db::Engine::Sqlite {
            self.db.exec("PRAGMA wal_checkpoint(TRUNCATE)", vec![]).await?;
        }
        Ok(())
    }

    /// Wraps all data keys with `new`. What is sealed stays as it is and readable; a process that still runs with the old
    /// master key goes on until it is restarted.
    ///
    /// # Errors
    /// When `old` is not the store's master key.
    pub async fn rotate_master_key(db: &Db, old: &MasterKey, new: &MasterKey) -> Result<u64> {
        let tx = db.begin().await?;
        let query = format!("SELECT key_id, master_id, wrapped FROM data_keys ORDER BY key_id{}", tx.for_update());
        let mut count = 0;
        for row in tx.rows(&query, vec![]).await? {
            let key_id: i64 = row.get("key_id")?;
            let key = unwrap_row(&row, old)?;
            let values = vec![new.wrap(key_id, &key).into(), new.id().into(), key_id.into()];
            tx.exec("UPDATE data_keys SET wrapped = $1, master_id = $2 WHERE key_id = $3", values).await?;
            count += 1;
        }
        tx.commit().await?;
        Ok(count)
    }
}

fn unwrap_row(row: &db::Row, master: &MasterKey) -> Result<zeroize::Zeroizing<[u8; 32]>> {
    let expected: String = row.get("master_id")?;
    if expected != master.id() {
        return Err(StoreError::WrongMasterKey { expected });
    }
    master.unwrap_key(row.get("key_id")?, &row.get::<Vec<u8>>("wrapped")?)
}

async fn insert_key(tx: &Tx, master: &MasterKey, id: i64, purpose: &str, key: &[u8; 32], now: Millis) -> Result<()> {
    let values = vec![id.into(), purpose.into(), master.id().into(), master.wrap(id, key).into(), now.0.into()];
    let sql = "INSERT INTO data_keys (key_id, purpose, master_id, wrapped, created_ms) VALUES ($1, $2, $3, $4, $5)";
    tx.exec(sql, values).await?;
    Ok(())
}

async fn open_keys(db: &Db, master: &MasterKey, now: Millis) -> Result<Keys> {
    let tx = db.begin().await?;
    if tx.engine() == db::Engine::Postgres {
        // Two processes that meet an empty store must not both make keys.
        tx.exec("LOCK TABLE data_keys IN EXCLUSIVE MODE", vec![]).await?;
    }
    let sql = "SELECT key_id, purpose, master_id, wrapped FROM data_keys ORDER BY key_id";
    let mut rows = tx.rows(sql, vec![]).await?;
    if rows.is_empty() {
        insert_key(&tx, master, 1, "hash", &fresh_key(), now).await?;
        insert_key(&tx, master, 2, "seal", &fresh_key(), now).await?;
        rows = tx.rows(sql, vec![]).await?;
    }
    tx.commit().await?;
    let mut sealing = BTreeMap::new();
    let mut hashing = None;
    for row in rows {
        let key = unwrap_row(&row, master)?;
        match row.get::<String>("purpose")?.as_str() {
            "hash" => hashing = Some(key),
            _ => {
                sealing.insert(row.get("key_id")?, key);
            }
        }
    }
    if sealing.is_empty() {
        return Err(StoreError::Corrupt("the sealing key is missing".to_owned()));
    }
    let hashing = hashing.ok_or_else(|| StoreError::Corrupt("the hash key is missing".to_owned()))?;
    Ok(Keys::new(sealing, hashing))
}
