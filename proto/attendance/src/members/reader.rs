//! From bytes to members.

use csv::ByteRecord;
use encoding_rs::SHIFT_JIS;
use jiff::civil::Date;

use super::columns::{Column, Places};
use super::{Encoding, Fault, FaultKind, Format, List, Member, Name, Refusal};
use crate::codes::{Code, folded};

const MARK: &[u8] = b"\xEF\xBB\xBF";
/// How files begin that are no text that is read: ZIP (so .xlsx), old Excel, UTF-16.
const NOT_TEXT: [&[u8]; 4] = [b"PK\x03\x04", &[0xd0, 0xcf, 0x11, 0xe0], &[0xff, 0xfe], &[0xfe, 0xff]];

/// Reads a list that was exported on the day `made`. Rows that can not be taken are told, the others go through.
///
/// # Errors
/// [`Refusal`] when nothing of it can be taken.
pub fn read(file: &[u8], format: &Format, made: Date) -> Result<List, Refusal> {
    if NOT_TEXT.iter().any(|mark| file.starts_with(mark)) || file.contains(&0) {
        return Err(Refusal::NotText);
    }
    let marked = file.strip_prefix(MARK);
    let even = with_even_lines(marked.unwrap_or(file));
    // No byte of a character of UTF-8 or CP932 is a comma, a quotation mark or the end of a line, so rows are cut before anything
    // is decoded.
    let mut input = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(even.as_slice());
    let mut record = ByteRecord::new();
    if !input.read_byte_record(&mut record).map_err(|_| Refusal::NotText)? {
        return Err(Refusal::Empty);
    }
    let encoding = match format.encoding {
        _ if marked.is_some() => Encoding::Utf8,
        Encoding::Auto => guess(&record, &even),
        said => said,
    };
    let names: Option<Vec<String>> = record.iter().map(|cell| decode(encoding, cell)).collect();
    let places = Places::find(&names.ok_or(Refusal::NotText)?, &format.headers)?;
    let missing = Column::ALL.into_iter().filter(|column| !places.is_there(*column)).collect();
    let mut list = List { made, members: Vec::new(), faults: Vec::new(), missing, encoding };
    let rows = Rows { places, format, encoding };
    let mut count = 0;
    while input.read_byte_record(&mut record).map_err(|_| Refusal::NotText)? {
        // Spreadsheets leave such rows at the end.
        if record.iter().all(<[u8]>::is_empty) {
            continue;
        }
        count += 1;
        if count > format.most_rows {
            return Err(Refusal::TooManyRows(format.most_rows));
        }
        let line = line(&record, &even);
        match rows.member(&record, line) {
            Ok(member) => list.members.push(member),
            Err((column, kind)) => list.faults.push(Fault { line, column, kind }),
        }
    }
    if count == 0 { Err(Refusal::Empty) } else { Ok(list) }
}

/// The line on which a row begins: empty lines before it are counted to it when it is read.
fn line(record: &ByteRecord, file: &[u8]) -> u64 {
    let Some(position) = record.position() else { return 0 };
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let empty = file.iter().skip(start).take_while(|byte| **byte == b'\n').count();
    position.line() + u64::try_from(empty).unwrap_or_default()
}

/// `\r\n` and `\r` become `\n`, and the last line has an end, so that lines count as people see them.
fn with_even_lines(bytes: &[u8]) -> Vec<u8> {
    let mut even = Vec::with_capacity(bytes.len() + 1);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if at > 0 && bytes.get(at - 1) == Some(&b'\r') => {}
            b'\r' => even.push(b'\n'),
            byte => even.push(*byte),
        }
    }
    if !even.ends_with(b"\n") {
        even.push(b'\n');
    }
    even
}

/// The header decides, or all of the file when its header is plain ASCII.
fn guess(header: &ByteRecord, file: &[u8]) -> Encoding {
    let says = if header.as_slice().is_ascii() { file } else { header.as_slice() };
    if std::str::from_utf8(says).is_ok() { Encoding::Utf8 } else { Encoding::Cp932 }
}

fn decode(encoding: Encoding, cell: &[u8]) -> Option<String> {
    if encoding == Encoding::Cp932 {
        let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(cell)?;
        // Characters of one's own making mean something on that one machine only.
        let made_up = |c: char| ('\u{e000}'..='\u{f8ff}').contains(&c) || ('\u{80}'..='\u{9f}').contains(&c);
        return (!text.contains(made_up)).then(|| text.into_owned());
    }
    std::str::from_utf8(cell).ok().map(str::to_owned)
}

/// The column of a fault, and what it is.
type Wrong = (Option<String>, FaultKind);

struct Rows<'f> {
    places: Places,
    format: &'f Format,
    encoding: Encoding,
}

impl Rows<'_> {
    fn member(&self, record: &ByteRecord, line: u64) -> Result<Member, Wrong> {
        if record.iter().any(|cell| holds_rows(cell, self.places.width)) {
            return Err((None, FaultKind::OpenQuote));
        }
        if record.len() != self.places.width {
            return Err((None, FaultKind::CellCount));
        }
        let own_text = self.cell(record, Column::Code)?.unwrap_or_default();
        let code = Code::new(&own_text).map_err(|_| self.wrong(Column::Code, FaultKind::NoCode))?;
        let name = self.cell(record, Column::Name)?.and_then(|text| Name::new(&text));
        let (first, last) = (self.date(record, Column::First)?, self.date(record, Column::Last)?);
        if let (Some(first), Some(last)) = (first, last)
            && last < first
        {
            return Err(self.wrong(Column::Last, FaultKind::PeriodReversed));
        }
        let active = self.active(record)?;
        Ok(Member { code, own_text, name, first, last, active, line })
    }

    fn wrong(&self, column: Column, kind: FaultKind) -> Wrong {
        (self.places.of(column).map(|(_, name)| name.to_owned()), kind)
    }

    /// The text of a cell; `None` when the list has no such column.
    fn cell(&self, record: &ByteRecord, column: Column) -> Result<Option<String>, Wrong> {
        let Some((place, _)) = self.places.of(column) else { return Ok(None) };
        let text = decode(self.encoding, record.get(place).unwrap_or_default());
        text.map(Some).ok_or_else(|| self.wrong(column, FaultKind::Encoding))
    }

    fn date(&self, record: &ByteRecord, column: Column) -> Result<Option<Date>, Wrong> {
        let text = self.cell(record, column)?.unwrap_or_default();
        match text.trim() {
            "" => Ok(None),
            text => date(text).map(Some).ok_or_else(|| self.wrong(column, FaultKind::Date)),
        }
    }

    fn active(&self, record: &ByteRecord) -> Result<bool, Wrong> {
        let Some(text) = self.cell(record, Column::Active)? else { return Ok(true) };
        let text = folded(&text);
        let is_one_of = |words: &[String]| words.iter().any(|word| folded(word) == text);
        match (is_one_of(&self.format.active), is_one_of(&self.format.inactive)) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => Err(self.wrong(Column::Active, FaultKind::Active)),
        }
    }
}

/// Whether a cell seems to have swallowed rows, because a quotation mark has no other half.
fn holds_rows(cell: &[u8], width: usize) -> bool {
    let cells = |line: &[u8]| line.iter().filter(|byte| **byte == b',').count() + 1;
    width > 2 && cell.contains(&b'\n') && cell.split(|byte| *byte == b'\n').any(|line| cells(line) == width)
}

/// `2026-04-01`, `2026/04/01` or, as Excel writes it, `2026/4/1`.
fn date(text: &str) -> Option<Date> {
    let mark = text.get(4..5).filter(|mark| matches!(*mark, "-" | "/"))?;
    let parts: Vec<&str> = text.split(mark).collect();
    let [year, month, day] = parts.as_slice() else { return None };
    let digits = |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if !(digits(year, 4) && digits(month, 2) && digits(day, 2)) {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
}
