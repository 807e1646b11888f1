//! What KING OF TIME says of one person and date, as it is kept.

use std::collections::BTreeMap;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::reading::tolerant::{list, minutes, present, text, yes};

/// One punch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Punch {
    /// When, in ISO 8601; after midnight with the next calendar date.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// 1 in, 2 out, 3 break start, 4 break end, 7 going out, 8 coming back.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Leave for hours.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct HourHoliday {
    /// First minute, in ISO 8601.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The minute behind the last, in ISO 8601.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
}

/// What of one person's date matters: punches, the totals that say more than they do, and leave. It is what the book keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Row {
    /// In the source's order, which is not that of time.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub punches: Vec<Punch>,
    /// Breaks, the automatic ones counted in. In minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub break_minutes: Option<i32>,
    /// Work as the source counts it, rounded by its rules. In minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_minutes: Option<i32>,
    /// Whether the source marks the date as wrong.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_error: bool,
    /// Whether it is a full day of leave.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub full_day: bool,
    /// Names of half days of leave, such as `AM休`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub half_days: Vec<String>,
    /// Leave for hours.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hour_holidays: Vec<HourHoliday>,
}

/// Who, where the source was asked to say it. Names and all else are left unread.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Employee {
    #[serde(deserialize_with = "text")]
    code: Option<String>,
}

/// An item of the list of punches.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Punched {
    date: Date,
    employee_key: String,
    #[serde(default)]
    current_date_employee: Option<Employee>,
    #[serde(default, deserialize_with = "list")]
    time_record: Vec<Punch>,
}

/// An item of the list of totals, which has no clock times but those of leave.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    date: Date,
    employee_key: String,
    #[serde(default)]
    current_date_employee: Option<Employee>,
    #[serde(default, deserialize_with = "yes")]
    is_error: bool,
    #[serde(default, deserialize_with = "minutes")]
    break_time: Option<i32>,
    #[serde(default, deserialize_with = "minutes")]
    total_work: Option<i32>,
    #[serde(default)]
    holidays_obtained: Option<Holidays>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Holidays {
    #[serde(deserialize_with = "present")]
    fulltime_holiday: bool,
    #[serde(deserialize_with = "list")]
    halfday_holidays: Vec<HalfDay>,
    #[serde(deserialize_with = "list")]
    hour_holidays: Vec<HourHoliday>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct HalfDay {
    #[serde(deserialize_with = "text")]
    type_name: Option<String>,
}

/// What the two lists say of a slice of dates, by date and person.
///
/// Items may come in any order and may stand several times for one person: help at another division has an item of its own.
#[derive(Debug, Default)]
pub struct Slice {
    days: BTreeMap<(Date, String), Row>,
    codes: BTreeMap<String, String>,
}

impl Slice {
    /// Takes an item of the list of punches.
    pub fn punched(&mut self, item: Punched) {
        self.employee(&item.employee_key, item.current_date_employee);
        let punches = &mut self.days.entry((item.date, item.employee_key)).or_default().punches;
        for punch in item.time_record {
            if !punches.contains(&punch) {
                punches.push(punch);
            }
        }
    }

    /// Takes an item of the list of totals.
    pub fn totals(&mut self, item: Totals) {
        self.employee(&item.employee_key, item.current_date_employee);
        let row = self.days.entry((item.date, item.employee_key)).or_default();
        let sum = |one: Option<i32>, other: Option<i32>| match (one, other) {
            (Some(one), Some(other)) => Some(one.saturating_add(other)),
            (one, other) => one.or(other),
        };
        row.break_minutes = sum(row.break_minutes, item.break_time);
        row.total_minutes = sum(row.total_minutes, item.total_work);
        row.is_error |= item.is_error;
        let Some(holidays) = item.holidays_obtained else { return };
        row.full_day |= holidays.fulltime_holiday;
        // A half day that does not say which one is leave all the same.
        for half in holidays.halfday_holidays.into_iter().map(|half| half.type_name.unwrap_or_default()) {
            if !row.half_days.contains(&half) {
                row.half_days.push(half);
            }
        }
        for hours in holidays.hour_holidays {
            if !row.hour_holidays.contains(&hours) {
                row.hour_holidays.push(hours);
            }
        }
    }

    fn employee(&mut self, key: &str, employee: Option<Employee>) {
        if let Some(code) = employee.and_then(|employee| employee.code) {
            self.codes.insert(key.to_owned(), code);
        }
    }

    /// 従業員コード of a person, where the source was asked to say it.
    #[must_use]
    pub fn code(&self, key: &str) -> Option<&str> {
        self.codes.get(key).map(String::as_str)
    }

    /// The rows, by date and then by the source's unchanging key of the person.
    pub fn rows(&self) -> impl Iterator<Item = (Date, &str, &Row)> {
        self.days.iter().map(|((date, key), row)| (*date, key.as_str(), row))
    }
}
