//! Connections of which it is known that they belong to the tenant who asks (I9).
//!
//! Whoever holds an [`OwnConnection`] has passed the question whose it is: there is no other way to one. What the API shows
//! of people, activity and attention takes it, so that a forgotten check does not compile.

use std::ops::Deref;

use renkei_events::ids::TenantId;

use crate::Store;
use crate::connections::{self, Connection};
use crate::db::Sql;
use crate::error::Result;

/// A connection of the tenant who asks.
#[derive(Debug, Clone)]
pub struct OwnConnection(Connection);

impl Deref for OwnConnection {
    type Target = Connection;
    fn deref(&self) -> &Connection {
        &self.0
    }
}

/// The tenant's connection with this id; another tenant's is as good as none.
///
/// # Errors
/// When the store does not answer.
pub async fn find(store: &Store, sql: &impl Sql, tenant: &TenantId, id: &str) -> Result<Option<OwnConnection>> {
    let found = connections::find(store, sql, id).await?;
    Ok(found.filter(|connection| connection.tenant == tenant.as_str()).map(OwnConnection))
}

/// All connections of the tenant, by id.
///
/// # Errors
/// When the store does not answer.
pub async fn all(store: &Store, sql: &impl Sql, tenant: &TenantId) -> Result<Vec<OwnConnection>> {
    Ok(connections::of_tenant(store, sql, tenant.as_str()).await?.into_iter().map(OwnConnection).collect())
}
