//! Attendance of the sample company: what HRMOS勤怠 has recorded of the days before today, クラウドログ with its members, and,
//! worked out by rule and not by any product code, what must come of it.

mod check;
mod days;
mod people;

pub use check::Told;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Span;
use jiff::civil::Date;
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use renkei_runtime::clock::Millis;

use crate::SandboxError;
use crate::crowdlog::{Attendance as Stored, CrowdLog, Hours, Minutes, PastMidnight};
use crate::hrmos::dates::{instant, today};
use crate::hrmos::{CompanySpec, Dates};
use days::{Drawn, Outcome};
use people::{Person, Standing};

/// How many dates a window has; the last one is yesterday.
const DATES: i64 = 40;
/// How long ago the API KEY was issued, in days: most of its life is still to come.
const KEY_AGE: i64 = 14;

/// Whose day.
pub type Place = (String, Date);

/// The hours of a timesheet, in minutes from 00:00 of its date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// 出社.
    pub start: Minutes,
    /// 退社.
    pub end: Minutes,
    /// 休憩詳細, in order.
    pub breaks: Vec<(Minutes, Minutes)>,
}

impl Sheet {
    /// As クラウドログ stores it when somebody enters it there.
    fn entered(&self) -> Stored {
        let breaks = self.breaks.iter().map(|(start, end)| Hours { start: *start, end: *end });
        Stored {
            hours: Some(Hours { start: self.start, end: self.end }),
            breaks: breaks.collect(),
            ..Stored::initial()
        }
    }
}

/// What the book must say of a day, in the product's words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fate {
    /// done, handwork, skipped, unmatched, protected or new.
    pub state: &'static str,
    /// Why not all of it is in クラウドログ.
    pub why: Option<&'static str>,
}

impl Fate {
    const fn new(state: &'static str, why: &'static str) -> Self {
        Self { state, why: Some(why) }
    }

    /// Whether somebody has to type something.
    fn is_typed(self) -> bool {
        self.why.is_some() && matches!(self.state, "done" | "handwork")
    }
}

/// What must be there in the end.
#[derive(Debug, Clone, Default)]
pub struct Expected {
    /// The timesheets of クラウドログ.
    pub sheets: BTreeMap<Place, Sheet>,
    /// The days of the book.
    pub fates: BTreeMap<Place, Fate>,
    /// Whom a run can not bring into the book: reason and 社員コード, or the id at HRMOS勤怠 of who has none.
    pub notes: BTreeSet<(&'static str, String)>,
    /// The rows that クラウドログ refuses, because the day was applied for there.
    pub refused: BTreeSet<Place>,
}

/// The attendance of the sample company.
#[derive(Debug)]
pub struct Attendance {
    /// The dates of the window.
    pub dates: Dates,
    /// When the API KEY was issued.
    pub key_issued: Date,
    /// The company at HRMOS勤怠.
    pub hrmos: CompanySpec,
    /// The company at クラウドログ.
    pub crowdlog: CrowdLog,
    /// What must come of it.
    pub expected: Expected,
}

/// The attendance of so many people at `now`, under the id that the company has at HRMOS勤怠.
///
/// # Errors
/// When クラウドログ does not take what is entered there by hand.
pub fn attendance(id: &str, people: usize, seed: u64, now: Millis) -> Result<Attendance, SandboxError> {
    let mut random = StdRng::seed_from_u64(seed);
    let today = today(now);
    let before = |days: i64| today.checked_sub(Span::new().days(days)).unwrap_or(today);
    let dates = Dates { first: before(DATES), last: before(1) };
    let key_issued = before(KEY_AGE);
    let mut hrmos = CompanySpec::new(id, instant(key_issued, 9 * 60));
    let mut crowdlog = CrowdLog::new();
    crowdlog.settings_mut().past_midnight = PastMidnight::Accept;
    let mut expected = Expected::default();
    for index in 0..people {
        let person = people::person(index, people, dates, &mut random);
        for member in &person.members {
            crowdlog.add_member(member.clone());
        }
        if let (Standing::Nobody(reason), code) = (person.standing, person.note()) {
            expected.notes.insert((reason, code));
        }
        let drawn = days::of(&person, dates, &mut random);
        for (date, Drawn { record, outcome, applied }) in drawn {
            if let Some(record) = record {
                hrmos.days.insert((date, person.user.id), record);
            }
            if let Some(entered) = &applied {
                crowdlog.enter(&person.code, date, Some(entered.entered()))?;
                crowdlog.apply(&person.code, date, true)?;
            }
            expect(&mut expected, &person, date, outcome, applied);
        }
        hrmos.users.push(person.user);
    }
    // Somebody who is at クラウドログ only, and of whom nothing comes.
    crowdlog.add_member(people::only_at_crowdlog());
    Ok(Attendance { dates, key_issued, hrmos, crowdlog, expected })
}

/// What must come of one day.
fn expect(expected: &mut Expected, person: &Person, date: Date, outcome: Outcome, applied: Option<Sheet>) {
    let place = (person.code.clone(), date);
    let fate = match (person.standing, &outcome) {
        (Standing::Nobody(_), _) => return,
        (Standing::Unmatched(why), _) => Fate::new("unmatched", why),
        _ if applied.is_some() => Fate::new("protected", "attendance.protected"),
        (_, Outcome::Nothing) => Fate::new("skipped", "attendance.empty_at_source"),
        (Standing::Inactive, _) => Fate::new("skipped", "attendance.inactive_member"),
        (Standing::From(first), _) if date < first => Fate::new("skipped", "attendance.outside_membership"),
        (_, Outcome::Row(_)) => Fate { state: "done", why: None },
        (_, Outcome::RowAndLeave(_)) => Fate::new("done", "attendance.leave_beside_work"),
        (_, Outcome::Leave) => Fate::new("handwork", "attendance.leave_without_column"),
        (_, Outcome::Skipped(why)) => Fate::new("skipped", why),
        (_, Outcome::Open) => Fate { state: "new", why: None },
    };
    if let Some(entered) = applied {
        expected.refused.insert(place.clone());
        expected.sheets.insert(place.clone(), entered);
    } else if let (true, Outcome::Row(sheet) | Outcome::RowAndLeave(sheet)) = (fate.state == "done", outcome) {
        expected.sheets.insert(place.clone(), sheet);
    }
    expected.fates.insert(place, fate);
}
