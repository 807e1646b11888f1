//! The days of a sample: a function of seed, person and date.

use std::collections::BTreeMap;

use jiff::civil::{Date, Weekday, date};

use super::super::auth::mixed;
use super::super::company::Roster;
use super::super::dates::Dates;
use super::super::day::{Break, Day};
use super::super::times::{Minute, at};
use super::super::user::User;
use super::people;

/// What is odd about a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Odd {
    /// The end is missing.
    HalfEntered,
    /// The start is missing.
    EndOnly,
    /// More than 24 hours from start to end.
    OverADay,
    /// The start lies before 00:00 of the work date.
    FromTheDayBefore,
    /// Nothing is recorded.
    NoEntry,
    /// Four breaks, of which rows show two with flags.
    ManyBreaks,
    /// A segment that the list does not know.
    UnknownSegment,
}

/// An odd day of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Oddity {
    /// Whose.
    pub user: i64,
    /// Which date.
    pub day: Date,
    /// What is odd.
    pub what: Odd,
}

/// The person of each oddity, by index, and which weekday of the sample.
const ODD: [(usize, usize, Odd); 7] = [
    (16, 1, Odd::HalfEntered),
    (16, 3, Odd::EndOnly),
    (17, 2, Odd::OverADay),
    (18, 1, Odd::FromTheDayBefore),
    (19, 2, Odd::NoEntry),
    (20, 3, Odd::ManyBreaks),
    (20, 4, Odd::UnknownSegment),
];

/// The odd days of a sample with so many people between these dates; all seven from 21 people and five weekdays on.
#[must_use]
pub fn oddities(people: usize, first: Date, last: Date) -> Vec<Oddity> {
    let weekdays: Vec<Date> = Dates { first, last }.days().filter(|day| !is_weekend(*day)).collect();
    let there = ODD.iter().filter(|(index, ..)| *index < people);
    there
        .filter_map(|(index, place, what)| {
            Some(Oddity { user: people::id(*index), day: *weekdays.get(*place)?, what: *what })
        })
        .collect()
}

fn is_weekend(day: Date) -> bool {
    matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

/// The days of a sample.
#[derive(Debug)]
pub(super) struct SampleRoster {
    dates: Dates,
    seed: u64,
    odd: BTreeMap<(i64, Date), Odd>,
}

impl SampleRoster {
    pub(super) fn new(people: usize, dates: Dates, seed: u64) -> Self {
        let odd = oddities(people, dates.first, dates.last).into_iter();
        Self { dates, seed, odd: odd.map(|oddity| ((oddity.user, oddity.day), oddity.what)).collect() }
    }
}

impl Roster for SampleRoster {
    fn dates(&self) -> Dates {
        self.dates
    }

    fn day(&self, user: &User, day: Date) -> Option<Day> {
        let number = day.duration_since(date(1970, 1, 1)).as_hours().unsigned_abs() / 24;
        let roll = mixed(self.seed ^ mixed(user.id.unsigned_abs().wrapping_mul(0x1_0001) ^ (number << 40)));
        let record = match self.odd.get(&(user.id, day)) {
            Some(odd) => of_odd(*odd)?,
            None if is_weekend(day) => weekend(roll),
            None if people::works_at_night(user.id) => night(roll),
            None => weekday(roll)?,
        };
        Some(finished(record, roll).live())
    }
}

fn of_odd(odd: Odd) -> Option<Day> {
    Some(match odd {
        Odd::HalfEntered => Day::started(at(9, 0)),
        Odd::EndOnly => Day::ended(at(18, 0)),
        Odd::OverADay => Day::work(at(9, 0), at(34, 30)).pause(at(12, 0), at(13, 0)),
        Odd::FromTheDayBefore => Day::work(at(-1, 30), at(8, 0)).pause(at(3, 0), at(4, 0)),
        Odd::NoEntry => return None,
        Odd::ManyBreaks => Day::work(at(8, 0), at(20, 0))
            .pause(at(10, 0), at(10, 10))
            .pause(at(12, 0), at(13, 0))
            .pause(at(15, 0), at(15, 10))
            .pause(at(17, 30), at(17, 45)),
        Odd::UnknownSegment => Day::work(at(9, 0), at(18, 0)).titled("在宅勤務").pause(at(12, 0), at(13, 0)),
    })
}

/// `from` and some steps of five minutes, as the roll has it.
fn about(from: Minute, roll: u64, shift: u32, steps: u64) -> Minute {
    let step = (roll >> shift) % steps;
    from.later(i32::try_from(step * 5).unwrap_or(0))
}

fn noon(day: Day) -> Day {
    day.pause(at(12, 0), at(13, 0))
}

fn weekend(roll: u64) -> Day {
    if roll.is_multiple_of(25) {
        noon(Day::work(at(10, 0), at(16, 0))).titled("出勤（休出）")
    } else {
        Day::off("公休")
    }
}

/// A shift over midnight; every fourth has a break that was punched and one behind it.
fn night(roll: u64) -> Day {
    let (start, end) = (about(at(19, 45), roll, 8, 6), about(at(29, 15), roll, 16, 7));
    let shift = Day::work(start, end).titled("夜勤");
    match roll % 100 {
        0..3 => Day::leave(),
        3..28 => shift
            .with_break(Break { start: Some(at(24, 0)), end: Some(at(25, 0)), stamped: true })
            .pause(at(26, 0), at(26, 10))
            .pause(at(27, 0), at(27, 15)),
        _ => shift.pause(at(24, 0), at(25, 0)),
    }
}

/// An ordinary weekday: mostly work, sometimes leave or nothing.
fn weekday(roll: u64) -> Option<Day> {
    let (start, end) = (about(at(8, 30), roll, 12, 13), about(at(17, 30), roll, 20, 25));
    Some(match roll % 1_000 {
        0..30 => Day::leave(),
        30..50 => Day::work(at(13, 0), end).morning_off(),
        50..70 => Day::work(start, at(12, 0)).afternoon_off(),
        70..90 => noon(Day::work(start, end)).hourly_leave(60 * u16::try_from(1 + (roll >> 32) % 3).unwrap_or(1)),
        90..95 => Day::off("欠勤"),
        95..105 => return None,
        105..115 => noon(Day::work(start, at(21, 0))).pause(at(15, 0), at(15, 10)).pause(at(18, 0), at(18, 30)),
        115..125 => noon(Day::work(start, about(at(24, 15), roll, 28, 12))),
        _ => noon(Day::work(start, end)),
    })
}

/// Punches come a little before and after what is registered, and most days are approved the next morning.
fn finished(mut day: Day, roll: u64) -> Day {
    let minutes = |shift: u32| i32::try_from((roll >> shift) % 8).unwrap_or(0);
    day.stamped_start = day.start.map(|start| start.later(-minutes(36)));
    day.stamped_end = day.end.map(|end| end.later(minutes(40)));
    let whole = day.start.is_some() == day.end.is_some();
    if whole && !roll.is_multiple_of(5) { day.approved(about(at(33, 0), roll, 44, 40)) } else { day }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_has_every_kind_of_day_and_is_always_the_same() {
        let dates = Dates { first: date(2026, 4, 1), last: date(2026, 5, 10) };
        let roster = SampleRoster::new(120, dates, 7);
        let users: Vec<User> = (0..120).map(|index| people::user(index, dates, 7)).collect();
        let all: Vec<Option<Day>> =
            users.iter().flat_map(|user| dates.days().map(|day| roster.day(user, day)).collect::<Vec<_>>()).collect();
        let count = |what: fn(&Day) -> bool| all.iter().flatten().filter(|day| what(day)).count();
        for (what, most, found) in [
            ("whole leave", 400, count(|day| day.paid_leave == 100)),
            ("mornings", 200, count(|day| day.title.contains("午前休"))),
            ("afternoons", 200, count(|day| day.title.contains("午後休"))),
            ("hourly leave", 200, count(|day| day.hourly_leave > 0)),
            ("absence", 60, count(|day| day.title == "欠勤")),
            ("work on days off", 120, count(|day| day.title.contains("休出"))),
            ("past midnight", 400, count(|day| day.end.is_some_and(|end| end.flag() == 1))),
            ("extra breaks", 200, count(|day| day.breaks.len() > 2)),
            ("half entered", 2, count(|day| day.start.is_some() != day.end.is_some())),
            ("from the day before", 1, count(|day| day.start.is_some_and(|start| start.flag() == -1))),
            ("no entry", 100, all.iter().filter(|day| day.is_none()).count()),
        ] {
            assert!(found > 0 && found <= most, "{what}: {found}");
        }
        assert!(count(|day| day.start.is_some()) > 2_500);
        let again = SampleRoster::new(120, dates, 7);
        let other = SampleRoster::new(120, dates, 8);
        let day = date(2026, 4, 9);
        assert!(users.iter().all(|user| roster.day(user, day) == again.day(user, day)));
        assert!(users.iter().any(|user| roster.day(user, day) != other.day(user, day)));
        assert_eq!(oddities(120, dates.first, dates.last).len(), ODD.len());
    }
}
