//! Starting, serving and ending in order.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::{App, HttpServer, web};
use prometheus::Registry;
use renkei_log::LogWriter;
use renkei_runtime::clock::Clock;
use renkei_runtime::config::Config;
use renkei_runtime::probe::{self, ListenError};
use renkei_runtime::shutdown::{self, Shutdown};

use crate::api::{self, Api};
use crate::connections::{ConnectionCache, ConnectionSource, Connections, SourceError};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::pages;
use crate::rate::Limits;
use crate::settings::Settings;
use crate::tally::Tally;
use crate::trace::Randomness;
use crate::webhook::{self, Complaints, Gate, HeldBytes};

/// Connections of one thread at most; more wait in the kernel.
const CONNECTIONS: usize = 4096;
/// How long what was handed to the log may take to be acknowledged at the end.
const FLUSH_TIME: Duration = Duration::from_secs(10);
/// How often limits of silent connections are forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// How often the store is told which deliveries passed their signature.
const REPORT_EVERY: Duration = Duration::from_secs(10);
/// How long the headers of a request may take. Slower senders get 408 from the HTTP library.
const HEADER_TIME: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// Why serving ended, other than by being asked to. Shown as one line.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port can not be opened.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The connections can not be read at the start.
    #[error("connections can not be read from the store: {0}; check RENKEI_STORE and that the database answers")]
    Connections(#[from] SourceError),
    /// Metrics are registered twice.
    #[error("metrics can not be registered: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The HTTP server failed.
    #[error("http server failed: {0}")]
    Http(#[from] io::Error),
    /// Not everything handed to the log was acknowledged in time. Nobody was told that it was.
    #[error("{0} records were not acknowledged by the log before the end; their senders were not told 202")]
    Unflushed(usize),
}

/// What serving is built from.
pub struct Parts {
    /// Bounds.
    pub settings: Settings,
    /// Where webhooks are received.
    pub listen: SocketAddr,
    /// Probes and metrics.
    pub internal_listen: SocketAddr,
    /// Where connections are read from.
    pub connections: Arc<dyn ConnectionSource>,
    /// Where events go.
    pub log: Arc<dyn LogWriter>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// For trace ids.
    pub random: Arc<Randomness>,
    /// The REST API, if there is a store behind it.
    pub api: Option<Api>,
}

/// Ports are open and connections are known; nothing is answered yet.
pub struct Server {
    gate: web::Data<Gate>,
    api: Option<web::Data<Api>>,
    cache: Arc<ConnectionCache>,
    registry: Registry,
    webhooks: TcpListener,
    internal: TcpListener,
}

/// Serves until `shutdown`, then ends in order.
///
/// # Errors
/// See [`ServeError`].
pub async fn serve(
    config: &Config,
    connections: Arc<dyn ConnectionSource>,
    log: Arc<dyn LogWriter>,
    clock: Arc<dyn Clock>,
    api: Option<Api>,
    shutdown: Shutdown,
) -> Result<(), ServeError> {
    let parts = Parts {
        settings: Settings::of(&config.ingest),
        listen: config.listen,
        internal_listen: config.internal_listen,
        connections,
        log,
        clock,
        random: Arc::new(rand::random::<u128>),
        api,
    };
    Server::bind(parts).await?.run(shutdown).await
}

impl Server {
    /// Opens the ports and reads the connections.
    ///
    /// # Errors
    /// When either is not possible.
    pub async fn bind(parts: Parts) -> Result<Self, ServeError> {
        let Parts { settings, listen, internal_listen, connections, log, clock, random, api } = parts;
        let webhooks = probe::listen(listen, "RENKEI_LISTEN")?;
        let internal = probe::listen(internal_listen, "RENKEI_INTERNAL_LISTEN")?;
        let registry = Registry::new();
        let metrics = Metrics::new(&registry)?;
        let cache = Arc::new(ConnectionCache::new(connections, Arc::clone(&clock), &settings));
        cache.load().await?;
        let gate = Gate {
            limits: Limits::new(&settings, Arc::clone(&clock)),
            held: HeldBytes::new(settings.held_bytes),
            health: Arc::new(Health::new(Arc::clone(&clock), settings.log_patience)),
            connections: Arc::clone(&cache) as Arc<dyn Connections>,
            settings,
            clock,
            log,
            metrics,
            random,
            tally: Tally::default(),
            complaints: Complaints::default(),
        };
        Ok(Self { gate: web::Data::new(gate), api: api.map(web::Data::new), cache, registry, webhooks, internal })
    }

    /// Where webhooks are received.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.webhooks.local_addr()
    }

    /// Where probes and metrics are.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn internal_address(&self) -> io::Result<SocketAddr> {
        self.internal.local_addr()
    }

    /// Answers until `shutdown`. Then: not ready, no new connections, requests in flight are finished, the log is flushed.
    ///
    /// # Errors
    /// See [`ServeError`].
    pub async fn run(self, shutdown: Shutdown) -> Result<(), ServeError> {
        let Self { gate, api, cache, registry, webhooks, internal } = self;
        let (address, internal_address) = (webhooks.local_addr()?, internal.local_addr()?);
        let (ended, until_ended) = shutdown::channel();
        let probes = probe::serve(internal, Arc::clone(&gate.health) as _, registry, until_ended.clone());
        let probes = tokio::spawn(probes);
        let background = background(&gate, api.as_ref(), &cache, &until_ended);

        let http = start(&gate, api, webhooks)?;
        let handle = http.handle();
        let mut http = std::pin::pin!(http);
        tracing::info!(listen = %address, internal_listen = %internal_address, "taking webhooks");
        tokio::select! {
            // It never ends by itself but for a fault.
            ended_early = &mut http => ended_early?,
            () = shutdown.requested() => {
                gate.health.drain();
                gate.metrics.draining.set(1);
                tracing::info!(in_flight = gate.metrics.in_flight.get(), "finishing requests in flight");
                let (_, served) = tokio::join!(handle.stop(true), &mut http);
                served?;
            }
        }

        let left = gate.log.flush(FLUSH_TIME).await;
        ended.pull();
        for task in background {
            let _ = task.await;
        }
        let _ = probes.await;
        if left > 0 {
            return Err(ServeError::Unflushed(left));
        }
        tracing::info!("ended");
        Ok(())
    }
}

fn start(
    gate: &web::Data<Gate>,
    api: Option<web::Data<Api>>,
    listener: TcpListener,
) -> io::Result<actix_web::dev::Server> {
    let threads = gate.settings.threads;
    let drain = gate.settings.drain.as_secs().max(1);
    let app_gate = gate.clone();
    let mut server = HttpServer::new(move || {
        let mut app = App::new().app_data(app_gate.clone()).configure(webhook::routes).configure(pages::routes);
        if let Some(api) = &api {
            app = app.app_data(api.clone()).configure(api::routes);
        }
        app.default_service(web::to(webhook::no_route))
    })
    .disable_signals()
    .client_request_timeout(HEADER_TIME)
    .client_disconnect_timeout(Duration::from_secs(5))
    .keep_alive(KEEP_ALIVE)
    // Each connection may hold a head of some kilobytes before anything about it is known.
    .max_connections(CONNECTIONS)
    .shutdown_timeout(drain);
    if threads > 0 {
        server = server.workers(threads);
    }
    Ok(server.listen(listener)?.run())
}

/// What runs beside the requests.
fn background(
    gate: &web::Data<Gate>,
    api: Option<&web::Data<Api>>,
    cache: &Arc<ConnectionCache>,
    ended: &Shutdown,
) -> [tokio::task::JoinHandle<()>; 4] {
    let refresh = {
        let (gate, cache, ended) = (gate.clone(), Arc::clone(cache), ended.clone());
        tokio::spawn(async move { cache.keep_fresh(&gate.metrics, &ended).await })
    };
    let watch = {
        let (gate, ended) = (gate.clone(), ended.clone());
        tokio::spawn(async move { gate.health.watch(gate.log.as_ref(), &gate.metrics, &ended).await })
    };
    let tidy = {
        let (gate, api, ended) = (gate.clone(), api.cloned(), ended.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = gate.clock.sleep(TIDY_EVERY) => {
                        gate.limits.tidy();
                        if let Some(api) = &api {
                            api.limits.tidy();
                        }
                    }
                    () = ended.requested() => return,
                }
            }
        })
    };
    let report = {
        let (gate, cache, ended) = (gate.clone(), Arc::clone(cache), ended.clone());
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = gate.clock.sleep(REPORT_EVERY) => cache.report(&gate.tally).await,
                    () = ended.requested() => return cache.report(&gate.tally).await,
                }
            }
        })
    };
    [refresh, watch, tidy, report]
}
