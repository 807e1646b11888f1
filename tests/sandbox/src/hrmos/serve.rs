//! How a company answers: the checks in their order, then the call.

use std::net::IpAddr;
use std::time::Duration;

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::calls::Call;
use super::company::{Company, Standing};
use super::dates::{parse_date, parse_month, today};
use super::faults::{Between, take};
use super::listing::{Asked, Unlisted};
use super::route::{self, Route};
use super::row::{Source, row};
use super::settings::IpTarget;
use super::user::User;
use crate::wire::{Answer, SimRequest, SimResponse};

/// How much later work ends in a row that is edited while its list is being read.
const EDITED_BY: i32 = 15;

/// A row that is wanted: whose, and which date.
type Place = (usize, Date);

impl Company {
    /// Answers a request to `path` below the company's root.
    pub(crate) fn serve(&mut self, now: Millis, caller: IpAddr, path: &str, request: &SimRequest) -> SimResponse {
        let struck = self.is_struck(&request.path);
        let authorization = request.header("Authorization");
        let token = self.door.live(now, authorization, &self.settings);
        let mut call = Call {
            at: now,
            method: request.method.clone(),
            path: self.without_secrets(&request.path),
            query: self.without_secrets(&request.query),
            status: 0,
            token: token.as_ref().map(|(_, number)| *number),
            write: route::writes(request),
        };
        let mut response = match self.answer(now, caller, path, request, token.map(|(text, _)| text), struck) {
            Ok(answer) => SimResponse::Answer(answer),
            Err(Refused::Answer(answer)) => SimResponse::Answer(answer),
            Err(Refused::Reset) => SimResponse::Reset { delay: Duration::ZERO },
        };
        if struck && take(&mut self.faults.slow_answers) {
            response = response.later(Duration::from_millis(self.faults.slow_answer_ms));
        }
        call.status = response.status().unwrap_or(0);
        self.log.add(call);
        response
    }

    /// Whether the counted faults may strike a call.
    fn is_struck(&mut self, path: &str) -> bool {
        let meant = self.faults.only_path.as_ref().is_none_or(|part| path.contains(part));
        meant && !take(&mut self.faults.after)
    }

    /// What goes into the log: nothing that holds a key or a token.
    fn without_secrets(&self, text: &str) -> String {
        if self.door.holds_secret(text) || self.door.holds_secret(&crate::wire::decoded(text)) {
            return "redacted".to_owned();
        }
        text.to_owned()
    }

    fn answer(
        &mut self,
        now: Millis,
        caller: IpAddr,
        path: &str,
        request: &SimRequest,
        token: Option<String>,
        struck: bool,
    ) -> Result<Answer, Refused> {
        self.rate(now, struck)?;
        self.broken(now, struck)?;
        self.address(caller)?;
        let route = Route::of(&request.method, path);
        if route == Route::Token {
            let issued = self.door.issue(now, request.header("Authorization"), &self.settings);
            let token = issued.ok_or_else(|| self.error(self.settings.key_status, "API KEYが正しくありません"))?;
            self.log.add_token();
            return Ok(self.spoilt(Answer::json(200, &token), struck));
        }
        let ended = |company: &Self| company.error(company.settings.token_status, "トークンが正しくありません");
        let token = token.ok_or_else(|| ended(self))?;
        if struck && take(&mut self.faults.unauthorized) {
            return Err(ended(self).into());
        }
        let answer = match route {
            Route::Token | Route::Unknown => return Err(self.not_found("ページが見つかりません").into()),
            Route::WrongMethod => return Err(self.error(405, "許可されていないメソッドです").into()),
            Route::Postpone => Self::token_answer(self.door.postpone(now, &token, &self.settings)),
            Route::Destroy => Self::token_answer(self.door.destroy(&token)),
            Route::Users => self.list_users(now, request, struck)?,
            Route::Segments => self.list_segments(request, struck)?,
            Route::Daily(day) => {
                let day = parse_date(day).ok_or_else(|| self.bad("day"))?;
                self.list_day(now, day, request, struck)?
            }
            Route::Monthly(month) => {
                let month = parse_month(month).ok_or_else(|| self.bad("month"))?;
                self.list_month(now, month, request, struck)?
            }
            Route::StampsOfDay(day) => {
                let day = parse_date(day).ok_or_else(|| self.bad("day"))?;
                let stamps = self.stamps_of_day(now, day);
                self.list_stamps(&stamps, request, struck)?
            }
            Route::StampsOfUser(user) => {
                let user = user.parse().map_err(|_| self.bad("user_id"))?;
                let stamps = self.stamps_of_user(now, user).ok_or_else(|| self.not_found("社員が見つかりません"))?;
                self.list_stamps(&stamps, request, struck)?
            }
            Route::Work => self.write_day(now, request)?,
        };
        Ok(self.spoilt(answer, struck))
    }

    /// Rule 16: the last 60 seconds of the company, whoever calls.
    fn rate(&mut self, now: Millis, struck: bool) -> Result<(), Refused> {
        let over = self.window.count(now, self.settings.window_ms) >= self.settings.calls_per_window;
        if !over || self.settings.refused_calls_count {
            self.window.add(now, self.settings.window_ms);
        }
        let ordered = struck && take(&mut self.faults.too_many);
        if !over && !ordered {
            return Ok(());
        }
        let mut answer = Answer::raw(429, "text/plain", Vec::new());
        if let Some(seconds) = self.settings.retry_after {
            answer = answer.with_header("Retry-After", seconds.to_string());
        }
        Err(answer.into())
    }

    /// Rule 18: what breaks before the call is looked at.
    fn broken(&mut self, now: Millis, struck: bool) -> Result<(), Refused> {
        if self.faults.unavailable_until.is_some_and(|end| now < end) {
            return Err(Answer::html(503, "メンテナンス中").into());
        }
        if struck && take(&mut self.faults.resets) {
            return Err(Refused::Reset);
        }
        if !struck || !take(&mut self.faults.server_errors) {
            return Ok(());
        }
        let status = if self.faults.server_error_status == 0 { 500 } else { self.faults.server_error_status };
        let answer = if self.faults.server_error_html {
            Answer::html(status, "Internal Server Error")
        } else {
            self.error(status, "エラーが発生しました")
        };
        Err(answer.into())
    }

    /// Rule 17: only 全体 is meant for calls.
    fn address(&self, caller: IpAddr) -> Result<(), Refused> {
        let ip = &self.settings.ip;
        let meant = match ip.target {
            IpTarget::Off | IpTarget::AdminScreens => false,
            IpTarget::Whole => true,
            IpTarget::ByMenu | IpTarget::ByRole => self.settings.newer_ip_targets_block,
        };
        if !meant || ip.allowed.contains(&caller) {
            return Ok(());
        }
        Err(if self.settings.ip_html {
            Answer::html(self.settings.ip_status, "アクセスが制限されています").into()
        } else {
            self.error(self.settings.ip_status, "このIPアドレスからのアクセスは許可されていません").into()
        })
    }

    /// Rule 18: what happens to a good answer on its way.
    fn spoilt(&mut self, mut answer: Answer, struck: bool) -> Answer {
        if !struck {
            return answer;
        }
        if take(&mut self.faults.html_answers) {
            return Answer::html(200, "HRMOS勤怠");
        }
        if answer.header("X-Total-Count").is_some() && take(&mut self.faults.without_totals) {
            answer.headers.clear();
        }
        if take(&mut self.faults.cut_bodies) {
            answer.body.truncate(answer.body.len() / 2);
        }
        answer
    }

    fn token_answer(token: Option<Value>) -> Answer {
        // Only asked for a live token, which there is.
        token.map_or_else(|| Answer::raw(500, "text/plain", Vec::new()), |token| Answer::json(200, &token))
    }

    fn list_users(&mut self, now: Millis, request: &SimRequest, struck: bool) -> Result<Answer, Refused> {
        let asked = Asked::read(request, &self.settings).map_err(|why| self.unlisted(why))?;
        let between = self.between(&asked, struck);
        let today = today(now);
        let listed = |user: &&User| self.settings.leavers_listed || user.end_date.is_none_or(|end| today <= end);
        let users: Vec<&User> = self.users.iter().filter(|user| asked.wants(user.updated_at)).filter(listed).collect();
        let answer = asked.answer(request, &users, between, &self.settings, |user| user.shown());
        answer.map_err(|why| self.unlisted(why).into())
    }

    fn list_segments(&mut self, request: &SimRequest, struck: bool) -> Result<Answer, Refused> {
        let asked = Asked::read(request, &self.settings).map_err(|why| self.unlisted(why))?;
        let between = self.between(&asked, struck);
        let all = if asked.wants(self.segments_updated_at) { self.segments.as_slice() } else { &[] };
        let with_id = !self.settings.segments_without_id;
        let answer = asked.answer(request, all, between, &self.settings, |segment| segment.shown(with_id));
        answer.map_err(|why| self.unlisted(why).into())
    }

    /// Rule 10: everybody's row of the date, whatever `user_id` says.
    fn list_day(&mut self, now: Millis, day: Date, request: &SimRequest, struck: bool) -> Result<Answer, Refused> {
        let asked = Asked::read(request, &self.settings).map_err(|why| self.unlisted(why))?;
        let future = day > today(now);
        let all: Vec<Place> = self
            .users
            .iter()
            .enumerate()
            .filter(|(_, user)| self.has_row(user, day, future) && self.is_wanted(&asked, user, day, now))
            .map(|(place, _)| (place, day))
            .collect();
        self.list_places(now, &asked, &all, request, struck, false)
    }

    /// Rule 11: the days of each person's closing month.
    fn list_month(&mut self, now: Millis, month: Date, request: &SimRequest, struck: bool) -> Result<Answer, Refused> {
        let asked = Asked::read(request, &self.settings).map_err(|why| self.unlisted(why))?;
        let only = request.parameter("user_id");
        let only: Option<i64> = only.map(|id| id.parse().map_err(|_| self.bad("user_id"))).transpose()?;
        let today = today(now);
        let mut all: Vec<Place> = Vec::new();
        for (place, user) in self.users.iter().enumerate() {
            if only.is_some_and(|only| only != user.id) {
                continue;
            }
            let days = user.closing.month(month).days();
            let wanted =
                days.filter(|day| self.has_row(user, *day, *day > today) && self.is_wanted(&asked, user, *day, now));
            all.extend(wanted.map(|day| (place, day)));
        }
        let bare = self.settings.bare_monthly_rows;
        self.list_places(now, &asked, &all, request, struck, bare)
    }

    /// Whether the row's update time is asked for (rule 9). Most calls do not ask, and need no row for it.
    fn is_wanted(&self, asked: &Asked, user: &User, day: Date, now: Millis) -> bool {
        !asked.filters() || self.standing(user, day, now).is_some_and(|standing| asked.wants(standing.updated_at))
    }

    fn list_places(
        &mut self,
        now: Millis,
        asked: &Asked,
        all: &[Place],
        request: &SimRequest,
        struck: bool,
        bare: bool,
    ) -> Result<Answer, Refused> {
        let between = self.between(asked, struck);
        if between == Some(Between::RowCame) {
            self.edited_meanwhile(now, asked, all);
        }
        let shown = |place: &Place| {
            let user = self.users.get(place.0)?;
            let standing = self.standing(user, place.1, now)?;
            Some(self.shown(user, place.1, &standing, bare))
        };
        asked.answer(request, all, between, &self.settings, shown).map_err(|why| self.unlisted(why).into())
    }

    /// The row before the page is edited, so that it comes twice with two contents.
    fn edited_meanwhile(&mut self, now: Millis, asked: &Asked, all: &[Place]) {
        let before = asked.skipped().checked_sub(1).and_then(|place| all.get(place)).copied();
        let Some((place, day)) = before else { return };
        let Some(user) = self.users.get(place).map(|user| user.id) else { return };
        self.edit_day(now, user, day, |record| record.end = record.end.map(|end| end.later(EDITED_BY)));
    }

    /// The JSON of a row.
    pub(crate) fn shown(
        &self,
        user: &User,
        day: Date,
        standing: &Standing,
        bare: bool,
    ) -> Box<serde_json::value::RawValue> {
        let record = &standing.record;
        let segment = self.segments.iter().find(|segment| segment.title == *record.title);
        let source = Source {
            user,
            day,
            record,
            segment,
            created_at: standing.created_at,
            updated_at: standing.updated_at,
            settings: &self.settings,
            bare,
        };
        // Numbers, texts and lists of them always have a JSON form.
        serde_json::value::to_raw_value(&row(&source)).unwrap_or_default()
    }

    /// What happens before this page, if it is one that goes on.
    pub(crate) fn between(&mut self, asked: &Asked, struck: bool) -> Option<Between> {
        if struck && asked.goes_on() { self.faults.between_pages.take() } else { None }
    }

    /// An Error object.
    pub(crate) fn error(&self, status: u16, message: &str) -> Answer {
        let code = self.settings.error_code.unwrap_or_else(|| i32::from(status));
        Answer::json(status, &json!({ "code": code, "message": message }))
    }

    pub(crate) fn not_found(&self, message: &str) -> Answer {
        self.error(self.settings.not_found_status, message)
    }

    pub(crate) fn bad(&self, parameter: &str) -> Answer {
        self.error(self.settings.parameter_status, &format!("{parameter}が不正です"))
    }

    pub(crate) fn unlisted(&self, why: Unlisted) -> Answer {
        match why {
            Unlisted::Parameter(name) => self.bad(name),
            Unlisted::NoPage => self.not_found("ページが見つかりません"),
        }
    }
}

/// Why a call got no further.
#[derive(Debug)]
pub(crate) enum Refused {
    /// It was answered.
    Answer(Answer),
    /// The connection was dropped.
    Reset,
}

impl From<Answer> for Refused {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}
