//! What came of an upload.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use renkei_events::csv::RowFault;
use renkei_store::uploads::Mode;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::File;
use super::file::MOST_LISTED;

/// What came of an upload, or would come of it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Report {
    /// Its id; null after a dry run.
    pub upload: Option<String>,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// baseline, send_differences or send.
    pub mode: &'static str,
    /// Whether no upload of the connection came to its end before.
    pub first: bool,
    /// utf-8 or cp932; null when it is all ASCII.
    pub encoding: Option<&'static str>,
    /// The columns that were read: name → field.
    pub columns: BTreeMap<String, &'static str>,
    /// The names of the columns that were passed over; 200 at most.
    pub ignored_columns: Vec<String>,
    /// How many rows the file has: new + changed + already_known + older + errors.
    pub seen: u64,
    /// People whom nobody had brought before.
    pub new: u64,
    /// People who are known, with other values.
    pub changed: u64,
    /// Rows that say what is known.
    pub already_known: u64,
    /// Rows whose 更新日時 is older than what is known.
    pub older: u64,
    /// Rows that were not taken.
    pub errors: u64,
    /// Rows of people who are eligible by 従業員ステータス, 状況 and 社員番号.
    pub eligible: u64,
    /// What is wrong where; 1,000 at most.
    pub row_errors: Vec<RowError>,
    /// What stands for columns that are missing.
    pub constants: Vec<ConstantReport>,
    /// The preview of the differences, which a worker makes when all rows are taken.
    pub preview: Option<String>,
}

/// What is wrong with a row.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowError {
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// The name of the column, if it is about one.
    pub column: Option<String>,
    /// A code of `/docs/errors/`.
    pub code: &'static str,
    /// The line of the other row, if it is about two.
    pub other_line: Option<u64>,
}

/// A value for all rows of whose people nobody knows it.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConstantReport {
    /// employee_status or data_entry_state.
    pub field: &'static str,
    /// 従業員ステータス or 状況.
    pub label: &'static str,
    /// How many rows need it.
    pub rows: u64,
    /// What was given; null: nothing, and it has to be.
    pub value: Option<String>,
    /// What is usual.
    pub suggested: &'static str,
    /// How many of the rows are eligible with what was given, or with what is usual.
    pub eligible: u64,
}

/// How many names of columns that were passed over are listed.
const MOST_IGNORED: usize = 200;

impl Report {
    pub(super) fn of(file: &File, first: bool, mode: Mode, dry_run: bool) -> Self {
        let mut report = Self {
            upload: None,
            dry_run,
            mode: mode.as_str(),
            first,
            encoding: file.encoding.map(|encoding| encoding.as_str()),
            columns: file.columns.iter().map(|(name, field)| (name.clone(), field.as_str())).collect(),
            ignored_columns: file.ignored.iter().take(MOST_IGNORED).cloned().collect(),
            seen: file.seen,
            new: 0,
            changed: 0,
            already_known: 0,
            older: 0,
            errors: file.faulty,
            eligible: 0,
            row_errors: Vec::new(),
            constants: Vec::new(),
            preview: None,
        };
        report.list(&file.faults);
        report
    }

    /// Adds faults of as many rows.
    pub(super) fn add_faults(&mut self, faults: &[RowFault]) {
        self.errors += faults.len() as u64;
        self.list(faults);
    }

    fn list(&mut self, faults: &[RowFault]) {
        self.row_errors.extend(faults.iter().map(|fault| RowError {
            line: fault.line,
            column: fault.column.clone(),
            code: fault.code.as_str(),
            other_line: fault.other_line,
        }));
        self.row_errors.sort_by_key(|error| error.line);
        self.row_errors.truncate(MOST_LISTED);
    }

    /// The counts, as JSON.
    pub(super) fn counts(&self) -> String {
        json!({
            "upload": self.upload, "mode": self.mode, "seen": self.seen, "new": self.new, "changed": self.changed,
            "already_known": self.already_known, "older": self.older, "errors": self.errors,
        })
        .to_string()
    }

    /// The report, for people.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for error in &self.row_errors {
            let column = error.column.as_ref().map(|column| format!(", column {column}")).unwrap_or_default();
            let other = error.other_line.map(|line| format!(" (and line {line})")).unwrap_or_default();
            let _ = writeln!(text, "line {}{column}: {}{other}", error.line, error.code);
        }
        if !self.ignored_columns.is_empty() {
            let _ = writeln!(text, "columns passed over: {}", self.ignored_columns.join(", "));
        }
        for constant in &self.constants {
            let given = match &constant.value {
                Some(value) => format!("{value} is given"),
                None => format!("one value has to be given, such as {}", constant.suggested),
            };
            let _ = writeln!(
                text,
                "{}: {} rows do not say it, {given}; {} of them are eligible with that",
                constant.label, constant.rows, constant.eligible
            );
        }
        let _ = writeln!(
            text,
            "{} rows: {} new, {} changed, {} known already, {} older than what is known, {} with errors; {} are eligible",
            self.seen, self.new, self.changed, self.already_known, self.older, self.errors, self.eligible
        );
        let _ = match (&self.upload, self.dry_run) {
            (Some(upload), false) => writeln!(text, "upload {upload} is taken, mode {}", self.mode),
            _ => writeln!(text, "dry run: nothing was changed (mode {})", self.mode),
        };
        if let Some(preview) = &self.preview {
            let _ = writeln!(
                text,
                "preview {preview} shows the differences once all rows are taken; confirm it to send them"
            );
        }
        text
    }
}
