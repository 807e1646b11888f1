//! 手入力が必要な日: what no file can bring, until a person ticks it off.

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Row, Sql, Tx, list, pieces};
use crate::error::Result;

/// Something to be typed.
#[derive(Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number; 0 for one that is not kept yet.
    pub id: i64,
    /// 社員コード.
    pub code: String,
    /// `YYYY-MM-DD`.
    pub day: String,
    /// Why: a code of `/docs/errors/`.
    pub reason: String,
    /// What, for people.
    pub value: String,
    /// When it came onto the list.
    pub made: Millis,
    /// When and by whom it was ticked off.
    pub done: Option<(Millis, String)>,
}

fn place(link: &str, code: &str, day: &str) -> String {
    format!("handwork.value|{link}|{code}|{day}")
}

const COLUMNS: &str = "handwork_id, link_id, code, day, reason, value, made_ms, done_ms, done_by";

fn read(store: &Store, row: &Row) -> Result<Item> {
    let (link, code, day): (String, String, String) = (row.get("link_id")?, row.get("code")?, row.get("day")?);
    let value = store.keys.open(&place(&link, &code, &day), &row.get::<Vec<u8>>("value")?)?;
    let done: Option<i64> = row.get("done_ms")?;
    Ok(Item {
        id: row.get("handwork_id")?,
        reason: row.get("reason")?,
        value: String::from_utf8_lossy(&value).into_owned(),
        made: Millis(row.get("made_ms")?),
        done: done.map(Millis).zip(row.get("done_by")?),
        code,
        day,
    })
}

/// All of a link from day `first` to `last`, done or not.
///
/// # Errors
/// When the store does not answer, or a value does not open.
pub async fn of_period(store: &Store, sql: &impl Sql, link: &str, first: &str, last: &str) -> Result<Vec<Item>> {
    let query = format!("SELECT {COLUMNS} FROM handwork WHERE link_id = $1 AND day BETWEEN $2 AND $3");
    let rows = sql.rows(&query, vec![link.into(), first.into(), last.into()]).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

/// What of a link is to be typed (or was, with `done`), by number, after `after`.
///
/// # Errors
/// When the store does not answer, or a value does not open.
pub async fn page(store: &Store, sql: &impl Sql, link: &str, done: bool, after: i64, most: u32) -> Result<Vec<Item>> {
    let which = if done { "NOT NULL" } else { "NULL" };
    let query = format!(
        "SELECT {COLUMNS} FROM handwork WHERE link_id = $1 AND handwork_id > $2 AND done_ms IS {which}
         ORDER BY handwork_id LIMIT $3"
    );
    let rows = sql.rows(&query, vec![link.into(), after.into(), i64::from(most).into()]).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

/// Puts an item onto the list; one that is there for the same reason gets the new value and is to be done again.
///
/// # Errors
/// When the store does not answer.
pub async fn put(store: &Store, tx: &Tx, tenant: &str, link: &str, run: i64, item: &Item, now: Millis) -> Result<()> {
    let sealed = store.keys.seal(&place(link, &item.code, &item.day), item.value.as_bytes());
    let sql = "INSERT INTO handwork (tenant_id, link_id, code, day, reason, value, run_id, made_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (link_id, code, day, reason) DO UPDATE SET value = excluded.value, run_id = excluded.run_id,
          made_ms = excluded.made_ms, told = 0, done_ms = NULL, done_by = NULL";
    let values: Vec<Value> = vec![
        tenant.into(),
        link.into(),
        item.code.clone().into(),
        item.day.clone().into(),
        item.reason.clone().into(),
        sealed.into(),
        run.into(),
        now.0.into(),
    ];
    tx.exec(sql, values).await?;
    Ok(())
}

/// Takes items off the list that nobody has to type any more. What was ticked off stays.
///
/// # Errors
/// When the store does not answer.
pub async fn remove(tx: &Tx, ids: &[i64]) -> Result<()> {
    for chunk in pieces(ids, 200) {
        let values = chunk.iter().map(|id| Value::from(*id)).collect();
        let sql = format!("DELETE FROM handwork WHERE done_ms IS NULL AND handwork_id IN ({})", list(chunk.len(), 1));
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Takes items off a link's list whose days are another link's by now: what is to be typed of those stands on that one's.
///
/// # Errors
/// When the store does not answer.
pub async fn remove_anothers(tx: &Tx, link: &str) -> Result<()> {
    let sql = "DELETE FROM handwork WHERE link_id = $1 AND done_ms IS NULL AND NOT EXISTS
        (SELECT 1 FROM attendance_days AS own WHERE own.tenant_id = handwork.tenant_id AND own.code = handwork.code
           AND own.day = handwork.day AND own.link_id = $1)";
    tx.exec(sql, vec![link.into()]).await?;
    Ok(())
}

/// Ticks an item of a link off; `false` when there is none that is open.
///
/// # Errors
/// When the store does not answer.
pub async fn tick(tx: &Tx, link: &str, id: i64, actor: &str, now: Millis) -> Result<bool> {
    let sql =
        "UPDATE handwork SET done_ms = $1, done_by = $2 WHERE link_id = $3 AND handwork_id = $4 AND done_ms IS NULL";
    Ok(tx.exec(sql, vec![now.0.into(), actor.into(), link.into(), id.into()]).await? == 1)
}
