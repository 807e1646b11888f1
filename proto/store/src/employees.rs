//! One row per employee: the latest record, and how far it has come on its way to カオナビ.
//!
//! `consumed` is what events write, `waiting` says who may go out, `moving` how a person goes into a call and out of it,
//! `judging` who is looked at once more, `sharers` whose number is not one person's, `reading` opens whole rows.

use std::collections::BTreeMap;

use renkei_events::event::Change;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};

use crate::db::Row;
use crate::error::{Result, StoreError};

mod consumed;
mod judging;
mod moving;
mod reading;
mod sharers;
mod waiting;

pub use consumed::{ConsumedRow, SlimRow, lock_slim, put_consumed, put_known};
pub use judging::{judge_again, judge_filtered_again, judge_settled_again, judge_unmappable_again};
pub use moving::{Landing, count_failure, fly, forget_fields, land, make_due, note, put_held_already, settle, warn};
pub(crate) use reading::{FULL, full_as_far_as_it_opens, full_where};
pub use reading::{counts, in_states, lock_full, with_number};
pub use sharers::{park_sharers, shared_numbers, unpark_sharers};
pub use waiting::{Going, QUARTER, READ_TAKES, after_backup, due, due_summary, refresh_ops};

/// Which person of which connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct EmployeeKey {
    /// The connection.
    #[serde(rename = "c")]
    pub connection: String,
    /// 従業員ID at the source.
    #[serde(rename = "e")]
    pub employee: String,
}

/// How far a row has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RowState {
    /// Came before the first activation; never sent as it is.
    Baseline,
    /// Has a change that has to go out.
    Due,
    /// Is in a batch whose end is not known yet.
    Flying,
    /// カオナビ has it.
    Synced,
    /// Due, but not eligible now; judged again when something changes.
    Skipped,
    /// 要対応: needs a person.
    Parked,
    /// 保留: waits for a person's yes.
    Held,
}

impl RowState {
    /// All states, in the order in which reports list them.
    pub const ALL: [RowState; 7] =
        [Self::Due, Self::Flying, Self::Held, Self::Parked, Self::Skipped, Self::Synced, Self::Baseline];

    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            RowState::Baseline => "baseline",
            RowState::Due => "due",
            RowState::Flying => "flying",
            RowState::Synced => "synced",
            RowState::Skipped => "skipped",
            RowState::Parked => "parked",
            RowState::Held => "held",
        }
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| StoreError::Corrupt("row state".to_owned()))
    }
}

/// Whether a change makes a member or alters one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// `POST /members`.
    Create,
    /// `PATCH /members`.
    Update,
}

impl Op {
    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Op::Create => "create",
            Op::Update => "update",
        }
    }

    /// Reads the stored text.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text == "create" { Op::Create } else { Op::Update }
    }
}

/// What was last written for a person: field → value.
pub type Values = BTreeMap<String, String>;

pub(crate) fn place(column: &str, key: &EmployeeKey) -> String {
    format!("employees.{column}|{}|{}", key.connection, key.employee)
}

fn key_of(row: &Row) -> Result<EmployeeKey> {
    Ok(EmployeeKey { connection: row.get("connection_id")?, employee: row.get("employee_id")? })
}

/// Where a person stands in a mass change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mass {
    /// In none, or released.
    None,
    /// Held until somebody decides.
    Undecided,
    /// Somebody said no to the mapped values with this keyed hash; others may go out.
    Declined(String),
}

/// Stands in [`FullRow::written`] for a value that nobody knows: a call without an answer may still be carried out, whatever a
/// read shows meanwhile. No value of カオナビ is equal to it.
pub const FORGOTTEN: &str = "\u{0}";

/// A row in full.
#[derive(Clone)]
pub struct FullRow {
    /// Who.
    pub key: EmployeeKey,
    /// 社員番号 of the newest record.
    pub number: Option<String>,
    /// Version of the newest record.
    pub version: i64,
    /// Keyed hash of its content.
    pub content: String,
    /// What the newest event said.
    pub change: Change,
    /// The newest record; `None` for deleted and invalid ones.
    pub record: Option<EmployeeRecord>,
    /// How far it has come.
    pub state: RowState,
    /// Create or update.
    pub op: Option<Op>,
    /// Why skipped, parked or held.
    pub reason: Option<String>,
    /// カオナビ's own words, or pointers; may be personal.
    pub detail: Option<String>,
    /// Since when it is due.
    pub due: Option<Millis>,
    /// Not before.
    pub next_try: Millis,
    /// How often it failed in a way that may pass.
    pub attempts: i64,
    /// How often of these it was alone in its call: only that says something about the person.
    pub lone_attempts: i64,
    /// When the first of these failures was; only said while there is one.
    pub failing_since: Option<Millis>,
    /// The batch it flies in.
    pub batch: Option<i64>,
    /// The version that flies.
    pub flying_version: Option<i64>,
    /// What was last written.
    pub written: Option<Values>,
    /// Under which number.
    pub written_number: Option<String>,
    /// A number that a person released for registration although another is near.
    pub released_number: Option<String>,
    /// A person saw this change and said yes: it counts as no mass change.
    pub confirmed: bool,
    /// What a person said, or has not said yet, about a mass change that this person was part of.
    pub mass: Mass,
    /// The person was 退職 already when nothing of the person was to be sent, and is still.
    pub left_before: bool,
    /// What somebody should look at, though the person goes on being sent.
    pub warning: Option<String>,
    /// Since when; it stays when the warning was dismissed, so that the next change does not bring it back.
    pub warned: Option<Millis>,
    /// When its newest event came.
    pub received: Millis,
    /// When the row last changed.
    pub changed: Millis,
}

impl FullRow {
    /// What カオナビ holds in a field because we wrote it, if we know.
    #[must_use]
    pub fn held(&self, field: &str) -> Option<&String> {
        self.written.as_ref()?.get(field).filter(|value| *value != FORGOTTEN)
    }
}
