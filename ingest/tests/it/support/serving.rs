//! A running server of a test.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use renkei_ingest::api::Api;
use renkei_ingest::server::{Parts, ServeError, Server};
use renkei_ingest::settings::Settings;
use renkei_runtime::config::{BaseUrl, OutsideConfig};
use renkei_runtime::http::guard::AllowPrivate;
use renkei_runtime::shutdown::{self, Trigger};
use renkei_store::{Store, tokens};
use secrecy::SecretString;
use tokio::task::JoinHandle;

use super::client::{Answer, Request, Wire};
use super::fakes::{FakeLog, FakeSource, ManualClock};
use super::sample;

pub struct Serving {
    pub address: SocketAddr,
    pub internal: SocketAddr,
    pub log: Arc<FakeLog>,
    pub source: Arc<FakeSource>,
    pub clock: Arc<ManualClock>,
    pub trigger: Trigger,
    pub ended: JoinHandle<Result<(), ServeError>>,
}

/// The bounds of tests: as in earnest, but one thread, and connections are read anew at once.
pub fn settings() -> Settings {
    Settings { refresh: Duration::from_millis(20), threads: 1, ..Settings::default() }
}

pub async fn start() -> Serving {
    start_with(settings()).await
}

pub async fn start_with(settings: Settings) -> Serving {
    start_api(settings, ManualClock::new(), None).await
}

/// The same with the REST API.
pub async fn start_api(settings: Settings, clock: Arc<ManualClock>, api: Option<Api>) -> Serving {
    let log = FakeLog::new();
    let source = FakeSource::new(sample::connections());
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let parts = Parts {
        settings,
        listen: any,
        internal_listen: any,
        connections: source.clone(),
        log: log.clone(),
        clock: clock.clone(),
        random: Arc::new(|| 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        api,
    };
    let server = Server::bind(parts).await.unwrap();
    let (address, internal) = (server.address().unwrap(), server.internal_address().unwrap());
    let (trigger, shutdown) = shutdown::channel();
    let ended = tokio::spawn(server.run(shutdown));
    Serving { address, internal, log, source, clock, trigger, ended }
}

/// カオナビ's own address, and this machine's for whatever a test serves.
pub fn outside() -> OutsideConfig {
    let allow_private = AllowPrivate::parse(&["127.0.0.1".to_owned()]).unwrap();
    let kaonavi_base_url = BaseUrl::parse("https://api.kaonavi.jp/api/v2.0", &allow_private).unwrap();
    OutsideConfig { kaonavi_base_url, allow_private, loopback_only: false }
}

/// A token of somebody in HR.
pub async fn token(store: &Store, tenant: &str) -> SecretString {
    let tx = store.begin().await.unwrap();
    let now = store.now_in(&tx).await.unwrap();
    let (_, token) = tokens::create(store, &tx, Some(tenant), "hr", None, now).await.unwrap();
    tx.commit().await.unwrap();
    token
}

impl Serving {
    pub async fn send(&self, request: &Request) -> Answer {
        let mut wire = Wire::open(self.address).await;
        wire.send(request).await.expect("an answer")
    }

    /// An answer of the second port.
    pub async fn ask(&self, path: &str) -> Answer {
        let request =
            Request { method: "GET".into(), path: path.into(), headers: vec![], body: vec![], chunked: false };
        Wire::open(self.internal).await.send(&request).await.expect("an answer")
    }

    /// The value of one line of the metrics, such as `renkei_x{reason="y"}`.
    pub async fn metric(&self, line: &str) -> f64 {
        let text = String::from_utf8(self.ask("/metrics").await.body).unwrap();
        let found = text.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(' ').map(str::to_owned));
        found.map_or(0.0, |value| value.parse().unwrap())
    }

    /// How many requests ended at `stage` for `reason`.
    pub async fn counted(&self, stage: &str, reason: &str) -> f64 {
        self.metric(&format!("renkei_ingest_deliveries_total{{reason=\"{reason}\",stage=\"{stage}\"}}")).await
    }

    /// Waits until `path` of the second port answers with `status`.
    pub async fn until(&self, path: &str, status: u16) {
        for _ in 0..300 {
            if self.ask(path).await.status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{path} never answered {status}");
    }

    /// Waits until `request` is answered with `status`.
    pub async fn until_answered(&self, request: &Request, status: u16) {
        for _ in 0..500 {
            if self.send(request).await.status == status {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never answered {status}");
    }

    /// Waits until a line of the metrics fulfils `is`.
    pub async fn until_metric(&self, line: &str, is: impl Fn(f64) -> bool) {
        for _ in 0..500 {
            if is(self.metric(line).await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{line} never came to that");
    }

    /// Whether it still takes a good delivery.
    pub async fn assert_alive(&self) {
        let answer = self.send(&Request::signed(sample::updated())).await;
        assert_eq!(answer.status, 202, "{answer:?}");
    }
}
