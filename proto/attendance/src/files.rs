//! Files for クラウドログ's import (ファイルの種類: 勤怠).
//!
//! A file is text with a header of exact names, CRLF, the mark of UTF-8, and `/` between breaks, so that no cell of it needs
//! quotes (rules 17 and 21 to 26 of the simulator). [`plan`] takes the rows that are pending and what is protected, and can not
//! be called before somebody has said what is closed.

mod archive;
mod leave;
mod row;
mod trial;

use std::collections::BTreeMap;
use std::fmt;

use encoding_rs::SHIFT_JIS;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use archive::archive;
pub use leave::{LeaveColumn, LeaveColumns, LeaveColumnsFault};
pub use row::{Content, NoRow, Row};
pub use trial::{Sample, TrialFault, trial};

use crate::codes::Code;
use crate::protection::{Fingerprint, Stated};

/// The columns that every file has, in the order of クラウドログ's own template.
pub const HEADER: [&str; 7] = ["社員コード", "年月日", "出社", "退社", "休憩詳細", "日報", "ステータス"];

/// The number of the first row; the header is row 1, as クラウドログ counts when it refuses rows.
const FIRST_ROW: u32 = 2;

/// What stands in ステータス.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// 0. A blank cell would mean 1 on a new day, and that a day is completed is for the member to say.
    #[default]
    Saved,
    /// 1.
    Completed,
    /// A blank cell: 1 on a new day, and what it was on others.
    Blank,
}

impl Status {
    fn cell(self) -> &'static str {
        match self {
            Self::Saved => "0",
            Self::Completed => "1",
            Self::Blank => "",
        }
    }
}

/// The encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8 with its mark.
    #[default]
    Utf8Bom,
    /// Windows-31J, called Shift_JIS on the import screen.
    Cp932,
}

impl Encoding {
    /// Whether it has every character of the text.
    #[must_use]
    pub fn has(self, text: &str) -> bool {
        self == Self::Utf8Bom || !SHIFT_JIS.encode(text).2
    }
}

/// How files are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Layout {
    /// The most rows of a file; 0 puts all into one.
    pub rows_per_file: u32,
    /// ステータス.
    pub status: Status,
    /// The encoding.
    pub encoding: Encoding,
    /// The leave columns of the company's template. `None`: it has none that are known.
    pub leave_columns: Option<LeaveColumns>,
}

impl Default for Layout {
    fn default() -> Self {
        Self { rows_per_file: 1_000, status: Status::Saved, encoding: Encoding::Utf8Bom, leave_columns: None }
    }
}

/// What files are called: `{date}_{link}_{nn}.csv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naming {
    /// The day on which they are made.
    pub made: Date,
    /// The link's id or name; what no file's name may hold is replaced.
    pub link: String,
    /// How many of the link were made on that day before: numbers go on after them, so that no two files of a day that somebody
    /// keeps in one folder have the same name.
    pub before: u32,
}

impl Naming {
    fn name(&self, end: &str) -> String {
        let safe = |c: char| if c.is_control() || "/\\:*?\"<>| ".contains(c) { '-' } else { c };
        let link: String = self.link.chars().map(safe).collect();
        format!("{}_{link}_{end}.csv", self.made)
    }
}

/// Which day a row of a file is about, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileRow {
    /// The number of the row; the header is 1.
    pub number: u32,
    /// 社員コード.
    pub code: Code,
    /// 年月日.
    pub day: Date,
    /// What クラウドログ holds once the row is imported.
    pub content: Content,
}

/// A file.
#[derive(Clone, PartialEq, Eq)]
pub struct File {
    /// Its name.
    pub name: String,
    /// Which of how many, from 1.
    pub part: u32,
    /// How many there are.
    pub parts: u32,
    /// Its rows, in order.
    pub rows: Vec<FileRow>,
    /// What was protected when it was made.
    pub protection: Fingerprint,
    /// The file itself.
    pub bytes: Vec<u8>,
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("File").field("name", &self.name).field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// A file can not be written.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// What has to stand in it does not exist in its encoding.
    #[error("{} codes can not be written in the encoding of the file", codes.len())]
    NotInEncoding {
        /// Whose rows.
        codes: Vec<Code>,
    },
    /// Writing the text failed.
    #[error("the file could not be written: {0}")]
    Csv(String),
    /// Writing the ZIP failed.
    #[error("the archive could not be written: {0}")]
    Zip(#[from] zip::result::ZipError),
}

/// What files of pending rows hold: by date and 社員コード, each day once, no protected one. The files are made one by one, so that
/// no more than one of a large company's has to be in memory.
pub struct Plan<'r> {
    rows: Vec<&'r Row>,
    layout: &'r Layout,
    naming: &'r Naming,
    protection: Stated,
    parts: u32,
    width: usize,
    /// Days that were left out because they are protected.
    pub protected: Vec<(Code, Date)>,
}

/// Plans the files of the rows that are pending.
#[must_use]
pub fn plan<'r>(
    rows: impl IntoIterator<Item = &'r Row>,
    layout: &'r Layout,
    naming: &'r Naming,
    protection: Stated,
) -> Plan<'r> {
    let mut protected = Vec::new();
    let mut pending: BTreeMap<(Date, &Code), &Row> = BTreeMap::new();
    for row in rows {
        if protection.in_force().is_protected(row.code(), row.day()) {
            protected.push((row.code().clone(), row.day()));
        } else {
            pending.insert((row.day(), row.code()), row);
        }
    }
    protected.sort_unstable();
    let rows: Vec<&Row> = pending.into_values().collect();
    let parts = u32::try_from(rows.len().div_ceil(most(layout))).unwrap_or(u32::MAX);
    // All names of one plan are equally long, so that they stand in order wherever they are listed.
    let width = parts.saturating_add(naming.before).to_string().len().max(2);
    Plan { rows, layout, naming, protection, parts, width, protected }
}

fn most(layout: &Layout) -> usize {
    match usize::try_from(layout.rows_per_file) {
        Ok(0) | Err(_) => usize::MAX,
        Ok(most) => most,
    }
}

impl Plan<'_> {
    /// How many files there are.
    #[must_use]
    pub fn parts(&self) -> u32 {
        self.parts
    }

    /// The files, each made when it is asked for.
    ///
    /// # Errors
    /// [`FileFault`] when the text or the encoding does not allow it.
    pub fn files(&self) -> impl Iterator<Item = Result<File, FileFault>> + '_ {
        (1..).zip(self.rows.chunks(most(self.layout))).map(|(part, rows)| {
            let number = self.naming.before.saturating_add(part);
            let name = self.naming.name(&format!("{number:0width$}", width = self.width));
            file(name, (part, self.parts), rows, self.layout, &self.protection)
        })
    }
}

fn file(
    name: String,
    (part, parts): (u32, u32),
    rows: &[&Row],
    layout: &Layout,
    protection: &Stated,
) -> Result<File, FileFault> {
    let bytes = encoded(&text(rows, layout)?, rows, layout.encoding)?;
    let rows = (FIRST_ROW..).zip(rows).map(|(number, row)| FileRow {
        number,
        code: row.code().clone(),
        day: row.day(),
        content: row.content().clone(),
    });
    Ok(File { name, part, parts, rows: rows.collect(), protection: protection.in_force().fingerprint(), bytes })
}

fn text(rows: &[&Row], layout: &Layout) -> Result<String, FileFault> {
    let fault = |error: &dyn fmt::Display| FileFault::Csv(error.to_string());
    let mut csv = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let leave: Vec<&str> = layout.leave_columns.iter().flat_map(LeaveColumns::headers).collect();
    csv.write_record(HEADER.iter().chain(&leave)).map_err(|error| fault(&error))?;
    for row in rows {
        csv.write_record(cells(row, &leave, layout.status)).map_err(|error| fault(&error))?;
    }
    let bytes = csv.into_inner().map_err(|error| fault(&error))?;
    String::from_utf8(bytes).map_err(|error| fault(&error))
}

/// The cells of a row under the header.
fn cells(row: &Row, leave: &[&str], status: Status) -> Vec<String> {
    let mut cells = vec![
        row.own_text().to_owned(),
        row.day().to_string(),
        row.start().to_owned(),
        row.end().to_owned(),
        row.breaks().to_owned(),
        // 日報 is the member's own.
        String::new(),
        status.cell().to_owned(),
    ];
    cells.extend(leave.iter().map(|header| row.leave_cell(header).to_owned()));
    cells
}

fn encoded(text: &str, rows: &[&Row], encoding: Encoding) -> Result<Vec<u8>, FileFault> {
    match encoding {
        Encoding::Utf8Bom => Ok(format!("\u{feff}{text}").into_bytes()),
        Encoding::Cp932 => match SHIFT_JIS.encode(text) {
            (bytes, _, false) => Ok(bytes.into_owned()),
            _ => {
                let foreign = |row: &&&Row| !encoding.has(row.own_text());
                Err(FileFault::NotInEncoding {
                    codes: rows.iter().filter(foreign).map(|row| row.code().clone()).collect(),
                })
            }
        },
    }
}
