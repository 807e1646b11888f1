//! A desk to try calls at: one company, one clock, and a client that keeps all rules.

use std::collections::BTreeMap;

use jiff::Timestamp;
use renkei_runtime::clock::Millis;
use serde_json::Value;

use crate::feed::{Company, CompanySpec, Feed, Settings, sample};
use crate::rules::{Shown, ensure};
use crate::wire::{SimRequest, SimResponse};

/// 2026-04-01T09:00:00+09:00.
pub(super) const START: Millis = Millis(1_775_001_600_000);
const COMPANY: &str = "desk";
const TOKEN: &str = "token-desk";
/// Calls after which a run is given up.
const PATIENCE: usize = 500;

/// What a run brought.
#[derive(Debug, Default)]
pub struct Sweep {
    /// How often each person came.
    pub times: BTreeMap<String, usize>,
    /// The newest state of each.
    pub newest: BTreeMap<String, Value>,
    /// Pages that were read.
    pub pages: usize,
    /// What the source's clock said on the first page.
    pub began: Option<String>,
}

/// One company and a client of it, with a clock that only the scenario moves.
#[derive(Debug)]
pub struct Desk {
    /// ロウムメイト.
    pub feed: Feed,
    /// The time.
    pub now: Millis,
}

impl Desk {
    /// A company of `people`, hired a second apart since an hour ago, whose changes are seen at once.
    ///
    /// # Errors
    /// Never.
    pub fn of(people: usize) -> Result<Self, String> {
        Self::with(people, |_| {})
    }

    /// The same with other settings, which are in force only after the people were hired.
    ///
    /// # Errors
    /// Never.
    pub fn with(people: usize, change: impl FnOnce(&mut Settings)) -> Result<Self, String> {
        let mut feed = Feed::new();
        let settings = Settings { late: crate::feed::Late::Never, ..Settings::default() };
        let spec = CompanySpec { id: COMPANY.to_owned(), token: TOKEN.to_owned(), settings };
        let company = feed.add(spec).map_err(|error| error.to_string())?;
        for number in 0..people {
            let at = Millis(START.0 - 3_600_000 + i64::try_from(number).unwrap_or(0) * 1_000);
            company.put(at, sample::person(number)).map_err(|error| error.to_string())?;
        }
        change(company.settings_mut());
        Ok(Self { feed, now: START })
    }

    /// Lets time pass.
    pub fn wait(&mut self, ms: i64) {
        self.now = Millis(self.now.0 + ms);
    }

    /// The desk's company, for the operator's hand.
    ///
    /// # Errors
    /// Never.
    pub fn company(&mut self) -> Result<&mut Company, String> {
        self.feed.company(COMPANY).map_err(|error| error.to_string())
    }

    /// Changes a person's family name now.
    ///
    /// # Errors
    /// When there is no such person.
    pub fn rename(&mut self, number: usize, name: &str) -> Result<Timestamp, String> {
        let now = self.now;
        let change = |record: &mut crate::feed::Record| {
            record.insert("last_name".to_owned(), Value::from(name));
        };
        self.company()?.change(now, &sample::id(number), change).map_err(|error| error.to_string())
    }

    /// Sends a request as it is.
    pub fn raw(&mut self, request: &SimRequest) -> SimResponse {
        self.feed.handle(self.now, request)
    }

    /// The request for a query, with the token.
    #[must_use]
    pub fn request(query: &str) -> SimRequest {
        SimRequest::new("GET", &format!("{}?{query}", Feed::path(COMPANY))).with_bearer(TOKEN)
    }

    /// Asks with the token.
    pub fn ask(&mut self, query: &str) -> SimResponse {
        self.raw(&Self::request(query))
    }

    /// Asks with the token; the page must come.
    ///
    /// # Errors
    /// Any other answer.
    pub fn page(&mut self, query: &str) -> Result<Value, String> {
        let answer = self.ask(query);
        ensure!(answer.status() == Some(200), "answered {:?}: {}", answer.status(), answer.body());
        Ok(answer.body())
    }

    /// A run as a client that keeps every rule makes it: `between` is called after each page with the number of pages.
    ///
    /// # Errors
    /// When it comes to no end.
    pub fn sweep(
        &mut self,
        since: Option<Timestamp>,
        limit: usize,
        between: &mut dyn FnMut(&mut Self, usize) -> Shown,
    ) -> Result<Sweep, String> {
        let since = since.map(|since| format!("&updated_since={}", encoded(&since.to_string()))).unwrap_or_default();
        let mut sweep = Sweep::default();
        let mut cursor: Option<String> = None;
        for _ in 0..PATIENCE {
            let at = cursor.as_deref().map(|cursor| format!("&cursor={}", encoded(cursor))).unwrap_or_default();
            let answer = self.ask(&format!("limit={limit}{since}{at}"));
            match answer.status() {
                Some(200) => {}
                // The cursor is the only parameter that can have gone bad.
                Some(400) if cursor.is_some() => {
                    cursor = None;
                    continue;
                }
                Some(400..=428) => return Err(format!("refused: {}", answer.body())),
                _ => {
                    self.wait(self.pause(&answer));
                    continue;
                }
            }
            let body = answer.body();
            let Some((employees, next)) = page_of(&body) else {
                self.wait(1_000);
                continue;
            };
            if cursor.is_none() && sweep.began.is_none() {
                sweep.began = answer.header("Date").map(str::to_owned);
            }
            sweep.pages += 1;
            for record in employees {
                sweep.take(record);
            }
            between(self, sweep.pages)?;
            match next {
                None => return Ok(sweep),
                Some(next) => cursor = Some(next),
            }
        }
        Err("no end".to_owned())
    }

    /// How long the answer asks to wait; a second where it says nothing.
    fn pause(&self, answer: &SimResponse) -> i64 {
        let Some(text) = answer.header("Retry-After") else { return 1_000 };
        let date = jiff::fmt::rfc2822::parse(text).map(|date| date.timestamp().as_millisecond() - self.now.0);
        text.parse::<i64>().map(|seconds| seconds * 1_000).or(date).unwrap_or(1_000).max(1)
    }
}

impl Sweep {
    fn take(&mut self, record: &Value) {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        // What is no record is left aside; the others go on.
        let (Some(id), Some(updated)) = (text("employee_id"), updated_at(record)) else { return };
        *self.times.entry(id.to_owned()).or_default() += 1;
        let known = self.newest.get(id).and_then(updated_at);
        if known.is_none_or(|known| known <= updated) {
            self.newest.insert(id.to_owned(), record.clone());
        }
    }

    /// The family name of a person in its newest state.
    #[must_use]
    pub fn name(&self, number: usize) -> Option<&str> {
        self.newest.get(&sample::id(number))?.get("last_name")?.as_str()
    }
}

/// A body's records and cursor, if it is a page at all.
pub(super) fn page_of(body: &Value) -> Option<(&Vec<Value>, Option<String>)> {
    let employees = body.get("employees")?.as_array()?;
    match body.get("next_cursor")? {
        Value::Null => Some((employees, None)),
        Value::String(next) => Some((employees, Some(next.clone()))),
        _ => None,
    }
}

/// A record's `updated_at`.
pub(super) fn updated_at(record: &Value) -> Option<Timestamp> {
    record.get("updated_at")?.as_str()?.parse().ok()
}

/// The ids of a page, in order.
pub(super) fn ids(body: &Value) -> Vec<String> {
    let records = body.get("employees").and_then(Value::as_array).into_iter().flatten();
    records.filter_map(|record| record.get("employee_id")?.as_str().map(str::to_owned)).collect()
}

/// The cursor of a page that has one.
pub(super) fn next(body: &Value) -> Result<String, String> {
    page_of(body).and_then(|(_, next)| next).ok_or_else(|| "no cursor".to_owned())
}

/// `Ok` when the answer has this status.
pub(super) fn answered(answer: &SimResponse, status: u16) -> Shown {
    ensure!(answer.status() == Some(status), "answered {:?} instead of {status}: {}", answer.status(), answer.body());
    Ok(())
}

/// Percent-encodes what may not stand in a query as it is, the plus among it.
pub(super) fn encoded(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// Nothing happens between the pages.
pub(super) fn nothing(_: &mut Desk, _: usize) -> Shown {
    Ok(())
}
