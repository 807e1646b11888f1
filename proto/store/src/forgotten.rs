//! Forgetting one person: everything that says anything about somebody, and that it comes back from what was said before.
//!
//! Of whoever was forgotten a keyed hash stays, and when that was: a record that is older, or a day of attendance up to then,
//! is not taken again, whether it is still on the log or at the source. What a source says later is new, and is taken. Records
//! on the log go by their age. The code lists that カオナビ and クラウドログ themselves still hold are theirs.

use std::collections::{BTreeMap, BTreeSet};

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::attendance::{book, mornings, shared_codes};
use crate::db::{Sql, Tx, list, pieces};
use crate::error::{Result, StoreError};
use crate::runs::{self, RunKind, RunState};
use crate::{accounts, links, outbox};

/// Somebody at a connection.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// The company.
    pub tenant: &'a str,
    /// The connection.
    pub connection: &'a str,
    /// 従業員ID.
    pub employee: &'a str,
}

/// Why somebody can not be forgotten now.
#[derive(Debug, thiserror::Error)]
pub enum ForgetError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A call with the person's record is under way, or waits for カオナビ's answer.
    #[error("the record is being sent to カオナビ; try again in some minutes")]
    UnderWay,
    /// A run brings days of attendance, perhaps the person's.
    #[error("a run of attendance is under way; try again when it has ended")]
    RunUnderWay,
}

/// What was forgotten.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Gone {
    /// Records of employees: 1, or 0 when there was none.
    pub records: u64,
    /// Entries of the history of changes.
    pub history: u64,
    /// Days of attendance, with what they were before.
    pub days: u64,
    /// Files of attendance in which the person stood.
    pub files: u64,
    /// Items of the list of handwork.
    pub handwork: u64,
    /// Lines of the lists of runs.
    pub lists: u64,
    /// Whether the 社員番号 is another person's, too, so that the days under it were left.
    pub number_in_use: bool,
}

fn person_hash(store: &Store, connection: &str, employee: &str) -> String {
    store.keys.hash("forgotten_person", &[connection.as_bytes(), employee.as_bytes()])
}

fn code_hash(store: &Store, tenant: &str, code: &str) -> String {
    store.keys.hash("forgotten_code", &[tenant.as_bytes(), code.as_bytes()])
}

/// Forgets somebody, with the attendance under the same 社員番号. `None`: nobody is there with this id.
///
/// # Errors
/// While a call is under way, and when the store does not answer.
pub async fn forget_person(
    store: &Store,
    tx: &Tx,
    person: Person<'_>,
    today: &str,
) -> std::result::Result<Option<Gone>, ForgetError> {
    let Person { tenant, connection, employee } = person;
    let key = || vec![Value::from(connection), Value::from(employee)];
    let account = "SELECT account_id FROM connections WHERE connection_id = $1 AND tenant_id = $2";
    let Some(row) = tx.row(account, vec![connection.into(), tenant.into()]).await? else { return Ok(None) };
    links::lock_tenant(tx, tenant).await?;
    let now = store.now_in(tx).await?;
    if let Some(account) = row.get::<Option<String>>("account_id")? {
        // Whoever plans calls holds this first.
        accounts::wake(tx, &account, now).await?;
        let repairs = tx.rows("SELECT doc FROM repairs WHERE account_id = $1", vec![account.into()]).await?;
        let quoted = serde_json::to_string(employee).map_err(StoreError::from)?;
        for repair in &repairs {
            if repair.get::<String>("doc")?.contains(&quoted) {
                return Err(ForgetError::UnderWay);
            }
        }
    }
    let query = format!(
        "SELECT number, written_number, state FROM employees WHERE connection_id = $1 AND employee_id = $2{}",
        tx.for_update()
    );
    let Some(row) = tx.row(&query, key()).await? else { return Ok(None) };
    if row.get::<String>("state")? == "flying" {
        return Err(ForgetError::UnderWay);
    }
    let asked = "SELECT 1 AS one FROM dry_runs
        WHERE connection_id = $1 AND employee_id = $2 AND state = 'sent' AND until_ms > $3";
    if tx.row(asked, key().into_iter().chain([now.0.into()]).collect()).await?.is_some() {
        return Err(ForgetError::UnderWay);
    }
    let numbers = numbers_of(tx, tenant, row.get("number")?, row.get("written_number")?).await?;
    remember(tx, &person_hash(store, connection, employee), now, today).await?;
    outbox::take_back_about(store, tx, connection, employee, now).await?;
    let mut gone = Gone::default();
    for (sql, counted) in [
        ("DELETE FROM employees WHERE connection_id = $1 AND employee_id = $2", Some(&mut gone.records)),
        ("DELETE FROM activity WHERE connection_id = $1 AND employee_id = $2", Some(&mut gone.history)),
        ("DELETE FROM episode_items WHERE connection_id = $1 AND employee_id = $2", None),
        (
            "DELETE FROM upload_people WHERE employee_id = $2 AND upload_id IN
               (SELECT upload_id FROM uploads WHERE connection_id = $1)",
            None,
        ),
        (
            "UPDATE codes SET owner_connection = NULL, owner_employee = NULL
             WHERE owner_connection = $1 AND owner_employee = $2",
            None,
        ),
    ] {
        let count = tx.exec(sql, key()).await?;
        if let Some(counted) = counted {
            *counted = count;
        }
    }
    // They name people, and last for a day.
    tx.exec("DELETE FROM previews WHERE connection_id = $1", vec![connection.into()]).await?;
    tx.exec("DELETE FROM dry_runs WHERE connection_id = $1 AND employee_id = $2", key()).await?;
    let (target, instead) = (format!("{connection}/{employee}"), format!("{connection}/(forgotten)"));
    let sql = "UPDATE audit SET target = $1 WHERE tenant_id = $2 AND target = $3";
    tx.exec(sql, vec![instead.into(), tenant.into(), target.into()]).await?;
    let mut own = Vec::new();
    for number in numbers {
        let others = "SELECT 1 AS one FROM employees JOIN connections USING (connection_id)
            WHERE tenant_id = $1 AND number = $2 LIMIT 1";
        if tx.row(others, vec![tenant.into(), number.clone().into()]).await?.is_some() {
            gone.number_in_use = true;
        } else {
            own.push(number);
        }
    }
    if !own.is_empty() {
        let Gone { days, files, handwork, lists, .. } = forget_codes(store, tx, tenant, &own, today).await?;
        gone = Gone { days, files, handwork, lists, ..gone };
    }
    Ok(Some(gone))
}

/// The numbers under which the attendance of somebody may stand. One that was changed at the source of employees may be the old
/// one still at that of attendance; where that knows the new one, the old one is another person's by now.
async fn numbers_of(
    tx: &Tx,
    tenant: &str,
    number: Option<String>,
    written: Option<String>,
) -> Result<BTreeSet<String>> {
    let mut numbers: BTreeSet<String> = number.into_iter().collect();
    let mut is_known = false;
    for number in &numbers {
        let days = "SELECT 1 AS one FROM attendance_days WHERE tenant_id = $1 AND code = $2 AND person <> '' LIMIT 1";
        is_known |= tx.row(days, vec![tenant.into(), number.as_str().into()]).await?.is_some();
        // All days of the new one may be gone at the source by now.
        is_known |= !owners(tx, tenant, number).await?.is_empty();
    }
    numbers.extend(written.filter(|_| !is_known));
    Ok(numbers)
}

/// Forgets the attendance under a 社員コード of a company, with what the same people had under a number that was corrected since:
/// the days, what they were before, the files in which they stand, what was to be typed, protected days, and the lists of runs. A
/// decision that is under way begins anew, and files and mails of mornings that wait are made anew without it.
///
/// # Errors
/// While a run of the company is under way, and when the store does not answer.
pub async fn forget_code(
    store: &Store,
    tx: &Tx,
    tenant: &str,
    code: &str,
    today: &str,
) -> std::result::Result<Gone, ForgetError> {
    forget_codes(store, tx, tenant, &[code.to_owned()], today).await
}

/// The same for all codes of one person. Decisions are taken off the calendar once, before any of them is touched: whoever waits
/// for a job while holding days, and whoever has the job and waits for the days, would wait for each other.
async fn forget_codes(
    store: &Store,
    tx: &Tx,
    tenant: &str,
    codes: &[String],
    today: &str,
) -> std::result::Result<Gone, ForgetError> {
    links::lock_tenant(tx, tenant).await?;
    let open = runs::open_ones(tx, tenant, &[RunKind::Window, RunKind::Manual]).await?;
    if open.iter().any(|run| run.state == RunState::Running) {
        return Err(ForgetError::RunUnderWay);
    }
    let now = store.now_in(tx).await?;
    let mut found = Found { links: stop_decisions(tx, tenant).await?, ..Found::default() };
    mornings::take_back(store, tx, tenant, now).await?;
    for code in codes {
        forget_one(store, tx, (tenant, code), now, today, &mut found).await?;
    }
    for link in &found.links {
        links::want_decision(store, tx, link, now).await?;
    }
    let Found { files, days, handwork, lists, .. } = found;
    Ok(Gone { days, files: files.len() as u64, handwork, lists, ..Gone::default() })
}

async fn forget_one(
    store: &Store,
    tx: &Tx,
    (tenant, code): (&str, &str),
    now: Millis,
    today: &str,
    found: &mut Found,
) -> Result<()> {
    let key = || vec![Value::from(tenant), Value::from(code)];
    let mut older = BTreeSet::new();
    // First, as it is what stands under the code that tells whose it is.
    for (link, person) in owners(tx, tenant, code).await? {
        let whose = || vec![Value::from(tenant), Value::from(link.as_str()), Value::from(person.as_str())];
        for row in tx.rows(CODES_OF_PERSON, whose()).await? {
            older.insert(row.get::<String>("code")?);
        }
        forget_days(tx, OF_PERSON, whose, found).await?;
        let sql = "DELETE FROM attendance_history WHERE tenant_id = $1 AND link_id = $2 AND person = $3";
        found.days += tx.exec(sql, whose()).await?;
        shared_codes::forget_person(tx, &link, &person).await?;
        found.lists += forget_own_id(tx, tenant, &link, &person).await?;
        found.links.insert(link);
    }
    forget_days(tx, "code = $2", key, found).await?;
    found.days += tx.exec("DELETE FROM attendance_history WHERE tenant_id = $1 AND code = $2", key()).await?;
    found.lists += forget_number(store, tx, tenant, code, now, today).await?;
    older.remove(code);
    for number in &older {
        // Whose days stand there still, be they gone at the source, or who shares it, is somebody else.
        let others = format!(
            "SELECT 1 AS one FROM attendance_days AS still WHERE tenant_id = $1 AND code = $2 AND (person <> '' OR EXISTS
               (SELECT 1 FROM attendance_history AS was WHERE was.tenant_id = $1 AND was.code = $2 AND was.day = still.day
                  AND was.person <> ''))
             UNION ALL SELECT 1 AS one FROM attendance_shared_codes WHERE code = $2 AND person <> '' AND {OF_LINKS} LIMIT 1"
        );
        if tx.row(&others, vec![tenant.into(), number.as_str().into()]).await?.is_none() {
            found.lists += forget_number(store, tx, tenant, number, now, today).await?;
        }
    }
    Ok(())
}

/// What was met on the way.
#[derive(Default)]
struct Found {
    links: BTreeSet<String>,
    files: BTreeSet<i64>,
    days: u64,
    handwork: u64,
    lists: u64,
}

/// The days that a link brought of somebody, under whichever number; and those that were that person's once and are nobody
/// else's: they have a corrected number, or the source has no row of them any more and they were of nobody else after that. What
/// becomes history later has the higher number; the time is that since when it was so, under whichever code.
const OF_PERSON: &str = "(code, day) IN
    (SELECT code, day FROM attendance_days WHERE tenant_id = $1 AND link_id = $2 AND person = $3
     UNION SELECT was.code, was.day FROM attendance_history AS was
     WHERE was.tenant_id = $1 AND was.link_id = $2 AND was.person = $3 AND NOT EXISTS
       (SELECT 1 FROM attendance_days AS other WHERE other.tenant_id = $1 AND other.code = was.code AND other.day = was.day
          AND other.person <> '' AND (other.link_id <> $2 OR other.person <> $3))
       AND NOT EXISTS
       (SELECT 1 FROM attendance_days AS gone JOIN attendance_history AS later
          ON later.tenant_id = gone.tenant_id AND later.code = gone.code AND later.day = gone.day
        WHERE gone.tenant_id = $1 AND gone.code = was.code AND gone.day = was.day AND gone.person = ''
          AND later.history_id > was.history_id AND later.person <> ''
          AND (later.link_id <> $2 OR later.person <> $3)))";

/// The numbers under which a link brought somebody, as far as a day, what it was before or a number that others had, too, tells
/// of them.
const CODES_OF_PERSON: &str = "SELECT code FROM attendance_days WHERE tenant_id = $1 AND link_id = $2 AND person = $3
    UNION SELECT code FROM attendance_history WHERE tenant_id = $1 AND link_id = $2 AND person = $3
    UNION SELECT code FROM attendance_shared_codes WHERE link_id = $2 AND person = $3";

/// The links of a company.
const OF_LINKS: &str = "link_id IN (SELECT link_id FROM links WHERE tenant_id = $1)";
/// The runs of a company.
const OF_RUNS: &str = "run_id IN (SELECT run_id FROM runs WHERE tenant_id = $1)";

/// Takes the decisions of a company off the calendar, whoever is at them: one may have read what is deleted now, and would write
/// it anew. What one is just writing is waited for, and found, by the company's lock. Answers their links.
async fn stop_decisions(tx: &Tx, tenant: &str) -> Result<BTreeSet<String>> {
    let sql = "DELETE FROM jobs WHERE kind = $1 AND subject IN (SELECT link_id FROM links WHERE tenant_id = $2)
        RETURNING subject";
    let rows = tx.rows(sql, vec![links::DECIDE.into(), tenant.into()]).await?;
    rows.iter().map(|row| row.get("subject")).collect()
}

/// Forgets what stands under a number beside days, files and handwork, and that it comes back from what was said before. Answers
/// how many lines of the lists of runs there were.
async fn forget_number(store: &Store, tx: &Tx, tenant: &str, code: &str, now: Millis, today: &str) -> Result<u64> {
    remember(tx, &code_hash(store, tenant, code), now, today).await?;
    let key = || vec![Value::from(tenant), Value::from(code)];
    for sql in [
        format!("DELETE FROM attendance_staging WHERE code = $2 AND {OF_RUNS}"),
        format!("DELETE FROM attendance_shared_codes WHERE code = $2 AND {OF_LINKS}"),
        format!("DELETE FROM morning_told WHERE code = $2 AND {OF_LINKS}"),
        format!("DELETE FROM attendance_protections WHERE code = $2 AND {OF_LINKS}"),
        // クラウドログ's list is クラウドログ's; a name is not needed for anything.
        "UPDATE crowdlog_members SET name = NULL WHERE tenant_id = $1 AND code = $2".to_owned(),
    ] {
        tx.exec(&sql, key()).await?;
    }
    forget_lists(tx, tenant, code).await
}

/// Forgets what runs and mornings said of somebody of a link without a number: it names the source's own id. Answers how many
/// notes of runs there were.
async fn forget_own_id(tx: &Tx, tenant: &str, link: &str, person: &str) -> Result<u64> {
    let key =
        || -> Vec<Value> { vec![link.into(), book::own_id(person).into(), Code::AttendanceNoNumber.as_str().into()] };
    tx.exec("DELETE FROM morning_told WHERE link_id = $1 AND code = $2 AND reason = $3", key()).await?;
    let notes = "DELETE FROM run_notes WHERE code = $2 AND reason = $3
        AND run_id IN (SELECT run_id FROM runs WHERE subject = $1 AND tenant_id = $4)";
    tx.exec(notes, key().into_iter().chain([tenant.into()]).collect()).await
}

/// Deletes what the runs of a company list of a code. Answers how many lines there were.
async fn forget_lists(tx: &Tx, tenant: &str, code: &str) -> Result<u64> {
    // Of codes that look alike none says anything without the others.
    let alike = "kind IN ('near_source', 'near_destination')";
    let mut lines = 0;
    for sql in [
        format!(
            "DELETE FROM run_codes WHERE {alike} AND {OF_RUNS} AND (run_id, place) IN
               (SELECT run_id, place FROM run_codes WHERE code = $2 AND {alike})"
        ),
        format!("DELETE FROM run_codes WHERE code = $2 AND {OF_RUNS}"),
        format!("DELETE FROM run_notes WHERE code = $2 AND {OF_RUNS}"),
    ] {
        lines += tx.exec(&sql, vec![tenant.into(), code.into()]).await?;
    }
    Ok(lines)
}

/// Whose the code is: a link, and the source's own id of a person. Whoever has another number on a later day had this one before,
/// and somebody else has it now.
async fn owners(tx: &Tx, tenant: &str, code: &str) -> Result<Vec<(String, String)>> {
    // Of somebody whose days are all gone at the source only the history knows who it was.
    let query = "SELECT link_id, person FROM attendance_days WHERE tenant_id = $1 AND code = $2 AND person <> ''
        UNION SELECT link_id, person FROM attendance_history WHERE tenant_id = $1 AND code = $2 AND person <> ''
        ORDER BY link_id, person";
    let newest = "SELECT code FROM
        (SELECT code, day, changed_ms AS at_ms, 1 AS is_now, 0 AS turn FROM attendance_days
         WHERE tenant_id = $1 AND link_id = $2 AND person = $3
         UNION ALL SELECT code, day, at_ms, 0 AS is_now, history_id AS turn FROM attendance_history
         WHERE tenant_id = $1 AND link_id = $2 AND person = $3) AS seen
        ORDER BY day DESC, is_now DESC, at_ms DESC, turn DESC LIMIT 1";
    let mut owners = Vec::new();
    for row in tx.rows(query, vec![tenant.into(), code.into()]).await? {
        let (link, person): (String, String) = (row.get("link_id")?, row.get("person")?);
        let now = tx.row(newest, vec![tenant.into(), link.clone().into(), person.clone().into()]).await?;
        let now: Option<String> = now.map(|row| row.get("code")).transpose()?;
        if now.as_deref() == Some(code) {
            owners.push((link, person));
        }
    }
    Ok(owners)
}

/// Deletes `those` days of a company, which `values` begin with, and what stands of them in files and in the list of handwork.
async fn forget_days(tx: &Tx, those: &str, values: impl Fn() -> Vec<Value>, found: &mut Found) -> Result<()> {
    let files = format!(
        "SELECT file_id, link_id, state FROM attendance_files WHERE tenant_id = $1
         AND file_id IN (SELECT file_id FROM attendance_file_rows WHERE {those})"
    );
    let mut stand_in = Vec::new();
    for row in tx.rows(&files, values()).await? {
        let file: i64 = row.get("file_id")?;
        stand_in.push(file);
        // Nobody has seen one that is being made.
        if row.get::<String>("state")? != "making" {
            found.files.insert(file);
        }
        found.links.insert(row.get("link_id")?);
    }
    let links = format!("SELECT DISTINCT link_id FROM attendance_days WHERE tenant_id = $1 AND {those}");
    for row in tx.rows(&links, values()).await? {
        found.links.insert(row.get("link_id")?);
    }
    for chunk in pieces(&stand_in, 200) {
        let sql = format!(
            "UPDATE attendance_files SET content = NULL,
               state = CASE WHEN state = 'open' THEN 'superseded' ELSE state END WHERE file_id IN ({})",
            list(chunk.len(), 1)
        );
        tx.exec(&sql, chunk.iter().map(|file| Value::from(*file)).collect()).await?;
    }
    let rows = format!(
        "DELETE FROM attendance_file_rows WHERE {those}
         AND file_id IN (SELECT file_id FROM attendance_files WHERE tenant_id = $1)"
    );
    tx.exec(&rows, values()).await?;
    found.handwork += tx.exec(&format!("DELETE FROM handwork WHERE tenant_id = $1 AND {those}"), values()).await?;
    found.days += tx.exec(&format!("DELETE FROM attendance_days WHERE tenant_id = $1 AND {those}"), values()).await?;
    Ok(())
}

async fn remember(tx: &Tx, hash: &str, now: Millis, today: &str) -> Result<()> {
    let sql = "INSERT INTO forgotten (hash, at_ms, day) VALUES ($1, $2, $3)
        ON CONFLICT (hash) DO UPDATE SET at_ms = excluded.at_ms, day = excluded.day";
    tx.exec(sql, vec![hash.into(), now.0.into(), today.into()]).await?;
    Ok(())
}

/// Of these people of a connection, those who were forgotten, each with the version (in microseconds) that was possible last by
/// then: only later ones are taken.
///
/// # Errors
/// When the store does not answer.
pub async fn people<'p>(
    store: &Store,
    sql: &impl Sql,
    people: impl IntoIterator<Item = (&'p str, &'p str)>,
) -> Result<BTreeMap<(String, String), i64>> {
    if is_nobody(sql).await? {
        return Ok(BTreeMap::new());
    }
    let hashed = people.into_iter().map(|(connection, employee)| {
        (person_hash(store, connection, employee), (connection.to_owned(), employee.to_owned()))
    });
    let found = found(sql, hashed.collect(), "at_ms", |row| row.get("at_ms")).await?;
    Ok(found.into_iter().map(|(key, at): (_, i64)| (key, at.saturating_mul(1000).saturating_add(999))).collect())
}

/// Of these codes of a company, those that were forgotten, with the last day that is not taken.
///
/// # Errors
/// When the store does not answer.
pub async fn codes<'c>(
    store: &Store,
    sql: &impl Sql,
    tenant: &str,
    codes: impl IntoIterator<Item = &'c str>,
) -> Result<BTreeMap<String, String>> {
    if is_nobody(sql).await? {
        return Ok(BTreeMap::new());
    }
    let hashed = codes.into_iter().map(|code| (code_hash(store, tenant, code), code.to_owned())).collect();
    found(sql, hashed, "day", |row| row.get("day")).await
}

async fn is_nobody(sql: &impl Sql) -> Result<bool> {
    Ok(sql.row("SELECT 1 AS one FROM forgotten LIMIT 1", vec![]).await?.is_none())
}

async fn found<K: Ord + Clone, V>(
    sql: &impl Sql,
    hashed: BTreeMap<String, K>,
    column: &str,
    read: impl Fn(&crate::db::Row) -> Result<V>,
) -> Result<BTreeMap<K, V>> {
    let hashes: Vec<&String> = hashed.keys().collect();
    let mut found = BTreeMap::new();
    for chunk in pieces(&hashes, 200) {
        let values = chunk.iter().map(|hash| Value::from(hash.as_str())).collect();
        let query = format!("SELECT hash, {column} FROM forgotten WHERE hash IN ({})", list(chunk.len(), 1));
        for row in sql.rows(&query, values).await? {
            if let Some(key) = hashed.get(&row.get::<String>("hash")?) {
                found.insert(key.clone(), read(&row)?);
            }
        }
    }
    Ok(found)
}
