//! The company: members, timesheets, and what was imported.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde::Serialize;
use tokio::sync::Mutex;

use super::member::Member;
use super::result::{FileError, ImportResult, Reason};
use super::settings::Settings;
use super::table::Table;
use super::timesheet::{Attendance, Day, Face, Leave, Seen};
use crate::error::SandboxError;

/// Imports that are remembered.
const MOST_IMPORTS: usize = 1_000;

/// The simulator as servers, transports and tests share it.
pub type Shared = Arc<Mutex<CrowdLog>>;

/// An import of the past.
#[derive(Debug, Clone, Serialize)]
pub struct PastImport {
    /// When.
    pub at: Millis,
    /// What came of it.
    pub result: ImportResult,
}

/// One company's クラウドログ.
#[derive(Debug, Default)]
pub struct CrowdLog {
    settings: Settings,
    members: Vec<Member>,
    /// Who has a code, as places in `members`.
    codes: HashMap<String, Vec<usize>>,
    days: BTreeMap<(usize, Date), Day>,
    imports: VecDeque<PastImport>,
}

impl CrowdLog {
    /// A company without members.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The simulator, ready to be shared.
    #[must_use]
    pub fn shared(self) -> Shared {
        Arc::new(Mutex::new(self))
    }

    /// The switches.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The switches, to change them.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The members, in the order they came.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Member> {
        self.members.iter()
    }

    /// Adds a member. Nothing keeps two from having one code.
    pub fn add_member(&mut self, member: Member) {
        self.codes.entry(member.code.clone()).or_default().push(self.members.len());
        self.members.push(member);
    }

    /// Changes the one member with a code. The timesheets stay with the member, also under another code.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when nobody or several have the code.
    pub fn change_member(&mut self, code: &str, change: impl FnOnce(&mut Member)) -> Result<(), SandboxError> {
        let place = self.index(code)?;
        if let Some(member) = self.members.get_mut(place) {
            self.codes.remove(code);
            change(member);
            self.codes.entry(member.code.clone()).or_default().push(place);
        }
        Ok(())
    }

    /// The one member with a code.
    pub(super) fn matching(&self, code: &str) -> Result<usize, Reason> {
        match self.codes.get(code).map(Vec::as_slice) {
            Some([one]) => Ok(*one),
            None | Some([]) => Err(Reason::UnknownCode),
            Some(_) => Err(Reason::DoubleCode),
        }
    }

    /// Imports an attendance file, as 「ファイルの種類: 勤怠」 does.
    pub fn import(&mut self, now: Millis, file: &[u8]) -> ImportResult {
        let result = match self.opened(file) {
            Ok(table) => self.take(&table),
            Err(error) => ImportResult::refused(error),
        };
        self.imports.push_back(PastImport { at: now, result: result.clone() });
        if self.imports.len() > MOST_IMPORTS {
            self.imports.pop_front();
        }
        result
    }

    fn opened(&self, file: &[u8]) -> Result<Table, FileError> {
        if !self.settings.attendance_in_use {
            return Err(FileError::AttendanceNotInUse);
        }
        if self.settings.attendance_management {
            return Err(FileError::AttendanceManagement);
        }
        Table::read(file, &self.settings)
    }

    /// The imports, oldest first.
    pub fn imports(&self) -> impl DoubleEndedIterator<Item = &PastImport> + ExactSizeIterator {
        self.imports.iter()
    }

    /// What is stored for a day; `None` when nothing is, or when nobody or several have the code.
    #[must_use]
    pub fn stored(&self, code: &str, date: Date) -> Option<&Attendance> {
        self.day(self.matching(code).ok()?, date)?.attendance.as_ref()
    }

    /// All that is stored, by code and date.
    #[must_use]
    pub fn timesheets(&self) -> BTreeMap<(&str, Date), &Attendance> {
        let stored = self.days.iter().filter_map(|((member, date), day)| {
            let code = self.members.get(*member)?.code.as_str();
            Some(((code, *date), day.attendance.as_ref()?))
        });
        stored.collect()
    }

    /// What the timesheet shows: the initial values until something is stored.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when nobody or several have the code.
    pub fn seen(&self, code: &str, date: Date) -> Result<Seen, SandboxError> {
        let stored = self.day(self.index(code)?, date).and_then(|day| day.attendance.clone());
        Ok(stored.map_or_else(|| Seen::Initial(Attendance::initial()), Seen::Stored))
    }

    /// How many rows were ever stored for a day.
    #[must_use]
    pub fn imports_of(&self, code: &str, date: Date) -> u32 {
        self.matching(code).ok().and_then(|member| self.day(member, date)).map_or(0, |day| day.imports)
    }

    /// The face that the report shows for a day, and whether the difference is marked as an error.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when nobody or several have the code.
    pub fn face(&self, code: &str, date: Date) -> Result<(Face, bool), SandboxError> {
        let seen = self.seen(code, date)?;
        let shown = seen.attendance();
        if shown.leave.contains(&Leave::FullDay) {
            return Ok((Face::CoffeeCup, false));
        }
        let differs = shown.worked().abs_diff(self.work_minutes(code, date)?);
        let face = if differs == 0 { Face::Smile } else { Face::Triangle };
        Ok((face, differs > 0 && differs >= self.settings.mismatch_minutes))
    }

    /// The work hours (工数) of a day, in minutes.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when nobody or several have the code.
    pub fn work_minutes(&self, code: &str, date: Date) -> Result<u32, SandboxError> {
        Ok(self.day(self.index(code)?, date).map_or(0, |day| day.work_minutes))
    }

    /// Enters work hours by hand.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when nobody or several have the code.
    pub fn enter_work(&mut self, code: &str, date: Date, minutes: u32) -> Result<(), SandboxError> {
        let member = self.index(code)?;
        self.day_mut(member, date).work_minutes = minutes;
        Ok(())
    }

    /// Enters, or with `None` removes, attendance by hand, as an administrator may on any day.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when nobody or several have the code.
    pub fn enter(&mut self, code: &str, date: Date, attendance: Option<Attendance>) -> Result<(), SandboxError> {
        let member = self.index(code)?;
        self.day_mut(member, date).attendance = attendance;
        if self.day(member, date).is_some_and(Day::is_empty) {
            self.days.remove(&(member, date));
        }
        Ok(())
    }

    /// Makes, or takes back, the timesheet application of a day.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when nobody or several have the code.
    pub fn apply(&mut self, code: &str, date: Date, applied: bool) -> Result<(), SandboxError> {
        let member = self.index(code)?;
        self.day_mut(member, date).applied = applied;
        Ok(())
    }

    fn index(&self, code: &str) -> Result<usize, SandboxError> {
        self.matching(code).map_err(|_| SandboxError::BadInput(format!("not exactly one member has the code {code}")))
    }

    pub(super) fn member(&self, member: usize) -> Option<&Member> {
        self.members.get(member)
    }

    pub(super) fn day(&self, member: usize, date: Date) -> Option<&Day> {
        self.days.get(&(member, date))
    }

    pub(super) fn day_mut(&mut self, member: usize, date: Date) -> &mut Day {
        self.days.entry((member, date)).or_default()
    }
}
