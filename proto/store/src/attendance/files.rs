//! Files for クラウドログ's import, from their making until a person marks them.

use std::collections::BTreeSet;

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Row, Sql, Tx, list, pieces, tuples};
use crate::error::{Result, StoreError};

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileState {
    /// It waits to be imported.
    Open,
    /// A person said that it was.
    Imported,
    /// A newer file holds its rows.
    Superseded,
}

impl FileState {
    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Imported => "imported",
            Self::Superseded => "superseded",
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let all = [Self::Open, Self::Imported, Self::Superseded];
        let found = all.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| StoreError::Corrupt("attendance file state".to_owned()))
    }
}

/// A row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    /// The number of the row; the header is 1.
    pub number: i64,
    /// 社員コード.
    pub code: String,
    /// `YYYY-MM-DD`.
    pub day: String,
    /// Keyed hash of what it says.
    pub content: String,
}

/// A file to be kept.
pub struct NewFile<'a> {
    /// The company.
    pub tenant: &'a str,
    /// The link.
    pub link: &'a str,
    /// The run after which it was made.
    pub run: i64,
    /// Which of how many, from 1.
    pub part: (u32, u32),
    /// Its name.
    pub name: &'a str,
    /// What was protected when it was made.
    pub protection: &'a str,
    /// Its rows.
    pub rows: &'a [StoredRow],
    /// The file itself.
    pub bytes: &'a [u8],
}

/// A file without what stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its number.
    pub id: i64,
    /// The link.
    pub link: String,
    /// The run after which it was made.
    pub run: i64,
    /// Which of how many, from 1.
    pub part: (i64, i64),
    /// Its name.
    pub name: String,
    /// How many rows it has.
    pub rows: i64,
    /// Where it stands.
    pub state: FileState,
    /// What was protected when it was made.
    pub protection: String,
    /// When it was made.
    pub made: Millis,
    /// When and by whom it was marked.
    pub marked: Option<(Millis, String)>,
}

fn place(link: &str, name: &str) -> String {
    format!("attendance_files.content|{link}|{name}")
}

const COLUMNS: &str =
    "file_id, link_id, run_id, part, parts, name, rows, state, protection, made_ms, marked_ms, marked_by";

fn read(row: &Row) -> Result<FileInfo> {
    let marked: Option<i64> = row.get("marked_ms")?;
    Ok(FileInfo {
        id: row.get("file_id")?,
        link: row.get("link_id")?,
        run: row.get("run_id")?,
        part: (row.get("part")?, row.get("parts")?),
        name: row.get("name")?,
        rows: row.get("rows")?,
        state: FileState::parse(&row.get::<String>("state")?)?,
        protection: row.get("protection")?,
        made: Millis(row.get("made_ms")?),
        marked: marked.map(Millis).zip(row.get("marked_by")?),
    })
}

/// Files that somebody can see: not those whose decision has not come to its end, and perhaps never will.
const MADE: &str = "state <> 'making'";

/// Keeps a file that nobody sees before [`open_made`], so that all files of a large company need not be written at once. Answers
/// its number.
///
/// # Errors
/// When the store does not answer.
pub async fn insert(store: &Store, tx: &Tx, file: &NewFile<'_>, now: Millis) -> Result<i64> {
    let sql = "INSERT INTO attendance_files
          (tenant_id, link_id, run_id, part, parts, name, rows, state, protection, content, made_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 'making', $8, $9, $10) RETURNING file_id";
    let values: Vec<Value> = vec![
        file.tenant.into(),
        file.link.into(),
        file.run.into(),
        i64::from(file.part.0).into(),
        i64::from(file.part.1).into(),
        file.name.into(),
        i64::try_from(file.rows.len()).unwrap_or(i64::MAX).into(),
        file.protection.into(),
        store.keys.seal(&place(file.link, file.name), file.bytes).into(),
        now.0.into(),
    ];
    let row = tx.row(sql, values).await?.ok_or_else(|| StoreError::Corrupt("attendance file".to_owned()))?;
    let id: i64 = row.get("file_id")?;
    for chunk in pieces(file.rows, tx.rows_at_once(5).min(200)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 5);
        for row in chunk {
            let StoredRow { number, code, day, content } = row.clone();
            values.extend([id.into(), number.into(), code.into(), day.into(), content.into()]);
        }
        let sql = format!(
            "INSERT INTO attendance_file_rows (file_id, row_number, code, day, content) VALUES {}",
            tuples(chunk.len(), 5, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(id)
}

/// Files that were kept are open from now on, all of them.
///
/// # Errors
/// [`StoreError::Fenced`] when somebody else has deleted one meanwhile.
pub async fn open_made(tx: &Tx, ids: &[i64]) -> Result<()> {
    let mut opened = 0;
    for chunk in pieces(ids, 200) {
        let values = chunk.iter().map(|id| Value::from(*id)).collect();
        let ids = list(chunk.len(), 1);
        let sql = format!("UPDATE attendance_files SET state = 'open' WHERE state = 'making' AND file_id IN ({ids})");
        opened += tx.exec(&sql, values).await?;
    }
    if opened == ids.len() as u64 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// Deletes files of a link that nobody has seen.
///
/// # Errors
/// When the store does not answer.
pub async fn discard_unmade(tx: &Tx, link: &str) -> Result<()> {
    for sql in [
        "DELETE FROM attendance_file_rows WHERE file_id IN
           (SELECT file_id FROM attendance_files WHERE link_id = $1 AND state = 'making')",
        "DELETE FROM attendance_files WHERE link_id = $1 AND state = 'making'",
    ] {
        tx.exec(sql, vec![link.into()]).await?;
    }
    Ok(())
}

/// The link's files before number `before`, newest first.
///
/// # Errors
/// When the store does not answer.
pub async fn page(sql: &impl Sql, link: &str, before: i64, most: u32) -> Result<Vec<FileInfo>> {
    let query = format!(
        "SELECT {COLUMNS} FROM attendance_files WHERE link_id = $1 AND file_id < $2 AND {MADE} ORDER BY file_id DESC LIMIT $3"
    );
    let rows = sql.rows(&query, vec![link.into(), before.into(), i64::from(most).into()]).await?;
    rows.iter().map(read).collect()
}

/// The link's files that wait to be imported, in order.
///
/// # Errors
/// When the store does not answer.
pub async fn open(sql: &impl Sql, link: &str) -> Result<Vec<FileInfo>> {
    let query =
        format!("SELECT {COLUMNS} FROM attendance_files WHERE link_id = $1 AND state = 'open' ORDER BY file_id");
    sql.rows(&query, vec![link.into()]).await?.iter().map(read).collect()
}

/// One file of a link.
///
/// # Errors
/// When the store does not answer.
pub async fn find(sql: &impl Sql, link: &str, id: i64) -> Result<Option<FileInfo>> {
    let query = format!("SELECT {COLUMNS} FROM attendance_files WHERE link_id = $1 AND file_id = $2 AND {MADE}");
    sql.row(&query, vec![link.into(), id.into()]).await?.map(|row| read(&row)).transpose()
}

/// The rows of a file, in order.
///
/// # Errors
/// When the store does not answer.
pub async fn rows(sql: &impl Sql, id: i64) -> Result<Vec<StoredRow>> {
    let query =
        "SELECT row_number, code, day, content FROM attendance_file_rows WHERE file_id = $1 ORDER BY row_number";
    let read = |row: &Row| {
        Ok(StoredRow {
            number: row.get("row_number")?,
            code: row.get("code")?,
            day: row.get("day")?,
            content: row.get("content")?,
        })
    };
    sql.rows(query, vec![id.into()]).await?.iter().map(read).collect()
}

/// What stands in a file; `None` once it was taken away.
///
/// # Errors
/// When the store does not answer, or it does not open.
pub async fn content(store: &Store, sql: &impl Sql, file: &FileInfo) -> Result<Option<Vec<u8>>> {
    let query = "SELECT content FROM attendance_files WHERE file_id = $1";
    let Some(row) = sql.row(query, vec![file.id.into()]).await? else { return Ok(None) };
    let sealed: Option<Vec<u8>> = row.get("content")?;
    sealed.map(|sealed| store.keys.open(&place(&file.link, &file.name), &sealed)).transpose()
}

/// Newer files take the place of the link's open ones. How many there were.
///
/// # Errors
/// When the store does not answer.
pub async fn supersede(tx: &Tx, link: &str) -> Result<u64> {
    let sql = "UPDATE attendance_files SET state = 'superseded' WHERE link_id = $1 AND state = 'open'";
    tx.exec(sql, vec![link.into()]).await
}

/// A person says that an open file was imported; `false` when it is not open any more.
///
/// # Errors
/// When the store does not answer.
pub async fn mark(tx: &Tx, id: i64, actor: &str, now: Millis) -> Result<bool> {
    let sql = "UPDATE attendance_files SET state = 'imported', marked_ms = $1, marked_by = $2
        WHERE file_id = $3 AND state = 'open'";
    Ok(tx.exec(sql, vec![now.0.into(), actor.into(), id.into()]).await? == 1)
}

/// Whether a run that began after a file was made wants a row of it written, perhaps once more.
///
/// # Errors
/// When the store does not answer.
pub async fn is_outrun(sql: &impl Sql, tenant: &str, file: &FileInfo) -> Result<bool> {
    let query = "SELECT 1 AS one FROM attendance_file_rows AS held JOIN attendance_days AS days
          ON days.tenant_id = $1 AND days.code = held.code AND days.day = held.day
        WHERE held.file_id = $2 AND days.run_id > $3 LIMIT 1";
    Ok(sql.row(query, vec![tenant.into(), file.id.into(), file.run.into()]).await?.is_some())
}

/// How many files of a link were made since `since`.
///
/// # Errors
/// When the store does not answer.
pub async fn made_since(sql: &impl Sql, link: &str, since: Millis) -> Result<u32> {
    let query = "SELECT COUNT(*) AS files FROM attendance_files WHERE link_id = $1 AND made_ms >= $2";
    let row = sql.row(query, vec![link.into(), since.0.into()]).await?;
    row.map_or(Ok(0), |row| Ok(u32::try_from(row.get::<i64>("files")?).unwrap_or(u32::MAX)))
}

/// The rows of a link's files after run `run` that a person said were imported: what of them still waits was refused.
///
/// # Errors
/// When the store does not answer.
pub async fn rows_of_imported(sql: &impl Sql, link: &str, run: i64) -> Result<BTreeSet<(String, String, String)>> {
    let query = "SELECT held.code AS code, held.day AS day, held.content AS content
        FROM attendance_file_rows AS held JOIN attendance_files AS files ON files.file_id = held.file_id
        WHERE files.link_id = $1 AND files.run_id = $2 AND files.state = 'imported'";
    let rows = sql.rows(query, vec![link.into(), run.into()]).await?;
    rows.iter().map(|row| Ok((row.get("code")?, row.get("day")?, row.get("content")?))).collect()
}

/// Takes away what stands in files that were made before `before`; what they were about stays.
///
/// # Errors
/// When the store does not answer.
pub async fn forget_contents(sql: &impl Sql, before: Millis) -> Result<u64> {
    let query =
        "UPDATE attendance_files SET content = NULL WHERE made_ms < $1 AND content IS NOT NULL AND state <> 'open'";
    sql.exec(query, vec![before.0.into()]).await
}
