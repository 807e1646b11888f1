//! Raw punches, to be read only. They are there at once, however far rows are behind.

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde::Serialize;

use super::company::Company;
use super::dates::{Dates, Iso, instant, today};
use super::day::Day;
use super::listing::Asked;
use super::serve::Refused;
use super::user::User;
use crate::wire::{Answer, SimRequest};

/// How many dates back the punches of one person go.
const MOST_DAYS: i64 = 400;

/// A punch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    user: i64,
    /// 1 in, 2 out, 7 break begun, 8 break ended.
    kind: u8,
    at: Millis,
}

impl Stamp {
    fn shown(&self) -> impl Serialize + use<> {
        Shown {
            user_id: self.user,
            stamp_type: self.kind,
            created_at: Iso(self.at),
            latitude: None,
            longitude: None,
            address: None,
            user_agent: None,
            lodgment_id: Some(2),
            stamp_lodgment_id: None,
        }
    }
}

#[derive(Serialize)]
struct Shown {
    user_id: i64,
    stamp_type: u8,
    created_at: Iso,
    latitude: Option<f64>,
    longitude: Option<f64>,
    address: Option<&'static str>,
    user_agent: Option<&'static str>,
    lodgment_id: Option<i64>,
    stamp_lodgment_id: Option<i64>,
}

fn stamps(user: &User, day: Date, record: &Day, now: Millis) -> Vec<Stamp> {
    let breaks = record.breaks.iter().filter(|pause| pause.stamped);
    let breaks = breaks.flat_map(|pause| [(7, pause.start), (8, pause.end)]);
    let times = [(1, record.stamped_start)].into_iter().chain(breaks).chain([(2, record.stamped_end)]);
    let user = user.id;
    times
        .filter_map(move |(kind, minute)| Some(Stamp { user, kind, at: instant(day, minute?.get()) }))
        .filter(move |stamp| stamp.at <= now)
        .collect()
}

impl Company {
    /// Everybody's punches of a work date.
    pub(crate) fn stamps_of_day(&self, now: Millis, day: Date) -> Vec<Stamp> {
        let of = |user: &User| self.day(user.id, day).filter(|_| user.works_on(day));
        self.users
            .iter()
            .filter_map(|user| Some((user, of(user)?)))
            .flat_map(|(user, record)| stamps(user, day, &record, now))
            .collect()
    }

    /// The punches of one person, newest first; `None` for nobody.
    pub(crate) fn stamps_of_user(&self, now: Millis, id: i64) -> Option<Vec<Stamp>> {
        let user = self.user(id)?;
        let last = today(now);
        let first = last.checked_sub(jiff::Span::new().days(MOST_DAYS)).unwrap_or(last);
        let days = Dates { first, last }.and(user.start_date, user.end_date.unwrap_or(last)).days();
        let mut all: Vec<Stamp> = days
            .filter_map(|day| Some((day, self.day(id, day)?)))
            .flat_map(|(day, record)| stamps(user, day, &record, now))
            .collect();
        all.sort_by_key(|stamp| std::cmp::Reverse(stamp.at));
        Some(all)
    }

    pub(crate) fn list_stamps(&mut self, all: &[Stamp], request: &SimRequest, struck: bool) -> Result<Answer, Refused> {
        let asked = Asked::read(request, &self.settings).map_err(|why| self.unlisted(why))?;
        let kind = request.parameter("stamp_type");
        let kind: Option<u8> = kind.map(|kind| kind.parse().map_err(|_| self.bad("stamp_type"))).transpose()?;
        let wanted = |stamp: &&Stamp| asked.wants(stamp.at) && kind.is_none_or(|kind| kind == stamp.kind);
        let stamps: Vec<&Stamp> = all.iter().filter(wanted).collect();
        let between = self.between(&asked, struck);
        let answer = asked.answer(request, &stamps, between, &self.settings, |stamp| stamp.shown());
        answer.map_err(|why| self.unlisted(why).into())
    }
}
