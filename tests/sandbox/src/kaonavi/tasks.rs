//! The tasks of one company: one at a time, in the order they came.

use std::collections::{BTreeMap, VecDeque};

use renkei_runtime::clock::Millis;
use serde::Serialize;
use serde_json::{Value, json};

use super::settings::Settings;
use super::validate::Row;

/// How far a task is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TaskStatus {
    /// In the queue.
    Waiting,
    /// Being worked.
    Running,
    /// Done.
    Ok,
    /// Refused as a whole.
    Ng,
    /// Broken.
    Error,
}

impl TaskStatus {
    /// Whether it stays so.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Ok | Self::Ng | Self::Error)
    }

    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Waiting => "WAITING",
            Self::Running => "RUNNING",
            Self::Ok => "OK",
            Self::Ng => "NG",
            Self::Error => "ERROR",
        }
    }
}

/// An end that a fault has decided beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Forced {
    Ng,
    Error,
}

/// A task.
#[derive(Debug, Clone, Serialize)]
pub struct Task {
    /// Its number.
    pub id: i64,
    /// When its call was accepted.
    pub accepted_at: Millis,
    /// Whether it creates members.
    pub create: bool,
    /// Whether it changes nothing.
    pub dry_run: bool,
    /// How many rows it has.
    pub size: usize,
    /// How far it is.
    pub status: TaskStatus,
    /// What it says about itself once it is final.
    pub messages: Vec<String>,
    /// When it became final.
    pub ended_at: Option<Millis>,
    #[serde(skip)]
    pub(crate) rows: Vec<Row>,
    #[serde(skip)]
    pub(crate) forced: Option<Forced>,
}

impl Task {
    /// The answer of `GET /tasks/{id}`.
    pub(crate) fn shown(&self) -> Value {
        if self.status.is_final() {
            json!({ "id": self.id, "status": self.status.text(), "messages": self.messages })
        } else {
            json!({ "id": self.id, "status": self.status.text() })
        }
    }
}

/// All tasks of a company.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    all: BTreeMap<i64, Task>,
    queue: VecDeque<i64>,
    /// When the last final task ended.
    last_end: Millis,
    /// When tasks were last let go on.
    released_at: Millis,
}

impl Tasks {
    pub(crate) fn push(&mut self, task: Task) {
        self.queue.push_back(task.id);
        self.all.insert(task.id, task);
    }

    pub(crate) fn get(&self, id: i64) -> Option<&Task> {
        self.all.get(&id)
    }

    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.all.values()
    }

    pub(crate) fn open(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn released(&mut self, at: Millis) {
        self.released_at = at;
    }

    pub(crate) fn forget_final(&mut self) {
        self.all.retain(|_, task| !task.status.is_final());
    }

    /// The next task whose end has come by `now`, with that end. It leaves the queue; the caller finishes it.
    pub(crate) fn next_ended(&mut self, now: Millis, settings: &Settings, hold: bool) -> Option<(Task, Millis)> {
        let id = *self.queue.front()?;
        let task = self.all.get_mut(&id)?;
        let start = self.last_end.0.max(task.accepted_at.0 + settings.task_waiting_ms);
        if start > now.0 {
            return None;
        }
        task.status = TaskStatus::Running;
        let end = Millis((start + settings.task_running_ms).max(self.released_at.0));
        if hold || end > now {
            return None;
        }
        self.queue.pop_front();
        self.last_end = end;
        self.all.remove(&id).map(|task| (task, end))
    }

    pub(crate) fn finished(&mut self, mut task: Task, end: Millis, status: TaskStatus, messages: Vec<String>) {
        task.status = status;
        task.messages = messages;
        task.ended_at = Some(end);
        task.rows = Vec::new();
        self.all.insert(task.id, task);
    }

    /// Drops what nobody can ask for any more.
    pub(crate) fn expire(&mut self, now: Millis, kept_ms: i64) {
        while let Some(first) = self.all.first_entry() {
            let expired = first.get().ended_at.is_some_and(|end| now.0 - end.0 >= kept_ms);
            if !expired {
                break;
            }
            first.remove();
        }
    }
}
