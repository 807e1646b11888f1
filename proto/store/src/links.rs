//! Links of attendance: one environment of a source each, and the keys that somebody entered and nobody has tried yet.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;
use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use sea_orm::Value;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::attendance::{files, mornings, shared_codes};
use crate::db::{Row, Sql, Tx};
use crate::error::{Result, StoreError};
use crate::jobs::{self, NewJob};
use crate::runs::{self, Run, RunKind, RunState};

/// The kind of the job that brings the days before, every day at 05:00.
pub const WINDOW: &str = "window";
/// The kind of the job that brings days which a person chose.
pub const MANUAL: &str = "manual_run";
/// The kind of the job that decides which days of the book have to go to クラウドログ.
pub const DECIDE: &str = "decide";
/// The kind of the job that asks a source whether it takes a key.
pub const CHECK: &str = "key_check";

/// How long the book may take to have what a run puts on the log.
const BOOK_FOLLOWS: Duration = Duration::from_secs(60);
/// When a link is decided about whose days go to another one, unless that one's run ends before.
const GIVES_WAY: Duration = Duration::from_secs(600);
/// A day in milliseconds.
const DAY_MS: i64 = 24 * 3_600_000;
/// How many months a key of HRMOS勤怠 lives.
const HRMOS_KEY_MONTHS: i32 = 3;

/// What attendance comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttendanceSource {
    /// HRMOS勤怠.
    Hrmos,
    /// KING OF TIME.
    Kingoftime,
    /// 勤革時.
    Kinkakuji,
}

impl AttendanceSource {
    /// All, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Hrmos, Self::Kingoftime, Self::Kinkakuji];

    /// The stored text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hrmos => "hrmos",
            Self::Kingoftime => "kingoftime",
            Self::Kinkakuji => "kinkakuji",
        }
    }

    /// The source with this text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == text)
    }

    /// When a key ends that was issued on a day; `None`: it lasts until somebody stops it.
    #[must_use]
    pub fn key_ends(self, issued: Date) -> Option<Date> {
        match self {
            Self::Hrmos => Some(issued.saturating_add(HRMOS_KEY_MONTHS.months())),
            Self::Kingoftime | Self::Kinkakuji => None,
        }
    }

    /// What people call it.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Hrmos => "HRMOS勤怠",
            Self::Kingoftime => "KING OF TIME",
            Self::Kinkakuji => "勤革時",
        }
    }
}

/// What a person ticked before the link was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// Stable name, such as `kintai_on`.
    pub what: String,
    /// Who.
    pub who: String,
    /// When.
    pub at: Millis,
}

/// A link.
#[derive(Clone)]
pub struct Link {
    /// Its id.
    pub id: String,
    /// The company.
    pub tenant: String,
    /// 連携名.
    pub name: String,
    /// What it reads from.
    pub source: AttendanceSource,
    /// The company of the source's login URL.
    pub company: String,
    /// API KEY or access token.
    pub key: SecretString,
    /// Names the key among jobs without telling it.
    pub queue: String,
    /// When the key was issued.
    pub key_issued: Date,
    /// 自動同期.
    pub auto: bool,
    /// Decisions of the administrator, as JSON.
    pub settings: String,
    /// Rises with every change.
    pub settings_version: i64,
    /// The source's work types as last read, as JSON.
    pub segments: String,
    /// What was ticked.
    pub stated: Vec<Statement>,
    /// When it was made.
    pub created: Millis,
    /// The due day of the last window that came to its end.
    pub complete: Option<Date>,
    /// Whether the last window failed.
    pub failed: bool,
    /// What is wrong with the source, and since when.
    pub trouble: Option<(String, Millis)>,
}

impl Link {
    /// A link to a company of a source that no window has read yet, with its id for a name and every decision at its default.
    #[must_use]
    pub fn draft(
        store: &Store,
        id: &str,
        tenant: &str,
        (source, company): (AttendanceSource, &str),
        key: SecretString,
        key_issued: Date,
        created: Millis,
    ) -> Self {
        Self {
            id: id.to_owned(),
            tenant: tenant.to_owned(),
            name: id.to_owned(),
            source,
            company: company.to_owned(),
            queue: queue(store, source, company, &key),
            key,
            key_issued,
            auto: true,
            settings: "{}".to_owned(),
            settings_version: 1,
            segments: "{}".to_owned(),
            stated: Vec::new(),
            created,
            complete: None,
            failed: false,
            trouble: None,
        }
    }

    /// Whether a person of the book is one of the company that the link reads now. Ids of HRMOS勤怠 bear their company; those of
    /// the others are nobody else's anywhere.
    #[must_use]
    pub fn is_own(&self, person: &str) -> bool {
        match self.source {
            AttendanceSource::Hrmos => person.strip_prefix(&self.company).is_some_and(|rest| rest.starts_with('/')),
            AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji => true,
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("id", &self.id).field("source", &self.source).finish_non_exhaustive()
    }
}

fn place(link: &str) -> String {
    format!("links.api_key|{link}")
}

fn date(text: &str) -> Result<Date> {
    text.parse().map_err(|_| StoreError::Corrupt("date".to_owned()))
}

const COLUMNS: &str =
    "link_id, tenant_id, name, source, company, api_key, queue, key_issued, auto, settings, settings_version,
    segments, stated, created_ms, complete_day, failed, trouble_code, trouble_since_ms";

fn read(store: &Store, row: &Row) -> Result<Link> {
    let id: String = row.get("link_id")?;
    let key = store.keys.open(&place(&id), &row.get::<Vec<u8>>("api_key")?)?;
    let key = String::from_utf8(key).map_err(|_| StoreError::Corrupt("api key".to_owned()))?;
    let source: String = row.get("source")?;
    let complete: Option<String> = row.get("complete_day")?;
    Ok(Link {
        tenant: row.get("tenant_id")?,
        name: row.get("name")?,
        source: AttendanceSource::parse(&source).ok_or_else(|| StoreError::Corrupt("attendance source".to_owned()))?,
        company: row.get("company")?,
        key: SecretString::from(key),
        queue: row.get("queue")?,
        key_issued: date(&row.get::<String>("key_issued")?)?,
        auto: row.get::<i64>("auto")? == 1,
        settings: row.get("settings")?,
        settings_version: row.get("settings_version")?,
        segments: row.get("segments")?,
        stated: serde_json::from_str(&row.get::<String>("stated")?)?,
        created: Millis(row.get("created_ms")?),
        complete: complete.as_deref().map(date).transpose()?,
        failed: row.get::<i64>("failed")? == 1,
        trouble: row
            .get::<Option<String>>("trouble_code")?
            .zip(row.get::<Option<i64>>("trouble_since_ms")?.map(Millis)),
        id,
    })
}

/// Names a key of a source without telling it.
#[must_use]
pub fn queue(store: &Store, source: AttendanceSource, company: &str, key: &SecretString) -> String {
    let parts = [source.as_str().as_bytes(), company.as_bytes(), key.expose_secret().as_bytes()];
    format!("{}:{}", source.as_str(), store.keys.hash("source_credential", &parts))
}

/// Makes or replaces a link. How far its windows came stays. `false`, and nothing is written: another tenant has one of this id
/// (I9).
///
/// # Errors
/// When the store does not answer.
pub async fn put(store: &Store, tx: &Tx, link: &Link) -> Result<bool> {
    let sealed = store.keys.seal(&place(&link.id), link.key.expose_secret().as_bytes());
    let sql = "INSERT INTO links (link_id, tenant_id, name, source, company, api_key, queue, key_issued, auto, settings, stated, created_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        ON CONFLICT (link_id) DO UPDATE SET name = excluded.name, company = excluded.company, api_key = excluded.api_key,
          queue = excluded.queue, key_issued = excluded.key_issued, auto = excluded.auto, settings = excluded.settings,
          stated = excluded.stated, settings_version = links.settings_version + 1
        WHERE links.tenant_id = excluded.tenant_id";
    let values: Vec<Value> = vec![
        link.id.clone().into(),
        link.tenant.clone().into(),
        link.name.clone().into(),
        link.source.as_str().into(),
        link.company.clone().into(),
        sealed.into(),
        link.queue.clone().into(),
        link.key_issued.to_string().into(),
        i64::from(link.auto).into(),
        link.settings.clone().into(),
        serde_json::to_string(&link.stated)?.into(),
        link.created.0.into(),
    ];
    Ok(tx.exec(sql, values).await? == 1)
}

/// One link, if there is one.
///
/// # Errors
/// When the store does not answer, or the key does not open.
pub async fn find(store: &Store, sql: &impl Sql, id: &str) -> Result<Option<Link>> {
    let row = sql.row(&format!("SELECT {COLUMNS} FROM links WHERE link_id = $1"), vec![id.into()]).await?;
    row.map(|row| read(store, &row)).transpose()
}

/// One link of a tenant; another tenant's is as good as none (I9).
///
/// # Errors
/// As [`find`].
pub async fn find_own(store: &Store, sql: &impl Sql, tenant: &str, id: &str) -> Result<Option<Link>> {
    Ok(find(store, sql, id).await?.filter(|link| link.tenant == tenant))
}

/// The tenant's links in the order of their creation.
///
/// # Errors
/// As [`find`].
pub async fn of_tenant(store: &Store, sql: &impl Sql, tenant: &str) -> Result<Vec<Link>> {
    let query = format!("SELECT {COLUMNS} FROM links WHERE tenant_id = $1 ORDER BY created_ms, link_id");
    let rows = sql.rows(&query, vec![tenant.into()]).await?;
    rows.iter().map(|row| read(store, row)).collect()
}

/// What has to be watched about a link, without its key.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its id.
    pub id: String,
    /// The company.
    pub tenant: String,
    /// 連携名.
    pub name: String,
    /// What it reads from.
    pub source: String,
    /// When the key was issued.
    pub key_issued: Date,
    /// Decisions of the administrator, as JSON.
    pub settings: String,
    /// What is wrong with the source, and since when.
    pub trouble: Option<(String, Millis)>,
}

/// All links, by id.
///
/// # Errors
/// When the store does not answer.
pub async fn watched(sql: &impl Sql) -> Result<Vec<Watched>> {
    let query =
        "SELECT link_id, tenant_id, name, source, key_issued, settings, trouble_code, trouble_since_ms FROM links
        ORDER BY link_id";
    let read = |row: &Row| {
        Ok(Watched {
            id: row.get("link_id")?,
            tenant: row.get("tenant_id")?,
            name: row.get("name")?,
            source: row.get("source")?,
            key_issued: date(&row.get::<String>("key_issued")?)?,
            settings: row.get("settings")?,
            trouble: row
                .get::<Option<String>>("trouble_code")?
                .zip(row.get::<Option<i64>>("trouble_since_ms")?.map(Millis)),
        })
    };
    sql.rows(query, vec![]).await?.iter().map(read).collect()
}

/// Takes a link away, with its key, its place on the calendar, its protected days, and the files and mails of mornings that wait.
/// What it brought stays in the book.
///
/// # Errors
/// When the store does not answer.
pub async fn remove(tx: &Tx, link: &str, now: Millis) -> Result<()> {
    jobs::remove(tx, &window_job(link)).await?;
    for kind in [MANUAL, DECIDE] {
        jobs::remove_all(tx, kind, link).await?;
    }
    tx.exec("DELETE FROM links WHERE link_id = $1", vec![link.into()]).await?;
    tx.exec("DELETE FROM attendance_protections WHERE link_id = $1", vec![link.into()]).await?;
    mornings::remove_link(tx, link, now).await?;
    shared_codes::remove_link(tx, link).await?;
    files::discard_unmade(tx, link).await?;
    files::supersede(tx, link).await?;
    Ok(())
}

/// Locks the tenant's row, so that runs of one tenant begin one after the other.
///
/// # Errors
/// When the store does not answer.
pub async fn lock_tenant(tx: &Tx, tenant: &str) -> Result<()> {
    let query = format!("SELECT tenant_id FROM tenants WHERE tenant_id = $1{}", tx.for_update());
    tx.row(&query, vec![tenant.into()]).await?;
    Ok(())
}

/// The same, if nobody has it locked now; `false`: somebody has.
///
/// # Errors
/// When the store does not answer.
pub async fn try_lock_tenant(tx: &Tx, tenant: &str) -> Result<bool> {
    let query = format!("SELECT tenant_id FROM tenants WHERE tenant_id = $1{}", tx.for_update_skip_locked());
    Ok(tx.row(&query, vec![tenant.into()]).await?.is_some())
}

/// A window came to its end, or failed.
///
/// # Errors
/// When the store does not answer.
pub async fn window_ended(tx: &Tx, link: &str, complete: Option<Date>) -> Result<()> {
    let sql = "UPDATE links SET failed = $1, complete_day = COALESCE($2, complete_day) WHERE link_id = $3";
    let day = complete.map(|day| day.to_string());
    tx.exec(sql, vec![i64::from(day.is_none()).into(), day.into(), link.into()]).await?;
    Ok(())
}

/// Keeps the source's work types.
///
/// # Errors
/// When the store does not answer.
pub async fn set_segments(tx: &Tx, link: &str, segments: &str) -> Result<()> {
    tx.exec("UPDATE links SET segments = $1 WHERE link_id = $2", vec![segments.into(), link.into()]).await?;
    Ok(())
}

/// Whether the id stands in what another tenant has, or had: what was kept of a link that was taken away is that tenant's (I9).
///
/// # Errors
/// When the store does not answer.
pub async fn is_anothers(sql: &impl Sql, tenant: &str, id: &str) -> Result<bool> {
    let query = "SELECT 1 AS one FROM links WHERE link_id = $1 AND tenant_id <> $2
        UNION ALL SELECT 1 FROM link_checks WHERE link_id = $1 AND tenant_id <> $2 AND state = 'wanted'
        UNION ALL SELECT 1 FROM attendance_days WHERE link_id = $1 AND tenant_id <> $2
        UNION ALL SELECT 1 FROM attendance_files WHERE link_id = $1 AND tenant_id <> $2
        UNION ALL SELECT 1 FROM handwork WHERE link_id = $1 AND tenant_id <> $2
        UNION ALL SELECT 1 FROM runs WHERE subject = $1 AND tenant_id <> $2
        UNION ALL SELECT 1 FROM audit WHERE target = $1 AND tenant_id <> $2 AND action LIKE 'link.%' LIMIT 1";
    Ok(sql.row(query, vec![id.into(), tenant.into()]).await?.is_some())
}

/// The link gets another key: what is on the calendar waits for that one's turn from now on, and a run under way goes on with
/// it. With another company a window that is due begins anew. Whoever holds one of these jobs waits for it before all else, so
/// this comes before the link itself is written.
///
/// # Errors
/// When the store does not answer.
pub async fn replan(tx: &Tx, link: &Link, another_company: bool) -> Result<()> {
    for kind in [WINDOW, MANUAL] {
        jobs::move_to_queue(tx, kind, &link.id, &link.queue).await?;
    }
    if another_company {
        jobs::remove_all(tx, MANUAL, &link.id).await?;
        jobs::begin_anew(tx, &window_job(&link.id)).await?;
    }
    Ok(())
}

/// The link reads another company from now on, and was planned anew ([`replan`]). What was read of the one before tells nothing
/// of it: a run under way ends, and the next window reads everything.
///
/// # Errors
/// When the store does not answer.
pub async fn company_changed(store: &Store, tx: &Tx, link: &Link, now: Millis) -> Result<()> {
    for mut run in runs::open_ones(tx, &link.tenant, &[RunKind::Window, RunKind::Manual]).await? {
        if run.subject == link.id {
            runs::stop(tx, &mut run, Code::AttendanceCancelled, now).await?;
        }
    }
    let sql =
        "UPDATE links SET complete_day = NULL, failed = 0, segments = '{}', company_since_ms = $1 WHERE link_id = $2";
    tx.exec(sql, vec![now.0.into(), link.id.clone().into()]).await?;
    shared_codes::remove_link(tx, &link.id).await?;
    run_ended(store, tx, (&link.tenant, &link.id), now, now + BOOK_FOLLOWS).await
}

/// Somebody cancels a run that has not ended. Whoever works on it writes nothing more; a window comes again on the next day. What
/// was read stays, and is decided about. `false`: it has ended.
///
/// # Errors
/// When the store does not answer.
pub async fn cancel_run(store: &Store, tx: &Tx, run: &Run, now: Millis) -> Result<bool> {
    // The job first, as whoever works on the run does.
    match run.kind {
        RunKind::Manual => jobs::remove_all(tx, MANUAL, &run.subject).await?,
        _ => jobs::put_off(tx, &window_job(&run.subject), next_slot(run.slot, now)).await?,
    }
    let Some(mut run) = runs::find(tx, run.id).await? else { return Ok(false) };
    if !runs::stop(tx, &mut run, Code::AttendanceCancelled, now).await? {
        return Ok(false);
    }
    run_ended(store, tx, (&run.tenant, &run.subject), now, now + BOOK_FOLLOWS).await?;
    Ok(true)
}

/// 自動同期 is switched on: its windows begin with the next 05:00, never at once. One that is due already, because nobody worked while
/// it was off, is not made up for; one that has begun goes on. As with [`replan`] this comes before the link itself is written.
///
/// # Errors
/// When the store does not answer.
pub async fn switched_on(tx: &Tx, link: &Link, now: Millis) -> Result<()> {
    let name = window_job(&link.id);
    let open = runs::open_ones(tx, &link.tenant, &[RunKind::Window]).await?;
    let own = open.into_iter().find(|run| run.subject == link.id);
    if own.as_ref().is_some_and(|run| run.state == RunState::Running) {
        return Ok(());
    }
    let Some(due) = jobs::find(tx, &name, now).await?.filter(|job| job.slot <= now) else { return Ok(()) };
    jobs::put_off(tx, &name, next_slot(due.slot, now)).await?;
    if let Some(mut waiting) = own {
        runs::stop(tx, &mut waiting, Code::AttendanceCancelled, now).await?;
    }
    Ok(())
}

/// The first time after `now` that is some whole days after `slot`, and not `slot` itself. Tokyo has no daylight saving, so every
/// day has as many hours.
fn next_slot(slot: Millis, now: Millis) -> Millis {
    let days = (now.0 - slot.0).div_euclid(DAY_MS) + 1;
    Millis(slot.0 + days.max(1) * DAY_MS)
}

/// What is wrong with a link's source; `None`: nothing any more. The time of the first failure stays.
///
/// # Errors
/// When the store does not answer.
pub async fn set_trouble(tx: &Tx, link: &str, code: Option<&str>, now: Millis) -> Result<()> {
    let sql =
        "UPDATE links SET trouble_since_ms = CASE WHEN $1 IS NULL THEN NULL ELSE COALESCE(trouble_since_ms, $2) END,
        trouble_code = $1 WHERE link_id = $3";
    tx.exec(sql, vec![code.map(str::to_owned).into(), now.0.into(), link.into()]).await?;
    Ok(())
}

/// How far a manual run is, as it begins. The worker's own notes have the same names.
#[derive(Serialize, Deserialize)]
struct ManualDoc {
    first: Date,
    last: Date,
    executor: String,
}

/// Puts a manual run on the calendar, to begin at once.
///
/// # Errors
/// When the store does not answer.
pub async fn plan_manual(tx: &Tx, link: &Link, days: (Date, Date), executor: &str, now: Millis) -> Result<()> {
    let job = NewJob {
        name: format!("{MANUAL}:{}:{}", link.id, now.0),
        kind: MANUAL,
        subject: link.id.clone(),
        queue: link.queue.clone(),
        slot: now,
        due: now,
        doc: serde_json::to_string(&ManualDoc { first: days.0, last: days.1, executor: executor.to_owned() })?,
    };
    jobs::put(tx, &job).await?;
    Ok(())
}

/// The link of a manual run of the tenant that is on the calendar, and who wants it, if there is one.
///
/// # Errors
/// When the store does not answer.
pub async fn manual_waiting(sql: &impl Sql, tenant: &str) -> Result<Option<(String, String)>> {
    let query = "SELECT subject, doc FROM jobs, links WHERE jobs.kind = $1 AND links.link_id = jobs.subject AND links.tenant_id = $2 LIMIT 1";
    let row = sql.row(query, vec![MANUAL.into(), tenant.into()]).await?;
    row.map(|row| {
        let doc: ManualDoc = serde_json::from_str(&row.get::<String>("doc")?)?;
        Ok((row.get("subject")?, doc.executor))
    })
    .transpose()
}

/// Something changed that decides which of a link's days have to go to クラウドログ: they are decided about anew, at `now` at the
/// latest. However much changes until a worker begins, it is done once.
///
/// # Errors
/// When the store does not answer.
pub async fn want_decision(store: &Store, tx: &Tx, link: &str, now: Millis) -> Result<()> {
    // One that a worker holds may have read what was true before; so has one that was given back half made, which begins anew.
    // One that somebody else is about to take or to ask for is not waited for, lest two who do so wait for each other.
    let free = tx.for_update_skip_locked();
    let sql = format!(
        "UPDATE jobs SET doc = '{{}}', slot_ms = CASE WHEN slot_ms > $3 THEN $3 ELSE slot_ms END,
          due_ms = CASE WHEN due_ms > $3 THEN $3 ELSE due_ms END
        WHERE name IN (SELECT name FROM jobs WHERE kind = $1 AND subject = $2 AND owner IS NULL{free})"
    );
    if tx.exec(&sql, vec![DECIDE.into(), link.into(), now.0.into()]).await? > 0 {
        return Ok(());
    }
    let fresh = crate::seal::fresh_key();
    let job = NewJob {
        name: format!("{DECIDE}:{link}:{}", store.keys.hash("job", &[&fresh[..]])),
        kind: DECIDE,
        subject: link.to_owned(),
        queue: format!("{DECIDE}:{link}"),
        slot: now,
        due: now,
        doc: "{}".to_owned(),
    };
    jobs::put(tx, &job).await?;
    Ok(())
}

/// Days of these links went to another one, whose run may take more of them: their files and lists of handwork are decided about
/// anew, and not for each of these days.
///
/// # Errors
/// When the store does not answer.
pub async fn gave_way(store: &Store, tx: &Tx, links: &BTreeSet<String>, now: Millis) -> Result<()> {
    for link in links {
        want_decision(store, tx, link, now + GIVES_WAY).await?;
    }
    Ok(())
}

/// A run of a company's link has ended: the link is decided about `at` the latest, and at once what others wait with for that end.
///
/// # Errors
/// When the store does not answer.
pub async fn run_ended(store: &Store, tx: &Tx, (tenant, link): (&str, &str), now: Millis, at: Millis) -> Result<()> {
    decide_at_once(tx, tenant, now).await?;
    want_decision(store, tx, link, at).await
}

/// What links of the company wait with is decided about at once.
///
/// # Errors
/// When the store does not answer.
pub async fn decide_at_once(tx: &Tx, tenant: &str, now: Millis) -> Result<()> {
    let sql = format!(
        "UPDATE jobs SET slot_ms = $1, due_ms = $1 WHERE name IN (SELECT name FROM jobs WHERE kind = $2 AND owner IS NULL
           AND due_ms > $1 AND subject IN (SELECT link_id FROM links WHERE tenant_id = $3){})",
        tx.for_update_skip_locked()
    );
    tx.exec(&sql, vec![now.0.into(), DECIDE.into(), tenant.into()]).await?;
    Ok(())
}

/// The name of a link's window among the jobs.
#[must_use]
pub fn window_job(link: &str) -> String {
    format!("{WINDOW}:{link}")
}

/// Puts a link's next window on the calendar, if it is not there.
///
/// # Errors
/// When the store does not answer.
pub async fn plan_window(tx: &Tx, link: &Link, slot: Millis) -> Result<bool> {
    let job = NewJob {
        name: window_job(&link.id),
        kind: WINDOW,
        subject: link.id.clone(),
        queue: link.queue.clone(),
        slot,
        due: slot,
        doc: "{}".to_owned(),
    };
    jobs::put(tx, &job).await
}
