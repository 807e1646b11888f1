//! Employees by CSV: from the rows of a file to events on the log, whoever brings the file.
//!
//! The file is read as a whole first ([`File`]): nothing of it is on the log before it is known that it has an end and not too
//! many rows. Then every row is given its person, compared with what is known, and what is new goes on the log. A row that
//! says what is known already makes no event, so a file may be uploaded again whatever came of it the last time.

mod file;
mod judge;
mod people;
mod report;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use renkei_events::codes::Code;
use renkei_events::csv::{self, Constants, Field};
use renkei_events::ids::{ConnectionId, UploadId};
use renkei_events::record::{DataEntryState, EmployeeStatus};
use renkei_events::topic::Topic;
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_store::Store;
use renkei_store::audit::{self, Deed};
use renkei_store::connections::Connection;
use renkei_store::error::StoreError;
use renkei_store::uploads::{self, Mode, UploadPerson};

pub use file::File;
pub use report::{ConstantReport, Report, RowError};

use crate::trace::{Randomness, continue_trace};
use judge::{Judged, Judgement};

/// How many rows go on the log at once.
const AT_ONCE: usize = 500;
/// How long the log may take to acknowledge them (real time).
const APPEND: Duration = Duration::from_secs(10);

/// What an upload works with.
pub struct Uploader<'a> {
    /// The state.
    pub store: &'a Store,
    /// Where events go.
    pub log: &'a dyn LogWriter,
    /// For trace ids.
    pub random: &'a Randomness,
    /// For the audit: `token:{id}` or `command`.
    pub actor: &'a str,
}

/// What is decided with an upload.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// What becomes of the rows; left open, the first upload of a connection is a baseline and later ones are sent.
    pub mode: Option<Mode>,
    /// For columns that are missing.
    pub constants: Constants,
    /// Only tell what would come of it.
    pub dry_run: bool,
}

/// Why nothing of an upload is taken, or not all of it.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// 従業員ステータス or 状況 is said by nobody.
    #[error("{}", Needed::tell(.0))]
    ConstantNeeded(Vec<Needed>),
    /// Nobody has seen yet what a first file would change.
    #[error("the first upload of a connection is stored as a baseline, or its differences are confirmed")]
    FirstIsNotSent,
    /// What カオナビ holds can not be compared.
    #[error("the connection has no credentials, so nobody knows what カオナビ holds")]
    NoCredentials,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log. Some of the rows may be on it.
    #[error(transparent)]
    Log(#[from] LogError),
}

/// A constant that is needed and was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needed {
    /// 従業員ステータス or 状況.
    pub field: Field,
    /// How many rows need it.
    pub rows: u64,
    /// How many of them the usual values would make eligible.
    pub eligible: u64,
}

impl Needed {
    fn tell(needed: &[Needed]) -> String {
        let each = needed.iter().map(|Needed { field, rows, eligible }| {
            format!(
                "no column says {}, which {rows} rows need: give {}, such as {} ({eligible} rows would be eligible)",
                field.label(),
                field.as_str(),
                usual(*field)
            )
        });
        each.collect::<Vec<_>>().join("; ")
    }
}

/// The value of most people.
fn usual(field: Field) -> &'static str {
    if field == Field::EmployeeStatus { "在籍" } else { "データ入力完了" }
}

impl UploadError {
    /// The stable code, for faults of the upload.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            UploadError::ConstantNeeded(_) => Code::CsvConstantNeeded,
            UploadError::FirstIsNotSent => Code::ApiInvalidValue,
            UploadError::NoCredentials => Code::ApiConflict,
            UploadError::Store(_) | UploadError::Log(_) => Code::ApiUnavailable,
        }
    }
}

/// 従業員ステータス that may be given for a whole file, by label or code.
///
/// # Errors
/// Says which there are.
pub fn status(text: &str) -> Result<EmployeeStatus, &'static str> {
    match EmployeeStatus::from(text.to_owned()) {
        EmployeeStatus::Other(_) => Err("must be 在籍, 休職, 内定, 応募者 or 退職"),
        known => Ok(known),
    }
}

/// 状況 that may be given for a whole file, by label or code.
///
/// # Errors
/// Says which there are.
pub fn state(text: &str) -> Result<DataEntryState, &'static str> {
    match DataEntryState::from(text.to_owned()) {
        DataEntryState::Other(_) => Err("must be データ入力完了, データ入力中, 確認待ち, 招待中 or 未招待"),
        known => Ok(known),
    }
}

/// The most names of columns that a connection may have of its own, and the longest.
const MOST_NAMES: usize = 200;
const LONGEST_NAME: usize = 200;

/// Whether a connection may call its columns so.
///
/// # Errors
/// Says why not.
pub fn sound_names(columns: &BTreeMap<String, Option<Field>>) -> Result<(), String> {
    if columns.len() > MOST_NAMES {
        return Err(format!("must have at most {MOST_NAMES} entries"));
    }
    let sound = |name: &String| {
        !name.trim().is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
    };
    match columns.keys().all(sound) {
        true => Ok(()),
        false => Err(format!("a name must have 1 to {LONGEST_NAME} characters, none of control")),
    }
}

impl Uploader<'_> {
    /// Takes a file for a connection, or tells what would come of it.
    ///
    /// # Errors
    /// See [`UploadError`].
    pub async fn take(
        &self,
        connection: &Connection,
        file: File,
        options: &Options,
        received_at: Timestamp,
    ) -> Result<Report, UploadError> {
        let first = !uploads::any_ended(&self.store.db, &connection.id).await?;
        let mode = options.mode.unwrap_or(if first { Mode::Baseline } else { Mode::Send });
        if first && mode == Mode::Send {
            return Err(UploadError::FirstIsNotSent);
        }
        if mode == Mode::SendDifferences && connection.account.is_none() {
            return Err(UploadError::NoCredentials);
        }
        let mut report = Report::of(&file, first, mode, options.dry_run);
        let (rows, faults) = people::resolve(self.store, &connection.id, file.rows).await?;
        report.add_faults(&faults);
        let judgement = judge::judge(self.store, &connection.id, rows, &options.constants, received_at).await?;
        judgement.tell(&mut report, &options.constants);
        if options.dry_run {
            return Ok(report);
        }
        if let Some(lacking) = judgement.lacking(&options.constants) {
            return Err(lacking);
        }
        self.put(connection, judgement, &mut report, mode, received_at).await?;
        tracing::info!(
            connection.id = %connection.id, upload.id = report.upload.as_deref().unwrap_or_default(), upload.mode = mode.as_str(),
            upload.rows = report.seen, upload.new = report.new, upload.changed = report.changed, upload.errors = report.errors,
            "employees were uploaded"
        );
        Ok(report)
    }

    /// Writes down that there is an upload, and puts what is new on the log.
    async fn put(
        &self,
        connection: &Connection,
        judgement: Judgement,
        report: &mut Report,
        mode: Mode,
        received_at: Timestamp,
    ) -> Result<(), UploadError> {
        let id = uploads::fresh_id()?;
        report.upload = Some(id.to_string());
        let tx = self.store.begin().await?;
        let now = self.store.now_in(&tx).await?;
        uploads::begin(&tx, &id, &connection.id, self.actor, mode, now).await?;
        if mode == Mode::SendDifferences {
            let people: Vec<UploadPerson> = judgement.people().collect();
            report.preview = Some(uploads::gather(&tx, &id, &connection.id, &people, now).await?);
        }
        let detail = report.counts();
        let deed = Deed {
            tenant: Some(&connection.tenant),
            actor: self.actor,
            action: "connection.employees_csv",
            target: &connection.id,
            detail: Some(&detail),
        };
        audit::add(self.store, &tx, deed, now).await?;
        tx.commit().await?;
        let trace = continue_trace(None, self.random);
        let mut rows = judgement.new.into_iter();
        loop {
            let chunk: Vec<Judged> = rows.by_ref().take(AT_ONCE).collect();
            if chunk.is_empty() {
                break;
            }
            self.append(connection, &id, chunk, received_at, &trace).await?;
        }
        let tx = self.store.begin().await?;
        let now = self.store.now_in(&tx).await?;
        uploads::end(&tx, &id, &detail, now).await?;
        tx.commit().await?;
        self.store.hint();
        Ok(())
    }

    async fn append(
        &self,
        connection: &Connection,
        upload: &UploadId,
        rows: Vec<Judged>,
        received_at: Timestamp,
        trace: &str,
    ) -> Result<(), UploadError> {
        let broken = |_| StoreError::Corrupt("an id that we make ourselves".to_owned());
        let id = ConnectionId::new(connection.id.clone()).map_err(broken)?;
        let mut records = Vec::with_capacity(rows.len());
        for Judged { line, change, record } in rows {
            let event = csv::event(&id, upload, line, change, record, received_at).map_err(broken)?;
            records.push(NewRecord {
                topic: Topic::Employee,
                key: event.key(),
                headers: event.headers(trace),
                value: event.value().map_err(StoreError::from)?,
            });
        }
        Ok(self.log.append(records, APPEND).await?)
    }
}
