//! A world in which time passes only when nobody has anything to do.
//!
//! The steps, the store and the log are the real ones. The clock is simulated: whoever sleeps on it is parked, and when all
//! are parked the clock jumps to the next moment. Database work takes no simulated time. A worker can be killed: its
//! futures are dropped where they are.

pub mod clock;
mod look;
pub mod mail;
pub mod network;
mod reader;
mod run;

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use renkei_events::event::{Change, EmployeeEvent, Origin};
use renkei_events::ids::{ConnectionId, EmployeeId, EventId, Version};
use renkei_events::record::EmployeeRecord;
use renkei_events::topic::Topic;
use renkei_log::embedded::{EmbeddedReader, EmbeddedWriter};
use renkei_log::{LogWriter, NewRecord};
use renkei_runtime::clock::{Clock, Millis};
use renkei_sandbox::kaonavi::transport::{Latency, SimTransport, no_latency};
use renkei_sandbox::kaonavi::{CompanySpec, Kaonavi, Shared, sample};
use renkei_store::Store;
use renkei_store::accounts::{self, Credentials, Lease};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::seal::MasterKey;
use renkei_store::settings::Settings;
use renkei_workers::context::{Context, NextWake, Random};
use renkei_workers::members::consume::{Consumer, GROUP};
use renkei_workers::members::steps::Lane;
use renkei_workers::metrics::Metrics;
use secrecy::SecretString;

use self::clock::{SimClock, Skewed};
use self::mail::{Mailbox, Notifier, Watch};
use self::network::{Connecting, Departure, Doom, Network, Wire};
use self::reader::Mortal;

/// 2026-04-01 09:00 in Tokyo.
pub const START: i64 = 1_775_001_600_000;
/// Where カオナビ is.
pub const ORIGIN: &str = "http://kaonavi.test";
/// Where its API is.
pub const BASE_URL: &str = "http://kaonavi.test/api/v2.0";
const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

struct Seeded(Mutex<StdRng>);

impl Random for Seeded {
    fn unit(&self) -> f64 {
        self.0.lock().unwrap().random()
    }
}

/// Chance that is the same in every run.
fn seeded(seed: u64) -> Arc<dyn Random> {
    Arc::new(Seeded(Mutex::new(StdRng::seed_from_u64(seed))))
}

type Step = Pin<Box<dyn Future<Output = renkei_workers::error::Result<NextWake>> + Send>>;

struct Running {
    account: String,
    lane: Lane,
    step: Step,
}

/// One worker process.
pub struct Worker {
    /// Its name in leases.
    pub name: String,
    /// Whether its process runs.
    pub alive: bool,
    /// Stopped by the operating system: nothing of it runs, and nothing of it is gone.
    pub frozen: bool,
    /// What its steps are handed.
    pub context: Context,
    consumer: Option<Consumer>,
    /// Its own clock.
    pub clock: Arc<Skewed>,
    /// When it asks for accounts that nobody holds.
    ask_at: Millis,
    /// How often its futures may still be polled before it dies, if it is to die.
    fuse: Option<u64>,
    /// How often its futures were polled.
    pub polls: u64,
    /// When it dies, if it is to die at the same place in every run.
    pub doom: Arc<Doom>,
    /// The same for the places around handing a mail over.
    pub mail_doom: Arc<Doom>,
    notifier: Option<Notifier>,
    leases: BTreeMap<String, (Lease, Millis)>,
    next: BTreeMap<(String, Lane), Millis>,
    running: Vec<Running>,
}

/// Everything.
pub struct World {
    /// The clock of everything.
    pub clock: Arc<SimClock>,
    /// The state.
    pub store: Store,
    /// カオナビ.
    pub kaonavi: Shared,
    /// The way to カオナビ.
    pub transport: Arc<SimTransport>,
    wires: Arc<Mutex<Vec<Wire>>>,
    /// How many of them have set out.
    carried: usize,
    /// Calls that carry this text are answered 500 by something before カオナビ.
    pub poison: Arc<Mutex<Option<String>>>,
    /// How long connections take to be made: nothing, unless a test says otherwise.
    pub connecting: Arc<Connecting>,
    /// All calls that left a worker.
    pub departures: Arc<Mutex<Vec<Departure>>>,
    /// Where events are appended.
    pub log: EmbeddedWriter,
    /// All workers that ever were.
    pub workers: Vec<Worker>,
    /// Chance.
    pub random: StdRng,
    /// How long a lease lasts.
    pub lease: Duration,
    /// The mail server.
    pub mailbox: Arc<Mutex<Mailbox>>,
    /// What needs a person, as the store says; looked at only by a world with mail.
    pub watch: Watch,
    mail_seed: Option<u64>,
    /// When workers died.
    pub deaths: Vec<Millis>,
    /// When workers started.
    pub starts: Vec<Millis>,
    events: u64,
    /// Whether the log may hold something that nobody consumed.
    unread: AtomicBool,
    /// How often each account was woken, as the lanes know it.
    woken: BTreeMap<String, Option<i64>>,
    folder: Option<tempfile::TempDir>,
}

/// How a connection of the world is made.
pub struct Link {
    /// Its id.
    pub connection: &'static str,
    /// The company of カオナビ.
    pub company: &'static str,
    /// Its settings.
    pub settings: Settings,
    /// Whether it is to be switched on.
    pub wanted: bool,
}

/// A connection with the usual settings that is to be switched on.
pub fn link(connection: &'static str, company: &'static str) -> Link {
    Link { connection, company, settings: settings(), wanted: true }
}

/// The usual settings.
pub fn settings() -> Settings {
    let choice = |text: &str| (text.to_owned(), Some(text.to_owned()));
    // Most tests change more people at once than a company does; those about mass changes switch this on.
    let (brake, ceiling) = (false, None);
    Settings { gender: [choice("男性"), choice("女性")].into(), brake, ceiling, ..Settings::default() }
}

impl World {
    /// A world with one company `a`, one active connection `c1` and one worker.
    pub async fn simple() -> Self {
        let mut world = Self::new(7, vec![sample::company("a")], no_latency()).await;
        world.link(link("c1", "a")).await;
        // Until the slots that the verification took are free again.
        world.run_for(Duration::from_secs(65)).await;
        assert_eq!(
            world.connection("c1").await.state,
            ConnectionState::Active,
            "{:?}",
            world.connection("c1").await.problems
        );
        world
    }

    /// A world with these companies, over a store in memory where there is such a place.
    pub async fn new(seed: u64, companies: Vec<CompanySpec>, latency: Latency) -> Self {
        // In memory where there is such a place: every step is a transaction or two.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let url = format!("sqlite://{}/store.db", folder.path().display());
        Self::on(seed, &url, Some(folder), companies, latency).await
    }

    /// The same over any store.
    pub async fn on(
        seed: u64,
        store_url: &str,
        folder: Option<tempfile::TempDir>,
        companies: Vec<CompanySpec>,
        latency: Latency,
    ) -> Self {
        let clock = SimClock::new();
        let dyn_clock: Arc<dyn Clock> = clock.clone();
        let store = Store::open(store_url, &MasterKey::parse(MASTER).unwrap(), Arc::clone(&dyn_clock)).await.unwrap();
        let mut kaonavi = Kaonavi::new();
        for company in companies {
            kaonavi.add(company).unwrap();
        }
        let kaonavi = kaonavi.shared();
        let transport = Arc::new(SimTransport::new(kaonavi.clone(), Arc::clone(&dyn_clock), ORIGIN, latency));
        let log = EmbeddedWriter::new(store.clone(), dyn_clock);
        let mut world = Self {
            clock,
            store,
            kaonavi,
            transport,
            wires: Arc::default(),
            carried: 0,
            poison: Arc::default(),
            connecting: Arc::default(),
            departures: Arc::default(),
            log,
            workers: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            lease: Duration::from_secs(10),
            mailbox: Arc::default(),
            watch: Watch::default(),
            mail_seed: None,
            deaths: Vec::new(),
            starts: Vec::new(),
            events: 0,
            unread: AtomicBool::new(true),
            woken: BTreeMap::new(),
            folder,
        };
        world.start_worker("w1");
        world
    }

    /// Where the store's files are, if it is in a folder of its own.
    #[must_use]
    pub fn folder(&self) -> Option<&std::path::Path> {
        self.folder.as_ref().map(tempfile::TempDir::path)
    }

    /// The time.
    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    /// Starts a worker process.
    pub fn start_worker(&mut self, name: &str) {
        self.starts.push(self.clock.now());
        let registry = prometheus::Registry::new();
        let seed = self.random.random();
        let doom: Arc<Doom> = Arc::default();
        let skewed = Arc::new(Skewed::new(Arc::clone(&self.clock)));
        let context = Context {
            store: self.store.clone(),
            transport: Arc::new(Network {
                kaonavi: Arc::clone(&self.transport),
                clock: Arc::clone(&self.clock),
                wires: Arc::clone(&self.wires),
                poison: Arc::clone(&self.poison),
                departures: Arc::clone(&self.departures),
                worker: name.to_owned(),
                doom: Arc::clone(&doom),
                connecting: Arc::clone(&self.connecting),
            }),
            clock: skewed.clone(),
            random: seeded(seed),
            metrics: Arc::new(Metrics::new(&registry).unwrap()),
            batch_size: 200,
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let reader = EmbeddedReader::new(self.store.clone(), clock, Topic::Employee, GROUP, false);
        let reader = Mortal { reader: Box::new(reader), doom: Arc::clone(&doom), clock: Arc::clone(&self.clock) };
        let consumer = Consumer::new(context.clone(), Box::new(reader), Arc::new(self.log.clone()));
        self.workers.push(Worker {
            name: name.to_owned(),
            alive: true,
            frozen: false,
            context,
            consumer: Some(consumer),
            ask_at: Millis(0),
            clock: skewed,
            fuse: None,
            polls: 0,
            doom,
            mail_doom: Arc::default(),
            notifier: None,
            leases: BTreeMap::new(),
            next: BTreeMap::new(),
            running: Vec::new(),
        });
        self.give_notifier(self.workers.len() - 1);
    }

    /// Lets a worker die after `polls` more polls of its futures, wherever they are then: between two statements, between
    /// reservation and call, between カオナビ's acceptance and the answer.
    pub fn kill_after(&mut self, index: usize, polls: u64) {
        self.workers[index].fuse = Some(polls);
    }

    /// Kills a worker where it is: its futures are dropped.
    pub fn kill(&mut self, index: usize) {
        self.unread.store(true, Ordering::SeqCst);
        self.ask_all();
        self.deaths.push(self.clock.now());
        let worker = &mut self.workers[index];
        worker.alive = false;
        worker.notifier = None;
        worker.running.clear();
        worker.leases.clear();
        worker.next.clear();
        worker.consumer = None;
    }

    /// Everybody asks for free accounts at once.
    fn ask_all(&mut self) {
        for worker in &mut self.workers {
            worker.ask_at = Millis(0);
        }
    }

    /// Makes a connection.
    pub async fn link(&mut self, link: Link) {
        self.ask_all();
        let key = SecretString::from(format!("key-{}", link.company));
        let secret = SecretString::from(format!("secret-{}", link.company));
        let account = accounts::fingerprint(&self.store, &key);
        let tx = self.store.begin().await.unwrap();
        let now = self.store.now_in(&tx).await.unwrap();
        connections::put_tenant(&tx, "t1", "テスト", now).await.unwrap();
        accounts::put(&self.store, &tx, &account, BASE_URL, &Credentials { key, secret }, now).await.unwrap();
        let connection = Connection {
            account: Some(account.clone()),
            settings: link.settings,
            ..Connection::draft(link.connection, "t1", "roumumate")
        };
        connections::put(&tx, &connection, now).await.unwrap();
        if link.wanted {
            connections::want(&tx, link.connection, now).await.unwrap();
        }
        accounts::wake(&tx, &account, now).await.unwrap();
        tx.commit().await.unwrap();
        self.wake_all();
    }

    /// Asks for a connection to be switched on.
    pub async fn want(&mut self, connection: &str) {
        let tx = self.store.begin().await.unwrap();
        let now = self.store.now_in(&tx).await.unwrap();
        connections::want(&tx, connection, now).await.unwrap();
        tx.commit().await.unwrap();
        self.wake_all();
    }

    /// Saves settings as the API and `apply` do.
    pub async fn save_settings(&mut self, connection: &str, settings: Settings) {
        let before = self.connection(connection).await;
        let tx = self.store.begin().await.unwrap();
        let now = self.store.now_in(&tx).await.unwrap();
        accounts::wake(&tx, before.account.as_deref().unwrap(), now).await.unwrap();
        connections::put(&tx, &Connection { settings, ..before }, now).await.unwrap();
        renkei_store::employees::judge_again(&tx, connection, now).await.unwrap();
        tx.commit().await.unwrap();
        self.wake_all();
    }

    /// Sends one state of one person, received now.
    pub async fn send(&mut self, connection: &str, record: EmployeeRecord) {
        let event = self.event(connection, record);
        self.append(vec![event]).await;
    }

    /// The event of one state of one person, received now.
    pub fn event(&mut self, connection: &str, record: EmployeeRecord) -> EmployeeEvent {
        self.events += 1;
        let received = self.now().timestamp();
        EmployeeEvent {
            event_id: EventId::new(format!("msg_{}/0", self.events)).unwrap(),
            connection_id: ConnectionId::new(connection).unwrap(),
            employee_id: EmployeeId::new(record.employee_id.as_str()).unwrap(),
            origin: Origin::Webhook,
            change: Change::Updated,
            received_at: received,
            version: Version::judge(record.updated_at, received),
            employee: Some(record),
            faults: Vec::new(),
        }
    }

    /// Appends events to the log.
    pub async fn append(&self, events: Vec<EmployeeEvent>) {
        self.unread.store(true, Ordering::SeqCst);
        for chunk in events.chunks(500) {
            let records = chunk.iter().map(|event| NewRecord {
                topic: Topic::Employee,
                key: event.key(),
                headers: event.headers("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
                value: event.value().unwrap(),
            });
            self.log.append(records.collect(), Duration::from_secs(60)).await.unwrap();
        }
    }

    /// Whether worker `index` believes that it holds an account.
    pub fn holds(&self, index: usize) -> bool {
        !self.workers[index].leases.is_empty()
    }

    /// Stops a worker as the operating system can, or lets it go on.
    pub fn freeze(&mut self, index: usize, frozen: bool) {
        self.workers[index].frozen = frozen;
        self.unread.store(true, Ordering::SeqCst);
        self.ask_all();
    }
}
