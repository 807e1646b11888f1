//! One installation: a store, a log, ingest, workers, and カオナビ.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use renkei_e2e::servers::{Finished, Folder, Program, free_port, run_program};
use renkei_sandbox::kaonavi::CompanySpec;
use renkei_sandbox::{demo, kaonavi::sample};
use serde_json::Value;

use super::servers::{kafka, postgres};
use super::sim::Sim;
use super::traffic::Sender;
use super::{block, pause, runtime, until};

/// A master key.
pub const MASTER_KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
/// How long a program may take to get ready on a busy machine.
pub const READY: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    Sqlite,
    Postgres,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogKind {
    Embedded,
    /// The broker that all tests share, with topics of its own.
    Kafka,
}

/// What an installation is made of.
pub struct Setup {
    pub store: StoreKind,
    pub log: LogKind,
    pub scale: u32,
    pub companies: Vec<CompanySpec>,
    /// Further variables for all programs; these win.
    pub environment: Vec<(String, String)>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            store: StoreKind::Sqlite,
            log: LogKind::Embedded,
            scale: 1,
            companies: vec![sample::company("acme")],
            environment: Vec::new(),
        }
    }
}

/// A connection as the file declares it.
#[derive(Debug, Clone)]
pub struct Link {
    pub id: String,
    pub key: String,
    pub secret: String,
    pub webhook_secret: String,
}

impl Link {
    /// The connection `id` to the account of a company.
    pub fn new(id: &str, company: &CompanySpec) -> Self {
        Self {
            id: id.to_owned(),
            key: company.consumer_key.clone(),
            secret: company.consumer_secret.clone(),
            webhook_secret: webhook_secret(id),
        }
    }
}

/// A webhook secret that goes with a name.
pub fn webhook_secret(name: &str) -> String {
    let mut bytes = [b'.'; 32];
    for (place, byte) in bytes.iter_mut().zip(name.bytes()) {
        *place = byte;
    }
    format!("whsec_{}", STANDARD.encode(bytes))
}

pub struct World {
    pub sim: Sim,
    pub links: Vec<Link>,
    pub listen: u16,
    pub ingest_internal: u16,
    pub ingest: Option<Program>,
    pub workers: Vec<Workers>,
    /// The database's name, on PostgreSQL.
    pub database: String,
    pub sqlite: Option<PathBuf>,
    pub topic_prefix: String,
    environment: Vec<(String, String)>,
    pub folder: Folder,
}

/// A workers process and where its probes are.
pub struct Workers {
    pub program: Program,
    pub internal: u16,
}

impl World {
    /// Everything but the programs. One connection per company, called as the company.
    pub fn new(setup: Setup) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let folder = Folder::new("world").unwrap();
        let links = setup.companies.iter().map(|company| Link::new(&company.id, company)).collect();
        let sim = Sim::start(setup.scale, setup.companies);
        let (store, database, sqlite) = match setup.store {
            StoreKind::Sqlite => {
                let path = folder.join("renkei.db");
                (format!("sqlite://{}", path.display()), String::new(), Some(path))
            }
            StoreKind::Postgres => {
                let url = postgres().database().unwrap();
                let name = url.rsplit('/').next().unwrap().to_owned();
                (url, name, None)
            }
        };
        let topic_prefix = format!("t{}.", NEXT.fetch_add(1, Ordering::Relaxed));
        let log = match setup.log {
            LogKind::Embedded => "embedded".to_owned(),
            LogKind::Kafka => format!("kafka://{}", kafka().bootstrap()),
        };
        let listen = free_port().unwrap();
        let mut environment: Vec<(String, String)> = [
            ("RENKEI_STORE", store),
            ("RENKEI_LOG", log),
            ("RENKEI_KAFKA_TOPIC_PREFIX", topic_prefix.clone()),
            ("RENKEI_MASTER_KEY", MASTER_KEY.to_owned()),
            ("RENKEI_LISTEN", format!("127.0.0.1:{listen}")),
            ("RENKEI_KAONAVI_BASE_URL", sim.base_url()),
            ("RENKEI_ALLOW_PRIVATE_BASE_URLS", "127.0.0.0/8".to_owned()),
            ("RENKEI_CLOCK_SCALE", setup.scale.to_string()),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
        for (name, value) in setup.environment {
            environment.retain(|(known, _)| *known != name);
            environment.push((name, value));
        }
        let ingest_internal = free_port().unwrap();
        let mut world = Self {
            sim,
            links,
            listen,
            ingest_internal,
            ingest: None,
            workers: Vec::new(),
            database,
            sqlite,
            topic_prefix,
            environment,
            folder,
        };
        world.write_secrets();
        world
    }

    /// With both programs running and every connection active.
    pub fn up(setup: Setup) -> Self {
        let mut world = Self::new(setup);
        world.start_ingest();
        world.start_workers();
        world.activate();
        world
    }

    /// The usual file applied, every connection active.
    #[track_caller]
    pub fn activate(&self) {
        self.folder.write("connections.yaml", &self.file()).unwrap();
        let applied = self.apply("connections.yaml", &["--wait", "60s"]);
        assert_eq!(applied.code, Some(0), "{}", applied.stderr);
    }

    /// One more connection, before anything is applied.
    pub fn add_link(&mut self, link: Link) {
        self.links.push(link);
        self.write_secrets();
    }

    fn write_secrets(&mut self) {
        for link in &self.links {
            self.folder.write(&format!("{}.key", link.id), &link.key).unwrap();
            self.folder.write(&format!("{}.secret", link.id), &link.secret).unwrap();
            self.folder.write(&format!("{}.whsec", link.id), &link.webhook_secret).unwrap();
        }
    }

    /// The file of all connections.
    pub fn file(&self) -> String {
        let mut text = String::from("tenants:\n  - id: tenant\n    name: サンプル株式会社\n    connections:\n");
        for link in &self.links {
            text.push_str(&connection_yaml(&link.id, "active"));
        }
        text
    }

    pub fn environment(&self) -> impl Iterator<Item = (&str, &str)> {
        self.environment.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Changes a variable for programs that start from now on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    pub fn unset(&mut self, name: &str) {
        self.environment.retain(|(known, _)| known != name);
    }

    /// Starts ingest (again), and waits until it is ready.
    #[track_caller]
    pub fn start_ingest(&mut self) {
        let internal = format!("127.0.0.1:{}", self.ingest_internal);
        let own = [("RENKEI_INTERNAL_LISTEN", internal.as_str())];
        let program = Program::start("renkei-ingest", &[], self.environment().chain(own)).unwrap();
        program.ready(READY, || is_ready(self.ingest_internal)).unwrap();
        self.ingest = Some(program);
    }

    /// Starts another workers process, and waits until it is ready.
    #[track_caller]
    pub fn start_workers(&mut self) {
        self.start_workers_with(&[]);
    }

    /// The same with variables of its own.
    #[track_caller]
    pub fn start_workers_with(&mut self, more: &[(&str, &str)]) {
        self.launch_workers(&[], more);
    }

    /// The same with these roles alone, such as `members,notify`.
    #[track_caller]
    pub fn start_workers_as(&mut self, roles: &str) {
        self.launch_workers(&["--roles", roles], &[]);
    }

    #[track_caller]
    fn launch_workers(&mut self, arguments: &[&str], more: &[(&str, &str)]) {
        let internal = free_port().unwrap();
        let address = format!("127.0.0.1:{internal}");
        let own = [("RENKEI_INTERNAL_LISTEN", address.as_str())];
        let environment = self.environment().chain(own).chain(more.iter().copied());
        let program = Program::start("renkei-workers", arguments, environment).unwrap();
        program.ready(READY, || is_ready(internal)).unwrap();
        self.workers.push(Workers { program, internal });
    }

    pub fn ingest(&self) -> &Program {
        self.ingest.as_ref().unwrap()
    }

    /// Runs one of our programs to its end.
    pub fn run(&self, name: &str, arguments: &[&str]) -> Finished {
        run_program(name, arguments, self.environment(), Duration::from_secs(120)).unwrap()
    }

    /// Runs a command of the workers program, which must succeed; gives what it printed.
    #[track_caller]
    pub fn command(&self, arguments: &[&str]) -> String {
        let finished = self.run("renkei-workers", arguments);
        assert_eq!(finished.code, Some(0), "{arguments:?}: {}", finished.stderr);
        finished.stdout
    }

    /// `renkei-ingest apply` with a file of this installation's folder.
    pub fn apply(&self, file: &str, more: &[&str]) -> Finished {
        let path = self.folder.join(file).display().to_string();
        let mut arguments = vec!["apply", "--file", &path];
        arguments.extend(more);
        self.run("renkei-ingest", &arguments)
    }

    /// Writes a file and applies it.
    pub fn apply_text(&self, text: &str, more: &[&str]) -> Finished {
        self.folder.write("connections.yaml", text).unwrap();
        self.apply("connections.yaml", more)
    }

    /// `renkei-workers status --json`.
    #[track_caller]
    pub fn status(&self) -> Value {
        serde_json::from_str(&self.command(&["status", "--json"])).unwrap()
    }

    /// The status of one connection.
    #[track_caller]
    pub fn connection(&self, id: &str) -> Value {
        let status = self.status();
        let found = status["connections"].as_array().unwrap().iter().find(|one| one["id"] == id);
        found.unwrap_or_else(|| panic!("no connection {id}: {status}")).clone()
    }

    /// How many people of a connection are in a state.
    #[track_caller]
    pub fn people(&self, id: &str, state: &str) -> i64 {
        self.connection(id)["people"][state].as_i64().unwrap()
    }

    /// Waits until `states` hold that many people together.
    #[track_caller]
    pub fn wait_people(&self, id: &str, states: &[&str], count: i64, most: Duration) {
        let mut last = Value::Null;
        until(most, &format!("{count} people of {id} in {states:?}"), || {
            let people = self.connection(id)["people"].clone();
            let now: i64 = states.iter().filter_map(|state| people[*state].as_i64()).sum();
            if last != people {
                last = people.clone();
                eprintln!("{id}: {last}");
            }
            now == count || {
                pause(150);
                false
            }
        });
    }

    /// Waits until the slots that the verification took are free again, so that no hire waits for them.
    #[track_caller]
    pub fn wait_for_free_slots(&self) {
        until(Duration::from_secs(90), "all slots are free", || {
            pause(500);
            self.status()["accounts"][0]["slots"].as_array().is_some_and(Vec::is_empty)
        });
    }

    /// Waits until カオナビ holds a member.
    #[track_caller]
    pub fn wait_member(&self, company: &str, code: &str, most: Duration) {
        until(most, &format!("{code} is a member of {company}"), || self.sim.has_member(company, code));
    }

    /// A sender for a connection.
    pub fn sender(&self, link: &str) -> Sender {
        let found = self.links.iter().find(|known| known.id == link).unwrap();
        Sender::new(self.webhook_url(link), &found.webhook_secret)
    }

    pub fn webhook_url(&self, link: &str) -> String {
        format!("http://127.0.0.1:{}/webhooks/roumumate/{link}", self.listen)
    }

    /// Runs SQL on this installation's database.
    #[track_caller]
    pub fn sql(&self, sql: &str) -> String {
        postgres().sql(&self.database, sql).unwrap()
    }

    /// Sends all of a demonstration and waits until カオナビ holds exactly what it should.
    #[track_caller]
    pub fn play(&self, link: &str, company: &str, scene: &demo::Demo, most: Duration) {
        let sender = self.sender(link);
        let deliveries = scene.deliveries.clone();
        let senders: Vec<_> = (0..4)
            .map(|lane| {
                let (sender, deliveries) = (sender.clone(), deliveries.clone());
                runtime().spawn(async move {
                    for delivery in deliveries.iter().skip(lane).step_by(4) {
                        let mut answer = sender.post(&delivery.webhook_id, delivery.body.clone()).await;
                        while matches!(answer.status, None | Some(429 | 503)) {
                            tokio::time::sleep(Duration::from_millis(200)).await;
                            answer = sender.post(&delivery.webhook_id, delivery.body.clone()).await;
                        }
                        assert_eq!(answer.status, Some(202), "{}", answer.text);
                    }
                })
            })
            .collect();
        for lane in senders {
            block(lane).unwrap();
        }
        let mut last = usize::MAX;
        until(most, &format!("{company} holds what it should"), || {
            let differing = demo::differences(&scene.expected, &self.sim.members(company)).len();
            if differing != last {
                last = differing;
                eprintln!("{company}: {differing} differences");
            }
            let people = &self.connection(link)["people"];
            let waiting = people["due"].as_i64().unwrap() + people["in_flight"].as_i64().unwrap();
            differing == 0 && waiting == 0 || {
                pause(300);
                false
            }
        });
    }
}

/// One connection of a file, in the usual form.
pub fn connection_yaml(id: &str, state: &str) -> String {
    format!(
        "      - id: {id}
        source: roumumate
        webhook_secrets:
          - secret: {{ file: {id}.whsec }}
        kaonavi:
          consumer_key: {{ file: {id}.key }}
          consumer_secret: {{ file: {id}.secret }}
        mapping:
          gender: {{ 男性: 男性, 女性: 女性 }}
        delivery: {{ brake: off, ceiling: off }}
        state: {state}
"
    )
}

fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        runtime();
        reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).pool_max_idle_per_host(0).build().unwrap()
    })
}

/// Status and body of a GET on this machine.
pub fn get(port: u16, path: &str) -> Option<(u16, String)> {
    block(async {
        let answer = http().get(format!("http://127.0.0.1:{port}{path}")).send().await.ok()?;
        Some((answer.status().as_u16(), answer.text().await.ok()?))
    })
}

pub fn is_ready(port: u16) -> bool {
    get(port, "/readyz").is_some_and(|(status, _)| status == 200)
}
