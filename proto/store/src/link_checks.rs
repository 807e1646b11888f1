//! Keys that somebody entered and that the source has not been asked about yet.
//!
//! Ingest never calls out, so it leaves a wish here; a worker asks the source, and either makes or changes the link, or keeps
//! nothing but the reason.

use std::fmt;

use renkei_runtime::clock::Millis;
use sea_orm::Value;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::db::{Row, Sql, Tx};
use crate::error::{Result, StoreError};
use crate::jobs::{self, NewJob};
use crate::links::{self, AttendanceSource, CHECK, Link, Statement};

/// What a link that is not there yet is to be.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewLink {
    /// 連携名.
    pub name: String,
    /// 自動同期.
    pub auto: bool,
    /// What was ticked.
    pub stated: Vec<Statement>,
}

/// What of a link stays when its key or company becomes another one. It may change while the source is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// Its key, with the day on which that was issued.
    Key,
    /// Its company.
    Company,
}

/// A key that somebody wants to be tried.
#[derive(Clone)]
pub struct Wish {
    /// What it reads from.
    pub source: AttendanceSource,
    /// The company of the source's login URL.
    pub company: String,
    /// API KEY or access token.
    pub key: SecretString,
    /// When the key was issued, `YYYY-MM-DD`.
    pub key_issued: String,
    /// The link to be made; `None`: the key is for a link that is there, of which nothing else changes.
    pub new: Option<NewLink>,
    /// What was not wished for, and stands here as it was then.
    pub kept: Option<Kept>,
}

impl Wish {
    /// The wish with what it keeps of the link as that is now.
    #[must_use]
    pub fn renewed(&self, link: &Link) -> Self {
        let wish = self.clone();
        match self.kept {
            None => wish,
            Some(Kept::Key) => Self { key: link.key.clone(), key_issued: link.key_issued.to_string(), ..wish },
            Some(Kept::Company) => Self { company: link.company.clone(), ..wish },
        }
    }

    /// Names what the source is asked about without telling it.
    #[must_use]
    pub fn queue(&self, store: &Store) -> String {
        links::queue(store, self.source, &self.company, &self.key)
    }
}

impl fmt::Debug for Wish {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wish").field("source", &self.source).finish_non_exhaustive()
    }
}

#[derive(Serialize, Deserialize)]
struct Plain {
    source: AttendanceSource,
    company: String,
    key: String,
    key_issued: String,
    new: Option<NewLink>,
    #[serde(default)]
    kept: Option<Kept>,
}

/// Where a check stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckState {
    /// No worker has asked yet.
    Wanted,
    /// The source takes the key; the link is there.
    Accepted,
    /// It does not: a code.
    Refused(String),
}

/// A check.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its id.
    pub id: String,
    /// The company.
    pub tenant: String,
    /// The link that is made or changed by it.
    pub link: String,
    /// What is wanted; `None` once it is answered.
    pub wish: Option<Wish>,
    /// Where it stands.
    pub state: CheckState,
    /// When it was left here.
    pub made: Millis,
}

fn place(id: &str) -> String {
    format!("link_checks.wish|{id}")
}

fn read(store: &Store, row: &Row) -> Result<Check> {
    let id: String = row.get("check_id")?;
    let wish = match row.get::<Option<Vec<u8>>>("wish")? {
        Some(sealed) => {
            let plain: Plain = store.keys.open_json(&place(&id), &sealed)?;
            Some(Wish {
                source: plain.source,
                company: plain.company,
                key: SecretString::from(plain.key),
                key_issued: plain.key_issued,
                new: plain.new,
                kept: plain.kept,
            })
        }
        None => None,
    };
    let state = match row.get::<String>("state")?.as_str() {
        "wanted" => CheckState::Wanted,
        "accepted" => CheckState::Accepted,
        "refused" => CheckState::Refused(row.get::<Option<String>>("code")?.unwrap_or_default()),
        _ => return Err(StoreError::Corrupt("link check state".to_owned())),
    };
    Ok(Check {
        tenant: row.get("tenant_id")?,
        link: row.get("link_id")?,
        made: Millis(row.get("made_ms")?),
        wish,
        state,
        id,
    })
}

/// Leaves a wish and puts its check on the calendar.
///
/// # Errors
/// When the store does not answer.
pub async fn want(store: &Store, tx: &Tx, id: &str, tenant: &str, link: &str, wish: &Wish, now: Millis) -> Result<()> {
    let plain = Plain {
        source: wish.source,
        company: wish.company.clone(),
        key: wish.key.expose_secret().to_owned(),
        key_issued: wish.key_issued.clone(),
        new: wish.new.clone(),
        kept: wish.kept,
    };
    let values: Vec<Value> =
        vec![id.into(), tenant.into(), link.into(), store.keys.seal_json(&place(id), &plain)?.into(), now.0.into()];
    let sql = "INSERT INTO link_checks (check_id, tenant_id, link_id, wish, state, made_ms) VALUES ($1, $2, $3, $4, 'wanted', $5)";
    tx.exec(sql, values).await?;
    let job = NewJob {
        name: format!("{CHECK}:{id}"),
        kind: CHECK,
        subject: id.to_owned(),
        queue: wish.queue(store),
        slot: now,
        due: now,
        doc: "{}".to_owned(),
    };
    jobs::put(tx, &job).await?;
    Ok(())
}

/// One check.
///
/// # Errors
/// When the store does not answer, or the wish does not open.
pub async fn find(store: &Store, sql: &impl Sql, id: &str) -> Result<Option<Check>> {
    let query = "SELECT check_id, tenant_id, link_id, wish, state, code, made_ms FROM link_checks WHERE check_id = $1";
    let row = sql.row(query, vec![id.into()]).await?;
    row.map(|row| read(store, &row)).transpose()
}

/// Answers a check: what was wanted is forgotten, `code` says why it was refused.
///
/// # Errors
/// When the store does not answer.
pub async fn answer(tx: &Tx, id: &str, code: Option<&str>, now: Millis) -> Result<()> {
    let state = if code.is_some() { "refused" } else { "accepted" };
    let sql = "UPDATE link_checks SET wish = NULL, state = $1, code = $2, ended_ms = $3 WHERE check_id = $4 AND state = 'wanted'";
    tx.exec(sql, vec![state.into(), code.map(str::to_owned).into(), now.0.into(), id.into()]).await?;
    Ok(())
}
