//! How text becomes bytes and back.

use encoding_rs::SHIFT_JIS;
use serde::{Deserialize, Serialize};

/// The encoding of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Encoding {
    /// UTF-8 with a byte order mark; without one the bytes are taken for Shift_JIS, as Japanese software does.
    Utf8Bom,
    /// UTF-8, with or without a byte order mark.
    Utf8,
    /// Shift_JIS with Microsoft's additions (CP932).
    ShiftJis,
}

const BOM: &[u8] = b"\xEF\xBB\xBF";

impl Encoding {
    /// The text of a file; `None` when the bytes are no text in this encoding.
    pub(super) fn text(self, bytes: &[u8]) -> Option<String> {
        let marked = bytes.strip_prefix(BOM);
        let utf8 = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).ok();
        match (self, marked) {
            (Self::Utf8Bom | Self::Utf8, Some(rest)) => utf8(rest),
            (Self::Utf8, None) => utf8(bytes),
            (Self::Utf8Bom, None) | (Self::ShiftJis, _) => {
                SHIFT_JIS.decode_without_bom_handling_and_without_replacement(bytes).map(std::borrow::Cow::into_owned)
            }
        }
    }

    /// The bytes of a file. What Shift_JIS does not have becomes `?`.
    pub(super) fn bytes(self, text: &str) -> Vec<u8> {
        match self {
            Self::Utf8Bom => [BOM, text.as_bytes()].concat(),
            Self::Utf8 => text.as_bytes().to_vec(),
            Self::ShiftJis => {
                let mut bytes = Vec::with_capacity(text.len());
                let mut place = [0; 4];
                for letter in text.chars() {
                    match SHIFT_JIS.encode(letter.encode_utf8(&mut place)) {
                        (encoded, _, false) => bytes.extend_from_slice(&encoded),
                        _ => bytes.push(b'?'),
                    }
                }
                bytes
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_in_its_own_encoding_only() {
        let text = "社員コード,髙橋 ①\r\n";
        for one in [Encoding::Utf8Bom, Encoding::Utf8, Encoding::ShiftJis] {
            let bytes = one.bytes(text);
            assert_eq!(one.text(&bytes).as_deref(), Some(text), "{one:?}");
        }
        let without_mark = Encoding::Utf8.bytes(text);
        assert_ne!(Encoding::Utf8Bom.text(&without_mark).as_deref(), Some(text));
        assert_ne!(Encoding::ShiftJis.text(&Encoding::Utf8Bom.bytes(text)).as_deref(), Some(text));
        assert_eq!(Encoding::Utf8.text(&Encoding::ShiftJis.bytes(text)), None);
        assert_eq!(Encoding::ShiftJis.bytes("𠮷田"), [b"?".as_slice(), b"\x93\x63"].concat());
    }
}
