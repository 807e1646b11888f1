//! Requests and answers as the state machines see them.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use serde_json::Value;

/// A request that has arrived.
#[derive(Clone, Default)]
pub struct SimRequest {
    /// `GET`, `POST`, …
    pub method: String,
    /// The path as it came, `/api/v2.0/members` say.
    pub path: String,
    /// What stands behind the question mark; empty if nothing does.
    pub query: String,
    /// Names and values in the order they came.
    pub headers: Vec<(String, String)>,
    /// The body, perhaps cut off one byte behind the size limit.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for SimRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SimRequest").field("method", &self.method).field("path", &self.path).finish_non_exhaustive()
    }
}

impl SimRequest {
    /// A request without headers and body; `path` may carry a query.
    #[must_use]
    pub fn new(method: &str, path: &str) -> Self {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        Self { method: method.to_owned(), path: path.to_owned(), query: query.to_owned(), ..Self::default() }
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// With a JSON body and its content type.
    #[must_use]
    pub fn with_json(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self.with_header("Content-Type", "application/json")
    }

    /// The first value of a header; names are compared without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// A parameter of the query, percent-decoded.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<String> {
        pairs(&self.query).find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// The token of an `Authorization: Bearer` header.
    #[must_use]
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("Authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("Bearer").then(|| token.trim())
    }

    /// With a bearer token.
    #[must_use]
    pub fn with_bearer(self, token: &str) -> Self {
        self.with_header("Authorization", format!("Bearer {token}"))
    }
}

/// The pairs of a query or a form, decoded.
pub(crate) fn pairs(text: &str) -> impl Iterator<Item = (String, String)> + '_ {
    text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// Percent and plus decoding; broken escapes stay as they are.
pub(crate) fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (*first, tail) {
            (b'+', _) => bytes.push(b' '),
            (b'%', [high, low, after @ ..]) => match (hex(*high), hex(*low)) {
                (Some(high), Some(low)) => {
                    bytes.push(high * 16 + low);
                    rest = after;
                }
                _ => bytes.push(b'%'),
            },
            (other, _) => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// What comes back.
#[derive(Debug, Clone)]
pub enum SimResponse {
    /// An HTTP answer.
    Answer(Answer),
    /// The connection is dropped without an answer.
    Reset {
        /// How long after arrival, on the injected clock.
        delay: Duration,
    },
}

/// An HTTP answer.
#[derive(Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The `Content-Type`.
    pub content_type: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How long after arrival status and headers leave, on the injected clock.
    pub delay: Duration,
    /// How long the body takes from its first byte to its last, on the injected clock.
    pub body_over: Duration,
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("content_type", &self.content_type)
            .field("bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// The content type of every ordinary answer.
pub(crate) const JSON: &str = "application/json; charset=utf-8";

impl Answer {
    /// An answer with raw bytes.
    #[must_use]
    pub fn raw(status: u16, content_type: &'static str, body: Vec<u8>) -> Self {
        Self { status, content_type, headers: Vec::new(), body, delay: Duration::ZERO, body_over: Duration::ZERO }
    }

    /// A JSON answer.
    #[must_use]
    pub fn json(status: u16, body: &Value) -> Self {
        Self::raw(status, JSON, body.to_string().into_bytes())
    }

    /// With one more header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The first value of a header; names are compared without regard to case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// All headers as they go out at `now`: names in lower case, with the content type, and with the time by the machine's
    /// clock unless the answer says another one.
    #[must_use]
    pub(crate) fn headers_out(&self, now: Millis) -> Vec<(String, String)> {
        let mut headers = vec![("content-type".to_owned(), self.content_type.to_owned())];
        if self.header("date").is_none() {
            headers.push(("date".to_owned(), http_date(now)));
        }
        headers.extend(self.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.clone())));
        headers
    }

    /// An HTML page where JSON was expected.
    #[must_use]
    pub fn html(status: u16, title: &str) -> Self {
        let page =
            format!("<!DOCTYPE html><html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>");
        Self::raw(status, "text/html; charset=UTF-8", page.into_bytes())
    }
}

impl SimResponse {
    /// The status; `None` for a dropped connection.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Answer(answer) => Some(answer.status),
            Self::Reset { .. } => None,
        }
    }

    /// The first value of a header of the answer.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        match self {
            Self::Answer(answer) => answer.header(name),
            Self::Reset { .. } => None,
        }
    }

    /// The body as JSON; `Null` when it is none.
    #[must_use]
    pub fn body(&self) -> Value {
        match self {
            Self::Answer(answer) => serde_json::from_slice(&answer.body).unwrap_or(Value::Null),
            Self::Reset { .. } => Value::Null,
        }
    }

    pub(crate) fn later(mut self, by: Duration) -> Self {
        match &mut self {
            Self::Answer(answer) => answer.delay += by,
            Self::Reset { delay } => *delay += by,
        }
        self
    }
}

/// A time as headers write it, to the second: `Wed, 01 Apr 2026 00:00:00 GMT`.
#[must_use]
pub fn http_date(at: Millis) -> String {
    // Years that the format can not write are no time that a simulator is ever at.
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at.timestamp()).unwrap_or_default()
}

impl From<Answer> for SimResponse {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_is_decoded() {
        let request = SimRequest::new("GET", "/members?updated_since=2026-04-01&x=a%2Bb+c%zz");
        assert_eq!(request.parameter("updated_since").as_deref(), Some("2026-04-01"));
        assert_eq!(request.parameter("x").as_deref(), Some("a+b c%zz"));
        assert_eq!(request.parameter("y"), None);
    }

    #[test]
    fn header_names_have_no_case() {
        let request = SimRequest::new("GET", "/").with_header("authorization", "bearer t");
        assert_eq!(request.header("Authorization"), Some("bearer t"));
        assert_eq!(request.bearer(), Some("t"));
        assert_eq!(SimRequest::new("GET", "/").with_header("Authorization", "Token t").bearer(), None);
    }

    #[test]
    fn answers_leave_with_the_time_of_the_machine_unless_they_say_another() {
        let at = Millis(1_775_001_600_999);
        let plain = Answer::raw(200, "text/plain", Vec::new());
        let out = plain.clone().with_header("X-Total-Page", "3").headers_out(at);
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert!(out.contains(&pair("date", "Wed, 01 Apr 2026 00:00:00 GMT")), "{out:?}");
        assert!(
            out.contains(&pair("content-type", "text/plain")) && out.contains(&pair("x-total-page", "3")),
            "{out:?}"
        );
        let other = plain.with_header("Date", http_date(Millis(0))).headers_out(at);
        assert_eq!(other.iter().filter(|(name, _)| name == "date").count(), 1);
        assert!(other.contains(&pair("date", "Thu, 01 Jan 1970 00:00:00 GMT")), "{other:?}");
    }
}
