//! The network between workers and カオナビ.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use rand::Rng;
use rand::rngs::StdRng;
use renkei_runtime::clock::{Clock, Millis};
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use renkei_sandbox::kaonavi::transport::SimTransport;

use super::clock::SimClock;

/// A call on its way.
pub(super) type Wire = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A call that left a worker.
#[derive(Debug, Clone)]
pub struct Departure {
    /// When.
    pub at: Millis,
    /// Which worker.
    pub worker: String,
    /// The method.
    pub method: String,
    /// The address.
    pub url: String,
    /// What it carried.
    pub body: Vec<u8>,
    /// Whether it only asks what would come of it.
    pub dry_run: bool,
}

/// When a worker dies: at the same place in every run, which a count of polls is not.
///
/// It dies before a call leaves, when its answer comes, and before and after the position in the log is committed. Between
/// two statements of one transaction is the same as before the first: the store forgets both.
#[derive(Debug, Default)]
pub struct Doom {
    left: Mutex<Option<u64>>,
    struck: AtomicBool,
}

impl Doom {
    /// It dies at the `points`-th such place from now on; 0 is the next one.
    pub fn after(&self, points: u64) {
        *self.left.lock().unwrap() = Some(points);
    }

    /// Whether it has to die.
    #[must_use]
    pub fn has_struck(&self) -> bool {
        self.struck.load(Ordering::SeqCst)
    }

    /// One of the places. Whoever is struck gets no further.
    pub(super) async fn point(&self, clock: &SimClock) {
        let struck = match self.left.lock().unwrap().as_mut() {
            Some(0) => true,
            Some(left) => {
                *left -= 1;
                false
            }
            None => false,
        };
        if struck {
            self.struck.store(true, Ordering::SeqCst);
        }
        poll_fn(|_| {
            if self.has_struck() {
                clock.parked.store(true, Ordering::SeqCst);
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
    }
}

/// The network: what was sent arrives, whatever became of the sender.
pub(super) struct Network {
    pub(super) kaonavi: Arc<SimTransport>,
    pub(super) clock: Arc<SimClock>,
    pub(super) wires: Arc<Mutex<Vec<Wire>>>,
    pub(super) poison: Arc<Mutex<Option<String>>>,
    pub(super) departures: Arc<Mutex<Vec<Departure>>>,
    pub(super) worker: String,
    pub(super) doom: Arc<Doom>,
    pub(super) connecting: Arc<Connecting>,
}

/// How long connections take to be made, with chance of its own.
#[derive(Debug, Default)]
pub struct Connecting {
    /// The longest, in milliseconds, and chance.
    pub drawn: Mutex<Option<(u64, StdRng)>>,
}

impl Connecting {
    fn draw(&self) -> Option<Duration> {
        let mut drawn = self.drawn.lock().unwrap();
        let (longest, random) = drawn.as_mut()?;
        Some(Duration::from_millis(random.random_range(0..=*longest)))
    }
}

#[async_trait::async_trait]
impl Transport for Network {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        self.doom.point(&self.clock).await;
        if let Some(connecting) = self.connecting.draw() {
            self.clock.sleep(connecting).await;
        }
        self.departures.lock().unwrap().push(Departure {
            at: self.clock.now(),
            worker: self.worker.clone(),
            method: request.method.to_string(),
            url: request.url.clone(),
            body: request.body.clone().unwrap_or_default(),
            // Every other value would be a real run.
            dry_run: request.headers.iter().any(|(name, value)| name.eq_ignore_ascii_case("dry-run") && value == "1"),
        });
        let poison = self.poison.lock().unwrap().clone();
        let body = request.body.as_deref().unwrap_or_default();
        if poison.is_some_and(|poison| String::from_utf8_lossy(body).contains(&poison)) {
            let (_, body) = tokio::sync::mpsc::channel(1);
            return Ok(OutResponse { status: 500, headers: Vec::new(), body });
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
        let answer = answer.await;
        self.doom.point(&self.clock).await;
        answer.unwrap_or_else(|_| Err(TransportError::NoAnswer("the world ended".to_owned())))
    }
}
