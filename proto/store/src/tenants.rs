//! Companies, as the platform lists them.

use renkei_runtime::clock::Millis;

use crate::db::{Row, Sql};
use crate::error::Result;

/// A company.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created: Millis,
}

/// Tenants by id, after `after`.
///
/// # Errors
/// When the store does not answer.
pub async fn page(sql: &impl Sql, after: &str, most: u32) -> Result<Vec<Tenant>> {
    let query = "SELECT tenant_id, name, created_ms FROM tenants WHERE tenant_id > $1 ORDER BY tenant_id LIMIT $2";
    let rows = sql.rows(query, vec![after.into(), i64::from(most).into()]).await?;
    rows.iter().map(read).collect()
}

/// One tenant, if there is one.
///
/// # Errors
/// When the store does not answer.
pub async fn find(sql: &impl Sql, id: &str) -> Result<Option<Tenant>> {
    let query = "SELECT tenant_id, name, created_ms FROM tenants WHERE tenant_id = $1";
    sql.row(query, vec![id.into()]).await?.map(|row| read(&row)).transpose()
}

fn read(row: &Row) -> Result<Tenant> {
    Ok(Tenant { id: row.get("tenant_id")?, name: row.get("name")?, created: Millis(row.get("created_ms")?) })
}
