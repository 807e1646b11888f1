//! The days of the people: what is recorded at HRMOS勤怠, and beside it what must come of it. Where the two differ, both are
//! written down by hand.

use jiff::civil::{Date, Weekday};
use rand::Rng as _;
use rand::rngs::StdRng;

use super::Sheet;
use super::people::{Person, Role};
use crate::hrmos::{Break, Dates, Day, Minute};

const HOUR: i32 = 60;
const NOON: (i32, i32) = (12 * HOUR, 13 * HOUR);
/// Which of the window's weekdays is a holiday.
const HOLIDAY: usize = 7;

/// What must come of a day of somebody who is a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// A timesheet.
    Row(Sheet),
    /// A timesheet, and somebody types the leave.
    RowAndLeave(Sheet),
    /// Somebody types the leave.
    Leave,
    /// Neither work nor leave.
    Nothing,
    /// Nothing is written, and why.
    Skipped(&'static str),
    /// Half of it is there, and the rest may come.
    Open,
}

/// A day.
#[derive(Debug, Clone)]
pub(super) struct Drawn {
    /// What HRMOS勤怠 has; `None`: nobody touched the day.
    pub(super) record: Option<Day>,
    /// What must come of it.
    pub(super) outcome: Outcome,
    /// What somebody entered and applied for at クラウドログ, which must stay.
    pub(super) applied: Option<Sheet>,
}

impl Drawn {
    fn new(record: Day, outcome: Outcome) -> Self {
        Self { record: Some(record), outcome, applied: None }
    }

    fn nothing(record: Option<Day>) -> Self {
        Self { record, outcome: Outcome::Nothing, applied: None }
    }
}

/// The days of a person in the window, from joining to leaving.
pub(super) fn of(person: &Person, dates: Dates, random: &mut StdRng) -> Vec<(Date, Drawn)> {
    let weekdays: Vec<Date> = dates.days().filter(|date| !is_weekend(*date)).collect();
    let drawn = dates.days().map(|date| {
        let place = weekdays.iter().position(|day| *day == date);
        let usual = usual(person.role, place, random);
        let yesterday = date == dates.last;
        (date, particular(person.role, place, yesterday).unwrap_or(usual))
    });
    // All are drawn, so that nobody's days depend on when somebody else joined.
    let drawn: Vec<(Date, Drawn)> = drawn.collect();
    drawn.into_iter().filter(|(date, _)| person.user.works_on(*date)).collect()
}

fn is_weekend(date: Date) -> bool {
    matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn sheet(start: i32, end: i32, pauses: &[(i32, i32)]) -> Sheet {
    let minutes = |minute: i32| u16::try_from(minute).unwrap_or(u16::MAX);
    Sheet {
        start: minutes(start),
        end: minutes(end),
        breaks: pauses.iter().map(|(from, to)| (minutes(*from), minutes(*to))).collect(),
    }
}

fn record(start: i32, end: i32, pauses: &[(i32, i32)]) -> Day {
    let work = Day::work(Minute::new(start), Minute::new(end)).status(3);
    pauses.iter().fold(work, |day, (from, to)| day.with_break(Break::new(Minute::new(*from), Minute::new(*to))))
}

/// A day of work whose breaks lie inside of it and apart: what is recorded is what must come.
fn work(start: i32, end: i32, pauses: &[(i32, i32)]) -> (Day, Sheet) {
    (record(start, end, pauses), sheet(start, end, pauses))
}

/// Some steps of five minutes around a time.
fn about(minute: i32, steps: i32, random: &mut StdRng) -> i32 {
    minute + 5 * random.random_range(0..steps)
}

/// A day as it is drawn; `place`: which of the weekdays it is.
fn usual(role: Role, place: Option<usize>, random: &mut StdRng) -> Drawn {
    let roll = random.random_range(0..1_000);
    let (early, late) = (random.random_range(0..8), random.random_range(0..8));
    let mut drawn = match (role, place) {
        (_, None | Some(HOLIDAY)) => day_off(roll),
        (Role::Night, _) => night(roll, random),
        _ => weekday(roll, random),
    };
    // Punches lie a little outside of what is registered, and do not count.
    if let Some(day) = drawn.record.take() {
        let stamped = (day.start.map(|at| at.later(-early)), day.end.map(|at| at.later(late)));
        drawn.record = Some(day.stamped(stamped.0, stamped.1));
    }
    drawn
}

fn day_off(roll: u32) -> Drawn {
    if roll < 40 {
        let (day, sheet) = work(10 * HOUR, 16 * HOUR, &[NOON]);
        return Drawn::new(day.titled("出勤（休出）"), Outcome::Row(sheet));
    }
    Drawn::nothing(Some(Day::off("公休")))
}

fn night(roll: u32, random: &mut StdRng) -> Drawn {
    let (start, end) = (about(19 * HOUR + 45, 6, random), about(29 * HOUR + 15, 7, random));
    let midnight = (24 * HOUR, 25 * HOUR);
    let (day, sheet) = match roll {
        0..30 => return Drawn::new(Day::leave(), Outcome::Leave),
        // The third one has no flag in a row.
        30..280 => work(start, end, &[midnight, (26 * HOUR, 26 * HOUR + 10), (27 * HOUR, 27 * HOUR + 15)]),
        _ => work(start, end, &[midnight]),
    };
    Drawn::new(day.titled("夜勤"), Outcome::Row(sheet))
}

fn weekday(roll: u32, random: &mut StdRng) -> Drawn {
    let (start, end) = (about(8 * HOUR + 30, 13, random), about(17 * HOUR + 30, 25, random));
    match roll {
        0..30 => Drawn::new(Day::leave(), Outcome::Leave),
        30..50 => {
            let (day, sheet) = work(13 * HOUR, end, &[]);
            Drawn::new(day.morning_off(), Outcome::RowAndLeave(sheet))
        }
        50..70 => {
            let (day, sheet) = work(start, 12 * HOUR, &[]);
            Drawn::new(day.afternoon_off(), Outcome::RowAndLeave(sheet))
        }
        70..85 => {
            let (day, sheet) = work(start, end, &[NOON]);
            Drawn::new(day.hourly_leave(60 * random.random_range(1..=3)), Outcome::RowAndLeave(sheet))
        }
        85..90 => Drawn::nothing(Some(Day::off("欠勤"))),
        90..100 => Drawn::nothing(None),
        100..115 => {
            let pauses = [NOON, (15 * HOUR, 15 * HOUR + 10), (18 * HOUR, 18 * HOUR + 30)];
            let (day, sheet) = work(start, 21 * HOUR, &pauses);
            Drawn::new(day, Outcome::Row(sheet))
        }
        115..130 => {
            let (day, sheet) = work(start, about(24 * HOUR + 15, 12, random), &[NOON]);
            Drawn::new(day, Outcome::Row(sheet))
        }
        _ => {
            let (day, sheet) = work(start, end, &[NOON]);
            Drawn::new(day, Outcome::Row(sheet))
        }
    }
}

/// The days for which somebody is among the people.
fn particular(role: Role, place: Option<usize>, yesterday: bool) -> Option<Drawn> {
    let nine = 9 * HOUR;
    let six = 18 * HOUR;
    let half = |record: Day| Drawn::new(record, Outcome::Skipped("attendance.half_entered"));
    let row = |(day, sheet): (Day, Sheet)| Drawn::new(day, Outcome::Row(sheet));
    Some(match (role, place) {
        (Role::Forgetful, _) if yesterday => Drawn::new(Day::started(Minute::new(nine)), Outcome::Open),
        (Role::Forgetful, Some(1)) => half(Day::started(Minute::new(nine))),
        (Role::Forgetful, Some(3)) => half(Day::ended(Minute::new(six))),
        // 24 hours and a half without the break.
        (Role::Tireless, Some(2)) => {
            Drawn::new(record(nine, 34 * HOUR + 30, &[NOON]), Outcome::Skipped("attendance.over_24h"))
        }
        (Role::Tireless, Some(4)) => row(work(nine, 34 * HOUR, &[NOON])),
        (Role::Tireless, Some(8)) => Drawn::new(
            record(-30, 8 * HOUR, &[(3 * HOUR, 4 * HOUR)]),
            Outcome::Skipped("attendance.previous_day_start"),
        ),
        (Role::Breaks, Some(1)) => {
            let over_each_other = record(nine, six, &[NOON, (12 * HOUR + 30, 13 * HOUR + 30)]);
            row((over_each_other, sheet(nine, six, &[(12 * HOUR, 13 * HOUR + 30)])))
        }
        (Role::Breaks, Some(3)) => {
            let beyond_the_end = record(nine, six, &[NOON, (17 * HOUR + 30, 18 * HOUR + 30)]);
            row((beyond_the_end, sheet(nine, six, &[NOON, (17 * HOUR + 30, six)])))
        }
        (Role::Breaks, Some(4)) => row((record(13 * HOUR, six, &[NOON]), sheet(13 * HOUR, six, &[]))),
        (Role::Applicant, Some(10..13)) => {
            let entered = sheet(nine + 30, six + 30, &[NOON]);
            Drawn { applied: Some(entered), ..row(work(nine, six, &[NOON])) }
        }
        _ => return None,
    })
}
