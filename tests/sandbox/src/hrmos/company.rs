//! One company: its people, its days, its switches; what an operator can do to it by hand.

use std::collections::{BTreeMap, HashMap};

use jiff::civil::Date;
use renkei_runtime::clock::Millis;

use super::auth::Door;
use super::calls::{CallLog, Rolling, Stats};
use super::dates::{Dates, instant, today};
use super::day::Day;
use super::faults::Faults;
use super::segment::Segment;
use super::settings::{EmptyDays, IpTarget, Settings};
use super::user::User;
use crate::error::SandboxError;

/// Says what is recorded of people and dates that nobody has touched by hand, so that a large company needs no room.
pub trait Roster: Send + std::fmt::Debug {
    /// The dates it knows; it is not asked about others.
    fn dates(&self) -> Dates;

    /// The day, always the same; `None` where nothing is recorded.
    fn day(&self, user: &User, day: Date) -> Option<Day>;
}

/// A company to be made.
#[derive(Debug)]
pub struct CompanySpec {
    /// The company's part of the login URL.
    pub id: String,
    /// The API KEY: Base64 text.
    pub key: ApiKey,
    /// When the key was issued.
    pub key_issued_at: Millis,
    /// The people.
    pub users: Vec<User>,
    /// The segments.
    pub segments: Vec<Segment>,
    /// Days that are recorded, by date and user id.
    pub days: BTreeMap<(Date, i64), Day>,
    /// What else is recorded.
    pub roster: Option<Box<dyn Roster>>,
    /// The switches.
    pub settings: Settings,
    /// The faults.
    pub faults: Faults,
}

/// A key that does not show when it is printed.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey(pub String);

impl std::fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("redacted")
    }
}

impl CompanySpec {
    /// A company without people, with the segments of [`super::sample::segments`]. Its key is [`super::sample::key`],
    /// issued at `now`.
    #[must_use]
    pub fn new(id: &str, now: Millis) -> Self {
        Self {
            id: id.to_owned(),
            key: ApiKey(super::sample::key(id)),
            key_issued_at: now,
            users: Vec::new(),
            segments: super::sample::segments(),
            days: BTreeMap::new(),
            roster: None,
            settings: Settings::default(),
            faults: Faults::default(),
        }
    }

    /// With one more person.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.push(user);
        self
    }

    /// With a day of somebody.
    #[must_use]
    pub fn day(mut self, user: i64, day: Date, record: Day) -> Self {
        self.days.insert((day, user), record);
        self
    }

    /// With other switches.
    #[must_use]
    pub fn set(mut self, change: impl FnOnce(&mut Settings)) -> Self {
        change(&mut self.settings);
        self
    }
}

/// What was done to a day by hand.
#[derive(Debug)]
enum Entry {
    Record(Box<Day>),
    /// The row was taken away.
    Gone,
}

/// A row as it stands at some time.
#[derive(Debug)]
pub(crate) struct Standing {
    pub(crate) record: Day,
    pub(crate) created_at: Millis,
    pub(crate) updated_at: Millis,
}

/// A company.
#[derive(Debug)]
pub struct Company {
    pub(crate) id: String,
    pub(crate) door: Door,
    pub(crate) users: Vec<User>,
    pub(crate) segments: Vec<Segment>,
    pub(crate) segments_updated_at: Millis,
    entries: BTreeMap<(Date, i64), Entry>,
    roster: Option<Box<dyn Roster>>,
    /// When rows of a person were touched by a corrected number.
    renumbered: HashMap<i64, Millis>,
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    pub(crate) window: Rolling,
    pub(crate) log: CallLog,
}

impl Company {
    pub(crate) fn new(spec: CompanySpec) -> Result<Self, SandboxError> {
        if spec.id.is_empty() || spec.id.contains('/') || spec.key.0.is_empty() {
            return Err(SandboxError::BadInput("a company needs an id without slashes, and a key".to_owned()));
        }
        let mut users = spec.users;
        users.sort_by_key(|user| user.id);
        if users.windows(2).any(|pair| pair[0].id == pair[1].id) {
            return Err(SandboxError::BadInput("two people with one id".to_owned()));
        }
        let entries = spec.days.into_iter().map(|(place, record)| (place, Entry::Record(Box::new(record))));
        Ok(Self {
            door: Door::new(&spec.id, spec.key.0, spec.key_issued_at),
            id: spec.id,
            users,
            segments: spec.segments,
            segments_updated_at: spec.key_issued_at,
            entries: entries.collect(),
            roster: spec.roster,
            renumbered: HashMap::new(),
            settings: spec.settings,
            faults: spec.faults,
            window: Rolling::new(),
            log: CallLog::new(),
        })
    }

    /// The company's part of the login URL.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The API KEY in force, as the screen shows it.
    #[must_use]
    pub fn key(&self) -> &str {
        self.door.key()
    }

    /// When that key ends. No call tells it.
    #[must_use]
    pub fn key_expires_at(&self) -> Millis {
        self.door.key_expires_at(&self.settings)
    }

    /// API KEYの生成: a new key from now on.
    pub fn regenerate_key(&mut self, now: Millis, key: &str) {
        self.door.regenerate(now, key, &self.settings);
    }

    /// Ends all tokens.
    pub fn end_tokens(&mut self) {
        self.door.end_tokens();
    }

    /// The people, by id.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// One of the people.
    #[must_use]
    pub fn user(&self, id: i64) -> Option<&User> {
        self.users.binary_search_by_key(&id, |user| user.id).ok().map(|place| &self.users[place])
    }

    /// Somebody joins; one with the same id is replaced.
    pub fn put_user(&mut self, user: User) {
        match self.users.binary_search_by_key(&user.id, |known| known.id) {
            Ok(place) => self.users[place] = user,
            Err(place) => self.users.insert(place, user),
        }
    }

    /// Changes the record of a person; whether there is one.
    pub fn edit_user(&mut self, now: Millis, id: i64, change: impl FnOnce(&mut User)) -> bool {
        let place = self.users.binary_search_by_key(&id, |user| user.id);
        let user = place.ok().and_then(|place| self.users.get_mut(place));
        user.map(|user| {
            change(user);
            (user.id, user.updated_at) = (id, now);
        })
        .is_some()
    }

    /// Corrects a 社員番号; whether there is such a person. All rows of the person show the new one.
    pub fn change_number(&mut self, now: Millis, id: i64, number: Option<&str>) -> bool {
        if self.settings.number_touches_rows {
            self.renumbered.insert(id, now);
        }
        self.edit_user(now, id, |user| user.number = number.map(str::to_owned))
    }

    /// The segments.
    #[must_use]
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The segments, to be changed by hand.
    pub fn edit_segments(&mut self, now: Millis, change: impl FnOnce(&mut Vec<Segment>)) {
        change(&mut self.segments);
        self.segments_updated_at = now;
    }

    /// Records a day anew; the row was changed at `now` unless the day says otherwise.
    pub fn set_day(&mut self, now: Millis, user: i64, day: Date, mut record: Day) {
        record.updated_at = record.updated_at.or(Some(now));
        self.entries.insert((day, user), Entry::Record(Box::new(record)));
    }

    /// Changes what is recorded of a day, an empty one if need be.
    pub fn edit_day(&mut self, now: Millis, user: i64, day: Date, change: impl FnOnce(&mut Day)) {
        let mut record = self.day(user, day).unwrap_or_default();
        change(&mut record);
        record.updated_at = None;
        self.set_day(now, user, day, record);
    }

    /// Takes a row away.
    pub fn remove_day(&mut self, user: i64, day: Date) {
        self.entries.insert((day, user), Entry::Gone);
    }

    /// What is recorded of a day in the end, whatever the clock says.
    #[must_use]
    pub fn day(&self, user: i64, day: Date) -> Option<Day> {
        let user = self.user(user)?;
        match self.entries.get(&(day, user.id)) {
            Some(Entry::Record(record)) => Some((**record).clone()),
            Some(Entry::Gone) => None,
            None => self.rostered(user, day),
        }
    }

    /// How many days were recorded or taken away one by one; all others need no room.
    #[must_use]
    pub fn kept_days(&self) -> usize {
        self.entries.len()
    }

    /// The dates of the roster.
    #[must_use]
    pub fn roster_dates(&self) -> Option<Dates> {
        self.roster.as_ref().map(|roster| roster.dates())
    }

    fn rostered(&self, user: &User, day: Date) -> Option<Day> {
        let roster = self.roster.as_ref()?;
        let dates = roster.dates();
        (dates.first <= day && day <= dates.last).then(|| roster.day(user, day)).flatten()
    }

    /// The row of a person and a date as it stands at `now`.
    pub(crate) fn standing(&self, user: &User, day: Date, now: Millis) -> Option<Standing> {
        if !user.works_on(day) {
            return None;
        }
        let future = day > today(now);
        let generated = |record: Option<Day>| match record {
            _ if future => self.settings.future_rows.then(|| record.unwrap_or_default()),
            None if self.settings.empty_days == EmptyDays::Missing => None,
            record => Some(record.unwrap_or_else(|| self.untouched(user))),
        };
        let record = match self.entries.get(&(day, user.id)) {
            Some(Entry::Gone) => return None,
            Some(Entry::Record(record)) => (**record).clone(),
            None => generated(self.rostered(user, day))?,
        };
        let created_at = row_made(user, day);
        let (record, updated_at) = record.seen(day, now, created_at, self.settings.rows_lag_ms);
        let updated_at = self.renumbered.get(&user.id).map_or(updated_at, |touched| updated_at.max(*touched));
        Some(Standing { record, created_at, updated_at })
    }

    /// Whether there is a row, told without making it.
    pub(crate) fn has_row(&self, user: &User, day: Date, future: bool) -> bool {
        user.works_on(day)
            && match self.entries.get(&(day, user.id)) {
                Some(Entry::Gone) => false,
                Some(Entry::Record(_)) => true,
                None if future => self.settings.future_rows,
                None => self.settings.empty_days == EmptyDays::NullRow || self.rostered(user, day).is_some(),
            }
    }

    /// A day that nobody touched, under the person's usual segment.
    fn untouched(&self, user: &User) -> Day {
        let segment = self.segments.iter().find(|segment| segment.id == user.default_segment);
        segment.map_or_else(Day::empty, |segment| Day::empty().titled(segment.title.clone()))
    }

    /// The switches in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Turns switches.
    pub fn set(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
    }

    /// IPによるアクセス制限: whom it is meant for, and the addresses that may.
    pub fn restrict_ip(&mut self, target: IpTarget, allowed: &[std::net::IpAddr]) {
        self.settings.ip.target = target;
        self.settings.ip.allowed = allowed.to_vec();
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
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

/// When a row was made: ahead of time, on the 20th of the month before. So the row of a date that has just come may be
/// older than any mark, and whoever reads a date for the first time must not ask by update time.
fn row_made(user: &User, day: Date) -> Millis {
    let before = day.first_of_month().yesterday().unwrap_or(day);
    let made = before.with().day(20).build().unwrap_or(before);
    instant(made, 10 * 60 + 11).max(user.created_at)
}
