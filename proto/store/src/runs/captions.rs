//! What people call what runs are about, and who started them.

use std::collections::BTreeMap;

use sea_orm::Value;

use super::{Run, RunKind};
use crate::db::{Sql, list};
use crate::error::Result;

/// What stands before the id of a token where it says who did something.
const TOKEN: &str = "token:";

/// A connection or link, as it is called now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// 連携名.
    pub name: String,
    /// What it reads from.
    pub source: String,
}

/// Names of what runs of a tenant are about, and of the tokens that started them. What was taken away since has none.
#[derive(Debug, Clone, Default)]
pub struct Captions {
    links: BTreeMap<String, Subject>,
    connections: BTreeMap<String, Subject>,
    tokens: BTreeMap<String, String>,
}

impl Captions {
    /// The names for these runs of a tenant.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn of(sql: &impl Sql, tenant: &str, runs: &[Run]) -> Result<Self> {
        let links = "SELECT link_id AS id, name, source FROM links WHERE tenant_id = $1";
        let connections = "SELECT connection_id AS id, name, source FROM connections WHERE tenant_id = $1";
        Ok(Self {
            links: subjects(sql, links, tenant).await?,
            connections: subjects(sql, connections, tenant).await?,
            tokens: tokens(sql, tenant, runs).await?,
        })
    }

    /// What a run is about.
    #[must_use]
    pub fn subject(&self, run: &Run) -> Option<&Subject> {
        match run.kind {
            RunKind::Window | RunKind::Manual => self.links.get(&run.subject),
            RunKind::Sweep | RunKind::FirstLoad => self.connections.get(&run.subject),
        }
    }

    /// What the token is called that started a run.
    #[must_use]
    pub fn token(&self, run: &Run) -> Option<&str> {
        self.tokens.get(token_of(run)?).map(String::as_str)
    }
}

fn token_of(run: &Run) -> Option<&str> {
    run.executor.strip_prefix(TOKEN)
}

async fn subjects(sql: &impl Sql, query: &str, tenant: &str) -> Result<BTreeMap<String, Subject>> {
    let rows = sql.rows(query, vec![tenant.into()]).await?;
    rows.iter()
        .map(|row| Ok((row.get("id")?, Subject { name: row.get("name")?, source: row.get("source")? })))
        .collect()
}

/// Those of the tenant's own tokens that started a run: the platform's are nobody's whom the tenant knows.
async fn tokens(sql: &impl Sql, tenant: &str, runs: &[Run]) -> Result<BTreeMap<String, String>> {
    let mut ids: Vec<&str> = runs.iter().filter_map(token_of).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let query =
        format!("SELECT token_id, name FROM api_tokens WHERE tenant_id = $1 AND token_id IN ({})", list(ids.len(), 2));
    let mut values: Vec<Value> = vec![tenant.into()];
    values.extend(ids.into_iter().map(Value::from));
    let rows = sql.rows(&query, values).await?;
    rows.iter().map(|row| Ok((row.get("token_id")?, row.get("name")?))).collect()
}
