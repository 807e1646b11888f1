//! Time is handed in.
//!
//! Nothing in Renkei reads the system clock but [`SystemClock`]. Instants are [`Millis`]: milliseconds since
//! 1970-01-01T00:00:00Z on the *injected* clock, which may run faster than the real one (`RENKEI_CLOCK_SCALE`).

use std::ops::{Add, Sub};
use std::pin::Pin;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Millis(pub i64);

impl Millis {
    /// Later than any time that is ever compared with it.
    pub const NEVER: Millis = Millis(i64::MAX / 4);

    /// How long after `earlier` this is; zero if it is not after.
    #[must_use]
    pub fn since(self, earlier: Millis) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same instant as a calendar time.
    #[must_use]
    pub fn timestamp(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::MAX)
    }
}

impl From<jiff::Timestamp> for Millis {
    fn from(timestamp: jiff::Timestamp) -> Self {
        Self(timestamp.as_millisecond())
    }
}

#[expect(clippy::suspicious_arithmetic_impl, reason = "saturating: a time far ahead is as good as never")]
impl Add<Duration> for Millis {
    type Output = Millis;
    fn add(self, length: Duration) -> Millis {
        Millis(self.0.saturating_add(i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 4)))
    }
}

#[expect(clippy::suspicious_arithmetic_impl, reason = "saturating: a time far back is as good as the beginning")]
impl Sub<Duration> for Millis {
    type Output = Millis;
    fn sub(self, length: Duration) -> Millis {
        Millis(self.0.saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX / 4)))
    }
}

/// A future without a name.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The clock that everything is given.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The time of day, possibly running faster than the real one.
    fn now(&self) -> Millis;

    /// The real time of day: for what others stamp with their own clocks (webhook timestamps).
    fn wall(&self) -> jiff::Timestamp;

    /// Time since some fixed moment that never jumps, in real time. For deadlines inside this process.
    fn monotonic(&self) -> Duration;

    /// Time since the host's boot in real time, suspended time included; never set back while the host runs.
    fn boot(&self) -> Duration;

    /// Which boot of which host [`Clock::boot`] counts from.
    fn boot_id(&self) -> String;

    /// How many times faster than real time [`Clock::now`] runs; 1 in production.
    fn scale(&self) -> u32;

    /// Waits for a real length of time.
    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()>;

    /// The length that a real duration has on this clock.
    fn stretched(&self, real: Duration) -> Duration {
        real * self.scale()
    }

    /// The real length of a duration on this clock.
    fn shrunk(&self, virtual_length: Duration) -> Duration {
        virtual_length / self.scale().max(1)
    }
}

/// The machine's clock, `scale` times as fast, counted from `anchor`.
#[derive(Debug)]
pub struct SystemClock {
    anchor: Millis,
    scale: u32,
    boot_id: String,
}

impl SystemClock {
    /// The real clock.
    #[must_use]
    pub fn real() -> Self {
        Self::scaled(Millis(0), 1)
    }

    /// A clock that agreed with the real one at `anchor` and has run `scale` times as fast since. Processes that share
    /// state must share the anchor.
    #[must_use]
    pub fn scaled(anchor: Millis, scale: u32) -> Self {
        let boot_id = std::fs::read_to_string("/proc/sys/kernel/random/boot_id");
        let boot_id = boot_id.map_or_else(|_| "unknown".to_owned(), |id| id.trim().to_owned());
        Self { anchor, scale: scale.max(1), boot_id }
    }

    fn read(id: rustix::time::ClockId) -> Duration {
        let time = rustix::time::clock_gettime(id);
        let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(seconds, nanos)
    }
}

/// `real`, moved as a clock that left the real one at `anchor` with `scale` times its speed shows it.
#[must_use]
pub fn scaled_time(anchor: Millis, scale: u32, real: Millis) -> Millis {
    if scale <= 1 {
        return real;
    }
    Millis(anchor.0 + (real.0 - anchor.0) * i64::from(scale))
}

impl Clock for SystemClock {
    fn now(&self) -> Millis {
        scaled_time(self.anchor, self.scale, Millis::from(self.wall()))
    }

    fn wall(&self) -> jiff::Timestamp {
        let now = Self::read(rustix::time::ClockId::Realtime);
        jiff::Timestamp::from_nanosecond(i128::try_from(now.as_nanos()).unwrap_or(0))
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }

    fn monotonic(&self) -> Duration {
        Self::read(rustix::time::ClockId::Monotonic)
    }

    fn boot(&self) -> Duration {
        Self::read(rustix::time::ClockId::Boottime)
    }

    fn boot_id(&self) -> String {
        self.boot_id.clone()
    }

    fn scale(&self) -> u32 {
        self.scale
    }

    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(real))
    }
}
