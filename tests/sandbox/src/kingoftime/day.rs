//! What is recorded of one person on one date: punches, and what the totals say beside them.

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use crate::hrmos::Minute;
use crate::hrmos::auth::mixed;
use crate::hrmos::dates::instant;

/// What a punch is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 出勤
    In,
    /// 退勤
    Out,
    /// 休憩開始
    BreakStart,
    /// 休憩終了
    BreakEnd,
    /// 外出
    GoingOut,
    /// 戻り
    ComingBack,
}

impl Kind {
    /// Its code, which is a text (rule 9), and its name.
    fn shown(self) -> (&'static str, &'static str) {
        match self {
            Self::In => ("1", "出勤"),
            Self::Out => ("2", "退勤"),
            Self::BreakStart => ("3", "休憩開始"),
            Self::BreakEnd => ("4", "休憩終了"),
            Self::GoingOut => ("7", "外出"),
            Self::ComingBack => ("8", "戻り"),
        }
    }

    /// The kind with this code.
    pub(super) fn of(code: &str) -> Option<Self> {
        let all = [Self::In, Self::Out, Self::BreakStart, Self::BreakEnd, Self::GoingOut, Self::ComingBack];
        all.into_iter().find(|kind| kind.shown().0 == code)
    }
}

/// A punch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Punch {
    /// When, from 00:00 of the work date.
    pub at: Minute,
    /// What for.
    pub kind: Kind,
}

/// What is recorded of one person on one date. Built tersely:
/// `Day::work(at(9, 0), at(18, 0)).pause(at(12, 0), at(13, 0))`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Day {
    /// The punches.
    pub punches: Vec<Punch>,
    /// Minutes of breaks that the service takes off by itself.
    pub automatic_break: i32,
    /// Whether it is a full day of leave.
    pub full_day: bool,
    /// Names of half days of leave.
    pub half_days: Vec<String>,
    /// Leave for hours.
    pub hours: Vec<(Minute, Minute)>,
    /// Whether it is marked as wrong although its punches belong together.
    pub marked_wrong: bool,
}

impl Day {
    /// A day of work from the first punch to the last.
    #[must_use]
    pub fn work(start: Minute, end: Minute) -> Self {
        Self::default().punch(start, Kind::In).punch(end, Kind::Out)
    }

    /// A full day of leave.
    #[must_use]
    pub fn leave() -> Self {
        Self { full_day: true, ..Self::default() }
    }

    /// With one more punch.
    #[must_use]
    pub fn punch(mut self, at: Minute, kind: Kind) -> Self {
        self.punches.push(Punch { at, kind });
        self
    }

    /// With a break that was punched.
    #[must_use]
    pub fn pause(self, start: Minute, end: Minute) -> Self {
        self.punch(start, Kind::BreakStart).punch(end, Kind::BreakEnd)
    }

    /// With a break that the service takes off by itself.
    #[must_use]
    pub fn automatic(mut self, minutes: i32) -> Self {
        self.automatic_break = minutes;
        self
    }

    /// With half a day of leave of this name.
    #[must_use]
    pub fn half(mut self, name: &str) -> Self {
        self.half_days.push(name.to_owned());
        self
    }

    /// With leave for hours.
    #[must_use]
    pub fn hours(mut self, start: Minute, end: Minute) -> Self {
        self.hours.push((start, end));
        self
    }

    /// Whether there is nothing at all.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What of it has come by `now`: nobody punches ahead of time.
    pub(super) fn seen(mut self, day: Date, now: Millis) -> Self {
        let before = self.punches.len();
        self.punches.retain(|punch| instant(day, punch.at.get()) <= now);
        if self.punches.len() < before {
            // The total is made when the day is over.
            self.automatic_break = 0;
        }
        self
    }

    /// The punches in the order of time.
    fn in_order(&self) -> Vec<Punch> {
        let mut punches = self.punches.clone();
        punches.sort_by_key(|punch| punch.at);
        punches
    }

    /// Minutes between a punch of one kind and the next of the other; `None` when one stands alone.
    fn between(&self, from: Kind, to: Kind) -> Option<i32> {
        let (mut sum, mut open) = (0, None);
        for punch in self.in_order().into_iter().filter(|punch| punch.kind == from || punch.kind == to) {
            match open.take() {
                None if punch.kind == from => open = Some(punch.at),
                Some(start) if punch.kind == to => sum += punch.at.get() - Minute::get(start),
                _ => return None,
            }
        }
        open.is_none().then_some(sum)
    }

    /// Whether the service marks the date as wrong.
    pub(super) fn is_error(&self) -> bool {
        self.marked_wrong
            || self.between(Kind::In, Kind::Out).is_none()
            || self.between(Kind::BreakStart, Kind::BreakEnd).is_none()
    }

    /// The totals: breaks and work, in minutes.
    pub(super) fn totals(&self) -> (i32, i32) {
        let breaks = self.between(Kind::BreakStart, Kind::BreakEnd).unwrap_or(0) + self.automatic_break;
        let there = self.between(Kind::In, Kind::Out).unwrap_or(0);
        (breaks, (there - breaks).max(0))
    }

    /// The punches as they are listed: the last one first, and the others as it happens (rule 10).
    pub(super) fn time_record(&self, day: Date, division: &str) -> Vec<Value> {
        let mut punches = self.in_order();
        if let Some(last) = punches.pop() {
            punches.sort_by_key(|punch| mixed(punch.at.get().unsigned_abs().into()));
            punches.insert(0, last);
        }
        punches.into_iter().map(|punch| shown(punch, day, division)).collect()
    }
}

/// One punch as it is listed.
pub(super) fn shown(punch: Punch, day: Date, division: &str) -> Value {
    let (code, name) = punch.kind.shown();
    json!({
        "time": format!("{}:00+09:00", moment(day, punch.at)), "code": code, "name": name,
        "divisionCode": division, "divisionName": super::employee::division_name(division),
        "latitude": null, "longitude": null,
    })
}

/// `YYYY-MM-DDTHH:MM` of a minute of a work date; behind midnight with the next calendar date.
pub(super) fn moment(day: Date, at: Minute) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::Offset::constant(9));
    instant(day, at.get()).timestamp().to_zoned(zone).strftime("%Y-%m-%dT%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use renkei_runtime::clock::Millis;

    use super::*;
    use crate::hrmos::at;

    #[test]
    fn totals_follow_the_punches_and_automatic_breaks() {
        let table = [
            ("plain", Day::work(at(9, 0), at(18, 0)).automatic(60), (60, 480, false)),
            ("punched break", Day::work(at(9, 0), at(18, 0)).pause(at(12, 0), at(12, 45)), (45, 495, false)),
            (
                "two shifts",
                Day::work(at(9, 0), at(12, 0)).punch(at(14, 0), Kind::In).punch(at(18, 0), Kind::Out),
                (0, 420, false),
            ),
            ("half entered", Day::default().punch(at(9, 0), Kind::In), (0, 0, true)),
            ("lone break", Day::work(at(9, 0), at(18, 0)).punch(at(12, 0), Kind::BreakStart), (0, 540, true)),
            ("leave", Day::leave(), (0, 0, false)),
        ];
        for (what, day, expected) in table {
            let (breaks, work) = day.totals();
            assert_eq!((breaks, work, day.is_error()), expected, "{what}");
        }
    }

    #[test]
    fn what_has_not_come_yet_does_not_show() {
        let day = date(2026, 4, 9);
        let shift = Day::work(at(20, 0), at(29, 30)).automatic(60);
        let at_two = instant(day, 26 * 60);
        let seen = shift.clone().seen(day, at_two);
        assert_eq!((seen.punches.len(), seen.automatic_break, seen.is_error()), (1, 0, true));
        assert_eq!(shift.clone().seen(day, Millis(i64::MAX / 2)), shift);
        assert_eq!(moment(day, at(29, 30)), "2026-04-10T05:30");
    }
}
