//! Looking for what must not be there, in every form in which it could be.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

/// The personal items of a record or of a member.
const PERSONAL: [&str; 10] = [
    "last_name",
    "first_name",
    "last_name_kana",
    "first_name_kana",
    "business_name",
    "business_name_kana",
    "birthday",
    "email",
    "mail",
    "name",
];

/// Below this length chance alone finds a needle in random bytes.
const LONG_ENOUGH: usize = 6;

/// What must not be there.
#[derive(Debug, Default)]
pub struct Needles {
    plain: BTreeSet<String>,
    /// Forbidden in texts only: too ordinary for a whole database.
    ordinary: BTreeSet<String>,
}

impl Needles {
    pub fn add(&mut self, text: &str) {
        // The source may pad with wide blanks.
        for text in [text, text.trim()] {
            if !text.trim().is_empty() {
                self.plain.insert(text.to_owned());
            }
        }
    }

    pub fn add_ordinary(&mut self, text: &str) {
        self.ordinary.insert(text.to_owned());
    }

    /// Everything personal inside of a JSON value, however deep.
    pub fn add_from(&mut self, value: &Value) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match value {
                        Value::String(text) if PERSONAL.contains(&key.as_str()) || key == "name_kana" => self.add(text),
                        Value::Object(_) if key == "department" => {}
                        other => self.add_from(other),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.add_from(item)),
            _ => {}
        }
    }

    pub fn len(&self) -> usize {
        self.plain.len()
    }

    /// Every form of every needle.
    fn forms(&self, whole_database: bool) -> Vec<(&str, String)> {
        let mut forms = Vec::new();
        let ordinary = self.ordinary.iter().filter(|_| !whole_database);
        for text in self.plain.iter().chain(ordinary) {
            if whole_database && text.len() < LONG_ENOUGH {
                continue;
            }
            forms.push((text.as_str(), text.clone()));
            if !text.is_ascii() {
                let escaped = escaped(text);
                forms.push((text, escaped.to_uppercase().replace("\\U", "\\u")));
                forms.push((text, escaped));
                forms.push((text, percent(text)));
            }
            if text.len() >= LONG_ENOUGH {
                let hex: String = text.bytes().fold(String::new(), |mut hex, byte| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                });
                forms.push((text, hex));
                for shift in 0..3 {
                    forms.push((text, base64_inside(text, shift, true)));
                    forms.push((text, base64_inside(text, shift, false)));
                }
            }
        }
        forms
    }

    /// The needles that stand in a text.
    #[track_caller]
    pub fn assert_absent(&self, place: &str, text: &str) {
        self.check(place, text.as_bytes(), false);
    }

    /// The needles that stand anywhere in the bytes of a database.
    #[track_caller]
    pub fn assert_absent_from_database(&self, place: &str, bytes: &[u8]) {
        self.check(place, bytes, true);
    }

    /// Whether some of them stand in a text, to see that looking finds them.
    pub fn are_in(&self, bytes: &[u8]) -> bool {
        !self.found(bytes, false).is_empty()
    }

    #[track_caller]
    fn check(&self, place: &str, bytes: &[u8], whole_database: bool) {
        assert!(!bytes.is_empty(), "{place}: nothing to look at");
        let found = self.found(bytes, whole_database);
        assert!(found.is_empty(), "{place} holds what it must not: {}", found.join("\n"));
    }

    fn found(&self, bytes: &[u8], whole_database: bool) -> Vec<String> {
        // One view for both: bytes that are no text become signs that no needle holds, and split no needle that is whole.
        let text = String::from_utf8_lossy(bytes);
        let found: BTreeSet<String> = self
            .forms(whole_database)
            .into_iter()
            .filter_map(|(needle, form)| {
                let at = text.find(&form)?;
                let from = text[..at].char_indices().rev().nth(60).map_or(0, |(byte, _)| byte);
                let around: String = text[from..].chars().take(160).collect();
                Some(format!("{needle} (as {form}) in …{around:?}…"))
            })
            .collect();
        found.into_iter().collect()
    }
}

/// As JSON writes it in ASCII.
fn escaped(text: &str) -> String {
    text.encode_utf16().fold(String::new(), |mut escaped, unit| {
        match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii() => escaped.push(char::from(byte)),
            _ => {
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
        escaped
    })
}

fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// The characters of base64 that a text decides alone when `shift` bytes stand before it.
fn base64_inside(text: &str, shift: usize, standard: bool) -> String {
    let mut bytes = vec![0; shift];
    bytes.extend(text.bytes());
    let encoded = if standard { STANDARD_NO_PAD.encode(&bytes) } else { URL_SAFE_NO_PAD.encode(&bytes) };
    let from = (shift * 8).div_ceil(6);
    let to = bytes.len() * 8 / 6;
    encoded[from..to].to_owned()
}

#[test]
fn every_form_is_found() {
    let mut needles = Needles::default();
    needles.add("𠮷田花子");
    let found = |text: &str| needles.are_in(text.as_bytes());
    assert!(!found("nothing of that kind"));
    for text in [
        "name=𠮷田花子.",
        "\\ud842\\udfb7\\u7530\\u82b1\\u5b50",
        "\\uD842\\uDFB7\\u7530\\u82B1\\u5B50",
        "x?q=%F0%A0%AE%B7%E7%94%B0%E8%8A%B1%E5%AD%90",
    ] {
        assert!(found(text), "{text}");
    }
    for before in ["", "a", "ab", "abc"] {
        let text = STANDARD_NO_PAD.encode(format!("{before}𠮷田花子 and more"));
        assert!(found(&text), "{text}");
    }
}
