//! What came of an import.

use jiff::civil::Date;
use serde::Serialize;

/// Why a whole file was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum FileError {
    /// 勤怠の使用 is off.
    #[error("「勤怠の使用」がオフのため、勤怠をインポートできません")]
    AttendanceNotInUse,
    /// 勤怠管理機能 is on.
    #[error("勤怠管理機能を利用中のため、勤怠をインポートできません")]
    AttendanceManagement,
    /// The bytes are no text in the encoding that was chosen.
    #[error("文字コードが正しくありません")]
    Encoding,
    /// A line ends otherwise than with CR and LF.
    #[error("改行コードが正しくありません")]
    LineEnds,
    /// There is no header.
    #[error("ヘッダー行がありません")]
    NoHeader,
    /// A column has a name that the template does not have.
    #[error("項目名が正しくありません: {0}")]
    UnknownHeader(String),
    /// A column that is needed is missing.
    #[error("必須の項目がありません: {0}")]
    MissingHeader(&'static str),
    /// A column stands twice.
    #[error("項目名が重複しています: {0}")]
    RepeatedHeader(String),
    /// There are more rows than are taken at once.
    #[error("一度にインポートできるのは {most} 行までです（{rows} 行）")]
    TooManyRows {
        /// How many there are.
        rows: usize,
        /// How many are taken.
        most: usize,
    },
}

/// Why a row was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// More or fewer cells than the header.
    NumberOfCells,
    /// Nothing stands where something is needed.
    Missing,
    /// Nobody has this code.
    UnknownCode,
    /// Several members have this code.
    DoubleCode,
    /// The member is 無効.
    Inactive,
    /// The day is outside of 開始日 and 終了日.
    OutsidePeriod,
    /// No date, or in another form.
    Date,
    /// No time, or in another form.
    Time,
    /// A time past midnight.
    PastMidnight,
    /// 退社 before 出社.
    EndBeforeStart,
    /// No list of breaks.
    Breaks,
    /// A break outside of the working time.
    BreakOutside,
    /// A break over another.
    BreaksOverlap,
    /// More than 24 hours of work.
    TooLong,
    /// Neither 0 nor 1.
    Status,
    /// Not what may stand in a leave column.
    Leave,
    /// The day is closed.
    Closed,
    /// The day has a timesheet application.
    Applied,
    /// The row is good, but another one of the file is not.
    OtherRows,
}

/// A refusal of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowError {
    /// The column, by its name in the header; `None` when it is the row as such.
    pub column: Option<String>,
    /// Why.
    pub reason: Reason,
}

/// A row of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowResult {
    /// Its number; the header is row 1.
    pub row: usize,
    /// 社員コード as it stands there.
    pub code: String,
    /// The day, if it could be read.
    pub date: Option<Date>,
    /// Why it was refused; `None` when it was stored.
    pub error: Option<RowError>,
    /// Whether the day was closed or applied, refused for it or not.
    pub protected: bool,
}

/// What came of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ImportResult {
    /// Why nothing of it was taken.
    pub header_error: Option<FileError>,
    /// Its rows in order, if it was taken.
    pub rows: Vec<RowResult>,
}

impl ImportResult {
    /// A file that was refused.
    pub(super) fn refused(error: FileError) -> Self {
        Self { header_error: Some(error), rows: Vec::new() }
    }

    /// How many rows were stored.
    #[must_use]
    pub fn accepted(&self) -> usize {
        self.rows.iter().filter(|row| row.error.is_none()).count()
    }

    /// The numbers of the rows that were refused.
    #[must_use]
    pub fn refused_rows(&self) -> Vec<usize> {
        self.rows.iter().filter(|row| row.error.is_some()).map(|row| row.row).collect()
    }

    /// Whether all of it was stored.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.header_error.is_none() && self.rows.iter().all(|row| row.error.is_none())
    }

    /// Why a row was refused.
    #[must_use]
    pub fn reason(&self, row: usize) -> Option<Reason> {
        self.rows.iter().find(|one| one.row == row)?.error.as_ref().map(|error| error.reason)
    }
}
