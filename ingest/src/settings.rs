//! Bounds of receiving.

use std::num::NonZeroU32;
use std::time::Duration;

use renkei_events::signature::Tolerance;
use renkei_runtime::config::IngestConfig;

/// Largest body, in bytes.
pub const LARGEST_BODY: usize = 1024 * 1024;

/// All bounds. What is no key of the configuration is part of the contract with senders; tests shorten it.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a body may take to come.
    pub body_time: Duration,
    /// How long the log may take to acknowledge.
    pub produce_time: Duration,
    /// How long after the body's last byte there is an answer, whatever happens.
    pub answer_time: Duration,
    /// Most bytes of bodies that are held at one time, over all requests.
    pub held_bytes: usize,
    /// Deliveries a second, per connection.
    pub rate_per_second: NonZeroU32,
    /// Deliveries at once.
    pub rate_burst: NonZeroU32,
    /// How old and how far ahead a delivery may be.
    pub tolerance: Tolerance,
    /// How often the connections are read anew.
    pub refresh: Duration,
    /// How long reading them may take. With `refresh` below the five seconds that a change may take to count.
    pub refresh_time: Duration,
    /// How long the log may be away before this replica asks for no more work.
    pub log_patience: Duration,
    /// Threads that answer; 0 is one per core.
    pub threads: usize,
    /// How long requests in flight may take to end.
    pub drain: Duration,
}

impl Settings {
    /// The settings of an installation.
    #[must_use]
    pub fn of(config: &IngestConfig) -> Self {
        Self {
            rate_per_second: NonZeroU32::new(config.rate_per_second).unwrap_or(NonZeroU32::MIN),
            rate_burst: NonZeroU32::new(config.rate_burst).unwrap_or(NonZeroU32::MIN),
            tolerance: Tolerance {
                past_seconds: config.tolerance_past_seconds,
                future_seconds: config.tolerance_future_seconds,
            },
            threads: config.threads,
            drain: config.drain,
            ..Self::default()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            body_time: Duration::from_secs(10),
            produce_time: Duration::from_secs(4),
            answer_time: Duration::from_millis(4_500),
            held_bytes: 128 * LARGEST_BODY,
            rate_per_second: const { NonZeroU32::new(100).unwrap() },
            rate_burst: const { NonZeroU32::new(200).unwrap() },
            tolerance: Tolerance::default(),
            refresh: Duration::from_millis(500),
            refresh_time: Duration::from_millis(2_500),
            log_patience: Duration::from_secs(30),
            threads: 0,
            drain: Duration::from_secs(30),
        }
    }
}
