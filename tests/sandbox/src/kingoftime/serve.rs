//! How a company answers: the checks in their order (rule 4), then the call.

use std::net::IpAddr;
use std::time::Duration;

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::company::Company;
use super::day::{self, Kind, Punch};
use super::lists::{List, write};
use super::period::{Asked, additional};
use super::route::Route;
use super::settings::take;
use crate::hrmos::Minute;
use crate::hrmos::dates::{DAY_MS, MINUTE_MS, instant, parse_date, parse_instant, today};
use crate::wire::{Answer, JSON, SimRequest, SimResponse};

/// The hours in which nobody may call, in minutes of the day (rule 3).
const FORBIDDEN: [(i64, i64); 2] = [(8 * 60 + 30, 10 * 60), (17 * 60 + 30, 18 * 60 + 30)];

/// An answer of the array form.
pub(super) fn errors(status: u16, code: u16, message: &str) -> Answer {
    Answer::json(status, &json!({ "errors": [{ "message": message, "code": code }] }))
}

/// What ends a call early.
enum Refused {
    Answer(Answer),
    Reset,
}

impl From<Answer> for Refused {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}

impl Company {
    /// Answers a request to `path` below the root, which came with a token of this company.
    pub(super) fn serve(
        &mut self,
        now: Millis,
        caller: IpAddr,
        token: usize,
        path: &str,
        request: &SimRequest,
    ) -> SimResponse {
        let meant = self.faults.only_path.as_ref().is_none_or(|part| request.path.contains(part));
        let struck = meant && !take(&mut self.faults.after);
        let response = match self.answer(now, caller, token, Route::of(&request.method, path), request, struck) {
            Ok(answer) | Err(Refused::Answer(answer)) => SimResponse::Answer(answer),
            Err(Refused::Reset) => SimResponse::Reset { delay: Duration::ZERO },
        };
        if struck && take(&mut self.faults.slow_answers) {
            return response.later(Duration::from_millis(self.faults.slow_answer_ms));
        }
        response
    }

    fn answer(
        &mut self,
        now: Millis,
        caller: IpAddr,
        token: usize,
        route: Route<'_>,
        request: &SimRequest,
        struck: bool,
    ) -> Result<Answer, Refused> {
        self.allowed(caller, token, route)?;
        if !route.is_always_open() && self.is_forbidden(now) {
            let text = "次の時間帯(JST)はAPIへのアクセスが禁止されています [08:30 ~ 10:00, 17:30 ~ 18:30]";
            return Err(errors(403, 104, text).into());
        }
        self.rate(now, struck)?;
        self.broken(now, struck)?;
        let today = today(now);
        let list = |list, day: Option<&str>| {
            let asked = Asked::read(request, day, today).map_err(|why| self.bad(222, why))?;
            Ok::<_, Refused>(Answer::raw(200, JSON, self.list(now, list, &asked, day.is_some())))
        };
        let answer = match route {
            Route::Company => self.about(),
            Route::Divisions => said(json!([
                { "code": "210", "name": "東支店", "dayBorderTime": "05:00" },
                { "code": "100", "name": "本社", "dayBorderTime": "05:00" },
            ])),
            Route::WorkingTypes => said(json!([{ "code": "1", "name": "正社員" }])),
            Route::Employees => self.people(request, today, None)?,
            Route::Employee(code) => self.people(request, today, Some(code))?,
            Route::Daily(day) => list(List::Totals, day)?,
            Route::TimeRecords(day) => list(List::Punches, day)?,
            Route::Punch(key) => self.punch(key, request)?,
            Route::Available(text) => {
                let available = self.tokens.iter().any(|token| token.text == text && token.is_good(caller));
                said(json!({ "available": available }))
            }
            Route::Replace(text) => {
                let found = self.tokens.iter_mut().find(|token| token.text == text && !token.stopped);
                let new = found.ok_or_else(|| errors(403, 100, "認証に失敗しました。"))?.replaced();
                let answer = Answer::json(201, &json!({ "token": new.text }));
                self.tokens.push(new);
                answer
            }
            Route::Stop(text) => {
                self.tokens.iter_mut().filter(|token| token.text == text).for_each(|token| token.stopped = true);
                Answer::raw(204, JSON, Vec::new())
            }
            Route::Unknown => errors(404, 222, "ページが見つかりません。"),
        };
        Ok(self.spoilt(answer, struck))
    }

    /// Rule 2: the token, where it is used, and what for.
    fn allowed(&self, caller: IpAddr, token: usize, route: Route<'_>) -> Result<(), Refused> {
        let refused = || errors(403, 100, "認証に失敗しました。").into();
        let Some(token) = self.tokens.get(token).filter(|token| !token.stopped) else { return Err(refused()) };
        if !token.is_from_here(caller) {
            return Err(if self.settings.ip_html {
                Answer::html(403, "アクセスが制限されています").into()
            } else {
                errors(403, self.settings.ip_code, "認証に失敗しました。").into()
            });
        }
        if route.item().is_some_and(|item| !token.items.contains(&item)) {
            return Err(refused());
        }
        Ok(())
    }

    /// Rule 3.
    fn is_forbidden(&self, now: Millis) -> bool {
        let minute = (now.0 + 9 * 60 * MINUTE_MS).rem_euclid(DAY_MS) / MINUTE_MS;
        let last = i64::from(self.settings.window_end_inclusive);
        FORBIDDEN.iter().any(|(from, to)| (*from..*to + last).contains(&minute))
    }

    /// Rule 14: the last 60 seconds of the company, whoever calls; an answer of the other form, its code a text.
    fn rate(&mut self, now: Millis, struck: bool) -> Result<(), Refused> {
        let over = self.window.count(now, self.settings.window_ms) >= self.settings.calls_per_window;
        self.window.add(now, self.settings.window_ms);
        if over || struck && take(&mut self.faults.too_many) {
            let body = json!({ "code": "303", "message": "Too Many Requests" });
            return Err(Answer::json(self.settings.rate_status, &body).into());
        }
        Ok(())
    }

    /// Rule 15: what breaks before the call is looked at.
    fn broken(&mut self, now: Millis, struck: bool) -> Result<(), Refused> {
        if struck && take(&mut self.faults.resets) {
            return Err(Refused::Reset);
        }
        let down = self.faults.unavailable_until.is_some_and(|end| now < end);
        if down || struck && take(&mut self.faults.server_errors) {
            return Err(errors(500, 300, "リソースサーバーエラーが発生しました。").into());
        }
        Ok(())
    }

    /// Rule 15: what happens to a good answer on its way.
    fn spoilt(&mut self, mut answer: Answer, struck: bool) -> Answer {
        if !struck {
            return answer;
        }
        if take(&mut self.faults.html_answers) {
            return Answer::html(200, "KING OF TIME");
        }
        if take(&mut self.faults.errors_as_200) {
            return errors(200, 222, "Id is empty.");
        }
        if take(&mut self.faults.cut_bodies) {
            answer.body.truncate(answer.body.len() / 2);
        }
        answer
    }

    pub(super) fn bad(&self, code: u16, why: &str) -> Answer {
        errors(self.settings.parameter_status, code, why)
    }

    fn about(&self) -> Answer {
        let settings = json!({ "timeDisplayFormat": 1, "decimalTreatType": 1, "halfDayWorkingCount": 0.5 });
        said(json!({ "code": self.id, "name": "見本株式会社", "host": "s2.kingtime.jp", "settings": settings }))
    }

    /// Rule 11: who has left by `date` is there only when asked for.
    fn people(&self, request: &SimRequest, today: Date, code: Option<&str>) -> Result<Answer, Refused> {
        let day = match request.parameter("date") {
            Some(text) => parse_date(&text).ok_or_else(|| self.bad(222, "日付の形式が不正です。"))?,
            None => today,
        };
        let resigners = request.parameter("includeResigner").is_some_and(|text| text == "true");
        let (division, fields) = (request.parameter("division"), additional(request));
        let listed = self.employees.iter().filter(|employee| {
            (resigners || !employee.has_left(day))
                && division.as_ref().is_none_or(|division| *division == employee.division)
                && code.is_none_or(|code| employee.code.as_deref() == Some(code))
        });
        let mut body = Vec::new();
        if code.is_some() {
            let mut listed = listed;
            let found =
                listed.next().ok_or_else(|| errors(self.settings.unknown_status, 526, "従業員が存在しません。"))?;
            write(&mut body, found.shown(&fields));
        } else {
            body.push(b'[');
            for (number, employee) in listed.enumerate() {
                if number > 0 {
                    body.push(b',');
                }
                write(&mut body, employee.shown(&fields));
            }
            body.push(b']');
        }
        Ok(Answer::raw(200, JSON, body))
    }

    /// Rule 13. A link never calls it; it is played so that a test can say so.
    fn punch(&mut self, key: &str, request: &SimRequest) -> Result<Answer, Refused> {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let place = self.employees.iter().position(|employee| employee.key == key);
        let place = place.ok_or_else(|| errors(self.settings.unknown_status, 526, "従業員が存在しません。"))?;
        let bad_time = || self.bad(280, "時刻の形式が不正です。");
        let day = text("date").and_then(parse_date).ok_or_else(bad_time)?;
        let at = text("time").filter(|text| text.ends_with("+09:00")).and_then(parse_instant).ok_or_else(bad_time)?;
        let minutes = i32::try_from((at.0 - instant(day, 0).0) / MINUTE_MS).map_err(|_| bad_time())?;
        let mut record = self.recorded(place, day).unwrap_or_default();
        let usual = if record.punches.is_empty() { Kind::In } else { Kind::Out };
        let punch = Punch { at: Minute::new(minutes), kind: text("code").and_then(Kind::of).unwrap_or(usual) };
        record.punches.push(punch);
        let employee = self.employees.get(place).ok_or_else(bad_time)?;
        let (key, division) = (employee.key.clone(), employee.division.clone());
        self.set_day(&key, day, record);
        let mut bytes = Vec::new();
        write(&mut bytes, day::shown(punch, day, &division));
        Ok(Answer::raw(201, JSON, bytes))
    }
}

/// An answer without nulls.
fn said(value: Value) -> Answer {
    let mut body = Vec::new();
    write(&mut body, value);
    Answer::raw(200, JSON, body)
}
