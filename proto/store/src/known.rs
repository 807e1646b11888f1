//! What is known of people already, for those who bring their records again.

use std::collections::HashMap;

use sea_orm::Value;

use crate::db::{Sql, list, pieces};
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
