//! How often a source may be asked: governor, one limit per credential.
//!
//! A credential is worked on by one worker at a time, so a limit in memory is enough; a call that another worker made just
//! before is the one that a source may see too early.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use renkei_runtime::clock::Clock;

/// The injected clock, so that intervals shrink with everything else under a faster one.
#[derive(Debug, Clone)]
struct Injected(Arc<dyn Clock>);

impl GovernorClock for Injected {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.stretched(self.0.monotonic())
    }
}

/// One call per interval and credential.
pub struct Limits {
    limiter: RateLimiter<String, DashMapStateStore<String>, Injected, NoOpMiddleware<Duration>>,
    clock: Injected,
}

impl Limits {
    /// At most one call per `interval` (of the injected clock) for each credential.
    #[must_use]
    pub fn new(interval: Duration, clock: Arc<dyn Clock>) -> Self {
        let quota = Quota::with_period(interval.max(Duration::from_millis(1)))
            .unwrap_or_else(|| Quota::per_second(NonZeroU32::MIN))
            .allow_burst(NonZeroU32::MIN);
        let clock = Injected(clock);
        Self { limiter: RateLimiter::dashmap_with_clock(quota, clock.clone()), clock }
    }

    /// Takes the place of one call.
    ///
    /// # Errors
    /// After how long (on the injected clock) the next place is free.
    pub fn take(&self, credential: &str) -> Result<(), Duration> {
        self.limiter.check_key(&credential.to_owned()).map_err(|refused| {
            // A millisecond more, because times of the store are whole milliseconds.
            refused.wait_time_from(self.clock.now()) + Duration::from_millis(1)
        })
    }

    /// Forgets credentials that were not used for longer than an interval.
    pub fn tidy(&self) {
        self.limiter.retain_recent();
        self.limiter.shrink_to_fit();
    }
}
