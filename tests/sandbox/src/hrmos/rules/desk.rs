//! A desk to try calls at: one company, one clock, one token.

use jiff::civil::{Date, date};
use renkei_runtime::clock::Millis;
use serde_json::Value;

use crate::hrmos::{Company, CompanySpec, Faults, Hrmos, Settings, sample};
use crate::rules::{Shown, ensure};
use crate::wire::{SimRequest, SimResponse};

/// 2026-04-10T05:00:00+09:00.
const START: Millis = Millis(1_775_764_800_000);
/// The id of the desk's company.
const COMPANY: &str = "desk";
/// How far a careful client keeps its calls apart, milliseconds.
pub(crate) const APART: i64 = 1_100;

/// One company and a client of it, with a clock that only the scenario moves.
#[derive(Debug)]
pub struct Desk {
    /// HRMOS勤怠.
    pub hrmos: Hrmos,
    /// The time.
    pub now: Millis,
    token: String,
}

impl Desk {
    /// The company that is on the desk unless another one is laid there: 60 people of the sample from 2026-03-01 to
    /// 2026-04-30, seen on 2026-04-10 at 05:00 in Japan.
    #[must_use]
    pub fn sample() -> CompanySpec {
        let mut spec = sample::company(COMPANY, 60, date(2026, 3, 1), date(2026, 4, 30), 1);
        spec.key_issued_at = START;
        spec
    }

    /// A company without people on the desk.
    #[must_use]
    pub fn empty() -> CompanySpec {
        CompanySpec::new(COMPANY, START)
    }

    /// The sample, a token in hand.
    ///
    /// # Errors
    /// When the token is refused.
    pub fn open() -> Result<Self, String> {
        Self::with(Self::sample())
    }

    /// A company, a token in hand.
    ///
    /// # Errors
    /// When the company can not be made or the token is refused.
    pub fn with(spec: CompanySpec) -> Result<Self, String> {
        let mut desk = Self::shut(spec)?;
        desk.renew()?;
        Ok(desk)
    }

    /// A company, and nothing in hand yet.
    ///
    /// # Errors
    /// When the company can not be made.
    pub fn shut(spec: CompanySpec) -> Result<Self, String> {
        let hrmos = Hrmos::new().with(spec).map_err(|error| error.to_string())?;
        Ok(Self { hrmos, now: START, token: String::new() })
    }

    /// Yesterday's date in Japan.
    ///
    /// # Errors
    /// Never for a date that has a day before it.
    pub fn yesterday(&self) -> Result<Date, String> {
        super::super::dates::today(self.now).yesterday().map_err(|error| error.to_string())
    }

    /// Lets time pass.
    pub fn wait(&mut self, ms: i64) {
        self.now = Millis(self.now.0 + ms);
    }

    /// Sends a request as it is.
    pub fn raw(&mut self, request: SimRequest) -> SimResponse {
        self.hrmos.handle(self.now, request)
    }

    /// The request for a path below the company's root.
    #[must_use]
    pub fn request(method: &str, path: &str) -> SimRequest {
        SimRequest::new(method, &format!("/api/{COMPANY}/v1/{path}"))
    }

    /// Sends a request with the token.
    pub fn call(&mut self, method: &str, path: &str) -> SimResponse {
        let token = format!("Token {}", self.token);
        self.raw(Self::request(method, path).with_header("Authorization", token))
    }

    /// Reads.
    pub fn get(&mut self, path: &str) -> SimResponse {
        self.call("GET", path)
    }

    /// The request for a token with a key as it is.
    #[must_use]
    pub fn token_request(key: &str) -> SimRequest {
        Self::request("GET", "authentication/token").with_header("Authorization", format!("Basic {key}"))
    }

    /// Takes a new token with the key in force.
    ///
    /// # Errors
    /// When it is refused.
    pub fn renew(&mut self) -> Shown {
        let key = self.company()?.key().to_owned();
        let answer = self.raw(Self::token_request(&key));
        self.take(&answer)
    }

    /// Takes the token of an answer in hand.
    ///
    /// # Errors
    /// When there is none.
    pub fn take(&mut self, answer: &SimResponse) -> Shown {
        let token = answer.body().get("token").and_then(Value::as_str).map(str::to_owned);
        self.token = token.ok_or_else(|| format!("no token: {:?}", answer.status()))?;
        Ok(())
    }

    /// The token in hand.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// All rows of a list, page after page as the total says, each call a little after the one before.
    ///
    /// # Errors
    /// When a call is refused, or the totals change on the way.
    pub fn all(&mut self, path: &str) -> Result<Vec<Value>, String> {
        let sign = if path.contains('?') { '&' } else { '?' };
        let mut rows = Vec::new();
        let mut total = None;
        for page in 1.. {
            self.wait(APART);
            let answer = self.get(&format!("{path}{sign}limit=100&page={page}"));
            passed(&answer)?;
            let body = answer.body();
            let got = body.as_array().ok_or("no array")?;
            let short = got.len() < 100;
            rows.extend(got.iter().cloned());
            let count = answer.header("X-Total-Count").map(str::to_owned);
            ensure!(page == 1 || total == Some(count.clone()), "the total changed on the way");
            total = Some(count);
            let pages: Option<u64> = answer.header("X-Total-Page").and_then(|pages| pages.parse().ok());
            if pages.map_or(short, |pages| page >= pages) {
                break;
            }
        }
        Ok(rows)
    }

    /// The desk's company, for the operator's hand.
    ///
    /// # Errors
    /// Never while the scenario leaves it there.
    pub fn company(&mut self) -> Result<&mut Company, String> {
        self.hrmos.company(COMPANY).map_err(|error| error.to_string())
    }

    /// Turns switches.
    ///
    /// # Errors
    /// Never while the scenario leaves the company there.
    pub fn set(&mut self, change: impl FnOnce(&mut Settings)) -> Shown {
        self.company()?.set(change);
        Ok(())
    }

    /// Orders faults.
    ///
    /// # Errors
    /// Never while the scenario leaves the company there.
    pub fn fault(&mut self, order: impl FnOnce(&mut Faults)) -> Shown {
        self.company()?.fault(order);
        Ok(())
    }
}

/// `Ok` when the answer is this refusal, with an Error object.
pub(crate) fn refused(answer: &SimResponse, status: u16) -> Shown {
    ensure!(answer.status() == Some(status), "answered {:?} instead of {status}: {}", answer.status(), answer.body());
    let body = answer.body();
    let named = body.get("code").is_some_and(Value::is_i64) && body.get("message").is_some_and(Value::is_string);
    ensure!(named, "no Error object in {body}");
    Ok(())
}

/// `Ok` when the answer is 200.
pub(crate) fn passed(answer: &SimResponse) -> Shown {
    ensure!(answer.status() == Some(200), "answered {:?}: {}", answer.status(), answer.body());
    Ok(())
}

/// The rows of an answer.
pub(crate) fn rows(answer: &SimResponse) -> Vec<Value> {
    answer.body().as_array().cloned().unwrap_or_default()
}

/// The text of a member of a row; empty when it is null or missing.
pub(crate) fn text<'a>(row: &'a Value, member: &str) -> &'a str {
    row.get(member).and_then(Value::as_str).unwrap_or("")
}
