//! Where a run goes on: opaque for the caller, and good only for the question that it was given for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};

/// A place in the order (`updated_at`, `employee_id`).
pub(super) type Place = (Timestamp, String);

/// What a cursor stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Cursor {
    /// The question's `updated_since`.
    pub(super) since: Option<Timestamp>,
    /// The last record that was given out.
    pub(super) after: Place,
    /// When the first page of the run was given out.
    pub(super) began_at: Millis,
}

impl Cursor {
    /// The text for the caller. `company` goes into it, so that it is good for no other one.
    pub(super) fn sealed(&self, company: &str) -> String {
        let inside = serde_json::to_vec(self).unwrap_or_default();
        let mut bytes = checksum(company, &inside).to_be_bytes().to_vec();
        bytes.extend(inside);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The cursor behind a text, if it was given out for this company and came back whole.
    pub(super) fn opened(company: &str, text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (sum, inside) = bytes.split_first_chunk::<8>()?;
        (u64::from_be_bytes(*sum) == checksum(company, inside)).then(|| serde_json::from_slice(inside).ok()).flatten()
    }
}

/// FNV-1a: enough to see that somebody wrote a cursor by hand.
fn checksum(company: &str, inside: &[u8]) -> u64 {
    company
        .bytes()
        .chain([0])
        .chain(inside.iter().copied())
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_whole_or_not_at_all() {
        let cursor = Cursor { since: None, after: (Timestamp::UNIX_EPOCH, "rm_1".to_owned()), began_at: Millis(1_000) };
        let text = cursor.sealed("c1");
        assert_eq!(Cursor::opened("c1", &text), Some(cursor));
        assert_eq!(Cursor::opened("c2", &text), None, "another company's");
        for (place, _) in text.char_indices() {
            let mut other = text.clone();
            let digit = if text[place..].starts_with('A') { "B" } else { "A" };
            other.replace_range(place..=place, digit);
            assert_eq!(Cursor::opened("c1", &other), None, "changed at {place}");
        }
        for short in ["", "AAAA", &text[..text.len() - 4]] {
            assert_eq!(Cursor::opened("c1", short), None);
        }
    }
}
