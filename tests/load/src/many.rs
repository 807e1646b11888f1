//! Many connections on one worker, few of them active.

use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::kaonavi::{Kaonavi, Shared, http, sample};
use renkei_sandbox::send;
use renkei_store::Store;
use renkei_store::db::Sql as _;
use renkei_store::seal::MasterKey;
use serde_json::json;

use crate::Options;
use crate::error::LoadError;
use crate::machine;
use crate::stage::{Servers, Stage};

/// How long all connections together may take to become active.
const ACTIVE: Duration = Duration::from_secs(600);
/// After activation: until the slots of the verifications are free and nothing is left to do.
const SETTLE: Duration = Duration::from_secs(75);
/// How long CPU is looked at while nothing happens.
const IDLE: Duration = Duration::from_secs(30);
/// Hires of each active connection, far enough apart that none waits for another.
const HIRES: usize = 4;
const APART: Duration = Duration::from_secs(22);
/// How long a hire may take until it is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was seen.
#[derive(Debug)]
pub struct Many {
    connections: usize,
    active: usize,
    activation: Duration,
    memory: (u64, u64),
    idle_cpu_percent: f64,
    waits: Vec<Duration>,
}

impl Many {
    /// For a terminal.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let at = |share: f64| {
            let last = self.waits.len().saturating_sub(1);
            self.waits.get((last as f64 * share).round() as usize).copied().unwrap_or_default().as_millis()
        };
        let _ = writeln!(
            text,
            "Many: {} connections on one worker, all active after {:.0} s; resident {} MiB (at most {}), idle CPU {:.2} % of a core",
            self.connections,
            self.activation.as_secs_f64(),
            self.memory.0,
            self.memory.1,
            self.idle_cpu_percent
        );
        let _ = writeln!(
            text,
            "      {} of them active, {} hires: from 202 to カオナビ p50 {} ms, p99 {} ms, most {} ms",
            self.active,
            self.waits.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
        text
    }
}

/// Measures.
pub async fn measure(servers: &Servers, options: &Options) -> Result<Many, LoadError> {
    let count = options.companies.get();
    let names: Vec<String> = (0..count).map(|index| format!("co{index:05}")).collect();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::real());
    let (kaonavi, base_url) = simulate(&names, &clock)?;
    let accounts: Vec<&str> = names.iter().map(String::as_str).collect();
    let stage = Stage::declare(servers, "many", options.threads(), &base_url, &yaml(&names), &accounts)?;
    let ingest = stage.start("renkei-ingest", &[])?;
    let workers = stage.start("renkei-workers", &[])?;
    let master = MasterKey::parse(&stage.master_key).map_err(|error| LoadError::Wrong(error.to_string()))?;
    let store = Store::open(&stage.store_url, &master, Arc::clone(&clock)).await?;

    let begun = clock.monotonic();
    loop {
        let row = store.db.row("SELECT COUNT(*) AS n FROM connections WHERE state = 'active'", vec![]).await?;
        let active: i64 = row.map(|row| row.get("n")).transpose()?.unwrap_or(0);
        if usize::try_from(active).unwrap_or(0) == count {
            break;
        }
        if clock.monotonic().saturating_sub(begun) > ACTIVE {
            return Err(LoadError::Wrong(format!("{active} of {count} connections became active")));
        }
        clock.sleep(Duration::from_millis(500)).await;
    }
    let activation = clock.monotonic().saturating_sub(begun);
    println!("many: {count} connections are active after {:.0} s", activation.as_secs_f64());
    clock.sleep(SETTLE).await;
    let pid = workers.pid()?;
    let (cpu, since) = (machine::cpu(pid), clock.monotonic());
    clock.sleep(IDLE).await;
    let idle = machine::cpu(pid).saturating_sub(cpu).as_secs_f64();
    let idle_cpu_percent = 100.0 * idle / clock.monotonic().saturating_sub(since).as_secs_f64();

    let active = (count / 100).max(1);
    let sending = Sending { client: client()?, kaonavi, clock, port: ingest.port, secret: &stage.secret };
    let mut waits = Vec::with_capacity(active * HIRES);
    for hire in 0..HIRES {
        for company in names.iter().step_by((count / active).max(1)).take(active) {
            waits.push(sending.hire(company, hire).await?);
        }
        sending.clock.sleep(APART).await;
    }
    waits.sort_unstable();
    Ok(Many { connections: count, active, activation, memory: machine::memory(pid), idle_cpu_percent, waits })
}

fn simulate(names: &[String], clock: &Arc<dyn Clock>) -> Result<(Shared, String), LoadError> {
    let mut kaonavi = Kaonavi::new();
    for name in names {
        kaonavi.add(sample::company(name)).map_err(|error| LoadError::Wrong(error.to_string()))?;
    }
    let kaonavi = kaonavi.shared();
    let listener = TcpListener::bind("127.0.0.1:0").map_err(LoadError::io("listen"))?;
    let address = listener.local_addr().map_err(LoadError::io("listen"))?;
    let server = http::serve(listener, Arc::clone(&kaonavi), Arc::clone(clock))
        .map_err(|error| LoadError::Wrong(error.to_string()))?;
    tokio::spawn(server);
    Ok((kaonavi, format!("http://{address}/api/v2.0")))
}

fn yaml(names: &[String]) -> String {
    let mut yaml = "tenants:\n  - id: many\n    connections:\n".to_owned();
    for name in names {
        let _ = writeln!(
            yaml,
            "      - {{ id: {name}, source: roumumate, webhook_secrets: [{{ secret: {{ file: webhook_secret }} }}], \
             kaonavi: {{ consumer_key: {{ file: key-{name} }}, consumer_secret: {{ file: secret-{name} }} }}, \
             mapping: {{ gender: {{ 男性: 男性, 女性: 女性 }} }}, state: active }}"
        );
    }
    yaml
}

fn client() -> Result<reqwest::Client, LoadError> {
    // TLS is not used here, but a client is not built without a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    send::client().map_err(|error| LoadError::Wrong(error.to_string()))
}

struct Sending<'a> {
    client: reqwest::Client,
    kaonavi: Shared,
    clock: Arc<dyn Clock>,
    port: u16,
    secret: &'a renkei_events::signature::WebhookSecret,
}

impl Sending<'_> {
    /// Sends one hire and waits until カオナビ has its call; answers the time from the 202 to the arrival.
    async fn hire(&self, company: &str, index: usize) -> Result<Duration, LoadError> {
        let wall = Millis::from(self.clock.wall());
        let code = format!("H{index:03}");
        let record = json!({ "employee_id": format!("rm_{index}"), "employee_number": code, "employee_status": "在籍",
            "data_entry_state": "データ入力完了", "last_name": "測", "first_name": "定", "gender": "女性",
            "updated_at": wall.timestamp().to_string() });
        let body = send::body("employee.created", &wall.timestamp().to_string(), &[record]);
        let url = format!("http://127.0.0.1:{}/webhooks/roumumate/{company}", self.port);
        let id = format!("msg_{company}_{index}");
        let answer = send::deliver(&self.client, &url, self.secret, &id, wall.0 / 1000, body).await;
        let answer = answer.map_err(|error| LoadError::Wrong(error.to_string()))?;
        let accepted = Millis::from(self.clock.wall());
        if answer.status != 202 {
            return Err(LoadError::Wrong(format!("a webhook was answered {}", answer.status)));
        }
        let begun = self.clock.monotonic();
        loop {
            let now = self.clock.now();
            let arrived = {
                let mut kaonavi = self.kaonavi.lock().await;
                let company = kaonavi.company(now, company).map_err(|error| LoadError::Wrong(error.to_string()))?;
                company.log().rows().find(|row| row.code == code).map(|row| row.at)
            };
            if let Some(at) = arrived {
                return Ok(at.since(accepted));
            }
            if self.clock.monotonic().saturating_sub(begun) > PATIENCE {
                return Err(LoadError::Wrong(format!("a hire of {company} never arrived")));
            }
            self.clock.sleep(Duration::from_millis(5)).await;
        }
    }
}
