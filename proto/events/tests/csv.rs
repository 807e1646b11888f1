//! Reading files of employees: what is taken, what is a fault where, and what refuses a whole file.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::io::{self, Read};

use encoding_rs::SHIFT_JIS;
use jiff::Timestamp;
use proptest::prelude::*;
use renkei_events::codes::Code;
use renkei_events::csv::{
    self, Columns, Constants, Encoding, Field, MOST_ROWS, Person, Reader, Refusal, Row, RowFault,
};
use renkei_events::event::Change;
use renkei_events::ids::{ConnectionId, EmployeeId, EmployeeNumber, UploadId, Version};
use renkei_events::parse;
use renkei_events::record::{DataEntryState, EmployeeRecord, EmployeeStatus};
use serde_json::json;

fn uploaded() -> Timestamp {
    "2026-04-01T00:00:05Z".parse().unwrap()
}

/// A file, read to its end.
#[derive(Debug)]
struct File {
    encoding: Option<Encoding>,
    rows: Vec<Row>,
    faults: Vec<RowFault>,
    seen: u64,
}

fn read_from(input: impl Read, columns: &Columns) -> Result<File, Refusal> {
    let mut reader = Reader::open(input, columns, uploaded())?;
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for reading in &mut reader {
        match reading? {
            Ok(row) => rows.push(row),
            Err(found) => faults.extend(found),
        }
    }
    Ok(File { encoding: reader.encoding(), rows, faults, seen: reader.rows() })
}

fn read(file: &[u8]) -> Result<File, Refusal> {
    read_from(file, &Columns::default())
}

/// Faults as `line column code`.
fn told(faults: &[RowFault]) -> Vec<String> {
    faults
        .iter()
        .map(|fault| format!("{} {} {}", fault.line, fault.column.as_deref().unwrap_or("-"), fault.code))
        .collect()
}

fn record_of(row: &Row) -> EmployeeRecord {
    let id = match &row.person {
        Person::Known { id, .. } => id.clone(),
        Person::Numbered(number) => csv::id_of_number(number).unwrap(),
    };
    row.clone().record(id, None, &Constants::usual(), uploaded()).unwrap()
}

/// A whole record as a sender of JSON would write it.
fn hanako() -> EmployeeRecord {
    let record = json!({
        "employee_id": "rm_01J8ZC3", "employee_number": "0012", "employee_status": "active",
        "data_entry_state": "completed", "last_name": "髙橋", "first_name": "花子", "last_name_kana": "タカハシ",
        "first_name_kana": "ハナコ", "business_name": "山本 花子", "business_name_kana": "ヤマモト ハナコ", "gender": "女性",
        "birthday": "1990-02-28", "hire_date": "2026-04-01", "employment_type": "正社員",
        "department": {"code": "D100", "name": "開発部"}, "email": "hanako@example.com",
        "updated_at": "2026-04-01T09:00:00+09:00",
    });
    parse::record(&record, uploaded()).unwrap()
}

const HEADER: &str = "従業員ID,社員番号,従業員ステータス,状況,姓,名,姓(ヨミガナ),名(ヨミガナ),ビジネスネーム,ビジネスネーム(ヨミガナ),\
    性別,生年月日,入社日,退職日,雇用形態,部署コード,部署,メールアドレス,更新日時";
const HANAKO: &str = "rm_01J8ZC3,0012,在籍,データ入力完了,髙橋,花子,タカハシ,ハナコ,山本 花子,ヤマモト ハナコ,\
    女性,1990/2/28,2026/04/01,,正社員,D100,開発部,hanako@example.com,2026/04/01 9:00";

#[test]
fn a_whole_row_is_the_record_that_a_webhook_would_bring() {
    let text = format!("{HEADER}\r\n{HANAKO}\r\n");
    let marked = format!("\u{feff}{text}");
    for (bytes, encoding) in [
        (text.as_bytes().to_vec(), Encoding::Utf8),
        (marked.into_bytes(), Encoding::Utf8),
        (SHIFT_JIS.encode(&text).0.into_owned(), Encoding::Cp932),
    ] {
        let file = read(&bytes).unwrap();
        assert_eq!((file.encoding, file.seen, told(&file.faults)), (Some(encoding), 1, vec![]));
        assert_eq!(record_of(&file.rows[0]), hanako());
    }
}

/// What can be wrong with a file, each with what comes of it.
#[test]
fn every_bad_input_has_its_own_outcome() {
    let people = "社員番号,姓,名\nE1,髙橋,花子\n";
    let wide: String = (0..57).map(|column| format!(",列{column}")).collect();
    let cells = ",x".repeat(57);
    let refused: Vec<(&str, Vec<u8>, Code)> = vec![
        ("nothing", vec![], Code::CsvEmpty),
        ("a mark and nothing", vec![0xef, 0xbb, 0xbf], Code::CsvEmpty),
        ("line ends", b"\r\n\r\n\r\n".to_vec(), Code::CsvEmpty),
        ("a header line and nothing", "社員番号,姓\r\n".into(), Code::CsvEmpty),
        ("rows of nothing", "社員番号,姓\r\n,\r\n,\r\n".into(), Code::CsvEmpty),
        ("a wrong header line", "氏名,住所\n髙橋,東京\n".into(), Code::CsvHeaderUnknown),
        ("no header line", "E1,髙橋,花子\nE2,田中,一郎\n".into(), Code::CsvHeaderUnknown),
        ("another separator", "社員番号;姓\nE1;髙橋\n".into(), Code::CsvHeaderUnknown),
        ("a column twice", "社員番号,姓,社員番号\nE1,髙橋,E1\n".into(), Code::CsvColumnTwice),
        ("two names of a column", "社員番号,部署,部署名\nE1,開発部,開発部\n".into(), Code::CsvColumnTwice),
        ("a workbook", b"PK\x03\x04\x14\x00\x06\x00".to_vec(), Code::CsvNotText),
        ("an old workbook", vec![0xd0, 0xcf, 0x11, 0xe0, 0xa1], Code::CsvNotText),
        (
            "UTF-16",
            people.encode_utf16().fold(vec![0xff, 0xfe], |bytes, unit| [bytes, unit.to_le_bytes().to_vec()].concat()),
            Code::CsvNotText,
        ),
        ("UTF-16 without a mark", people.encode_utf16().flat_map(u16::to_be_bytes).collect(), Code::CsvNotText),
        ("bytes", vec![0x81, 0x00, 0xff, 0xfe, 0x0a, 0x80], Code::CsvNotText),
        (
            "a quotation mark without its other half",
            format!("社員番号,姓\nE1,\"髙橋\n{}", "E2,田中\n".repeat(60_000)).into(),
            Code::CsvOpenQuote,
        ),
        ("the same near the end", "社員番号,姓,備考\nE1,髙橋,\"一\nE2,田中,二\n".into(), Code::CsvOpenQuote),
        ("the same in the header line", "社員番号,\"姓\nE1,髙橋\n".into(), Code::CsvOpenQuote),
    ];
    for (what, bytes, code) in refused {
        assert_eq!(read(&bytes).map(|file| file.seen).map_err(|refusal| refusal.code()), Err(code), "{what}");
    }
    let cp932 = |text: &str| SHIFT_JIS.encode(text).0.into_owned();
    let taken: Vec<(&str, Vec<u8>, usize, &[&str])> = vec![
        ("60 columns", format!("社員番号,姓,名{wide}\nE1,髙橋,花子{cells}\n").into(), 1, &[]),
        ("a formula", "社員番号,姓,名\nE1,=cmd|' /C calc'!A0,@SUM(A1)\n".into(), 1, &[]),
        ("line ends in a cell that is passed over", "社員番号,姓,備考\nE1,髙橋,\"一\n二\r\n三\"\nE2,田中,\n".into(), 2, &[]),
        ("line ends in a cell", "社員番号,姓\nE1,\"髙\n橋\"\nE2,田中\n".into(), 1, &["2 姓 source.control_character"]),
        ("the header line twice", format!("{people}社員番号,姓,名\nE2,田中,一郎\n").into(), 2, &["3 - csv.header_repeated"]),
        ("rows between two quotation marks", "社員番号,姓,備考\nE1,髙橋,\"一\nE2,田中,二\nE3,佐藤,三\"\nE4,鈴木,四\n".into(), 1,
            &["2 - csv.open_quote"]),
        ("a cell too few and too many", format!("{people}E2,田中\nE3,佐藤,一,郎\nE4,鈴木,次郎\n").into(), 2,
            &["3 - csv.cell_count", "4 - csv.cell_count"]),
        ("CP932 in UTF-8", [people.as_bytes(), &cp932("E2,田中,一郎\n"), "E3,佐藤,三郎\n".as_bytes()].concat(), 2,
            &["3 姓 csv.encoding"]),
        ("UTF-8 in CP932", [cp932(people), "E2,田中,一郎\n".into(), cp932("E3,佐藤,三郎\n")].concat(), 2,
            &["3 姓 csv.encoding"]),
        ("no number", "社員番号,従業員ID,姓\n,,髙橋\n,rm_1,田中\n".into(), 1, &["2 社員番号 source.required"]),
        ("bad values", "社員番号,状況,従業員ステータス,生年月日,更新日時,姓\n E1,,在籍,1990/02/30,昨日,あいうえおかきくけこさしすせそたちつてとなにぬねのはひふへほまみむめもやゆよらりるれろわをんあいうえお\nE2,データ入力完了,在籍,,2026-04-03T00:00:00Z,髙橋\n".into(), 0,
            &["2 社員番号 source.blank_at_ends", "2 更新日時 source.timestamp", "2 状況 source.required",
              "2 姓 source.too_long", "2 生年月日 source.date", "3 更新日時 source.updated_at_in_future"]),
        ("blank lines", "社員番号,姓\n\nE1,髙橋\n\n\n,\nE2,田中\nE3,佐藤,x\n\n\nE4\n".into(), 2,
            &["8 - csv.cell_count", "11 - csv.cell_count"]),
        ("line ends of an old system", "社員番号,姓\rE1,髙橋\rE2\r\rE3,佐藤\r".into(), 2, &["3 - csv.cell_count"]),
    ];
    for (what, bytes, rows, faults) in taken {
        let file = read(&bytes).unwrap_or_else(|refusal| panic!("{what}: {refusal}"));
        assert_eq!(
            (file.rows.len(), told(&file.faults)),
            (rows, faults.iter().map(|fault| (*fault).to_owned()).collect()),
            "{what}"
        );
    }
}

/// A file that never ends, and remembers how much of it was read.
struct Endless {
    header: io::Cursor<Vec<u8>>,
    next: u64,
    rest: Vec<u8>,
    read: u64,
}

impl Read for &mut Endless {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut count = self.header.read(buffer)?;
        if count == 0 {
            if self.rest.is_empty() {
                self.next += 1;
                self.rest = format!("E{:06},髙橋,花子\n", self.next).into_bytes();
            }
            count = self.rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&self.rest[..count]);
            self.rest.drain(..count);
        }
        self.read += count as u64;
        Ok(count)
    }
}

#[test]
fn a_file_with_too_many_rows_is_read_no_further_than_the_first_row_too_many() {
    let header = io::Cursor::new("社員番号,姓,名\n".as_bytes().to_vec());
    let mut endless = Endless { header, next: 0, rest: Vec::new(), read: 0 };
    assert_eq!(read_from(&mut endless, &Columns::default()).map(|file| file.seen), Err(Refusal::TooManyRows));
    assert!(endless.next <= MOST_ROWS + 5_000, "{} rows were read", endless.next);
    let rows: String = (1..=MOST_ROWS).map(|row| format!("E{row},髙橋\n")).collect();
    assert_eq!(read(format!("社員番号,姓\n{rows}").as_bytes()).unwrap().seen, MOST_ROWS);
}

#[test]
fn columns_are_known_by_their_labels_whatever_width_and_by_the_names_of_the_connection() {
    let own: BTreeMap<String, Option<Field>> = [
        ("社員コード".to_owned(), Some(Field::EmployeeNumber)),
        ("苗字".to_owned(), Some(Field::LastName)),
        ("姓".to_owned(), None),
    ]
    .into();
    let columns = Columns::new(&own);
    let cases = [
        ("社員番号", Some(Field::EmployeeNumber)),
        (" 社員番号　", Some(Field::EmployeeNumber)),
        ("社員コード", Some(Field::EmployeeNumber)),
        ("社員ｺｰﾄﾞ", None),
        ("苗字", Some(Field::LastName)),
        ("姓", None),
        ("姓（ヨミガナ）", Some(Field::LastNameKana)),
        ("姓 (ヨミガナ)", Some(Field::LastNameKana)),
        ("従業員ＩＤ", Some(Field::EmployeeId)),
        ("従業員id (内部ID)", Some(Field::EmployeeId)),
        ("Employee_Number", Some(Field::EmployeeNumber)),
        ("部署", Some(Field::DepartmentName)),
        ("備考", None),
        ("", None),
    ];
    for (name, field) in cases {
        assert_eq!(columns.field(name), field, "{name}");
    }
    let every: Vec<&str> = Field::ALL.iter().map(|field| field.label()).collect();
    let file = format!("{},備考,\n{}\n", every.join(","), ",".repeat(every.len()));
    let reader = Reader::open(file.as_bytes(), &Columns::default(), uploaded()).unwrap();
    assert_eq!(reader.header().used().map(|(_, field)| field).collect::<Vec<_>>(), Field::ALL);
    assert_eq!(reader.header().ignored().collect::<Vec<_>>(), ["備考", ""]);
}

#[test]
fn an_absent_column_keeps_what_is_known_and_an_empty_cell_takes_it_away() {
    let file = read("社員番号,性別,入社日,部署コード\n0012,,2026/05/01,D200\n".as_bytes()).unwrap();
    let row = file.rows[0].clone();
    let record = row.record(hanako().employee_id, Some(hanako()), &Constants::usual(), uploaded()).unwrap();
    let mut expected = hanako();
    expected.gender = None;
    expected.hire_date = Some(jiff::civil::date(2026, 5, 1));
    expected.department.as_mut().unwrap().code = Some("D200".to_owned());
    expected.updated_at = uploaded();
    assert_eq!(record, expected, "the constants stand behind what is known");
}

#[test]
fn a_constant_stands_for_a_column_that_is_missing_and_nobody_knows() {
    let file = read("社員番号,状況\nE1,確認待ち\n".as_bytes()).unwrap();
    let row = &file.rows[0];
    assert_eq!(row.lacks(None), [Field::EmployeeStatus]);
    assert_eq!(row.lacks(Some(&hanako())), []);
    let id = EmployeeId::new("n:E1").unwrap();
    let made = |constants: &Constants| row.clone().record(id.clone(), None, constants, uploaded());
    assert_eq!(made(&Constants::default()), Err(Field::EmployeeStatus));
    let record = made(&Constants::usual()).unwrap();
    assert_eq!(record.employee_status, EmployeeStatus::Active);
    assert_eq!(record.data_entry_state, DataEntryState::AwaitingReview, "the column is there");
    assert!(!record.is_eligible());
}

#[test]
fn a_row_without_an_id_stands_under_its_number_and_zeros_stay() {
    let file = read("社員番号\n0012\n12\n".as_bytes()).unwrap();
    let ids: Vec<String> = file.rows.iter().map(|row| record_of(row).employee_id.to_string()).collect();
    assert_eq!(ids, ["n:0012", "n:12"]);
    let longest = EmployeeNumber::new("番".repeat(EmployeeNumber::LONGEST)).unwrap();
    assert!(csv::id_of_number(&longest).is_ok());
}

#[test]
fn an_event_names_its_upload_and_its_line() {
    let (connection, upload) = (ConnectionId::new("c1").unwrap(), UploadId::new("up_1").unwrap());
    let event = csv::event(&connection, &upload, 7, Change::Updated, hanako(), uploaded()).unwrap();
    assert_eq!(event.event_id.as_str(), "csv/up_1/7");
    assert_eq!(event.key(), "c1/rm_01J8ZC3");
    assert_eq!(event.version, Version(hanako().updated_at.as_microsecond()));
    assert_eq!(csv::upload_of(&event), Some((upload, 7)));
    let brought = renkei_events::event::EmployeeEvent { origin: renkei_events::event::Origin::Webhook, ..event };
    assert_eq!(csv::upload_of(&brought), None, "a sender may call its event so, too");
}

#[test]
fn debug_output_of_a_row_names_nobody() {
    let file = read(format!("{HEADER}\n{HANAKO}\n").as_bytes()).unwrap();
    let shown = format!("{:#?}", file.rows);
    assert!(shown.contains("rm_01J8ZC3"), "{shown}");
    for needle in ["髙橋", "花子", "1990", "女性", "example.com"] {
        assert!(!shown.contains(needle), "{shown}");
    }
}

#[test]
fn eligible_is_who_the_manual_says() {
    for (status, state, eligible) in [
        ("在籍", "データ入力完了", true),
        ("休職", "データ入力完了", true),
        ("内定", "データ入力完了", true),
        ("出向中", "データ入力完了", true),
        ("応募者", "データ入力完了", false),
        ("退職", "データ入力完了", false),
        ("在籍", "データ入力中", false),
        ("在籍", "不明な値", false),
    ] {
        let file = read(format!("社員番号,従業員ステータス,状況\nE1,{status},{state}\n").as_bytes()).unwrap();
        assert_eq!(record_of(&file.rows[0]).is_eligible(), eligible, "{status} {state}");
    }
    let numberless = EmployeeRecord { employee_number: None, ..hanako() };
    assert!(!numberless.is_eligible());
}

/// Hands out a few bytes at a time.
struct Dribble<'a> {
    bytes: &'a [u8],
    step: usize,
}

impl Read for Dribble<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.step.min(buffer.len()).min(self.bytes.len());
        buffer[..count].copy_from_slice(&self.bytes[..count]);
        self.bytes = &self.bytes[count..];
        Ok(count)
    }
}

/// Text that both encodings can write, as it may stand in a cell. Half-width katakana stand by themselves, as in readings.
fn cell() -> impl Strategy<Value = String> {
    let of = |letters: &str| {
        let letters = prop::sample::select(letters.chars().collect::<Vec<_>>());
        proptest::collection::vec(letters, 1..12).prop_map(|letters| letters.into_iter().collect::<String>())
    };
    let text = prop_oneof![of("あア亜髙﨑邉邊斎縺ー 　,\"=+-@'aZ09０Ａ（）～￥"), of("ﾐｶｱﾊｯﾄﾘﾞﾟｰ･ ,\"-")];
    text.prop_filter("no blank ends", |text| text.trim() == text)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_was_written_is_read_in_every_encoding_and_however_it_arrives(
        people in proptest::collection::vec((cell(), cell(), cell()), 1..20),
        step in 1_usize..50,
        marked: bool,
    ) {
        let mut writer = ::csv::Writer::from_writer(Vec::new());
        writer.write_record(["社員番号", "姓", "名", "備考"]).unwrap();
        for (at, (number, last, first)) in people.iter().enumerate() {
            writer.write_record([format!("{at}{number}"), last.clone(), first.clone(), "一\n二".to_owned()]).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let utf8 = if marked { format!("\u{feff}{text}") } else { text.clone() }.into_bytes();
        let (cp932, _, lost) = SHIFT_JIS.encode(&text);
        prop_assert!(!lost);
        for bytes in [utf8, cp932.into_owned()] {
            let file = read_from(Dribble { bytes: &bytes, step }, &Columns::default()).unwrap();
            prop_assert_eq!(told(&file.faults), Vec::<String>::new());
            prop_assert_eq!(file.rows.len(), people.len());
            for ((at, (number, last, first)), row) in people.iter().enumerate().zip(&file.rows) {
                let record = record_of(row);
                prop_assert_eq!(record.employee_number.map(String::from), Some(format!("{at}{number}")));
                prop_assert_eq!(record.last_name.as_deref(), Some(last.as_str()));
                prop_assert_eq!(record.first_name.as_deref(), Some(first.as_str()));
            }
        }
    }

    #[test]
    fn any_bytes_are_read_to_an_end_and_every_row_is_told_of(
        start in prop::sample::select(vec!["", "社員番号,姓,生年月日\n", "従業員ID,社員番号,更新日時\r\n"]),
        bytes in proptest::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"\",\n\r0aE\x82\xb1\xe3\x81".to_vec())], 0..400),
    ) {
        let whole = [start.as_bytes(), &bytes].concat();
        if let Ok(file) = read(&whole) {
            let faulty: std::collections::BTreeSet<u64> = file.faults.iter().map(|fault| fault.line).collect();
            prop_assert_eq!(file.rows.len() + faulty.len(), usize::try_from(file.seen).unwrap());
            let lines = whole.iter().filter(|byte| matches!(**byte, b'\n' | b'\r')).count() as u64 + 1;
            prop_assert!(faulty.iter().chain(file.rows.iter().map(|row| &row.line)).all(|line| (1..=lines).contains(line)));
        }
    }
}
