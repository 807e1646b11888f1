//! Uploads of employees by CSV: which there were, what is to become of their rows, and whom each was about.

use std::collections::BTreeSet;

use base64::Engine as _;
use renkei_events::ids::UploadId;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Sql, Tx, list, pieces, tuples};
use crate::error::{Result, StoreError};
use crate::previews;

/// What becomes of the rows of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// 基準として保存: they are stored, and nothing of them is written to カオナビ.
    Baseline,
    /// 差分を確認して送る: they are stored, and a person confirms what goes out.
    SendDifferences,
    /// What differs goes out as any other change does.
    Send,
}

impl Mode {
    /// All modes.
    pub const ALL: [Mode; 3] = [Self::Baseline, Self::SendDifferences, Self::Send];

    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Baseline => "baseline",
            Mode::SendDifferences => "send_differences",
            Mode::Send => "send",
        }
    }

    /// The mode with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }
}

/// An id that nobody used before.
///
/// # Errors
/// None in fact: what it is made of may stand in an id.
pub fn fresh_id() -> Result<UploadId> {
    let bytes = crate::seal::fresh_key();
    let id = format!("up_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&bytes[..16]));
    UploadId::new(id).map_err(|_| StoreError::Corrupt("a fresh upload id".to_owned()))
}

/// A row of an upload whose differences a person is to confirm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadPerson {
    /// The line of the file.
    pub line: u64,
    /// 従業員ID.
    pub employee: String,
    /// Whether the store has what the row says.
    pub taken: bool,
}

/// Whether an upload of the connection came to its end before.
///
/// # Errors
/// When the store does not answer.
pub async fn any_ended(sql: &impl Sql, connection: &str) -> Result<bool> {
    let query = "SELECT 1 AS one FROM uploads WHERE connection_id = $1 AND ended_ms IS NOT NULL LIMIT 1";
    Ok(sql.row(query, vec![connection.into()]).await?.is_some())
}

/// Begins an upload, before anything of it is on the log.
///
/// # Errors
/// When the store does not answer.
pub async fn begin(tx: &Tx, id: &UploadId, connection: &str, actor: &str, mode: Mode, now: Millis) -> Result<()> {
    let sql = "INSERT INTO uploads (upload_id, connection_id, actor, mode, started_ms) VALUES ($1, $2, $3, $4, $5)";
    tx.exec(sql, vec![id.as_str().into(), connection.into(), actor.into(), mode.as_str().into(), now.0.into()]).await?;
    Ok(())
}

/// Says whom an upload is about, and prepares the preview of them: it is made once all of them are taken. Answers its id.
///
/// # Errors
/// When the store does not answer.
pub async fn gather(tx: &Tx, id: &UploadId, connection: &str, people: &[UploadPerson], now: Millis) -> Result<String> {
    for chunk in pieces(people, tx.rows_at_once(4)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 4);
        for person in chunk {
            values.extend([
                id.as_str().into(),
                i64::try_from(person.line).unwrap_or(i64::MAX).into(),
                person.employee.clone().into(),
                i64::from(person.taken).into(),
            ]);
        }
        let columns = "upload_id, line, employee_id, taken";
        tx.exec(&format!("INSERT INTO upload_people ({columns}) VALUES {}", tuples(chunk.len(), 4, 1)), values).await?;
    }
    let preview = previews::prepare(tx, connection, id, now).await?;
    let sql = "UPDATE uploads SET preview_id = $1 WHERE upload_id = $2";
    tx.exec(sql, vec![preview.clone().into(), id.as_str().into()]).await?;
    start_preview(tx, id, now).await?;
    Ok(preview)
}

/// Ends an upload whose rows are all on the log.
///
/// # Errors
/// When the store does not answer.
pub async fn end(tx: &Tx, id: &UploadId, counts: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE uploads SET ended_ms = $1, counts = $2 WHERE upload_id = $3";
    tx.exec(sql, vec![now.0.into(), counts.into(), id.as_str().into()]).await?;
    Ok(())
}

/// Which of these connections ever had an upload: only those have people who are known by 社員番号 alone.
///
/// # Errors
/// When the store does not answer.
pub async fn among(sql: &impl Sql, connections: &[&str]) -> Result<BTreeSet<String>> {
    let mut found = BTreeSet::new();
    for chunk in pieces(connections, 200) {
        let values = chunk.iter().map(|id| Value::from(*id)).collect();
        let query = format!(
            "SELECT connection_id FROM uploads WHERE connection_id IN ({}) GROUP BY connection_id",
            list(chunk.len(), 1)
        );
        for row in sql.rows(&query, values).await? {
            found.insert(row.get("connection_id")?);
        }
    }
    Ok(found)
}

/// Which of these uploads are stored only: nothing of them goes out without a person's yes.
///
/// # Errors
/// When the store does not answer.
pub async fn stored_only(sql: &impl Sql, uploads: &BTreeSet<UploadId>) -> Result<BTreeSet<UploadId>> {
    if uploads.is_empty() {
        return Ok(BTreeSet::new());
    }
    let values = uploads.iter().map(|id| Value::from(id.as_str())).collect();
    let query = format!(
        "SELECT upload_id FROM uploads WHERE mode IN ('baseline', 'send_differences') AND upload_id IN ({})",
        list(uploads.len(), 1)
    );
    let rows = sql.rows(&query, values).await?;
    let only: Vec<String> = rows.iter().map(|row| row.get("upload_id")).collect::<Result<_>>()?;
    Ok(uploads.iter().filter(|id| only.iter().any(|known| known == id.as_str())).cloned().collect())
}

/// Notes that the store has what these rows of an upload say, and about whom they turned out to be. When those were the last,
/// the preview is made.
///
/// # Errors
/// When the store does not answer.
pub async fn took(tx: &Tx, id: &UploadId, rows: &[(u64, String)], now: Millis) -> Result<()> {
    let mut changed = 0;
    for chunk in pieces(rows, tx.rows_at_once(2)) {
        let mut values: Vec<Value> = vec![id.as_str().into()];
        for (line, employee) in chunk {
            values.extend([i64::try_from(*line).unwrap_or(i64::MAX).into(), employee.clone().into()]);
        }
        let sql = format!(
            "WITH took (l, e) AS (VALUES {})
             UPDATE upload_people SET taken = 1, employee_id = took.e FROM took
             WHERE upload_people.upload_id = $1 AND upload_people.line = took.l AND upload_people.taken = 0",
            tuples(chunk.len(), 2, 2)
        );
        changed += tx.exec(&sql, values).await?;
    }
    if changed > 0 { start_preview(tx, id, now).await } else { Ok(()) }
}

/// Lets the preview of an upload be made when all its rows are taken.
async fn start_preview(tx: &Tx, id: &UploadId, now: Millis) -> Result<()> {
    let query = "SELECT connection_id, preview_id FROM uploads WHERE upload_id = $1 AND preview_id IS NOT NULL
        AND NOT EXISTS (SELECT 1 FROM upload_people WHERE upload_people.upload_id = $1 AND taken = 0)";
    let Some(row) = tx.row(query, vec![id.as_str().into()]).await? else { return Ok(()) };
    previews::start(tx, &row.get::<String>("connection_id")?, &row.get::<String>("preview_id")?, now).await
}

/// The people of an upload, at most `most`.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn people(sql: &impl Sql, connection: &str, id: &str, most: usize) -> Result<Vec<String>> {
    let query = "SELECT upload_people.employee_id FROM upload_people
        JOIN uploads ON uploads.upload_id = upload_people.upload_id
        WHERE uploads.connection_id = $1 AND uploads.upload_id = $2 ORDER BY line LIMIT $3";
    let values = vec![connection.into(), id.into(), i64::try_from(most).unwrap_or(i64::MAX).into()];
    let rows = sql.rows(query, values).await?;
    rows.iter().map(|row| row.get("employee_id")).collect()
}

/// Forgets whom uploads that began before `before` were about; that there were any stays known.
///
/// # Errors
/// When the store does not answer.
pub async fn tidy(store: &Store, before: Millis) -> Result<u64> {
    let sql = "DELETE FROM upload_people WHERE upload_id IN (SELECT upload_id FROM uploads WHERE started_ms < $1)";
    store.db.exec(sql, vec![before.0.into()]).await
}
