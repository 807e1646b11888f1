//! The store's clock.
//!
//! Slots, leases and due times are compared by many processes and must not move when an operator sets a wall clock. On
//! PostgreSQL the time is the server's. On SQLite it is the host's boot clock, tied to a calendar time when this boot first
//! opened the store; another boot frees no slot early: the last five update calls then count as made at its start.

use std::sync::Arc;

use renkei_runtime::clock::{Clock, Millis, scaled_time};
use serde::{Deserialize, Serialize};

use crate::calls::{SLOT_HOLD, UPDATE_SLOTS};
use crate::db::{Db, Engine, Sql};
use crate::error::{Result, StoreError};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Anchor {
    boot_id: String,
    /// Where the boot clock stood, in real milliseconds.
    boot_ms: i64,
    /// What the store's time was then.
    at: Millis,
    scale: u32,
}

/// Reads the time.
#[derive(Debug)]
pub struct StoreTime {
    clock: Arc<dyn Clock>,
    anchor: Anchor,
}

const READ_ANCHOR: &str = "SELECT value FROM meta WHERE name = 'time_anchor'";

impl StoreTime {
    /// Ties the store's time to this boot, if that has not been done.
    ///
    /// # Errors
    /// When the store was opened with another clock scale before.
    pub(crate) async fn adopt(db: &Db, clock: Arc<dyn Clock>) -> Result<Self> {
        let tx = db.begin().await?;
        let stored = tx.row(&format!("{READ_ANCHOR}{}", tx.for_update()), vec![]).await?;
        let stored: Option<Anchor> = match stored {
            Some(row) => Some(serde_json::from_str(&row.get::<String>("value")?)?),
            None => None,
        };
        let scale = clock.scale();
        if let Some(anchor) = &stored
            && anchor.scale != scale
        {
            return Err(StoreError::OtherClock { made: anchor.scale, ours: scale });
        }
        let same_boot = |anchor: &Anchor| db.engine() == Engine::Postgres || anchor.boot_id == clock.boot_id();
        let anchor = match stored {
            Some(anchor) if same_boot(&anchor) => anchor,
            before => {
                let boot_ms = i64::try_from(clock.boot().as_millis()).unwrap_or(0);
                let mut at = clock.now();
                if before.is_some() {
                    at = at.max(rebase(&tx, at).await?);
                }
                let anchor = Anchor { boot_id: clock.boot_id(), boot_ms, at, scale };
                let text = serde_json::to_string(&anchor)?;
                let sql = "INSERT INTO meta (name, value) VALUES ('time_anchor', $1)
                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
                tx.exec(sql, vec![text.into()]).await?;
                anchor
            }
        };
        tx.commit().await?;
        if db.engine() == Engine::Postgres {
            // Another process may have been first; all must count from the same moment.
            let row = db.row(READ_ANCHOR, vec![]).await?;
            let row = row.ok_or_else(|| StoreError::Corrupt("the time anchor is missing".to_owned()))?;
            return Ok(Self { clock, anchor: serde_json::from_str(&row.get::<String>("value")?)? });
        }
        Ok(Self { clock, anchor })
    }

    pub(crate) async fn now(&self, sql: &impl Sql) -> Result<Millis> {
        if sql.engine() == Engine::Postgres && self.clock.boot_id() != SIMULATED_BOOT {
            let query = "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS ms";
            let row = sql.row(query, vec![]).await?;
            let real = Millis(row.map(|row| row.get::<i64>("ms")).transpose()?.unwrap_or_default());
            return Ok(scaled_time(self.anchor.at, self.anchor.scale, real));
        }
        let boot_ms = i64::try_from(self.clock.boot().as_millis()).unwrap_or(0);
        Ok(Millis(self.anchor.at.0 + (boot_ms - self.anchor.boot_ms) * i64::from(self.anchor.scale)))
    }
}

/// The boot id of a simulated clock: with it the store's time is that clock's on PostgreSQL too.
pub const SIMULATED_BOOT: &str = "simulated";

/// After another boot: leases are void, and the last update calls of each account count as made now. Answers a time
/// that is not before anything the store remembers.
async fn rebase(tx: &crate::db::Tx, wall: Millis) -> Result<Millis> {
    let row = tx.row("SELECT COALESCE(MAX(reserved_ms), 0) AS ms FROM calls", vec![]).await?;
    let calls = row.map(|row| row.get::<i64>("ms")).transpose()?.unwrap_or(0);
    let row = tx.row("SELECT COALESCE(MAX(changed_ms), 0) AS ms FROM employees", vec![]).await?;
    let employees = row.map(|row| row.get::<i64>("ms")).transpose()?.unwrap_or(0);
    let now = Millis(wall.0.max(calls).max(employees));
    tx.exec("UPDATE accounts SET lease_until_ms = 0, next_due_ms = $1", vec![now.0.into()]).await?;
    // The rest is older, whatever its times say now that the clock may have stepped back.
    tx.exec("UPDATE calls SET frees_ms = reserved_ms WHERE frees_ms > $1", vec![now.0.into()]).await?;
    let sql = "UPDATE calls SET frees_ms = $1 WHERE call_id IN (
        SELECT call_id FROM (
          SELECT call_id, ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY reserved_ms DESC, call_id DESC) AS rank
          FROM calls WHERE kind IN ('create', 'update', 'repair')
        ) AS ranked WHERE rank <= $2)";
    let slots = i64::try_from(UPDATE_SLOTS).unwrap_or(i64::MAX);
    tx.exec(sql, vec![(now + SLOT_HOLD).0.into(), slots.into()]).await?;
    Ok(now)
}
