//! Who looked at or changed what.

use renkei_runtime::clock::Millis;

use crate::Store;
use crate::connections::Connection;
use crate::db::{Sql, Tx};
use crate::error::Result;

/// One entry.
#[derive(Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number; later entries have larger ones.
    pub id: i64,
    /// When.
    pub at: Millis,
    /// Whose data; `None`: the platform's.
    pub tenant: Option<String>,
    /// `token:{id}` or `command`.
    pub actor: String,
    /// Stable, such as `connection.pause`.
    pub action: String,
    /// What it was done to.
    pub target: String,
    /// What may be personal.
    pub detail: Option<String>,
}

impl std::fmt::Debug for AuditEntry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("AuditEntry");
        shown.field("id", &self.id).field("actor", &self.actor).field("action", &self.action).finish_non_exhaustive()
    }
}

fn place(tenant: Option<&str>) -> String {
    format!("audit.detail|{}", tenant.unwrap_or_default())
}

/// The actor of what a command line does.
pub const COMMAND: &str = "command";

/// What is to be written down; its number and time come from the store.
#[derive(Clone, Copy)]
pub struct Deed<'a> {
    /// Whose data; `None`: the platform's.
    pub tenant: Option<&'a str>,
    /// `token:{id}` or `command`.
    pub actor: &'a str,
    /// Stable, such as `connection.pause`.
    pub action: &'a str,
    /// What it was done to.
    pub target: &'a str,
    /// What may be personal.
    pub detail: Option<&'a str>,
}

/// Adds an entry, in the transaction of what it tells of.
///
/// # Errors
/// When the store does not answer.
pub async fn add(store: &Store, tx: &Tx, deed: Deed<'_>, now: Millis) -> Result<()> {
    let detail = deed.detail.map(|text| store.keys.seal(&place(deed.tenant), text.as_bytes()));
    let sql = "INSERT INTO audit (at_ms, tenant_id, actor, action, target, detail) VALUES ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        now.0.into(),
        deed.tenant.map(str::to_owned).into(),
        deed.actor.into(),
        deed.action.into(),
        deed.target.into(),
        detail.into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Adds that `actor` did `action` to a connection, in the transaction of what was done.
///
/// # Errors
/// When the store does not answer.
pub async fn of_connection(
    store: &Store,
    tx: &Tx,
    connection: &Connection,
    actor: &str,
    action: &str,
    detail: Option<&str>,
    now: Millis,
) -> Result<()> {
    let deed = Deed { tenant: Some(&connection.tenant), actor, action, target: &connection.id, detail };
    add(store, tx, deed, now).await
}

/// Entries before `before`, newest first: of one tenant, or the platform's own with `None`.
///
/// # Errors
/// When the store does not answer. A detail that does not open is left out.
pub async fn page(store: &Store, tenant: Option<&str>, before: i64, most: u32) -> Result<Vec<AuditEntry>> {
    let whose = if tenant.is_some() { "tenant_id = $2" } else { "tenant_id IS NULL AND $2 = ''" };
    let query = format!(
        "SELECT audit_id, at_ms, tenant_id, actor, action, target, detail FROM audit
         WHERE audit_id < $1 AND {whose} ORDER BY audit_id DESC LIMIT $3"
    );
    let values = vec![before.into(), tenant.unwrap_or_default().into(), i64::from(most).into()];
    let rows = store.db.rows(&query, values).await?;
    rows.iter()
        .map(|row| {
            let tenant: Option<String> = row.get("tenant_id")?;
            let sealed: Option<Vec<u8>> = row.get("detail")?;
            let detail = sealed.and_then(|sealed| store.keys.open_if_it_does(&place(tenant.as_deref()), &sealed));
            Ok(AuditEntry {
                id: row.get("audit_id")?,
                at: Millis(row.get("at_ms")?),
                tenant,
                actor: row.get("actor")?,
                action: row.get("action")?,
                target: row.get("target")?,
                detail: detail.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            })
        })
        .collect()
}
