//! What the rows are cut from: line ends made alike, a mark at the end, and a bound on how much is read for one row.

use std::io::{self, Cursor, Read};

/// Stands by itself on a line behind the last one. A quotation mark without its other half swallows all that follows: then this
/// is swallowed too, and the loss is seen.
pub(super) const END: &[u8] = b"\x00end of the file\x00";

/// Reads no more than so many bytes without being told that a row has ended. `\r\n` and `\r` become `\n`, so that lines count
/// as people see them whichever system wrote the file. Neither byte is ever part of a character in UTF-8 or CP932.
pub(super) struct Bounded<R> {
    input: R,
    most: usize,
    taken: usize,
    after_return: bool,
    open_line: bool,
    end: Option<Cursor<Vec<u8>>>,
}

impl<R> Bounded<R> {
    pub(super) fn new(input: R, most: usize) -> Self {
        Self { input, most, taken: 0, after_return: false, open_line: false, end: None }
    }

    /// A row has ended.
    pub(super) fn next_row(&mut self) {
        self.taken = 0;
    }

    /// Whether the bound was the reason why reading ended.
    pub(super) fn is_over(&self) -> bool {
        self.taken > self.most
    }

    /// Makes line ends alike in place; answers how many bytes are left.
    fn even(&mut self, bytes: &mut [u8]) -> usize {
        let mut kept = 0;
        for at in 0..bytes.len() {
            let byte = bytes[at];
            let second_half = byte == b'\n' && self.after_return;
            self.after_return = byte == b'\r';
            if !second_half {
                bytes[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
        }
        kept
    }
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.is_over() {
                return Err(io::Error::other("a row has no end"));
            }
            if let Some(end) = &mut self.end {
                return end.read(buffer);
            }
            let count = self.input.read(buffer)?;
            self.taken += count;
            let kept = self.even(&mut buffer[..count]);
            if count == 0 {
                let line_end: &[u8] = if self.open_line { b"\n" } else { b"" };
                self.end = Some(Cursor::new([line_end, END, b"\n"].concat()));
            } else if kept > 0 {
                self.open_line = buffer[kept - 1] != b'\n';
                return Ok(kept);
            }
        }
    }
}
