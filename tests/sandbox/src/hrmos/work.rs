//! `PUT /work` (rule 19). A link never calls it; it is played so that a test can say so.

use renkei_runtime::clock::Millis;

use super::company::Company;
use super::dates::parse_date;
use super::day::Break;
use super::serve::Refused;
use super::times::Minute;
use crate::wire::{Answer, JSON, SimRequest};

impl Company {
    /// Writes the times of one person's day, whose row must be there.
    pub(crate) fn write_day(&mut self, now: Millis, request: &SimRequest) -> Result<Answer, Refused> {
        let id: i64 = request.parameter("user_id").and_then(|id| id.parse().ok()).ok_or_else(|| self.bad("user_id"))?;
        let day = request.parameter("day").and_then(|day| parse_date(&day)).ok_or_else(|| self.bad("day"))?;
        let time = |name: &str| {
            // `break_1_start_at` goes with `next_day_break_1_start`.
            let flag = format!("next_day_{}", name.trim_end_matches("_at"));
            time_in(request, name, &flag).map_err(|()| self.bad(name))
        };
        let (start, end) = (time("start_at")?, time("end_at")?);
        let breaks = [
            (time("break_1_start_at")?, time("break_1_end_at")?),
            (time("break_2_start_at")?, time("break_2_end_at")?),
        ];
        let missing = || self.not_found("勤怠が見つかりません");
        let user = self.user(id).ok_or_else(missing)?;
        let mut record = self.standing(user, day, now).ok_or_else(missing)?.record;
        // Written by hand: from now on it is there whatever the clock says.
        (record.live, record.updated_at) = (false, None);
        record.start = start.or(record.start);
        record.end = end.or(record.end);
        for (place, (from, to)) in breaks.into_iter().enumerate().filter(|(_, (from, to))| from.or(*to).is_some()) {
            while record.breaks.len() <= place {
                record.breaks.push(Break::default());
            }
            if let Some(pause) = record.breaks.get_mut(place) {
                (pause.start, pause.end) = (from.or(pause.start), to.or(pause.end));
            }
        }
        self.set_day(now, id, day, record);
        let user = self.user(id).ok_or_else(|| self.not_found("社員が見つかりません"))?;
        let standing = self.standing(user, day, now).ok_or_else(|| self.not_found("勤怠が見つかりません"))?;
        let shown = self.shown(user, day, &standing, false);
        Ok(Answer::raw(200, JSON, shown.get().as_bytes().to_vec()))
    }
}

/// A time of day and its flag; `Ok(None)` when it is not there.
fn time_in(request: &SimRequest, time: &str, flag: &str) -> Result<Option<Minute>, ()> {
    let Some(clock) = request.parameter(time) else { return Ok(None) };
    let flag = request.parameter(flag).map_or(Ok(0), |flag| flag.parse().map_err(|_| ()))?;
    Minute::parse(&clock, flag).map(Some).ok_or(())
}
