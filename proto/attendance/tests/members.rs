//! The list of クラウドログ's members.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

use encoding_rs::SHIFT_JIS;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use renkei_attendance::codes::Code;
use renkei_attendance::matching::{AtSource, Matching};
use renkei_attendance::members::{self, Advice, Column, Encoding, ExcelSign, FaultKind, Format, List, Refusal};
use renkei_sandbox::crowdlog::{CrowdLog, Encoding as Written, Member, MemberHeaders, sample};

const MADE: Date = date(2026, 4, 10);

fn read(file: &[u8]) -> Result<List, Refusal> {
    members::read(file, &Format::default(), MADE)
}

fn export(crowdlog: &CrowdLog, encoding: Written) -> Vec<u8> {
    crowdlog.export_members(true, encoding, &MemberHeaders::default())
}

/// 社員コード, 名前, 開始日, 終了日, 有効.
type Said = (String, Option<String>, Option<Date>, Option<Date>, bool);

/// What a list says, without lines.
fn said(list: &List) -> Vec<Said> {
    let name = |member: &members::Member| member.name.as_ref().map(|name| name.expose().to_owned());
    let said =
        |member: &members::Member| (member.own_text.clone(), name(member), member.first, member.last, member.active);
    list.members.iter().map(said).collect()
}

fn expected(crowdlog: &CrowdLog) -> Vec<Said> {
    let said = |member: &Member| {
        let name = Some(member.name.trim().to_owned()).filter(|name| !name.is_empty());
        (member.code.clone(), name, member.from, member.to, member.active)
    };
    crowdlog.members().map(said).collect()
}

#[test]
fn an_export_is_read_in_each_encoding() {
    let crowdlog = sample::company();
    for (written, found) in
        [(Written::Utf8Bom, Encoding::Utf8), (Written::Utf8, Encoding::Utf8), (Written::ShiftJis, Encoding::Cp932)]
    {
        let file = export(&crowdlog, written);
        for encoding in [Encoding::Auto, found] {
            let list = members::read(&file, &Format { encoding, ..Format::default() }, MADE).unwrap();
            assert_eq!(said(&list), expected(&crowdlog), "{written:?}");
            assert_eq!((list.encoding, list.made), (found, MADE));
            assert_eq!((list.faults.as_slice(), list.missing.as_slice()), ([].as_slice(), [].as_slice()));
        }
    }
    let lines: Vec<u64> = read(&export(&crowdlog, Written::Utf8)).unwrap().members.iter().map(|one| one.line).collect();
    assert_eq!(lines, [2, 3, 4, 5]);
}

#[test]
fn the_rate_and_all_other_columns_never_leave_the_reader_and_names_are_not_printed() {
    let mut crowdlog = sample::company();
    let mut member = Member::new("P2000", "秘密 名子");
    (member.rate, member.department, member.position) = (98_765, "隠密部".to_owned(), "影".to_owned());
    crowdlog.add_member(member);
    let mut file = export(&crowdlog, Written::Utf8);
    file.extend("P2001,壊れ 名子,隠密部,影,正社員,本社,98765,いつか,,有効\r\n".as_bytes());
    let list = read(&file).unwrap();
    let printed = format!("{list:?}");
    for hidden in ["98765", "隠密部", "影", "正社員", "本社", "秘密", "壊れ", "いつか"] {
        assert!(!printed.contains(hidden), "{hidden} in {printed}");
    }
    assert!(printed.contains("P2000") && list.faults.len() == 1);
    assert_eq!(list.members[4].name.as_ref().map(members::Name::expose), Some("秘密 名子"));
}

#[test]
fn names_of_columns_are_settings_and_width_and_blanks_make_no_difference() {
    let file = "有効/無効, 社員コード ,氏名,終了日\r\n在籍,P1,見本,2026/3/31\r\n退職,P2,,\r\n";
    let mut format =
        Format { active: vec!["在籍".to_owned()], inactive: vec!["退職".to_owned()], ..Format::default() };
    format.headers.name = "氏名".to_owned();
    let list = members::read(file.as_bytes(), &format, MADE).unwrap();
    assert_eq!(
        said(&list),
        [
            ("P1".to_owned(), Some("見本".to_owned()), None, Some(date(2026, 3, 31)), true),
            ("P2".to_owned(), None, None, None, false),
        ]
    );
    assert_eq!(list.missing, [Column::First]);
    let bare = read("社員コード\nP1\n".as_bytes()).unwrap();
    assert!(bare.members[0].active, "nothing is said, so the member is there");
    assert_eq!(bare.missing, [Column::Name, Column::First, Column::Last, Column::Active]);
    let stored = serde_json::to_string(&format).unwrap();
    assert_eq!(serde_json::from_str::<Format>(&stored).unwrap(), format);
    assert_eq!(serde_json::from_str::<Format>("{}").unwrap(), Format::default());
}

#[test]
fn a_bad_row_is_told_by_line_and_column_and_the_others_go_through() {
    use FaultKind::{Active, CellCount, Date, NoCode, OpenQuote, PeriodReversed};
    let row = |code: &str, from: &str, to: &str, active: &str| format!("{code},名,5000,{from},{to},{active}");
    let rows = [
        (row("P1", "2026-02-30", "", "有効"), Some("開始日"), Date),
        (row("P1", "", "2026年4月", "有効"), Some("終了日"), Date),
        (row("P1", "20260401", "", "有効"), Some("開始日"), Date),
        (row("P1", "2026-04-02", "2026-04-01", "有効"), Some("終了日"), PeriodReversed),
        (row("", "", "", "有効"), Some("社員コード"), NoCode),
        (row("\u{3000}", "", "", "有効"), Some("社員コード"), NoCode),
        (row("P1", "", "", "休職"), Some("有効／無効"), Active),
        (row("P1", "", "", ""), Some("有効／無効"), Active),
        ("P1,名,5000,,".to_owned(), None, CellCount),
        (row("P1", "", "", "有効,余り"), None, CellCount),
        // The quotation mark swallows a whole row, so that the number of cells is right.
        ("P1,\"名,5000,,,有効\r\nP1,名,5000,,,有効\r\nP1,名\",5000,,,有効".to_owned(), None, OpenQuote),
    ];
    for (bad, column, kind) in rows {
        let file = format!(
            "社員コード,名前,単価,開始日,終了日,有効／無効\r\n\r\nP8,名,1,,,有効\r\n{bad}\r\nP9,名,1,,,無効\r\n,,,,,\r\n"
        );
        let list = read(file.as_bytes()).unwrap();
        let codes: Vec<&str> = list.members.iter().map(|member| member.code.as_str()).collect();
        assert_eq!(codes, ["P8", "P9"], "{bad}");
        let [fault] = list.faults.as_slice() else { panic!("{bad}: {:?}", list.faults) };
        assert_eq!((fault.line, fault.column.as_deref(), fault.kind), (4, column, kind), "{bad}");
    }
    let endless = "社員コード,名前,備考\nP1,名,\"注\nP2,名,\nP3,名,\n";
    let list = read(endless.as_bytes()).unwrap();
    assert_eq!(list.members.len(), 0, "{list:?}");
    assert_eq!(list.faults.iter().map(|fault| (fault.line, fault.kind)).collect::<Vec<_>>(), [(2, OpenQuote)]);
}

#[test]
fn a_row_in_another_encoding_is_told_and_not_guessed() {
    let header = "社員コード,名前\n";
    let cp932 = |text: &str| SHIFT_JIS.encode(text).0.into_owned();
    let mixed = [header.as_bytes(), "P1,花子\n".as_bytes(), &cp932("P2,花子\n"), b"P3,\n"].concat();
    let list = read(&mixed).unwrap();
    assert_eq!(list.members.len(), 2);
    let [fault] = list.faults.as_slice() else { panic!("{:?}", list.faults) };
    assert_eq!((fault.line, fault.column.as_deref(), fault.kind), (3, Some("名前"), FaultKind::Encoding));
    // A column that is not read may hold what it wants.
    let passed = [header.trim_end().as_bytes(), b",x\n", "P1,花子,".as_bytes(), &cp932("部"), b"\n"].concat();
    assert_eq!(read(&passed).unwrap().members.len(), 1);
}

#[test]
fn what_is_no_list_is_refused_as_a_whole() {
    let small = Format { most_rows: 2, ..Format::default() };
    let rows: [(&[u8], Refusal); 9] = [
        (b"", Refusal::Empty),
        ("社員コード,名前\r\n".as_bytes(), Refusal::Empty),
        ("社員コード,名前\r\n,\r\n".as_bytes(), Refusal::Empty),
        (b"PK\x03\x04xlsx", Refusal::NotText),
        (b"\xff\xfe\x3e\x79", Refusal::NotText),
        ("社員番号,名前\r\n1,名\r\n".as_bytes(), Refusal::NoCodeColumn("社員コード".to_owned())),
        ("社員コード,社員コード\r\n1,2\r\n".as_bytes(), Refusal::ColumnTwice("社員コード".to_owned())),
        ("社員コード,名前,名 前\r\n1,2,3\r\n".as_bytes(), Refusal::ColumnTwice("名前".to_owned())),
        ("社員コード\r\n1\r\n2\r\n3\r\n".as_bytes(), Refusal::TooManyRows(2)),
    ];
    for (file, refusal) in rows {
        assert_eq!(members::read(file, &small, MADE), Err(refusal), "{:?}", String::from_utf8_lossy(file));
    }
    assert_eq!(members::read("社員コード\r\n1\r\n2\r\n".as_bytes(), &small, MADE).unwrap().members.len(), 2);
}

fn people(codes: &[&str]) -> Vec<AtSource> {
    let person = |code: &&str| AtSource {
        code: Code::new(code).unwrap(),
        link: "one".to_owned(),
        person: format!("id of {code}"),
    };
    codes.iter().map(person).collect()
}

fn advice(list: &List, today: Date, codes: &[&str]) -> Vec<Advice> {
    let people = people(codes);
    members::advice(list, today, &Matching::new(&people, &list.members))
}

#[test]
fn a_new_list_is_asked_for_after_30_days_or_when_a_code_is_missing() {
    let list = read(&export(&sample::company(), Written::Utf8Bom)).unwrap();
    let all = ["P1001", "P1004", "P1005", "00123"];
    assert_eq!(advice(&list, date(2026, 5, 10), &all), []);
    assert_eq!(advice(&list, date(2026, 5, 11), &all), [Advice::Old { days: 31 }]);
    assert_eq!(advice(&list, MADE, &all[..2]), [], "that クラウドログ has more is no reason");
    let codes = |codes: &[&str]| codes.iter().map(|code| Code::new(code).unwrap()).collect::<Vec<_>>();
    let missing = Advice::CodesMissing { codes: codes(&["P0001", "P2000"]) };
    assert_eq!(advice(&list, MADE, &["P2000", "P1004", "P0001"]), [missing]);
}

#[test]
fn a_list_that_was_saved_in_excel_is_recognised() {
    let (headers, codes) = (MemberHeaders::default(), |codes: &[&str]| -> Vec<Code> {
        codes.iter().map(|code| Code::new(code).unwrap()).collect()
    });
    let excel =
        |crowdlog: &CrowdLog| read(&crowdlog.export_members_through_excel(true, Written::ShiftJis, &headers)).unwrap();
    let signs = |list: &List, source: &[&str]| -> Vec<ExcelSign> {
        let sign = |advice| match advice {
            Advice::SavedInExcel { sign } => Some(sign),
            _ => None,
        };
        advice(list, MADE, source).into_iter().filter_map(sign).collect()
    };
    let crowdlog = sample::company();
    let source = ["P1004", "P1005", "00123"];
    assert_eq!(signs(&excel(&crowdlog), &source), [ExcelSign::ZerosGone { codes: codes(&["00123"]) }]);
    assert_eq!(signs(&read(&export(&crowdlog, Written::ShiftJis)).unwrap(), &source), []);

    let mut numbers = CrowdLog::new();
    for code in ["00001", "00002", "123456789012"] {
        numbers.add_member(Member::new(code, "名"));
    }
    let source = ["00001", "00002", "123456789012"];
    assert_eq!(
        signs(&excel(&numbers), &source),
        [
            ExcelSign::ZerosGone { codes: codes(&["00001", "00002"]) },
            ExcelSign::PowersOfTen { codes: codes(&["1.23457E+11"]) },
        ]
    );
    assert_eq!(signs(&read(&export(&numbers, Written::Utf8)).unwrap(), &source), []);
    // クラウドログ's codes are longer than the source's: nobody took zeros away.
    let list = read("社員コード\n0123\n0456\n".as_bytes()).unwrap();
    assert_eq!(signs(&list, &["123", "456"]), []);
}

#[test]
fn dates_that_excel_wrote_its_own_way_are_read() {
    let mut crowdlog = CrowdLog::new();
    let mut member = Member::new("P1", "名");
    (member.from, member.to) = (Some(date(2026, 4, 1)), Some(date(2026, 12, 31)));
    crowdlog.add_member(member);
    let file = crowdlog.export_members_through_excel(true, Written::ShiftJis, &MemberHeaders::default());
    let list = read(&file).unwrap();
    assert_eq!(said(&list), expected(&crowdlog));
    let member = &list.members[0];
    for (day, there) in
        [(date(2026, 3, 31), false), (date(2026, 4, 1), true), (date(2026, 12, 31), true), (date(2027, 1, 1), false)]
    {
        assert_eq!(member.is_there_on(day), there, "{day}");
    }
}

fn any_member() -> impl Strategy<Value = Member> {
    let day = || prop::option::of((2000_i16..2030, 1_i8..13, 1_i8..29).prop_map(|(y, m, d)| date(y, m, d)));
    ("[A-Z0-9 =+@,\"ア-ン一二髙]{0,4}[A-Z0-9,]", "[ぁ-んァ-ヶ一二髙 ,\"';]{0,6}", day(), day(), any::<bool>()).prop_map(
        |(code, name, one, other, active)| {
            let mut member = Member::new(&code, &name);
            let (from, to) = match (one, other) {
                (Some(one), Some(other)) => (Some(one.min(other)), Some(one.max(other))),
                days => days,
            };
            (member.from, member.to, member.active) = (from, to, active);
            member
        },
    )
}

proptest! {
    #[test]
    fn what_was_exported_is_read_back_in_every_encoding(
        members in prop::collection::vec(any_member(), 1..12),
        encoding in prop::sample::select(vec![Written::Utf8Bom, Written::Utf8, Written::ShiftJis]),
    ) {
        let mut crowdlog = CrowdLog::new();
        members.into_iter().for_each(|member| crowdlog.add_member(member));
        let list = read(&export(&crowdlog, encoding)).unwrap();
        prop_assert_eq!(list.faults.as_slice(), []);
        prop_assert_eq!(said(&list), expected(&crowdlog));
    }

    #[test]
    fn of_any_bytes_every_row_is_taken_or_told(
        rows in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..24), 0..8),
        format in prop::sample::select(vec![Encoding::Auto, Encoding::Utf8, Encoding::Cp932]),
    ) {
        let rows: Vec<Vec<u8>> = rows
            .into_iter()
            .map(|row| row.into_iter().filter(|byte| !matches!(*byte, b'"' | b'\r' | b'\n' | 0)).collect())
            .collect();
        let mut file = b"code,name\n".to_vec();
        for row in &rows {
            file.extend(row);
            file.push(b'\n');
        }
        let mut format = Format { encoding: format, ..Format::default() };
        (format.headers.code, format.headers.name) = ("code".to_owned(), "name".to_owned());
        let there = rows.iter().filter(|row| row.iter().any(|byte| *byte != b',')).count();
        match members::read(&file, &format, MADE) {
            Ok(list) => prop_assert_eq!(list.members.len() + list.faults.len(), there),
            Err(refusal) => prop_assert!(there == 0 && refusal == Refusal::Empty, "{:?}", refusal),
        }
    }
}
