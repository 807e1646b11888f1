//! Machines where the network would be: the same calls, in process, with a way there and a way back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use renkei_runtime::clock::Clock;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};

use crate::machine::SharedMachine;
use crate::wire::{Answer, SimRequest, SimResponse};

/// How large the pieces of a body are.
const PIECE: usize = 16 * 1024;

/// How long one call is under way, in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trip {
    /// From the caller to the machine.
    pub there: Duration,
    /// From the machine to the caller.
    pub back: Duration,
}

/// Decides each call's [`Trip`].
pub type Latency = Box<dyn FnMut(&OutRequest) -> Trip + Send>;

/// No way at all.
#[must_use]
pub fn no_latency() -> Latency {
    Box::new(|_| Trip::default())
}

/// Ways of `from_ms` to `to_ms` each, drawn from `seed`; of a hundred calls about `slow_percent` take up to `slow_ms`
/// longer, on the way there or on the way back.
#[must_use]
pub fn seeded_latency(seed: u64, from_ms: u64, to_ms: u64, slow_percent: u8, slow_ms: u64) -> Latency {
    let mut random = StdRng::seed_from_u64(seed);
    Box::new(move |_| {
        let mut there = random.random_range(from_ms..=to_ms.max(from_ms));
        let mut back = random.random_range(from_ms..=to_ms.max(from_ms));
        if random.random_range(0..100) < slow_percent {
            let more = random.random_range(0..=slow_ms);
            if random.random_bool(0.5) { there += more } else { back += more }
        }
        Trip { there: Duration::from_millis(there), back: Duration::from_millis(back) }
    })
}

struct Host {
    machine: SharedMachine,
    cut: AtomicBool,
}

/// A [`Transport`] that knows a few machines by the beginning of their URLs, and nothing else.
pub struct Hosts {
    hosts: BTreeMap<String, Host>,
    clock: Arc<dyn Clock>,
    latency: Mutex<Latency>,
}

impl std::fmt::Debug for Hosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hosts").field("origins", &self.hosts.keys()).finish_non_exhaustive()
    }
}

impl Hosts {
    /// A network without hosts. `clock` is the machines' own: where clocks differ or jump, it must be the one that does
    /// neither.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, latency: Latency) -> Self {
        Self { hosts: BTreeMap::new(), clock, latency: Mutex::new(latency) }
    }

    /// With a machine that answers URLs under `origin` (`https://ieyasu.test`, no path).
    #[must_use]
    pub fn with(mut self, origin: &str, machine: SharedMachine) -> Self {
        let host = Host { machine, cut: AtomicBool::new(false) };
        self.hosts.insert(origin.trim_end_matches('/').to_owned(), host);
        self
    }

    /// While cut off, every call to `origin` fails as a refused connection does: nothing arrives. Whether there is such a
    /// host.
    pub fn cut(&self, origin: &str, cut: bool) -> bool {
        let host = self.hosts.get(origin.trim_end_matches('/'));
        host.map(|host| host.cut.store(cut, Ordering::SeqCst)).is_some()
    }

    /// Changes the ways from the next call on.
    pub fn set_latency(&self, latency: Latency) {
        *self.latency.lock().unwrap_or_else(PoisonError::into_inner) = latency;
    }

    /// The host of a URL, and the path with the query.
    fn find<'u>(&self, url: &'u str) -> Option<(&Host, &'u str)> {
        // No origin can be the beginning of another one's URLs: behind an origin comes a slash.
        self.hosts.iter().find_map(|(origin, host)| {
            let target = url.strip_prefix(origin.as_str()).filter(|rest| rest.starts_with('/'))?;
            Some((host, target))
        })
    }

    fn trip(&self, request: &OutRequest) -> Trip {
        let mut latency = self.latency.lock().unwrap_or_else(PoisonError::into_inner);
        latency(request)
    }

    /// Sleeps `length`, but not over the deadline.
    async fn pass(&self, length: Duration, left: &mut Duration) -> Result<(), TransportError> {
        let late = length >= *left && !length.is_zero();
        let length = length.min(*left);
        if !length.is_zero() {
            self.clock.sleep(length).await;
        }
        *left -= length;
        if late { Err(TransportError::Deadline) } else { Ok(()) }
    }

    /// Hands the body over, at once or, when it is to be slow, piece by piece.
    fn stream(&self, answer: Answer, left: Duration) -> OutResponse {
        let over = self.clock.shrunk(answer.body_over);
        let headers = answer.headers_out(self.clock.now());
        let pieces: Vec<Vec<u8>> = answer.body.chunks(PIECE).map(<[u8]>::to_vec).collect();
        if over.is_zero() {
            let (sender, body) = tokio::sync::mpsc::channel(pieces.len().max(1));
            for piece in pieces {
                // The channel has a place for each piece.
                let _ = sender.try_send(Ok(piece));
            }
            return OutResponse { status: answer.status, headers, body };
        }
        let (sender, body) = tokio::sync::mpsc::channel(1);
        let clock = self.clock.clone();
        tokio::spawn(async move {
            let step = over / u32::try_from(pieces.len().max(1)).unwrap_or(u32::MAX);
            let end = clock.monotonic() + left;
            for piece in pieces {
                let left = end.saturating_sub(clock.monotonic());
                clock.sleep(step.min(left)).await;
                let sent = if step >= left { Err(TransportError::Deadline) } else { Ok(piece) };
                let over = sent.is_err();
                if sender.send(sent).await.is_err() || over {
                    return;
                }
            }
        });
        OutResponse { status: answer.status, headers, body }
    }
}

#[async_trait]
impl Transport for Hosts {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        let trip = self.trip(&request);
        let Some((host, target)) = self.find(&request.url) else {
            return Err(TransportError::NotSent("no such host here".to_owned()));
        };
        if host.cut.load(Ordering::SeqCst) {
            return Err(TransportError::NotSent("connection refused".to_owned()));
        }
        let mut left = request.deadline;
        let mut arriving = SimRequest::new(request.method, target);
        arriving.headers = request.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        arriving.body = request.body.unwrap_or_default();
        self.pass(trip.there, &mut left).await?;
        let response = {
            let mut machine = host.machine.lock().await;
            machine.handle(self.clock.now(), arriving)
        };
        match response {
            SimResponse::Answer(answer) => {
                self.pass(self.clock.shrunk(answer.delay) + trip.back, &mut left).await?;
                Ok(self.stream(answer, left))
            }
            SimResponse::Reset { delay } => {
                self.pass(self.clock.shrunk(delay) + trip.back, &mut left).await?;
                Err(TransportError::NoAnswer("connection reset".to_owned()))
            }
        }
    }
}
