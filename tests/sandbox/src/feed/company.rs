//! One company of ロウムメイト: its people, as states that appear one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::calls::CallLog;
use super::cursor::Place;
use super::settings::{Faults, Late, Settings};
use crate::error::SandboxError;

/// A state that has been hidden for this long is forgotten: no caller's time goes back.
const HIDDEN_MS: i64 = 24 * 3_600_000;

/// One state of one person as JSON has it: `employee_id`, `employee_number`, `last_name` and so on.
pub type Record = Map<String, Value>;

/// What a company is made of.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanySpec {
    /// Its place in the path, `/feeds/{id}/employees`.
    pub id: String,
    /// The bearer token.
    pub token: String,
    /// Its switches.
    #[serde(default)]
    pub settings: Settings,
}

impl std::fmt::Debug for CompanySpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CompanySpec").field("id", &self.id).finish_non_exhaustive()
    }
}

struct State {
    /// `None`: removed.
    record: Option<Record>,
    updated_at: Timestamp,
    seen_at: Millis,
}

/// A company.
pub struct Company {
    id: String,
    pub(super) token: String,
    pub(super) settings: Settings,
    pub(super) faults: Faults,
    pub(super) log: CallLog,
    people: BTreeMap<String, Vec<State>>,
}

impl std::fmt::Debug for Company {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Company").field("id", &self.id).field("people", &self.people.len()).finish_non_exhaustive()
    }
}

impl Company {
    pub(super) fn new(spec: CompanySpec) -> Self {
        Self {
            id: spec.id,
            token: spec.token,
            settings: spec.settings,
            faults: Faults::default(),
            log: CallLog::default(),
            people: BTreeMap::new(),
        }
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The switches.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The faults in force.
    pub fn faults_mut(&mut self) -> &mut Faults {
        &mut self.faults
    }

    /// The calls.
    #[must_use]
    pub fn log(&self) -> &CallLog {
        &self.log
    }

    /// Another token; the old one ends at once.
    pub fn set_token(&mut self, token: &str) {
        token.clone_into(&mut self.token);
    }

    /// What the source's own clock says at `at`.
    #[must_use]
    pub fn clock(&self, at: Millis) -> Millis {
        Millis(at.0 + self.settings.clock_ahead_ms)
    }

    /// Hires or changes a person at `at`, which becomes the record's `updated_at` by the source's clock; answers it.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] without an `employee_id`.
    pub fn put(&mut self, at: Millis, record: Record) -> Result<Timestamp, SandboxError> {
        let updated_at = self.clock(at).timestamp();
        let late = self.lateness(&record, updated_at);
        self.stamp(at, record, updated_at, late)
    }

    /// The same, with the state seen `late_ms` later.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] without an `employee_id`, and for more than the settings allow.
    pub fn put_late(&mut self, at: Millis, record: Record, late_ms: u64) -> Result<Timestamp, SandboxError> {
        if i64::try_from(late_ms).map_or(true, |late| late > self.settings.most_late_ms) {
            return Err(SandboxError::BadInput(format!("{late_ms} ms is later than the settings allow")));
        }
        let updated_at = self.clock(at).timestamp();
        self.stamp(at, record, updated_at, Duration::from_millis(late_ms))
    }

    /// The same with the record's own `updated_at`: people who have long been there, and records that are dated wrongly.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] without an `employee_id` or a time in `updated_at`.
    pub fn put_dated(&mut self, at: Millis, record: Record) -> Result<Timestamp, SandboxError> {
        let own = record.get("updated_at").and_then(Value::as_str).and_then(|text| text.parse::<Timestamp>().ok());
        let own = own.ok_or_else(|| SandboxError::BadInput("updated_at is no time".to_owned()))?;
        let due = Millis(own.as_millisecond() - self.settings.clock_ahead_ms).min(at) + self.lateness(&record, own);
        self.add(record, own, due.max(at))?;
        Ok(own)
    }

    /// Changes the newest state of a person at `at`; answers its `updated_at`.
    ///
    /// # Errors
    /// [`SandboxError::BadInput`] when there is no such person.
    pub fn change(
        &mut self,
        at: Millis,
        employee_id: &str,
        change: impl FnOnce(&mut Record),
    ) -> Result<Timestamp, SandboxError> {
        let newest = self.newest(employee_id).cloned();
        let mut record = newest.ok_or_else(|| SandboxError::BadInput(format!("nobody has the id {employee_id}")))?;
        change(&mut record);
        record.insert("employee_id".to_owned(), Value::from(employee_id));
        self.put(at, record)
    }

    /// Removes a person at `at`: from then on nothing is listed (E13). Whether there was such a person.
    pub fn delete(&mut self, at: Millis, employee_id: &str) -> bool {
        if self.newest(employee_id).is_none() {
            return false;
        }
        let updated_at = self.clock(at).timestamp();
        if let Some(states) = self.people.get_mut(employee_id) {
            states.push(State { record: None, updated_at, seen_at: at });
        }
        true
    }

    /// The newest state of a person, seen or not yet.
    #[must_use]
    pub fn newest(&self, employee_id: &str) -> Option<&Record> {
        self.people.get(employee_id)?.last()?.record.as_ref()
    }

    /// The newest states of all who were not removed, seen or not yet, by id.
    pub fn everybody(&self) -> impl Iterator<Item = (&str, &Record)> {
        self.people.iter().filter_map(|(id, states)| Some((id.as_str(), states.last()?.record.as_ref()?)))
    }

    /// What a caller could see at `now`, in the feed's order (E5).
    #[must_use]
    pub fn seen(&self, now: Millis) -> Vec<&Record> {
        self.places(now).into_iter().map(|(_, record)| record).collect()
    }

    /// The same with the places.
    pub(super) fn places(&self, now: Millis) -> Vec<(Place, &Record)> {
        let mut seen: Vec<(Place, &Record)> = Vec::with_capacity(self.people.len());
        for (id, states) in &self.people {
            let state = states.iter().rev().find(|state| state.seen_at <= now);
            if let Some(State { record: Some(record), updated_at, .. }) = state {
                seen.push(((*updated_at, id.clone()), record));
            }
        }
        seen.sort_by(|(one, _), (other, _)| one.cmp(other));
        seen
    }

    fn stamp(
        &mut self,
        at: Millis,
        mut record: Record,
        updated_at: Timestamp,
        late: Duration,
    ) -> Result<Timestamp, SandboxError> {
        record.insert("updated_at".to_owned(), Value::from(japanese(updated_at)));
        self.add(record, updated_at, at + late)?;
        Ok(updated_at)
    }

    fn add(&mut self, record: Record, updated_at: Timestamp, seen_at: Millis) -> Result<(), SandboxError> {
        let id = record.get("employee_id").and_then(Value::as_str).filter(|id| !id.is_empty());
        let id = id.ok_or_else(|| SandboxError::BadInput("employee_id is missing".to_owned()))?.to_owned();
        let states = self.people.entry(id).or_default();
        states.push(State { record: Some(record), updated_at, seen_at });
        while states.len() > 2 && states.get(1).is_some_and(|second| second.seen_at.0 + HIDDEN_MS < seen_at.0) {
            states.remove(0);
        }
        Ok(())
    }

    fn lateness(&self, record: &Record, updated_at: Timestamp) -> Duration {
        let most = u64::try_from(self.settings.most_late_ms).unwrap_or(0);
        let ms = match self.settings.late {
            Late::Never => 0,
            Late::AtMost => most,
            Late::Spread => {
                let id = record.get("employee_id").and_then(Value::as_str).unwrap_or_default();
                let bytes = id.bytes().chain(updated_at.as_millisecond().to_be_bytes());
                let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                    (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
                });
                (hash >> 16) % (most + 1)
            }
        };
        Duration::from_millis(ms)
    }
}

/// A time as ロウムメイト writes it: `2026-04-01T09:00:00.000+09:00`.
fn japanese(at: Timestamp) -> String {
    let zone = TimeZone::fixed(Offset::constant(9));
    at.to_zoned(zone).strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string()
}
