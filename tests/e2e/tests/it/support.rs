//! What these tests share.

pub mod needles;
pub mod outside;
pub mod people;
pub mod records;
pub mod servers;
pub mod sim;
pub mod traffic;
pub mod world;

use std::future::Future;
use std::sync::OnceLock;
use std::time::Duration;

use renkei_runtime::clock::{Clock, SystemClock};

/// The runtime of everything here that is asynchronous; tests themselves are plain threads.
pub fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        // A second installation is refused, which means that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    })
}

/// Runs a future to its end.
pub fn block<T>(future: impl Future<Output = T>) -> T {
    runtime().block_on(future)
}

/// Real time since some fixed moment.
pub fn monotonic() -> Duration {
    SystemClock::real().monotonic()
}

/// Seconds since 1970.
pub fn unix_now() -> i64 {
    SystemClock::real().wall().as_second()
}

/// A stopwatch.
#[derive(Debug, Clone, Copy)]
pub struct Watch(Duration);

impl Watch {
    pub fn start() -> Self {
        Self(monotonic())
    }

    pub fn elapsed(self) -> Duration {
        monotonic().saturating_sub(self.0)
    }
}

/// Asks every 50 ms until `done` says yes.
///
/// # Panics
/// With `what`, when `most` is over.
#[track_caller]
pub fn until(most: Duration, what: &str, mut done: impl FnMut() -> bool) {
    let watch = Watch::start();
    while !done() {
        assert!(watch.elapsed() < most, "not within {most:?}: {what}");
        pause(50);
    }
}

/// Waits a moment of real time.
pub fn pause(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// A number from the environment, for the length of what takes long.
pub fn setting(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// The value at `share` of sorted values.
pub fn quantile(sorted: &[u64], share: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let at = (sorted.len().saturating_sub(1) as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(0)
}
