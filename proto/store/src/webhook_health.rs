//! Whether deliveries of a connection pass their signature. Ingest tells it now and then, never within a request.

use renkei_runtime::clock::Millis;

use crate::Store;
use crate::db::Sql;
use crate::error::Result;

/// What one ingest process saw of one connection since it last told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The connection.
    pub connection: String,
    /// Deliveries that passed.
    pub accepted: u64,
    /// Deliveries whose signature did not pass, after the last one that did.
    pub refused: u64,
}

/// Writes down what was seen until `now`. With several processes one that passes clears what all of them counted.
///
/// # Errors
/// When the store does not answer.
pub async fn report(store: &Store, seen: &[Seen]) -> Result<()> {
    if seen.is_empty() {
        return Ok(());
    }
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    let mut seen: Vec<&Seen> = seen.iter().collect();
    // In one order everywhere, so that two processes do not wait for each other.
    seen.sort_by(|one, other| one.connection.cmp(&other.connection));
    for one in seen {
        let passed = (one.accepted > 0).then_some(now.0);
        let refused = (one.refused > 0).then_some(now.0);
        let count = i64::try_from(one.refused).unwrap_or(i64::MAX);
        let sql = "INSERT INTO webhook_health (connection_id, accepted_ms, refused_ms, refused_since_ms, refused)
            VALUES ($1, $2, $3, $3, $4) ON CONFLICT (connection_id) DO UPDATE SET
              accepted_ms = COALESCE(excluded.accepted_ms, webhook_health.accepted_ms),
              refused_ms = COALESCE(excluded.refused_ms, webhook_health.refused_ms),
              refused_since_ms = CASE WHEN excluded.accepted_ms IS NULL
                THEN COALESCE(webhook_health.refused_since_ms, excluded.refused_since_ms)
                ELSE excluded.refused_since_ms END,
              refused = CASE WHEN excluded.accepted_ms IS NULL THEN webhook_health.refused ELSE 0 END + excluded.refused";
        tx.exec(sql, vec![one.connection.clone().into(), passed.into(), refused.into(), count.into()]).await?;
    }
    tx.commit().await
}

/// What is known of one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// The last delivery that passed.
    pub accepted: Option<Millis>,
    /// The first one that did not, since the last that passed.
    pub refused_since: Option<Millis>,
    /// How many did not, since the last that passed.
    pub refused: i64,
}

/// What is known of a connection, if anything ever came.
///
/// # Errors
/// When the store does not answer.
pub async fn get(sql: &impl Sql, connection: &str) -> Result<Option<Health>> {
    let query = "SELECT accepted_ms, refused_since_ms, refused FROM webhook_health WHERE connection_id = $1";
    let row = sql.row(query, vec![connection.into()]).await?;
    row.map(|row| {
        Ok(Health {
            accepted: row.get::<Option<i64>>("accepted_ms")?.map(Millis),
            refused_since: row.get::<Option<i64>>("refused_since_ms")?.map(Millis),
            refused: row.get("refused")?,
        })
    })
    .transpose()
}
