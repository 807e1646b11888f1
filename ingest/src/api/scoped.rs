//! The only way of a tenant's handler to rows: through the tenant (I9).

use renkei_events::ids::{ConnectionId, EmployeeId};
use renkei_runtime::clock::Millis;
use renkei_store::audit::{self, Deed};
use renkei_store::connections::{self, ConnectionState};
use renkei_store::db::{Sql, Tx};
use renkei_store::employees::FullRow;
use renkei_store::owned::{self, OwnConnection};
use renkei_store::people::{self, People};
use renkei_store::{Store, accounts};

use super::Api;
use super::caller::TenantCaller;
use super::problem::ApiError;

/// The store as one tenant sees it.
#[derive(Clone, Copy)]
pub struct Scoped<'a> {
    /// The store.
    pub store: &'a Store,
    caller: &'a TenantCaller,
}

impl<'a> Scoped<'a> {
    /// The view of the caller's tenant.
    #[must_use]
    pub fn new(api: &'a Api, caller: &'a TenantCaller) -> Self {
        Self { store: &api.store, caller }
    }

    /// One connection of the tenant.
    ///
    /// # Errors
    /// [`ApiError::NotFound`] for an unknown id and for another tenant's.
    pub async fn connection(&self, id: &str) -> Result<OwnConnection, ApiError> {
        self.connection_in(&self.store.db, id).await
    }

    async fn connection_in(&self, sql: &impl Sql, id: &str) -> Result<OwnConnection, ApiError> {
        ConnectionId::new(id).map_err(|_| ApiError::NotFound)?;
        owned::find(self.store, sql, &self.caller.tenant, id).await?.ok_or(ApiError::NotFound)
    }

    /// All connections of the tenant, or the one that is named.
    ///
    /// # Errors
    /// As [`Scoped::connection`].
    pub async fn connections(&self, id: Option<&str>) -> Result<Vec<OwnConnection>, ApiError> {
        match id {
            Some(id) => Ok(vec![self.connection(id).await?]),
            None => Ok(owned::all(self.store, &self.store.db, &self.caller.tenant).await?),
        }
    }

    /// One person of the tenant.
    ///
    /// # Errors
    /// [`ApiError::NotFound`], as for connections.
    pub async fn employee(&self, connection: &str, id: &str) -> Result<(OwnConnection, FullRow), ApiError> {
        EmployeeId::new(id).map_err(|_| ApiError::NotFound)?;
        let own = self.connection(connection).await?;
        let wanted = People { employee: Some(id), ..People::default() };
        let rows = people::page(self.store, std::slice::from_ref(&own), wanted, ("", ""), 1).await?;
        let row = rows.into_iter().next().ok_or(ApiError::NotFound)?;
        Ok((own, row))
    }

    /// Begins a change of a connection that was not ended: locks its account (all of them, when the account itself may
    /// change), then its own row.
    ///
    /// # Errors
    /// As [`Scoped::connection`]; [`ApiError::Conflict`] for a connection that was ended.
    pub async fn change(&self, id: &str, accounts_too: bool) -> Result<(Tx, OwnConnection, Millis), ApiError> {
        let account = self.connection(id).await?.account.clone();
        let tx = self.store.begin().await?;
        match &account {
            _ if accounts_too => accounts::lock_all(&tx).await?,
            Some(account) => accounts::lock_for_command(&tx, account).await?,
            None => {}
        }
        connections::lock(&tx, id).await?;
        let own = self.connection_in(&tx, id).await?;
        refuse_ended(&own)?;
        let now = self.store.now_in(&tx).await?;
        Ok((tx, own, now))
    }

    /// Writes down what the caller does.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn audit(&self, tx: &Tx, action: &str, target: &str, now: Millis) -> Result<(), ApiError> {
        self.audit_in_detail(tx, action, target, None, now).await
    }

    /// The same, with how many people it was done to, and the like; no values.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn audit_in_detail(
        &self,
        tx: &Tx,
        action: &str,
        target: &str,
        detail: Option<&str>,
        now: Millis,
    ) -> Result<(), ApiError> {
        let tenant = Some(self.caller.tenant.as_str());
        let deed = Deed { tenant, actor: &self.caller.actor, action, target, detail };
        Ok(audit::add(self.store, tx, deed, now).await?)
    }

    /// Writes down, on its own, what the caller does or is about to see.
    ///
    /// # Errors
    /// When the store does not answer; then nothing is done or shown.
    pub async fn audit_alone(&self, action: &str, target: &str) -> Result<(), ApiError> {
        let tx = self.store.begin().await?;
        let now = self.store.now_in(&tx).await?;
        self.audit(&tx, action, target, now).await?;
        Ok(tx.commit().await?)
    }
}

/// Nothing changes any more about a connection that was ended.
///
/// # Errors
/// [`ApiError::Conflict`].
pub fn refuse_ended(own: &OwnConnection) -> Result<(), ApiError> {
    if own.state == ConnectionState::Disconnected {
        return Err(ApiError::conflict("the connection was ended for good; make a new one with another id"));
    }
    Ok(())
}
