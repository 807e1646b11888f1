//! Both engines, and a clock that is set by hand.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use renkei_e2e::servers::Postgres;
use renkei_runtime::clock::{BoxFuture, Clock, Millis};
use renkei_store::Store;
use renkei_store::seal::MasterKey;
use renkei_store::time::SIMULATED_BOOT;

pub const MASTER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
pub const OTHER_MASTER: &str = "HxAdHBsaGRgXFhUUExIREA8ODQwLCgkIBwYFBAMCAQA=";
pub const START: i64 = 1_775_001_600_000;

pub fn master() -> MasterKey {
    MasterKey::parse(MASTER).unwrap()
}

/// A clock whose wall and boot sides move apart.
#[derive(Debug)]
pub struct HandClock {
    pub wall: AtomicI64,
    pub boot: AtomicI64,
    pub boot_id: Mutex<String>,
}

impl HandClock {
    pub fn new() -> Arc<Self> {
        let boot_id = Mutex::new(SIMULATED_BOOT.to_owned());
        Arc::new(Self { wall: AtomicI64::new(START), boot: AtomicI64::new(1_000), boot_id })
    }

    pub fn pass(&self, length: Duration) {
        let millis = i64::try_from(length.as_millis()).unwrap();
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.boot.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Millis {
        Millis(self.wall.load(Ordering::SeqCst))
    }
    fn wall(&self) -> jiff::Timestamp {
        self.now().timestamp()
    }
    fn monotonic(&self) -> Duration {
        self.boot()
    }
    fn boot(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.boot.load(Ordering::SeqCst)).unwrap())
    }
    fn boot_id(&self) -> String {
        self.boot_id.lock().unwrap().clone()
    }
    fn scale(&self) -> u32 {
        1
    }
    fn sleep(&self, _real: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// One engine with an empty database.
pub struct Engine {
    pub name: &'static str,
    pub url: String,
    pub clock: Arc<HandClock>,
    pub store: Store,
    _folder: tempfile::TempDir,
}

fn postgres() -> &'static Postgres {
    static SERVER: OnceLock<Postgres> = OnceLock::new();
    SERVER.get_or_init(|| Postgres::start().expect("postgres starts"))
}

/// An empty store on each engine.
pub async fn both() -> Vec<Engine> {
    let mut engines = Vec::new();
    for name in ["sqlite", "postgres"] {
        let folder = tempfile::tempdir().unwrap();
        let url = match name {
            "sqlite" => format!("sqlite://{}/store.db", folder.path().display()),
            _ => tokio::task::spawn_blocking(|| postgres().database().unwrap()).await.unwrap(),
        };
        let clock = HandClock::new();
        let store = Store::open(&url, &master(), clock.clone()).await.unwrap();
        engines.push(Engine { name, url, clock, store, _folder: folder });
    }
    engines
}
