//! One account at work: its lanes side by side, until nothing is due.

use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use renkei_runtime::clock::Millis;
use renkei_store::accounts::{self, Lease};
use tokio::sync::watch;

use crate::context::{Context, NextWake};
use crate::error::Result;
use crate::members::steps::{self, Lane};

/// A lane that is due within this time (on the store's clock) is waited for; otherwise the account's task ends and the store
/// remembers when it is due.
const STAY: Duration = Duration::from_secs(1);
/// Woken while it was about to end, the account's task waits this long (real time) before it looks again: in a backlog the
/// consumer wakes it with every step and wants the same row locked.
const GATHER: Duration = Duration::from_millis(50);
/// After a failed step the lane rests for this long (real time).
const REST: Duration = Duration::from_secs(1);

/// The task of one account.
pub struct Worker {
    /// What steps are handed.
    pub context: Context,
    /// The hold on the account.
    pub lease: Lease,
    /// The account's wake number as last seen.
    pub woken: watch::Receiver<i64>,
    /// The end.
    pub stop: watch::Receiver<bool>,
}

#[derive(Clone, Copy)]
struct LaneState {
    lane: Lane,
    next: Millis,
    running: bool,
    /// Something happened while it ran: run it once more.
    again: bool,
}

type Ended = (Lane, Result<NextWake>);

impl Worker {
    /// Runs lanes until nothing is due, the lease is lost, or the end has come.
    pub async fn work(mut self, mut wake_seq: i64) {
        let mut lanes = Lane::ALL.map(|lane| LaneState { lane, next: Millis(0), running: false, again: false });
        let mut running: FuturesUnordered<BoxFuture<'static, Ended>> = FuturesUnordered::new();
        loop {
            let stopping = *self.stop.borrow();
            if stopping && running.is_empty() {
                return;
            }
            let Ok(now) = self.context.store.now().await else {
                self.context.clock.sleep(REST).await;
                continue;
            };
            if !stopping {
                for state in lanes.iter_mut().filter(|state| !state.running && state.next <= now) {
                    state.running = true;
                    state.again = false;
                    running.push(self.start(state.lane));
                }
            }
            let next =
                lanes.iter().filter(|state| !state.running).map(|state| state.next).min().unwrap_or(Millis::NEVER);
            if running.is_empty() && next > now + STAY {
                match accounts::set_due(&self.context.store, &self.lease, wake_seq, next).await {
                    Ok(true) => return,
                    // Woken meanwhile, or the lease is gone: look again, which tells.
                    Ok(false) => {
                        self.context.clock.sleep(GATHER).await;
                        wake_seq = self.seen(wake_seq).await;
                        run_all(&mut lanes);
                        if !self.still_mine().await {
                            return;
                        }
                        continue;
                    }
                    Err(_) => {
                        self.context.clock.sleep(REST).await;
                        continue;
                    }
                }
            }
            let pause = self.context.clock.shrunk(next.since(now)).min(Duration::from_secs(5));
            tokio::select! {
                Some((lane, result)) = running.next(), if !running.is_empty() => {
                    if !self.ended(&mut lanes, lane, result).await {
                        return;
                    }
                }
                () = self.context.clock.sleep(pause.max(Duration::from_millis(1))), if !stopping => {}
                changed = self.woken.changed(), if !stopping => {
                    if changed.is_err() {
                        return;
                    }
                    wake_seq = *self.woken.borrow_and_update();
                    run_all(&mut lanes);
                }
                _ = self.stop.changed(), if !stopping => {}
            }
        }
    }

    fn start(&self, lane: Lane) -> BoxFuture<'static, Ended> {
        let context = self.context.clone();
        let lease = self.lease.clone();
        // A task of its own: a lane that works hard must not keep the others from being polled.
        let task = tokio::spawn(async move { steps::step(&context, &lease, lane).await });
        Box::pin(async move {
            let result = task.await.unwrap_or(Ok(NextWake::Woken));
            (lane, result)
        })
    }

    /// Notes what a lane answered. `false`: the account is somebody else's now.
    async fn ended(&self, lanes: &mut [LaneState], lane: Lane, result: Result<NextWake>) -> bool {
        let now = match self.context.store.now().await {
            Ok(now) => now,
            Err(_) => Millis(0),
        };
        let mut acted = false;
        for state in lanes.iter_mut().filter(|state| state.lane == lane) {
            state.running = false;
            state.next = match &result {
                Ok(next) => {
                    acted = *next == NextWake::Now;
                    if state.again { now } else { next.time(now) }
                }
                Err(error) if error.is_fenced() => return false,
                Err(error) => {
                    self.context.metrics.step_failures.with_label_values(&[lane.as_str()]).inc();
                    tracing::warn!(account.id = %self.lease.account, lane = lane.as_str(), error = %error, "step failed");
                    now + self.context.clock.stretched(REST)
                }
            };
        }
        if acted {
            run_all(lanes);
        }
        true
    }

    /// The wake number as the store has it now.
    async fn seen(&self, before: i64) -> i64 {
        let row = accounts::wake_seq(&self.context.store, &self.lease.account).await;
        row.ok().flatten().unwrap_or(before)
    }

    async fn still_mine(&self) -> bool {
        matches!(accounts::is_held(&self.context.store, &self.lease).await, Ok(true))
    }
}

/// Something happened that any lane may want to know.
fn run_all(lanes: &mut [LaneState]) {
    for state in lanes {
        state.next = Millis(0);
        state.again = state.running;
    }
}
