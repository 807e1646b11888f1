//! One company: its members, tasks, limits and log; what an operator can do to it by hand.

use std::collections::BTreeMap;

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde_json::{Value, json};

use super::calls::{CallLog, Stats};
use super::departments::{Department, Tree};
use super::jst;
use super::layout::Layout;
use super::limits::{HOUR, MINUTE, Window};
use super::member::Member;
use super::permissions::Permissions;
use super::settings::{Faults, NameMembers, Settings};
use super::spec::CompanySpec;
use super::tasks::{Forced, Task, TaskStatus, Tasks};
use super::validate::{Door, Row};
use crate::error::SandboxError;

/// The hour of the nightly batch.
const NIGHTLY_HOUR: i8 = 2;

/// A company.
#[derive(Debug)]
pub struct Company {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) key: String,
    pub(crate) secret: String,
    pub(crate) permissions: Permissions,
    pub(crate) layout: Layout,
    pub(crate) departments: Vec<Department>,
    pub(crate) settings: Settings,
    pub(crate) faults: Faults,
    pub(crate) members: BTreeMap<String, Member>,
    pub(crate) members_updated_at: Millis,
    pub(crate) tasks: Tasks,
    pub(crate) slots: Window,
    pub(crate) hour: Window,
    pub(crate) tokens: Window,
    pub(crate) log: CallLog,
    pub(crate) reads: u64,
    nightly_done: Option<Date>,
}

impl Company {
    pub(crate) fn new(spec: CompanySpec) -> Result<Self, SandboxError> {
        let mut company = Self {
            id: spec.id,
            name: spec.name,
            key: spec.consumer_key,
            secret: spec.consumer_secret,
            permissions: spec.permissions,
            layout: spec.layout,
            departments: spec.departments,
            settings: spec.settings,
            faults: spec.faults,
            members: BTreeMap::new(),
            members_updated_at: Millis::default(),
            tasks: Tasks::default(),
            slots: Window::new(MINUTE),
            hour: Window::new(HOUR),
            tokens: Window::new(HOUR),
            log: CallLog::new(),
            reads: 0,
            nightly_done: None,
        };
        if !spec.members.is_empty() {
            company.upsert(Millis::default(), &json!({ "member_data": spec.members }))?;
        }
        Ok(company)
    }

    /// What the admin API calls it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What people read.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The members, by code.
    #[must_use]
    pub fn members(&self) -> &BTreeMap<String, Member> {
        &self.members
    }

    /// One member.
    #[must_use]
    pub fn member(&self, code: &str) -> Option<&Member> {
        self.members.get(code)
    }

    /// The tasks that are kept, oldest first.
    pub fn tasks(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.iter()
    }

    /// How many tasks are not final.
    #[must_use]
    pub fn open_tasks(&self) -> usize {
        self.tasks.open()
    }

    /// The log of calls.
    #[must_use]
    pub fn log(&self) -> &CallLog {
        &self.log
    }

    /// The figures at `now`.
    pub fn stats(&mut self, now: Millis) -> Stats {
        self.log.stats(now)
    }

    /// The switches in force.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The faults in force.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The boxes that are ticked.
    pub fn permissions_mut(&mut self) -> &mut Permissions {
        &mut self.permissions
    }

    /// The layout, to be changed by hand.
    pub fn layout_mut(&mut self) -> &mut Layout {
        &mut self.layout
    }

    /// The department tree, to be changed by hand.
    pub fn departments_mut(&mut self) -> &mut Vec<Department> {
        &mut self.departments
    }

    /// Sets the switches.
    pub fn set_settings(&mut self, now: Millis, settings: Settings) {
        self.advance(now);
        self.settings = settings;
    }

    /// Orders faults; those in force before are replaced.
    pub fn set_faults(&mut self, now: Millis, faults: Faults) {
        self.advance(now);
        if self.faults.hold_tasks && !faults.hold_tasks {
            self.tasks.released(now);
        }
        self.faults = faults;
        self.advance(now);
    }

    /// Brings tasks and the nightly batch up to `now`.
    pub fn advance(&mut self, now: Millis) {
        while let Some((task, end)) = self.tasks.next_ended(now, &self.settings, self.faults.hold_tasks) {
            self.nightly_until(end);
            let (status, messages) = self.run(&task, end);
            self.tasks.finished(task, end, status, messages);
        }
        self.nightly_until(now);
        self.tasks.expire(now, self.settings.task_kept_ms);
    }

    fn nightly_until(&mut self, now: Millis) {
        let today = jst::date(now);
        let due = jst::hour(now) >= NIGHTLY_HOUR && self.nightly_done.is_none_or(|done| done < today);
        if due {
            self.nightly(now);
        }
    }

    /// Computes ages and years of service, as the nightly batch does.
    pub fn nightly(&mut self, now: Millis) {
        let today = jst::date(now);
        self.nightly_done = Some(today);
        for member in self.members.values_mut() {
            member.recompute(today);
        }
    }

    /// Runs a task: everything or nothing.
    fn run(&mut self, task: &Task, end: Millis) -> (TaskStatus, Vec<String>) {
        match task.forced {
            Some(Forced::Error) => return (TaskStatus::Error, vec!["予期しないエラーが発生しました".to_owned()]),
            Some(Forced::Ng) => return (TaskStatus::Ng, vec!["登録処理に失敗しました".to_owned()]),
            None => {}
        }
        let mut messages = Vec::new();
        let tree = Tree::new(&self.departments);
        for (index, row) in task.rows.iter().enumerate() {
            let mut add = |what: String| messages.push(self.message(index, row, &what));
            match (task.create, self.members.contains_key(&row.code)) {
                (true, true) => add("既に登録されています".to_owned()),
                (false, false) => add("登録されていません".to_owned()),
                _ => {}
            }
            for department in row.departments().filter(|department| !tree.has(department)) {
                add(format!("所属コード {department} は存在しません"));
            }
            if self.faults.ng_codes.contains(&row.code) {
                add("登録できない値が含まれています".to_owned());
            }
        }
        if !messages.is_empty() {
            return (TaskStatus::Ng, messages);
        }
        if !task.dry_run {
            for row in &task.rows {
                self.put(row, end);
            }
            self.members_updated_at = end;
        }
        (TaskStatus::Ok, messages)
    }

    fn message(&self, index: usize, row: &Row, what: &str) -> String {
        match self.settings.messages_name {
            NameMembers::Code => format!("{}: {what}", row.code),
            NameMembers::Index => format!("member_data.{index}: {what}"),
            NameMembers::Nobody => what.to_owned(),
        }
    }

    fn put(&mut self, row: &Row, at: Millis) {
        let fresh = !self.members.contains_key(&row.code);
        let member = self.members.entry(row.code.clone()).or_insert_with(|| Member::new(&row.code));
        member.apply(row, at);
        if fresh {
            member.changed_at = at;
        }
    }

    /// Creates or updates members by hand, as somebody at the screen would: at once, no task, no slot. The body is that
    /// of a write; required items are not asked for. Answers how many.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] with what a write would be told.
    pub fn upsert(&mut self, now: Millis, body: &Value) -> Result<usize, SandboxError> {
        self.advance(now);
        let door = Door {
            layout: &self.layout,
            settings: &Settings { refuse_read_only: false, ..Settings::default() },
            bad_codes: &std::collections::BTreeSet::new(),
            exists: &|_| true,
            create: false,
        };
        let rows =
            door.read(body.to_string().as_bytes()).map_err(|errors| SandboxError::BadInput(errors.join(", ")))?;
        for row in &rows {
            self.put(row, now);
        }
        self.members_updated_at = now;
        Ok(rows.len())
    }

    /// Deletes a member by hand; whether it was there.
    pub fn delete(&mut self, now: Millis, code: &str) -> bool {
        self.advance(now);
        let deleted = self.members.remove(code).is_some();
        if deleted {
            self.members_updated_at = now;
        }
        deleted
    }

    /// Another integration of the company uses up update slots (as many as are free), hourly calls and tokens. Answers
    /// how many slots it got.
    pub fn outside_traffic(&mut self, now: Millis, updates: usize, calls: usize, tokens: usize) -> usize {
        self.advance(now);
        let free =
            self.settings.updates_per_minute.saturating_sub(self.slots.count_kind(now, self.settings.update_window));
        let taken = updates.min(free);
        (0..taken).for_each(|_| self.slots.add(now));
        (0..calls.saturating_add(taken).min(self.settings.calls_per_hour)).for_each(|_| self.hour.add(now));
        (0..tokens.min(self.settings.tokens_per_hour)).for_each(|_| self.tokens.add(now));
        taken
    }

    /// Makes every final task unknown, as after the time they are kept.
    pub fn forget_tasks(&mut self, now: Millis) {
        self.advance(now);
        self.tasks.forget_final();
    }

    /// The members as `GET /members` shows them, some of them.
    #[must_use]
    pub fn shown_members(&self, skip: usize, most: usize) -> Vec<Value> {
        let tree = Tree::new(&self.departments);
        let members = self.members.values().skip(skip).take(most);
        members.filter_map(|member| serde_json::to_value(member.shown(&self.layout, &tree)).ok()).collect()
    }
}
