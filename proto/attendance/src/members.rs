//! クラウドログ's members, from the list that an administrator exports there.
//!
//! Five columns are read and no others: what else stands in the list, 単価 above all, is passed over as bytes and never becomes
//! a value of this program. Names of columns and encoding are settings, because a company's list may differ.

mod advice;
mod columns;
mod reader;

use std::fmt;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use advice::{Advice, ExcelSign, advice, days_old, is_old};
pub use columns::{Column, Headers};
pub use reader::read;

use crate::codes::Code;
use crate::texts::told;

/// The most rows of a list, its header not counted.
pub const MOST_ROWS: usize = 50_000;

/// 名前. Prints as redacted.
#[derive(Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    /// The name itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redacted")
    }
}

/// A member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// 社員コード.
    pub code: Code,
    /// The code as the list has it, blanks around it with it: what an import finds the member by.
    pub own_text: String,
    /// 名前.
    pub name: Option<Name>,
    /// 開始日.
    pub first: Option<Date>,
    /// 終了日, the last day.
    pub last: Option<Date>,
    /// 有効, or nothing said.
    pub active: bool,
    /// The line of the list.
    pub line: u64,
}

impl Member {
    /// A code of a list that was kept, once for each of its lines, so that doubles are found. None when the code is none.
    #[must_use]
    pub fn from_stored(
        code: &str,
        own_text: &str,
        (first, last): (Option<&str>, Option<&str>),
        active: bool,
        lines: &[u64],
    ) -> Vec<Self> {
        let Ok(code) = Code::new(code) else { return Vec::new() };
        let day = |text: Option<&str>| text.and_then(|text| text.parse().ok());
        let of_line = |line: &u64| Self {
            code: code.clone(),
            own_text: own_text.to_owned(),
            name: None,
            first: day(first),
            last: day(last),
            active,
            line: *line,
        };
        lines.iter().map(of_line).collect()
    }

    /// Whether a day lies between 開始日 and 終了日.
    #[must_use]
    pub fn is_there_on(&self, day: Date) -> bool {
        self.first.is_none_or(|first| first <= day) && self.last.is_none_or(|last| day <= last)
    }
}

/// The encoding of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// As the header line says. The mark of UTF-8 counts whatever is set.
    #[default]
    Auto,
    /// UTF-8.
    Utf8,
    /// Windows-31J, called Shift_JIS by most.
    Cp932,
}

/// How a list is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Format {
    /// The names of the columns.
    pub headers: Headers,
    /// The encoding.
    pub encoding: Encoding,
    /// What 有効／無効 says of a member who is there.
    pub active: Vec<String>,
    /// What it says of one who is not.
    pub inactive: Vec<String>,
    /// The most rows.
    pub most_rows: usize,
}

impl Default for Format {
    fn default() -> Self {
        Self {
            headers: Headers::default(),
            encoding: Encoding::Auto,
            active: vec!["有効".to_owned()],
            inactive: vec!["無効".to_owned()],
            most_rows: MOST_ROWS,
        }
    }
}

/// A list that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// When it was exported, as far as is known.
    pub made: Date,
    /// The members, in the order of the list.
    pub members: Vec<Member>,
    /// Rows that were not taken.
    pub faults: Vec<Fault>,
    /// Columns that the list does not have. Without 有効／無効 all members count as there.
    pub missing: Vec<Column>,
    /// The encoding that was found.
    pub encoding: Encoding,
}

/// What is wrong with a row. The value itself is not repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// The line; the header is line 1.
    pub line: u64,
    /// The column's name in the list; `None` when it is the row as such.
    pub column: Option<String>,
    /// What it is.
    pub kind: FaultKind,
}

told! {
    /// What is wrong with a row of the list.
    FaultKind {
        /// More or fewer cells than the header.
        CellCount = "cell_count", "列の数が見出し行と違います", "not as many cells as the header line";
        /// A quotation mark has no other half.
        OpenQuote = "open_quote", "引用符が閉じられていません", "a quotation mark is not closed";
        /// No 社員コード.
        NoCode = "no_code", "社員コードが空です", "the code is empty";
        /// No text in the encoding of the list.
        Encoding = "encoding", "文字コードがほかの行と違います", "not in the encoding of the list";
        /// No day of the calendar.
        Date = "date", "日付を読み取れません", "not a day of the calendar";
        /// 終了日 before 開始日.
        PeriodReversed = "period_reversed", "終了日が開始日より前です", "the last day is before the first";
        /// Neither 有効 nor 無効.
        Active = "active", "有効／無効を読み取れません", "neither active nor inactive";
    }
}

/// Why nothing of a list is taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is no CSV text.
    #[error("the file is no comma-separated text")]
    NotText,
    /// It has no rows.
    #[error("the file has no members")]
    Empty,
    /// There is no column of 社員コード.
    #[error("the file has no column {0}")]
    NoCodeColumn(String),
    /// A column that is read stands there twice.
    #[error("the file has the column {0} twice")]
    ColumnTwice(String),
    /// It has more rows than are taken.
    #[error("the file has more than {0} members")]
    TooManyRows(usize),
}
