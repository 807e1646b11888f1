//! People of a tenant's connections as lists show them.

use sea_orm::Value;

use crate::Store;
use crate::db::{Sql, list};
use crate::employees::{FULL, FullRow, RowState, full_as_far_as_it_opens};
use crate::error::Result;
use crate::owned::OwnConnection;

/// Which people a list is about.
#[derive(Debug, Clone, Copy, Default)]
pub struct People<'a> {
    /// In one of these states; empty: in any.
    pub states: &'a [&'a str],
    /// With this 社員番号.
    pub number: Option<&'a str>,
    /// With this 従業員ID.
    pub employee: Option<&'a str>,
    /// For this reason.
    pub reason: Option<&'a str>,
    /// Also those in other states whom somebody should look at.
    pub warned: bool,
}

/// People of a tenant's connections, by connection and id, after `after`.
///
/// # Errors
/// When the store does not answer. What of a row does not open is left out.
pub async fn page(
    store: &Store,
    own: &[OwnConnection],
    people: People<'_>,
    after: (&str, &str),
    most: u32,
) -> Result<Vec<FullRow>> {
    if own.is_empty() {
        return Ok(Vec::new());
    }
    let mut values: Vec<Value> = vec![i64::from(most).into(), after.0.into(), after.1.into()];
    let mut conditions = String::new();
    let reason = if people.warned { "COALESCE(reason, warning)" } else { "reason" };
    for (column, wanted) in [("number", people.number), ("employee_id", people.employee), (reason, people.reason)] {
        if let Some(wanted) = wanted {
            values.push(wanted.into());
            conditions.push_str(&format!(" AND {column} = ${}", values.len()));
        }
    }
    if !people.states.is_empty() {
        // Written out, so that the index of what needs a person is found; the words are our own.
        let states: Vec<String> = RowState::ALL
            .iter()
            .filter(|state| people.states.contains(&state.as_str()))
            .map(|state| format!("'{}'", state.as_str()))
            .collect();
        let also = if people.warned { " OR warning IS NOT NULL" } else { "" };
        conditions.push_str(&format!(" AND (state IN ({}){also})", states.join(", ")));
    }
    let first = values.len() + 1;
    values.extend(own.iter().map(|connection| connection.id.clone().into()));
    let query = format!(
        "SELECT {FULL} FROM employees WHERE connection_id IN ({}) AND (connection_id, employee_id) > ($2, $3){conditions}
         ORDER BY connection_id, employee_id LIMIT $1",
        list(own.len(), first)
    );
    let rows = store.db.rows(&query, values).await?;
    rows.iter().map(|row| full_as_far_as_it_opens(store, row)).collect()
}

/// How many rows of each state there are in all.
///
/// # Errors
/// When the store does not answer.
pub async fn totals(sql: &impl Sql) -> Result<Vec<(RowState, i64)>> {
    let rows = sql.rows("SELECT state, COUNT(*) AS rows FROM employees GROUP BY state", vec![]).await?;
    rows.iter().map(|row| Ok((RowState::parse(&row.get::<String>("state")?)?, row.get("rows")?))).collect()
}
