//! Leave columns of a company's template. No public document says what they are, so there are none until somebody enters those
//! of the template that their クラウドログ offers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Encoding, HEADER};
use crate::day::Leave;

/// A column for leave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeaveColumn {
    /// Its name in the header.
    pub header: String,
    /// What stands in it for each kind of leave that it can tell.
    pub values: BTreeMap<Leave, String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    columns: Vec<LeaveColumn>,
    #[serde(default)]
    full_day_without_times: bool,
}

/// The leave columns of a template: at least one, each with a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct LeaveColumns {
    columns: Vec<LeaveColumn>,
    full_day_without_times: bool,
}

/// What is wrong with leave columns.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaveColumnsFault {
    /// There are none.
    #[error("there is no leave column")]
    None,
    /// A column has no name, or that of another one.
    #[error("the column {0:?} has no name of its own")]
    Header(String),
    /// A column has no value for any kind, or an empty one.
    #[error("the column {0:?} has no values")]
    Values(String),
}

impl LeaveColumns {
    /// Checks columns. `full_day_without_times`: whether the template takes 全休 with blank 出社 and 退社, which it otherwise
    /// needs in every row.
    ///
    /// # Errors
    /// [`LeaveColumnsFault`].
    pub fn new(columns: Vec<LeaveColumn>, full_day_without_times: bool) -> Result<Self, LeaveColumnsFault> {
        if columns.is_empty() {
            return Err(LeaveColumnsFault::None);
        }
        let mut known: BTreeSet<&str> = HEADER.into();
        for column in &columns {
            if column.header.trim().is_empty() || !known.insert(&column.header) {
                return Err(LeaveColumnsFault::Header(column.header.clone()));
            }
            if column.values.is_empty() || column.values.values().any(|value| value.trim().is_empty()) {
                return Err(LeaveColumnsFault::Values(column.header.clone()));
            }
        }
        Ok(Self { columns, full_day_without_times })
    }

    /// Whether a kind of leave can be told.
    #[must_use]
    pub fn can_tell(&self, leave: Leave) -> bool {
        self.columns.iter().any(|column| column.values.contains_key(&leave))
    }

    /// Whether a kind of leave can be told in a row without times.
    #[must_use]
    pub fn can_tell_without_times(&self, leave: Leave) -> bool {
        leave == Leave::FullDay && self.full_day_without_times && self.can_tell(leave)
    }

    /// What stands in the columns and does not exist in an encoding, if anything.
    #[must_use]
    pub fn foreign_to(&self, encoding: Encoding) -> Option<&str> {
        let texts = self
            .columns
            .iter()
            .flat_map(|column| std::iter::once(&column.header).chain(column.values.values()).map(String::as_str));
        texts.into_iter().find(|text| !encoding.has(text))
    }

    pub(super) fn headers(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.header.as_str())
    }

    /// What stands under which header for a kind of leave.
    pub(super) fn cells(&self, leave: Leave) -> BTreeMap<String, String> {
        let cells =
            self.columns.iter().filter_map(|column| Some((column.header.clone(), column.values.get(&leave)?.clone())));
        cells.collect()
    }
}

impl TryFrom<Unchecked> for LeaveColumns {
    type Error = LeaveColumnsFault;
    fn try_from(unchecked: Unchecked) -> Result<Self, LeaveColumnsFault> {
        Self::new(unchecked.columns, unchecked.full_day_without_times)
    }
}

impl From<LeaveColumns> for Unchecked {
    fn from(columns: LeaveColumns) -> Self {
        Self { columns: columns.columns, full_day_without_times: columns.full_day_without_times }
    }
}
