//! What a file has to look like (C2, C12, C17, C21 to C26).

use std::collections::BTreeMap;

use super::desk::{DAY, Desk, HEADER, Row, file, hours, lines, marked, text};
use crate::crowdlog::{Encoding, FileError, Leave, LeaveColumn, Reason, Settings, Status};
use crate::rules::{Shown, ensure};

/// A good row of a member on the day.
fn row() -> Row {
    Row::new("P1004", DAY)
}

pub(super) fn imports_without_asking() -> Shown {
    let mut desk = Desk::open();
    desk.crowdlog.settings_mut().attendance_in_use = false;
    desk.refused_file(&file(&[row()]), &FileError::AttendanceNotInUse)?;
    let mut desk = Desk::open();
    desk.crowdlog.settings_mut().attendance_management = true;
    desk.refused_file(&file(&[row()]), &FileError::AttendanceManagement)?;
    let mut desk = with_leave();
    desk.crowdlog.settings_mut().leave_in_use = false;
    desk.refused_file(&marked(&leave_file("全休")), &FileError::UnknownHeader("休暇".to_owned()))
}

pub(super) fn asks_for_the_switches() -> Shown {
    let mut desk = with_leave();
    desk.stored(&[row()])?;
    ensure!(desk.import(&marked(&leave_file("午前休"))).is_clean(), "leave was refused");
    Ok(())
}

pub(super) fn imports_an_old_file_last() -> Shown {
    let mut desk = Desk::open();
    let old = file(&[row().hours("09:00", "18:00", "")]);
    desk.stored(&[row().hours("09:00", "20:00", "")])?;
    ensure!(desk.import(&old).is_clean(), "refused");
    ensure!(desk.day("P1004") == Some((hours(540, 1_080), vec![])), "the newer value stands");
    Ok(())
}

pub(super) fn imports_the_newest_only() -> Shown {
    let mut desk = Desk::open();
    // Two rows of one day in one file: the later one counts as well.
    desk.stored(&[row().hours("09:00", "18:00", ""), row().hours("09:00", "20:00", "")])?;
    ensure!(desk.day("P1004") == Some((hours(540, 1_200), vec![])), "the older value stands");
    Ok(())
}

pub(super) fn sends_what_it_likes() -> Shown {
    let mut desk = Desk::open();
    let good = "P1004,2026-04-06,09:05,18:20,,,0";
    let with_header = |header: &str| marked(&lines([header.to_owned(), good.to_owned()].into_iter()));
    for (header, error) in [
        ("社員番号,年月日,出社,退社,休憩詳細,日報,ステータス", FileError::UnknownHeader("社員番号".to_owned())),
        ("社員コード,年月日,出勤,退社,休憩詳細,日報,ステータス", FileError::UnknownHeader("出勤".to_owned())),
        ("社員コード,年月日,出社, 退社,休憩詳細,日報,ステータス", FileError::UnknownHeader(" 退社".to_owned())),
        ("社員コード,年月日,出社,退社,休憩,日報,ステータス", FileError::UnknownHeader("休憩".to_owned())),
        ("社員コード,年月日,出社,出社,休憩詳細,日報,ステータス", FileError::RepeatedHeader("出社".to_owned())),
        ("社員コード,年月日,出社,休憩詳細,日報,ステータス", FileError::MissingHeader("退社")),
        (good, FileError::UnknownHeader("P1004".to_owned())),
    ] {
        desk.refused_file(&with_header(header), &error)?;
    }
    desk.refused_file(&marked(""), &FileError::NoHeader)?;
    let change = |change: fn(&mut Row)| {
        let mut row = row();
        change(&mut row);
        row
    };
    for (row, reason) in [
        (change(|row| row.code = "P9999".to_owned()), Reason::UnknownCode),
        (change(|row| row.code.clear()), Reason::Missing),
        (change(|row| row.date = "2026/4/6".to_owned()), Reason::Date),
        (change(|row| row.date = "2026-02-30".to_owned()), Reason::Date),
        (change(|row| row.date.clear()), Reason::Missing),
        (change(|row| row.start = "9:05".to_owned()), Reason::Time),
        (change(|row| row.start.clear()), Reason::Missing),
        (change(|row| row.end.clear()), Reason::Missing),
        (change(|row| row.end = "08:00".to_owned()), Reason::EndBeforeStart),
        (change(|row| row.breaks = "60".to_owned()), Reason::Breaks),
        (change(|row| row.breaks = "08:00-10:00".to_owned()), Reason::BreakOutside),
        (change(|row| row.breaks = "12:00-13:00/12:30-14:00".to_owned()), Reason::BreaksOverlap),
    ] {
        desk.refused(row, reason)?;
    }
    let finished = text(&[row()]).replace(",,0\r\n", ",,2\r\n");
    ensure!(desk.import(&marked(&finished)).reason(2) == Some(Reason::Status), "a status of 2 was taken");
    ensure!(desk.crowdlog.timesheets().is_empty(), "something was stored");
    Ok(())
}

pub(super) fn sends_the_template() -> Shown {
    let mut desk = Desk::open();
    desk.stored(&[row()])?;
    ensure!(
        desk.day("P1004") == Some((hours(545, 1_100), vec![hours(730, 785), hours(930, 940)])),
        "stored {:?}",
        desk.day("P1004")
    );
    let status = |desk: &Desk| desk.crowdlog.stored("P1004", DAY).map(|day| day.status);
    ensure!(status(&desk) == Some(Status::Saved), "not saved");
    // Any order, the other form of a date, and no more columns than are needed.
    let short = "退社,出社,社員コード,年月日\r\n18:00,09:00,P1004,2026/04/06\r\n18:00,09:00,P1005,2026/04/06\r\n";
    ensure!(desk.import(&marked(short)).is_clean(), "refused");
    ensure!(desk.day("P1004") == Some((hours(540, 1_080), vec![])), "stored {:?}", desk.day("P1004"));
    ensure!(status(&desk) == Some(Status::Saved), "the status changed");
    let new = desk.crowdlog.stored("P1005", DAY).map(|day| day.status);
    ensure!(new == Some(Status::Completed), "a new day is {new:?}");
    Ok(())
}

pub(super) fn forgets_the_mark() -> Shown {
    let mut desk = Desk::open();
    let result = desk.import(text(&[row()]).as_bytes());
    ensure!(
        matches!(result.header_error, Some(FileError::Encoding | FileError::UnknownHeader(_))),
        "taken: {result:?}"
    );
    desk.crowdlog.settings_mut().encoding = Encoding::ShiftJis;
    let result = desk.import(&file(&[row()]));
    ensure!(
        matches!(result.header_error, Some(FileError::Encoding | FileError::UnknownHeader(_))),
        "taken: {result:?}"
    );
    Ok(())
}

pub(super) fn sets_the_mark() -> Shown {
    let mut desk = Desk::open();
    desk.stored(&[row()])?;
    desk.crowdlog.settings_mut().encoding = Encoding::ShiftJis;
    let text = text(&[row()]);
    let (bytes, _, unmappable) = encoding_rs::SHIFT_JIS.encode(&text);
    ensure!(!unmappable && desk.import(&bytes).is_clean(), "Shift_JIS was refused");
    Ok(())
}

pub(super) fn ends_lines_with_lf() -> Shown {
    let mut desk = Desk::open();
    desk.refused_file(&marked(&text(&[row()]).replace("\r\n", "\n")), &FileError::LineEnds)
}

pub(super) fn ends_lines_with_both() -> Shown {
    let mut desk = Desk::open();
    desk.stored(&[row()])?;
    // What stands in quotes is the cell's own.
    let report = text(&[row()]).replace(",,0\r\n", ",\"一行目\n二行目\",0\r\n");
    ensure!(desk.import(&marked(&report)).is_clean(), "a report of two lines was refused");
    Ok(())
}

pub(super) fn parts_breaks_by_commas() -> Shown {
    let mut desk = Desk::open();
    desk.refused(row().hours("09:00", "18:00", "12:00-13:00,15:00-15:10"), Reason::NumberOfCells)
}

pub(super) fn parts_breaks_by_slashes() -> Shown {
    let mut desk = Desk::open();
    for breaks in ["12:00-13:00/15:00-15:10", "\"12:00-13:00,15:00-15:10\""] {
        desk.stored(&[row().hours("09:00", "18:00", breaks)])?;
        let stored = desk.day("P1004").map(|(_, breaks)| breaks);
        ensure!(stored == Some(vec![hours(720, 780), hours(900, 910)]), "{breaks}: {stored:?}");
    }
    Ok(())
}

/// A row for each of `days` days.
fn many(days: usize) -> Result<Vec<Row>, String> {
    let dates = DAY.series(jiff::Span::new().days(1)).take(days);
    let rows: Vec<Row> = dates.map(|date| Row::new("P1004", date)).collect();
    ensure!(rows.len() == days, "the calendar ends");
    Ok(rows)
}

pub(super) fn sends_all_in_one() -> Shown {
    let mut desk = Desk::open();
    desk.refused_file(&file(&many(1_001)?), &FileError::TooManyRows { rows: 1_001, most: 1_000 })
}

pub(super) fn splits_the_rows() -> Shown {
    let mut desk = Desk::open();
    for part in many(1_001)?.chunks(1_000) {
        desk.stored(part)?;
    }
    ensure!(desk.crowdlog.timesheets().len() == 1_001, "not all");
    Ok(())
}

/// A company whose template has a column 休暇.
fn with_leave() -> Desk {
    let mut desk = Desk::open();
    let values = [("全休", Leave::FullDay), ("午前休", Leave::Morning), ("午後休", Leave::Afternoon)];
    let values: BTreeMap<_, _> = values.map(|(text, leave)| (text.to_owned(), leave)).into();
    desk.crowdlog.settings_mut().leave_columns = vec![LeaveColumn { header: "休暇".to_owned(), values }];
    desk
}

fn leave_file(value: &str) -> String {
    lines([format!("{HEADER},休暇"), format!("P1004,2026-04-06,13:00,18:00,,,0,{value}")].into_iter())
}

pub(super) fn invents_leave_columns() -> Shown {
    let mut desk = Desk::open();
    desk.refused_file(&marked(&leave_file("午前休")), &FileError::UnknownHeader("休暇".to_owned()))?;
    let mut desk = with_leave();
    ensure!(desk.import(&marked(&leave_file("有休"))).reason(2) == Some(Reason::Leave), "有休 was taken");
    // A full day has no times, and rows without times are refused.
    let full = leave_file("全休").replace("13:00,18:00", ",");
    ensure!(desk.import(&marked(&full)).reason(2) == Some(Reason::Missing), "a row without times was taken");
    Ok(())
}

pub(super) fn uses_the_template() -> Shown {
    let mut desk = with_leave();
    ensure!(desk.import(&marked(&leave_file("午前休"))).is_clean(), "refused");
    let stored = desk.crowdlog.stored("P1004", DAY).map(|day| day.leave.clone());
    ensure!(stored == Some([Leave::Morning].into()), "stored {stored:?}");
    let settings = Settings { leave_without_hours: true, ..desk.crowdlog.settings().clone() };
    *desk.crowdlog.settings_mut() = settings;
    let full = leave_file("全休").replace("13:00,18:00", ",");
    ensure!(desk.import(&marked(&full)).is_clean(), "a full day was refused");
    ensure!(desk.crowdlog.stored("P1004", DAY).is_some_and(|day| day.hours.is_none()), "it has times");
    Ok(())
}

/// Three rows, the second of which is refused.
fn one_bad() -> [Row; 3] {
    [row(), Row::new("P1005", DAY).hours("09:00", "25:30", ""), Row::new("00123", DAY)]
}

pub(super) fn forgets_refused_rows() -> Shown {
    let mut desk = Desk::open();
    let result = desk.import(&file(&one_bad()));
    ensure!(result.header_error.is_none() && result.accepted() == 2, "not two: {result:?}");
    ensure!(desk.day("P1005").is_none(), "the bad row was stored");
    desk.crowdlog.settings_mut().all_or_nothing = true;
    let rows = [Row::new("P1004", DAY).hours("10:00", "19:00", ""), one_bad()[1].clone()];
    let result = desk.import(&file(&rows));
    ensure!(result.accepted() == 0 && result.reason(2) == Some(Reason::OtherRows), "{result:?}");
    Ok(())
}

pub(super) fn sends_refused_rows() -> Shown {
    let mut desk = Desk::open();
    let rows = one_bad();
    let result = desk.import(&file(&rows));
    ensure!(result.refused_rows() == [3], "refused {:?}", result.refused_rows());
    let again: Vec<Row> = result.refused_rows().iter().filter_map(|row| rows.get(row - 2)).cloned().collect();
    let again: Vec<Row> = again.into_iter().map(|row| row.hours("09:00", "23:59", "")).collect();
    desk.stored(&again)?;
    ensure!(desk.crowdlog.timesheets().len() == 3, "not all");
    Ok(())
}
