//! What is known of people already, for those who bring their records again.

use std::collections::HashMap;

use renkei_events::record::EmployeeRecord;
use sea_orm::Value;

use crate::Store;
use crate::db::{Sql, list, pieces};
use crate::employees::{self, EmployeeKey};
use crate::error::Result;

/// The newest known state of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// When it was made.
    pub version: i64,
    /// Keyed hash of what it says.
    pub content: String,
}

/// The newest known states of these people of one connection, by 従業員ID.
///
/// # Errors
/// When the store does not answer.
pub async fn of_people(sql: &impl Sql, connection: &str, employees: &[&str]) -> Result<HashMap<String, Known>> {
    let mut found = HashMap::with_capacity(employees.len());
    for chunk in pieces(employees, 200) {
        let mut values: Vec<Value> = vec![connection.into()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let query = format!(
            "SELECT employee_id, version, content FROM employees WHERE connection_id = $1 AND employee_id IN ({})",
            list(chunk.len(), 2)
        );
        for row in sql.rows(&query, values).await? {
            let known = Known { version: row.get("version")?, content: row.get("content")? };
            found.insert(row.get("employee_id")?, known);
        }
    }
    Ok(found)
}

/// The ids of a connection's people who have these 社員番号 now, by number.
///
/// # Errors
/// When the store does not answer.
pub async fn ids_of_numbers(
    sql: &impl Sql,
    connection: &str,
    numbers: &[&str],
) -> Result<HashMap<String, Vec<String>>> {
    let mut found: HashMap<String, Vec<String>> = HashMap::with_capacity(numbers.len());
    for chunk in pieces(numbers, 200) {
        let mut values: Vec<Value> = vec![connection.into()];
        values.extend(chunk.iter().map(|number| Value::from(*number)));
        let query = format!(
            "SELECT number, employee_id FROM employees WHERE connection_id = $1 AND number IN ({}) ORDER BY employee_id",
            list(chunk.len(), 2)
        );
        for row in sql.rows(&query, values).await? {
            found.entry(row.get("number")?).or_default().push(row.get("employee_id")?);
        }
    }
    Ok(found)
}

/// The newest known state of one person with the record; `None` for people who were deleted or whose newest record was invalid.
#[derive(Debug, Clone)]
pub struct KnownRecord {
    /// The state.
    pub known: Known,
    /// What it says.
    pub record: Option<EmployeeRecord>,
}

/// The newest known records of these people of one connection, by 従業員ID.
///
/// # Errors
/// When the store does not answer, or a record does not open.
pub async fn records(
    store: &Store,
    sql: &impl Sql,
    connection: &str,
    employees: &[&str],
) -> Result<HashMap<String, KnownRecord>> {
    let mut found = HashMap::with_capacity(employees.len());
    for chunk in pieces(employees, 200) {
        let mut values: Vec<Value> = vec![connection.into()];
        values.extend(chunk.iter().map(|id| Value::from(*id)));
        let query = format!(
            "SELECT employee_id, version, content, record FROM employees WHERE connection_id = $1 AND employee_id IN ({})",
            list(chunk.len(), 2)
        );
        for row in sql.rows(&query, values).await? {
            let employee: String = row.get("employee_id")?;
            let key = EmployeeKey { connection: connection.to_owned(), employee: employee.clone() };
            let sealed: Option<Vec<u8>> = row.get("record")?;
            let record =
                sealed.map(|sealed| store.keys.open_json(&employees::place("record", &key), &sealed)).transpose()?;
            let known = Known { version: row.get("version")?, content: row.get("content")? };
            found.insert(employee, KnownRecord { known, record });
        }
    }
    Ok(found)
}
