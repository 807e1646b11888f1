//! A desk to try calls at: one company, one clock, one token.

use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::{Shown, ensure};
use crate::kaonavi::{Company, CompanySpec, Kaonavi, SimRequest, SimResponse, sample};

/// 2026-04-01T09:00:00+09:00.
const START: Millis = Millis(1_775_001_600_000);

/// The id of the desk's company.
const COMPANY: &str = "desk";

/// One company and a client of it, with a clock that only the scenario moves.
#[derive(Debug)]
pub struct Desk {
    /// カオナビ.
    pub kaonavi: Kaonavi,
    /// The time.
    pub now: Millis,
    token: String,
}

impl Desk {
    /// The sample company, a token in hand.
    ///
    /// # Errors
    /// When the token is refused.
    pub fn open() -> Result<Self, String> {
        Self::with(|_| {})
    }

    /// The sample company with changes, a token in hand.
    ///
    /// # Errors
    /// When the company can not be made or the token is refused.
    pub fn with(change: impl FnOnce(&mut CompanySpec)) -> Result<Self, String> {
        let mut spec = sample::company(COMPANY);
        change(&mut spec);
        let mut kaonavi = Kaonavi::new();
        kaonavi.add(spec).map_err(|error| error.to_string())?;
        let mut desk = Self { kaonavi, now: START, token: String::new() };
        desk.renew()?;
        Ok(desk)
    }

    /// Lets time pass.
    pub fn wait(&mut self, ms: i64) {
        self.now = Millis(self.now.0 + ms);
    }

    /// Sends a request as it is.
    pub fn raw(&mut self, request: SimRequest) -> SimResponse {
        self.kaonavi.handle(self.now, request)
    }

    /// Sends a request with the token.
    pub fn call(&mut self, request: SimRequest) -> SimResponse {
        let token = self.token.clone();
        self.raw(request.with_token(&token))
    }

    /// Takes a new token.
    ///
    /// # Errors
    /// When it is refused.
    pub fn renew(&mut self) -> Shown {
        let answer = self.raw(self.token_request());
        let token = answer.body().get("access_token").and_then(Value::as_str).map(str::to_owned);
        self.token = token.ok_or_else(|| format!("no token: {:?}", answer.status()))?;
        Ok(())
    }

    /// The token in hand.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The request for a token with the company's first credentials.
    #[must_use]
    pub fn token_request(&self) -> SimRequest {
        SimRequest::for_token(&format!("key-{COMPANY}"), &format!("secret-{COMPANY}"))
    }

    /// Reads a resource under the API's root.
    pub fn get(&mut self, resource: &str) -> SimResponse {
        self.call(SimRequest::new("GET", &format!("/api/v2.0/{resource}")))
    }

    /// Writes rows.
    pub fn write(&mut self, method: &str, rows: Value) -> SimResponse {
        self.call(Self::writing(method, rows))
    }

    /// The request that writes rows.
    #[must_use]
    pub fn writing(method: &str, rows: Value) -> SimRequest {
        SimRequest::new(method, "/api/v2.0/members").with_json(&json!({ "member_data": rows }))
    }

    /// Creates one member and waits until it is there.
    ///
    /// # Errors
    /// When the write or the task fails.
    pub fn hired(&mut self, row: Value) -> Shown {
        let answer = self.write("POST", json!([row]));
        self.done(&answer)
    }

    /// Waits until the task of an accepted write is OK.
    ///
    /// # Errors
    /// When there is no task, or it ends otherwise.
    pub fn done(&mut self, answer: &SimResponse) -> Shown {
        let status = self.ended(answer)?;
        ensure!(status == "OK", "task ended {status}");
        Ok(())
    }

    /// Waits for the end of the task of an accepted write.
    ///
    /// # Errors
    /// When there is no task or no end within ten minutes.
    pub fn ended(&mut self, answer: &SimResponse) -> Result<String, String> {
        let id = answer.task_id().ok_or_else(|| format!("no task: {:?} {}", answer.status(), answer.body()))?;
        for _ in 0..600 {
            let status = self.status(id)?;
            if !matches!(status.as_str(), "WAITING" | "RUNNING") {
                return Ok(status);
            }
            self.wait(1_000);
        }
        Err("the task does not end".to_owned())
    }

    /// The status of a task.
    ///
    /// # Errors
    /// When there is none.
    pub fn status(&mut self, id: i64) -> Result<String, String> {
        let answer = self.get(&format!("tasks/{id}"));
        let status = answer.body().get("status").and_then(Value::as_str).map(str::to_owned);
        status.ok_or_else(|| format!("task answers {:?}", answer.status()))
    }

    /// One member as `GET /members` shows it.
    pub fn member(&mut self, code: &str) -> Option<Value> {
        let body = self.get("members").body();
        body.get("member_data")?
            .as_array()?
            .iter()
            .find(|member| member.get("code").is_some_and(|known| known == code))
            .cloned()
    }

    /// The desk's company, for the operator's hand.
    ///
    /// # Errors
    /// Never while the scenario leaves it there.
    pub fn company(&mut self) -> Result<&mut Company, String> {
        self.kaonavi.company(self.now, COMPANY).map_err(|error| error.to_string())
    }

    /// Orders a fault.
    ///
    /// # Errors
    /// Never while the scenario leaves the company there.
    pub fn fault(&mut self, order: impl FnOnce(&mut crate::kaonavi::Faults)) -> Shown {
        let now = self.now;
        let company = self.company()?;
        let mut faults = company.faults().clone();
        order(&mut faults);
        company.set_faults(now, faults);
        Ok(())
    }
}

/// `Ok` when the answer is this refusal, with an `errors` body.
pub(crate) fn refused(answer: &SimResponse, status: u16) -> Shown {
    ensure!(answer.status() == Some(status), "answered {:?} instead of {status}: {}", answer.status(), answer.body());
    let body = answer.body();
    let errors = body.get("errors").and_then(Value::as_array);
    ensure!(
        errors.is_some_and(|errors| !errors.is_empty() && errors.iter().all(Value::is_string)),
        "no errors in {body}"
    );
    Ok(())
}

/// `Ok` when the answer is 200.
pub(crate) fn passed(answer: &SimResponse) -> Shown {
    ensure!(answer.status() == Some(200), "answered {:?}: {}", answer.status(), answer.body());
    Ok(())
}

/// A row with a code and a name.
pub(crate) fn person(code: &str) -> Value {
    json!({ "code": code, "name": "試験 太郎" })
}
