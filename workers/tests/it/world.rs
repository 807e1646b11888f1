//! A world in which time passes only when nobody has anything to do.
//!
//! The steps, the store and the log are the real ones. The clock is simulated: whoever sleeps on it is parked, and when all
//! are parked the clock jumps to the next moment. Database work takes no simulated time. A worker can be killed: its
//! futures are dropped where they are.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use renkei_events::event::{Change, EmployeeEvent, Origin};
use renkei_events::ids::{ConnectionId, EmployeeId, EventId, Version};
use renkei_events::record::EmployeeRecord;
use renkei_events::topic::Topic;
use renkei_log::embedded::{EmbeddedReader, EmbeddedWriter};
use renkei_log::{LogWriter, NewRecord};
use renkei_runtime::clock::{BoxFuture, Clock, Millis};
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use renkei_sandbox::kaonavi::transport::{Latency, SimTransport, no_latency};
use renkei_sandbox::kaonavi::{Company, CompanySpec, Kaonavi, Shared, sample};
use renkei_store::accounts::{self, Credentials, Lease};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::employees::{FullRow, RowState};
use renkei_store::seal::MasterKey;
use renkei_store::settings::Settings;
use renkei_store::Store;
use renkei_workers::context::{Context, NextWake, Random};
use renkei_workers::members::consume::{Consumer, GROUP};
use renkei_workers::members::steps::{self, Lane};
use renkei_workers::metrics::Metrics;
use secrecy::SecretString;

/// 2026-04-01 09:00 in Tokyo.
pub const START: i64 = 1_775_001_600_000;
pub const ORIGIN: &str = "http://kaonavi.test";
pub const BASE_URL: &str = "http://kaonavi.test/api/v2.0";
const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// The simulated clock.
#[derive(Debug, Default)]
pub struct SimClock {
    now: Mutex<i64>,
    sleepers: Arc<Mutex<BTreeMap<(i64, u64), Waker>>>,
    parked: Arc<AtomicBool>,
    next: AtomicU64,
}

impl SimClock {
    pub fn new() -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(START), ..Self::default() })
    }

    pub fn set(&self, to: Millis) {
        let mut now = self.now.lock().unwrap();
        *now = (*now).max(to.0);
        let mut sleepers = self.sleepers.lock().unwrap();
        let later = sleepers.split_off(&(*now + 1, 0));
        for (_, waker) in std::mem::replace(&mut *sleepers, later) {
            waker.wake();
        }
    }

    fn next_sleeper(&self) -> Option<Millis> {
        self.sleepers.lock().unwrap().keys().next().map(|(at, _)| Millis(*at))
    }
}

struct Sleep {
    clock_now: i64,
    at: i64,
    id: u64,
    sleepers: Arc<Mutex<BTreeMap<(i64, u64), Waker>>>,
    parked: Arc<AtomicBool>,
    registered: bool,
    done: bool,
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if self.done || self.at <= self.clock_now {
            return Poll::Ready(());
        }
        let key = (self.at, self.id);
        let mut sleepers = self.sleepers.lock().unwrap();
        if self.registered && !sleepers.contains_key(&key) {
            drop(sleepers);
            self.done = true;
            return Poll::Ready(());
        }
        sleepers.insert(key, cx.waker().clone());
        drop(sleepers);
        self.registered = true;
        self.parked.store(true, Ordering::SeqCst);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.sleepers.lock().unwrap().remove(&(self.at, self.id));
    }
}

impl Clock for SimClock {
    fn now(&self) -> Millis {
        Millis(*self.now.lock().unwrap())
    }
    fn wall(&self) -> jiff::Timestamp {
        self.now().timestamp()
    }
    fn monotonic(&self) -> Duration {
        self.now().since(Millis(0))
    }
    fn boot(&self) -> Duration {
        self.now().since(Millis(0))
    }
    fn boot_id(&self) -> String {
        renkei_store::time::SIMULATED_BOOT.to_owned()
    }
    fn scale(&self) -> u32 {
        1
    }
    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        let now = self.now().0;
        Box::pin(Sleep {
            clock_now: now,
            at: (self.now() + real).0,
            id: self.next.fetch_add(1, Ordering::SeqCst),
            sleepers: Arc::clone(&self.sleepers),
            parked: Arc::clone(&self.parked),
            registered: false,
            done: false,
        })
    }
}

/// The clock of one worker, which can stop that worker for three seconds between two looks at the clock.
#[derive(Debug)]
pub struct Skewed {
    clock: Arc<SimClock>,
    reads_left: Mutex<Option<u64>>,
}

impl Skewed {
    /// After `reads` more looks the monotonic clock is three seconds further.
    pub fn stop_after(&self, reads: u64) {
        *self.reads_left.lock().unwrap() = Some(reads);
    }
}

impl Clock for Skewed {
    fn now(&self) -> Millis {
        self.clock.now()
    }
    fn wall(&self) -> jiff::Timestamp {
        self.clock.wall()
    }
    fn monotonic(&self) -> Duration {
        let mut left = self.reads_left.lock().unwrap();
        let stopped = match left.as_mut() {
            Some(0) => Duration::from_secs(3),
            Some(count) => {
                *count -= 1;
                Duration::ZERO
            }
            None => Duration::ZERO,
        };
        self.clock.monotonic() + stopped
    }
    fn boot(&self) -> Duration {
        self.clock.boot()
    }
    fn boot_id(&self) -> String {
        self.clock.boot_id()
    }
    fn scale(&self) -> u32 {
        self.clock.scale()
    }
    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(real)
    }
}

type Wire = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The network: what was sent arrives, whatever became of the sender.
struct Network {
    kaonavi: Arc<SimTransport>,
    clock: Arc<SimClock>,
    wires: Arc<Mutex<Vec<Wire>>>,
    poison: Arc<Mutex<Option<String>>>,
}

#[async_trait::async_trait]
impl Transport for Network {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        let poison = self.poison.lock().unwrap().clone();
        let body = request.body.as_deref().unwrap_or_default();
        if poison.is_some_and(|poison| String::from_utf8_lossy(body).contains(&poison)) {
            let (_, body) = tokio::sync::mpsc::channel(1);
            return Ok(OutResponse { status: 500, body });
        }
        let (tell, told) = tokio::sync::oneshot::channel();
        let kaonavi = Arc::clone(&self.kaonavi);
        self.wires.lock().unwrap().push(Box::pin(async move {
            // Nobody listens when the sender is dead.
            let _ = tell.send(kaonavi.send(request).await);
        }));
        let mut told = std::pin::pin!(told);
        let answer = poll_fn(|cx| {
            let polled = told.as_mut().poll(cx);
            if polled.is_pending() {
                self.clock.parked.store(true, Ordering::SeqCst);
            }
            polled
        });
        answer.await.unwrap_or_else(|_| Err(TransportError::NoAnswer("the world ended".to_owned())))
    }
}

struct Seeded(Mutex<StdRng>);

impl Random for Seeded {
    fn unit(&self) -> f64 {
        self.0.lock().unwrap().random()
    }
}

type Step = Pin<Box<dyn Future<Output = renkei_workers::error::Result<NextWake>> + Send>>;

struct Running {
    account: String,
    lane: Lane,
    step: Step,
}

/// One worker process.
pub struct Worker {
    pub name: String,
    pub alive: bool,
    /// Stopped by the operating system: nothing of it runs, and nothing of it is gone.
    pub frozen: bool,
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
    leases: BTreeMap<String, (Lease, Millis)>,
    next: BTreeMap<(String, Lane), Millis>,
    running: Vec<Running>,
}

/// Everything.
pub struct World {
    pub clock: Arc<SimClock>,
    pub store: Store,
    pub kaonavi: Shared,
    pub transport: Arc<SimTransport>,
    wires: Arc<Mutex<Vec<Wire>>>,
    /// Calls that carry this text are answered 500 by something before カオナビ.
    pub poison: Arc<Mutex<Option<String>>>,
    pub log: EmbeddedWriter,
    pub workers: Vec<Worker>,
    pub random: StdRng,
    pub lease: Duration,
    events: u64,
    /// Whether the log may hold something that nobody consumed.
    unread: AtomicBool,
    _folder: Option<tempfile::TempDir>,
}

/// How a connection of the world is made.
pub struct Link {
    pub connection: &'static str,
    pub company: &'static str,
    pub settings: Settings,
    pub wanted: bool,
}

pub fn link(connection: &'static str, company: &'static str) -> Link {
    Link { connection, company, settings: settings(), wanted: true }
}

pub fn settings() -> Settings {
    let choice = |text: &str| (text.to_owned(), Some(text.to_owned()));
    Settings { gender: [choice("男性"), choice("女性")].into(), ..Settings::default() }
}

impl World {
    /// A world with one company `a`, one active connection `c1` and one worker.
    pub async fn simple() -> Self {
        let mut world = Self::new(7, vec![sample::company("a")], no_latency()).await;
        world.link(link("c1", "a")).await;
        world.run_for(Duration::from_secs(1)).await;
        assert_eq!(world.connection("c1").await.state, ConnectionState::Active, "{:?}", world.connection("c1").await.problems);
        world
    }

    pub async fn new(seed: u64, companies: Vec<CompanySpec>, latency: Latency) -> Self {
        // In memory where there is such a place: every step is a transaction or two.
        let folder = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let url = format!("sqlite://{}/store.db", folder.path().display());
        Self::on(seed, &url, Some(folder), companies, latency).await
    }

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
            poison: Arc::default(),
            log,
            workers: Vec::new(),
            random: StdRng::seed_from_u64(seed),
            lease: Duration::from_secs(10),
            events: 0,
            unread: AtomicBool::new(true),
            _folder: folder,
        };
        world.start_worker("w1");
        world
    }

    pub fn now(&self) -> Millis {
        self.clock.now()
    }

    pub fn start_worker(&mut self, name: &str) {
        let registry = prometheus::Registry::new();
        let seed = self.random.random();
        let skewed = Arc::new(Skewed { clock: Arc::clone(&self.clock), reads_left: Mutex::new(None) });
        let context = Context {
            store: self.store.clone(),
            transport: Arc::new(Network {
                kaonavi: Arc::clone(&self.transport),
                clock: Arc::clone(&self.clock),
                wires: Arc::clone(&self.wires),
                poison: Arc::clone(&self.poison),
            }),
            clock: skewed.clone(),
            random: Arc::new(Seeded(Mutex::new(StdRng::seed_from_u64(seed)))),
            metrics: Arc::new(Metrics::new(&registry).unwrap()),
            batch_size: 200,
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        let reader = EmbeddedReader::new(self.store.clone(), clock, Topic::Employee, GROUP, false);
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
            leases: BTreeMap::new(),
            next: BTreeMap::new(),
            running: Vec::new(),
        });
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
        let worker = &mut self.workers[index];
        worker.alive = false;
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
            id: link.connection.to_owned(),
            tenant: "t1".to_owned(),
            name: link.connection.to_owned(),
            source: "roumumate".to_owned(),
            account: Some(account.clone()),
            state: ConnectionState::Draft,
            state_code: None,
            state_detail: None,
            activated: None,
            wanted: None,
            problems: Vec::new(),
            settings: link.settings,
            declared_state: None,
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

    /// Sends one state of one person, received now.
    pub async fn send(&mut self, connection: &str, record: EmployeeRecord) {
        let event = self.event(connection, record);
        self.append(vec![event]).await;
    }

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

    pub async fn connection(&self, id: &str) -> Connection {
        connections::get(&self.store, &self.store.db, id).await.unwrap()
    }

    pub async fn row(&self, connection: &str, number: &str) -> FullRow {
        let rows = renkei_store::employees::with_number(&self.store, &self.store.db, connection, number).await.unwrap();
        rows.into_iter().next().unwrap_or_else(|| panic!("nobody has {number}"))
    }

    pub async fn count(&self, connection: &str, state: RowState) -> i64 {
        let counts = renkei_store::employees::counts(&self.store.db, connection).await.unwrap();
        counts.iter().filter(|(known, _, _)| *known == state).map(|(_, _, count)| count).sum()
    }

    /// Looks at a company of カオナビ as it is now.
    pub async fn company<T>(&self, id: &str, look: impl FnOnce(&mut Company) -> T) -> T {
        let mut kaonavi = self.kaonavi.lock().await;
        look(kaonavi.company(self.clock.now(), id).unwrap())
    }

    /// Runs until `until`.
    pub async fn run_until(&mut self, until: Millis) {
        loop {
            let next = self.settle().await;
            if next > until {
                self.clock.set(until);
                return;
            }
            self.clock.set(next);
        }
    }

    pub async fn run_for(&mut self, length: Duration) {
        self.run_until(self.now() + length).await;
    }

    /// Does everything that can be done at this moment; answers the next moment at which something can.
    async fn settle(&mut self) -> Millis {
        loop {
            let mut progress = self.carry().await;
            for index in 0..self.workers.len() {
                progress |= self.turn(index).await;
            }
            if !progress {
                break;
            }
        }
        let mut next = self.clock.next_sleeper().unwrap_or(Millis::NEVER);
        for worker in self.workers.iter().filter(|worker| worker.alive && !worker.frozen) {
            for ((account, lane), at) in &worker.next {
                let busy = worker.running.iter().any(|step| step.account == *account && step.lane == *lane);
                if !busy {
                    next = next.min(*at);
                }
            }
            next = next.min(worker.ask_at);
            if let Some(until) = worker.leases.values().map(|(_, until)| *until).min() {
                next = next.min(until - self.lease / 2);
            }
        }
        next.max(Millis(self.now().0 + 1))
    }

    /// Moves what is on the wires on.
    async fn carry(&mut self) -> bool {
        let mut wires = std::mem::take(&mut *self.wires.lock().unwrap());
        let before = wires.len();
        let mut kept = Vec::with_capacity(before);
        for mut wire in wires.drain(..) {
            if let Driven::Parked = drive(&self.clock, wire.as_mut(), &mut None, &mut 0).await {
                kept.push(wire);
            }
        }
        let progress = kept.len() < before;
        self.wires.lock().unwrap().append(&mut kept);
        progress
    }

    async fn turn(&mut self, index: usize) -> bool {
        if !self.workers[index].alive || self.workers[index].frozen {
            return false;
        }
        let mut progress = self.consume(index).await;
        progress |= self.claim(index).await;
        let now = self.now();
        let worker = &mut self.workers[index];
        let due: Vec<(String, Lane)> = worker
            .next
            .iter()
            .filter(|((account, lane), at)| {
                **at <= now && !worker.running.iter().any(|step| step.account == *account && step.lane == *lane)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for (account, lane) in due {
            let context = worker.context.clone();
            let Some((lease, _)) = worker.leases.get(&account).cloned() else { continue };
            worker.next.insert((account.clone(), lane), Millis::NEVER);
            let step: Step = Box::pin(async move { steps::step(&context, &lease, lane).await });
            worker.running.push(Running { account, lane, step });
        }
        let mut at = 0;
        while self.workers[index].alive && at < self.workers[index].running.len() {
            let clock = Arc::clone(&self.clock);
            let Worker { running, fuse, polls, .. } = &mut self.workers[index];
            let driven = drive(&clock, running[at].step.as_mut(), fuse, polls).await;
            let result = match driven {
                Driven::Ended(result) => result,
                Driven::Parked => {
                    at += 1;
                    continue;
                }
                Driven::Killed => {
                    self.kill(index);
                    return true;
                }
            };
            let worker = &mut self.workers[index];
            progress = true;
            let Running { account, lane, .. } = worker.running.remove(at);
            match result {
                Ok(NextWake::Now) => {
                    for lane in Lane::ALL {
                        worker.next.insert((account.clone(), lane), now);
                    }
                }
                Ok(next) => {
                    let wake = next.time(now);
                    let slot = worker.next.entry((account, lane)).or_insert(Millis::NEVER);
                    // Whoever woke the lane while it ran is not forgotten.
                    *slot = (*slot).min(wake);
                }
                Err(error) if error.is_fenced() => {
                    worker.ask_at = now + Duration::from_secs(1);
                    worker.leases.remove(&account);
                    worker.next.retain(|(known, _), _| *known != account);
                }
                Err(error) => panic!("{}: {} of {account} failed: {error}", worker.name, lane.as_str()),
            }
        }
        progress
    }

    async fn consume(&mut self, index: usize) -> bool {
        // One reader a group: the first living worker reads.
        if self.workers.iter().position(|worker| worker.alive && !worker.frozen) != Some(index) || !self.unread.load(Ordering::SeqCst) {
            return false;
        }
        let clock = Arc::clone(&self.clock);
        let Worker { consumer, fuse, polls, .. } = &mut self.workers[index];
        let Some(consumer) = consumer else { return false };
        let driven = {
            let mut step = std::pin::pin!(consumer.step(Duration::ZERO));
            drive(&clock, step.as_mut(), fuse, polls).await
        };
        let consumed = match driven {
            Driven::Ended(consumed) => consumed.unwrap(),
            // Nothing in the consumer sleeps when it does not wait for records.
            Driven::Parked => panic!("the consumer sleeps"),
            Driven::Killed => {
                self.kill(index);
                return true;
            }
        };
        if consumed.records == 0 {
            self.unread.store(false, Ordering::SeqCst);
            return false;
        }
        self.wake_all();
        true
    }

    /// A hint to everybody: the store says what is due.
    pub fn wake_all(&mut self) {
        let now = self.clock.now();
        for worker in &mut self.workers {
            for at in worker.next.values_mut() {
                *at = now;
            }
        }
    }

    async fn claim(&mut self, index: usize) -> bool {
        let now = self.now();
        let mut progress = false;
        if !self.workers[index].alive {
            return false;
        }
        let worker = &mut self.workers[index];
        let held: Vec<String> = worker.leases.keys().cloned().collect();
        for account in held {
            let Some((_, until)) = worker.leases.get(&account) else { continue };
            if until.since(now) * 2 <= self.lease {
                match accounts::claim(&self.store, &account, &worker.name, now, self.lease).await.unwrap() {
                    Some(lease) => worker.leases.insert(account, (lease, now + self.lease)),
                    None => {
                        worker.ask_at = now;
                        worker.next.retain(|(known, _), _| *known != account);
                        worker.leases.remove(&account)
                    }
                };
            }
        }
        if worker.ask_at > now {
            return progress;
        }
        for due in accounts::due(&self.store, &worker.name, now, 1000).await.unwrap() {
            if worker.leases.contains_key(&due.id) {
                continue;
            }
            if let Some(lease) = accounts::claim(&self.store, &due.id, &worker.name, now, self.lease).await.unwrap() {
                worker.leases.insert(due.id.clone(), (lease, now + self.lease));
                for lane in Lane::ALL {
                    worker.next.insert((due.id.clone(), lane), now);
                }
                progress = true;
            }
        }
        // A lease that is held elsewhere is asked for again; when all are in somebody's hands, only after something happened.
        let known = accounts::docs(&self.store).await.unwrap();
        let held = |id: &String| self.workers.iter().any(|worker| worker.alive && !worker.frozen && worker.leases.contains_key(id));
        let all = known.iter().all(|(id, _)| held(id));
        self.workers[index].ask_at = if all { Millis::NEVER } else { now + Duration::from_secs(1) };
        progress
    }

    /// Lets the world go on until `work` is done, and answers what it came to.
    pub async fn run_with<T>(&mut self, work: impl Future<Output = T>) -> T {
        let clock = Arc::clone(&self.clock);
        let mut work = std::pin::pin!(work);
        loop {
            if let Driven::Ended(value) = drive(&clock, work.as_mut(), &mut None, &mut 0).await {
                return value;
            }
            let next = self.settle().await;
            self.clock.set(next);
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

    /// Runs until nobody of the connection is due or in flight, at most `longest`; answers how long it took.
    pub async fn drain(&mut self, connection: &str, longest: Duration) -> Duration {
        let start = self.now();
        self.run_for(Duration::from_millis(1)).await;
        loop {
            let open = self.count(connection, RowState::Due).await + self.count(connection, RowState::Flying).await;
            if open == 0 {
                return self.now().since(start);
            }
            if self.now().since(start) >= longest {
                let states = [RowState::Due, RowState::Flying];
                let rows = renkei_store::employees::in_states(&self.store, connection, &states, 3).await.unwrap();
                let rows: Vec<_> = rows
                    .iter()
                    .map(|row| (row.key.clone(), row.state, row.op, row.reason.clone(), row.attempts, row.next_try, row.batch))
                    .collect();
                panic!("{open} people are still due or in flight at {:?}, such as {rows:#?}", self.now());
            }
            self.run_for(Duration::from_secs(5)).await;
        }
    }

    /// Checks what カオナビ saw: it never had to refuse for quota.
    pub async fn assert_limits(&self, company: &str) {
        let now = self.now();
        let stats = self.company(company, |company| company.stats(now)).await;
        assert_eq!(stats.refused_429, 0, "{stats:?}");
        assert!(stats.peak_update_calls <= 5, "{stats:?}");
        assert!(stats.peak_tokens_per_hour <= 5, "{stats:?}");
        assert!(stats.peak_calls_per_hour <= 3000, "{stats:?}");
    }

    /// Checks what must hold in the end: nobody in flight, nobody due, no batch open, no search under way.
    pub async fn assert_quiet(&self, connection: &str) {
        assert_eq!(self.count(connection, RowState::Due).await, 0, "somebody is still due");
        assert_eq!(self.count(connection, RowState::Flying).await, 0, "somebody is still in flight");
        let account = self.connection(connection).await.account.unwrap();
        let open = renkei_store::batches::open_lightly(&self.store.db, &account).await.unwrap();
        assert!(open.is_empty(), "{open:?}");
        let searches = renkei_store::batches::repairs(&self.store.db, &account).await.unwrap();
        assert!(searches.is_empty(), "{searches:?}");
    }
}

/// How far a future came.
enum Driven<T> {
    /// It ended.
    Ended(T),
    /// It sleeps on the simulated clock.
    Parked,
    /// Its worker dies here.
    Killed,
}

/// Polls a future until it ends or sleeps on the simulated clock. Work of the database is waited for.
async fn drive<T>(
    clock: &SimClock,
    mut step: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    fuse: &mut Option<u64>,
    polls: &mut u64,
) -> Driven<T> {
    poll_fn(|cx| {
        if let Some(left) = fuse {
            if *left == 0 {
                return Poll::Ready(Driven::Killed);
            }
            *left -= 1;
        }
        *polls += 1;
        clock.parked.store(false, Ordering::SeqCst);
        match step.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Driven::Ended(value)),
            Poll::Pending if clock.parked.load(Ordering::SeqCst) => Poll::Ready(Driven::Parked),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
