//! The table below the embedded log: append-only, sealed, one partition a topic, one reader a group.

use renkei_runtime::clock::Millis;

use crate::Store;
use crate::db::{Sql, tuples};
use crate::error::Result;

/// A row to append: topic, key, headers as JSON, value.
#[derive(Clone)]
pub struct LogRow {
    /// Topic name.
    pub topic: String,
    /// Record key.
    pub key: String,
    /// JSON array of pairs.
    pub headers: String,
    /// The value in plain; sealed here.
    pub value: Vec<u8>,
}

/// A row as it was read.
#[derive(Clone)]
pub struct LogEntry {
    /// Rises by one a record.
    pub offset: i64,
    /// Record key.
    pub key: String,
    /// JSON array of pairs.
    pub headers: String,
    /// The value in plain; `None` when its envelope does not open (cut or changed): nobody can read it any more.
    pub value: Option<Vec<u8>>,
    /// When it was appended.
    pub appended: Millis,
}

fn place(topic: &str, offset: i64) -> String {
    format!("log_records.value|{topic}|{offset}")
}

/// Appends all rows in one transaction.
///
/// # Errors
/// When the store does not confirm; none or all of the rows may be there.
pub async fn append(store: &Store, rows: &[LogRow]) -> Result<()> {
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    let mut topics: Vec<&str> = rows.iter().map(|row| row.topic.as_str()).collect();
    topics.sort_unstable();
    topics.dedup();
    for topic in topics {
        let of_topic: Vec<&LogRow> = rows.iter().filter(|row| row.topic == topic).collect();
        let count = i64::try_from(of_topic.len()).unwrap_or(0);
        let sql = "INSERT INTO log_heads (topic, next_offset) VALUES ($1, $2)
            ON CONFLICT (topic) DO UPDATE SET next_offset = log_heads.next_offset + excluded.next_offset
            RETURNING next_offset";
        let head = tx.row(sql, vec![topic.into(), count.into()]).await?;
        let mut offset = head.map(|row| row.get::<i64>("next_offset")).transpose()?.unwrap_or(count) - count;
        for chunk in of_topic.chunks(200) {
            let mut values = Vec::with_capacity(chunk.len() * 6);
            for row in chunk {
                values.push(row.topic.clone().into());
                values.push(offset.into());
                values.push(row.key.clone().into());
                values.push(row.headers.clone().into());
                values.push(store.keys.seal(&place(topic, offset), &row.value).into());
                values.push(now.0.into());
                offset += 1;
            }
            let columns = "topic, log_offset, record_key, headers, value, appended_ms";
            let sql = format!("INSERT INTO log_records ({columns}) VALUES {}", tuples(chunk.len(), 6, 1));
            tx.exec(&sql, values).await?;
        }
    }
    tx.commit().await
}

/// Where `group` goes on; 0 for a group that never committed.
///
/// # Errors
/// When the store does not answer.
pub async fn position(store: &Store, group: &str, topic: &str) -> Result<i64> {
    let query = "SELECT next_offset FROM log_positions WHERE reader_group = $1 AND topic = $2";
    let row = store.db.row(query, vec![group.into(), topic.into()]).await?;
    Ok(row.map(|row| row.get("next_offset")).transpose()?.unwrap_or(0))
}

/// Moves `group` on to `next`, never back.
///
/// # Errors
/// When the store does not answer.
pub async fn commit(store: &Store, group: &str, topic: &str, next: i64) -> Result<()> {
    let sql = "INSERT INTO log_positions (reader_group, topic, next_offset) VALUES ($1, $2, $3)
        ON CONFLICT (reader_group, topic) DO UPDATE SET next_offset = excluded.next_offset
        WHERE log_positions.next_offset < excluded.next_offset";
    store.db.exec(sql, vec![group.into(), topic.into(), next.into()]).await?;
    Ok(())
}

/// The records from `offset` on, at most `most`.
///
/// # Errors
/// When the store does not answer.
pub async fn read(store: &Store, topic: &str, offset: i64, most: usize) -> Result<Vec<LogEntry>> {
    let query = "SELECT log_offset, record_key, headers, value, appended_ms FROM log_records
        WHERE topic = $1 AND log_offset >= $2 ORDER BY log_offset LIMIT $3";
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = store.db.rows(query, vec![topic.into(), offset.into(), most.into()]).await?;
    rows.iter()
        .map(|row| {
            let offset = row.get("log_offset")?;
            Ok(LogEntry {
                offset,
                key: row.get("record_key")?,
                headers: row.get("headers")?,
                value: store.keys.open(&place(topic, offset), &row.get::<Vec<u8>>("value")?).ok(),
                appended: Millis(row.get("appended_ms")?),
            })
        })
        .collect()
}

/// The offset that the next record of `topic` gets.
///
/// # Errors
/// When the store does not answer.
pub async fn head(store: &Store, topic: &str) -> Result<i64> {
    let row = store.db.row("SELECT next_offset FROM log_heads WHERE topic = $1", vec![topic.into()]).await?;
    Ok(row.map(|row| row.get("next_offset")).transpose()?.unwrap_or(0))
}

/// Deletes what is older than `before` and was passed by every group that reads `topic`. What nobody has read yet stays,
/// unless `unread_too`: then a topic that no group reads is cleared by age alone.
///
/// # Errors
/// When the store does not answer.
pub async fn expire(store: &Store, topic: &str, before: Millis, unread_too: bool) -> Result<u64> {
    let sql = "DELETE FROM log_records WHERE topic = $1 AND appended_ms < $2 AND log_offset < COALESCE(
        (SELECT MIN(next_offset) FROM log_positions WHERE topic = $1), $3)";
    let unread = if unread_too { i64::MAX } else { 0 };
    store.db.exec(sql, vec![topic.into(), before.0.into(), unread.into()]).await
}
