//! How many deliveries a connection may send, and how many calls of the API a token may make: governor, on the clock that is handed in.

use std::hash::Hash;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use renkei_events::ids::ConnectionId;
use renkei_runtime::clock::Clock;

use crate::settings::Settings;

/// Real time since a fixed moment: what one process lets through has nothing to do with a faster clock.
#[derive(Debug, Clone)]
struct Monotonic(Arc<dyn Clock>);

impl GovernorClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

/// One limit per key. Keys are known connections or tokens only, so their number is bounded.
pub struct Limits<K: Hash + Eq + Clone = ConnectionId> {
    limiter: RateLimiter<K, DashMapStateStore<K>, Monotonic, NoOpMiddleware<Duration>>,
    clock: Arc<dyn Clock>,
}

impl<K: Hash + Eq + Clone> std::fmt::Debug for Limits<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Limits").field("keys", &self.limiter.len()).finish_non_exhaustive()
    }
}

impl Limits<ConnectionId> {
    /// Limits as the settings have them.
    #[must_use]
    pub fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Self {
        Self::per_second(settings.rate_per_second, settings.rate_burst, clock)
    }
}

impl<K: Hash + Eq + Clone> Limits<K> {
    /// So many a second, and so many at once.
    #[must_use]
    pub fn per_second(count: NonZeroU32, burst: NonZeroU32, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::per_second(count).allow_burst(burst);
        Self { limiter: RateLimiter::dashmap_with_clock(quota, Monotonic(Arc::clone(&clock))), clock }
    }

    /// Takes a place for one delivery or call.
    ///
    /// # Errors
    /// After how many whole seconds the next place is free, at least one.
    pub fn take(&self, key: &K) -> Result<(), u64> {
        self.limiter.check_key(key).map_err(|until| {
            let wait = until.wait_time_from(self.clock.monotonic());
            (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
        })
    }

    /// Forgets keys that sent nothing for a while.
    pub fn tidy(&self) {
        self.limiter.retain_recent();
    }
}
