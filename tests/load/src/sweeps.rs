//! Very many connections whose sweeps are due at the same quarter hour.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::feed::{self, CompanySpec, Feed, Settings, sample};
use renkei_sandbox::http;
use renkei_store::connections::{self, Connection};
use renkei_store::db::Sql as _;
use renkei_store::seal::MasterKey;
use renkei_store::{Store, feeds};
use renkei_workers::sweep::calendar;
use secrecy::SecretString;

use crate::Options;
use crate::error::LoadError;
use crate::machine;
use crate::stage::{Servers, Stage};

/// From now until the quarter hour that everybody waits for.
const AHEAD: Duration = Duration::from_secs(10);
/// How long one of a hundred sources takes to answer.
const SLOW: Duration = Duration::from_secs(30);
/// How long all sweeps together may take until they are given up.
const PATIENCE: Duration = Duration::from_secs(900);
/// What the figures are to be.
const STARTED: Duration = Duration::from_secs(60);
const DONE: Duration = Duration::from_secs(300);
const MEMORY: u64 = 300;

/// What was seen.
#[derive(Debug)]
pub struct Sweeps {
    turns: Vec<Turn>,
}

#[derive(Debug)]
struct Turn {
    name: &'static str,
    connections: usize,
    started: Duration,
    done: Duration,
    memory: u64,
    cpu: Duration,
}

impl Sweeps {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = String::from("Sweeps: every source due at one quarter hour, each asked once\n");
        for turn in &self.turns {
            let met = turn.started <= STARTED && turn.done <= DONE && turn.memory <= MEMORY;
            let _ = writeln!(
                text,
                "  {:<22} {} connections: all started after {:.1} s (aim ≤ 60), the last done after {:.1} s (aim ≤ 300), \
                 at most {} MiB (aim ≤ 300), {:.1} s of CPU: {}",
                turn.name,
                turn.connections,
                turn.started.as_secs_f64(),
                turn.done.as_secs_f64(),
                turn.memory,
                turn.cpu.as_secs_f64(),
                if met { "met" } else { "NOT MET" }
            );
        }
        text
    }
}

/// Measures.
pub async fn measure(servers: &Servers, options: &Options) -> Result<Sweeps, LoadError> {
    let mut turns = Vec::new();
    for (name, slow) in [("all answer at once", false), ("1 % answer after 30 s", true)] {
        turns.push(turn(servers, options, name, slow).await?);
    }
    Ok(Sweeps { turns })
}

async fn turn(servers: &Servers, options: &Options, name: &'static str, slow: bool) -> Result<Turn, LoadError> {
    let count = options.sources.get();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::real());
    let (source, origin) = simulate(count, slow, &clock).await?;
    let prefix = if slow { "sweepslow" } else { "sweepfast" };
    let stage = Stage::set(servers, prefix, options.threads())?;
    let master = MasterKey::parse(&stage.master_key).map_err(|error| LoadError::Wrong(error.to_string()))?;
    let store = Store::open(&stage.store_url, &master, Arc::clone(&clock)).await?;
    declare(&store, count, &origin).await?;
    let sweeper = stage.start("renkei-workers", &["--roles", "sweep"])?;
    let pid = sweeper.pid()?;
    let slot = due_at_once(&store, count).await?;
    let cpu = machine::cpu(pid);
    loop {
        let row = store
            .db
            .row("SELECT COUNT(*) AS done, MAX(checked_ms) AS last FROM feeds WHERE sweeps > 0", vec![])
            .await?;
        let row = row.ok_or_else(|| LoadError::Wrong("no answer".to_owned()))?;
        let (done, last): (i64, Option<i64>) = (row.get("done")?, row.get("last")?);
        let now = store.now().await?;
        if usize::try_from(done).unwrap_or(0) == count {
            let begun = source
                .lock()
                .await
                .companies()
                .filter_map(|company| company.log().calls().next().map(|call| call.at))
                .max();
            return Ok(Turn {
                name,
                connections: count,
                started: begun.unwrap_or(now).since(slot),
                done: last.map_or(now, Millis).since(slot),
                memory: machine::memory(pid).1,
                cpu: machine::cpu(pid).saturating_sub(cpu),
            });
        }
        if now.since(slot) > PATIENCE {
            return Err(LoadError::Wrong(format!("{done} of {count} sweeps came to their end")));
        }
        clock.sleep(Duration::from_millis(200)).await;
    }
}

/// A source for each connection, with one person who was changed since the last sweep.
async fn simulate(count: usize, slow: bool, clock: &Arc<dyn Clock>) -> Result<(feed::Shared, String), LoadError> {
    let wrong = |error: &dyn std::fmt::Display| LoadError::Wrong(error.to_string());
    let mut feed = Feed::new();
    for index in 0..count {
        let id = id(index);
        let settings = Settings { late: feed::Late::Never, ..Settings::default() };
        let spec = CompanySpec { token: format!("token-{id}"), settings, id };
        let company = feed.add(spec).map_err(|error| wrong(&error))?;
        company.put(clock.now(), sample::person(index % 60)).map_err(|error| wrong(&error))?;
        if slow && index % 100 == 50 {
            let faults = company.faults_mut();
            faults.slow_answers = 1;
            faults.slow_answer_ms = u64::try_from(SLOW.as_millis()).unwrap_or(0);
        }
    }
    let feed = feed.shared();
    let listener = TcpListener::bind("127.0.0.1:0").map_err(LoadError::io("listen"))?;
    let address = listener.local_addr().map_err(LoadError::io("listen"))?;
    let server = http::serve(listener, feed.clone(), Arc::clone(clock)).map_err(|error| wrong(&error))?;
    tokio::spawn(server);
    Ok((feed, format!("http://{address}")))
}

fn id(index: usize) -> String {
    format!("s{index:05}")
}

async fn declare(store: &Store, count: usize, origin: &str) -> Result<(), LoadError> {
    let indexes: Vec<usize> = (0..count).collect();
    for chunk in indexes.chunks(500) {
        let tx = store.begin().await?;
        let now = store.now_in(&tx).await?;
        connections::put_tenant(&tx, "sweeps", "測定", now).await?;
        for index in chunk {
            let id = id(*index);
            connections::insert(&tx, &Connection::draft(&id, "sweeps", "roumumate"), now).await?;
            let (url, token) = (format!("{origin}{}", Feed::path(&id)), SecretString::from(format!("token-{id}")));
            feeds::put(store, &tx, &id, &url, &token, Duration::from_secs(300)).await?;
            feeds::plan(store, &tx, &id, &token, false, now + PATIENCE * 10).await?;
        }
        tx.commit().await?;
    }
    // As if they had been switched on an hour ago.
    let before = (store.now().await? - Duration::from_secs(3600)).0;
    let sql =
        "UPDATE connections SET state = 'active', activated_ms = $1, activated_wall_ms = $1 WHERE tenant_id = 'sweeps'";
    store.db.exec(sql, vec![before.into()]).await?;
    Ok(())
}

/// Puts all sweeps at the same slot, each with the offset that it has in every quarter hour.
async fn due_at_once(store: &Store, count: usize) -> Result<Millis, LoadError> {
    let slot = store.now().await? + AHEAD;
    let many = i64::try_from(count).unwrap_or(i64::MAX);
    let tx = store.begin().await?;
    for index in 0..count {
        let id = id(index);
        let due = slot + calendar::offset(&id, many);
        let sql = "UPDATE jobs SET slot_ms = $1, due_ms = $2 WHERE name = $3";
        tx.exec(sql, vec![slot.0.into(), due.0.into(), feeds::sweep_job(&id).into()]).await?;
    }
    tx.commit().await?;
    Ok(slot)
}
