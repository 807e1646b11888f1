//! Whose day it is (C7, C27, C28).

use jiff::civil::date;

use super::desk::{DAY, Desk, Row};
use crate::crowdlog::{Encoding, Member, MemberHeaders, Reason};
use crate::rules::{Shown, ensure};

pub(super) fn guesses_codes() -> Shown {
    let mut desk = Desk::open();
    for near in ["123", "000123", "p1004", "Ｐ1004", "P1004 ", " P1004", "P-1004"] {
        desk.refused(Row::new(near, DAY), Reason::UnknownCode).map_err(|why| format!("{near}: {why}"))?;
    }
    desk.crowdlog.add_member(Member::new("P1004", "別人 花子"));
    desk.refused(Row::new("P1004", DAY), Reason::DoubleCode)?;
    ensure!(desk.crowdlog.timesheets().is_empty(), "something was stored");
    Ok(())
}

/// The codes of a list of members, as its first column has them.
fn codes(list: &[u8]) -> Result<Vec<String>, String> {
    let text = std::str::from_utf8(list).map_err(|error| error.to_string())?;
    Ok(text.lines().skip(1).filter_map(|line| line.split(',').next()).map(str::to_owned).collect())
}

pub(super) fn uses_their_own_text() -> Shown {
    let mut desk = Desk::open();
    let list = desk.crowdlog.export_members(false, Encoding::Utf8Bom, &MemberHeaders::default());
    let rows: Vec<Row> = codes(&list)?.iter().map(|code| Row::new(code, DAY)).collect();
    ensure!(rows.len() == 3, "{} members", rows.len());
    desk.stored(&rows)
}

pub(super) fn saves_in_excel() -> Shown {
    let mut desk = Desk::open();
    let list = desk.crowdlog.export_members_through_excel(true, Encoding::Utf8Bom, &MemberHeaders::default());
    let codes = codes(&list)?;
    ensure!(codes.contains(&"123".to_owned()) && !codes.contains(&"00123".to_owned()), "codes are {codes:?}");
    desk.refused(Row::new("123", DAY), Reason::UnknownCode)
}

pub(super) fn takes_the_export_as_it_is() -> Shown {
    let mut desk = Desk::open();
    let list = desk.crowdlog.export_members(true, Encoding::Utf8Bom, &MemberHeaders::default());
    ensure!(codes(&list)?.contains(&"00123".to_owned()), "the zeros are gone");
    desk.stored(&[Row::new("00123", DAY)])
}

/// P1005 comes on the 7th of April and goes on the 9th.
fn passing() -> Result<Desk, String> {
    let mut desk = Desk::open();
    let period = |member: &mut Member| {
        (member.from, member.to) = (Some(date(2026, 4, 7)), Some(date(2026, 4, 9)));
    };
    desk.crowdlog.change_member("P1005", period).map_err(|error| error.to_string())?;
    Ok(desk)
}

pub(super) fn writes_for_everybody() -> Shown {
    let mut desk = passing()?;
    desk.refused(Row::new("P1001", DAY), Reason::Inactive)?;
    desk.refused(Row::new("P1005", date(2026, 4, 6)), Reason::OutsidePeriod)?;
    desk.refused(Row::new("P1005", date(2026, 4, 10)), Reason::OutsidePeriod)
}

pub(super) fn looks_at_the_period() -> Shown {
    let mut desk = passing()?;
    desk.stored(&[Row::new("P1005", date(2026, 4, 7)), Row::new("P1005", date(2026, 4, 9))])
}
