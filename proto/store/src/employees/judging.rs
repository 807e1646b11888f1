//! People who are judged again: settings, カオナビ's choices or the day changed.

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;

use crate::db::{Sql, Tx};
use crate::episodes;
use crate::error::Result;

/// Skipped and parked people are judged again with the settings of now: after a change of settings. What a person declined
/// or dismissed stays so.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_again(tx: &Tx, connection: &str, now: Millis) -> Result<u64> {
    let those = "(state = 'skipped' AND reason NOT IN ('delivery.declined', 'dismissed')
        OR state = 'parked' AND (reason LIKE 'mapping.%' OR reason LIKE 'kaonavi.departments%'))";
    // Whoever saved settings, or switched on, did something about these: the next failure is told anew.
    let query =
        format!("SELECT DISTINCT reason FROM employees WHERE connection_id = $1 AND state = 'parked' AND {those}");
    for row in tx.rows(&query, vec![connection.into()]).await? {
        let reason: Option<String> = row.get("reason")?;
        if let Some(code) = reason.as_deref().and_then(Code::parse) {
            episodes::acted_on(tx, connection, code, now).await?;
        }
    }
    // Those whom settings held back may now be many; the others are only looked at.
    again(tx, connection, those, "reason = 'filtered' OR state = 'parked'", now).await
}

/// Those whom the target filter left out are judged again: another day has begun.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_filtered_again(tx: &Tx, connection: &str, now: Millis) -> Result<u64> {
    again(tx, connection, "state = 'skipped' AND reason = 'filtered'", "1 = 0", now).await
}

/// People who were parked because of the mapping are judged again: what カオナビ has changed.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_unmappable_again(tx: &Tx, connection: &str, now: Millis) -> Result<u64> {
    again(tx, connection, "state = 'parked' AND reason LIKE 'mapping.%'", "1 = 1", now).await
}

/// People who were settled since `since` are judged again: what they went without may be sent now.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_settled_again(tx: &Tx, connection: &str, since: Millis, now: Millis) -> Result<u64> {
    let those = format!("state = 'synced' AND changed_ms >= {}", since.0);
    again(tx, connection, &those, "1 = 1", now).await
}

/// Makes `those` due; `counted` are those among them who count as coming together.
async fn again(tx: &Tx, connection: &str, those: &str, counted: &str, now: Millis) -> Result<u64> {
    // Whether a code is known may have changed since the row was written.
    let op = "CASE WHEN EXISTS (SELECT 1 FROM codes WHERE codes.account_id = employees.account_id
        AND codes.code = employees.number AND codes.present = 1) THEN 'update' ELSE 'create' END";
    let sql = format!(
        "UPDATE employees SET state = 'due', reason = NULL, detail = NULL, next_try_ms = 0, attempts = 0, lone_attempts = 0, changed_ms = $1,
           due_ms = COALESCE(due_ms, $1), op = {op}, surge_op = {op},
           surge_ms = CASE WHEN confirmed = 0 AND ({counted}) THEN $1 ELSE NULL END
         WHERE connection_id = $2 AND {those} AND record IS NOT NULL"
    );
    tx.exec(&sql, vec![now.0.into(), connection.into()]).await
}
