//! What needs a person now, read from what is true now and not from what happened.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::batches::Member;
use crate::db::{Sql, list, pieces};
use crate::employees::{EmployeeKey, FullRow};
use crate::error::Result;

/// Somebody who is parked or held, or whom somebody should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub key: EmployeeKey,
    /// The code.
    pub reason: String,
    /// Since when.
    pub since: Millis,
}

/// A page of these people, in the order of their keys, after `after`.
///
/// # Errors
/// When the store does not answer.
pub async fn people(sql: &impl Sql, after: Option<&EmployeeKey>, most: u32) -> Result<Vec<Person>> {
    let (connection, employee) = after.map_or(("", ""), |key| (key.connection.as_str(), key.employee.as_str()));
    // Each half has an index of its own.
    let query = "SELECT connection_id, employee_id, reason, changed_ms FROM (
          SELECT connection_id, employee_id, reason, changed_ms FROM employees
          WHERE state IN ('parked', 'held') AND reason IS NOT NULL AND (connection_id, employee_id) > ($1, $2)
        UNION ALL
          SELECT connection_id, employee_id, warning AS reason, COALESCE(warned_ms, changed_ms) AS changed_ms FROM employees
          WHERE warning IS NOT NULL AND state NOT IN ('parked', 'held') AND (connection_id, employee_id) > ($1, $2)
        ) AS people ORDER BY connection_id, employee_id LIMIT $3";
    let rows = sql.rows(query, vec![connection.into(), employee.into(), i64::from(most).into()]).await?;
    rows.iter()
        .map(|row| {
            Ok(Person {
                key: EmployeeKey { connection: row.get("connection_id")?, employee: row.get("employee_id")? },
                reason: row.get("reason")?,
                since: Millis(row.get("changed_ms")?),
            })
        })
        .collect()
}

/// These people of one connection, as far as they are there, by 社員番号.
///
/// # Errors
/// When the store does not answer, or a record does not open.
pub async fn people_in_full(
    store: &Store,
    sql: &impl Sql,
    connection: &str,
    employees: &[&str],
) -> Result<Vec<FullRow>> {
    let mut found = Vec::with_capacity(employees.len());
    for chunk in pieces(employees, 300) {
        let mut values: Vec<Value> = vec![connection.into()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let ids = list(chunk.len(), 2);
        let filter = format!("connection_id = $1 AND employee_id IN ({ids})");
        found.extend(crate::employees::full_where(store, sql, &filter, values).await?);
    }
    found.sort_by(|a, b| (&a.number, &a.key.employee).cmp(&(&b.number, &b.key.employee)));
    Ok(found)
}

/// When connections were halted: the connection, its code and since when.
///
/// # Errors
/// When the store does not answer.
pub async fn halted(sql: &impl Sql) -> Result<Vec<(String, String, Millis)>> {
    let query = "SELECT connection_id, state_code, state_ms FROM connections
        WHERE state = 'halted' AND state_code IS NOT NULL ORDER BY connection_id";
    let rows = sql.rows(query, vec![]).await?;
    rows.iter()
        .map(|row| Ok((row.get("connection_id")?, row.get("state_code")?, Millis(row.get("state_ms")?))))
        .collect()
}

/// A batch whose task does not end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckTask {
    /// The account.
    pub account: String,
    /// The connections whose people are in it.
    pub connections: std::collections::BTreeSet<String>,
    /// When it was planned.
    pub planned: Millis,
    /// Whether hires of the account wait behind it.
    pub hires_wait: bool,
}

/// The batches that カオナビ took before `before` and has not ended.
///
/// # Errors
/// When the store does not answer.
pub async fn tasks_open_since(sql: &impl Sql, before: Millis) -> Result<Vec<StuckTask>> {
    let query = "SELECT account_id, members, planned_ms, CAST(CASE WHEN EXISTS (SELECT 1 FROM employees
          WHERE employees.account_id = batches.account_id AND employees.state = 'due' AND employees.op = 'create')
        THEN 1 ELSE 0 END AS BIGINT) AS hires FROM batches WHERE state = 'accepted' AND planned_ms < $1 ORDER BY account_id, batch_id";
    let rows = sql.rows(query, vec![before.0.into()]).await?;
    rows.iter()
        .map(|row| {
            let members: Vec<Member> = serde_json::from_str(&row.get::<String>("members")?)?;
            Ok(StuckTask {
                account: row.get("account_id")?,
                connections: members.into_iter().map(|member| member.key.connection).collect(),
                planned: Millis(row.get("planned_ms")?),
                hires_wait: row.get::<i64>("hires")? == 1,
            })
        })
        .collect()
}

/// The connections of which every delivery was refused for at least `lasts`, with the time of the first. From the first that
/// was refused to the last: one stray call of somebody else is no sender whose secret is wrong.
///
/// # Errors
/// When the store does not answer.
pub async fn refused_deliveries(sql: &impl Sql, lasts: Duration) -> Result<Vec<(String, Millis)>> {
    let query = "SELECT connection_id, refused_since_ms FROM webhook_health
        WHERE refused_ms - refused_since_ms >= $1 AND (accepted_ms IS NULL OR accepted_ms <= refused_since_ms)
        ORDER BY connection_id";
    let lasts = i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX);
    let rows = sql.rows(query, vec![lasts.into()]).await?;
    rows.iter().map(|row| Ok((row.get("connection_id")?, Millis(row.get("refused_since_ms")?)))).collect()
}
