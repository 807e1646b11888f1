//! What is open now, read from the store as it is and not from events, so that nothing is missed by a crash or a restart.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::ToSpan as _;
use renkei_attendance::settings::LinkSettings;
use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::episodes::{Item, Trouble};
use renkei_store::links::{self, AttendanceSource};
use renkei_store::{Store, accounts, feeds, troubles};

use super::plan::OpenItems;
use crate::error::Result;
use crate::members::doc::AccountDoc;
use crate::sweep::calendar;

/// A trouble that may pass by itself is told when it has lasted so long.
pub const LASTS: Duration = Duration::from_secs(3600);
/// A task that holds up hires is told so early.
pub const HOLDS_UP_HIRES: Duration = Duration::from_secs(600);
/// So many sweeps in a row must find what no webhook has brought: one that is late is not silent.
const SILENT_SWEEPS: i64 = 2;
/// What stands before a link's id among the connections that mails are about.
pub const LINK: &str = "link:";
/// So many days before a key ends it is told.
const KEY_WARNINGS: [(i32, Code); 2] =
    [(14, Code::AttendanceKeyEndsWithin14Days), (3, Code::AttendanceKeyEndsWithin3Days)];
/// How many people one statement reads.
const PAGE: u32 = 1000;
/// How many people are looked at in all. More of them change no mail: it lists fifty.
const MOST: usize = 100_000;

/// What is open, with the connections that it is about.
#[derive(Default)]
pub struct Scan {
    /// By trouble.
    pub open: OpenItems,
    /// By id.
    pub connections: BTreeMap<String, Connection>,
    /// How many people were looked at.
    pub people: usize,
}

impl Scan {
    fn add(&mut self, code: Code, connection: &str, employee: &str, since: Millis) {
        let Some(connection) = self.connections.get(connection) else { return };
        if connection.state == ConnectionState::Disconnected {
            return;
        }
        let item = Item { connection: connection.id.clone(), employee: employee.to_owned() };
        self.open.entry(Trouble::of(code, connection)).or_default().insert(item, since);
    }
}

/// Looks.
///
/// # Errors
/// When the store does not answer.
pub async fn scan(store: &Store, now: Millis) -> Result<Scan> {
    let mut scan = Scan::default();
    for connection in connections::all(store).await? {
        scan.connections.insert(connection.id.clone(), connection);
    }
    for (connection, code, since) in troubles::halted(&store.db).await? {
        if let Some(code) = Code::parse(&code) {
            scan.add(code, &connection, "", since);
        }
    }
    attendance(store, now, &mut scan).await?;
    people(store, &mut scan).await?;
    no_answer(store, now, &mut scan).await?;
    without_departments(store, &mut scan).await?;
    for task in troubles::tasks_open_since(&store.db, now - HOLDS_UP_HIRES).await? {
        if task.hires_wait || now.since(task.planned) > LASTS {
            for connection in &task.connections {
                scan.add(Code::KaonaviTaskStuck, connection, "", task.planned);
            }
        }
    }
    for (connection, code, since) in feeds::troubles(&store.db).await? {
        // A token that is refused does not mend itself; everything else may pass.
        let code = Code::parse(&code).filter(|code| *code == Code::SourceFeedUnauthorized || now.since(since) > LASTS);
        if let Some(code) = code {
            scan.add(code, &connection, "", since);
        }
    }
    for (connection, since) in feeds::silent(&store.db, SILENT_SWEEPS).await? {
        scan.add(Code::SourceWebhookSilent, &connection, "", since);
    }
    for (connection, since) in troubles::refused_deliveries(&store.db, LASTS).await? {
        scan.add(Code::SourceSignatureInvalid, &connection, "", since);
    }
    Ok(scan)
}

/// Links of attendance: what is wrong with their sources, and keys that end soon.
async fn attendance(store: &Store, now: Millis, scan: &mut Scan) -> Result<()> {
    for link in links::watched(&store.db).await? {
        let settings = LinkSettings::from_stored(&link.settings);
        // No connection has a colon in its id.
        let id = format!("{LINK}{}", link.id);
        let mut told = Connection::draft(&id, &link.tenant, &link.source);
        told.name.clone_from(&link.name);
        told.settings.recipients = settings.recipients;
        scan.connections.insert(id.clone(), told);
        if let Some((code, since)) = &link.trouble
            && let Some(code) = Code::parse(code).filter(|code| code.needs_person())
        {
            scan.add(code, &id, "", *since);
        }
        if let Some(ends) = AttendanceSource::parse(&link.source).and_then(|source| source.key_ends(link.key_issued)) {
            let left = calendar::today(now).until(ends).map_or(i32::MAX, |span| span.get_days());
            for (days, code) in KEY_WARNINGS {
                if left <= days {
                    let since = calendar::on(ends.saturating_sub(days.days()), jiff::civil::Time::midnight());
                    scan.add(code, &id, "", since);
                }
            }
        }
    }
    Ok(())
}

/// Parked and held people whose code needs a person.
async fn people(store: &Store, scan: &mut Scan) -> Result<()> {
    let mut after = None;
    loop {
        let page = troubles::people(&store.db, after.as_ref(), PAGE).await?;
        for person in &page {
            if let Some(code) = Code::parse(&person.reason).filter(|code| code.needs_person()) {
                scan.add(code, &person.key.connection, &person.key.employee, person.since);
            }
        }
        scan.people += page.len();
        after = page.last().map(|person| person.key.clone());
        if page.len() < PAGE as usize {
            return Ok(());
        }
        if scan.people >= MOST {
            tracing::warn!(people.count = scan.people, "too many people need attention, the rest is not looked at now");
            return Ok(());
        }
    }
}

/// Connections that map 所属 while カオナビ does not permit its list.
async fn without_departments(store: &Store, scan: &mut Scan) -> Result<()> {
    for (account, doc) in accounts::docs(store).await? {
        let doc = AccountDoc::read(&doc);
        let Some(since) = doc.departments_denied_since.filter(|_| doc.departments_denied) else { continue };
        let mapped = |connection: &&Connection| {
            connection.account.as_ref() == Some(&account)
                && connection.state == ConnectionState::Active
                && connection.settings.departments.is_some()
        };
        let mapped: Vec<String> = scan.connections.values().filter(mapped).map(|known| known.id.clone()).collect();
        for connection in mapped {
            scan.add(Code::KaonaviDepartmentsNotPermitted, &connection, "", since);
        }
    }
    Ok(())
}

/// Accounts whose calls have failed for an hour. Only connections that are on wait for it.
async fn no_answer(store: &Store, now: Millis, scan: &mut Scan) -> Result<()> {
    for (account, doc) in accounts::docs(store).await? {
        let lasting = AccountDoc::read(&doc).troubles(now).into_iter().filter(|(_, since)| now.since(*since) > LASTS);
        let lasting: Vec<_> = lasting.collect();
        let waiting = |connection: &&Connection| {
            connection.account.as_ref() == Some(&account) && connection.state == ConnectionState::Active
        };
        let waiting: Vec<String> = scan.connections.values().filter(waiting).map(|known| known.id.clone()).collect();
        for (code, since) in lasting {
            for connection in &waiting {
                scan.add(code, connection, "", since);
            }
        }
    }
    Ok(())
}
