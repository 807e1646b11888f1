//! One row per employee: the latest record, and how far it has come on its way to カオナビ.

use std::collections::{BTreeMap, HashMap};

use renkei_events::codes::Code;
use renkei_events::event::Change;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::clock::Millis;
use sea_orm::Value;
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::connections::{Connection, ConnectionState};
use crate::db::{Engine, Row, Sql, Tx, list, pieces, tuples};
use crate::episodes;
use crate::error::{Result, StoreError};
use crate::settings::Timing;

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

/// What the consumer needs to know of a row to judge an event.
#[derive(Debug, Clone)]
pub struct SlimRow {
    /// Who.
    pub key: EmployeeKey,
    /// 社員番号 of the newest record.
    pub number: Option<String>,
    /// Version of the newest record.
    pub version: i64,
    /// Where the newest record stands on the log.
    pub position: (i64, i64),
    /// Keyed hash of its content.
    pub content: String,
    /// The last 16 event ids.
    pub event_ids: Vec<String>,
    /// How far it has come.
    pub state: RowState,
    /// Whether status, data entry and number allow it to be sent.
    pub eligible: bool,
    /// Whether the person was 退職 already when nothing of the person was to be sent, and is still.
    pub left_before: bool,
}

/// What the consumer writes.
#[derive(Clone)]
pub struct ConsumedRow {
    /// Identity, version and state after the event.
    pub slim: SlimRow,
    /// The account, if known.
    pub account: Option<String>,
    /// What the event said.
    pub change: Change,
    /// The record; `None` for deleted and invalid ones.
    pub record: Option<EmployeeRecord>,
    /// Create or update, as far as the codes tell now.
    pub op: Option<Op>,
    /// Why skipped or parked.
    pub reason: Option<String>,
    /// What may be personal about it.
    pub detail: Option<String>,
    /// When it came.
    pub received: Millis,
}

pub(crate) fn place(column: &str, key: &EmployeeKey) -> String {
    format!("employees.{column}|{}|{}", key.connection, key.employee)
}

fn key_of(row: &Row) -> Result<EmployeeKey> {
    Ok(EmployeeKey { connection: row.get("connection_id")?, employee: row.get("employee_id")? })
}

/// Reads and locks the rows of these people, in key order.
///
/// # Errors
/// When the store does not answer.
pub async fn lock_slim(tx: &Tx, keys: &[EmployeeKey]) -> Result<HashMap<EmployeeKey, SlimRow>> {
    let mut found = HashMap::with_capacity(keys.len());
    let mut by_connection: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for key in keys {
        by_connection.entry(&key.connection).or_default().push(&key.employee);
    }
    for (connection, mut employees) in by_connection {
        employees.sort_unstable();
        employees.dedup();
        for chunk in pieces(&employees, 500) {
            let mut values: Vec<Value> = vec![connection.into()];
            values.extend(chunk.iter().map(|id| (*id).into()));
            let query = slim_query(tx.engine(), chunk.len());
            for row in tx.rows(&query, values).await? {
                let key = key_of(&row)?;
                let slim = SlimRow {
                    number: row.get("number")?,
                    version: row.get("version")?,
                    position: (row.get("log_partition")?, row.get("log_offset")?),
                    content: row.get("content")?,
                    event_ids: serde_json::from_str(&row.get::<String>("event_ids")?)?,
                    state: RowState::parse(&row.get::<String>("state")?)?,
                    eligible: row.get::<i64>("eligible")? == 1,
                    left_before: row.get::<i64>("left_before")? == 1,
                    key: key.clone(),
                };
                found.insert(key, slim);
            }
        }
    }
    Ok(found)
}

/// Finds the rows of `count` people by their keys, in the order of `$2` and following.
fn slim_query(engine: Engine, count: usize) -> String {
    let columns = "connection_id, employee_id, number, version, log_partition, log_offset, content, event_ids, state, eligible, left_before";
    match engine {
        Engine::Sqlite => {
            let ids = list(count, 2);
            format!("SELECT {columns} FROM employees WHERE connection_id = $1 AND employee_id IN ({ids}) ORDER BY employee_id")
        }
        // One look at the primary key for each: as long as a fast growing table was not analysed, PostgreSQL would read all
        // rows of the connection for a list, and compare each with the whole list.
        Engine::Postgres => format!(
            "SELECT found.* FROM (VALUES {}) AS wanted (id), LATERAL
               (SELECT {columns} FROM employees WHERE connection_id = $1 AND employee_id = wanted.id FOR UPDATE) AS found",
            tuples(count, 1, 2)
        ),
    }
}

const CONSUMED: [&str; 25] = [
    "connection_id",
    "employee_id",
    "account_id",
    "number",
    "version",
    "log_partition",
    "log_offset",
    "content",
    "event_ids",
    "change",
    "record",
    "eligible",
    "state",
    "op",
    "reason",
    "detail",
    "due_ms",
    "received_ms",
    "changed_ms",
    "attempts",
    "lone_attempts",
    "confirmed",
    "surge_op",
    "surge_ms",
    "left_before",
];

/// Writes rows as the consumer left them. An older version never replaces a newer one, whatever happened in between.
///
/// # Errors
/// When the store does not answer.
pub async fn put_consumed(store: &Store, tx: &Tx, rows: &[ConsumedRow], now: Millis) -> Result<()> {
    // Of somebody in flight it stays known that the change under way counted.
    let updates: Vec<String> = CONSUMED[2..]
        .iter()
        .map(|column| match *column {
            "surge_op" | "surge_ms" => format!("{column} = COALESCE(excluded.{column}, employees.{column})"),
            // Whoever waits keeps the place in the queue, however often the record changes meanwhile.
            "due_ms" => {
                "due_ms = CASE WHEN employees.state = 'due' THEN employees.due_ms ELSE excluded.due_ms END".to_owned()
            }
            column => format!("{column} = excluded.{column}"),
        })
        .collect();
    for chunk in pieces(rows, tx.rows_at_once(CONSUMED.len())) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * CONSUMED.len());
        for row in chunk {
            let slim = &row.slim;
            let record = row.record.as_ref().map(|record| store.keys.seal_json(&place("record", &slim.key), record));
            let detail = row.detail.as_ref().map(|text| store.keys.seal(&place("detail", &slim.key), text.as_bytes()));
            values.extend([
                slim.key.connection.clone().into(),
                slim.key.employee.clone().into(),
                row.account.clone().into(),
                slim.number.clone().into(),
                slim.version.into(),
                slim.position.0.into(),
                slim.position.1.into(),
                slim.content.clone().into(),
                serde_json::to_string(&slim.event_ids)?.into(),
                serde_json::to_string(&row.change)?.into(),
                record.transpose()?.into(),
                i64::from(slim.eligible).into(),
                slim.state.as_str().into(),
                row.op.map(Op::as_str).map(str::to_owned).into(),
                row.reason.clone().into(),
                detail.into(),
                (slim.state == RowState::Due).then_some(now.0).into(),
                row.received.0.into(),
                now.0.into(),
                0_i64.into(),
                0_i64.into(),
                0_i64.into(),
                row.op.filter(|_| slim.state == RowState::Due).map(|op| op.as_str().to_owned()).into(),
                (slim.state == RowState::Due).then_some(now.0).into(),
                i64::from(slim.left_before).into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO employees ({}) VALUES {} ON CONFLICT (connection_id, employee_id) DO UPDATE SET {}, next_try_ms = 0
             WHERE employees.version <= excluded.version",
            CONSUMED.join(", "),
            tuples(chunk.len(), CONSUMED.len(), 1),
            updates.join(", ")
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Notes events that changed nothing but are known now: version and event ids.
///
/// # Errors
/// When the store does not answer.
pub async fn put_known(tx: &Tx, rows: &[SlimRow]) -> Result<()> {
    for chunk in pieces(rows, tx.rows_at_once(6)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 6);
        for row in chunk {
            values.extend([
                row.key.connection.clone().into(),
                row.key.employee.clone().into(),
                row.version.into(),
                row.position.0.into(),
                row.position.1.into(),
                serde_json::to_string(&row.event_ids)?.into(),
            ]);
        }
        let sql = format!(
            "WITH known (c, e, v, p, o, ids) AS (VALUES {})
             UPDATE employees SET version = known.v, log_partition = known.p, log_offset = known.o, event_ids = known.ids
             FROM known WHERE connection_id = known.c AND employee_id = known.e AND version <= known.v",
            tuples(chunk.len(), 6, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// People that were parked because they shared a number which one of them gave up: due again.
///
/// # Errors
/// When the store does not answer.
pub async fn unpark_sharers(tx: &Tx, connection: &str, number: &str, now: Millis) -> Result<u64> {
    let sql = "UPDATE employees SET state = 'due', reason = NULL, due_ms = $1, next_try_ms = 0, changed_ms = $1
        WHERE connection_id = $2 AND number = $3 AND state = 'parked' AND reason = 'member.number_shared'";
    tx.exec(sql, vec![now.0.into(), connection.into(), number.into()]).await
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

pub(crate) const FULL: &str =
    "connection_id, employee_id, number, version, content, change, record, state, op, reason, detail, due_ms,
    next_try_ms, attempts, lone_attempts, failing_since_ms, batch_id, flying_version, written, written_number, released_number, confirmed, declined, declined_ms,
    left_before, warning, warned_ms, received_ms, changed_ms";

pub(crate) fn full(store: &Store, row: &Row) -> Result<FullRow> {
    read_full(row, |place, sealed| store.keys.open(place, sealed).map(Some))
}

/// A row for a list: what does not open is left out and named in the log, so that one row never hides the others.
pub(crate) fn full_as_far_as_it_opens(store: &Store, row: &Row) -> Result<FullRow> {
    read_full(row, |place, sealed| Ok(store.keys.open_if_it_does(place, sealed)))
}

fn read_full(row: &Row, open: impl Fn(&str, &[u8]) -> Result<Option<Vec<u8>>>) -> Result<FullRow> {
    let key = key_of(row)?;
    let open = |column: &str| -> Result<Option<Vec<u8>>> {
        let sealed: Option<Vec<u8>> = row.get(column)?;
        sealed.map_or(Ok(None), |sealed| open(&place(column, &key), &sealed))
    };
    let record = open("record")?.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
    let written = open("written")?.map(|bytes| serde_json::from_slice(&bytes)).transpose()?;
    let detail = open("detail")?.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    Ok(FullRow {
        number: row.get("number")?,
        version: row.get("version")?,
        content: row.get("content")?,
        change: serde_json::from_str(&row.get::<String>("change")?)?,
        record,
        state: RowState::parse(&row.get::<String>("state")?)?,
        op: row.get::<Option<String>>("op")?.map(|text| Op::parse(&text)),
        reason: row.get("reason")?,
        detail,
        due: row.get::<Option<i64>>("due_ms")?.map(Millis),
        next_try: Millis(row.get("next_try_ms")?),
        attempts: row.get("attempts")?,
        lone_attempts: row.get("lone_attempts")?,
        failing_since: row.get::<Option<i64>>("failing_since_ms")?.map(Millis),
        batch: row.get("batch_id")?,
        flying_version: row.get("flying_version")?,
        written,
        written_number: row.get("written_number")?,
        released_number: row.get("released_number")?,
        confirmed: row.get::<i64>("confirmed")? == 1,
        mass: match (row.get::<Option<String>>("declined")?, row.get::<Option<i64>>("declined_ms")?) {
            (None, _) => Mass::None,
            (Some(_), None) => Mass::Undecided,
            (Some(values), Some(_)) => Mass::Declined(values),
        },
        left_before: row.get::<i64>("left_before")? == 1,
        warning: row.get("warning")?,
        warned: row.get::<Option<i64>>("warned_ms")?.map(Millis),
        received: Millis(row.get("received_ms")?),
        changed: Millis(row.get("changed_ms")?),
        key,
    })
}

/// Rows in full that meet a condition over the table's columns.
pub(crate) async fn full_where(
    store: &Store,
    sql: &impl Sql,
    filter: &str,
    values: Vec<Value>,
) -> Result<Vec<FullRow>> {
    let rows = sql.rows(&format!("SELECT {FULL} FROM employees WHERE {filter}"), values).await?;
    rows.iter().map(|row| full(store, row)).collect()
}

/// Whose changes may go out now.
#[derive(Debug, Clone, Default)]
pub struct Going {
    /// Connections whose changes go as soon as they can.
    pub at_once: Vec<String>,
    /// Connections whose changes wait for a quarter hour.
    pub quarterly: Vec<String>,
    /// Of those only what was due before this quarter hour began.
    pub quarter: Millis,
}

impl Going {
    /// All of these connections at once.
    #[must_use]
    pub fn at_once(connections: Vec<String>) -> Self {
        Self { at_once: connections, quarterly: Vec::new(), quarter: Millis(0) }
    }

    /// Whose changes go at `now`, of these connections: those that are on, and of one that keeps to quarter hours what was
    /// due before this one. Hires go at once.
    #[must_use]
    pub fn of<'a>(connections: impl IntoIterator<Item = &'a Connection>, op: Op, now: Millis) -> Self {
        let quarter = QUARTER.as_millis() as i64;
        let mut going = Self { quarter: Millis(now.0.div_euclid(quarter) * quarter), ..Self::default() };
        let on = |connection: &&Connection| connection.state == ConnectionState::Active;
        for connection in connections.into_iter().filter(on) {
            match (connection.settings.timing, op) {
                (Timing::QuarterHour, Op::Update) => going.quarterly.push(connection.id.clone()),
                _ => going.at_once.push(connection.id.clone()),
            }
        }
        going
    }

    /// Whether there is no connection at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.at_once.is_empty() && self.quarterly.is_empty()
    }

    /// The condition, with its values appended to `values`.
    fn condition(&self, values: &mut Vec<Value>) -> String {
        let mut any = Vec::new();
        if !self.at_once.is_empty() {
            any.push(format!("connection_id IN ({})", list(self.at_once.len(), values.len() + 1)));
            values.extend(self.at_once.iter().map(|id| id.clone().into()));
        }
        if !self.quarterly.is_empty() {
            let ids = list(self.quarterly.len(), values.len() + 2);
            any.push(format!("(due_ms < ${} AND connection_id IN ({ids}))", values.len() + 1));
            values.push(self.quarter.0.into());
            values.extend(self.quarterly.iter().map(|id| id.clone().into()));
        }
        format!("({})", any.join(" OR "))
    }
}

/// The people whose change may go out now, longest due first.
///
/// # Errors
/// When the store does not answer, or a record does not open.
pub async fn due(
    store: &Store,
    tx: &Tx,
    account: &str,
    going: &Going,
    op: Op,
    now: Millis,
    most: usize,
) -> Result<Vec<FullRow>> {
    if going.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> =
        vec![account.into(), op.as_str().into(), now.0.into(), i64::try_from(most).unwrap_or(i64::MAX).into()];
    let condition = going.condition(&mut values);
    let query = format!(
        "SELECT {FULL} FROM employees WHERE account_id = $1 AND state = 'due' AND op = $2 AND next_try_ms <= $3
         AND {condition} ORDER BY due_ms, employee_id LIMIT $4{}",
        tx.for_update()
    );
    let rows = tx.rows(&query, values).await?;
    rows.iter().map(|row| full(store, row)).collect()
}

/// A quarter of an hour.
pub const QUARTER: std::time::Duration = std::time::Duration::from_secs(900);

/// [`due_summary`] counts no further than this: whoever asks wants to know "none", "some" or "more than one call holds".
const COUNTED: i64 = 201;

/// How many may go out now (201 stands for more), and when the next one may. Costs the same however many wait.
///
/// # Errors
/// When the store does not answer.
pub async fn due_summary(
    sql: &impl Sql,
    account: &str,
    going: &Going,
    op: Op,
    now: Millis,
) -> Result<(i64, Option<Millis>)> {
    if going.is_empty() {
        return Ok((0, None));
    }
    let mut values: Vec<Value> = vec![account.into(), op.as_str().into(), now.0.into(), COUNTED.into()];
    let condition = going.condition(&mut values);
    let those = format!("FROM employees WHERE account_id = $1 AND state = 'due' AND op = $2 AND {condition}");
    let query = format!(
        "SELECT (SELECT COUNT(*) FROM (SELECT 1 AS one {those} AND next_try_ms <= $3 LIMIT $4) AS few) AS ready,
           (SELECT next_try_ms {those} AND next_try_ms > $3 ORDER BY next_try_ms LIMIT 1) AS later"
    );
    let Some(row) = sql.row(&query, values).await? else { return Ok((0, None)) };
    let later = row.get::<Option<i64>>("later")?.map(Millis);
    let quarter = next_quarter(sql, account, going, op).await?;
    Ok((row.get("ready")?, later.into_iter().chain(quarter).min()))
}

/// The next quarter hour, if anybody waits for it.
async fn next_quarter(sql: &impl Sql, account: &str, going: &Going, op: Op) -> Result<Option<Millis>> {
    if going.quarterly.is_empty() {
        return Ok(None);
    }
    let mut values: Vec<Value> = vec![account.into(), op.as_str().into(), going.quarter.0.into()];
    values.extend(going.quarterly.iter().map(|id| id.clone().into()));
    let query = format!(
        "SELECT 1 AS one FROM employees WHERE account_id = $1 AND state = 'due' AND op = $2 AND due_ms >= $3
         AND connection_id IN ({}) LIMIT 1",
        list(going.quarterly.len(), 4)
    );
    Ok(sql.row(&query, values).await?.map(|_| going.quarter + QUARTER))
}

/// These people in full, locked.
///
/// # Errors
/// When the store does not answer, or a record does not open.
pub async fn lock_full(store: &Store, tx: &Tx, keys: &[EmployeeKey]) -> Result<Vec<FullRow>> {
    let mut found = Vec::with_capacity(keys.len());
    let mut sorted: Vec<&EmployeeKey> = keys.iter().collect();
    sorted.sort();
    for chunk in sorted.chunks(300) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 2);
        for key in chunk {
            values.push(key.connection.clone().into());
            values.push(key.employee.clone().into());
        }
        // A list of pairs in brackets is understood by both engines when it is a VALUES table.
        let query = format!(
            "SELECT {FULL} FROM employees WHERE (connection_id, employee_id) IN (VALUES {})
             ORDER BY connection_id, employee_id{}",
            tuples(chunk.len(), 2, 1),
            tx.for_update()
        );
        for row in tx.rows(&query, values).await? {
            found.push(full(store, &row)?);
        }
    }
    Ok(found)
}

/// Rows in one of `states`, oldest change first.
///
/// # Errors
/// When the store does not answer.
pub async fn in_states(store: &Store, connection: &str, states: &[RowState], most: usize) -> Result<Vec<FullRow>> {
    let mut values: Vec<Value> = vec![connection.into(), i64::try_from(most).unwrap_or(i64::MAX).into()];
    values.extend(states.iter().map(|state| state.as_str().into()));
    let query = format!(
        "SELECT {FULL} FROM employees WHERE connection_id = $1 AND state IN ({}) ORDER BY changed_ms, employee_id LIMIT $2",
        list(states.len(), 3)
    );
    let rows = store.db.rows(&query, values).await?;
    rows.iter().map(|row| full(store, row)).collect()
}

/// The people of a connection with this 社員番号.
///
/// # Errors
/// When the store does not answer.
pub async fn with_number(store: &Store, sql: &impl Sql, connection: &str, number: &str) -> Result<Vec<FullRow>> {
    let query = format!("SELECT {FULL} FROM employees WHERE connection_id = $1 AND number = $2 ORDER BY employee_id");
    let rows = sql.rows(&query, vec![connection.into(), number.into()]).await?;
    rows.iter().map(|row| full(store, row)).collect()
}

/// The numbers among `wanted` that more than one eligible person of the connection has.
///
/// # Errors
/// When the store does not answer.
pub async fn shared_numbers(sql: &impl Sql, connection: &str, wanted: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for chunk in wanted.chunks(500) {
        let mut values: Vec<Value> = vec![connection.into()];
        values.extend(chunk.iter().map(|number| number.clone().into()));
        let query = format!(
            "SELECT number FROM employees WHERE connection_id = $1 AND eligible = 1 AND number IN ({})
             GROUP BY number HAVING COUNT(*) > 1",
            list(chunk.len(), 2)
        );
        for row in sql.rows(&query, values).await? {
            found.push(row.get("number")?);
        }
    }
    Ok(found)
}

/// Parks whoever else of the connection is eligible with this number and waits for nothing: of two people with one number
/// neither may be taken for the one who is meant. Answers who.
///
/// # Errors
/// When the store does not answer.
pub async fn park_sharers(tx: &Tx, connection: &str, number: &str, now: Millis) -> Result<Vec<EmployeeKey>> {
    // Who never changed since the activation is a baseline, and is not sent as long as the number is shared anyway.
    let sql = "UPDATE employees SET state = 'parked', reason = 'member.number_shared', detail = NULL, changed_ms = $1
        WHERE connection_id = $2 AND number = $3 AND eligible = 1
          AND (state = 'synced' OR (state = 'skipped' AND reason = 'filtered')) RETURNING connection_id, employee_id";
    let rows = tx.rows(sql, vec![now.0.into(), connection.into(), number.into()]).await?;
    rows.iter().map(key_of).collect()
}

/// Writes down what somebody should look at about a person who goes on being sent, or that it is over (`None`).
///
/// # Errors
/// When the store does not answer.
pub async fn warn(tx: &Tx, key: &EmployeeKey, warning: Option<&str>, now: Millis) -> Result<()> {
    let sql = "UPDATE employees SET warning = $1, warned_ms = CASE WHEN $1 IS NULL THEN NULL ELSE $2 END
        WHERE connection_id = $3 AND employee_id = $4";
    let values = vec![
        warning.map(str::to_owned).into(),
        now.0.into(),
        key.connection.clone().into(),
        key.employee.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// How many rows of each state a connection has, with the reason.
///
/// # Errors
/// When the store does not answer.
pub async fn counts(sql: &impl Sql, connection: &str) -> Result<Vec<(RowState, Option<String>, i64)>> {
    let query = "SELECT state, reason, COUNT(*) AS rows FROM employees WHERE connection_id = $1
        GROUP BY state, reason ORDER BY state, reason";
    let rows = sql.rows(query, vec![connection.into()]).await?;
    rows.iter()
        .map(|row| Ok((RowState::parse(&row.get::<String>("state")?)?, row.get("reason")?, row.get("rows")?)))
        .collect()
}

/// Moves a person to a state in which no batch holds it.
///
/// # Errors
/// When the store does not answer.
pub async fn settle(
    store: &Store,
    tx: &Tx,
    key: &EmployeeKey,
    state: RowState,
    reason: Option<&str>,
    detail: Option<&str>,
    now: Millis,
) -> Result<()> {
    let sealed = detail.map(|text| store.keys.seal(&place("detail", key), text.as_bytes()));
    let sql = "UPDATE employees SET state = $1, reason = $2, detail = $3, batch_id = NULL, flying_version = NULL,
          changed_ms = $4, settled_version = CASE WHEN $1 = 'synced' THEN version ELSE settled_version END,
          attempts = CASE WHEN $1 = 'synced' THEN 0 ELSE attempts END,
          lone_attempts = CASE WHEN $1 = 'synced' THEN 0 ELSE lone_attempts END,
          -- Who is left out or needs no call was no part of a mass change; what was said about one is over when nothing differs.
          surge_ms = CASE WHEN $1 IN ('synced', 'skipped') THEN NULL ELSE surge_ms END,
          confirmed = CASE WHEN $1 = 'synced' THEN 0 ELSE confirmed END,
          declined = CASE WHEN $1 = 'synced' THEN NULL ELSE declined END,
          declined_ms = CASE WHEN $1 = 'synced' THEN NULL ELSE declined_ms END
        WHERE connection_id = $5 AND employee_id = $6";
    let values = vec![
        state.as_str().into(),
        reason.map(str::to_owned).into(),
        sealed.into(),
        now.0.into(),
        key.connection.clone().into(),
        key.employee.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Makes people due again, not before `next_try`, with `failed` more failed attempts.
///
/// # Errors
/// When the store does not answer.
pub async fn make_due(tx: &Tx, key: &EmployeeKey, op: Op, next_try: Millis, failed: i64, now: Millis) -> Result<()> {
    let sql = "UPDATE employees SET state = 'due', op = $1, reason = NULL,
          -- Of a record that breaks the contract it says where.
          detail = CASE WHEN record IS NULL THEN detail END, batch_id = NULL,
          flying_version = NULL, next_try_ms = $2, attempts = attempts + $3, due_ms = COALESCE(due_ms, $4), changed_ms = $4,
          surge_op = CASE WHEN surge_ms IS NULL THEN surge_op ELSE $1 END
        WHERE connection_id = $5 AND employee_id = $6";
    let values = vec![
        op.as_str().into(),
        next_try.0.into(),
        failed.into(),
        now.0.into(),
        key.connection.clone().into(),
        key.employee.clone().into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Counts a failed attempt of one call for its people, who stay where they are.
///
/// # Errors
/// When the store does not answer.
pub async fn count_failure(tx: &Tx, keys: &[EmployeeKey], now: Millis) -> Result<()> {
    let lone = i64::from(keys.len() == 1);
    for chunk in keys.chunks(300) {
        let mut values: Vec<Value> = vec![lone.into(), now.0.into()];
        values.extend(chunk.iter().flat_map(|key| [key.connection.clone().into(), key.employee.clone().into()]));
        let sql = format!(
            "UPDATE employees SET attempts = attempts + 1, lone_attempts = lone_attempts + $1,
               failing_since_ms = CASE WHEN attempts = 0 THEN $2 ELSE failing_since_ms END
             WHERE (connection_id, employee_id) IN (VALUES {})",
            tuples(chunk.len(), 2, 3)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Puts people into a batch.
///
/// # Errors
/// When the store does not answer.
pub async fn fly(tx: &Tx, keys: &[EmployeeKey], batch: i64, now: Millis) -> Result<()> {
    for chunk in keys.chunks(300) {
        let mut values: Vec<Value> = vec![batch.into(), now.0.into()];
        for key in chunk {
            values.push(key.connection.clone().into());
            values.push(key.employee.clone().into());
        }
        let sql = format!(
            "UPDATE employees SET state = 'flying', batch_id = $1, flying_version = version, reason = NULL, detail = NULL,
               changed_ms = $2 WHERE (connection_id, employee_id) IN (VALUES {})",
            tuples(chunk.len(), 2, 3)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// How one person of an accepted batch lands.
#[derive(Clone)]
pub struct Landing {
    /// Who.
    pub key: EmployeeKey,
    /// What カオナビ now holds because we wrote it, all fields that we ever wrote.
    pub written: Values,
    /// Under which number.
    pub number: String,
    /// Whether another content came while it flew.
    pub due_again: bool,
}

/// Ends the flight of people whose batch カオナビ took.
///
/// # Errors
/// When the store does not answer.
pub async fn land(store: &Store, tx: &Tx, landings: &[Landing], now: Millis) -> Result<()> {
    for chunk in landings.chunks(tx.rows_at_once(5)) {
        let mut values: Vec<Value> = vec![now.0.into()];
        for one in chunk {
            values.push(one.key.connection.clone().into());
            values.push(one.key.employee.clone().into());
            values.push(store.keys.seal_json(&place("written", &one.key), &one.written)?.into());
            values.push(one.number.clone().into());
            values.push(if one.due_again { "due" } else { "synced" }.into());
        }
        let sql = format!(
            "WITH landed (c, e, w, n, s) AS (VALUES {})
             UPDATE employees SET written = landed.w, written_number = landed.n, state = landed.s, op = 'update',
               released_number = NULL, confirmed = 0, declined = NULL, declined_ms = NULL,
               reason = NULL, detail = CASE WHEN record IS NULL THEN detail END, batch_id = NULL, flying_version = NULL, attempts = 0, lone_attempts = 0, next_try_ms = 0,
               due_ms = CASE WHEN landed.s = 'due' THEN $1 ELSE due_ms END, changed_ms = $1,
               surge_op = CASE WHEN landed.s = 'due' THEN 'update' ELSE surge_op END,
               surge_ms = CASE WHEN landed.s = 'due' THEN $1 ELSE surge_ms END,
               settled_version = CASE WHEN landed.s = 'synced' THEN version ELSE flying_version END
             FROM landed WHERE connection_id = landed.c AND employee_id = landed.e",
            tuples(chunk.len(), 5, 2)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// カオナビ was seen to hold these values of a person before we ever wrote any of it: later changes are told from them, too.
///
/// # Errors
/// When the store does not answer.
pub async fn put_held_already(store: &Store, tx: &Tx, key: &EmployeeKey, values: &Values) -> Result<()> {
    let sealed = store.keys.seal_json(&place("written", key), values)?;
    let sql = "UPDATE employees SET written = $1 WHERE connection_id = $2 AND employee_id = $3 AND written IS NULL";
    tx.exec(sql, vec![sealed.into(), key.connection.clone().into(), key.employee.clone().into()]).await?;
    Ok(())
}

/// Nobody knows any more what カオナビ holds in these fields of a person: the next change sends them again.
///
/// # Errors
/// When the store does not answer.
pub async fn forget_fields(store: &Store, tx: &Tx, row: &FullRow, fields: &[String]) -> Result<()> {
    let mut written = row.written.clone().unwrap_or_default();
    written.extend(fields.iter().map(|field| (field.clone(), FORGOTTEN.to_owned())));
    let sealed = store.keys.seal_json(&place("written", &row.key), &written)?;
    let sql = "UPDATE employees SET written = $1 WHERE connection_id = $2 AND employee_id = $3";
    tx.exec(sql, vec![sealed.into(), row.key.connection.clone().into(), row.key.employee.clone().into()]).await?;
    Ok(())
}

/// Keeps what is known about a person in flight, for the case that it is parked.
///
/// # Errors
/// When the store does not answer.
pub async fn note(store: &Store, tx: &Tx, key: &EmployeeKey, reason: &str, detail: &str) -> Result<()> {
    let sealed = store.keys.seal(&place("detail", key), detail.as_bytes());
    let sql = "UPDATE employees SET reason = $1, detail = $2 WHERE connection_id = $3 AND employee_id = $4";
    tx.exec(sql, vec![reason.into(), sealed.into(), key.connection.clone().into(), key.employee.clone().into()])
        .await?;
    Ok(())
}

/// Sets create or update of all due people of an account anew, after the codes were read; those who waited for the read
/// wait no more.
///
/// # Errors
/// When the store does not answer.
pub async fn refresh_ops(tx: &Tx, account: &str, now: Millis) -> Result<()> {
    let sql = "UPDATE employees SET op = CASE WHEN EXISTS
          (SELECT 1 FROM codes WHERE codes.account_id = $1 AND codes.code = employees.number AND codes.present = 1)
          THEN 'update' ELSE 'create' END, surge_op = CASE WHEN EXISTS
          (SELECT 1 FROM codes WHERE codes.account_id = $1 AND codes.code = employees.number AND codes.present = 1)
          THEN 'update' ELSE 'create' END, next_try_ms = CASE WHEN attempts = 0 AND next_try_ms <= $2 THEN 0 ELSE next_try_ms END
        WHERE account_id = $1 AND state = 'due'";
    // What waits longer than a read takes waits for something else: for the morning, say.
    tx.exec(sql, vec![account.into(), (now + READ_TAKES).0.into()]).await?;
    Ok(())
}

/// People who need a read of the members first wait no longer than this for it.
pub const READ_TAKES: std::time::Duration = std::time::Duration::from_secs(60);

/// When many people who were released may go out: not from 01:00 to 05:00 in Asia/Tokyo, when カオナビ backs up and its nightly
/// batch runs.
#[must_use]
pub fn after_backup(now: Millis) -> Millis {
    const HOUR: i64 = 3_600_000;
    let of_day = (now.0 + 9 * HOUR).rem_euclid(24 * HOUR);
    if (HOUR..5 * HOUR).contains(&of_day) { Millis(now.0 + 5 * HOUR - of_day) } else { now }
}

/// Skipped and parked people are judged again with the settings of now: after a change of settings. What a person declined
/// or dismissed stays so.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_again(tx: &Tx, connection: &str, now: Millis) -> Result<u64> {
    let those = "(state = 'skipped' AND reason NOT IN ('delivery.declined', 'dismissed')
        OR state = 'parked' AND (reason LIKE 'mapping.%' OR reason LIKE 'kaonavi.departments%'))";
    // Whoever saved settings, or switched on, did something about these: the next failure is told anew.
    let query =
        format!("SELECT DISTINCT reason FROM employees WHERE connection_id = $1 AND state = 'parked' AND {those}");
    for row in tx.rows(&query, vec![connection.into()]).await? {
        let reason: Option<String> = row.get("reason")?;
        if let Some(code) = reason.as_deref().and_then(Code::parse) {
            episodes::acted_on(tx, connection, code, now).await?;
        }
    }
    // Those whom settings held back may now be many; the others are only looked at.
    again(tx, connection, those, "reason = 'filtered' OR state = 'parked'", now).await
}

/// Those whom the target filter left out are judged again: another day has begun.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_filtered_again(tx: &Tx, connection: &str, now: Millis) -> Result<u64> {
    again(tx, connection, "state = 'skipped' AND reason = 'filtered'", "1 = 0", now).await
}

/// People who were parked because of the mapping are judged again: what カオナビ has changed.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_unmappable_again(tx: &Tx, connection: &str, now: Millis) -> Result<u64> {
    again(tx, connection, "state = 'parked' AND reason LIKE 'mapping.%'", "1 = 1", now).await
}

/// People who were settled since `since` are judged again: what they went without may be sent now.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_settled_again(tx: &Tx, connection: &str, since: Millis, now: Millis) -> Result<u64> {
    let those = format!("state = 'synced' AND changed_ms >= {}", since.0);
    again(tx, connection, &those, "1 = 1", now).await
}

/// Makes `those` due; `counted` are those among them who count as coming together.
async fn again(tx: &Tx, connection: &str, those: &str, counted: &str, now: Millis) -> Result<u64> {
    // Whether a code is known may have changed since the row was written.
    let op = "CASE WHEN EXISTS (SELECT 1 FROM codes WHERE codes.account_id = employees.account_id
        AND codes.code = employees.number AND codes.present = 1) THEN 'update' ELSE 'create' END";
    let sql = format!(
        "UPDATE employees SET state = 'due', reason = NULL, detail = NULL, next_try_ms = 0, attempts = 0, lone_attempts = 0, changed_ms = $1,
           due_ms = COALESCE(due_ms, $1), op = {op}, surge_op = {op},
           surge_ms = CASE WHEN confirmed = 0 AND ({counted}) THEN $1 ELSE NULL END
         WHERE connection_id = $2 AND {those} AND record IS NOT NULL"
    );
    tx.exec(&sql, vec![now.0.into(), connection.into()]).await
}
