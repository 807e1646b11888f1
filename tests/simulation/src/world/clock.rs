//! The simulated clock, and one worker's view of it.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use renkei_runtime::clock::{BoxFuture, Clock, Millis};

use super::START;

/// The simulated clock.
#[derive(Debug, Default)]
pub struct SimClock {
    now: Mutex<i64>,
    sleepers: Arc<Mutex<BTreeMap<(i64, u64), Waker>>>,
    /// Whether somebody has begun to sleep since it was last asked.
    pub(super) parked: Arc<AtomicBool>,
    next: AtomicU64,
}

impl SimClock {
    /// A clock at [`START`].
    pub fn new() -> Arc<Self> {
        Arc::new(Self { now: Mutex::new(START), ..Self::default() })
    }

    /// Moves on to a time and wakes whoever slept until then.
    pub fn set(&self, to: Millis) {
        let mut now = self.now.lock().unwrap();
        *now = (*now).max(to.0);
        let mut sleepers = self.sleepers.lock().unwrap();
        let later = sleepers.split_off(&(*now + 1, 0));
        for (_, waker) in std::mem::replace(&mut *sleepers, later) {
            waker.wake();
        }
    }

    pub(super) fn next_sleeper(&self) -> Option<Millis> {
        self.sleepers.lock().unwrap().keys().next().map(|(at, _)| Millis(*at))
    }
}

struct Sleep {
    clock_now: i64,
    at: i64,
    id: u64,
    sleepers: Arc<Mutex<BTreeMap<(i64, u64), Waker>>>,
    parked: Arc<AtomicBool>,
    registered: bool,
    done: bool,
}

impl Future for Sleep {
    type Output = ();
    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<()> {
        if self.done || self.at <= self.clock_now {
            return Poll::Ready(());
        }
        let key = (self.at, self.id);
        let mut sleepers = self.sleepers.lock().unwrap();
        if self.registered && !sleepers.contains_key(&key) {
            drop(sleepers);
            self.done = true;
            // Whoever waited for this beside something that still sleeps goes on.
            self.parked.store(false, Ordering::SeqCst);
            return Poll::Ready(());
        }
        sleepers.insert(key, cx.waker().clone());
        drop(sleepers);
        self.registered = true;
        self.parked.store(true, Ordering::SeqCst);
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.sleepers.lock().unwrap().remove(&(self.at, self.id));
    }
}

impl Clock for SimClock {
    fn now(&self) -> Millis {
        Millis(*self.now.lock().unwrap())
    }
    fn wall(&self) -> jiff::Timestamp {
        self.now().timestamp()
    }
    fn monotonic(&self) -> Duration {
        self.now().since(Millis(0))
    }
    fn boot(&self) -> Duration {
        self.now().since(Millis(0))
    }
    fn boot_id(&self) -> String {
        renkei_store::time::SIMULATED_BOOT.to_owned()
    }
    fn scale(&self) -> u32 {
        1
    }
    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        let now = self.now().0;
        Box::pin(Sleep {
            clock_now: now,
            at: (self.now() + real).0,
            id: self.next.fetch_add(1, Ordering::SeqCst),
            sleepers: Arc::clone(&self.sleepers),
            parked: Arc::clone(&self.parked),
            registered: false,
            done: false,
        })
    }
}

/// The clock of one worker, which can stop that worker for three seconds between two looks at the clock.
#[derive(Debug)]
pub struct Skewed {
    pub(super) clock: Arc<SimClock>,
    pub(super) reads_left: Mutex<Option<u64>>,
    /// How far its wall clock is off, in milliseconds.
    off: AtomicI64,
}

impl Skewed {
    pub(super) fn new(clock: Arc<SimClock>) -> Self {
        Self { clock, reads_left: Mutex::new(None), off: AtomicI64::new(0) }
    }

    /// Somebody sets the host's wall clock.
    pub fn jump(&self, by_ms: i64) {
        self.off.fetch_add(by_ms, Ordering::SeqCst);
    }

    /// After `reads` more looks the monotonic clock is three seconds further.
    pub fn stop_after(&self, reads: u64) {
        *self.reads_left.lock().unwrap() = Some(reads);
    }
}

impl Clock for Skewed {
    fn now(&self) -> Millis {
        Millis(self.clock.now().0 + self.off.load(Ordering::SeqCst))
    }
    fn wall(&self) -> jiff::Timestamp {
        self.now().timestamp()
    }
    fn monotonic(&self) -> Duration {
        let mut left = self.reads_left.lock().unwrap();
        let stopped = match left.as_mut() {
            Some(0) => Duration::from_secs(3),
            Some(count) => {
                *count -= 1;
                Duration::ZERO
            }
            None => Duration::ZERO,
        };
        self.clock.monotonic() + stopped
    }
    fn boot(&self) -> Duration {
        self.clock.boot()
    }
    fn boot_id(&self) -> String {
        self.clock.boot_id()
    }
    fn scale(&self) -> u32 {
        self.clock.scale()
    }
    fn sleep(&self, real: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(real)
    }
}
