//! One call to one company.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::calls::Call;
use super::company::Company;
use super::cursor::Cursor;
use super::query::Query;
use super::settings::{RetryAfter, take};
use crate::wire::{Answer, SimRequest, SimResponse, http_date};

impl Company {
    /// Answers a `GET` to this company's path.
    pub(super) fn serve(&mut self, now: Millis, request: &SimRequest) -> SimResponse {
        let mut call =
            Call { at: now, status: 0, updated_since: None, with_cursor: false, records: 0, last_page: false };
        let mut response = self.answer(now, request, &mut call);
        call.status = response.status().unwrap_or(0);
        self.log.add(call);
        if let SimResponse::Answer(answer) = &mut response {
            answer.headers.push(("Date", http_date(self.clock(now))));
        }
        response
    }

    fn answer(&mut self, now: Millis, request: &SimRequest, call: &mut Call) -> SimResponse {
        if let Some(until) = self.faults.unavailable_until.filter(|until| now < *until) {
            return self.later(503, "maintenance", now, until.0 - now.0).into();
        }
        let spared = self.faults.spare();
        if !spared && take(&mut self.faults.resets) {
            return SimResponse::Reset { delay: Duration::ZERO };
        }
        let delay = if !spared && take(&mut self.faults.slow_answers) { self.faults.slow_answer_ms } else { 0 };
        let answer = self.judged(now, request, call, spared).unwrap_or_else(|refusal| refusal);
        SimResponse::from(answer).later(Duration::from_millis(delay))
    }

    fn judged(&mut self, now: Millis, request: &SimRequest, call: &mut Call, spared: bool) -> Result<Answer, Answer> {
        if !spared && take(&mut self.faults.errors_500) {
            return Err(Answer::html(500, "Internal Server Error"));
        }
        if !spared && take(&mut self.faults.bare_503) {
            return Err(Answer::html(503, "Service Unavailable"));
        }
        let known = request.bearer().is_some_and(|token| token == self.token);
        if !known || (!spared && take(&mut self.faults.unauthorized)) {
            return Err(refusal(401, "the token is not known").with_header("WWW-Authenticate", "Bearer"));
        }
        if self.log.count(now) > self.settings.calls_per_minute {
            let wait = self.log.wait_ms(now, self.settings.calls_per_minute);
            return Err(self.later(429, "too many calls", now, wait));
        }
        let query = Query::read(request, self.id(), self.settings.page).map_err(|fault| refusal(400, fault))?;
        call.updated_since = query.since;
        call.with_cursor = query.cursor.is_some();
        if let Some(cursor) = &query.cursor
            && (now.0 - cursor.began_at.0 > self.settings.cursor_life_ms
                || (!spared && take(&mut self.faults.expired_cursors)))
        {
            return Err(refusal(400, "this cursor has expired"));
        }
        if spared {
            return Ok(self.page(now, &query, query.limit, Vec::new(), call));
        }
        let limit = if take(&mut self.faults.short_pages) { query.limit.div_ceil(2) } else { query.limit };
        let strange = std::mem::take(&mut self.faults.strange_records);
        let mut answer = self.page(now, &query, limit, strange, call);
        answer.body_over = Duration::from_millis(self.faults.body_ms);
        if take(&mut self.faults.html_pages) {
            return Ok(Answer::html(200, "ログイン"));
        }
        if take(&mut self.faults.empty_bodies) {
            answer.body.clear();
        } else if take(&mut self.faults.cut_bodies) {
            answer.body.truncate(answer.body.len() / 2);
        }
        Ok(answer)
    }

    /// The page itself (E1 to E8, E12, E13): `employees`, and what matches after them.
    fn page(&self, now: Millis, query: &Query, limit: usize, mut employees: Vec<Value>, call: &mut Call) -> Answer {
        let after = query.cursor.as_ref().map(|cursor| &cursor.after);
        let seen = self.places(now);
        let matching = seen.iter().filter(|(place, _)| {
            query.since.is_none_or(|since| place.0 >= since) && after.is_none_or(|after| place > after)
        });
        let mut page: Vec<_> = matching.take(limit + 1).collect();
        let more = page.len() > limit;
        page.truncate(limit);
        let last = page.last().filter(|_| more).map(|(place, _)| place.clone());
        let next = last.map(|after| {
            let began_at = query.cursor.as_ref().map_or(now, |cursor| cursor.began_at);
            Cursor { since: query.since, after, began_at }.sealed(self.id())
        });
        employees.extend(page.into_iter().map(|(_, record)| Value::Object((*record).clone())));
        call.records = employees.len();
        call.last_page = next.is_none();
        Answer::json(200, &json!({ "employees": employees, "next_cursor": next }))
    }

    /// A refusal for `wait_ms` (E11).
    fn later(&self, status: u16, why: &str, now: Millis, wait_ms: i64) -> Answer {
        let seconds = (wait_ms + 999) / 1000;
        let text = match self.settings.retry_after {
            RetryAfter::Seconds => seconds.to_string(),
            // To the second, and never too early.
            RetryAfter::Date => http_date(Millis(self.clock(now).0 + seconds * 1000 + 999)),
        };
        refusal(status, why).with_header("Retry-After", text)
    }
}

pub(super) fn refusal(status: u16, why: &str) -> Answer {
    Answer::json(status, &json!({ "error": why }))
}
