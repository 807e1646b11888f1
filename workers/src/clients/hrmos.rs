//! HRMOS勤怠's Web API, as far as Renkei reads it: token, segments, daily attendance. It never writes there but for giving a
//! token back.
//!
//! Decided by status alone: an answer without a body, or with HTML, is as good as one with an error object. 429 and 5xx pass by
//! themselves, everything else of the 4xx kind does not.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::feed::retry_after;

/// Real time that one call may take.
pub const DEADLINE: Duration = Duration::from_secs(30);
/// Rows of a page; the largest that the service gives.
pub const PAGE: u32 = 100;
/// The largest answer, in bytes: a hundred rows are well below.
const LARGEST: usize = 16 * 1024 * 1024;

/// Why a call brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The key or the token is not taken. A key that has ended can not be told from a wrong one.
    Unauthorized,
    /// 403, or HTML instead of JSON: this address may not call.
    Blocked,
    /// 404 of the company.
    NotFound,
    /// 429, with what the service said about when to come back.
    TooMany(Option<Duration>),
    /// No answer, a 5xx, or a body that broke off.
    NoAnswer,
    /// The hours in which KING OF TIME lets nobody read.
    Closed,
    /// A 200 that can not be what it should be, or a refusal of the request itself.
    Unreadable,
}

/// Where and as whom to call.
#[derive(Debug, Clone)]
pub struct Company {
    /// Without a slash at its end, such as `https://ieyasu.co`.
    pub base_url: String,
    /// The company's segment of the path.
    pub company: String,
}

/// A token with its end.
#[derive(Debug, Clone)]
pub struct Token {
    /// The token.
    pub token: SecretString,
    /// When it ends by the service's clock.
    pub expires: Option<Timestamp>,
}

/// A page of a list.
#[derive(Debug)]
pub struct Page {
    /// Each row as its own text.
    pub rows: Vec<Box<RawValue>>,
    /// How many pages there are, where the service said so.
    pub pages: Option<u32>,
    /// How many rows there are on all pages, where the service said so.
    pub total: Option<u64>,
}

impl Page {
    /// Whether another page has to be asked for after this one, which was the `page`-th from 1.
    #[must_use]
    pub fn goes_on_after(&self, page: u32) -> bool {
        if self.rows.is_empty() {
            return false;
        }
        match self.pages {
            Some(pages) => page < pages,
            None => self.rows.len() >= PAGE as usize,
        }
    }
}

#[derive(Deserialize)]
struct TokenBody {
    token: SecretString,
    #[serde(default)]
    expired_at: Option<String>,
}

/// Fetches a token with the company's Secret Key, which is Base64 text already and is sent as it is.
///
/// # Errors
/// See [`Fault`].
pub async fn token(transport: &Arc<dyn Transport>, company: &Company, key: &SecretString) -> Result<Token, Fault> {
    let header = format!("Basic {}", key.expose_secret());
    let answer = call(transport, company, "GET", "authentication/token", header).await?;
    let body: TokenBody = serde_json::from_slice(&answer.bytes).map_err(|fault| answer.unreadable(&fault))?;
    if body.token.expose_secret().is_empty() {
        return Err(Fault::Unreadable);
    }
    Ok(Token { token: body.token, expires: body.expired_at.and_then(|text| text.parse().ok()) })
}

/// Gives a token back. Best effort: it ends by itself after a day.
///
/// # Errors
/// See [`Fault`].
pub async fn destroy(transport: &Arc<dyn Transport>, company: &Company, token: &SecretString) -> Result<(), Fault> {
    let header = format!("Token {}", token.expose_secret());
    call(transport, company, "DELETE", "authentication/destroy", header).await.map(|_| ())
}

/// One page of the work types (勤務区分).
///
/// # Errors
/// See [`Fault`].
pub async fn segments(
    transport: &Arc<dyn Transport>,
    company: &Company,
    token: &SecretString,
    page: u32,
) -> Result<Page, Fault> {
    list(transport, company, token, format!("segments?limit={PAGE}&page={page}")).await
}

/// One page of everybody's attendance of one date; with `changed_since` only rows that were updated at or after it.
///
/// # Errors
/// See [`Fault`].
pub async fn daily(
    transport: &Arc<dyn Transport>,
    company: &Company,
    token: &SecretString,
    day: Date,
    page: u32,
    changed_since: Option<Timestamp>,
) -> Result<Page, Fault> {
    let mut path = format!("work_outputs/daily/{day}?limit={PAGE}&page={page}");
    if let Some(since) = changed_since {
        // `Z` and no offset: a plus sign in a query is a blank.
        path.push_str(&format!("&from={}", since.strftime("%Y-%m-%dT%H%%3A%M%%3A%SZ")));
    }
    list(transport, company, token, path).await
}

async fn list(
    transport: &Arc<dyn Transport>,
    company: &Company,
    token: &SecretString,
    path: String,
) -> Result<Page, Fault> {
    let header = format!("Token {}", token.expose_secret());
    let answer = call(transport, company, "GET", &path, header).await?;
    let rows: Vec<Box<RawValue>> = serde_json::from_slice(&answer.bytes).map_err(|fault| answer.unreadable(&fault))?;
    Ok(Page { rows, pages: answer.pages, total: answer.total })
}

struct Answer {
    bytes: Vec<u8>,
    pages: Option<u32>,
    total: Option<u64>,
    html: bool,
}

impl Answer {
    fn unreadable(&self, fault: &serde_json::Error) -> Fault {
        unreadable(fault, self.html)
    }
}

/// What a 200 is that is not what was asked for: an IP restriction may answer with a page for people, and a body may break off.
pub(super) fn unreadable(fault: &serde_json::Error, html: bool) -> Fault {
    match (html, fault.is_eof()) {
        (true, _) => Fault::Blocked,
        (false, true) => Fault::NoAnswer,
        (false, false) => Fault::Unreadable,
    }
}

async fn call(
    transport: &Arc<dyn Transport>,
    company: &Company,
    method: &'static str,
    path: &str,
    authorization: String,
) -> Result<Answer, Fault> {
    let request = OutRequest {
        method,
        url: format!("{}/api/{}/v1/{path}", company.base_url, company.company),
        headers: vec![("Authorization", authorization), ("Content-Type", "application/json".to_owned())],
        body: None,
        deadline: DEADLINE,
    };
    let answer = transport.send(request).await.map_err(|_| Fault::NoAnswer)?;
    if let Some(fault) = refused(&answer) {
        return Err(fault);
    }
    let pages = answer.header("x-total-page").and_then(|text| text.trim().parse().ok());
    let total = answer.header("x-total-count").and_then(|text| text.trim().parse().ok());
    let html = answer.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"));
    let bytes = answer.bytes(LARGEST).await.map_err(|fault| match fault {
        TransportError::TooLarge => Fault::Unreadable,
        _ => Fault::NoAnswer,
    })?;
    let html = html || bytes.trim_ascii_start().starts_with(b"<");
    Ok(Answer { bytes, pages, total, html })
}

fn refused(answer: &OutResponse) -> Option<Fault> {
    match answer.status {
        200..=299 => None,
        401 => Some(Fault::Unauthorized),
        403 => Some(Fault::Blocked),
        404 => Some(Fault::NotFound),
        429 => Some(Fault::TooMany(retry_after(answer))),
        status if status >= 500 => Some(Fault::NoAnswer),
        _ => Some(Fault::Unreadable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_by_the_header_and_without_it_by_full_pages() {
        let page = |rows: usize, pages| {
            let row = || RawValue::from_string("{}".to_owned()).unwrap();
            Page { rows: (0..rows).map(|_| row()).collect(), pages, total: None }
        };
        let table = [
            (page(100, Some(3)), 1, true),
            (page(100, Some(3)), 3, false),
            (page(0, Some(3)), 2, false),
            (page(0, Some(0)), 1, false),
            (page(100, None), 1, true),
            (page(99, None), 1, false),
        ];
        for (page, number, goes_on) in table {
            assert_eq!(
                page.goes_on_after(number),
                goes_on,
                "{} rows, {:?} pages, page {number}",
                page.rows.len(),
                page.pages
            );
        }
    }
}
