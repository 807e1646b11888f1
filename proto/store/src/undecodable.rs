//! Records of the log that nobody could read: they lie in the dead letter, and the console has to say so.

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::activity::{self, Entry};
use crate::db::{Sql, Tx, list};
use crate::error::Result;

/// Writes down that a record could not be read; `connection` is the one that its key names, if there is such a one, and then
/// has it in its activity. A record that is read again is written down once.
///
/// # Errors
/// When the store does not answer.
pub async fn add(store: &Store, tx: &Tx, place: &str, connection: Option<&str>, now: Millis) -> Result<()> {
    let sql = "INSERT INTO undecodable_records (place, connection_id, at_ms) VALUES ($1, $2, $3)
        ON CONFLICT (place) DO NOTHING";
    let values = vec![place.into(), connection.map(str::to_owned).into(), now.0.into()];
    let (1, Some(connection)) = (tx.exec(sql, values).await?, connection) else { return Ok(()) };
    let entry = Entry {
        at: now,
        connection: connection.to_owned(),
        employee: None,
        kind: "undecodable".to_owned(),
        code: Some(Code::RenkeiRecordUndecodable.as_str().to_owned()),
        detail: Some(place.to_owned()),
    };
    activity::add(store, tx, &[entry]).await
}

/// How many there are, and the last one's time and place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undecodable {
    /// How many, within the time that they are kept.
    pub records: i64,
    /// When the last one came and where it stood: topic/partition/offset.
    pub last: Option<(Millis, String)>,
}

/// Those of these connections; `None`: of the whole installation, records of nobody included.
///
/// # Errors
/// When the store does not answer.
pub async fn of(sql: &impl Sql, connections: Option<&[String]>) -> Result<Undecodable> {
    let (those, values): (String, Vec<Value>) = match connections {
        None => ("1 = 1".to_owned(), vec![]),
        Some([]) => return Ok(Undecodable::default()),
        Some(ids) => {
            let values = ids.iter().map(|id| id.clone().into()).collect();
            (format!("connection_id IN ({})", list(ids.len(), 1)), values)
        }
    };
    let query = format!("SELECT COUNT(*) AS records FROM undecodable_records WHERE {those}");
    let records = sql.row(&query, values.clone()).await?.map(|row| row.get("records")).transpose()?.unwrap_or(0);
    let query =
        format!("SELECT at_ms, place FROM undecodable_records WHERE {those} ORDER BY at_ms DESC, place DESC LIMIT 1");
    let last = sql.row(&query, values).await?;
    let last = last.map(|row| Ok::<_, crate::error::StoreError>((Millis(row.get("at_ms")?), row.get("place")?)));
    Ok(Undecodable { records, last: last.transpose()? })
}
