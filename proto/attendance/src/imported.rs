//! 取込済み: what クラウドログ is known to hold after a person marked a file.
//!
//! Nothing tells whether a file was imported but the person who did it. Whoever marks a file says so of all its rows, or of all
//! but those whose numbers the import refused; the others stay pending and come with the next file.

use std::collections::BTreeSet;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::codes::Code;
use crate::files::{Content, FileRow};

/// Where a file stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It waits to be imported.
    Open,
    /// Somebody marked it.
    Imported,
    /// A newer file holds its rows.
    Superseded,
}

/// What a person says of a file that was imported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Marking {
    /// All rows were taken.
    #[default]
    All,
    /// All rows but these, by number; the header is row 1.
    AllBut(BTreeSet<u32>),
}

/// What クラウドログ is known to hold from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// 社員コード.
    pub code: Code,
    /// The day.
    pub day: Date,
    /// What it holds.
    pub content: Content,
}

/// What follows from a marking.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Rows that were taken.
    pub held: Vec<Held>,
    /// Days whose rows were refused. What クラウドログ held of them before it holds still.
    pub refused: Vec<(Code, Date)>,
}

/// Why a file can not be marked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MarkFault {
    /// A newer file holds its rows, maybe with other values.
    #[error("a newer file has taken the place of this one")]
    Superseded,
    /// It was marked already.
    #[error("the file is marked already")]
    AlreadyMarked,
    /// It has no rows with these numbers.
    #[error("the file has no rows with the numbers {0:?}")]
    NoSuchRows(Vec<u32>),
}

/// Takes a marking of a file.
///
/// # Errors
/// [`MarkFault`].
pub fn mark(standing: Standing, rows: &[FileRow], marking: &Marking) -> Result<Imported, MarkFault> {
    match standing {
        Standing::Open => {}
        Standing::Imported => return Err(MarkFault::AlreadyMarked),
        Standing::Superseded => return Err(MarkFault::Superseded),
    }
    let none = BTreeSet::new();
    let refused = match marking {
        Marking::All => &none,
        Marking::AllBut(numbers) => numbers,
    };
    let known: BTreeSet<u32> = rows.iter().map(|row| row.number).collect();
    let strange: Vec<u32> = refused.difference(&known).copied().collect();
    if !strange.is_empty() {
        return Err(MarkFault::NoSuchRows(strange));
    }
    let mut imported = Imported::default();
    for row in rows {
        if refused.contains(&row.number) {
            imported.refused.push((row.code.clone(), row.day));
        } else {
            imported.held.push(Held { code: row.code.clone(), day: row.day, content: row.content.clone() });
        }
    }
    Ok(imported)
}
