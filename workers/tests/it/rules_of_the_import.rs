//! Rules of クラウドログ's import with Renkei's own decisions and files as the careful client.

mod client;

use jiff::civil::date;
use renkei_attendance::codes::Code;
use renkei_attendance::day::{Day, Leave};
use renkei_attendance::decide::PastMidnight;
use renkei_attendance::files::{self, HEADER, LeaveColumn, LeaveColumns, Row, Sample};
use renkei_attendance::matching::Matching;
use renkei_attendance::members::{self, Advice};
use renkei_attendance::protection::{Closing, Listed, Protection};
use renkei_runtime::clock::Millis;
use renkei_sandbox::crowdlog::{self as theirs, Face, Seen};
use renkei_sandbox::rules::Shown;

use self::client::{Client, DAY, TODAY, Told, keyed, naming, people, said, span, usual, work};
use crate::rules::need;

/// The breaks of the usual day.
const BREAKS: [(i32, i32); 2] = [(730, 785), (930, 940)];

/// What Renkei's files come to under a rule.
pub(crate) fn ours(rule: u32) -> Option<Shown> {
    Some(match rule {
        2 => switches(),
        7 => own_codes(),
        8 => whole_days(),
        9 => twice(),
        10 => protected(),
        11 => long_days(),
        12 => newest_only(),
        14 => stored_days(),
        17 => template(),
        19 => kept_breaks(),
        21 => encodings(),
        22 => line_ends(),
        23 => several_breaks(),
        24 => many_rows(),
        25 => leave_columns(),
        26 => refused_rows(),
        27 => codes_with_zeros(),
        28 => periods(),
        29 => past_midnight(),
        _ => return None,
    })
}

fn one(told: Day) -> [Told<'static>; 1] {
    [("P1004", DAY, told)]
}

/// C2. Renkei can not see the switches: a file that is refused for them waits, and is taken once they are on.
fn switches() -> Shown {
    let mut client = Client::with(|settings| settings.attendance_in_use = false);
    let results = client.morning(&one(usual()))?;
    need(results.len() == 1 && results[0].header_error.is_some(), &format!("{results:?}"))?;
    client.crowdlog.settings_mut().attendance_in_use = true;
    client.taken(&one(usual()), 1)
}

/// C7.
fn own_codes() -> Shown {
    let mut client = Client::new();
    client.crowdlog.add_member(theirs::Member::new(" P7 ", "空白 付"));
    client.crowdlog.add_member(theirs::Member::new("P1005", "二人 目"));
    // Near ones, one that two members have, and two that are exact but for blanks, which the file has as クラウドログ has them.
    let codes = ["123", "p1004", "Ｐ1004", "P-1004", "P1005", "00123", "P7"];
    let days = codes.map(|code| (code, DAY, usual()));
    client.taken(&days, 2)?;
    need(client.stored("00123").is_some() && client.stored(" P7 ").is_some(), "other people's days")
}

/// C8.
fn whole_days() -> Shown {
    let mut client = Client::new();
    client.taken(&one(usual()), 1)?;
    said(client.crowdlog.enter_work("P1004", DAY, 490))?;
    // Only the end has changed.
    client.taken(&one(work(545, 1_140, &BREAKS)), 1)?;
    client.holds("P1004", (545, 1_140), &[(730, 785), (930, 940)])?;
    need(said(client.crowdlog.work_minutes("P1004", DAY))? == 490, "work hours were touched")
}

/// C9.
fn twice() -> Shown {
    let mut client = Client::new();
    let files = client.files(&one(usual()))?;
    client.taken(&one(usual()), 1)?;
    let before = client.stored("P1004");
    client.taken(&one(usual()), 0)?;
    // The same file once more, by mistake.
    for file in files {
        need(client.crowdlog.import(Millis(0), &file.bytes).is_clean(), "refused")?;
    }
    need(client.crowdlog.imports_of("P1004", DAY) == 2 && client.stored("P1004") == before, "it changed")
}

/// C10. クラウドログ would overwrite them, so only Renkei keeps them.
fn protected() -> Shown {
    let mut client = Client::with(|settings| settings.protected_days = theirs::ProtectedDays::Overwrite);
    client.taken(&[("P1004", DAY, usual()), ("P1005", DAY, usual())], 2)?;
    let next = said(DAY.tomorrow())?;
    client.crowdlog.settings_mut().closing_date = said(DAY.yesterday()).ok();
    said(client.crowdlog.apply("P1004", DAY, true))?;
    let listed = said(Listed::new(said(Code::new("P1004"))?, DAY, DAY))?;
    client.protection = Protection { closing: Closing::On { date: said(DAY.yesterday())? }, listed: vec![listed] };
    let other = || work(600, 1_140, &[]);
    let closed = said(DAY.yesterday())?;
    let days = [("P1004", closed, other()), ("P1004", DAY, other()), ("P1005", DAY, other()), ("P1004", next, other())];
    let results = client.morning(&days)?;
    let rows: Vec<_> = results.iter().flat_map(|result| &result.rows).collect();
    need(rows.len() == 2 && rows.iter().all(|row| row.error.is_none() && !row.protected), &format!("{rows:?}"))?;
    client.holds("P1004", (545, 1_100), &[(730, 785), (930, 940)])?;
    client.holds("P1005", (600, 1_140), &[])
}

/// C11.
fn long_days() -> Shown {
    let mut client = Client::with(|settings| settings.past_midnight = theirs::PastMidnight::Accept);
    // A minute more than 24 hours, exactly 24 between the breaks, and a neighbour.
    let days =
        [("P1004", DAY, work(0, 1_441, &[])), ("P1005", DAY, work(540, 2_040, &[(720, 780)])), ("00123", DAY, usual())];
    client.taken(&days, 2)?;
    need(client.stored("P1004").is_none(), "it was stored")?;
    client.holds("P1005", (540, 2_040), &[(720, 780)])
}

/// C12.
fn newest_only() -> Shown {
    let mut client = Client::new();
    let days = [("P1004", DAY, work(540, 1_080, &[])), ("P1004", DAY, work(540, 1_200, &[]))];
    client.taken(&days, 1)?;
    client.holds("P1004", (540, 1_200), &[])
}

/// C14. Also a day that is what the timesheet shows anyway.
fn stored_days() -> Shown {
    let mut client = Client::new();
    client.taken(&one(work(540, 1_080, &[(720, 780)])), 1)?;
    need(matches!(said(client.crowdlog.seen("P1004", DAY))?, Seen::Stored(_)), "initial values are left")
}

/// C17.
fn template() -> Shown {
    let mut client = Client::new();
    let files = client.files(&one(usual()))?;
    let text = String::from_utf8_lossy(&files[0].bytes).into_owned();
    let header = text.trim_start_matches('\u{feff}').lines().next().map(str::to_owned);
    need(header == Some(HEADER.join(",")), &format!("the header is {header:?}"))?;
    client.taken(&one(usual()), 1)?;
    client.holds("P1004", (545, 1_100), &[(730, 785), (930, 940)])?;
    let status = client.crowdlog.stored("P1004", DAY).map(|day| day.status);
    need(status == Some(theirs::Status::Saved), &format!("the status is {status:?}"))
}

/// C19.
fn kept_breaks() -> Shown {
    let mut client = Client::new();
    said(client.crowdlog.enter_work("P1004", DAY, 490))?;
    client.taken(&one(usual()), 1)?;
    let face = said(client.crowdlog.face("P1004", DAY))?;
    need(face == (Face::Smile, false), &format!("{face:?}"))
}

/// C21. In either encoding, with a code that has bytes of its own in each.
fn encodings() -> Shown {
    let both =
        [(files::Encoding::Utf8Bom, theirs::Encoding::Utf8Bom), (files::Encoding::Cp932, theirs::Encoding::ShiftJis)];
    for (written, read) in both {
        let mut client = Client::with(|settings| settings.encoding = read);
        client.layout.encoding = written;
        client.crowdlog.add_member(theirs::Member::new("髙1", "見本"));
        client.taken(&[("髙1", DAY, usual())], 1)?;
        client.holds("髙1", (545, 1_100), &[(730, 785), (930, 940)])?;
    }
    Ok(())
}

/// C22.
fn line_ends() -> Shown {
    let mut client = Client::with(|settings| settings.line_ends = theirs::LineEnds::CrLf);
    client.taken(&[("P1004", DAY, usual()), ("P1005", DAY, usual())], 2)
}

/// C23.
fn several_breaks() -> Shown {
    let mut client = Client::new();
    let breaks = [(600, 610), (720, 780), (900, 910), (1_000, 1_001)];
    client.taken(&one(work(540, 1_080, &breaks)), 1)?;
    client.holds("P1004", (540, 1_080), &[(600, 610), (720, 780), (900, 910), (1_000, 1_001)])
}

/// C24.
fn many_rows() -> Shown {
    let mut client = Client::new();
    let first = date(2023, 1, 1);
    let days: Vec<Told<'_>> =
        first.series(jiff::Span::new().days(1)).take(1_001).map(|day| ("P1004", day, usual())).collect();
    let parts: Vec<usize> = client.files(&days)?.iter().map(|file| file.rows.len()).collect();
    need(parts == [1_000, 1], &format!("{parts:?}"))?;
    client.taken(&days, 1_001)
}

/// C25.
fn leave_columns() -> Shown {
    let kinds = [("全休", Leave::FullDay, theirs::Leave::FullDay), ("午前休", Leave::Morning, theirs::Leave::Morning)];
    let values = kinds.map(|(text, _, kind)| (text.to_owned(), kind)).into();
    let mut client = Client::with(|settings| {
        settings.leave_columns = vec![theirs::LeaveColumn { header: "休暇".to_owned(), values }];
        settings.leave_without_hours = true;
    });
    let morning = Day::at_work(span(780, 1_080), &[], Some(Leave::Morning));
    let days = [("P1004", DAY, morning), ("P1005", DAY, Day::off(Leave::FullDay))];
    // Before anybody has entered the template's columns, leave is for a person, and times go without it.
    let untold = client.decided(&days)?;
    need(untold.iter().all(|decision| decision.handwork().is_some()), &format!("{untold:?}"))?;
    client.taken(&days, 1)?;
    let values = kinds.map(|(text, kind, _)| (kind, text.to_owned())).into();
    let columns = vec![LeaveColumn { header: "休暇".to_owned(), values }];
    client.layout.leave_columns = Some(said(LeaveColumns::new(columns, true))?);
    client.taken(&days, 2)?;
    for (code, kind) in [("P1004", theirs::Leave::Morning), ("P1005", theirs::Leave::FullDay)] {
        let leave = client.crowdlog.stored(code, DAY).map(|day| day.leave.clone());
        need(leave == Some([kind].into()), &format!("{code}: {leave:?}"))?;
    }
    Ok(())
}

/// C26. The next file has exactly the row that was refused.
fn refused_rows() -> Shown {
    let mut client = Client::new();
    let days = [("00123", DAY, usual()), ("P1004", DAY, work(540, 1_530, &[])), ("P1005", DAY, usual())];
    let results = client.morning(&days)?;
    need(results.len() == 1 && results[0].refused_rows() == [3], &format!("{results:?}"))?;
    client.crowdlog.settings_mut().past_midnight = theirs::PastMidnight::Accept;
    client.taken(&days, 1)?;
    client.holds("P1004", (540, 1_530), &[])
}

/// C27.
fn codes_with_zeros() -> Shown {
    let mut client = Client::new();
    client.through_excel = true;
    let days = [("00123", DAY, usual())];
    client.taken(&days, 0)?;
    let (list, people) = (client.list()?, people(&days)?);
    let advice = members::advice(&list, TODAY, &Matching::new(&people, &list.members));
    let said = advice.iter().any(|advice| matches!(advice, Advice::SavedInExcel { .. }));
    need(said, &format!("nobody says what happened to the list: {advice:?}"))?;
    client.through_excel = false;
    client.taken(&days, 1)
}

/// C28.
fn periods() -> Shown {
    let mut client = Client::new();
    let period = |member: &mut theirs::Member| {
        (member.from, member.to) = (Some(date(2026, 4, 7)), Some(date(2026, 4, 9)));
    };
    said(client.crowdlog.change_member("P1005", period))?;
    let mut days: Vec<Told<'_>> = (6..=10).map(|day| ("P1005", date(2026, 4, day), usual())).collect();
    // Who left is 無効 as well.
    days.extend([("P1001", DAY, usual()), ("P1001", date(2026, 3, 30), usual())]);
    client.taken(&days, 3)
}

/// C29. Two rows show what the import does, before there is a whole morning's file.
fn past_midnight() -> Shown {
    for (theirs, refused) in [(theirs::PastMidnight::Accept, vec![]), (theirs::PastMidnight::Refuse, vec![3])] {
        let mut client = Client::with(|settings| settings.past_midnight = theirs);
        let list = client.list()?;
        let sample = |day, sample| said(Row::sample(&list.members[0], day, sample, keyed));
        let rows = (sample(DAY, Sample::Ordinary)?, sample(said(DAY.tomorrow())?, Sample::PastMidnight)?);
        let stated = said(client.protection.stated(TODAY))?;
        let file = said(files::trial(&rows.0, &rows.1, &client.layout, &naming(), &stated))?;
        let result = client.crowdlog.import(Millis(0), &file.bytes);
        need(result.header_error.is_none() && result.refused_rows() == refused, &format!("{theirs:?}: {result:?}"))?;
        let days = [("P1004", DAY, usual()), ("P1005", DAY, work(1_020, 1_530, &[(1_430, 1_460)]))];
        if refused.is_empty() {
            client.taken(&days, 2)?;
            client.holds("P1005", (1_020, 1_530), &[(1_430, 1_460)])?;
        } else {
            client.past_midnight = PastMidnight::Skip;
            client.taken(&days, 1)?;
            let left = client.decided(&days)?;
            need(left[1].handwork().is_some(), "the night is on nobody's list")?;
        }
    }
    Ok(())
}
