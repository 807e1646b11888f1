//! How time passes: only when nobody has anything to do.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use renkei_runtime::clock::{Clock, Millis};
use renkei_store::accounts;
use renkei_workers::context::NextWake;
use renkei_workers::members::steps::{self, Lane};

use super::clock::SimClock;
use super::{Running, Step, Worker, World};

impl World {
    /// Runs until `until`.
    pub async fn run_until(&mut self, until: Millis) {
        loop {
            let next = self.settle().await;
            if next > until {
                self.clock.set(until);
                return;
            }
            self.clock.set(next);
        }
    }

    /// Runs for a while.
    pub async fn run_for(&mut self, length: Duration) {
        self.run_until(self.now() + length).await;
    }

    /// Does everything that can be done at this moment; answers the next moment at which something can.
    async fn settle(&mut self) -> Millis {
        for round in 0.. {
            assert!(round < 10_000, "time stands still");
            let mut progress = self.carry().await;
            for index in 0..self.workers.len() {
                progress |= self.turn(index).await;
            }
            self.watch.stirred |= progress;
            // What has just left sets out at this moment, not when something else happens.
            if !progress && !self.has_fresh_wires() {
                break;
            }
        }
        self.watch().await;
        let mut next = self.clock.next_sleeper().unwrap_or(Millis::NEVER).min(self.next_mail());
        for worker in self.workers.iter().filter(|worker| worker.alive && !worker.frozen) {
            for ((account, lane), at) in &worker.next {
                let busy = worker.running.iter().any(|step| step.account == *account && step.lane == *lane);
                if !busy {
                    next = next.min(*at);
                }
            }
            next = next.min(worker.ask_at);
            // A lease is kept while there is work under it; a worker that has nothing to do takes it anew when it has.
            let working = worker.running.iter().filter_map(|step| worker.leases.get(&step.account));
            if let Some(until) = working.map(|(_, until)| *until).min() {
                next = next.min(until - self.lease / 2);
            }
        }
        next.max(Millis(self.now().0 + 1))
    }

    fn has_fresh_wires(&self) -> bool {
        self.wires.lock().unwrap().len() > self.carried
    }

    /// Moves what is on the wires on.
    async fn carry(&mut self) -> bool {
        let mut wires = std::mem::take(&mut *self.wires.lock().unwrap());
        let before = wires.len();
        let mut kept = Vec::with_capacity(before);
        for mut wire in wires.drain(..) {
            if let Driven::Parked = drive(&self.clock, wire.as_mut(), &mut None, &mut 0).await {
                kept.push(wire);
            }
        }
        let progress = kept.len() < before;
        self.carried = kept.len();
        self.wires.lock().unwrap().append(&mut kept);
        progress
    }

    async fn turn(&mut self, index: usize) -> bool {
        if !self.workers[index].alive || self.workers[index].frozen {
            return false;
        }
        let mut progress = self.consume(index).await;
        progress |= self.claim(index).await;
        progress |= self.notify(index).await;
        if !self.workers[index].alive {
            return true;
        }
        let now = self.now();
        let worker = &mut self.workers[index];
        let due: Vec<(String, Lane)> = worker
            .next
            .iter()
            .filter(|((account, lane), at)| {
                **at <= now && !worker.running.iter().any(|step| step.account == *account && step.lane == *lane)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for (account, lane) in due {
            let context = worker.context.clone();
            let Some((lease, _)) = worker.leases.get(&account).cloned() else { continue };
            worker.next.insert((account.clone(), lane), Millis::NEVER);
            let step: Step = Box::pin(async move { steps::step(&context, &lease, lane).await });
            worker.running.push(Running { account, lane, step });
        }
        let mut at = 0;
        while self.workers[index].alive && at < self.workers[index].running.len() {
            let clock = Arc::clone(&self.clock);
            let Worker { running, fuse, polls, .. } = &mut self.workers[index];
            let driven = drive(&clock, running[at].step.as_mut(), fuse, polls).await;
            let result = match driven {
                Driven::Ended(result) => result,
                Driven::Parked if !self.workers[index].doom.has_struck() => {
                    at += 1;
                    continue;
                }
                Driven::Parked | Driven::Killed => {
                    self.kill(index);
                    return true;
                }
            };
            let worker = &mut self.workers[index];
            progress = true;
            let Running { account, lane, .. } = worker.running.remove(at);
            match result {
                Ok(NextWake::Now) => {
                    for lane in Lane::ALL {
                        worker.next.insert((account.clone(), lane), now);
                    }
                }
                Ok(next) => {
                    let wake = next.time(now);
                    let slot = worker.next.entry((account, lane)).or_insert(Millis::NEVER);
                    // Whoever woke the lane while it ran is not forgotten.
                    *slot = (*slot).min(wake);
                }
                Err(error) if error.is_fenced() => {
                    worker.ask_at = now + Duration::from_secs(1);
                    worker.leases.remove(&account);
                    worker.next.retain(|(known, _), _| *known != account);
                }
                Err(error) => panic!("{}: {} of {account} failed: {error}", worker.name, lane.as_str()),
            }
        }
        progress
    }

    async fn consume(&mut self, index: usize) -> bool {
        // One reader a group: the first living worker reads.
        if self.workers.iter().position(|worker| worker.alive && !worker.frozen) != Some(index)
            || !self.unread.load(Ordering::SeqCst)
        {
            return false;
        }
        let clock = Arc::clone(&self.clock);
        let Worker { consumer, fuse, polls, .. } = &mut self.workers[index];
        let Some(consumer) = consumer else { return false };
        let driven = {
            let mut step = std::pin::pin!(consumer.step(Duration::ZERO));
            drive(&clock, step.as_mut(), fuse, polls).await
        };
        let consumed = match driven {
            Driven::Ended(consumed) => consumed.unwrap(),
            // Nothing in the consumer sleeps when it does not wait for records.
            Driven::Parked if !self.workers[index].doom.has_struck() => panic!("the consumer sleeps"),
            Driven::Parked | Driven::Killed => {
                self.kill(index);
                return true;
            }
        };
        if consumed.records == 0 {
            self.unread.store(false, Ordering::SeqCst);
            return false;
        }
        self.wake_woken().await;
        true
    }

    /// The lanes of those accounts that the store has as woken: what was consumed says nothing to a worker by itself.
    async fn wake_woken(&mut self) {
        let now = self.clock.now();
        for (account, _) in accounts::docs(&self.store).await.unwrap() {
            let seq = accounts::wake_seq(&self.store, &account).await.unwrap();
            if self.woken.insert(account.clone(), seq) == Some(seq) {
                continue;
            }
            for worker in &mut self.workers {
                for (_, at) in worker.next.iter_mut().filter(|((known, _), _)| *known == account) {
                    *at = now;
                }
            }
        }
    }

    /// A hint to everybody: the store says what is due.
    pub fn wake_all(&mut self) {
        let now = self.clock.now();
        for worker in &mut self.workers {
            for at in worker.next.values_mut() {
                *at = now;
            }
        }
    }

    async fn claim(&mut self, index: usize) -> bool {
        let now = self.now();
        let mut progress = false;
        if !self.workers[index].alive {
            return false;
        }
        let worker = &mut self.workers[index];
        let held: Vec<String> = worker.leases.keys().cloned().collect();
        for account in held {
            let Some((_, until)) = worker.leases.get(&account) else { continue };
            let busy = worker.running.iter().any(|step| step.account == account)
                || worker.next.iter().any(|((known, _), at)| *known == account && *at <= now);
            if busy && until.since(now) * 2 <= self.lease {
                match accounts::claim(&self.store, &account, &worker.name, now, self.lease).await.unwrap() {
                    Some(lease) => worker.leases.insert(account, (lease, now + self.lease)),
                    // Only its next step finds out.
                    None => {
                        let lease = worker.leases[&account].0.clone();
                        worker.leases.insert(account, (lease, now + self.lease))
                    }
                };
            }
        }
        if worker.ask_at > now {
            return progress;
        }
        for due in accounts::due(&self.store, &worker.name, now, 1000).await.unwrap() {
            if worker.leases.contains_key(&due.id) {
                continue;
            }
            if let Some(lease) = accounts::claim(&self.store, &due.id, &worker.name, now, self.lease).await.unwrap() {
                worker.leases.insert(due.id.clone(), (lease, now + self.lease));
                for lane in Lane::ALL {
                    worker.next.insert((due.id.clone(), lane), now);
                }
                progress = true;
            }
        }
        // A lease that is held elsewhere is asked for again; when all are in somebody's hands, only after something happened.
        let known = accounts::docs(&self.store).await.unwrap();
        let held = |id: &String| {
            self.workers.iter().any(|worker| worker.alive && !worker.frozen && worker.leases.contains_key(id))
        };
        let all = known.iter().all(|(id, _)| held(id));
        self.workers[index].ask_at = if all { Millis::NEVER } else { now + Duration::from_secs(1) };
        progress
    }

    /// Lets the world go on until `work` is done, and answers what it came to.
    pub async fn run_with<T>(&mut self, work: impl Future<Output = T>) -> T {
        let clock = Arc::clone(&self.clock);
        let mut work = std::pin::pin!(work);
        loop {
            if let Driven::Ended(value) = drive(&clock, work.as_mut(), &mut None, &mut 0).await {
                return value;
            }
            let next = self.settle().await;
            self.clock.set(next);
        }
    }
}

/// How far a future came.
pub(super) enum Driven<T> {
    /// It ended.
    Ended(T),
    /// It sleeps on the simulated clock.
    Parked,
    /// Its worker dies here.
    Killed,
}

/// Polls a future until it ends or sleeps on the simulated clock. Work of the database is waited for.
pub(super) async fn drive<T>(
    clock: &SimClock,
    mut step: Pin<&mut (impl Future<Output = T> + ?Sized)>,
    fuse: &mut Option<u64>,
    polls: &mut u64,
) -> Driven<T> {
    poll_fn(|cx| {
        if let Some(left) = fuse {
            if *left == 0 {
                return Poll::Ready(Driven::Killed);
            }
            *left -= 1;
        }
        *polls += 1;
        clock.parked.store(false, Ordering::SeqCst);
        match step.as_mut().poll(cx) {
            Poll::Ready(value) => Poll::Ready(Driven::Ended(value)),
            Poll::Pending if clock.parked.load(Ordering::SeqCst) => Poll::Ready(Driven::Parked),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
