//! 連携対象者: whether a record is one of those that an administrator wants sent.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use renkei_events::record::{EmployeeRecord, EmployeeStatus};
use renkei_runtime::clock::Millis;
use renkei_store::settings::{Filter, HireDate};

/// Nine hours: Japan has no summer time.
const TOKYO: i64 = 9 * 3_600_000;
const DAY: i64 = 86_400_000;

/// Today in Asia/Tokyo.
#[must_use]
pub fn today(now: Millis) -> Date {
    let tokyo = Timestamp::from_millisecond(now.0.saturating_add(TOKYO)).unwrap_or(Timestamp::UNIX_EPOCH);
    tokyo.to_zoned(TimeZone::UTC).date()
}

/// The next 00:00 in Asia/Tokyo after `now`.
#[must_use]
pub fn next_midnight(now: Millis) -> Millis {
    Millis((now.0 + TOKYO).div_euclid(DAY) * DAY - TOKYO + DAY)
}

/// Whether `record` meets every condition of `filter` on the day `today`. A missing value never meets a condition.
#[must_use]
pub fn passes(record: &EmployeeRecord, filter: &Filter, today: Date) -> bool {
    status_passes(record, filter) && passes_but_status(record, filter, today)
}

/// The same without the condition on the status: for people who just became 退職.
#[must_use]
pub fn passes_but_status(record: &EmployeeRecord, filter: &Filter, today: Date) -> bool {
    let department = record.department.as_ref().and_then(|department| department.code.as_deref());
    let number = record.employee_number.as_ref().map(|number| number.as_str());
    any_of(&filter.employment_types, record.employment_type.as_deref())
        && any_of(&filter.departments, department)
        && any_of(&filter.employee_numbers, number)
        && hired(record.hire_date, &filter.hire_date, today)
}

fn status_passes(record: &EmployeeRecord, filter: &Filter) -> bool {
    // People choose by the words of the source or by code; both mean the same status.
    let wanted = |text: &String| EmployeeStatus::from(text.clone()) == record.employee_status;
    filter.statuses.is_empty() || filter.statuses.iter().any(wanted)
}

fn any_of(wanted: &BTreeSet<String>, value: Option<&str>) -> bool {
    wanted.is_empty() || value.is_some_and(|value| wanted.contains(value))
}

fn hired(date: Option<Date>, conditions: &HireDate, today: Date) -> bool {
    let HireDate { on_or_after, on_or_before, within } = conditions;
    if on_or_after.is_none() && on_or_before.is_none() && within.is_none() {
        return true;
    }
    let within = within.map(|within| {
        let days = |count: u32| Span::new().days(i64::from(count.min(36_500)));
        let from = today.checked_sub(days(within.days_before)).unwrap_or(Date::MIN);
        let to = today.checked_add(days(within.days_after)).unwrap_or(Date::MAX);
        from..=to
    });
    date.is_some_and(|date| {
        on_or_after.is_none_or(|from| date >= from)
            && on_or_before.is_none_or(|to| date <= to)
            && within.is_none_or(|days| days.contains(&date))
    })
}
