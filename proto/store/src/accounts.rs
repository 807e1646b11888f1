//! Destination accounts: credentials, token, lease, and when each is due next.
//!
//! Lock order everywhere: the account's row first, then batches and employees.

use std::fmt;
use std::time::Duration;

use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{Sql, Tx};
use crate::error::{Result, StoreError};

/// カオナビ's Consumer Key and Consumer Secret.
#[derive(Clone)]
pub struct Credentials {
    /// Consumer Key; counts as a secret too.
    pub key: SecretString,
    /// Consumer Secret.
    pub secret: SecretString,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(…)")
    }
}

#[derive(Serialize, Deserialize)]
struct PlainCredentials {
    key: String,
    secret: String,
}

/// A worker's hold on an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which account.
    pub account: String,
    /// Which worker process.
    pub owner: String,
    /// Fencing: every write checks it.
    pub epoch: i64,
}

/// A locked account.
#[derive(Debug)]
pub struct Account {
    /// The fingerprint of its Consumer Key.
    pub id: String,
    /// Where its API is.
    pub base_url: String,
    /// `None` after every connection was disconnected.
    pub credentials: Option<Credentials>,
    /// The token and when it ends, if there is one.
    pub token: Option<(SecretString, Millis)>,
    /// The next batch's number.
    pub next_batch: i64,
    /// What the delivery role remembers, as JSON.
    pub doc: String,
}

fn credentials_place(account: &str) -> String {
    format!("accounts.credentials|{account}")
}

fn token_place(account: &str) -> String {
    format!("accounts.token|{account}")
}

/// The account id of a Consumer Key at a base URL: a keyed fingerprint that says nothing about the key.
#[must_use]
pub fn fingerprint(store: &Store, consumer_key: &SecretString) -> String {
    format!("kn-{}", store.keys.hash("account", &[consumer_key.expose_secret().as_bytes()]))
}

/// The account whose Consumer Key has this fingerprint.
///
/// # Errors
/// When the store does not answer.
pub async fn with_fingerprint(sql: &impl Sql, fingerprint: &str) -> Result<Option<String>> {
    let row = sql.row("SELECT account_id FROM accounts WHERE fingerprint = $1", vec![fingerprint.into()]).await?;
    row.map(|row| row.get("account_id")).transpose()
}

/// Makes the account, or replaces its credentials and base URL.
///
/// # Errors
/// When the store does not answer.
pub async fn put(
    store: &Store,
    tx: &Tx,
    id: &str,
    base_url: &str,
    credentials: &Credentials,
    now: Millis,
) -> Result<()> {
    let mark = fingerprint(store, &credentials.key);
    let plain = PlainCredentials {
        key: credentials.key.expose_secret().to_owned(),
        secret: credentials.secret.expose_secret().to_owned(),
    };
    let sealed = store.keys.seal_json(&credentials_place(id), &plain)?;
    // Another key: the token of the old one is of no use any more.
    let sql = "INSERT INTO accounts (account_id, fingerprint, base_url, credentials, next_due_ms, doc)
        VALUES ($1, $2, $3, $4, $5, '{}')
        ON CONFLICT (account_id) DO UPDATE SET base_url = excluded.base_url, credentials = excluded.credentials,
          fingerprint = excluded.fingerprint, token = NULL, token_expires_ms = 0";
    tx.exec(sql, vec![id.into(), mark.into(), base_url.into(), sealed.into(), now.0.into()]).await?;
    Ok(())
}

/// The base URL and credentials of an account, if it exists.
///
/// # Errors
/// When the store does not answer.
pub async fn credentials(store: &Store, sql: &impl Sql, id: &str) -> Result<Option<(String, Option<Credentials>)>> {
    let query = "SELECT base_url, credentials FROM accounts WHERE account_id = $1";
    let Some(row) = sql.row(query, vec![id.into()]).await? else { return Ok(None) };
    let sealed: Option<Vec<u8>> = row.get("credentials")?;
    Ok(Some((row.get("base_url")?, open_credentials(store, id, sealed)?)))
}

fn open_credentials(store: &Store, id: &str, sealed: Option<Vec<u8>>) -> Result<Option<Credentials>> {
    let Some(sealed) = sealed else { return Ok(None) };
    let plain: PlainCredentials = store.keys.open_json(&credentials_place(id), &sealed)?;
    Ok(Some(Credentials { key: SecretString::from(plain.key), secret: SecretString::from(plain.secret) }))
}

/// Deletes credentials and token of an account that no live connection uses any more.
///
/// # Errors
/// When the store does not answer.
pub async fn forget_credentials_if_unused(tx: &Tx, account: &str) -> Result<()> {
    let sql = "UPDATE accounts SET credentials = NULL, token = NULL, token_expires_ms = 0 WHERE account_id = $1 AND NOT EXISTS
        (SELECT 1 FROM connections WHERE account_id = $1 AND state <> 'disconnected')";
    tx.exec(sql, vec![account.into()]).await?;
    Ok(())
}

/// Makes the account due now. Takes its row lock: call it before touching employees.
///
/// # Errors
/// When the store does not answer.
pub async fn wake(tx: &Tx, account: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE accounts SET wake_seq = wake_seq + 1,
        next_due_ms = CASE WHEN next_due_ms > $1 THEN $1 ELSE next_due_ms END WHERE account_id = $2";
    tx.exec(sql, vec![now.0.into(), account.into()]).await?;
    Ok(())
}

/// An account that is due and that `owner` may work on.
#[derive(Debug, Clone)]
pub struct DueAccount {
    /// Its id.
    pub id: String,
    /// Changes with every [`wake`]; a later one must not be overwritten by [`set_due`].
    pub wake_seq: i64,
    /// Whether `owner` holds the lease already, and until when.
    pub held: Option<(i64, Millis)>,
}

/// The accounts that are due at `now` and not held by another worker, longest due first: one indexed query.
///
/// # Errors
/// When the store does not answer.
pub async fn due(store: &Store, owner: &str, now: Millis, most: u32) -> Result<Vec<DueAccount>> {
    let query = "SELECT account_id, wake_seq, lease_owner, lease_epoch, lease_until_ms FROM accounts
        WHERE next_due_ms <= $1 AND (lease_owner = $2 OR lease_until_ms <= $1) ORDER BY next_due_ms LIMIT $3";
    let rows = store.db.rows(query, vec![now.0.into(), owner.into(), i64::from(most).into()]).await?;
    rows.iter()
        .map(|row| {
            let until = Millis(row.get("lease_until_ms")?);
            let mine = row.get::<Option<String>>("lease_owner")?.as_deref() == Some(owner) && until > now;
            let epoch: i64 = row.get("lease_epoch")?;
            Ok(DueAccount {
                id: row.get("account_id")?,
                wake_seq: row.get("wake_seq")?,
                held: mine.then_some((epoch, until)),
            })
        })
        .collect()
}

/// The earliest time at which an account that nobody else holds is due.
///
/// # Errors
/// When the store does not answer.
pub async fn next_due(store: &Store) -> Result<Option<Millis>> {
    let row = store.db.row("SELECT MIN(next_due_ms) AS ms FROM accounts", vec![]).await?;
    Ok(row.map(|row| row.get::<Option<i64>>("ms")).transpose()?.flatten().map(Millis))
}

/// Takes or renews the lease for `length`. `None`: another worker has it. Taking it from somebody else (or after it ran out)
/// raises the epoch, so that writes of the old holder fail.
///
/// # Errors
/// When the store does not answer.
pub async fn claim(store: &Store, account: &str, owner: &str, now: Millis, length: Duration) -> Result<Option<Lease>> {
    let sql = "UPDATE accounts SET
          lease_epoch = CASE WHEN lease_owner = $1 AND lease_until_ms > $2 THEN lease_epoch ELSE lease_epoch + 1 END,
          lease_owner = $1, lease_until_ms = $3
        WHERE account_id = $4 AND (lease_owner = $1 OR lease_until_ms <= $2) RETURNING lease_epoch";
    let values = vec![owner.into(), now.0.into(), (now + length).0.into(), account.into()];
    let tx = store.begin().await?;
    if broken::is(Broken::SlotsForgotten) {
        let forget = "UPDATE calls SET frees_ms = reserved_ms WHERE account_id = $1
            AND EXISTS (SELECT 1 FROM accounts WHERE account_id = $1 AND lease_owner <> $2 AND lease_until_ms <= $3)";
        tx.exec(forget, vec![account.into(), owner.into(), now.0.into()]).await?;
    }
    let row = tx.row(sql, values).await?;
    tx.commit().await?;
    row.map(|row| Ok(Lease { account: account.to_owned(), owner: owner.to_owned(), epoch: row.get("lease_epoch")? }))
        .transpose()
}

/// Renews every unexpired lease of `owner` on these accounts.
///
/// # Errors
/// When the store does not answer.
pub async fn renew(store: &Store, owner: &str, accounts: &[String], now: Millis, length: Duration) -> Result<()> {
    for chunk in accounts.chunks(500) {
        let mut values = vec![(now + length).0.into(), owner.into(), now.0.into()];
        values.extend(chunk.iter().map(|id| id.clone().into()));
        let ids = crate::db::list(chunk.len(), 4);
        let sql = format!(
            "UPDATE accounts SET lease_until_ms = $1 WHERE lease_owner = $2 AND lease_until_ms > $3 AND account_id IN ({ids})"
        );
        store.db.exec(&sql, values).await?;
    }
    Ok(())
}

/// Gives all leases of `owner` back, so that another worker goes on at once.
///
/// # Errors
/// When the store does not answer.
pub async fn release_all(store: &Store, owner: &str) -> Result<()> {
    store.db.exec("UPDATE accounts SET lease_until_ms = 0 WHERE lease_owner = $1", vec![owner.into()]).await?;
    Ok(())
}

/// Says when the account is due next, unless somebody woke it since `wake_seq` was read.
///
/// # Errors
/// When the store does not answer.
pub async fn set_due(store: &Store, lease: &Lease, wake_seq: i64, next: Millis) -> Result<bool> {
    let sql = "UPDATE accounts SET next_due_ms = $1 WHERE account_id = $2 AND wake_seq = $3 AND lease_owner = $4
        AND lease_epoch = $5";
    let values = vec![
        next.0.into(),
        lease.account.clone().into(),
        wake_seq.into(),
        lease.owner.clone().into(),
        lease.epoch.into(),
    ];
    Ok(store.db.exec(sql, values).await? == 1)
}

/// Locks the account's row for this transaction and checks the lease.
///
/// # Errors
/// [`StoreError::Fenced`] when another worker holds the account now.
pub async fn lock(store: &Store, tx: &Tx, lease: &Lease) -> Result<Account> {
    let query = format!(
        "SELECT base_url, credentials, token, token_expires_ms, next_batch, doc, lease_owner, lease_epoch FROM accounts
         WHERE account_id = $1{}",
        tx.for_update()
    );
    let row = tx.row(&query, vec![lease.account.clone().into()]).await?.ok_or(StoreError::Fenced)?;
    let same_owner = row.get::<Option<String>>("lease_owner")?.as_deref() == Some(lease.owner.as_str());
    let stale = !same_owner || row.get::<i64>("lease_epoch")? != lease.epoch;
    if stale && !broken::is(Broken::StaleLeaseWrites) {
        return Err(StoreError::Fenced);
    }
    let id = lease.account.clone();
    let credentials = open_credentials(store, &id, row.get("credentials")?)?;
    let token = match row.get::<Option<Vec<u8>>>("token")? {
        Some(sealed) => {
            let plain = store.keys.open(&token_place(&id), &sealed)?;
            let text = String::from_utf8(plain).map_err(|_| StoreError::Corrupt("token".to_owned()))?;
            Some((SecretString::from(text), Millis(row.get("token_expires_ms")?)))
        }
        None => None,
    };
    Ok(Account {
        base_url: row.get("base_url")?,
        credentials,
        token,
        next_batch: row.get("next_batch")?,
        doc: row.get("doc")?,
        id,
    })
}

/// Writes token, batch counter and doc back.
///
/// # Errors
/// When the store does not answer.
pub async fn save(store: &Store, tx: &Tx, account: &Account) -> Result<()> {
    let (token, expires) = match &account.token {
        Some((token, expires)) => {
            (Some(store.keys.seal(&token_place(&account.id), token.expose_secret().as_bytes())), expires.0)
        }
        None => (None, 0),
    };
    let sql = "UPDATE accounts SET token = $1, token_expires_ms = $2, next_batch = $3, doc = $4 WHERE account_id = $5";
    let values = vec![
        token.into(),
        expires.into(),
        account.next_batch.into(),
        account.doc.clone().into(),
        account.id.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// The account's wake number.
///
/// # Errors
/// When the store does not answer.
pub async fn wake_seq(store: &Store, account: &str) -> Result<Option<i64>> {
    let row = store.db.row("SELECT wake_seq FROM accounts WHERE account_id = $1", vec![account.into()]).await?;
    row.map(|row| row.get("wake_seq")).transpose()
}

/// Whether the lease is still this one.
///
/// # Errors
/// When the store does not answer.
pub async fn is_held(store: &Store, lease: &Lease) -> Result<bool> {
    let query = "SELECT 1 AS one FROM accounts WHERE account_id = $1 AND lease_owner = $2 AND lease_epoch = $3";
    let values = vec![lease.account.clone().into(), lease.owner.clone().into(), lease.epoch.into()];
    Ok(store.db.row(query, values).await?.is_some())
}

/// Locks the account's row without a lease: for a person's command.
///
/// # Errors
/// When the store does not answer.
pub async fn lock_for_command(tx: &Tx, account: &str) -> Result<()> {
    let query = format!("SELECT account_id FROM accounts WHERE account_id = $1{}", tx.for_update());
    tx.row(&query, vec![account.into()]).await?;
    Ok(())
}

/// Locks the rows of all accounts, in the order that everybody uses: for a change that touches many connections at once.
///
/// # Errors
/// When the store does not answer.
pub async fn lock_all(tx: &Tx) -> Result<()> {
    tx.rows(&format!("SELECT account_id FROM accounts ORDER BY account_id{}", tx.for_update()), vec![]).await?;
    Ok(())
}

/// All accounts, by id, with their memory.
///
/// # Errors
/// When the store does not answer.
pub async fn docs(store: &Store) -> Result<Vec<(String, String)>> {
    let rows = store.db.rows("SELECT account_id, doc FROM accounts ORDER BY account_id", vec![]).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, row.get("doc")?))).collect()
}
