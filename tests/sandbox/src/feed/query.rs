//! The parameters of a call (E1 to E4, E6, E8, E9).

use jiff::Timestamp;

use super::cursor::Cursor;
use crate::wire::{SimRequest, pairs};

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// Only states from this instant on.
    pub(super) since: Option<Timestamp>,
    /// Where to go on.
    pub(super) cursor: Option<Cursor>,
    /// Records of the page, 1 to the largest page.
    pub(super) limit: usize,
}

impl Query {
    /// Reads the parameters; what is wrong with them, in a sentence.
    pub(super) fn read(request: &SimRequest, company: &str, page: usize) -> Result<Self, &'static str> {
        let (mut since, mut cursor, mut limit) = (None, None, None);
        for (name, value) in pairs(&request.query) {
            let place = match name.as_str() {
                "updated_since" => &mut since,
                "cursor" => &mut cursor,
                "limit" => &mut limit,
                _ => return Err("there is no such parameter"),
            };
            if place.replace(value).is_some() {
                return Err("a parameter stands twice");
            }
        }
        let since = match since {
            None => None,
            Some(text) => Some(rfc3339(&text).ok_or("updated_since is no RFC 3339 time with an offset")?),
        };
        let limit = match limit {
            None => page,
            Some(text) => whole(&text).ok_or("limit is no whole number from 1 on")?.min(page),
        };
        let cursor = match cursor {
            None => None,
            Some(text) => Some(Cursor::opened(company, &text).ok_or("this cursor was not given out here")?),
        };
        if cursor.as_ref().is_some_and(|cursor| cursor.since != since) {
            return Err("this cursor was given out for another updated_since");
        }
        Ok(Self { since, cursor, limit })
    }
}

/// A number of digits only, from 1 on; how large does not matter.
fn whole(text: &str) -> Option<usize> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match text.parse() {
        Ok(0) => None,
        Ok(number) => Some(number),
        Err(_) => Some(usize::MAX),
    }
}

/// A time as RFC 3339 writes it: date, `T`, time, offset; no blank anywhere, which is what an unencoded `+` becomes.
fn rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let digits = |from: usize, to: usize| bytes.get(from..to).is_some_and(|part| part.iter().all(u8::is_ascii_digit));
    let at = |place: usize, wanted: &[u8]| bytes.get(place).is_some_and(|byte| wanted.contains(byte));
    let shaped = digits(0, 4) && at(4, b"-") && digits(5, 7) && at(7, b"-") && digits(8, 10) && at(10, b"Tt");
    let timed = digits(11, 13) && at(13, b":") && digits(14, 16) && at(16, b":") && digits(17, 19);
    let mut rest = bytes.get(19..)?;
    if let [b'.', fraction @ ..] = rest {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        rest = fraction.get(length..).filter(|_| length > 0)?;
    }
    let offset = match rest {
        b"Z" | b"z" => true,
        [b'+' | b'-', h1, h2, b':', m1, m2] => [h1, h2, m1, m2].iter().all(|byte| byte.is_ascii_digit()),
        _ => false,
    };
    if !(shaped && timed && offset) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(query: &str) -> Result<Query, &'static str> {
        Query::read(&SimRequest::new("GET", &format!("/f?{query}")), "c1", 200)
    }

    #[test]
    fn a_time_needs_its_offset_and_no_blank() {
        for (text, good) in [
            ("2026-04-01T09:00:00%2B09:00", true),
            ("2026-04-01T00:00:00Z", true),
            ("2026-04-01t00:00:00.123456789z", true),
            ("2026-03-31T15:00:00-09:00", true),
            ("2026-04-01T09:00:00+09:00", false),
            ("2026-04-01%2009:00:00%2B09:00", false),
            ("2026-04-01T09:00:00", false),
            ("2026-04-01T09:00:00%2B0900", false),
            ("2026-04-01T09:00:00.%2B09:00", false),
            ("2026-04-01T09:00Z", false),
            ("2026-04-01", false),
            ("2026-02-30T00:00:00Z", false),
            ("2026-04-01T00:00:00Z[Asia/Tokyo]", false),
            ("1775001600000", false),
            ("", false),
        ] {
            assert_eq!(asked(&format!("updated_since={text}")).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn limits_are_whole_numbers_from_one_on_and_large_ones_are_cut() {
        for (text, limit) in [("1", 1), ("200", 200), ("201", 200), ("99999999999999999999999", 200)] {
            assert_eq!(asked(&format!("limit={text}")).unwrap().limit, limit);
        }
        for text in ["0", "00", "-1", "1.5", "x", "", "+5", " 5"] {
            assert!(asked(&format!("limit={text}")).is_err(), "{text}");
        }
        assert_eq!(asked("").unwrap().limit, 200);
    }

    #[test]
    fn what_is_not_in_the_contract_is_refused() {
        for query in ["since=2026-04-01T00:00:00Z", "limit=1&limit=1", "cursor=", "cursor=next", "page=2"] {
            assert!(asked(query).is_err(), "{query}");
        }
    }
}
