//! Files for クラウドログ's import.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

mod desk;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read as _};

use desk::{Desk, TODAY, any_work, as_stored, code, keyed, member, naming, nothing_closed, with_leave, work};
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use renkei_attendance::breaks::BreakMode;
use renkei_attendance::codes::Code;
use renkei_attendance::day::{Day, Leave};
use renkei_attendance::files::{
    Encoding, File, FileFault, HEADER, Layout, LeaveColumn, LeaveColumns, Naming, NoRow, Row, Sample, Status,
    TrialFault, archive, trial,
};
use renkei_attendance::protection::{Closing, DayOfMonth, FileOutdated, Listed, Protection};
use renkei_sandbox::crowdlog::{self as theirs, Reason};

const DAY: Date = date(2026, 4, 6);

fn row(own: &str, day: Date, told: &Day) -> Row {
    Row::new(&member(own), day, told, BreakMode::Each, None, keyed).unwrap()
}

fn make(rows: Vec<Row>, layout: &Layout) -> desk::Files {
    desk::make(&rows, layout, &naming(), &nothing_closed().stated(TODAY).unwrap()).unwrap()
}

fn text(file: &File) -> &str {
    std::str::from_utf8(&file.bytes).unwrap()
}

fn leave_columns(without_times: bool) -> LeaveColumns {
    let values = [(Leave::FullDay, "全休"), (Leave::Morning, "午前休"), (Leave::Afternoon, "午後休")];
    let values = values.map(|(leave, text)| (leave, text.to_owned())).into();
    LeaveColumns::new(vec![LeaveColumn { header: "休暇".to_owned(), values }], without_times).unwrap()
}

#[test]
fn a_file_is_what_the_template_wants_to_the_byte() {
    let ordinary = work(545, 1_100, &[(730, 785), (930, 940)]);
    let rows = vec![
        row("P1005", DAY, &work(1_320, 1_530, &[(1_440, 1_470)])),
        row("P1004", DAY, &ordinary),
        row("00123", date(2026, 4, 3), &with_leave(780, 1_080, &[], Leave::Morning)),
    ];
    let made = make(rows, &Layout::default());
    let [file] = made.files.as_slice() else { panic!("{made:?}") };
    assert_eq!(
        text(file),
        "\u{feff}社員コード,年月日,出社,退社,休憩詳細,日報,ステータス\r\n\
         00123,2026-04-03,13:00,18:00,,,0\r\n\
         P1004,2026-04-06,09:05,18:20,12:10-13:05/15:30-15:40,,0\r\n\
         P1005,2026-04-06,22:00,25:30,24:00-24:30,,0\r\n"
    );
    assert_eq!((file.name.as_str(), file.part, file.parts), ("2026-04-10_lk_1_01.csv", 1, 1));
    let keys: Vec<(u32, &str, Date)> = file.rows.iter().map(|row| (row.number, row.code.as_str(), row.day)).collect();
    assert_eq!(keys, [(2, "00123", date(2026, 4, 3)), (3, "P1004", DAY), (4, "P1005", DAY)]);
    let merged = Row::new(&member("P1004"), DAY, &ordinary, BreakMode::Merged, None, keyed).unwrap();
    assert_eq!(merged.breaks(), "12:10-13:15");
    assert!(make(Vec::new(), &Layout::default()).files.is_empty());
}

#[test]
fn leave_columns_stand_behind_the_others_as_the_template_has_them() {
    let columns = leave_columns(true);
    let row = |own: &str, told: &Day| Row::new(&member(own), DAY, told, BreakMode::Each, Some(&columns), keyed);
    let rows = vec![
        row("P1", &work(540, 1_080, &[])).unwrap(),
        row("P2", &with_leave(780, 1_080, &[], Leave::Morning)).unwrap(),
        row("P3", &Day::off(Leave::FullDay)).unwrap(),
        row("P4", &with_leave(540, 1_000, &[], Leave::Hourly)).unwrap(),
    ];
    assert_eq!(row("P5", &Day::off(Leave::Morning)), Err(NoRow::WithoutTimes), "only a full day goes without times");
    let layout = Layout { leave_columns: Some(columns.clone()), status: Status::Blank, ..Layout::default() };
    let mut desk = Desk::open((1..5).map(|n| format!("P{n}")), theirs::PastMidnight::Refuse);
    let values = [("全休", theirs::Leave::FullDay), ("午前休", theirs::Leave::Morning)];
    let values = values.map(|(text, leave)| (text.to_owned(), leave)).into();
    let settings = desk.crowdlog.settings_mut();
    settings.leave_columns = vec![theirs::LeaveColumn { header: "休暇".to_owned(), values }];
    settings.leave_without_hours = true;
    let made = make(rows, &layout);
    assert_eq!(
        text(&made.files[0]),
        "\u{feff}社員コード,年月日,出社,退社,休憩詳細,日報,ステータス,休暇\r\n\
         P1,2026-04-06,09:00,18:00,,,,\r\n\
         P2,2026-04-06,13:00,18:00,,,,午前休\r\n\
         P3,2026-04-06,,,,,,全休\r\n\
         P4,2026-04-06,09:00,16:40,,,,\r\n"
    );
    let result = desk.import(&made.files[0]);
    assert!(result.is_clean(), "{result:?}");
    let leave = |code: &str| desk.crowdlog.stored(code, DAY).unwrap().leave.clone();
    assert_eq!(leave("P2"), BTreeSet::from([theirs::Leave::Morning]));
    assert_eq!(leave("P3"), BTreeSet::from([theirs::Leave::FullDay]));
}

#[test]
fn leave_columns_have_names_and_values_of_their_own() {
    let column = |header: &str, value: &str| format!(r#"{{"header":"{header}","values":{{"full_day":"{value}"}}}}"#);
    let rows = [
        (vec![column("休暇", "全休")], true),
        (vec![column("休暇", "全休"), column("休暇２", "1")], true),
        (vec![], false),
        (vec![column("休暇", "全休"), column("休暇", "1")], false),
        (vec![column("退社", "全休")], false),
        (vec![column(" ", "全休")], false),
        (vec![column("休暇", "")], false),
        (vec![r#"{"header":"休暇","values":{}}"#.to_owned()], false),
    ];
    for (columns, good) in rows {
        let json = format!(r#"{{"leave_columns":{{"columns":[{}]}}}}"#, columns.join(","));
        let layout = serde_json::from_str::<Layout>(&json);
        assert_eq!(layout.is_ok(), good, "{json}: {layout:?}");
        if let Ok(layout) = layout {
            let stored = serde_json::to_string(&layout).unwrap();
            assert_eq!(serde_json::from_str::<Layout>(&stored).unwrap(), layout);
        }
    }
    assert_eq!(serde_json::from_str::<Layout>("{}").unwrap(), Layout::default());
}

#[test]
fn codes_stand_in_the_file_as_crowdlog_writes_them_and_formulas_stay() {
    let own = ["=1+1", "+81", "-5", "@x", "P,1", "P\"1", " P1 ", "00123", "P-1"];
    let mut desk = Desk::open(own.map(str::to_owned), theirs::PastMidnight::Refuse);
    let rows: Vec<Row> = desk
        .members
        .iter()
        .map(|member| Row::new(member, DAY, &work(540, 1_080, &[]), BreakMode::Each, None, keyed).unwrap())
        .collect();
    let made = make(rows, &Layout::default());
    let result = desk.import(&made.files[0]);
    assert!(result.is_clean(), "{result:?}");
    let stored: BTreeSet<&str> = desk.crowdlog.timesheets().keys().map(|(code, _)| *code).collect();
    assert_eq!(stored, BTreeSet::from(own));
}

#[test]
fn a_file_can_be_in_cp932_and_codes_that_it_does_not_have_are_named() {
    let layout = Layout { encoding: Encoding::Cp932, ..Layout::default() };
    let mut desk = Desk::open(["髙1".to_owned()], theirs::PastMidnight::Refuse);
    desk.crowdlog.settings_mut().encoding = theirs::Encoding::ShiftJis;
    let told = work(540, 1_080, &[(720, 780)]);
    let made = make(vec![row("髙1", DAY, &told)], &layout);
    let result = desk.import(&made.files[0]);
    assert!(result.is_clean(), "{result:?}");
    assert_eq!(desk.stored(&code("髙1"), DAY), Some(as_stored(&told)));
    let rows = vec![row("P1", DAY, &told), row("𠮷1", DAY, &told)];
    match desk::make(&rows, &layout, &naming(), &nothing_closed().stated(TODAY).unwrap()) {
        Err(FileFault::NotInEncoding { codes }) => assert_eq!(codes, [code("𠮷1")]),
        other => panic!("{other:?}"),
    }
}

#[test]
fn all_files_of_a_run_are_in_one_archive_and_the_same_files_make_the_same_one() {
    let rows: Vec<Row> = (1..=5).map(|n| row(&format!("P{n}"), DAY, &work(540, 1_080, &[]))).collect();
    let made = make(rows, &Layout { rows_per_file: 2, ..Layout::default() });
    let bytes = archive(&made.files, TODAY).unwrap();
    assert_eq!(archive(&made.files, TODAY).unwrap(), bytes);
    let mut zip = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
    assert_eq!(zip.len(), 3);
    for (at, file) in made.files.iter().enumerate() {
        let mut entry = zip.by_index(at).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        assert_eq!((entry.name().unwrap().as_ref(), &content), (file.name.as_str(), &file.bytes));
        assert_eq!(entry.unix_mode().map(|mode| mode & 0o777), Some(0o600));
        assert_eq!(entry.last_modified().map(|time| (time.year(), time.month(), time.day())), Some((2026, 4, 10)));
    }
}

#[test]
fn names_say_date_link_and_number_and_no_more_than_a_name_may() {
    let rows: Vec<Row> = (0..101).map(|n| row(&format!("P{n:03}"), DAY, &work(540, 1_080, &[]))).collect();
    let layout = Layout { rows_per_file: 1, ..Layout::default() };
    let naming = Naming { made: TODAY, link: "../大阪 支社:\"A\"".to_owned(), before: 0 };
    let made = desk::make(&rows, &layout, &naming, &nothing_closed().stated(TODAY).unwrap()).unwrap();
    let names: Vec<&str> = made.files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(names[0], "2026-04-10_..-大阪-支社--A-_001.csv");
    assert_eq!(names[100], "2026-04-10_..-大阪-支社--A-_101.csv");
    assert!(names.is_sorted());
}

#[test]
fn a_file_is_refused_once_other_days_are_protected() {
    let monthly =
        Protection { closing: Closing::Monthly { day: DayOfMonth::try_from(11).unwrap() }, listed: Vec::new() };
    let stated = |day| monthly.stated(day).unwrap();
    let file =
        |rows: Vec<Row>| desk::make(&rows, &Layout::default(), &naming(), &stated(TODAY)).unwrap().files.remove(0);
    let march = file(vec![row("P1", date(2026, 3, 31), &work(540, 1_080, &[]))]);
    assert_eq!(stated(TODAY).check(&march.protection), Ok(()));
    assert_eq!(stated(TODAY.tomorrow().unwrap()).check(&march.protection), Err(FileOutdated));
    assert_eq!(FileOutdated::CODE, "attendance.file_outdated");
}

#[test]
fn two_rows_show_whether_an_import_takes_times_past_midnight() {
    for (theirs, refused) in [(theirs::PastMidnight::Accept, vec![]), (theirs::PastMidnight::Refuse, vec![3])] {
        let mut desk = Desk::open(["P1".to_owned()], theirs);
        let sample = |day, sample| Row::sample(&desk.members[0], day, sample, keyed).unwrap();
        let (ordinary, night) = (sample(DAY, Sample::Ordinary), sample(DAY.tomorrow().unwrap(), Sample::PastMidnight));
        let protection = nothing_closed().stated(TODAY).unwrap();
        let file = trial(&ordinary, &night, &Layout::default(), &naming(), &protection).unwrap();
        assert_eq!(
            text(&file).lines().skip(1).collect::<Vec<_>>(),
            ["P1,2026-04-06,09:00,18:00,12:00-13:00,,0", "P1,2026-04-07,22:00,25:30,,,0"]
        );
        assert_eq!(file.name, "2026-04-10_lk_1_test.csv");
        let result = desk.import(&file);
        assert_eq!(result.refused_rows(), refused);
        assert!(refused.is_empty() || result.reason(3) == Some(Reason::PastMidnight));
    }
}

#[test]
fn rows_to_try_with_are_of_both_kinds_and_not_protected() {
    let (ordinary, night) = (row("P1", DAY, &work(540, 1_080, &[])), row("P1", DAY, &work(1_320, 1_440, &[])));
    let other_night = row("P2", DAY, &work(1_320, 1_440, &[]));
    let attempt = |one: &Row, other: &Row, protection: &Protection| {
        trial(one, other, &Layout::default(), &naming(), &protection.stated(TODAY).unwrap())
    };
    let open = nothing_closed();
    let listed = vec![Listed::new(code("P2"), DAY, DAY).unwrap()];
    let closed = Protection { closing: Closing::NotUsed, listed };
    assert!(attempt(&ordinary, &other_night, &open).is_ok());
    assert!(matches!(attempt(&night, &other_night, &open), Err(TrialFault::NotOrdinary)));
    assert!(matches!(attempt(&ordinary, &ordinary, &open), Err(TrialFault::NotPastMidnight)));
    assert!(matches!(attempt(&ordinary, &night, &open), Err(TrialFault::SameDay)));
    assert!(matches!(attempt(&ordinary, &other_night, &closed), Err(TrialFault::Protected(who)) if who == code("P2")));
}

/// Rows of a few people on a few days, each day at most once.
fn any_rows() -> impl Strategy<Value = Vec<Row>> {
    let code = prop::sample::select(vec!["P1", "00123", "=1", "A,\"B", "社員 7", "P2"]);
    prop::collection::btree_map((code, 0_i32..12), any_work(), 0..40).prop_map(|days| {
        let rows = days.into_iter().map(|((own, day), told)| row(own, DAY.saturating_add(day.days()), &told));
        rows.collect::<Vec<_>>()
    })
}

fn any_protection() -> impl Strategy<Value = Protection> {
    let day = || (-3_i32..14).prop_map(|day| DAY.saturating_add(day.days()));
    let closing = prop_oneof![
        Just(Closing::NotUsed),
        day().prop_map(|date| Closing::On { date }),
        (1_i8..32).prop_map(|day| Closing::Monthly { day: DayOfMonth::try_from(day).unwrap() }),
    ];
    let code = prop::sample::select(vec!["P1", "00123", "P2", "123"]).prop_map(code);
    let listed = (code, day(), 0_i32..5)
        .prop_map(|(code, from, length)| Listed::new(code, from, from.saturating_add(length.days())).unwrap());
    (closing, prop::collection::vec(listed, 0..4)).prop_map(|(closing, listed)| Protection { closing, listed })
}

/// The rows of a file, read back.
fn read_back(file: &File) -> Vec<Vec<String>> {
    let text = text(file).strip_prefix('\u{feff}').unwrap();
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(reader.headers().unwrap().iter().collect::<Vec<_>>(), HEADER);
    reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect()
}

proptest! {
    #[test]
    fn files_read_back_give_every_row_once_and_as_it_was(
        rows in any_rows(),
        most in prop::sample::select(vec![0_u32, 1, 2, 7, 1_000]),
        seed in any::<u64>(),
    ) {
        let layout = Layout { rows_per_file: most, ..Layout::default() };
        // Whatever order they come in.
        let mut shuffled = rows.clone();
        shuffled.sort_by_key(|row| keyed(format!("{seed}{}{}", row.code(), row.day()).as_bytes()));
        let made = make(shuffled, &layout);
        prop_assert_eq!(&made, &make(rows.clone(), &layout));
        let most = if most == 0 { usize::MAX } else { usize::try_from(most).unwrap() };
        let wanted: BTreeMap<(Date, Code), &Row> = rows.iter().map(|row| ((row.day(), row.code().clone()), row)).collect();
        let mut found = Vec::new();
        let mut names = BTreeSet::new();
        for (part, file) in (1..).zip(&made.files) {
            prop_assert!(names.insert(&file.name));
            prop_assert_eq!((file.part, usize::try_from(file.parts).unwrap()), (part, made.files.len()));
            let is_last = file.part == file.parts;
            prop_assert!(file.rows.len() == most || (is_last && (1..=most).contains(&file.rows.len())));
            let cells = read_back(file);
            prop_assert_eq!(cells.len(), file.rows.len());
            for ((number, key), cells) in (2..).zip(&file.rows).zip(cells) {
                let row = wanted[&(key.day, key.code.clone())];
                prop_assert_eq!((key.number, &key.content), (number, row.content()));
                let day = row.day().to_string();
                prop_assert_eq!(cells, [row.own_text(), &day, row.start(), row.end(), row.breaks(), "", "0"]);
                found.push((key.day, key.code.clone()));
            }
        }
        prop_assert_eq!(found, wanted.into_keys().collect::<Vec<_>>());
    }

    #[test]
    fn i10_a_protected_day_is_in_no_file(rows in any_rows(), protection in any_protection()) {
        let stated = protection.stated(TODAY).unwrap();
        let made = desk::make(&rows, &Layout::default(), &naming(), &stated).unwrap();
        // Said once more, in other words.
        let closed = protection.closing.closed(TODAY).unwrap_or(Date::MIN);
        let is_free = |code: &str, day: Date| {
            day > closed && !protection.listed.iter().any(|one| {
                let alone = Protection { closing: Closing::NotUsed, listed: vec![one.clone()] };
                alone.in_force(TODAY).is_protected(&desk::code(code), day)
            })
        };
        let written: BTreeSet<(String, String)> =
            made.files.iter().flat_map(read_back).map(|cells| (cells[0].clone(), cells[1].clone())).collect();
        for row in &rows {
            let there = written.contains(&(row.own_text().to_owned(), row.day().to_string()));
            prop_assert_eq!(there, is_free(row.code().as_str(), row.day()), "{:?}", row);
            let told = made.protected.contains(&(row.code().clone(), row.day()));
            prop_assert_eq!(told, !there);
        }
        prop_assert_eq!(written.len() + made.protected.len(), rows.len());
    }
}
