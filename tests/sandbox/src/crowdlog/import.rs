//! The import of an attendance file.

use std::collections::BTreeSet;

use jiff::civil::Date;

use super::company::CrowdLog;
use super::result::{ImportResult, Reason, RowError, RowResult};
use super::settings::{PastMidnight, ProtectedDays, Settings};
use super::table::Table;
use super::timesheet::{Attendance, DAY, Day, Hours, Leave, Minutes, Status};

/// The last minute that can be written, `47:59`.
const LAST: Minutes = 2 * DAY - 1;

/// A row that can be stored.
struct Good {
    member: usize,
    date: Date,
    attendance: Attendance,
}

impl CrowdLog {
    /// The rows of a file; those that are good are stored, in order, so that the last one of a day stands.
    pub(super) fn take(&mut self, table: &Table) -> ImportResult {
        let mut result = ImportResult::default();
        let mut good = Vec::new();
        for (place, row) in table.rows.iter().enumerate() {
            let code = table.cell(row, "社員コード").unwrap_or_default().to_owned();
            let date = table.cell(row, "年月日").and_then(date);
            let protected = self.is_protected(&code, date);
            let read = self.read(table, row);
            let error = match read {
                Ok(row) => {
                    good.push(row);
                    None
                }
                Err(error) => Some(error),
            };
            result.rows.push(RowResult { row: place + 2, code, date, error, protected });
        }
        if self.settings().all_or_nothing && good.len() < result.rows.len() {
            for row in result.rows.iter_mut().filter(|row| row.error.is_none()) {
                row.error = Some(RowError { column: None, reason: Reason::OtherRows });
            }
            return result;
        }
        for Good { member, date, attendance } in good {
            let day = self.day_mut(member, date);
            day.attendance = Some(attendance);
            day.imports += 1;
        }
        result
    }

    fn is_protected(&self, code: &str, date: Option<Date>) -> bool {
        let (Ok(member), Some(date)) = (self.matching(code), date) else { return false };
        self.is_closed(date) || self.day(member, date).is_some_and(|day| day.applied)
    }

    fn read(&self, table: &Table, row: &csv::StringRecord) -> Result<Good, RowError> {
        let settings = self.settings();
        if row.len() != table.width() {
            return Err(RowError { column: None, reason: Reason::NumberOfCells });
        }
        let cell = |header: &'static str| table.cell(row, header).unwrap_or_default();
        let code = needed(cell("社員コード")).map_err(at("社員コード"))?;
        let member = self.matching(code).map_err(at("社員コード"))?;
        let date = needed(cell("年月日")).and_then(|text| date(text).ok_or(Reason::Date)).map_err(at("年月日"))?;
        let of = self.member(member).ok_or(Reason::UnknownCode).map_err(at("社員コード"))?;
        if settings.refuse_inactive && !of.active {
            return Err(at("社員コード")(Reason::Inactive));
        }
        if settings.refuse_outside_period && !of.is_there_on(date) {
            return Err(at("年月日")(Reason::OutsidePeriod));
        }
        let known = self.day(member, date);
        if settings.protected_days == ProtectedDays::Refuse {
            if self.is_closed(date) {
                return Err(at("年月日")(Reason::Closed));
            }
            if known.is_some_and(|day| day.applied) {
                return Err(at("年月日")(Reason::Applied));
            }
        }
        let leave = leave(table, row, settings)?;
        let hours = hours(cell("出社"), cell("退社"), settings, leave.contains(&Leave::FullDay))?;
        let stored = known.and_then(|day| day.attendance.as_ref());
        let breaks = match (cell("休憩詳細"), stored) {
            ("", Some(stored)) if settings.blank_keeps => stored.breaks.clone(),
            (text, _) => breaks(text, hours, settings).map_err(at("休憩詳細"))?,
        };
        let report = match (cell("日報"), stored) {
            ("", Some(stored)) if settings.blank_keeps => stored.report.clone(),
            (text, _) => text.to_owned(),
        };
        let status = status(cell("ステータス"), stored).ok_or(Reason::Status).map_err(at("ステータス"))?;
        let attendance = Attendance { hours, breaks, report, status, leave };
        if attendance.worked() > u32::from(DAY) {
            return Err(at("退社")(Reason::TooLong));
        }
        Ok(Good { member, date, attendance })
    }

    fn is_closed(&self, date: Date) -> bool {
        self.settings().closing_date.is_some_and(|closed| date <= closed)
    }
}

fn at(column: &str) -> impl Fn(Reason) -> RowError {
    move |reason| RowError { column: Some(column.to_owned()), reason }
}

fn needed(text: &str) -> Result<&str, Reason> {
    if text.is_empty() { Err(Reason::Missing) } else { Ok(text) }
}

/// `yyyy-mm-dd` or `yyyy/mm/dd`, a day of the calendar.
fn date(text: &str) -> Option<Date> {
    let mark = text.get(4..5).filter(|mark| matches!(*mark, "-" | "/"))?;
    let parts: Vec<&str> = text.split(mark).collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}

/// `HH:mm`, two digits each.
fn time(text: &str, settings: &Settings) -> Result<Minutes, Reason> {
    let two = |text: &str| match text.as_bytes() {
        [tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(u16::from(tens - b'0') * 10 + u16::from(ones - b'0')),
        _ => None,
    };
    let (hours, minutes) = text.split_once(':').ok_or(Reason::Time)?;
    let (hours, minutes) = (two(hours).ok_or(Reason::Time)?, two(minutes).ok_or(Reason::Time)?);
    let time = hours * 60 + minutes;
    if minutes > 59 || time > LAST {
        return Err(Reason::Time);
    }
    if time >= DAY && settings.past_midnight == PastMidnight::Refuse {
        return Err(Reason::PastMidnight);
    }
    Ok(time)
}

fn hours(start: &str, end: &str, settings: &Settings, full_day: bool) -> Result<Option<Hours>, RowError> {
    if start.is_empty() && end.is_empty() && full_day && settings.leave_without_hours {
        return Ok(None);
    }
    let start = needed(start).and_then(|text| time(text, settings)).map_err(at("出社"))?;
    let end = needed(end).and_then(|text| time(text, settings)).map_err(at("退社"))?;
    if end < start {
        return Err(at("退社")(Reason::EndBeforeStart));
    }
    Ok(Some(Hours { start, end }))
}

/// `11:45-12:30/15:00-15:10`, parted by `/` or `,`.
fn breaks(text: &str, hours: Option<Hours>, settings: &Settings) -> Result<Vec<Hours>, Reason> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut breaks: Vec<Hours> = Vec::new();
    for part in text.split(['/', ',']) {
        let (from, to) = part.split_once('-').ok_or(Reason::Breaks)?;
        let unread = |reason| if reason == Reason::PastMidnight { reason } else { Reason::Breaks };
        let start = time(from, settings).map_err(unread)?;
        let end = time(to, settings).map_err(unread)?;
        if end <= start {
            return Err(Reason::Breaks);
        }
        let inside = hours.is_some_and(|hours| hours.start <= start && end <= hours.end);
        if settings.check_breaks && !inside {
            return Err(Reason::BreakOutside);
        }
        if settings.check_breaks && breaks.iter().any(|other| start < other.end && other.start < end) {
            return Err(Reason::BreaksOverlap);
        }
        breaks.push(Hours { start, end });
    }
    Ok(breaks)
}

/// 0 or 1; blank keeps what is stored and is 1 on a new day.
fn status(text: &str, stored: Option<&Attendance>) -> Option<Status> {
    match text {
        "0" => Some(Status::Saved),
        "1" => Some(Status::Completed),
        "" => Some(stored.map_or(Status::Completed, |stored| stored.status)),
        _ => None,
    }
}

fn leave(table: &Table, row: &csv::StringRecord, settings: &Settings) -> Result<BTreeSet<Leave>, RowError> {
    let mut leave = BTreeSet::new();
    for column in &settings.leave_columns {
        match table.cell(row, &column.header) {
            None | Some("") => {}
            Some(text) => {
                let kind = column.values.get(text).ok_or(Reason::Leave).map_err(at(&column.header))?;
                leave.insert(*kind);
            }
        }
    }
    Ok(leave)
}

impl Day {
    /// Whether there is anything to show but the initial values.
    pub(super) fn is_empty(&self) -> bool {
        self.attendance.is_none() && self.work_minutes == 0 && !self.applied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_have_two_forms() {
        for (text, good) in [
            ("2026-04-06", true),
            ("2026/04/06", true),
            ("2024-02-29", true),
            ("2026-02-29", false),
            ("2026/4/6", false),
            ("2026-04/06", false),
            ("20260406", false),
            ("26-04-06", false),
            ("2026-04-06 ", false),
            ("２０２６-04-06", false),
            ("令和8年4月6日", false),
            ("", false),
        ] {
            assert_eq!(date(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn times_have_one_form() {
        let mut settings = Settings::default();
        for (text, refusing, accepting) in [
            ("00:00", Ok(0), Ok(0)),
            ("23:59", Ok(1_439), Ok(1_439)),
            ("24:00", Err(Reason::PastMidnight), Ok(1_440)),
            ("47:59", Err(Reason::PastMidnight), Ok(2_879)),
            ("48:00", Err(Reason::Time), Err(Reason::Time)),
            ("9:05", Err(Reason::Time), Err(Reason::Time)),
            ("09:60", Err(Reason::Time), Err(Reason::Time)),
            ("09:05:00", Err(Reason::Time), Err(Reason::Time)),
            ("0905", Err(Reason::Time), Err(Reason::Time)),
            ("-1:00", Err(Reason::Time), Err(Reason::Time)),
            ("", Err(Reason::Time), Err(Reason::Time)),
        ] {
            settings.past_midnight = PastMidnight::Refuse;
            assert_eq!(time(text, &settings), refusing, "{text}");
            settings.past_midnight = PastMidnight::Accept;
            assert_eq!(time(text, &settings), accepting, "{text}");
        }
    }

    #[test]
    fn breaks_are_parted_by_slash_or_comma_and_lie_inside_side_by_side() {
        let day = Some(Hours { start: 540, end: 1_080 });
        let mut settings = Settings::default();
        for (text, checked, unchecked) in [
            ("", Ok(0), Ok(0)),
            ("12:00-13:00", Ok(1), Ok(1)),
            ("11:45-12:30/15:00-15:10", Ok(2), Ok(2)),
            ("11:45-12:30,15:00-15:10", Ok(2), Ok(2)),
            ("12:00-13:00/13:00-13:30", Ok(2), Ok(2)),
            ("09:00-18:00", Ok(1), Ok(1)),
            ("08:59-10:00", Err(Reason::BreakOutside), Ok(1)),
            ("17:00-18:01", Err(Reason::BreakOutside), Ok(1)),
            ("12:00-13:00/12:59-13:30", Err(Reason::BreaksOverlap), Ok(2)),
            ("12:00-12:00", Err(Reason::Breaks), Err(Reason::Breaks)),
            ("13:00-12:00", Err(Reason::Breaks), Err(Reason::Breaks)),
            ("12:00-13:00/", Err(Reason::Breaks), Err(Reason::Breaks)),
            ("12:00〜13:00", Err(Reason::Breaks), Err(Reason::Breaks)),
            ("60", Err(Reason::Breaks), Err(Reason::Breaks)),
            ("23:00-25:00", Err(Reason::PastMidnight), Err(Reason::PastMidnight)),
        ] {
            settings.check_breaks = true;
            assert_eq!(breaks(text, day, &settings).map(|breaks| breaks.len()), checked, "{text}");
            settings.check_breaks = false;
            assert_eq!(breaks(text, day, &settings).map(|breaks| breaks.len()), unchecked, "{text}");
        }
    }
}
