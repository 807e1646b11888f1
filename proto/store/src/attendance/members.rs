//! クラウドログ's members as its own export lists them. A new list takes the place of the one before.

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Row, Sql, Tx, pieces, tuples};
use crate::error::Result;

/// A code of the list.
#[derive(Clone, PartialEq, Eq)]
pub struct ListedMember {
    /// 社員コード without blanks around it.
    pub code: String,
    /// The code as the list has it.
    pub own_text: String,
    /// 名前.
    pub name: Option<String>,
    /// 開始日, `YYYY-MM-DD`.
    pub first: Option<String>,
    /// 終了日, the last day.
    pub last: Option<String>,
    /// 有効.
    pub active: bool,
    /// The lines of the list where the code stands; several: it is nobody's.
    pub lines: Vec<u64>,
}

/// The list as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListInfo {
    /// When it was uploaded.
    pub made: Millis,
    /// Who did it.
    pub actor: String,
    /// How many codes it has.
    pub members: i64,
}

fn place(tenant: &str, code: &str) -> String {
    format!("crowdlog_members.name|{tenant}|{code}")
}

/// Puts a list in the place of the tenant's one before. No code stands in `members` twice.
///
/// # Errors
/// When the store does not answer.
pub async fn replace(
    store: &Store,
    tx: &Tx,
    tenant: &str,
    members: &[ListedMember],
    actor: &str,
    now: Millis,
) -> Result<()> {
    tx.exec("DELETE FROM crowdlog_members WHERE tenant_id = $1", vec![tenant.into()]).await?;
    for chunk in pieces(members, tx.rows_at_once(9).min(200)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 9);
        for member in chunk {
            let name = member.name.as_ref().map(|name| store.keys.seal(&place(tenant, &member.code), name.as_bytes()));
            values.extend([
                tenant.into(),
                member.code.clone().into(),
                member.own_text.clone().into(),
                name.into(),
                member.first.clone().into(),
                member.last.clone().into(),
                i64::from(member.active).into(),
                i64::try_from(member.lines.len()).unwrap_or(i64::MAX).into(),
                serde_json::to_string(&member.lines)?.into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO crowdlog_members (tenant_id, code, own_text, name, first_day, last_day, active, times, lines)
             VALUES {}",
            tuples(chunk.len(), 9, 1)
        );
        tx.exec(&sql, values).await?;
    }
    let sql = "INSERT INTO crowdlog_lists (tenant_id, made_ms, actor, members) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE SET made_ms = excluded.made_ms, actor = excluded.actor,
          members = excluded.members";
    let count = i64::try_from(members.len()).unwrap_or(i64::MAX);
    tx.exec(sql, vec![tenant.into(), now.0.into(), actor.into(), count.into()]).await?;
    Ok(())
}

/// How the tenant's lists are read, as JSON, and the version of that; version 0: as usual.
///
/// # Errors
/// When the store does not answer.
pub async fn format(sql: &impl Sql, tenant: &str) -> Result<(Option<String>, i64)> {
    let query = "SELECT format, version FROM crowdlog_formats WHERE tenant_id = $1";
    match sql.row(query, vec![tenant.into()]).await? {
        Some(row) => Ok((Some(row.get("format")?), row.get("version")?)),
        None => Ok((None, 0)),
    }
}

/// Says how the tenant's lists are read from now on.
///
/// # Errors
/// When the store does not answer.
pub async fn set_format(tx: &Tx, tenant: &str, format: &str) -> Result<()> {
    let sql = "INSERT INTO crowdlog_formats (tenant_id, format, version) VALUES ($1, $2, 1)
        ON CONFLICT (tenant_id) DO UPDATE SET format = excluded.format, version = crowdlog_formats.version + 1";
    tx.exec(sql, vec![tenant.into(), format.into()]).await?;
    Ok(())
}

/// The tenant's list as a whole, if there is one.
///
/// # Errors
/// When the store does not answer.
pub async fn info(sql: &impl Sql, tenant: &str) -> Result<Option<ListInfo>> {
    let query = "SELECT made_ms, actor, members FROM crowdlog_lists WHERE tenant_id = $1";
    let row = sql.row(query, vec![tenant.into()]).await?;
    row.map(|row| {
        Ok(ListInfo { made: Millis(row.get("made_ms")?), actor: row.get("actor")?, members: row.get("members")? })
    })
    .transpose()
}

/// All codes of the tenant's list, in order, without names: nothing that decides about days needs them.
///
/// # Errors
/// When the store does not answer.
pub async fn all(sql: &impl Sql, tenant: &str) -> Result<Vec<ListedMember>> {
    let query = "SELECT code, own_text, first_day, last_day, active, lines FROM crowdlog_members
        WHERE tenant_id = $1 ORDER BY code";
    let read = |row: &Row| {
        Ok(ListedMember {
            code: row.get("code")?,
            own_text: row.get("own_text")?,
            name: None,
            first: row.get("first_day")?,
            last: row.get("last_day")?,
            active: row.get::<i64>("active")? == 1,
            lines: serde_json::from_str(&row.get::<String>("lines")?)?,
        })
    };
    sql.rows(query, vec![tenant.into()]).await?.iter().map(read).collect()
}
