//! What every step is handed.

use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis};
use renkei_runtime::http::Transport;
use renkei_store::Store;

use crate::metrics::Metrics;

/// Draws numbers. In tests and in the simulation it is seeded.
pub trait Random: Send + Sync {
    /// Evenly from 0 (inclusive) to 1 (exclusive).
    fn unit(&self) -> f64;
}

/// The process's own generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct ThreadRandom;

impl Random for ThreadRandom {
    fn unit(&self) -> f64 {
        rand::random::<f64>()
    }
}

/// Store, network, clock, randomness, figures.
#[derive(Clone)]
pub struct Context {
    /// The state.
    pub store: Store,
    /// Calls out.
    pub transport: Arc<dyn Transport>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Figures.
    pub metrics: Arc<Metrics>,
    /// Most people of one call, over all connections.
    pub batch_size: usize,
}

/// When a step wants to run again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextWake {
    /// At once: it did something, there may be more.
    Now,
    /// Not before this time of the store.
    At(Millis),
    /// When somebody wakes the account.
    Woken,
}

impl NextWake {
    /// The time.
    #[must_use]
    pub fn time(self, now: Millis) -> Millis {
        match self {
            NextWake::Now => now,
            NextWake::At(at) => at,
            NextWake::Woken => Millis::NEVER,
        }
    }

    /// The earlier of two.
    #[must_use]
    pub fn or(self, other: NextWake) -> NextWake {
        if self.time(Millis(0)) <= other.time(Millis(0)) { self } else { other }
    }
}

/// A pause that grows with the number of failures: from 5 s to 15 min, drawn evenly from zero (full jitter) so that many who
/// failed together do not come back together.
#[must_use]
pub fn back_off(random: &dyn Random, failures: u32) -> Duration {
    let longest = Duration::from_secs(15 * 60);
    let ceiling = Duration::from_secs(5).saturating_mul(2_u32.saturating_pow(failures.min(16))).min(longest);
    // At least a second: a pause of nothing is no pause.
    Duration::from_secs(1).max(ceiling.mul_f64(random.unit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(f64);

    impl Random for Fixed {
        fn unit(&self) -> f64 {
            self.0
        }
    }

    #[test]
    fn pauses_grow_from_5_s_to_15_min_and_are_drawn_from_the_whole_of_it() {
        for (failures, longest) in [(0, 5), (1, 10), (2, 20), (3, 40), (7, 640), (8, 900), (16, 900), (u32::MAX, 900)] {
            let pause = |unit: f64| back_off(&Fixed(unit), failures).as_secs_f64();
            assert_eq!(pause(0.0), 1.0, "{failures}: a pause of nothing is no pause");
            assert!((pause(0.5) - (longest as f64) / 2.0).abs() < 1e-6, "{failures}: {}", pause(0.5));
            assert!(pause(0.999_999) <= longest as f64 && pause(0.999_999) > 0.99 * longest as f64, "{failures}");
        }
    }
}
