//! In which encoding a file is, told from what stands in it.
//!
//! The first text that is not plain ASCII decides, most often the header line. From there on a row in the other encoding is
//! a fault of that row. CP932 reads much of what is UTF-8 without complaint, as characters that nobody wrote, so a row that is
//! good UTF-8 all through is taken for what it is.

use encoding_rs::SHIFT_JIS;

/// An encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// Windows-31J, called Shift_JIS by most.
    Cp932,
}

impl Encoding {
    /// The name that answers carry.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Encoding::Utf8 => "utf-8",
            Encoding::Cp932 => "cp932",
        }
    }

    fn decode(self, bytes: &[u8]) -> Option<String> {
        match self {
            Encoding::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
            Encoding::Cp932 => {
                let text = SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes)?;
                // Characters of one's own making mean something on that one machine only.
                let made_up = |c: char| ('\u{e000}'..='\u{f8ff}').contains(&c) || ('\u{80}'..='\u{9f}').contains(&c);
                (!text.contains(made_up)).then(|| text.into_owned())
            }
        }
    }
}

/// Decodes the rows of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Decoder {
    /// What was decided, if anything was.
    pub(super) decided: Option<Encoding>,
}

impl Decoder {
    /// The cells as text, or the place of the first one that is in another encoding than the file.
    pub(super) fn row(&mut self, cells: &[&[u8]]) -> Result<Vec<String>, usize> {
        let encoding = match self.decided {
            Some(encoding) => encoding,
            None if cells.iter().all(|cell| cell.is_ascii()) => Encoding::Utf8,
            None => {
                let encoding = decide(cells).ok_or_else(|| first_foreign(cells))?;
                self.decided = Some(encoding);
                encoding
            }
        };
        let row_is_utf8 = encoding == Encoding::Cp932 && is_utf8_all_through(cells);
        let mut texts = Vec::with_capacity(cells.len());
        for (at, cell) in cells.iter().enumerate() {
            match encoding.decode(cell) {
                Some(_) if row_is_utf8 && !cell.is_ascii() => return Err(at),
                Some(text) if encoding == Encoding::Cp932 && is_garbled(cell, &text) => return Err(at),
                Some(text) => texts.push(text),
                None => return Err(at),
            }
        }
        Ok(texts)
    }
}

/// The encoding of a row that is not plain ASCII; `None` when it is good in neither.
fn decide(cells: &[&[u8]]) -> Option<Encoding> {
    let good = |encoding: Encoding| cells.iter().all(|cell| encoding.decode(cell).is_some());
    match (good(Encoding::Utf8), good(Encoding::Cp932)) {
        (true, false) => Some(Encoding::Utf8),
        (false, true) => Some(Encoding::Cp932),
        (false, false) => None,
        // Two half-width katakana can look like one letter of another script; no Japanese text is written in those.
        (true, true) if wide_letters(cells) > 0 => Some(Encoding::Utf8),
        (true, true) => Some(Encoding::Cp932),
    }
}

/// Where a row that is good in no encoding differs from its first text.
fn first_foreign(cells: &[&[u8]]) -> usize {
    let first = cells.iter().position(|cell| !cell.is_ascii()).unwrap_or(0);
    let of_first = [Encoding::Utf8, Encoding::Cp932]
        .into_iter()
        .find(|encoding| cells.get(first).is_some_and(|cell| encoding.decode(cell).is_some()));
    let Some(encoding) = of_first else { return first };
    cells.iter().position(|cell| encoding.decode(cell).is_none()).unwrap_or(first)
}

/// How many letters of the cells, read as UTF-8, take three bytes or more: all that Japanese is written in.
fn wide_letters(cells: &[&[u8]]) -> usize {
    let texts = cells.iter().filter_map(|cell| std::str::from_utf8(cell).ok());
    texts.flat_map(str::chars).filter(|c| *c >= '\u{800}').count()
}

/// Whether a row of a CP932 file is UTF-8 instead: all of it reads so, and not by the chance of one kanji.
fn is_utf8_all_through(cells: &[&[u8]]) -> bool {
    cells.iter().all(|cell| std::str::from_utf8(cell).is_ok()) && wide_letters(cells) >= 2
}

/// Whether a cell of a CP932 file is UTF-8 instead: it reads as Japanese that way, and this way as kanji mixed with half-width
/// katakana.
fn is_garbled(cell: &[u8], text: &str) -> bool {
    let japanese = |c: char| {
        matches!(c, '\u{3000}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}')
            || c == ' '
    };
    let half_width = |c: char| ('\u{ff61}'..='\u{ff9f}').contains(&c);
    let otherwise = std::str::from_utf8(cell).is_ok_and(|utf8| utf8.chars().all(japanese));
    !cell.is_ascii() && otherwise && text.contains(half_width) && text.contains(|c| !half_width(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cp932(text: &str) -> Vec<u8> {
        SHIFT_JIS.encode(text).0.into_owned()
    }

    fn read(decoder: &mut Decoder, cells: &[Vec<u8>]) -> Result<Vec<String>, usize> {
        let cells: Vec<&[u8]> = cells.iter().map(Vec::as_slice).collect();
        decoder.row(&cells)
    }

    #[test]
    fn the_first_text_that_is_not_ascii_decides() {
        for (texts, encoding) in [
            (vec!["姓".into(), "名".into()], Encoding::Utf8),
            (vec![cp932("姓"), cp932("名")], Encoding::Cp932),
            (vec![cp932("ﾐｶ"), b"x".to_vec()], Encoding::Cp932),
            (vec![cp932("髙橋"), cp932("花子")], Encoding::Cp932),
        ] {
            let mut decoder = Decoder::default();
            read(&mut decoder, &[b"E1".to_vec()]).unwrap_or_default();
            assert_eq!(decoder.decided, None, "ascii decides nothing");
            assert!(read(&mut decoder, &texts).is_ok());
            assert_eq!(decoder.decided, Some(encoding), "{texts:?}");
        }
    }

    #[test]
    fn a_row_in_the_other_encoding_is_found_with_its_place() {
        let utf8 = |text: &str| text.as_bytes().to_vec();
        let cases = [
            (Encoding::Utf8, vec![b"E1".to_vec(), cp932("田中"), utf8("一郎")], 1),
            (Encoding::Cp932, vec![b"E1".to_vec(), utf8("田中"), utf8("一郎")], 1),
            (Encoding::Cp932, vec![b"E1".to_vec(), utf8("さくら")], 1),
            (Encoding::Cp932, vec![b"E1".to_vec(), cp932("田中"), utf8("日本")], 2),
            (Encoding::Cp932, vec![b"E1".to_vec(), cp932("田中"), utf8("本")], 2),
        ];
        for (encoding, cells, place) in cases {
            let mut decoder = Decoder { decided: Some(encoding) };
            assert_eq!(read(&mut decoder, &cells), Err(place), "{cells:?}");
        }
        let mixed = [cp932("田中"), utf8("一郎")];
        assert_eq!(read(&mut Decoder::default(), &mixed), Err(1), "nothing is decided yet, and the second differs");
    }

    #[test]
    fn names_that_look_like_utf8_by_chance_are_read_as_cp932() {
        for name in ["邉田", "邊見", "ﾐｶ", "ﾊｯﾄﾘ", "ｻﾄｳ ﾊﾅｺ", "髙﨑", "縺"] {
            let mut decoder = Decoder { decided: Some(Encoding::Cp932) };
            let cells = [b"E1".to_vec(), cp932(name)];
            assert_eq!(read(&mut decoder, &cells).map(|texts| texts[1].clone()), Ok(name.to_owned()), "{name}");
        }
    }

    #[test]
    fn characters_of_ones_own_making_are_no_text() {
        let mut decoder = Decoder { decided: Some(Encoding::Cp932) };
        assert_eq!(read(&mut decoder, &[vec![0xf0, 0x40]]), Err(0));
    }
}
