//! The employee feed: one page per call.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

/// Real time that a page may take.
pub const DEADLINE: Duration = Duration::from_secs(35);
/// Most records of a page.
pub const PAGE: u32 = 200;
/// The largest page, in bytes: 200 records of the largest size are well below.
const LARGEST_PAGE: usize = 64 * 1024 * 1024;
/// The longest cursor that is taken, in bytes.
const LONGEST_CURSOR: usize = 8 * 1024;

/// A page.
#[derive(Debug)]
pub struct Page {
    /// Each record as its own text.
    pub records: Vec<Box<RawValue>>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
    /// What the source's own clock said.
    pub date: Option<Timestamp>,
}

/// Why there is no page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageFault {
    /// 401 or 403: the token is not taken.
    Unauthorized,
    /// 400 or another refusal of the request itself.
    BadRequest,
    /// 429 or 503, with what the source said about when to come back.
    Busy(Option<Duration>),
    /// No answer, a 5xx, or a body that broke off.
    NoAnswer,
    /// A 200 that is no page: HTML, nothing, another form, too large.
    Unreadable,
}

#[derive(Deserialize)]
struct Body {
    employees: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

/// Asks for what was changed at or after `since` (`None`: everybody), going on at `cursor`.
///
/// # Errors
/// See [`PageFault`].
pub async fn page(
    transport: &Arc<dyn Transport>,
    url: &str,
    token: &SecretString,
    since: Option<Timestamp>,
    cursor: Option<&str>,
) -> Result<Page, PageFault> {
    let request = OutRequest {
        method: "GET",
        url: address(url, since, cursor),
        headers: vec![
            ("Authorization", format!("Bearer {}", token.expose_secret())),
            ("Accept", "application/json".to_owned()),
        ],
        body: None,
        deadline: DEADLINE,
    };
    let answer = transport.send(request).await.map_err(|_| PageFault::NoAnswer)?;
    match answer.status {
        200 => {}
        401 | 403 => return Err(PageFault::Unauthorized),
        429 | 503 => return Err(PageFault::Busy(retry_after(&answer))),
        status if status >= 500 => return Err(PageFault::NoAnswer),
        _ => return Err(PageFault::BadRequest),
    }
    let date = answer.header("date").and_then(http_date);
    let bytes = answer.bytes(LARGEST_PAGE).await.map_err(|fault| match fault {
        TransportError::TooLarge => PageFault::Unreadable,
        _ => PageFault::NoAnswer,
    })?;
    let body: Body = serde_json::from_slice(&bytes).map_err(|_| PageFault::Unreadable)?;
    let too_long = body.next_cursor.as_ref().is_some_and(|cursor| cursor.is_empty() || cursor.len() > LONGEST_CURSOR);
    if too_long {
        return Err(PageFault::Unreadable);
    }
    Ok(Page { records: body.employees, next: body.next_cursor, date })
}

fn address(url: &str, since: Option<Timestamp>, cursor: Option<&str>) -> String {
    let mut address = format!("{url}{}limit={PAGE}", if url.contains('?') { '&' } else { '?' });
    if let Some(since) = since {
        address.push_str("&updated_since=");
        address.push_str(&encoded(&since.to_string()));
    }
    if let Some(cursor) = cursor {
        address.push_str("&cursor=");
        address.push_str(&encoded(cursor));
    }
    address
}

/// Percent-encodes all but unreserved characters: a bare `+` would arrive as a blank.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The wait that an answer asks for, as seconds or as a time.
#[must_use]
pub fn retry_after(answer: &OutResponse) -> Option<Duration> {
    let text = answer.header("retry-after")?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let (until, date) = (http_date(text)?, answer.header("date").and_then(http_date)?);
    u64::try_from(until.as_second() - date.as_second()).ok().map(Duration::from_secs)
}

/// An HTTP date, `Wed, 01 Apr 2026 00:00:00 GMT`.
fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_query_may_misread_is_encoded() {
        let since = "2026-04-01T00:00:00Z".parse().ok();
        let asked = address("https://hr.example/feed", since, Some("a+b/c=&d 髙"));
        let expected = "https://hr.example/feed?limit=200&updated_since=2026-04-01T00%3A00%3A00Z&cursor=a%2Bb%2Fc%3D%26d%20%E9%AB%99";
        assert_eq!(asked, expected);
        assert_eq!(
            address("https://hr.example/feed?company=1", None, None),
            "https://hr.example/feed?company=1&limit=200"
        );
    }

    #[test]
    fn the_wait_is_read_as_seconds_or_as_a_time() {
        let answer = |headers: &[(&str, &str)]| {
            let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            OutResponse { headers, ..OutResponse::whole(503, Vec::new()) }
        };
        const DATE: (&str, &str) = ("date", "Wed, 01 Apr 2026 00:00:00 GMT");
        type Case = (&'static [(&'static str, &'static str)], Option<u64>);
        let table: [Case; 5] = [
            (&[("retry-after", "7")], Some(7)),
            (&[("retry-after", "Wed, 01 Apr 2026 00:01:30 GMT"), DATE], Some(90)),
            (&[("retry-after", "Tue, 31 Mar 2026 00:00:00 GMT"), DATE], None),
            (&[("retry-after", "soon")], None),
            (&[], None),
        ];
        for (headers, seconds) in table {
            assert_eq!(retry_after(&answer(headers)), seconds.map(Duration::from_secs), "{headers:?}");
        }
    }
}
