//! 社員コード: what ties a person at the source to a member at クラウドログ.

use std::fmt;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;

/// A 社員コード without the blanks around it, never empty. Two are the same only when every character is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

/// There is nothing but blanks, which stand for nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a code is empty")]
pub struct EmptyCode;

impl Code {
    /// Takes the blanks around a code away.
    ///
    /// # Errors
    /// [`EmptyCode`] when nothing is left.
    pub fn new(text: &str) -> Result<Self, EmptyCode> {
        let text = text.trim();
        if text.is_empty() { Err(EmptyCode) } else { Ok(Self(text.to_owned())) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What this code has in common with codes that people take for the same one.
    #[must_use]
    pub fn near_key(&self) -> NearKey {
        let folded = folded(&self.0);
        let plain = folded.trim_start_matches('0');
        NearKey(if plain.is_empty() && !folded.is_empty() { "0".to_owned() } else { plain.to_owned() })
    }

    /// Whether it consists of the digits 0 to 9.
    pub(crate) fn is_number(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Code {
    type Error = EmptyCode;
    fn try_from(text: String) -> Result<Self, EmptyCode> {
        Self::new(&text)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> String {
        code.0
    }
}

/// Equal for codes that differ in width, case, blanks or zeros in front only: 0123 and 123, Ｐ１ and p 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NearKey(String);

/// Text without differences of width, case and blanks.
pub(crate) fn folded(text: &str) -> String {
    // Characters of no width come along when a code is copied from a page.
    let seen = |c: &char| !c.is_whitespace() && !matches!(c, '\u{200b}'..='\u{200d}' | '\u{2060}' | '\u{feff}');
    // By way of capitals, so that letters with two small forms are one.
    text.nfkc().filter(seen).flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Code {
        Code::new(text).unwrap()
    }

    #[test]
    fn blanks_around_a_code_go_and_nothing_else() {
        for (text, expected) in [(" P1004 ", "P1004"), ("\u{3000}00123\t", "00123"), ("P 1", "P 1"), ("Ｐ１", "Ｐ１")]
        {
            assert_eq!(code(text).as_str(), expected);
        }
        for blank in ["", " ", "\u{3000}\t"] {
            assert_eq!(Code::new(blank), Err(EmptyCode), "{blank:?}");
        }
        assert_ne!(code("p1"), code("P1"));
        assert!(serde_json::from_str::<Code>("\" \"").is_err());
    }

    #[test]
    fn near_codes_share_a_key_and_others_do_not() {
        let rows = [
            ("0123", "123", true),
            ("00123", "0123", true),
            ("０１２３", "123", true),
            ("Ｐ1004", "p1004", true),
            ("P 10\u{3000}04", "P1004", true),
            ("P1004\u{200b}", "P1004", true),
            ("000", "0", true),
            ("ｶ1", "カ1", true),
            ("1230", "123", false),
            ("P0123", "P123", false),
            ("P-1004", "P1004", false),
            ("0", "1", false),
        ];
        for (one, other, near) in rows {
            assert_eq!(code(one).near_key() == code(other).near_key(), near, "{one} {other}");
        }
    }
}
