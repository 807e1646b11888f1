//! From the log into the store: one row per employee, the newest version wins.
//!
//! A step reads a bounded number of records, judges them in the order of the log against the rows as they are, and writes
//! rows and wake-ups in one transaction; only then is the position committed. Read again after a crash, the same records
//! change nothing. While a full batch is written the next one is read and prepared, so that a backlog keeps both this process
//! and the database busy.

mod batch;
mod identity;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_events::csv;
use renkei_events::event::{Change, EmployeeEvent};
use renkei_events::ids::UploadId;
use renkei_events::record::EmployeeStatus;
use renkei_events::topic::Topic;
use renkei_log::{LogError, LogReader, LogWriter, NewRecord, Record};
use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::activity::{self, Entry};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::db::Tx;
use renkei_store::employees::{self, ConsumedRow, EmployeeKey, Op, RowState, SlimRow};
use renkei_store::{accounts, codes, forgotten, undecodable, uploads};

pub(crate) use renkei_store::content::of_event as content_hash;

use self::batch::{Batch, Placed};
use crate::context::Context;
use crate::error::Result;
use crate::members::eligible::{NotEligible, Sent, sent_as};
use crate::members::map::gender_label;
use crate::members::rejected::Stops;

/// How many records one step takes at most.
pub const BATCH: usize = 1000;
/// How many event ids a row remembers.
const EVENT_IDS: usize = 16;
/// How old the known connections may be, in real time.
const CONNECTIONS_AGE: Duration = Duration::from_secs(5);
/// How long the dead letter may take to acknowledge.
const DEAD_LETTER_DEADLINE: Duration = Duration::from_secs(10);

/// The consumer's group on the log.
pub const GROUP: &str = "renkei-workers";

/// The consumer.
pub struct Consumer {
    context: Context,
    reader: Box<dyn LogReader>,
    dead_letters: std::sync::Arc<dyn LogWriter>,
    connections: HashMap<String, Connection>,
    connections_read: Option<Duration>,
    /// Read, but not yet written and committed.
    pending: Batch,
    /// Read meanwhile; comes after `pending`.
    ahead: Batch,
}

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Consumed {
    /// Records read.
    pub records: usize,
    /// Rows that changed.
    pub changed: usize,
}

impl Consumer {
    /// A consumer over an open reader.
    #[must_use]
    pub fn new(context: Context, reader: Box<dyn LogReader>, dead_letters: std::sync::Arc<dyn LogWriter>) -> Self {
        let (pending, ahead) = (Batch::default(), Batch::default());
        Self { context, reader, dead_letters, connections: HashMap::new(), connections_read: None, pending, ahead }
    }

    /// Takes the next records, waiting up to `wait` for the first.
    ///
    /// # Errors
    /// When log or store fail; the next step then goes on with the same records.
    pub async fn step(&mut self, wait: Duration) -> Result<Consumed> {
        if self.pending.is_empty() {
            self.pending = std::mem::take(&mut self.ahead);
        }
        if self.pending.is_empty() {
            self.pending = Batch::of(self.reader.read(BATCH, wait).await?);
        }
        if self.pending.is_empty() {
            return Ok(Consumed::default());
        }
        self.refresh_connections().await?;
        self.pending.prepare(&self.context.store.keys).await;
        self.bury().await?;
        let records = self.pending.records().len();
        let (written, read) = self.write_and_read_ahead(records == BATCH).await;
        let changed = written?;
        self.reader.commit(&self.pending.positions()).await?;
        self.pending = Batch::default();
        // In a backlog the look that comes every 250 ms is soon enough: delivery and this step want the same locks.
        if changed > 0 && self.ahead.is_empty() {
            self.context.store.hint();
        }
        read?;
        Ok(Consumed { records, changed })
    }

    /// Writes the batch. When it is `full` there may be more, which is read and prepared while the database works.
    async fn write_and_read_ahead(&mut self, full: bool) -> (Result<usize>, Result<()>) {
        let Self { context, reader, connections, pending, ahead, .. } = self;
        let writing = Writing { context, connections };
        let write = writing.write(pending.take_events());
        let read_ahead = async {
            if full && ahead.is_empty() {
                *ahead = Batch::of(reader.read(BATCH, Duration::ZERO).await?);
            }
            ahead.prepare(&context.store.keys).await;
            Ok(())
        };
        tokio::join!(write, read_ahead)
    }

    /// How far the group is behind.
    pub async fn lag(&mut self) -> Option<u64> {
        self.reader.lag().await
    }

    /// Leaves the group.
    ///
    /// # Errors
    /// When the log does not answer.
    pub async fn close(self) -> Result<()> {
        Ok(self.reader.close().await?)
    }

    async fn refresh_connections(&mut self) -> Result<()> {
        let now = self.context.clock.monotonic();
        let fresh = self.connections_read.is_some_and(|read| now.saturating_sub(read) < CONNECTIONS_AGE);
        let known = |record: &Record| {
            let connection = record.key.as_deref().and_then(|key| key.split('/').next());
            connection.is_none_or(|id| self.connections.contains_key(id))
        };
        if fresh && self.pending.records().iter().all(known) {
            return Ok(());
        }
        let all = connections::all(&self.context.store).await?;
        self.connections = all.into_iter().map(|connection| (connection.id.clone(), connection)).collect();
        self.connections_read = Some(now);
        Ok(())
    }

    /// Sends what is no event to the dead letter, with where it stood. What is there is not sent again when the step fails
    /// later on.
    async fn bury(&mut self) -> Result<()> {
        while let Some((record, fault)) = self.pending.unburied() {
            let letter = letter(record, fault);
            match self.dead_letters.append(vec![letter.clone()], DEAD_LETTER_DEADLINE).await {
                // Too large to be copied: where it stood and what was wrong still has to be told.
                Err(LogError::Refused(_)) => {
                    let told = |name: &str| name.starts_with("renkei_deadletter_");
                    let headers = letter.headers.into_iter().filter(|(name, _)| told(name)).collect();
                    let bare = NewRecord { headers, value: Vec::new(), ..letter };
                    self.dead_letters.append(vec![bare], DEAD_LETTER_DEADLINE).await?;
                }
                other => other?,
            }
            // Written down after the letter: whoever dies between reads the record again and writes both once more.
            let named = record.key.as_deref().and_then(|key| key.split('/').next());
            let named = named.filter(|id| self.connections.contains_key(*id));
            let store = &self.context.store;
            let tx = store.begin().await?;
            let now = store.now_in(&tx).await?;
            undecodable::add(store, &tx, &place_of(record), named, now).await?;
            tx.commit().await?;
            self.pending.bury_one();
            self.context.metrics.consumed.with_label_values(&["dead_letter"]).inc();
        }
        Ok(())
    }
}

/// Where a record stands: topic/partition/offset.
fn place_of(record: &Record) -> String {
    let position = record.position;
    format!("{}/{}/{}", position.topic.name(), position.partition, position.offset)
}

fn letter(record: &Record, fault: &str) -> NewRecord {
    let place = place_of(record);
    tracing::warn!(log.place = %place, fault = %fault, "record is not an event, sent to the dead letter");
    let mut headers = record.headers.clone();
    headers.push(("renkei_deadletter_place".to_owned(), place.clone()));
    headers.push(("renkei_deadletter_fault".to_owned(), fault.to_owned()));
    NewRecord { topic: Topic::DeadLetter, key: place, headers, value: record.value.clone() }
}

/// The batch of one step on its way into the store.
struct Writing<'a> {
    context: &'a Context,
    connections: &'a HashMap<String, Connection>,
}

impl Writing<'_> {
    async fn write(&self, events: Vec<Placed>) -> Result<usize> {
        let mut kept = Vec::with_capacity(events.len());
        for placed in events {
            match self.connections.get(placed.event.connection_id.as_str()) {
                Some(connection) if connection.state != ConnectionState::Disconnected => kept.push(placed),
                _ => self.count("dropped"),
            }
        }
        if kept.is_empty() {
            return Ok(0);
        }
        let store = &self.context.store;
        let tx = store.begin().await?;
        let now = store.now_in(&tx).await?;
        let ids: BTreeSet<&str> = kept.iter().map(|placed| placed.event.connection_id.as_str()).collect();
        let before = accounts_of(&self.current(&tx, &ids).await?);
        for account in before.iter().filter(|_| !broken::is(Broken::LostWakeUp)) {
            accounts::wake(&tx, account, now).await?;
        }
        // Read under the accounts' locks: activation decides what is a baseline, and a connection may just have moved to
        // another account, which then has to be woken too.
        let connections = self.current(&tx, &ids).await?;
        for account in accounts_of(&connections).difference(&before) {
            accounts::wake(&tx, account, now).await?;
        }
        self.drop_forgotten(&tx, &mut kept).await?;
        identity::settle(self.context, &tx, &connections, &mut kept, now).await?;
        let files = Files::of(&tx, &kept).await?;
        let keys: Vec<EmployeeKey> = kept.iter().map(|placed| key_of(&placed.event)).collect();
        let rows = employees::lock_slim(&tx, &keys).await?;
        let mut fold = Fold { rows, stored_only: files.stored_only, ..Fold::default_of(self.context) };
        let genders = new_genders(&connections, &kept);
        for placed in kept {
            if let Some(connection) = connections.get(placed.event.connection_id.as_str()) {
                fold.apply(placed, connection);
            }
        }
        for (connection, labels) in &genders {
            connections::add_genders(store, &tx, connection, labels).await?;
        }
        let changed = fold.changed.len();
        self.flush(&tx, &connections, fold, now).await?;
        for (upload, rows) in &files.rows {
            uploads::took(&tx, upload, rows, now).await?;
        }
        tx.commit().await?;
        Ok(changed)
    }

    /// What was said of somebody before that person was forgotten does not bring anybody back.
    async fn drop_forgotten(&self, tx: &Tx, events: &mut Vec<Placed>) -> Result<()> {
        let ids = events.iter().map(|placed| (placed.event.connection_id.as_str(), placed.event.employee_id.as_str()));
        let forgotten = forgotten::people(&self.context.store, tx, ids).await?;
        if forgotten.is_empty() {
            return Ok(());
        }
        events.retain(|Placed { event, .. }| {
            let key = (event.connection_id.to_string(), event.employee_id.to_string());
            let taken = forgotten.get(&key).is_none_or(|last| event.version.0 > *last);
            if !taken {
                self.count("forgotten");
            }
            taken
        });
        Ok(())
    }

    async fn current(&self, tx: &Tx, ids: &BTreeSet<&str>) -> Result<BTreeMap<String, Connection>> {
        let mut connections = BTreeMap::new();
        for id in ids {
            if let Some(connection) = connections::find(&self.context.store, tx, id).await? {
                connections.insert(connection.id.clone(), connection);
            }
        }
        Ok(connections)
    }

    async fn flush(
        &self,
        tx: &Tx,
        connections: &BTreeMap<String, Connection>,
        fold: Fold<'_>,
        now: Millis,
    ) -> Result<()> {
        let known: Vec<SlimRow> = fold
            .known
            .iter()
            .filter(|key| !fold.changed.contains_key(*key))
            .filter_map(|key| fold.rows.get(key).cloned())
            .collect();
        let mut rows: Vec<ConsumedRow> = fold.changed.into_values().collect();
        activity::add(&self.context.store, tx, &left_out(&rows, now)).await?;
        let mut numbers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for row in &rows {
            if let (Some(account), Some(number), RowState::Due) = (&row.account, &row.slim.number, row.slim.state) {
                numbers.entry(account.clone()).or_default().push(number.clone());
            }
        }
        let mut present: BTreeSet<(String, String)> = BTreeSet::new();
        for (account, numbers) in &numbers {
            let found = codes::present(tx, account, numbers).await?;
            present.extend(found.into_iter().map(|code| (account.clone(), code)));
        }
        for row in &mut rows {
            let known = match (&row.account, &row.slim.number) {
                (Some(account), Some(number)) => present.contains(&(account.clone(), number.clone())),
                _ => false,
            };
            row.op = Some(if known { Op::Update } else { Op::Create });
        }
        employees::put_consumed(&self.context.store, tx, &rows, now).await?;
        employees::put_known(tx, &known).await?;
        let mut stops = Stops::default();
        for row in rows.iter().filter(|row| row.slim.state == RowState::Parked) {
            if let (Some(connection), Some(code)) = (connections.get(&row.slim.key.connection), &row.reason) {
                stops.note(connection, code);
            }
        }
        stops.switch_off(&self.context.store, tx, now).await?;
        for (connection, number) in fold.given_up {
            employees::unpark_sharers(tx, &connection, &number, now).await?;
        }
        Ok(())
    }

    fn count(&self, result: &str) {
        self.context.metrics.consumed.with_label_values(&[result]).inc();
    }
}

/// The 性別 labels of these events that their connections do not know yet, whatever becomes of the events: they are offered for
/// mapping.
fn new_genders(connections: &BTreeMap<String, Connection>, events: &[Placed]) -> BTreeMap<String, BTreeSet<String>> {
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for Placed { event, .. } in events {
        let Some(connection) = connections.get(event.connection_id.as_str()) else { continue };
        let label = event.employee.as_ref().and_then(|record| gender_label(record));
        if let Some(label) = label.filter(|label| !connection.gender_seen.contains(*label)) {
            found.entry(connection.id.clone()).or_default().insert(label.to_owned());
        }
    }
    found
}

/// What is written down of people who are left out or set aside the moment their record comes: nobody judges them later.
fn left_out(rows: &[ConsumedRow], now: Millis) -> Vec<Entry> {
    let kind = |row: &ConsumedRow| match row.slim.state {
        RowState::Skipped => Some("skipped"),
        RowState::Parked => Some("parked"),
        _ => None,
    };
    let entry = |row: &ConsumedRow| {
        Some(Entry {
            at: now,
            connection: row.slim.key.connection.clone(),
            employee: Some(row.slim.key.employee.clone()),
            kind: kind(row)?.to_owned(),
            code: row.reason.clone(),
            detail: row.detail.clone(),
        })
    };
    rows.iter().filter_map(entry).collect()
}

fn accounts_of(connections: &BTreeMap<String, Connection>) -> BTreeSet<String> {
    connections.values().filter_map(|connection| connection.account.clone()).collect()
}

fn key_of(event: &EmployeeEvent) -> EmployeeKey {
    EmployeeKey { connection: event.connection_id.to_string(), employee: event.employee_id.to_string() }
}

/// What a step takes of files.
#[derive(Default)]
struct Files {
    /// By upload: line and person of each row.
    rows: BTreeMap<UploadId, Vec<(u64, String)>>,
    /// The uploads of which nothing goes out without a person's yes.
    stored_only: BTreeSet<UploadId>,
}

impl Files {
    async fn of(tx: &Tx, events: &[Placed]) -> Result<Self> {
        let mut rows: BTreeMap<UploadId, Vec<(u64, String)>> = BTreeMap::new();
        for placed in events {
            if let Some((upload, line)) = csv::upload_of(&placed.event) {
                rows.entry(upload).or_default().push((line, placed.event.employee_id.to_string()));
            }
        }
        let stored_only = uploads::stored_only(tx, &rows.keys().cloned().collect()).await?;
        Ok(Self { rows, stored_only })
    }
}

/// The rows while the events of one step are laid over them.
struct Fold<'a> {
    context: &'a Context,
    rows: HashMap<EmployeeKey, SlimRow>,
    changed: BTreeMap<EmployeeKey, ConsumedRow>,
    /// Rows of which only version and event ids moved.
    known: BTreeSet<EmployeeKey>,
    /// Numbers that somebody had and has no more, or has without being eligible.
    given_up: BTreeSet<(String, String)>,
    /// Uploads of which nothing goes out without a person's yes.
    stored_only: BTreeSet<UploadId>,
}

/// How far the clock of ingest may differ from the worker's. What came that shortly before activation is sent: it is a change
/// of that day, while one that came after activation and was taken for older would be lost.
const CLOCKS_DIFFER: Duration = Duration::from_secs(5);

impl<'a> Fold<'a> {
    fn default_of(context: &'a Context) -> Self {
        Self {
            context,
            rows: HashMap::new(),
            changed: BTreeMap::new(),
            known: BTreeSet::new(),
            given_up: BTreeSet::new(),
            stored_only: BTreeSet::new(),
        }
    }

    fn apply(&mut self, placed: Placed, connection: &Connection) {
        let Placed { position, event, content } = placed;
        let key = key_of(&event);
        let event_id = event.event_id.to_string();
        let at = (i64::from(position.partition), position.offset);
        let version = event.version.0;
        let result = match self.rows.get_mut(&key) {
            Some(row) if row.event_ids.contains(&event_id) && !broken::is(Broken::DuplicateAsNew) => "duplicate",
            Some(row) if row.content == content => {
                remember(&mut row.event_ids, event_id);
                row.version = row.version.max(version);
                row.position = row.position.max(at);
                self.known.insert(key.clone());
                if let Some(changed) = self.changed.get_mut(&key) {
                    changed.slim = row.clone();
                }
                "already_known"
            }
            Some(row)
                if (version < row.version && !broken::is(Broken::NoVersionGuard))
                    || (version == row.version && (at <= row.position || broken::is(Broken::EqualVersionReversed))) =>
            {
                remember(&mut row.event_ids, event_id);
                self.known.insert(key.clone());
                if let Some(changed) = self.changed.get_mut(&key) {
                    changed.slim.event_ids.clone_from(&row.event_ids);
                }
                "stale"
            }
            before => {
                let before = before.map(|row| row.clone());
                if before.as_ref().is_some_and(|row| row.version == version) {
                    self.context.metrics.consumed.with_label_values(&["same_version"]).inc();
                }
                self.take(key, before, at, content, event, connection);
                "changed"
            }
        };
        self.context.metrics.consumed.with_label_values(&[result]).inc();
    }

    /// Whether ingest received the event before the connection was first switched on, and it only waited on the log since.
    fn came_before(&self, event: &EmployeeEvent, connection: &Connection) -> bool {
        // Under a scaled clock two processes do not share a calendar.
        let comparable = self.context.clock.scale() == 1;
        let received = Millis::from(event.received_at);
        comparable && connection.activated_wall.is_some_and(|activated| received + CLOCKS_DIFFER < activated)
    }

    /// Whether the event came by a file that is only to be stored, and the person has no change that waits to go out.
    fn only_stores(&self, event: &EmployeeEvent, before: Option<&SlimRow>) -> bool {
        csv::upload_of(event).is_some_and(|(upload, _)| self.stored_only.contains(&upload))
            && before.is_none_or(|row| matches!(row.state, RowState::Baseline | RowState::Synced))
    }

    fn take(
        &mut self,
        key: EmployeeKey,
        before: Option<SlimRow>,
        at: (i64, i64),
        content: String,
        event: EmployeeEvent,
        connection: &Connection,
    ) {
        let verdict = event.employee.as_ref().map(|record| sent_as(record, connection.settings.retired_date));
        let number = event.employee.as_ref().and_then(|record| record.employee_number.as_ref());
        let number = number.map(|number| number.to_string());
        let (fresh, reason) = match (event.change, verdict) {
            (Change::Invalid, _) | (_, None) if event.change != Change::Deleted => {
                (RowState::Parked, Some(Code::SourceRecordInvalid.as_str()))
            }
            (_, None) => (RowState::Skipped, Some(Code::DeletedAtSource.as_str())),
            // 退職日 goes over when somebody becomes 退職, not of somebody who was it before.
            (_, Some(Ok(Sent::Leaver))) if before.as_ref().is_some_and(|row| row.left_before) => {
                (RowState::Skipped, Some(NotEligible::StatusExcluded.as_str()))
            }
            (_, Some(Ok(_))) => (RowState::Due, None),
            (_, Some(Err(reason @ NotEligible::MissingEmployeeNumber))) => (RowState::Parked, Some(reason.as_str())),
            (_, Some(Err(reason))) => (RowState::Skipped, Some(reason.as_str())),
        };
        let flying = before.as_ref().is_some_and(|row| row.state == RowState::Flying);
        let stays_baseline = before.as_ref().is_none_or(|row| row.state == RowState::Baseline);
        let (state, reason) = match connection.activated {
            Some(_) if stays_baseline && self.came_before(&event, connection) => (RowState::Baseline, None),
            None if !broken::is(Broken::BaselineSent) => (RowState::Baseline, None),
            Some(_) if self.only_stores(&event, before.as_ref()) => (RowState::Baseline, None),
            // What flies lands first; its landing sees the newer version.
            Some(_) if flying => (RowState::Flying, None),
            _ => (fresh, reason),
        };
        let detail = (!event.faults.is_empty()).then(|| {
            let places: Vec<String> =
                event.faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect();
            places.join("; ")
        });
        let mut event_ids = before.as_ref().map(|row| row.event_ids.clone()).unwrap_or_default();
        remember(&mut event_ids, event.event_id.to_string());
        let eligible = matches!(verdict, Some(Ok(Sent::Whole)));
        let left = event.employee.as_ref().is_some_and(|record| record.employee_status == EmployeeStatus::Retired);
        let left_before = left && (state == RowState::Baseline || before.as_ref().is_some_and(|row| row.left_before));
        if let Some(old) = before.as_ref().and_then(|row| row.number.clone())
            && (Some(&old) != number.as_ref() || (before.as_ref().is_some_and(|row| row.eligible) && !eligible))
        {
            self.given_up.insert((key.connection.clone(), old));
        }
        let slim = SlimRow {
            key: key.clone(),
            number,
            version: event.version.0,
            position: at,
            content,
            event_ids,
            state,
            eligible,
            left_before,
        };
        self.rows.insert(key.clone(), slim.clone());
        let row = ConsumedRow {
            slim,
            account: connection.account.clone(),
            change: event.change,
            record: event.employee,
            op: None,
            reason: reason.map(str::to_owned),
            detail,
            received: Millis::from(event.received_at),
        };
        self.changed.insert(key, row);
    }
}

fn remember(ids: &mut Vec<String>, id: String) {
    if !ids.contains(&id) {
        ids.push(id);
    }
    if ids.len() > EVENT_IDS {
        ids.remove(0);
    }
}
