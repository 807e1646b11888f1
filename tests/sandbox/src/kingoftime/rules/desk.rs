//! A desk to try calls at: one company, one clock, one token.

use jiff::civil::date;
use renkei_runtime::clock::Millis;
use serde_json::Value;

use crate::hrmos::at;
use crate::kingoftime::{Company, CompanySpec, Day, Employee, Kind, KingOfTime, sample};
use crate::rules::{Shown, ensure};
use crate::wire::{SimRequest, SimResponse};

/// 2026-04-10T05:00:00+09:00.
const START: Millis = Millis(1_775_764_800_000);
/// How far a careful client keeps its calls apart, milliseconds.
pub(crate) const APART: i64 = 1_100;

/// One company and a client of it, with a clock that only the scenario moves.
#[derive(Debug)]
pub struct Desk {
    /// KING OF TIME.
    pub service: KingOfTime,
    /// The time.
    pub now: Millis,
    /// The token in hand.
    pub token: String,
}

impl Desk {
    /// The company that is on the desk unless another one is laid there: three people, one of whom has left, with days in April
    /// 2026.
    #[must_use]
    pub fn sample() -> CompanySpec {
        let night = Employee::new(1, Some("P0001"), "見本", "花子");
        let day = Employee::new(2, Some("P0002"), "見本", "太郎");
        let gone = Employee::new(3, Some("P0003"), "見本", "次郎").left(date(2026, 4, 8));
        let two = Day::work(at(9, 0), at(12, 0)).punch(at(14, 0), Kind::In).punch(at(18, 0), Kind::Out);
        CompanySpec::new("desk")
            .day(&night.key, date(2026, 4, 8), Day::work(at(20, 0), at(29, 12)).pause(at(24, 0), at(25, 0)))
            .day(&day.key, date(2026, 4, 8), two)
            .day(&gone.key, date(2026, 4, 7), Day::work(at(9, 0), at(18, 0)).automatic(60))
            .day(&day.key, date(2026, 4, 7), Day::work(at(13, 0), at(18, 0)).half("AM休"))
            .employee(night)
            .employee(day)
            .employee(gone)
    }

    /// The sample on 2026-04-10 at 05:00 in Japan.
    ///
    /// # Errors
    /// Never.
    pub fn open() -> Result<Self, String> {
        Self::with(Self::sample())
    }

    /// A company, with its token in hand.
    ///
    /// # Errors
    /// When the company can not be made.
    pub fn with(spec: CompanySpec) -> Result<Self, String> {
        let token = sample::token(&spec.id);
        let service = KingOfTime::new().with(spec).map_err(|error| error.to_string())?;
        Ok(Self { service, now: START, token })
    }

    /// Lets time pass.
    pub fn wait(&mut self, ms: i64) {
        self.now = Millis(self.now.0 + ms);
    }

    /// Sends a request as it is.
    pub fn raw(&mut self, request: SimRequest) -> SimResponse {
        self.service.handle(self.now, request)
    }

    /// Reads a path below the root with the token in hand.
    pub fn get(&mut self, path: &str) -> SimResponse {
        let request = SimRequest::new("GET", &format!("/v1.0/{path}")).with_bearer(&self.token);
        self.raw(request)
    }

    /// The body of an answer that is 200.
    ///
    /// # Errors
    /// When it is another one.
    pub fn read(&mut self, path: &str) -> Result<Value, String> {
        let answer = self.get(path);
        passed(&answer)?;
        Ok(answer.body())
    }

    /// The desk's company, for the operator's hand.
    ///
    /// # Errors
    /// Never while the scenario leaves it there.
    pub fn company(&mut self) -> Result<&mut Company, String> {
        self.service.company("desk").map_err(|error| error.to_string())
    }
}

/// The code of an error, in whichever of the two forms it comes.
pub(crate) fn code(answer: &SimResponse) -> Option<u64> {
    let body = answer.body();
    let error = body.pointer("/errors/0").cloned().unwrap_or(body);
    let code = error.get("code")?;
    code.as_u64().or_else(|| code.as_str()?.parse().ok())
}

/// `Ok` when the answer is this refusal.
pub(crate) fn refused(answer: &SimResponse, status: u16, with: u64) -> Shown {
    ensure!(
        answer.status() == Some(status) && code(answer) == Some(with),
        "answered {:?} {} instead of {status} with {with}",
        answer.status(),
        answer.body()
    );
    Ok(())
}

/// `Ok` when the answer is 200.
pub(crate) fn passed(answer: &SimResponse) -> Shown {
    ensure!(answer.status() == Some(200), "answered {:?}: {}", answer.status(), answer.body());
    Ok(())
}

/// All items of a list of dates, or of one date.
pub(crate) fn items(body: &Value) -> Vec<Value> {
    let dates = body.as_array().cloned().unwrap_or_else(|| vec![body.clone()]);
    let of = |date: &Value| date.get("dailyWorkings").and_then(Value::as_array).cloned().unwrap_or_default();
    dates.iter().flat_map(of).collect()
}
