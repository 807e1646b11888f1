//! The book: one person's day as the source last told it.

use std::collections::{BTreeMap, BTreeSet};

use renkei_runtime::clock::Millis;
use sea_orm::Value;

use crate::Store;
use crate::db::{Row, Sql, Tx, list, pieces, tuples};
use crate::error::{Result, StoreError};

/// Where a day stands on its way into クラウドログ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DayState {
    /// Nobody has decided about it yet.
    New,
    /// Has to be imported.
    Pending,
    /// クラウドログ is known to hold it.
    Done,
    /// A person has to type it.
    Handwork,
    /// Is not written, for a reason.
    Skipped,
    /// Must not be written.
    Protected,
    /// Nobody at クラウドログ has its code.
    Unmatched,
}

impl DayState {
    const ALL: [Self; 7] =
        [Self::New, Self::Pending, Self::Done, Self::Handwork, Self::Skipped, Self::Protected, Self::Unmatched];

    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Pending => "pending",
            Self::Done => "done",
            Self::Handwork => "handwork",
            Self::Skipped => "skipped",
            Self::Protected => "protected",
            Self::Unmatched => "unmatched",
        }
    }

    /// Reads the stored text.
    ///
    /// # Errors
    /// When it is none of them.
    pub fn parse(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|state| state.as_str() == text);
        found.ok_or_else(|| StoreError::Corrupt("attendance day state".to_owned()))
    }
}

/// Stands for the person of a day of which the source has no row any more: whoever it was of may be there no more.
pub const GONE: &str = "";

/// The id of a person as the source's own screens show it.
#[must_use]
pub fn own_id(person: &str) -> &str {
    person.rsplit('/').next().unwrap_or(person)
}

/// A day that a run told of.
#[derive(Clone)]
pub struct Told {
    /// The company.
    pub tenant: String,
    /// 社員コード.
    pub code: String,
    /// `YYYY-MM-DD`.
    pub day: String,
    /// The link.
    pub link: String,
    /// The source's own id of the person, or [`GONE`].
    pub person: String,
    /// What of the source's row matters, as JSON.
    pub value: Vec<u8>,
    /// Keyed hash of it.
    pub content: String,
    /// The run.
    pub run: i64,
    /// When it began, on the store's clock.
    pub began: Millis,
}

/// A day of the book.
#[derive(Clone)]
pub struct BookDay {
    /// What the source told.
    pub told: Told,
    /// When it last changed.
    pub changed: Millis,
    /// Keyed hash of the row that クラウドログ is known to hold.
    pub held: Option<String>,
    /// Whether a person wants it written again.
    pub forced: bool,
    /// Where it stands.
    pub state: DayState,
    /// The reason of the state.
    pub why: Option<String>,
}

// Not the code, which may be corrected later.
fn place(tenant: &str, link: &str, person: &str, day: &str) -> String {
    format!("attendance_days.value|{tenant}|{link}|{person}|{day}")
}

const COLUMNS: &str =
    "tenant_id, code, day, link_id, person, value, content, run_id, run_began_ms, changed_ms, held, forced, state, why";

fn read(store: &Store, row: &Row) -> Result<BookDay> {
    let (tenant, link): (String, String) = (row.get("tenant_id")?, row.get("link_id")?);
    let (person, day): (String, String) = (row.get("person")?, row.get("day")?);
    let value = store.keys.open(&place(&tenant, &link, &person, &day), &row.get::<Vec<u8>>("value")?)?;
    Ok(BookDay {
        told: Told {
            code: row.get("code")?,
            content: row.get("content")?,
            run: row.get("run_id")?,
            began: Millis(row.get("run_began_ms")?),
            tenant,
            link,
            person,
            day,
            value,
        },
        changed: Millis(row.get("changed_ms")?),
        held: row.get("held")?,
        forced: row.get::<i64>("forced")? == 1,
        state: DayState::parse(&row.get::<String>("state")?)?,
        why: row.get("why")?,
    })
}

/// What was written.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// How many days.
    pub days: u64,
    /// The other links whose days gave way to these: what follows from them was decided, and has to be decided anew.
    pub others: BTreeSet<String>,
}

/// Writes days into the book, and what stood there before into its history. The day of a run that began later is never replaced
/// by an earlier one's, in whatever order they are read from the log.
///
/// # Errors
/// When the store does not answer.
pub async fn put(store: &Store, tx: &Tx, days: &[Told], now: Millis) -> Result<Written> {
    let mut written = Written::default();
    for chunk in pieces(days, tx.rows_at_once(11).min(200)) {
        let keys: Vec<Value> = chunk
            .iter()
            .flat_map(|day| [day.tenant.clone().into(), day.code.clone().into(), day.day.clone().into()])
            .collect();
        // Only what really is replaced: the same run read twice is no history.
        let sql = format!(
            "WITH told (t, c, d, r) AS (VALUES {}) {}, told
             WHERE tenant_id = told.t AND code = told.c AND day = told.d AND run_began_ms < told.r
             RETURNING tenant_id, code, day, link_id",
            tuples(chunk.len(), 4, 1),
            into_history(chunk.len() * 4 + 1)
        );
        let mut with_runs: Vec<Value> = Vec::with_capacity(chunk.len() * 4 + 1);
        for (at, key) in keys.chunks(3).enumerate() {
            with_runs.extend(key.iter().cloned());
            with_runs.push(chunk[at].began.0.into());
        }
        with_runs.push(now.0.into());
        for row in tx.rows(&sql, with_runs).await? {
            let (tenant, code, day): (String, String, String) =
                (row.get("tenant_id")?, row.get("code")?, row.get("day")?);
            let link: String = row.get("link_id")?;
            let is_this = |told: &&Told| told.tenant == tenant && told.code == code && told.day == day;
            if chunk.iter().find(is_this).is_some_and(|told| told.link != link) {
                written.others.insert(link);
            }
        }
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 11);
        for day in chunk {
            values.extend([
                day.tenant.clone().into(),
                day.code.clone().into(),
                day.day.clone().into(),
                day.link.clone().into(),
                day.person.clone().into(),
                store.keys.seal(&place(&day.tenant, &day.link, &day.person, &day.day), &day.value).into(),
                day.content.clone().into(),
                day.run.into(),
                day.began.0.into(),
                now.0.into(),
                DayState::New.as_str().into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO attendance_days (tenant_id, code, day, link_id, person, value, content, run_id, run_began_ms, changed_ms, state) VALUES {}
             ON CONFLICT (tenant_id, code, day) DO UPDATE SET link_id = excluded.link_id, person = excluded.person,
               value = excluded.value, content = excluded.content, run_id = excluded.run_id, run_began_ms = excluded.run_began_ms, changed_ms = excluded.changed_ms,
               state = excluded.state, why = NULL
             WHERE attendance_days.run_began_ms < excluded.run_began_ms",
            tuples(chunk.len(), 11, 1)
        );
        written.days += tx.exec(&sql, values).await?;
    }
    Ok(written)
}

/// What is known of these codes on one day: content, link and person.
///
/// # Errors
/// When the store does not answer.
pub async fn contents(
    sql: &impl Sql,
    tenant: &str,
    day: &str,
    codes: &[&str],
) -> Result<BTreeMap<String, (String, String, String)>> {
    let mut found = BTreeMap::new();
    for chunk in pieces(codes, 200) {
        let mut values: Vec<Value> = vec![tenant.into(), day.into()];
        values.extend(chunk.iter().map(|code| Value::from(*code)));
        let query = format!(
            "SELECT code, content, link_id, person FROM attendance_days WHERE tenant_id = $1 AND day = $2 AND code IN ({})",
            list(chunk.len(), 3)
        );
        for row in sql.rows(&query, values).await? {
            found.insert(row.get("code")?, (row.get("content")?, row.get("link_id")?, row.get("person")?));
        }
    }
    Ok(found)
}

/// What a day was before: kept for as long as runs are, which say where it came from.
#[derive(Clone)]
pub struct Before {
    /// The link that brought it.
    pub link: String,
    /// The run.
    pub run: i64,
    /// Since when it was so.
    pub since: Millis,
    /// What of the source's row mattered, as JSON.
    pub value: Vec<u8>,
}

/// What a day of a company was before, newest first.
///
/// # Errors
/// When the store does not answer, or a row does not open.
pub async fn history(
    store: &Store,
    sql: &impl Sql,
    tenant: &str,
    (code, day): (&str, &str),
    most: u32,
) -> Result<Vec<Before>> {
    let query = "SELECT link_id, person, run_id, at_ms, value FROM attendance_history
        WHERE tenant_id = $1 AND code = $2 AND day = $3 ORDER BY at_ms DESC, run_id DESC LIMIT $4";
    let rows = sql.rows(query, vec![tenant.into(), code.into(), day.into(), i64::from(most).into()]).await?;
    rows.iter()
        .map(|row| {
            let (link, person): (String, String) = (row.get("link_id")?, row.get("person")?);
            let value = store.keys.open(&place(tenant, &link, &person, day), &row.get::<Vec<u8>>("value")?)?;
            Ok(Before { run: row.get("run_id")?, since: Millis(row.get("at_ms")?), value, link })
        })
        .collect()
}

/// How many days a run has written so far.
///
/// # Errors
/// When the store does not answer.
pub async fn written_by(sql: &impl Sql, run: i64) -> Result<i64> {
    let row = sql.row("SELECT COUNT(*) AS days FROM attendance_days WHERE run_id = $1", vec![run.into()]).await?;
    row.map_or(Ok(0), |row| row.get("days"))
}

/// Of these people, each with the code that the source has now, those of whom days stand in the book under another one.
///
/// # Errors
/// When the store does not answer.
pub async fn with_another_code(sql: &impl Sql, link: &str, people: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for chunk in pieces(people, 200) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 2 + 1);
        values.extend(chunk.iter().flat_map(|(person, code)| [Value::from(*person), Value::from(*code)]));
        values.push(link.into());
        let query = format!(
            "WITH now (p, c) AS (VALUES {}) SELECT DISTINCT now.p AS person, now.c AS code FROM now, attendance_days
             WHERE link_id = ${} AND person = now.p AND attendance_days.code <> now.c",
            tuples(chunk.len(), 2, 1),
            chunk.len() * 2 + 1
        );
        for row in sql.rows(&query, values).await? {
            found.push((row.get("person")?, row.get("code")?));
        }
    }
    Ok(found)
}

/// A number that was corrected at the source, as the open `run` sees: the person's days of the period get the new code, where nobody
/// else has it on that day; what they were under the old one is history. A day that is [`GONE`] is nobody's and makes room.
/// Answers which did.
///
/// # Errors
/// When the store does not answer.
pub async fn correct_code(
    tx: &Tx,
    (link, run): (&str, i64),
    person: &str,
    code: &str,
    (first, last): (&str, &str),
    now: Millis,
) -> Result<Written> {
    let mut corrected = replace_gone(tx, (link, run), person, code, (first, last), now).await?;
    let values = || -> Vec<Value> { vec![code.into(), link.into(), person.into(), first.into(), last.into()] };
    // Files and lists bear the old number still: without a trace of it nobody could tell later whose they were.
    let sql = format!("{} WHERE {CORRECTED}", into_history(6));
    tx.exec(&sql, values().into_iter().chain([now.0.into()]).collect()).await?;
    let sql = format!("UPDATE attendance_days SET code = $1, state = 'new', held = NULL, why = NULL WHERE {CORRECTED}");
    corrected.days += tx.exec(&sql, values()).await?;
    Ok(corrected)
}

/// The beginning of a statement by which days become history; what follows says which. The time is the parameter `now`.
fn into_history(now: usize) -> String {
    format!(
        "INSERT INTO attendance_history (tenant_id, code, day, at_ms, link_id, person, run_id, value, replaced_ms)
         SELECT tenant_id, code, day, changed_ms, link_id, person, run_id, value, CAST(${now} AS BIGINT) FROM attendance_days"
    )
}

/// The days that get the corrected number: those of the person under another one, where nobody has it. Of two of one day only
/// one can have it.
const CORRECTED: &str = "link_id = $2 AND person = $3 AND code <> $1 AND day BETWEEN $4 AND $5
    AND NOT EXISTS (SELECT 1 FROM attendance_days AS other WHERE other.tenant_id = attendance_days.tenant_id
      AND other.code = $1 AND other.day = attendance_days.day)
    AND NOT EXISTS (SELECT 1 FROM attendance_days AS twin WHERE twin.link_id = $2 AND twin.person = $3
      AND twin.day = attendance_days.day AND twin.code <> $1 AND twin.code < attendance_days.code)";

/// Days of a person take the place of those of the code that are [`GONE`], which become history, also where another link brought
/// them before: the code's day is of one link at a time. クラウドログ knows codes only, so what it holds of the code on that day stays
/// known.
async fn replace_gone(
    tx: &Tx,
    (link, open_run): (&str, i64),
    person: &str,
    code: &str,
    (first, last): (&str, &str),
    now: Millis,
) -> Result<Written> {
    // A run ends when it finds in the book as many days of its own as it has put on the log, so two of the open run stay two. Those of
    // one that has ended do not: all days that it wants written again are of that run.
    let query = format!(
        "SELECT own.tenant_id AS tenant, own.code AS code, own.day AS day, own.run_id AS own_run,
           own.run_began_ms AS own_began, gone.held AS held, gone.forced AS forced, gone.link_id AS gone_of,
           gone.run_id AS run, gone.run_began_ms AS began
         FROM attendance_days AS own, attendance_days AS gone
         WHERE own.link_id = $1 AND own.person = $2 AND own.code <> $3 AND own.day BETWEEN $4 AND $5
           AND gone.tenant_id = own.tenant_id AND gone.code = $3 AND gone.day = own.day
           AND gone.person = '' AND NOT (gone.run_id = $6 AND own.run_id = $6)
         ORDER BY own.day, own.code{}",
        tx.for_update()
    );
    let values = vec![link.into(), person.into(), code.into(), first.into(), last.into(), open_run.into()];
    let (mut corrected, mut before) = (Written::default(), String::new());
    for row in tx.rows(&query, values).await? {
        let (tenant, old, day): (String, String, String) = (row.get("tenant")?, row.get("code")?, row.get("day")?);
        if day == before {
            continue;
        }
        let key = || -> Vec<Value> { vec![tenant.clone().into(), code.into(), day.clone().into()] };
        let sql = format!("{} WHERE tenant_id = $1 AND code IN ($2, $5) AND day = $3", into_history(4));
        tx.exec(&sql, key().into_iter().chain([now.0.into(), old.clone().into()]).collect()).await?;
        tx.exec("DELETE FROM attendance_days WHERE tenant_id = $1 AND code = $2 AND day = $3", key()).await?;
        // What the later run put on the log may be read once more, and must not win then.
        let own: (i64, i64) = (row.get("own_began")?, row.get("own_run")?);
        let (began, later) = own.max((row.get("began")?, row.get("run")?));
        // A run of another link does not count a day that is not that link's any more.
        let gone_of: String = row.get("gone_of")?;
        let run = if gone_of == link { later } else { own.1 };
        let sql = "UPDATE attendance_days SET code = $2, state = 'new', why = NULL, held = $4, run_id = $5, run_began_ms = $6,
              forced = CASE WHEN $7 = 1 THEN 1 ELSE forced END
            WHERE tenant_id = $1 AND code = $8 AND day = $3";
        let (held, forced): (Option<String>, i64) = (row.get("held")?, row.get("forced")?);
        let moved: [Value; 5] = [held.into(), run.into(), began.into(), forced.into(), old.into()];
        corrected.days += tx.exec(sql, key().into_iter().chain(moved).collect()).await?;
        if gone_of != link {
            corrected.others.insert(gone_of);
        }
        before = day;
    }
    Ok(corrected)
}

/// A person wants the period written again by `run`, whatever クラウドログ holds: its days belong to that run from now on, and are
/// decided about anew, however old they are.
///
/// # Errors
/// When the store does not answer.
pub async fn force(tx: &Tx, link: &str, run: i64, first: &str, last: &str) -> Result<u64> {
    let sql = "UPDATE attendance_days SET forced = 1, state = 'new', why = NULL, run_id = $1
        WHERE link_id = $2 AND day BETWEEN $3 AND $4";
    tx.exec(sql, vec![run.into(), link.into(), first.into(), last.into()]).await
}

/// Some days of a code have to be written again, whatever クラウドログ holds.
///
/// # Errors
/// When the store does not answer.
pub async fn force_days(tx: &Tx, tenant: &str, code: &str, days: [&str; 2]) -> Result<u64> {
    let sql = "UPDATE attendance_days SET forced = 1, state = 'new', why = NULL
        WHERE tenant_id = $1 AND code = $2 AND day IN ($3, $4)";
    tx.exec(sql, vec![tenant.into(), code.into(), days[0].into(), days[1].into()]).await
}

/// A link's days of one date, by code, after `after`.
///
/// # Errors
/// When the store does not answer, or a row does not open.
pub async fn of_date(
    store: &Store,
    sql: &impl Sql,
    link: &str,
    day: &str,
    after: &str,
    most: u32,
) -> Result<Vec<BookDay>> {
    let query = format!(
        "SELECT {COLUMNS} FROM attendance_days WHERE link_id = $1 AND day = $2 AND code > $3 ORDER BY code LIMIT $4"
    );
    let values = vec![link.into(), day.into(), after.into(), i64::from(most).into()];
    sql.rows(&query, values).await?.iter().map(|row| read(store, row)).collect()
}

/// Whom a link brought a day of on one date that is not [`GONE`]: the source's ids and the codes.
///
/// # Errors
/// When the store does not answer.
pub async fn people_of_date(sql: &impl Sql, link: &str, day: &str) -> Result<Vec<(String, String)>> {
    let query =
        "SELECT person, code FROM attendance_days WHERE link_id = $1 AND day = $2 AND person <> '' ORDER BY person";
    let rows = sql.rows(query, vec![link.into(), day.into()]).await?;
    rows.iter().map(|row| Ok((row.get("person")?, row.get("code")?))).collect()
}

/// A link's pending days, by day and code, after `after`.
///
/// # Errors
/// When the store does not answer, or a row does not open.
pub async fn pending(
    store: &Store,
    sql: &impl Sql,
    link: &str,
    after: (&str, &str),
    most: u32,
) -> Result<Vec<BookDay>> {
    let query = format!(
        "SELECT {COLUMNS} FROM attendance_days WHERE link_id = $1 AND state = 'pending' AND (day, code) > ($2, $3) ORDER BY day, code LIMIT $4"
    );
    let values = vec![link.into(), after.0.into(), after.1.into(), i64::from(most).into()];
    sql.rows(&query, values).await?.iter().map(|row| read(store, row)).collect()
}

/// How many days of a link are pending.
///
/// # Errors
/// When the store does not answer.
pub async fn count_pending(sql: &impl Sql, link: &str) -> Result<usize> {
    let query = "SELECT COUNT(*) AS days FROM attendance_days WHERE link_id = $1 AND state = 'pending'";
    let row = sql.row(query, vec![link.into()]).await?;
    let days: i64 = row.map(|row| row.get("days")).transpose()?.unwrap_or(0);
    Ok(usize::try_from(days).unwrap_or(0))
}

/// How a day stood when it was decided about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The run that brought it, or that wants it written again.
    pub run: i64,
    /// Where it stood.
    pub state: DayState,
    /// Whether a person wanted it written again.
    pub forced: bool,
    /// Keyed hash of the row that クラウドログ was known to hold.
    pub held: Option<String>,
}

impl BookDay {
    /// How the day stands.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { run: self.told.run, state: self.state, forced: self.forced, held: self.held.clone() }
    }
}

/// What was decided about a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// 社員コード.
    pub code: String,
    /// `YYYY-MM-DD`.
    pub day: String,
    /// What it was decided from.
    pub seen: Seen,
    /// Where it stands now.
    pub state: DayState,
    /// Why.
    pub why: Option<String>,
    /// Whether a row of it has to be imported from now on, whatever the source says later.
    pub forced: bool,
}

/// Writes decisions down. A day that is forced stays so until a row of it is marked as imported. One that changed since it was read
/// stays as it is: whoever changed it asks for the next decision, which may look at old days only where they are not settled.
///
/// # Errors
/// When the store does not answer.
pub async fn decide(tx: &Tx, tenant: &str, decided: &[Decided]) -> Result<()> {
    for chunk in pieces(decided, tx.rows_at_once(9).min(200)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 9 + 1);
        for one in chunk {
            values.extend([
                one.code.clone().into(),
                one.day.clone().into(),
                one.state.as_str().into(),
                one.why.clone().into(),
                i64::from(one.forced).into(),
                one.seen.run.into(),
                one.seen.state.as_str().into(),
                i64::from(one.seen.forced).into(),
                one.seen.held.clone().into(),
            ]);
        }
        values.push(tenant.into());
        let sql = format!(
            "WITH decided (c, d, s, w, f, seen_run, seen_state, seen_forced, seen_held) AS (VALUES {})
             UPDATE attendance_days SET state = decided.s, why = decided.w,
               forced = CASE WHEN decided.f = 1 THEN 1 ELSE forced END
             FROM decided WHERE tenant_id = ${} AND code = decided.c AND day = decided.d
               AND run_id = decided.seen_run AND state = decided.seen_state AND forced = decided.seen_forced
               AND COALESCE(held, '') = COALESCE(decided.seen_held, '')",
            tuples(chunk.len(), 9, 1),
            chunk.len() * 9 + 1
        );
        tx.exec(&sql, values).await?;
    }
    Ok(())
}

/// Rows that a person says クラウドログ has taken: code, day and keyed hash of the row.
///
/// # Errors
/// When the store does not answer.
pub async fn imported(tx: &Tx, tenant: &str, rows: &[(&str, &str, &str)]) -> Result<u64> {
    let mut taken = 0;
    for chunk in pieces(rows, tx.rows_at_once(3).min(200)) {
        let mut values: Vec<Value> = Vec::with_capacity(chunk.len() * 3 + 1);
        values.extend(chunk.iter().flat_map(|(code, day, held)| [(*code).into(), (*day).into(), (*held).into()]));
        values.push(tenant.into());
        let sql = format!(
            "WITH taken (c, d, h) AS (VALUES {})
             UPDATE attendance_days SET held = taken.h, forced = 0, state = CASE WHEN state = 'pending' THEN 'new' ELSE state END
             FROM taken WHERE tenant_id = ${} AND code = taken.c AND day = taken.d",
            tuples(chunk.len(), 3, 1),
            chunk.len() * 3 + 1
        );
        taken += tx.exec(&sql, values).await?;
    }
    Ok(taken)
}

/// Who of a link stands in the book from `first` to `last`: code and the source's own id.
///
/// # Errors
/// When the store does not answer.
pub async fn people(sql: &impl Sql, link: &str, first: &str, last: &str) -> Result<Vec<(String, String)>> {
    let query = "SELECT DISTINCT code, person FROM attendance_days WHERE link_id = $1 AND day BETWEEN $2 AND $3";
    let rows = sql.rows(query, vec![link.into(), first.into(), last.into()]).await?;
    rows.iter().map(|row| Ok((row.get("code")?, row.get("person")?))).collect()
}

/// How far the days of a run are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Have to be imported.
    pub pending: i64,
    /// In no file, or not all of it, for a reason that somebody should know.
    pub warnings: i64,
}

/// How far the days of each run of a link are.
///
/// # Errors
/// When the store does not answer.
pub async fn tallies(sql: &impl Sql, link: &str) -> Result<BTreeMap<i64, Tally>> {
    let query = "SELECT run_id, COUNT(CASE WHEN state = 'pending' THEN 1 END) AS pending,
          COUNT(CASE WHEN state IN ('handwork', 'unmatched')
            OR (state = 'skipped' AND why <> 'attendance.empty_at_source') THEN 1 END) AS warnings
        FROM attendance_days WHERE link_id = $1 GROUP BY run_id";
    let mut runs = BTreeMap::new();
    for row in sql.rows(query, vec![link.into()]).await? {
        runs.insert(row.get("run_id")?, Tally { pending: row.get("pending")?, warnings: row.get("warnings")? });
    }
    Ok(runs)
}

/// The dates after `after` that have to be decided about: all from `first` on, and older ones of which days are new or pending.
///
/// # Errors
/// When the store does not answer.
pub async fn dates(sql: &impl Sql, link: &str, first: &str, after: &str, most: u32) -> Result<Vec<String>> {
    let query = "SELECT DISTINCT day FROM attendance_days
        WHERE link_id = $1 AND day > $2 AND (day >= $3 OR state IN ('new', 'pending')) ORDER BY day LIMIT $4";
    let rows = sql.rows(query, vec![link.into(), after.into(), first.into(), i64::from(most).into()]).await?;
    rows.iter().map(|row| row.get("day")).collect()
}

/// The tenant's days of one code from `first` to `last`, or of all codes of a link on them, by day and code after `after`.
///
/// # Errors
/// When the store does not answer, or a row does not open.
pub async fn search(
    store: &Store,
    sql: &impl Sql,
    link: &str,
    code: Option<&str>,
    (first, last): (&str, &str),
    after: (&str, &str),
    most: u32,
) -> Result<Vec<BookDay>> {
    let mut values: Vec<Value> =
        vec![link.into(), first.into(), last.into(), after.0.into(), after.1.into(), i64::from(most).into()];
    let whose = match code {
        Some(code) => {
            values.push(code.into());
            " AND code = $7"
        }
        None => "",
    };
    let query = format!(
        "SELECT {COLUMNS} FROM attendance_days WHERE link_id = $1 AND day BETWEEN $2 AND $3 AND (day, code) > ($4, $5){whose}
         ORDER BY day, code LIMIT $6"
    );
    sql.rows(&query, values).await?.iter().map(|row| read(store, row)).collect()
}

/// How many of a link's days are in each state, from `first` to `last`.
///
/// # Errors
/// When the store does not answer.
pub async fn counts(sql: &impl Sql, link: &str, first: &str, last: &str) -> Result<BTreeMap<DayState, i64>> {
    let query = "SELECT state, COUNT(*) AS days FROM attendance_days WHERE link_id = $1 AND day BETWEEN $2 AND $3 GROUP BY state";
    let rows = sql.rows(query, vec![link.into(), first.into(), last.into()]).await?;
    rows.iter().map(|row| Ok((DayState::parse(&row.get::<String>("state")?)?, row.get("days")?))).collect()
}
