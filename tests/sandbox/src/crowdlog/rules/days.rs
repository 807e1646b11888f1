//! What becomes of a day (C8 to C11, C14, C19, C29).

use jiff::civil::date;

use super::desk::{DAY, Desk, Row, file, hours, told};
use crate::crowdlog::{Face, PastMidnight, ProtectedDays, Reason, Seen};
use crate::rules::{Shown, ensure};

fn row() -> Row {
    Row::new("P1004", DAY)
}

/// A day that is stored already, with work hours.
fn filled() -> Result<Desk, String> {
    let mut desk = Desk::open();
    told(desk.crowdlog.enter_work("P1004", DAY, 490))?;
    desk.stored(&[row()])?;
    Ok(desk)
}

pub(super) fn sends_what_changed() -> Shown {
    let mut desk = filled()?;
    // Only the end has changed, so only that is sent.
    desk.refused(row().hours("", "19:00", ""), Reason::Missing)?;
    desk.stored(&[row().hours("09:05", "19:00", "")])?;
    ensure!(desk.day("P1004") == Some((hours(545, 1_140), vec![])), "the breaks are still there");
    Ok(())
}

pub(super) fn sends_the_whole_day() -> Shown {
    let mut desk = filled()?;
    desk.stored(&[row().hours("09:05", "19:00", "12:10-13:05/15:30-15:40")])?;
    ensure!(
        desk.day("P1004") == Some((hours(545, 1_140), vec![hours(730, 785), hours(930, 940)])),
        "stored {:?}",
        desk.day("P1004")
    );
    ensure!(told(desk.crowdlog.work_minutes("P1004", DAY))? == 490, "work hours were touched");
    Ok(())
}

pub(super) fn adds_up_rows() -> Shown {
    let mut desk = Desk::open();
    desk.stored(&[row().hours("09:00", "12:00", ""), row().hours("13:00", "18:00", "")])?;
    ensure!(desk.day("P1004") == Some((hours(780, 1_080), vec![])), "the morning is there");
    Ok(())
}

pub(super) fn imports_twice() -> Shown {
    let mut desk = filled()?;
    let once = desk.crowdlog.stored("P1004", DAY).cloned();
    desk.stored(&[row()])?;
    ensure!(desk.crowdlog.stored("P1004", DAY).cloned() == once && once.is_some(), "it changed");
    ensure!(desk.crowdlog.imports_of("P1004", DAY) == 2, "it was not stored twice");
    Ok(())
}

/// The day is closed, or another one applied for.
fn protected(closed: bool) -> Result<Desk, String> {
    let mut desk = filled()?;
    if closed {
        desk.crowdlog.settings_mut().closing_date = Some(DAY);
    } else {
        told(desk.crowdlog.apply("P1004", DAY, true))?;
    }
    Ok(desk)
}

pub(super) fn writes_protected_days() -> Shown {
    for (closed, reason) in [(true, Reason::Closed), (false, Reason::Applied)] {
        let mut desk = protected(closed)?;
        let before = desk.day("P1004");
        desk.refused(row().hours("10:00", "19:00", ""), reason)?;
        ensure!(desk.day("P1004") == before, "it changed");
        // The manual does not say that an administrator's import is refused; it may as well go through.
        desk.crowdlog.settings_mut().protected_days = ProtectedDays::Overwrite;
        let result = desk.import(&file(&[row().hours("10:00", "19:00", "")]));
        ensure!(result.is_clean() && result.rows.iter().all(|row| row.protected), "{result:?}");
        ensure!(desk.day("P1004") != before, "it did not change");
    }
    Ok(())
}

pub(super) fn leaves_protected_days_out() -> Shown {
    for closed in [true, false] {
        let mut desk = protected(closed)?;
        desk.crowdlog.settings_mut().protected_days = ProtectedDays::Overwrite;
        let before = desk.day("P1004");
        let result = desk.import(&file(&[Row::new("P1004", date(2026, 4, 7)), Row::new("P1005", date(2026, 4, 7))]));
        ensure!(result.is_clean() && result.rows.iter().all(|row| !row.protected), "{result:?}");
        ensure!(desk.day("P1004") == before, "it changed");
    }
    Ok(())
}

fn long() -> Desk {
    let mut desk = Desk::open();
    desk.crowdlog.settings_mut().past_midnight = PastMidnight::Accept;
    desk
}

pub(super) fn writes_25_hours() -> Shown {
    let mut desk = long();
    desk.refused(row().hours("09:00", "34:01", "12:00-13:00"), Reason::TooLong)?;
    ensure!(desk.day("P1004").is_none(), "it was stored");
    Ok(())
}

pub(super) fn leaves_25_hours_out() -> Shown {
    // Exactly 24 hours between the breaks are fine, and a neighbour's day is not harmed.
    let mut desk = long();
    desk.stored(&[row().hours("09:00", "34:00", "12:00-13:00")])?;
    let rows = [row().hours("00:00", "24:01", ""), Row::new("P1005", DAY)];
    ensure!(desk.import(&file(&rows)).refused_rows() == [2] && desk.day("P1005").is_some(), "the other day was harmed");
    Ok(())
}

pub(super) fn takes_no_row_for_nothing() -> Shown {
    let desk = Desk::open();
    let seen = told(desk.crowdlog.seen("P1004", DAY))?;
    ensure!(seen.attendance().worked() == 480 && matches!(seen, Seen::Initial(_)), "shows {seen:?}");
    ensure!(desk.crowdlog.stored("P1004", DAY).is_none(), "something is stored");
    Ok(())
}

pub(super) fn writes_the_day() -> Shown {
    let mut desk = Desk::open();
    desk.stored(&[row()])?;
    let seen = told(desk.crowdlog.seen("P1004", DAY))?;
    ensure!(seen.attendance().hours == Some(hours(545, 1_100)) && matches!(seen, Seen::Stored(_)), "shows {seen:?}");
    Ok(())
}

pub(super) fn drops_a_break() -> Shown {
    let mut desk = filled()?;
    desk.stored(&[row().hours("09:05", "18:20", "12:10-13:05")])?;
    let shown = told(desk.crowdlog.face("P1004", DAY))?;
    ensure!(shown == (Face::Triangle, false), "10 minutes are {shown:?}");
    desk.stored(&[row().hours("09:05", "18:20", "15:30-15:40")])?;
    let shown = told(desk.crowdlog.face("P1004", DAY))?;
    ensure!(shown == (Face::Triangle, true), "55 minutes are {shown:?}");
    Ok(())
}

pub(super) fn keeps_the_breaks() -> Shown {
    let desk = filled()?;
    let shown = told(desk.crowdlog.face("P1004", DAY))?;
    ensure!(shown == (Face::Smile, false), "no difference is {shown:?}");
    Ok(())
}

pub(super) fn writes_25_30() -> Shown {
    let mut desk = Desk::open();
    desk.refused(row().hours("17:00", "25:30", ""), Reason::PastMidnight)?;
    // The time of the next day's clock is no way out.
    desk.refused(row().hours("17:00", "01:30", ""), Reason::EndBeforeStart)
}

pub(super) fn tries_two_rows_first() -> Shown {
    for (past_midnight, refused) in [(PastMidnight::Accept, vec![]), (PastMidnight::Refuse, vec![3])] {
        let mut desk = Desk::open();
        desk.crowdlog.settings_mut().past_midnight = past_midnight;
        let two = [row(), Row::new("P1005", DAY).hours("17:00", "25:30", "23:50-24:20")];
        let result = desk.import(&file(&two));
        ensure!(result.header_error.is_none() && result.refused_rows() == refused, "{past_midnight:?}: {result:?}");
    }
    Ok(())
}
