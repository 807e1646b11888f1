//! Bearer tokens of the REST API. The token itself is shown once; what stands here is a keyed hash of it.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use renkei_runtime::clock::Millis;
use secrecy::{ExposeSecret, SecretString};

use crate::Store;
use crate::db::{Row, Sql, Tx};
use crate::error::Result;
use crate::seal::fresh_key;

/// How every token begins, so that a leaked one is recognised.
pub const PREFIX: &str = "rnk_";
/// How often the time of last use is written at most.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// What is known of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its id; says nothing about the token.
    pub id: String,
    /// The company it belongs to; `None`: the platform.
    pub tenant: Option<String>,
    /// What people call it.
    pub name: String,
    /// When it was made.
    pub created: Millis,
    /// When it ends, if ever.
    pub expires: Option<Millis>,
    /// When it was revoked.
    pub revoked: Option<Millis>,
    /// When it was last used, to the minute.
    pub used: Option<Millis>,
}

const COLUMNS: &str = "token_id, tenant_id, name, created_ms, expires_ms, revoked_ms, used_ms";

fn read(row: &Row) -> Result<Token> {
    let time = |column: &str| -> Result<Option<Millis>> { Ok(row.get::<Option<i64>>(column)?.map(Millis)) };
    Ok(Token {
        id: row.get("token_id")?,
        tenant: row.get("tenant_id")?,
        name: row.get("name")?,
        created: Millis(row.get("created_ms")?),
        expires: time("expires_ms")?,
        revoked: time("revoked_ms")?,
        used: time("used_ms")?,
    })
}

fn hash(store: &Store, token: &str) -> String {
    store.keys.hash("api_token", &[token.as_bytes()])
}

/// Makes a token and answers it; nobody can read it again.
///
/// # Errors
/// When the store does not answer.
pub async fn create(
    store: &Store,
    tx: &Tx,
    tenant: Option<&str>,
    name: &str,
    expires: Option<Millis>,
    now: Millis,
) -> Result<(Token, SecretString)> {
    let plain = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(fresh_key().as_slice()));
    let id = format!("tok_{}", &URL_SAFE_NO_PAD.encode(fresh_key().as_slice())[..16]);
    let sql = "INSERT INTO api_tokens (token_id, tenant_id, name, hash, created_ms, expires_ms)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let values = vec![
        id.clone().into(),
        tenant.map(str::to_owned).into(),
        name.into(),
        hash(store, &plain).into(),
        now.0.into(),
        expires.map(|end| end.0).into(),
    ];
    tx.exec(sql, values).await?;
    let (tenant, name) = (tenant.map(str::to_owned), name.to_owned());
    let token = Token { id, tenant, name, created: now, expires, revoked: None, used: None };
    Ok((token, SecretString::from(plain)))
}

/// The token with this text, if it is good at `now`: neither revoked nor expired. Notes its use once a minute at most.
///
/// # Errors
/// When the store does not answer.
pub async fn find(store: &Store, plain: &SecretString, now: Millis) -> Result<Option<Token>> {
    let plain = plain.expose_secret();
    if !plain.starts_with(PREFIX) {
        return Ok(None);
    }
    // Compared as a keyed hash: the time that the look-up takes says nothing about tokens.
    let query = format!(
        "SELECT {COLUMNS} FROM api_tokens WHERE hash = $1 AND revoked_ms IS NULL
         AND (expires_ms IS NULL OR expires_ms > $2)"
    );
    let Some(row) = store.db.row(&query, vec![hash(store, plain).into(), now.0.into()]).await? else {
        return Ok(None);
    };
    let token = read(&row)?;
    if token.used.is_none_or(|used| now.since(used) >= TOUCH_EVERY) {
        let sql = "UPDATE api_tokens SET used_ms = $1 WHERE token_id = $2";
        store.db.exec(sql, vec![now.0.into(), token.id.clone().into()]).await?;
    }
    Ok(Some(token))
}

/// The tokens of one tenant, or of everybody and the platform with `None`, by id after `after`.
///
/// # Errors
/// When the store does not answer.
pub async fn page(sql: &impl Sql, tenant: Option<&str>, after: &str, most: u32) -> Result<Vec<Token>> {
    let query = format!(
        "SELECT {COLUMNS} FROM api_tokens WHERE token_id > $1 AND ($2 = '' OR tenant_id = $2)
         ORDER BY token_id LIMIT $3"
    );
    let values = vec![after.into(), tenant.unwrap_or_default().into(), i64::from(most).into()];
    sql.rows(&query, values).await?.iter().map(read).collect()
}

/// Ends a token; `tenant` limits it to that tenant's own. Whether there was one that was not revoked yet.
///
/// # Errors
/// When the store does not answer.
pub async fn revoke(tx: &Tx, tenant: Option<&str>, id: &str, now: Millis) -> Result<bool> {
    let sql = "UPDATE api_tokens SET revoked_ms = $1 WHERE token_id = $2 AND revoked_ms IS NULL
        AND ($3 = '' OR tenant_id = $3)";
    Ok(tx.exec(sql, vec![now.0.into(), id.into(), tenant.unwrap_or_default().into()]).await? == 1)
}
