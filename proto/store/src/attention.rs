//! 要対応: rows that need a person, and what a person says about them.

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::activity::{self, Entry};
use crate::db::{Sql, Tx, list};
use crate::employees::FullRow;
use crate::episodes::{self, Trouble};
use crate::error::Result;
use crate::owned::OwnConnection;
use crate::people::{self, People};
use crate::{Store, accounts};

/// The reason of what was dismissed.
pub const DISMISSED: &str = "dismissed";
/// How many people one call of [`retry`] or [`dismiss`] touches at most.
pub const AT_ONCE: usize = 500;

/// Whom a person means.
#[derive(Debug, Clone, Copy)]
pub enum Whom<'a> {
    /// Everybody who is stopped for this code; `None`: for any.
    Code(Option<&'a str>),
    /// These, by 従業員ID; at most [`AT_ONCE`].
    Employees(&'a [String]),
}

/// Parked and held people, and those with a warning, of these connections after `after` (connection and employee).
///
/// # Errors
/// When the store does not answer, or a row does not open.
pub async fn page(
    store: &Store,
    own: &[OwnConnection],
    code: Option<&str>,
    after: (&str, &str),
    most: u32,
) -> Result<Vec<FullRow>> {
    let wanted = People { states: &["parked", "held"], reason: code, warned: true, ..People::default() };
    people::page(store, own, wanted, after, most).await
}

/// What is done to people who are stopped.
struct Change {
    /// Who of them; a condition of SQL.
    among: &'static str,
    /// What is written; `$1` is the time.
    set: &'static str,
    /// What the activity calls it.
    kind: &'static str,
    /// The code of the activity.
    code: Option<&'static str>,
}

/// A record that can not be read is the same tomorrow; only a new one mends it.
const RETRY: Change = Change {
    among: "state = 'parked' AND record IS NOT NULL",
    set: "state = 'due', op = COALESCE(op, 'create'), reason = NULL, detail = NULL, attempts = 0, lone_attempts = 0,
        next_try_ms = 0, due_ms = COALESCE(due_ms, $1), changed_ms = $1",
    kind: "retried",
    code: None,
};

/// A mass change can be released for 90 days, which only its own decision keeps.
const DISMISS: Change = Change {
    among: "(state = 'parked' OR (state = 'held' AND reason NOT IN
        ('delivery.brake', 'delivery.ceiling', 'delivery.declined')))",
    set: "state = 'skipped', reason = 'dismissed', detail = NULL, changed_ms = $1",
    kind: DISMISSED,
    code: Some(DISMISSED),
};

/// Parked people are judged again, with today's data and settings. How many.
///
/// # Errors
/// When the store does not answer.
pub async fn retry(store: &Store, tx: &Tx, own: &OwnConnection, whom: Whom<'_>, now: Millis) -> Result<u64> {
    change(store, tx, own, whom, now, &RETRY).await
}

/// Parked and held people are left as they are until their record changes. Whoever is held for a mass change is declined
/// instead, by a decision. How many.
///
/// # Errors
/// When the store does not answer.
pub async fn dismiss(store: &Store, tx: &Tx, own: &OwnConnection, whom: Whom<'_>, now: Millis) -> Result<u64> {
    let stopped = change(store, tx, own, whom, now, &DISMISS).await?;
    Ok(stopped + dismiss_warnings(store, tx, own, whom, now).await?)
}

/// Takes warnings back; the next change of these people does not bring them again. How many.
async fn dismiss_warnings(store: &Store, tx: &Tx, own: &OwnConnection, whom: Whom<'_>, now: Millis) -> Result<u64> {
    let mut values: Vec<Value> = vec![own.id.clone().into()];
    let those = match whom {
        Whom::Code(None) => String::new(),
        Whom::Code(Some(code)) => {
            values.push(code.into());
            " AND warning = $2".to_owned()
        }
        Whom::Employees([]) => return Ok(0),
        Whom::Employees(ids) => {
            values.extend(ids.iter().take(AT_ONCE).map(|id| id.clone().into()));
            format!(" AND employee_id IN ({})", list(ids.len().min(AT_ONCE), 2))
        }
    };
    let sql = format!(
        "UPDATE employees SET warning = NULL WHERE connection_id = $1 AND warning IS NOT NULL{those} RETURNING employee_id"
    );
    let rows = tx.rows(&sql, values).await?;
    let entries = rows.iter().map(|row| {
        Ok(Entry {
            at: now,
            connection: own.id.clone(),
            employee: Some(row.get("employee_id")?),
            kind: DISMISSED.to_owned(),
            code: Some(DISMISSED.to_owned()),
            detail: None,
        })
    });
    let entries: Vec<Entry> = entries.collect::<Result<_>>()?;
    activity::add(store, tx, &entries).await?;
    Ok(entries.len() as u64)
}

async fn change(
    store: &Store,
    tx: &Tx,
    own: &OwnConnection,
    whom: Whom<'_>,
    now: Millis,
    change: &Change,
) -> Result<u64> {
    // The account's row first, as everybody does.
    if let Some(account) = &own.account {
        accounts::wake(tx, account, now).await?;
    }
    let mut values: Vec<Value> = vec![now.0.into(), own.id.clone().into()];
    let those = match whom {
        Whom::Code(None) => String::new(),
        Whom::Code(Some(code)) => {
            values.push(code.into());
            " AND reason = $3".to_owned()
        }
        Whom::Employees([]) => return Ok(0),
        Whom::Employees(ids) => {
            values.extend(ids.iter().take(AT_ONCE).map(|id| id.clone().into()));
            format!(" AND employee_id IN ({})", list(ids.len().min(AT_ONCE), 3))
        }
    };
    // Whoever acts on some of a trouble has heard of it: the next failure is told anew.
    let Change { among, set, kind, code } = change;
    let query =
        format!("SELECT DISTINCT reason FROM employees WHERE $1 = $1 AND connection_id = $2 AND {among}{those}");
    for row in tx.rows(&query, values.clone()).await? {
        if let Some(code) = row.get::<Option<String>>("reason")?.as_deref().and_then(Code::parse) {
            episodes::acted(tx, &Trouble::of(code, own), now).await?;
        }
    }
    let sql = format!("UPDATE employees SET {set} WHERE connection_id = $2 AND {among}{those} RETURNING employee_id");
    let rows = tx.rows(&sql, values).await?;
    let mut entries = Vec::with_capacity(rows.len());
    for row in &rows {
        entries.push(Entry {
            at: now,
            connection: own.id.clone(),
            employee: Some(row.get("employee_id")?),
            kind: (*kind).to_owned(),
            code: code.map(str::to_owned),
            detail: None,
        });
    }
    activity::add(store, tx, &entries).await?;
    Ok(entries.len() as u64)
}
