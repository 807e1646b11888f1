//! Going through a file row by row.

use std::io::{Chain, Cursor, Read};

use csv::ByteRecord;
use jiff::Timestamp;

use super::bounded::{Bounded, END};
use super::columns::{Columns, Header};
use super::row::Row;
use super::text::{Decoder, Encoding};
use super::{LARGEST_ROW_BYTES, MOST_ROWS, Refusal, RowFault};
use crate::codes::Code;

/// How much is read ahead.
const AHEAD_BYTES: usize = 64 * 1024;

/// The marks at the start of a UTF-8 text, and of what is no text that we read.
const UTF8_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
const NOT_TEXT: [&[u8]; 4] = [b"PK\x03\x04", &[0xd0, 0xcf, 0x11, 0xe0], &[0xff, 0xfe], &[0xfe, 0xff]];

type Input<R> = Bounded<Chain<Cursor<Vec<u8>>, R>>;

/// A file that is being read. After a [`Refusal`] nothing more comes.
pub struct Reader<R> {
    input: csv::Reader<Input<R>>,
    decoder: Decoder,
    header: Header,
    received_at: Timestamp,
    record: ByteRecord,
    rows: u64,
    blank: u64,
    over: bool,
}

impl<R> std::fmt::Debug for Reader<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("header", &self.header).field("rows", &self.rows).finish_non_exhaustive()
    }
}

/// What a row turned out to be: a state of a person, or what is wrong with it.
pub type Reading = Result<Row, Vec<RowFault>>;

impl<R: Read> Reader<R> {
    /// Reads the header line.
    ///
    /// # Errors
    /// When nothing of the file can be taken.
    pub fn open(mut input: R, columns: &Columns, received_at: Timestamp) -> Result<Self, Refusal> {
        let mut start = first_bytes(&mut input, 4)?;
        if NOT_TEXT.iter().any(|mark| start.starts_with(mark)) {
            return Err(Refusal::NotText);
        }
        let mut decoder = Decoder::default();
        if start.starts_with(&UTF8_MARK) {
            start.drain(..UTF8_MARK.len());
            decoder.decided = Some(Encoding::Utf8);
        }
        let mut input = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(AHEAD_BYTES)
            .from_reader(Bounded::new(Cursor::new(start).chain(input), LARGEST_ROW_BYTES + AHEAD_BYTES));
        let mut record = ByteRecord::new();
        if !next_record(&mut input, &mut record)? {
            return Err(Refusal::Empty);
        }
        let cells: Vec<&[u8]> = record.iter().collect();
        if cells.iter().any(|cell| cell.contains(&0)) {
            return Err(Refusal::NotText);
        }
        let names = decoder.row(&cells).map_err(|_| Refusal::NotText)?;
        let header = Header::read(names, columns)?;
        Ok(Self { input, decoder, header, received_at, record, rows: 0, blank: 0, over: false })
    }

    /// The header line.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The encoding, as far as anything decided it.
    #[must_use]
    pub fn encoding(&self) -> Option<Encoding> {
        self.decoder.decided
    }

    /// How many rows were read so far, good and bad ones; rows of empty cells are not among them.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows - self.blank
    }

    fn step(&mut self) -> Result<Option<Reading>, Refusal> {
        loop {
            if !next_record(&mut self.input, &mut self.record)? {
                return if self.rows() == 0 { Err(Refusal::Empty) } else { Ok(None) };
            }
            if self.rows == MOST_ROWS {
                return Err(Refusal::TooManyRows);
            }
            self.rows += 1;
            // Spreadsheets leave such rows at the end.
            if self.record.iter().all(<[u8]>::is_empty) {
                self.blank += 1;
                continue;
            }
            return Ok(Some(self.row()));
        }
    }

    /// The line on which the row begins that was read last. Counted back from where it ends: the parser counts empty lines
    /// before a row to the row.
    fn line(&self) -> u64 {
        let inside = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        self.input.position().line().saturating_sub(inside + 1).max(1)
    }

    fn row(&mut self) -> Reading {
        let line = self.line();
        let fault = |column: Option<&str>, code: Code| {
            vec![RowFault { line, column: column.map(str::to_owned), code, other_line: None }]
        };
        if self.record.len() != self.header.width() {
            return Err(fault(None, Code::CsvCellCount));
        }
        if self.record.iter().any(|cell| holds_rows(cell, self.header.width())) {
            return Err(fault(None, Code::CsvOpenQuote));
        }
        let places: Vec<usize> = self.header.places().map(|(at, _)| at).collect();
        let cells: Vec<&[u8]> = places.iter().filter_map(|at| self.record.get(*at)).collect();
        let texts = self.decoder.row(&cells).map_err(|at| {
            let place = places.get(at).copied().unwrap_or_default();
            fault(Some(self.header.name(place)), Code::CsvEncoding)
        })?;
        if self.header.used().map(|(name, _)| name).eq(texts.iter().map(String::as_str)) {
            return Err(fault(None, Code::CsvHeaderRepeated));
        }
        Row::read(line, &self.header, texts, self.received_at)
    }
}

impl<R: Read> Iterator for Reader<R> {
    type Item = Result<Reading, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.step().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}

/// Whether a cell seems to have swallowed rows: two quotation marks without their other halves, some rows apart.
fn holds_rows(cell: &[u8], width: usize) -> bool {
    let separators = |line: &[u8]| line.iter().filter(|byte| **byte == b',').count();
    width > 2 && cell.contains(&b'\n') && cell.split(|byte| *byte == b'\n').any(|line| separators(line) + 1 == width)
}

/// Up to `count` bytes from the start.
fn first_bytes(input: &mut impl Read, count: u64) -> Result<Vec<u8>, Refusal> {
    let mut start = Vec::new();
    input.take(count).read_to_end(&mut start).map_err(|_| Refusal::CutOff)?;
    Ok(start)
}

fn next_record<R: Read>(input: &mut csv::Reader<Input<R>>, record: &mut ByteRecord) -> Result<bool, Refusal> {
    input.get_mut().next_row();
    let line = input.position().line();
    match input.read_byte_record(record) {
        Ok(true) if record.as_slice() == END => Ok(false),
        Ok(true) if record.as_slice().trim_ascii_end().ends_with(END) => Err(Refusal::OpenQuote { line }),
        Ok(found) => Ok(found),
        Err(_) if input.get_ref().is_over() => Err(Refusal::OpenQuote { line }),
        // Uneven rows are taken, so all that is left is the input itself.
        Err(_) => Err(Refusal::CutOff),
    }
}
