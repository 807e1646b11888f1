//! Which columns of the list are read.

use serde::{Deserialize, Serialize};

use super::Refusal;
use crate::codes::folded;

/// A column that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Column {
    /// 社員コード.
    Code,
    /// 名前.
    Name,
    /// 開始日.
    First,
    /// 終了日.
    Last,
    /// 有効／無効.
    Active,
}

impl Column {
    /// All that are read.
    pub const ALL: [Self; 5] = [Self::Code, Self::Name, Self::First, Self::Last, Self::Active];
}

/// What the columns are called. Width, case and blanks make no difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Headers {
    /// 社員コード.
    pub code: String,
    /// 名前.
    pub name: String,
    /// 開始日.
    pub first: String,
    /// 終了日.
    pub last: String,
    /// 有効／無効.
    pub active: String,
}

impl Default for Headers {
    fn default() -> Self {
        let [code, name, first, last, active] =
            ["社員コード", "名前", "開始日", "終了日", "有効／無効"].map(str::to_owned);
        Self { code, name, first, last, active }
    }
}

impl Headers {
    /// What a column is called.
    #[must_use]
    pub fn of(&self, column: Column) -> &str {
        match column {
            Column::Code => &self.code,
            Column::Name => &self.name,
            Column::First => &self.first,
            Column::Last => &self.last,
            Column::Active => &self.active,
        }
    }
}

/// Where the columns stand.
#[derive(Debug)]
pub(super) struct Places {
    /// Place and name of each column that is there.
    found: Vec<(Column, usize, String)>,
    /// How many cells a row has.
    pub(super) width: usize,
}

impl Places {
    pub(super) fn find(cells: &[String], headers: &Headers) -> Result<Self, Refusal> {
        let names: Vec<String> = cells.iter().map(|cell| folded(cell)).collect();
        let mut found = Vec::new();
        for column in Column::ALL {
            let wanted = folded(headers.of(column));
            let mut at = (0..).zip(&names).filter(|(_, name)| **name == wanted && !wanted.is_empty());
            if let Some((place, _)) = at.next() {
                let name = cells.get(place).map(|cell| cell.trim().to_owned()).unwrap_or_default();
                if at.next().is_some() {
                    return Err(Refusal::ColumnTwice(name));
                }
                found.push((column, place, name));
            } else if column == Column::Code {
                return Err(Refusal::NoCodeColumn(headers.of(column).to_owned()));
            }
        }
        Ok(Self { found, width: cells.len() })
    }

    pub(super) fn is_there(&self, column: Column) -> bool {
        self.of(column).is_some()
    }

    /// Place and name of a column.
    pub(super) fn of(&self, column: Column) -> Option<(usize, &str)> {
        self.found.iter().find(|(one, ..)| *one == column).map(|(_, place, name)| (*place, name.as_str()))
    }
}
