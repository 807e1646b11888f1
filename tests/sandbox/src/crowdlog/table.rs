//! A file's bytes into header and rows.

use super::result::FileError;
use super::settings::{LineEnds, Settings};

/// The columns that every file needs.
pub(super) const NEEDED: [&str; 4] = ["社員コード", "年月日", "出社", "退社"];
/// The columns that a file may have.
const OPTIONAL: [&str; 3] = ["休憩詳細", "日報", "ステータス"];

/// A file with a good header.
#[derive(Debug)]
pub(super) struct Table {
    header: Vec<String>,
    /// The cells of each row.
    pub(super) rows: Vec<csv::StringRecord>,
}

impl Table {
    /// Reads a file.
    pub(super) fn read(bytes: &[u8], settings: &Settings) -> Result<Self, FileError> {
        let text = settings.encoding.text(bytes).ok_or(FileError::Encoding)?;
        if settings.line_ends == LineEnds::CrLf && !has_good_ends(&text) {
            return Err(FileError::LineEnds);
        }
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
        let mut rows = reader.records();
        let header = match rows.next() {
            Some(Ok(header)) => header.iter().map(str::to_owned).collect::<Vec<_>>(),
            _ => return Err(FileError::NoHeader),
        };
        check(&header, settings)?;
        let rows: Result<Vec<_>, _> = rows.collect();
        let rows = rows.map_err(|_| FileError::Encoding)?;
        if settings.most_rows > 0 && rows.len() > settings.most_rows {
            return Err(FileError::TooManyRows { rows: rows.len(), most: settings.most_rows });
        }
        Ok(Self { header, rows })
    }

    /// How many columns there are.
    pub(super) fn width(&self) -> usize {
        self.header.len()
    }

    /// The cell of a row under a header; `None` when the file has no such column.
    pub(super) fn cell<'r>(&self, row: &'r csv::StringRecord, header: &str) -> Option<&'r str> {
        row.get(self.header.iter().position(|known| known == header)?)
    }
}

/// Whether all ends of lines outside of quotes are CR and LF.
fn has_good_ends(text: &str) -> bool {
    let (mut quoted, mut before) = (false, ' ');
    for letter in text.chars() {
        if !quoted && (letter == '\n') != (before == '\r') {
            return false;
        }
        if letter == '"' {
            quoted = !quoted;
        }
        // A quoted CR is the cell's own.
        before = if quoted { ' ' } else { letter };
    }
    before != '\r'
}

fn check(header: &[String], settings: &Settings) -> Result<(), FileError> {
    let leave = settings.leave_columns.iter().filter(|_| settings.leave_in_use).map(|column| column.header.as_str());
    let known: Vec<&str> = NEEDED.into_iter().chain(OPTIONAL).chain(leave).collect();
    for (place, name) in header.iter().enumerate() {
        if !known.contains(&name.as_str()) {
            return Err(FileError::UnknownHeader(name.clone()));
        }
        if header.iter().take(place).any(|earlier| earlier == name) {
            return Err(FileError::RepeatedHeader(name.clone()));
        }
    }
    let missing = NEEDED.into_iter().find(|needed| !header.iter().any(|name| name == needed));
    missing.map_or(Ok(()), |missing| Err(FileError::MissingHeader(missing)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_with_both_outside_of_quotes() {
        for (text, good) in [
            ("a,b\r\nc,d\r\n", true),
            ("a,b\r\nc,d", true),
            ("", true),
            ("a,\"b\nc\"\r\n", true),
            ("a,\"b\r\nc\"\r\n", true),
            ("a,\"b\"\"\n\"\r\n", true),
            ("a,b\nc,d\n", false),
            ("a,b\rc,d\r", false),
            ("a,b\r\nc,d\n", false),
            ("a,b\r\r\nc,d\r\n", false),
            ("a,\"b\"\nc,d\r\n", false),
            ("a,\"b\r\"\n", false),
        ] {
            assert_eq!(has_good_ends(text), good, "{text:?}");
        }
    }
}
