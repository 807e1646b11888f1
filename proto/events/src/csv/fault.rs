//! What can be wrong with a file, and with a row.

use super::{Field, LARGEST_ROW_BYTES, MOST_ROWS};
use crate::codes::Code;

/// Why nothing of a file is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No header line, or no row under it.
    #[error("the file has no rows under a header line")]
    Empty,
    /// A workbook, or text in UTF-16.
    #[error("the file is no CSV in UTF-8 or CP932 (Shift_JIS); a workbook has to be saved as CSV first")]
    NotText,
    /// Nothing says who a row is about.
    #[error("no column of the first line is 社員番号 or 従業員ID")]
    HeaderUnknown,
    /// Two columns fill one field.
    #[error("the columns {first} and {second} both stand for {}", field.label())]
    ColumnTwice {
        /// Which field.
        field: Field,
        /// The first column's name.
        first: String,
        /// The second column's name.
        second: String,
    },
    /// More rows than one file may have.
    #[error("the file has more than {MOST_ROWS} rows")]
    TooManyRows,
    /// A row without an end.
    #[error("the row that begins at line {line} has no end within {} KiB: a quotation mark is not closed", LARGEST_ROW_BYTES / 1024)]
    OpenQuote {
        /// Where it begins.
        line: u64,
    },
    /// The file could not be read to its end.
    #[error("the file did not arrive whole")]
    CutOff,
}

impl Refusal {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Refusal::Empty => Code::CsvEmpty,
            Refusal::NotText => Code::CsvNotText,
            Refusal::HeaderUnknown => Code::CsvHeaderUnknown,
            Refusal::ColumnTwice { .. } => Code::CsvColumnTwice,
            Refusal::TooManyRows => Code::CsvTooManyRows,
            Refusal::OpenQuote { .. } => Code::CsvOpenQuote,
            Refusal::CutOff => Code::CsvCutOff,
        }
    }
}

/// Why a row is not taken. Says where, and never what stands there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowFault {
    /// The line of the file on which the row begins, from 1.
    pub line: u64,
    /// The name of the column, if it is about one.
    pub column: Option<String>,
    /// The stable code.
    pub code: Code,
    /// The line of the other row, if it is about two.
    pub other_line: Option<u64>,
}
