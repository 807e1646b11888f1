//! The switches of the company: what クラウドログ's screens offer, and what its manuals leave open with the assumed default.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::encoding::Encoding;
use super::timesheet::Leave;

/// What becomes of a time past midnight, `25:30`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastMidnight {
    /// It is taken, up to `47:59`.
    Accept,
    /// Its row is refused.
    Refuse,
}

/// What ends a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnds {
    /// CR and LF only.
    CrLf,
    /// Either of them, or both.
    Any,
}

/// What an import does to a protected day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProtectedDays {
    /// The row is refused.
    Refuse,
    /// The day is overwritten, for whoever imports is an administrator.
    Overwrite,
}

/// A column for leave in this company's template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaveColumn {
    /// Its name in the header.
    pub header: String,
    /// What may stand in it. A blank cell is no leave.
    pub values: BTreeMap<String, Leave>,
}

/// The switches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// 勤怠の使用.
    pub attendance_in_use: bool,
    /// 休暇の使用. While off, the template has no leave columns.
    pub leave_in_use: bool,
    /// 勤怠管理機能. While on, nothing is imported.
    pub attendance_management: bool,
    /// How a file is read.
    pub encoding: Encoding,
    /// What ends its lines.
    pub line_ends: LineEnds,
    /// The most rows of a file, without the header; 0 for no limit.
    pub most_rows: usize,
    /// Whether one bad row keeps all others out.
    pub all_or_nothing: bool,
    /// Times past midnight.
    pub past_midnight: PastMidnight,
    /// Whether a break outside of the working time, or over another break, makes its row bad.
    pub check_breaks: bool,
    /// Whether a row with neither 休憩詳細 nor 日報 leaves those of the day as they are. By the rules it empties them.
    pub blank_keeps: bool,
    /// The leave columns of the template.
    pub leave_columns: Vec<LeaveColumn>,
    /// Whether a full day's leave may come without 出社 and 退社.
    pub leave_without_hours: bool,
    /// Whether rows of members that are 無効 are refused.
    pub refuse_inactive: bool,
    /// Whether rows outside of 開始日 and 終了日 are refused.
    pub refuse_outside_period: bool,
    /// 締め管理: days up to this one, with it, are closed.
    pub closing_date: Option<Date>,
    /// What an import does to closed and applied days.
    pub protected_days: ProtectedDays,
    /// From how many minutes on attendance and work hours are marked as different.
    pub mismatch_minutes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            attendance_in_use: true,
            leave_in_use: true,
            attendance_management: false,
            encoding: Encoding::Utf8Bom,
            line_ends: LineEnds::CrLf,
            most_rows: 1_000,
            all_or_nothing: false,
            past_midnight: PastMidnight::Refuse,
            check_breaks: true,
            blank_keeps: false,
            leave_columns: Vec::new(),
            leave_without_hours: false,
            refuse_inactive: true,
            refuse_outside_period: true,
            closing_date: None,
            protected_days: ProtectedDays::Refuse,
            mismatch_minutes: 15,
        }
    }
}
