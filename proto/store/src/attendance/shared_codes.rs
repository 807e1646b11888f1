//! Where several people of a link had one 社員コード. Rows of the book bear a code, so they can not say that two people have it.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::Value;

use super::book;
use crate::db::{Sql, Tx, pieces, tuples};
use crate::error::Result;
use crate::links::Link;

/// Somebody who had a code on a date on which others had it, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sharer {
    /// 社員コード.
    pub code: String,
    /// `YYYY-MM-DD`.
    pub day: String,
    /// The source's own id.
    pub person: String,
}

/// Who shares codes of a link, on any date; and whether another number on another date does not end it.
///
/// # Errors
/// When the store does not answer.
pub async fn of_link(sql: &impl Sql, link: &str) -> Result<BTreeMap<Sharer, bool>> {
    let query = "SELECT code, day, person, firm FROM attendance_shared_codes WHERE link_id = $1 AND day <> ''";
    let rows = sql.rows(query, vec![link.into()]).await?;
    rows.iter()
        .map(|row| {
            let sharer = Sharer { code: row.get("code")?, day: row.get("day")?, person: row.get("person")? };
            Ok((sharer, row.get::<i64>("firm")? == 1))
        })
        .collect()
}

/// Whose codes are to be compared with クラウドログ's: who of a link stands in the book from `first` to `last`, and who is known to
/// share a code; code and the source's own id.
///
/// # Errors
/// When the store does not answer.
pub async fn people_with_book(
    sql: &impl Sql,
    link: &Link,
    (first, last): (&str, &str),
) -> Result<Vec<(String, String)>> {
    let (gone, mut people): (Vec<_>, Vec<_>) = book::people(sql, &link.id, first, last)
        .await?
        .into_iter()
        .partition(|(_, person)| person == book::GONE || !link.is_own(person));
    people.extend(self::people(sql, &link.id).await?);
    // Whom the source has no row of any more, or who was of a company before, shares no code with anybody.
    let there: BTreeSet<String> = people.iter().map(|(code, _)| code.clone()).collect();
    people.extend(gone.into_iter().filter(|(code, _)| !there.contains(code)));
    Ok(people)
}

/// Who shares a code of a link, on any date that is kept: code and person.
///
/// # Errors
/// When the store does not answer.
pub async fn people(sql: &impl Sql, link: &str) -> Result<Vec<(String, String)>> {
    let query = "SELECT DISTINCT code, person FROM attendance_shared_codes WHERE link_id = $1 AND day <> ''";
    let rows = sql.rows(query, vec![link.into()]).await?;
    rows.iter().map(|row| Ok((row.get("code")?, row.get("person")?))).collect()
}

/// Writes down who shares a code now.
///
/// # Errors
/// When the store does not answer.
pub async fn add(tx: &Tx, link: &str, sharers: &[(&Sharer, bool)]) -> Result<()> {
    for chunk in pieces(sharers, 100) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 5);
        for (sharer, firm) in chunk {
            let Sharer { code, day, person } = (*sharer).clone();
            values.extend([link.into(), code.into(), day.into(), person.into(), i64::from(*firm).into()]);
        }
        let sql = format!(
            "INSERT INTO attendance_shared_codes (link_id, code, day, person, firm) VALUES {}
             ON CONFLICT (link_id, code, day, person) DO UPDATE SET firm = excluded.firm",
            tuples(chunk.len(), 5, 1)
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Who does not share a code any more.
///
/// # Errors
/// When the store does not answer.
pub async fn remove(tx: &Tx, link: &str, sharers: &[&Sharer]) -> Result<()> {
    for sharer in sharers {
        let sql = "DELETE FROM attendance_shared_codes WHERE link_id = $1 AND code = $2 AND day = $3 AND person = $4";
        let Sharer { code, day, person } = (*sharer).clone();
        tx.exec(sql, vec![link.into(), code.into(), day.into(), person.into()]).await?;
    }
    Ok(())
}

/// These codes are nobody's no more: the dates on which they were have to be read again.
///
/// # Errors
/// When the store does not answer.
pub async fn want_again(tx: &Tx, link: &str, codes: &BTreeSet<String>) -> Result<()> {
    let sql = "INSERT INTO attendance_shared_codes (link_id, code, day, person, firm) VALUES ($1, $2, '', '', 0)
        ON CONFLICT (link_id, code, day, person) DO NOTHING";
    for code in codes {
        tx.exec(sql, vec![link.into(), code.clone().into()]).await?;
    }
    Ok(())
}

/// Somebody is deleted, and shares no code any more. One that a single other person has now is that one's alone.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn forget_person(tx: &Tx, link: &str, person: &str) -> Result<()> {
    let sql = "DELETE FROM attendance_shared_codes WHERE link_id = $1 AND person = $2 RETURNING code";
    let rows = tx.rows(sql, vec![link.into(), person.into()]).await?;
    let codes: BTreeSet<String> = rows.iter().map(|row| row.get("code")).collect::<Result<_>>()?;
    let mut freed = BTreeSet::new();
    for code in codes {
        let query = "SELECT COUNT(DISTINCT person) AS people FROM attendance_shared_codes
            WHERE link_id = $1 AND code = $2 AND person <> ''";
        let row = tx.row(query, vec![link.into(), code.clone().into()]).await?;
        if row.map(|row| row.get::<i64>("people")).transpose()? == Some(1) {
            freed.insert(code);
        }
    }
    want_again(tx, link, &freed).await
}

/// The codes of a link for which its dates have to be read again.
///
/// # Errors
/// When the store does not answer.
pub async fn wanted_again(sql: &impl Sql, link: &str) -> Result<BTreeSet<String>> {
    let query = "SELECT code FROM attendance_shared_codes WHERE link_id = $1 AND day = ''";
    sql.rows(query, vec![link.into()]).await?.iter().map(|row| row.get("code")).collect()
}

/// They were read.
///
/// # Errors
/// When the store does not answer.
pub async fn read_again(tx: &Tx, link: &str) -> Result<()> {
    tx.exec("DELETE FROM attendance_shared_codes WHERE link_id = $1 AND day = ''", vec![link.into()]).await?;
    Ok(())
}

/// Drops what was so before `first`, except of codes with days before it that are still to be decided about: whose they are not
/// would be forgotten before anybody asked. The next decision settles them, as nobody's, and a day so old that is settled stays as
/// it is, so that the code is held no longer than until the tidying after it.
///
/// # Errors
/// When the store does not answer.
pub async fn tidy(tx: &Tx, link: &str, first: &str) -> Result<()> {
    // By code and not by date: a date on which one of them alone has a row says nothing of the others.
    let sql = "DELETE FROM attendance_shared_codes WHERE link_id = $1 AND day < $2 AND day <> '' AND NOT EXISTS
        (SELECT 1 FROM attendance_days AS waiting WHERE waiting.link_id = $1 AND waiting.code = attendance_shared_codes.code
           AND waiting.day < $2 AND waiting.state IN ('new', 'pending'))";
    tx.exec(sql, vec![link.into(), first.into()]).await?;
    Ok(())
}

/// A link is gone.
///
/// # Errors
/// When the store does not answer.
pub(crate) async fn remove_link(tx: &Tx, link: &str) -> Result<()> {
    tx.exec("DELETE FROM attendance_shared_codes WHERE link_id = $1", vec![link.into()]).await?;
    Ok(())
}
