//! A row of a file: one day of one member, replaced as a whole by the import.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::leave::LeaveColumns;
use crate::breaks::{self, BreakMode};
use crate::codes::Code;
use crate::day::{Day, Minutes, Span};
use crate::members::Member;

/// Keyed hash of what a row says of whom: times, breaks and leave, not ステータス. Equal for two rows only when the import of
/// either leaves クラウドログ the same.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(String);

impl Content {
    /// One that was kept.
    #[must_use]
    pub fn from_stored(text: String) -> Self {
        Self(text)
    }

    /// The text to keep.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a day makes no row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRow {
    /// A time before the work date, which has no form in the file.
    #[error("the day begins before its date")]
    BeforeMidnight,
    /// There are no times, and the template can not do without.
    #[error("the day has no times")]
    WithoutTimes,
}

/// A row that can be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    code: Code,
    own_text: String,
    day: Date,
    /// 出社 and 退社; blank on a full day's leave.
    times: Option<(String, String)>,
    breaks: String,
    past_midnight: bool,
    leave_cells: BTreeMap<String, String>,
    content: Content,
}

impl Row {
    /// The row of a member's day. Leave that the template can not tell is left out, but is part of the content: when it
    /// changes, the row has to be imported again, which takes away what somebody typed. `keyed` makes a keyed hash.
    ///
    /// # Errors
    /// [`NoRow`].
    pub fn new(
        member: &Member,
        day: Date,
        told: &Day,
        mode: BreakMode,
        leave_columns: Option<&LeaveColumns>,
        keyed: impl Fn(&[u8]) -> String,
    ) -> Result<Self, NoRow> {
        let leave_cells = match (told.leave, leave_columns) {
            (Some(leave), Some(columns)) => columns.cells(leave),
            _ => BTreeMap::new(),
        };
        let without_times = |leave| leave_columns.is_some_and(|columns| columns.can_tell_without_times(leave));
        let (times, breaks) = match told.work {
            Some(work) => {
                let breaks = breaks::as_wanted(mode, work, &breaks::inside(work, &told.breaks));
                let breaks: Result<Vec<String>, NoRow> = breaks.into_iter().map(between).collect();
                (Some((clock(work.from)?, clock(work.to)?)), breaks?.join("/"))
            }
            None if told.leave.is_some_and(without_times) => (None, String::new()),
            None => return Err(NoRow::WithoutTimes),
        };
        let code = member.code.clone();
        let said = (&code, day, &times, &breaks, told.leave, &leave_cells);
        // These are texts, numbers and lists of them, which always have a form.
        let content = Content(keyed(&serde_json::to_vec(&said).unwrap_or_default()));
        let own_text = member.own_text.clone();
        Ok(Self { code, own_text, day, times, breaks, past_midnight: told.past_midnight(), leave_cells, content })
    }

    /// 社員コード.
    #[must_use]
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The code as クラウドログ writes it.
    #[must_use]
    pub fn own_text(&self) -> &str {
        &self.own_text
    }

    /// 年月日.
    #[must_use]
    pub fn day(&self) -> Date {
        self.day
    }

    /// 出社.
    #[must_use]
    pub fn start(&self) -> &str {
        self.times.as_ref().map_or("", |(start, _)| start)
    }

    /// 退社.
    #[must_use]
    pub fn end(&self) -> &str {
        self.times.as_ref().map_or("", |(_, end)| end)
    }

    /// 休憩詳細.
    #[must_use]
    pub fn breaks(&self) -> &str {
        &self.breaks
    }

    /// What stands in a leave column.
    #[must_use]
    pub fn leave_cell(&self, header: &str) -> &str {
        self.leave_cells.get(header).map_or("", String::as_str)
    }

    /// Whether it has a time from 24:00 on.
    #[must_use]
    pub fn is_past_midnight(&self) -> bool {
        self.past_midnight
    }

    /// What クラウドログ holds once it is imported.
    #[must_use]
    pub fn content(&self) -> &Content {
        &self.content
    }
}

fn clock(minutes: Minutes) -> Result<String, NoRow> {
    minutes.hh_mm().ok_or(NoRow::BeforeMidnight)
}

/// `12:10-13:05`.
fn between(span: Span) -> Result<String, NoRow> {
    Ok(format!("{}-{}", clock(span.from)?, clock(span.to)?))
}
