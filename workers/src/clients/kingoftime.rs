//! KING OF TIME's web API, and 勤革時's, which is the same, as far as Renkei reads it: people, totals and punches. It never writes
//! there.
//!
//! A list has no pages: it is decoded while it comes in. Errors are told by their code, not by the status, which is 403 for a
//! wrong token and for the forbidden hours alike.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Date;
use renkei_attendance::reading::kingoftime::{Punched, Slice, Totals, each};
use renkei_runtime::clock::Millis;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;

use super::chunks::Chunks;
use super::feed::retry_after;
pub use super::hrmos::Fault;
use super::hrmos::unreadable;

/// Real time that one call may take.
pub const DEADLINE: Duration = Duration::from_secs(60);
/// The largest list of dates, in bytes: five days of many thousands of people are below.
const LARGEST: usize = 256 * 1024 * 1024;
/// The largest list of people, and the largest error.
const LARGEST_WHOLE: usize = 64 * 1024 * 1024;

/// The hours in which nobody may read, in minutes of the day in Tokyo, with a minute of margin on both sides: whether the ends
/// belong to them is not known, and clocks differ.
const FORBIDDEN: [(i64, i64); 2] = [(8 * 60 + 29, 10 * 60 + 1), (17 * 60 + 29, 18 * 60 + 31)];
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
const AHEAD_MS: i64 = 9 * 60 * MINUTE_MS;

/// When the service may be read again, if it may not be read now.
#[must_use]
pub fn closed_until(now: Millis) -> Option<Millis> {
    let of_day = (now.0 + AHEAD_MS).rem_euclid(DAY_MS);
    let (_, to) = FORBIDDEN.iter().find(|(from, to)| (from * MINUTE_MS..to * MINUTE_MS).contains(&of_day))?;
    Some(Millis(now.0 - of_day + to * MINUTE_MS))
}

/// Where and with which token to call.
#[derive(Clone)]
pub struct Service {
    /// Without a slash at its end, such as `https://api.kingtime.jp`.
    pub base_url: String,
    /// The access token.
    pub token: SecretString,
}

/// Somebody on the list of people. Names and all else are left unread.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    /// The key that never changes.
    pub key: String,
    /// 従業員コード.
    #[serde(default)]
    pub code: Option<String>,
    /// The first day.
    #[serde(default)]
    pub hired_date: Option<Date>,
    /// The last day, of who has left.
    #[serde(default)]
    pub resignation_date: Option<Date>,
}

/// Everybody, who has left included.
///
/// # Errors
/// See [`Fault`].
pub async fn people(transport: &Arc<dyn Transport>, service: &Service) -> Result<Vec<Person>, Fault> {
    let path = "employees?includeResigner=true&additionalFields=hiredDate,resignationDate";
    let answer = call(transport, service, path).await?;
    let html = is_html(&answer);
    let bytes = answer.bytes(LARGEST_WHOLE).await.map_err(|fault| match fault {
        TransportError::TooLarge => Fault::Unreadable,
        _ => Fault::NoAnswer,
    })?;
    serde_json::from_slice(&bytes).map_err(|fault| unreadable(&fault, html))
}

/// Puts the punches of some dates into the slice; answers how many items could not be read.
///
/// # Errors
/// See [`Fault`].
pub async fn punches(
    transport: &Arc<dyn Transport>,
    service: &Service,
    dates: (Date, Date),
    slice: Slice,
) -> Result<(Slice, u64), Fault> {
    list(transport, service, "daily-workings/timerecord", dates, slice, |slice, body| {
        each(body, |item: Punched| slice.punched(item))
    })
    .await
}

/// Puts the totals of some dates into the slice; answers how many items could not be read.
///
/// # Errors
/// See [`Fault`].
pub async fn totals(
    transport: &Arc<dyn Transport>,
    service: &Service,
    dates: (Date, Date),
    slice: Slice,
) -> Result<(Slice, u64), Fault> {
    list(transport, service, "daily-workings", dates, slice, |slice, body| {
        each(body, |item: Totals| slice.totals(item))
    })
    .await
}

async fn list(
    transport: &Arc<dyn Transport>,
    service: &Service,
    path: &str,
    (first, last): (Date, Date),
    mut slice: Slice,
    decode: fn(&mut Slice, &mut dyn Read) -> Result<u64, serde_json::Error>,
) -> Result<(Slice, u64), Fault> {
    let answer = call(transport, service, &format!("{path}?start={first}&end={last}")).await?;
    let html = is_html(&answer);
    let decoding = tokio::task::spawn_blocking(move || {
        let mut body = Chunks::new(answer.body, LARGEST);
        let read = decode(&mut slice, &mut std::io::BufReader::new(&mut body));
        match (body.fault, read) {
            (Some(TransportError::TooLarge), _) => Err(Fault::Unreadable),
            (Some(_), _) => Err(Fault::NoAnswer),
            (None, Err(fault)) => Err(unreadable(&fault, html)),
            (None, Ok(items)) => Ok((slice, items)),
        }
    });
    decoding.await.unwrap_or(Err(Fault::NoAnswer))
}

fn is_html(answer: &OutResponse) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
}

async fn call(transport: &Arc<dyn Transport>, service: &Service, path: &str) -> Result<OutResponse, Fault> {
    let request = OutRequest {
        method: "GET",
        url: format!("{}/v1.0/{path}", service.base_url),
        headers: vec![
            ("Authorization", format!("Bearer {}", service.token.expose_secret())),
            ("Content-Type", "application/json; charset=utf-8".to_owned()),
        ],
        body: None,
        deadline: DEADLINE,
    };
    let answer = transport.send(request).await.map_err(|_| Fault::NoAnswer)?;
    if (200..300).contains(&answer.status) {
        return Ok(answer);
    }
    let (status, wait) = (answer.status, retry_after(&answer));
    let body = answer.bytes(LARGEST_WHOLE).await.unwrap_or_default();
    Err(refused(status, code(&body), wait))
}

/// The code of an error, which comes in two forms, and is a number or a text.
fn code(body: &[u8]) -> Option<u64> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let error = body.pointer("/errors/0").unwrap_or(&body);
    let code = error.get("code")?;
    code.as_u64().or_else(|| code.as_str()?.trim().parse().ok())
}

fn refused(status: u16, code: Option<u64>, wait: Option<Duration>) -> Fault {
    match (code, status) {
        (Some(104), _) => Fault::Closed,
        // The same for a wrong token, an address that is not on its list, and a list that it may not read.
        (Some(100 | 111), _) | (None, 401) => Fault::Unauthorized,
        (Some(105), _) | (None, 403) => Fault::Blocked,
        (Some(303 | 308), _) | (_, 429) => Fault::TooMany(wait),
        (Some(300), _) => Fault::NoAnswer,
        (_, status) if status >= 500 => Fault::NoAnswer,
        _ => Fault::Unreadable,
    }
}

/// Whom a code belongs to on a date, of people who are there or were: who has left may have left the code to another.
#[derive(Debug, Default)]
pub struct People {
    by_key: BTreeMap<String, Person>,
}

impl People {
    /// The people of a list.
    #[must_use]
    pub fn new(list: Vec<Person>) -> Self {
        Self { by_key: list.into_iter().map(|person| (person.key.clone(), person)).collect() }
    }

    /// 従業員コード of a person, trimmed; `None` where there is none.
    #[must_use]
    pub fn code(&self, key: &str) -> Option<&str> {
        self.by_key.get(key)?.code.as_deref().map(str::trim).filter(|code| !code.is_empty())
    }

    /// Who has each code, of the people who are there on `day`.
    #[must_use]
    pub fn owners(&self, day: Date) -> BTreeMap<String, BTreeSet<String>> {
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let there = |person: &&Person| {
            person.hired_date.is_none_or(|first| first <= day) && person.resignation_date.is_none_or(|last| day <= last)
        };
        for person in self.by_key.values().filter(there) {
            if let Some(code) = self.code(&person.key) {
                owners.entry(code.to_owned()).or_default().insert(person.key.clone());
            }
        }
        owners
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    #[test]
    fn errors_are_told_by_their_code_in_either_form() {
        let table: [(u16, &str, Fault); 13] = [
            (403, r#"{"errors":[{"message":"x","code":100}]}"#, Fault::Unauthorized),
            (401, r#"{"errors":[{"code":"111"}]}"#, Fault::Unauthorized),
            (403, r#"{"errors":[{"message":"x","code":104}]}"#, Fault::Closed),
            (403, r#"{"code":"104"}"#, Fault::Closed),
            (403, r#"{"errors":[{"code":105}]}"#, Fault::Blocked),
            (403, "<html>", Fault::Blocked),
            (401, "", Fault::Unauthorized),
            (429, r#"{"code":"303","message":"Too Many Requests"}"#, Fault::TooMany(None)),
            (400, r#"{"code":308}"#, Fault::TooMany(None)),
            (429, "", Fault::TooMany(None)),
            (500, r#"{"errors":[{"code":300}]}"#, Fault::NoAnswer),
            (502, "<html>", Fault::NoAnswer),
            (400, r#"{"errors":[{"code":222}]}"#, Fault::Unreadable),
        ];
        for (status, body, fault) in table {
            assert_eq!(refused(status, code(body.as_bytes()), None), fault, "{status} {body}");
        }
    }

    #[test]
    fn the_forbidden_hours_have_a_minute_of_margin() {
        let at = |text: &str| Millis::from(format!("2026-04-10T{text}+09:00").parse::<jiff::Timestamp>().unwrap());
        let table = [
            ("05:00:00", None),
            ("08:28:59", None),
            ("08:29:00", Some("10:01:00")),
            ("10:00:59", Some("10:01:00")),
            ("10:01:00", None),
            ("17:29:00", Some("18:31:00")),
            ("18:30:30", Some("18:31:00")),
            ("18:31:00", None),
            ("23:59:59", None),
        ];
        for (now, open) in table {
            assert_eq!(closed_until(at(now)), open.map(at), "{now}");
        }
    }

    #[test]
    fn who_has_left_shares_a_code_with_nobody() {
        let person = |key: &str, code: Option<&str>, left: Option<Date>| Person {
            key: key.to_owned(),
            code: code.map(str::to_owned),
            hired_date: (key == "b").then_some(date(2026, 3, 30)),
            resignation_date: left,
        };
        let people = People::new(vec![
            person("a", Some("P1"), Some(date(2026, 3, 31))),
            person("b", Some(" P1 "), None),
            person("c", None, None),
            person("d", Some(" "), None),
        ]);
        for (day, owners) in
            [(date(2026, 4, 1), &["b"][..]), (date(2026, 3, 31), &["a", "b"]), (date(2026, 3, 29), &["a"])]
        {
            let found = people.owners(day).remove("P1").unwrap();
            assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), owners, "{day}");
        }
        assert_eq!((people.code("b"), people.code("c"), people.code("d")), (Some("P1"), None, None));
    }
}
