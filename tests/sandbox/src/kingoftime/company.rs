//! One company: its people, its days, its tokens; what an operator can do to it by hand.

use std::collections::BTreeMap;

use jiff::civil::Date;
use renkei_runtime::clock::Millis;

use super::access::Token;
use super::day::Day;
use super::employee::Employee;
use super::settings::{Faults, Settings};
use crate::error::SandboxError;
use crate::hrmos::calls::{CallLog, Rolling, Stats};

/// Says what is recorded of people and dates that nobody has touched by hand, so that a large company needs no room.
pub trait Roster: Send + std::fmt::Debug {
    /// The day of the person at this place of the list, always the same; `None` where nothing is recorded.
    fn day(&self, place: usize, day: Date) -> Option<Day>;
}

/// A company to be made.
#[derive(Debug)]
pub struct CompanySpec {
    /// Names it among all companies; no call knows it.
    pub id: String,
    /// Its tokens.
    pub tokens: Vec<Token>,
    /// The people.
    pub employees: Vec<Employee>,
    /// Days that are recorded, by date and employee key.
    pub days: BTreeMap<(Date, String), Day>,
    /// What else is recorded.
    pub roster: Option<Box<dyn Roster>>,
    /// The switches.
    pub settings: Settings,
    /// The faults.
    pub faults: Faults,
}

impl CompanySpec {
    /// A company without people, whose token is [`super::sample::token`].
    #[must_use]
    pub fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            tokens: vec![Token::reading(&super::sample::token(id))],
            employees: Vec::new(),
            days: BTreeMap::new(),
            roster: None,
            settings: Settings::default(),
            faults: Faults::default(),
        }
    }

    /// With one more person.
    #[must_use]
    pub fn employee(mut self, employee: Employee) -> Self {
        self.employees.push(employee);
        self
    }

    /// With a day of somebody.
    #[must_use]
    pub fn day(mut self, key: &str, day: Date, record: Day) -> Self {
        self.days.insert((day, key.to_owned()), record);
        self
    }

    /// With other switches.
    #[must_use]
    pub fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}

/// A company.
#[derive(Debug)]
pub struct Company {
    pub(super) id: String,
    pub(super) tokens: Vec<Token>,
    pub(super) employees: Vec<Employee>,
    days: BTreeMap<(Date, String), Day>,
    roster: Option<Box<dyn Roster>>,
    pub(super) settings: Settings,
    pub(super) faults: Faults,
    pub(super) window: Rolling,
    pub(super) log: CallLog,
}

impl Company {
    pub(super) fn new(spec: CompanySpec) -> Result<Self, SandboxError> {
        let mut keys: Vec<&str> = spec.employees.iter().map(|employee| employee.key.as_str()).collect();
        keys.sort_unstable();
        if spec.id.is_empty() || keys.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err(SandboxError::BadInput("a company needs an id, and each of its people a key".to_owned()));
        }
        Ok(Self {
            id: spec.id,
            tokens: spec.tokens,
            employees: spec.employees,
            days: spec.days,
            roster: spec.roster,
            settings: spec.settings,
            faults: spec.faults,
            window: Rolling::new(),
            log: CallLog::new(),
        })
    }

    /// Names it among all companies.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The tokens, stopped ones included.
    #[must_use]
    pub fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// The tokens, to be changed on the screen.
    pub fn tokens_mut(&mut self) -> &mut Vec<Token> {
        &mut self.tokens
    }

    /// The people.
    #[must_use]
    pub fn employees(&self) -> &[Employee] {
        &self.employees
    }

    /// Corrects a 従業員コード; whether there is such a person. The key stays (rule 16).
    pub fn change_code(&mut self, key: &str, code: Option<&str>) -> bool {
        let found = self.employees.iter_mut().find(|employee| employee.key == key);
        found.map(|employee| employee.code = code.map(str::to_owned)).is_some()
    }

    /// Takes somebody off the list for good, and puts somebody else on it.
    pub fn replace(&mut self, key: &str, other: Employee) {
        self.employees.retain(|employee| employee.key != key);
        self.employees.push(other);
    }

    /// Records a day anew.
    pub fn set_day(&mut self, key: &str, day: Date, record: Day) {
        self.days.insert((day, key.to_owned()), record);
    }

    /// What is recorded of a day in the end, whatever the clock says.
    #[must_use]
    pub fn day(&self, key: &str, day: Date) -> Option<Day> {
        let place = self.employees.iter().position(|employee| employee.key == key)?;
        self.recorded(place, day)
    }

    pub(super) fn recorded(&self, place: usize, day: Date) -> Option<Day> {
        let employee = self.employees.get(place)?;
        match self.days.get(&(day, employee.key.clone())) {
            Some(record) => Some(record.clone()),
            None => self.roster.as_ref().and_then(|roster| roster.day(place, day)),
        }
        .filter(|_| employee.works_on(day))
    }

    /// Turns switches.
    pub fn set(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }

    /// Orders faults.
    pub fn fault(&mut self, order: impl FnOnce(&mut Faults)) {
        order(&mut self.faults);
    }

    /// Another client of the company uses up calls.
    pub fn outside_calls(&mut self, now: Millis, calls: usize) {
        (0..calls).for_each(|_| self.window.add(now, self.settings.window_ms));
    }

    /// The log of calls.
    #[must_use]
    pub fn log(&self) -> &CallLog {
        &self.log
    }

    /// The log of calls, to be emptied.
    pub fn log_mut(&mut self) -> &mut CallLog {
        &mut self.log
    }

    /// The figures.
    #[must_use]
    pub fn stats(&self) -> &Stats {
        self.log.stats()
    }
}
