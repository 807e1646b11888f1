//! What カオナビ holds, as far as it is known: member codes, and per code a keyed hash of each field, never the values.

use std::collections::{BTreeMap, HashMap};

use renkei_runtime::clock::Millis;
use unicode_normalization::UnicodeNormalization;

use crate::Store;
use crate::db::{Row, Sql, Tx, list, pieces, tuples};
use crate::error::Result;

/// One code of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The member's code, exactly.
    pub code: String,
    /// Whether カオナビ has it, as far as is known.
    pub present: bool,
    /// Field → keyed hash of its value at the last read or write.
    pub hashes: BTreeMap<String, String>,
    /// When that was.
    pub read: Millis,
    /// The connection that wrote it, if we did.
    pub owner: Option<(String, String)>,
}

/// The hash of one field's value of one member. Bound to the code, so that equal values of two people do not show.
#[must_use]
pub fn field_hash(store: &Store, account: &str, code: &str, field: &str, value: &str) -> String {
    store.keys.hash("field", &[account.as_bytes(), code.as_bytes(), field.as_bytes(), value.as_bytes()])
}

/// What two codes share when a person could take one for the other: width, case, blanks and leading zeros set aside.
#[must_use]
pub fn near_key(code: &str) -> String {
    let plain: String = code.nfkc().flat_map(char::to_lowercase).filter(|c| !c.is_whitespace()).collect();
    let stripped = plain.trim_start_matches('0');
    if stripped.is_empty() { "0".to_owned() } else { stripped.to_owned() }
}

fn read(row: &Row) -> Result<Code> {
    let owner: (Option<String>, Option<String>) = (row.get("owner_connection")?, row.get("owner_employee")?);
    Ok(Code {
        code: row.get("code")?,
        present: row.get::<i64>("present")? == 1,
        hashes: serde_json::from_str(&row.get::<String>("hashes")?)?,
        read: Millis(row.get("read_ms")?),
        owner: owner.0.zip(owner.1),
    })
}

const COLUMNS: &str = "code, present, hashes, read_ms, owner_connection, owner_employee";

/// The known codes among `wanted`.
///
/// # Errors
/// When the store does not answer.
pub async fn find(sql: &impl Sql, account: &str, wanted: &[String]) -> Result<HashMap<String, Code>> {
    let mut found = HashMap::new();
    for chunk in wanted.chunks(500) {
        let mut values = vec![account.into()];
        values.extend(chunk.iter().map(|code| code.clone().into()));
        let ids = list(chunk.len(), 2);
        let query = format!("SELECT {COLUMNS} FROM codes WHERE account_id = $1 AND code IN ({ids})");
        for row in sql.rows(&query, values).await? {
            let code = read(&row)?;
            found.insert(code.code.clone(), code);
        }
    }
    Ok(found)
}

/// Which of `wanted` カオナビ has.
///
/// # Errors
/// When the store does not answer.
pub async fn present(sql: &impl Sql, account: &str, wanted: &[String]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for chunk in pieces(wanted, 500) {
        let mut values = vec![account.into()];
        values.extend(chunk.iter().map(|code| code.clone().into()));
        let ids = list(chunk.len(), 2);
        let query = format!("SELECT code FROM codes WHERE account_id = $1 AND present = 1 AND code IN ({ids})");
        for row in sql.rows(&query, values).await? {
            found.push(row.get("code")?);
        }
    }
    Ok(found)
}

/// The present codes that are near to `wanted` without being equal: near key → codes.
///
/// # Errors
/// When the store does not answer.
pub async fn near(sql: &impl Sql, account: &str, wanted: &[String]) -> Result<HashMap<String, Vec<String>>> {
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    let mut keys: Vec<String> = wanted.iter().map(|code| near_key(code)).collect();
    keys.sort_unstable();
    keys.dedup();
    for chunk in keys.chunks(500) {
        let mut values = vec![account.into()];
        values.extend(chunk.iter().map(|key| key.clone().into()));
        let ids = list(chunk.len(), 2);
        let query = format!("SELECT near, code FROM codes WHERE account_id = $1 AND present = 1 AND near IN ({ids})");
        for row in sql.rows(&query, values).await? {
            found.entry(row.get("near")?).or_default().push(row.get("code")?);
        }
    }
    Ok(found)
}

/// Writes what a read of `/members` that began at `now` saw. Owners stay, and so does what was written or read since.
///
/// # Errors
/// When the store does not answer.
pub async fn put_read(tx: &Tx, account: &str, seen: &[(String, BTreeMap<String, String>)], now: Millis) -> Result<()> {
    // In one order everywhere, so that a read and a landing do not wait for each other.
    let mut seen: Vec<&(String, BTreeMap<String, String>)> = seen.iter().collect();
    seen.sort_by(|one, other| one.0.cmp(&other.0));
    for chunk in seen.chunks(tx.rows_at_once(6)) {
        let mut values = Vec::with_capacity(chunk.len() * 6);
        for (code, hashes) in chunk {
            values.push(account.into());
            values.push(code.clone().into());
            values.push(near_key(code).into());
            values.push(1_i64.into());
            values.push(serde_json::to_string(hashes)?.into());
            values.push(now.0.into());
        }
        let sql = format!(
            "INSERT INTO codes (account_id, code, near, present, hashes, read_ms) VALUES {}
             ON CONFLICT (account_id, code) DO UPDATE SET present = 1, hashes = excluded.hashes, read_ms = excluded.read_ms
             WHERE codes.read_ms <= excluded.read_ms",
            tuples(chunk.len(), 6, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Marks the codes that a read which began at `since` did not see as gone.
///
/// # Errors
/// When the store does not answer.
pub async fn mark_unseen(tx: &Tx, account: &str, since: Millis) -> Result<u64> {
    let sql = "UPDATE codes SET present = 0 WHERE account_id = $1 AND present = 1 AND read_ms < $2";
    tx.exec(sql, vec![account.into(), since.0.into()]).await
}

/// What we wrote for one member.
#[derive(Debug, Clone)]
pub struct WrittenCode {
    /// The code.
    pub code: String,
    /// The connection and the person that it belongs to.
    pub owner: (String, String),
    /// Field → keyed hash, of the written fields.
    pub hashes: BTreeMap<String, String>,
}

/// Writes down that we wrote members: they are there, they are these people's, and these fields have these hashes.
///
/// # Errors
/// When the store does not answer.
pub async fn put_written(tx: &Tx, account: &str, written: &[WrittenCode], now: Millis) -> Result<()> {
    let mut written: Vec<&WrittenCode> = written.iter().collect();
    written.sort_by(|one, other| one.code.cmp(&other.code));
    for chunk in written.chunks(tx.rows_at_once(8)) {
        let wanted: Vec<String> = chunk.iter().map(|one| one.code.clone()).collect();
        let mut known = find(tx, account, &wanted).await?;
        let mut values = Vec::with_capacity(chunk.len() * 8);
        for one in chunk {
            let mut hashes = known.remove(&one.code).map(|code| code.hashes).unwrap_or_default();
            hashes.extend(one.hashes.iter().map(|(field, hash)| (field.clone(), hash.clone())));
            values.push(account.into());
            values.push(one.code.clone().into());
            values.push(near_key(&one.code).into());
            values.push(1_i64.into());
            values.push(serde_json::to_string(&hashes)?.into());
            values.push(now.0.into());
            values.push(one.owner.0.clone().into());
            values.push(one.owner.1.clone().into());
        }
        let sql = format!(
            "INSERT INTO codes (account_id, code, near, present, hashes, read_ms, owner_connection, owner_employee) VALUES {}
             ON CONFLICT (account_id, code) DO UPDATE SET present = 1, hashes = excluded.hashes, read_ms = excluded.read_ms,
               owner_connection = excluded.owner_connection, owner_employee = excluded.owner_employee",
            tuples(chunk.len(), 8, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Nobody knows any more what カオナビ holds in these fields of a member.
///
/// # Errors
/// When the store does not answer.
pub async fn forget_fields(tx: &Tx, account: &str, code: &str, fields: &[String]) -> Result<()> {
    let Some(mut known) = find(tx, account, &[code.to_owned()]).await?.remove(code) else { return Ok(()) };
    known.hashes.retain(|field, _| !fields.contains(field));
    let sql = "UPDATE codes SET hashes = $1 WHERE account_id = $2 AND code = $3";
    tx.exec(sql, vec![serde_json::to_string(&known.hashes)?.into(), account.into(), code.into()]).await?;
    Ok(())
}
