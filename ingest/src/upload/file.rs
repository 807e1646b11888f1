//! A file as it was read: its good rows, and what is wrong with the others.

use std::io::Read;

use jiff::Timestamp;
use renkei_events::csv::{Columns, Encoding, Field, Reader, Refusal, Row, RowFault};

/// How many faults are listed.
pub(super) const MOST_LISTED: usize = 1_000;

/// A file. Of at most 50,000 rows only the columns that are read are kept.
#[derive(Debug)]
pub struct File {
    /// The encoding, unless it is all ASCII.
    pub(super) encoding: Option<Encoding>,
    /// The columns that are read, and the field of each.
    pub(super) columns: Vec<(String, Field)>,
    /// The names of the columns that are passed over.
    pub(super) ignored: Vec<String>,
    /// The good rows, in the order of the file.
    pub(super) rows: Vec<Row>,
    /// The first faults.
    pub(super) faults: Vec<RowFault>,
    /// How many rows have faults.
    pub(super) faulty: u64,
    /// How many rows there are.
    pub(super) seen: u64,
}

impl File {
    /// Reads a file to its end.
    ///
    /// # Errors
    /// When nothing of it can be taken.
    pub fn read(input: impl Read, columns: &Columns, received_at: Timestamp) -> Result<Self, Refusal> {
        let mut reader = Reader::open(input, columns, received_at)?;
        let (mut rows, mut faults, mut faulty) = (Vec::new(), Vec::new(), 0);
        for reading in &mut reader {
            match reading? {
                Ok(row) => rows.push(row),
                Err(found) => {
                    faulty += 1;
                    let room = MOST_LISTED.saturating_sub(faults.len());
                    faults.extend(found.into_iter().take(room));
                }
            }
        }
        Ok(Self {
            encoding: reader.encoding(),
            columns: reader.header().used().map(|(name, field)| (name.to_owned(), field)).collect(),
            ignored: reader.header().ignored().filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            seen: reader.rows(),
            rows,
            faults,
            faulty,
        })
    }
}
