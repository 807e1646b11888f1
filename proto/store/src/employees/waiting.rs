//! Who may go out now, and who waits until when.

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use super::reading::{FULL, full};
use super::{FullRow, Op};
use crate::Store;
use crate::connections::{Connection, ConnectionState};
use crate::db::{Sql, Tx, list};
use crate::error::Result;
use crate::settings::Timing;

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
