//! A company that is ready to use.

use jiff::civil::Date;

use super::company::{CompanySpec, Roster};
use super::day::{Day, Kind};
use super::employee::Employee;
use crate::hrmos::auth::mixed;
use crate::hrmos::{self, User, sample};

/// The token of a company made here.
#[must_use]
pub fn token(company: &str) -> String {
    let seed = company.bytes().fold(3_u64, |hash, byte| mixed(hash ^ u64::from(byte)));
    format!("{:016x}{:016x}", mixed(seed), mixed(seed ^ 5))
}

/// A company whose `people` work by day and by night from `first` to `last`, the same for the same `seed`: the people and days
/// of the sample of HRMOS勤怠, as punches and totals. Leave of every kind is among them, half-entered and over-long days, a
/// shared code and a missing one, somebody who joins and somebody who leaves on the way.
#[must_use]
pub fn company(id: &str, people: usize, first: Date, last: Date, seed: u64) -> CompanySpec {
    let other = sample::company(id, people, first, last, seed);
    let mut spec = CompanySpec::new(id);
    spec.employees = other.users.iter().map(employee).collect();
    spec.roster = other.roster.map(|days| Box::new(Days { users: other.users, days }) as Box<dyn Roster>);
    spec
}

fn employee(user: &User) -> Employee {
    let code = user.number.as_deref().filter(|code| !code.is_empty());
    let mut employee = Employee::new(user.id.unsigned_abs(), code, &user.last_name.0, &user.first_name.0);
    (employee.last_name.1, employee.first_name.1) = (user.last_name.1.clone(), user.first_name.1.clone());
    (employee.hired, employee.resigned) = (user.start_date, user.end_date);
    if user.id % 3 == 0 {
        employee.division = "100".to_owned();
    }
    employee
}

#[derive(Debug)]
struct Days {
    users: Vec<User>,
    days: Box<dyn hrmos::Roster>,
}

impl Roster for Days {
    fn day(&self, place: usize, day: Date) -> Option<Day> {
        let user = self.users.get(place)?;
        let dates = self.days.dates();
        let record = (dates.first <= day && day <= dates.last).then(|| self.days.day(user, day)).flatten()?;
        Some(as_punches(&record))
    }
}

/// Work with a single break has that one taken off by itself; more breaks are punched.
fn as_punches(record: &hrmos::Day) -> Day {
    let mut day = Day::default();
    for (at, kind) in [(record.start, Kind::In), (record.end, Kind::Out)] {
        if let Some(at) = at {
            day = day.punch(at, kind);
        }
    }
    let whole = record.breaks.iter().filter_map(|pause| Some((pause.start?, pause.end?)));
    let pauses: Vec<_> = whole.collect();
    match pauses.as_slice() {
        [(start, end)] if record.start.is_some() && record.end.is_some() => {
            day.automatic_break = end.get() - start.get()
        }
        pauses if record.start.is_some() => {
            for (start, end) in pauses {
                day = day.pause(*start, *end);
            }
        }
        _ => {}
    }
    match record.title.as_ref() {
        "有休" => Day { full_day: true, ..day },
        "出勤（午前休）" => day.half("AM休"),
        "出勤（午後休）" => day.half("PM休"),
        _ if record.hourly_leave > 0 => {
            let from = hrmos::at(15, 0);
            day.hours(from, from.later(i32::from(record.hourly_leave)))
        }
        _ => day,
    }
}
