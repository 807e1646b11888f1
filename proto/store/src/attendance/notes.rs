//! What a run could not bring into the book, person by person, until the run itself is forgotten.

use sea_orm::Value;

use crate::db::{Sql, Tx, pieces, tuples};
use crate::error::Result;

/// One thing that a run has to say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// Why: a code of `/docs/errors/`.
    pub reason: String,
    /// 社員コード; of somebody without one the source's own id.
    pub code: String,
    /// The other link, where two bring the same; else empty.
    pub detail: String,
}

/// Writes notes down, each once. Answers how many are new.
///
/// # Errors
/// When the store does not answer.
pub async fn add(tx: &Tx, run: i64, notes: &[Note]) -> Result<u64> {
    let mut new = 0;
    for chunk in pieces(notes, tx.rows_at_once(4).min(200)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 4);
        for note in chunk {
            let Note { reason, code, detail } = note.clone();
            values.extend([run.into(), reason.into(), code.into(), detail.into()]);
        }
        let sql = format!(
            "INSERT INTO run_notes (run_id, reason, code, detail) VALUES {} ON CONFLICT DO NOTHING",
            tuples(chunk.len(), 4, 1)
        );
        new += tx.exec(&sql, values).await?;
    }
    Ok(new)
}

/// A run's notes by reason and code, after `after`.
///
/// # Errors
/// When the store does not answer.
pub async fn page(sql: &impl Sql, run: i64, after: (&str, &str), most: u32) -> Result<Vec<Note>> {
    let query = "SELECT reason, code, detail FROM run_notes WHERE run_id = $1 AND (reason, code) > ($2, $3)
        ORDER BY reason, code LIMIT $4";
    let values = vec![run.into(), after.0.into(), after.1.into(), i64::from(most).into()];
    let rows = sql.rows(query, values).await?;
    rows.iter()
        .map(|row| Ok(Note { reason: row.get("reason")?, code: row.get("code")?, detail: row.get("detail")? }))
        .collect()
}
