//! A desk with the import screen: one company, and files as a careful client writes them.

use jiff::civil::{Date, date};
use renkei_runtime::clock::Millis;

use crate::crowdlog::{CrowdLog, FileError, Hours, ImportResult, Reason, sample};
use crate::rules::{Shown, ensure};

/// 2026-04-07T09:00:00+09:00.
const NOW: Millis = Millis(1_775_520_000_000);

/// A day that all members but the one who left are there on.
pub(super) const DAY: Date = date(2026, 4, 6);

/// A row of a file.
#[derive(Debug, Clone)]
pub struct Row {
    /// 社員コード.
    pub code: String,
    /// 年月日.
    pub date: String,
    /// 出社.
    pub start: String,
    /// 退社.
    pub end: String,
    /// 休憩詳細.
    pub breaks: String,
}

impl Row {
    /// A day from 09:05 to 18:20 with two breaks.
    #[must_use]
    pub fn new(code: &str, date: Date) -> Self {
        Self {
            code: code.to_owned(),
            date: date.to_string(),
            start: "09:05".to_owned(),
            end: "18:20".to_owned(),
            breaks: "12:10-13:05/15:30-15:40".to_owned(),
        }
    }

    /// With other times.
    #[must_use]
    pub fn hours(mut self, start: &str, end: &str, breaks: &str) -> Self {
        (self.start, self.end, self.breaks) = (start.to_owned(), end.to_owned(), breaks.to_owned());
        self
    }
}

/// The columns of the template without leave.
pub(super) const HEADER: &str = "社員コード,年月日,出社,退社,休憩詳細,日報,ステータス";

/// The text of a file as the template wants it.
pub(super) fn text(rows: &[Row]) -> String {
    let rows = rows.iter().map(|row| format!("{},{},{},{},{},,0", row.code, row.date, row.start, row.end, row.breaks));
    lines(std::iter::once(HEADER.to_owned()).chain(rows))
}

/// Lines with their ends.
pub(super) fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.map(|line| line + "\r\n").collect()
}

/// Text with the mark of UTF-8.
pub(super) fn marked(text: &str) -> Vec<u8> {
    format!("\u{FEFF}{text}").into_bytes()
}

/// A file as the template wants it.
#[must_use]
pub fn file(rows: &[Row]) -> Vec<u8> {
    marked(&text(rows))
}

/// One company.
#[derive(Debug)]
pub struct Desk {
    /// クラウドログ.
    pub crowdlog: CrowdLog,
}

impl Desk {
    /// The sample company.
    #[must_use]
    pub fn open() -> Self {
        Self { crowdlog: sample::company() }
    }

    /// Imports a file.
    pub fn import(&mut self, file: &[u8]) -> ImportResult {
        self.crowdlog.import(NOW, file)
    }

    /// Imports rows; all have to be stored.
    ///
    /// # Errors
    /// When one is not.
    pub fn stored(&mut self, rows: &[Row]) -> Shown {
        let result = self.import(&file(rows));
        ensure!(result.is_clean() && result.rows.len() == rows.len(), "{result:?}");
        Ok(())
    }

    /// Imports one row, which has to be refused for this.
    ///
    /// # Errors
    /// When it is not, or for something else.
    pub fn refused(&mut self, row: Row, reason: Reason) -> Shown {
        let result = self.import(&file(&[row]));
        ensure!(result.reason(2) == Some(reason), "not {reason:?}: {result:?}");
        Ok(())
    }

    /// Imports a file, which has to be refused as a whole for this.
    ///
    /// # Errors
    /// When it is not, or for something else.
    pub fn refused_file(&mut self, file: &[u8], error: &FileError) -> Shown {
        let before = self.crowdlog.timesheets().len();
        let result = self.import(file);
        ensure!(result.header_error.as_ref() == Some(error), "not {error:?}: {result:?}");
        ensure!(result.rows.is_empty() && self.crowdlog.timesheets().len() == before, "rows of it were taken");
        Ok(())
    }

    /// From when to when a member worked on the day, and the breaks, in minutes.
    #[must_use]
    pub fn day(&self, code: &str) -> Option<(Hours, Vec<Hours>)> {
        let stored = self.crowdlog.stored(code, DAY)?;
        Some((stored.hours?, stored.breaks.clone()))
    }
}

/// From and to, in minutes.
pub(super) fn hours(start: u16, end: u16) -> Hours {
    Hours { start, end }
}

/// Turns a fault of the scenario itself into its text.
pub(super) fn told<T>(result: Result<T, crate::SandboxError>) -> Result<T, String> {
    result.map_err(|error| error.to_string())
}
