//! Who does what only one may do at a time.
//!
//! A lease keeps two processes from doing the same work for nothing. What must not happen twice is guarded where it is
//! written, not here.

use std::time::Duration;

use renkei_runtime::clock::Millis;

use crate::Store;
use crate::db::{Sql, Tx};
use crate::error::Result;

/// Takes or renews the lease `name` for `length`. `None`: another one has it. The epoch rises whenever it was not held.
///
/// # Errors
/// When the store does not answer.
pub async fn claim(tx: &Tx, name: &str, owner: &str, now: Millis, length: Duration) -> Result<Option<i64>> {
    let sql = "INSERT INTO leases (name, owner, epoch, until_ms) VALUES ($1, $2, 1, $3)
        ON CONFLICT (name) DO UPDATE SET
          epoch = CASE WHEN leases.owner = excluded.owner AND leases.until_ms > $4 THEN leases.epoch ELSE leases.epoch + 1 END,
          owner = excluded.owner, until_ms = excluded.until_ms
        WHERE leases.owner = excluded.owner OR leases.until_ms <= $4 RETURNING epoch";
    let row = tx.row(sql, vec![name.into(), owner.into(), (now + length).0.into(), now.0.into()]).await?;
    row.map(|row| row.get("epoch")).transpose()
}

/// Since when nobody holds the lease `name`; `None`: somebody does, or nobody ever did.
///
/// # Errors
/// When the store does not answer.
pub async fn free_since(sql: &impl Sql, name: &str, now: Millis) -> Result<Option<Millis>> {
    let query = "SELECT until_ms FROM leases WHERE name = $1 AND until_ms <= $2";
    let row = sql.row(query, vec![name.into(), now.0.into()]).await?;
    row.map(|row| Ok(Millis(row.get("until_ms")?))).transpose()
}

/// Gives all leases of `owner` back, so that another one goes on at once.
///
/// # Errors
/// When the store does not answer.
pub async fn release_all(store: &Store, owner: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE leases SET until_ms = $1 WHERE owner = $2 AND until_ms > $1";
    store.db.exec(sql, vec![now.0.into(), owner.into()]).await?;
    Ok(())
}
