//! Runs the steps of many accounts at once, each under a lease.
//!
//! Every 250 ms, and sooner on a hint, the store is asked which accounts are due. A due account gets a task of its own, which
//! runs its lanes until nothing is due any more, and writes down when it is due next. A wake-up that comes meanwhile is
//! never lost: the account's wake number has then changed, and the task starts over.

pub mod account;
pub mod serve;
mod sweeps;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::accounts;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::context::Context;

/// How often the store is asked without a hint (real time).
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// How the runner works.
#[derive(Debug, Clone)]
pub struct RunnerSettings {
    /// Names this process in leases.
    pub owner: String,
    /// How long a lease lasts without renewal (real time).
    pub lease: Duration,
    /// Whether hints shorten the wait.
    pub hints: bool,
    /// How many accounts are worked on at once.
    pub at_once: usize,
    /// How many sources are asked at once.
    pub sweeps_at_once: usize,
}

impl RunnerSettings {
    /// The defaults, for a process called `owner`.
    #[must_use]
    pub fn new(owner: String) -> Self {
        Self { owner, lease: Duration::from_secs(10), hints: true, at_once: 64, sweeps_at_once: 128 }
    }
}

struct Working {
    wake: watch::Sender<i64>,
}

/// Works until `stop` says so, then lets calls under way end and gives the leases back.
pub async fn run(context: Context, settings: RunnerSettings, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(settings.at_once));
    let mut working: HashMap<String, Working> = HashMap::new();
    let mut tasks: JoinSet<String> = JoinSet::new();
    let hints = context.store.hints();
    let mut renewed = context.clock.monotonic();
    while !*stop.borrow() {
        // Registered before the question, so that what becomes due right after it is not missed.
        let hint = hints.notified();
        while let Some(ended) = tasks.try_join_next() {
            if let Ok(account) = ended {
                working.remove(&account);
            }
        }
        if let Err(error) = look(&context, &settings, &places, &mut working, &mut tasks, &stop, &mut renewed).await {
            context.metrics.step_failures.with_label_values(&["look"]).inc();
            tracing::warn!(error = %error, "could not ask which accounts are due");
        }
        let pause = context.clock.sleep(LOOK_EVERY);
        tokio::select! {
            () = hint, if settings.hints => {}
            () = pause => {}
            _ = stop.changed() => {}
        }
    }
    // The accounts' tasks see the same signal; calls under way have deadlines of their own.
    let ended = async { while tasks.join_next().await.is_some() {} };
    tokio::select! {
        () = ended => {}
        () = context.clock.sleep(Duration::from_secs(35)) => tracing::warn!("calls were still under way at the end"),
    }
    if let Err(error) = accounts::release_all(&context.store, &settings.owner).await {
        tracing::warn!(error = %error, "leases were not given back, they run out by themselves");
    }
}

async fn look(
    context: &Context,
    settings: &RunnerSettings,
    places: &Arc<Semaphore>,
    working: &mut HashMap<String, Working>,
    tasks: &mut JoinSet<String>,
    stop: &watch::Receiver<bool>,
    renewed: &mut Duration,
) -> Result<(), renkei_store::error::StoreError> {
    let now = context.store.now().await?;
    // A lease says that a process is alive, which takes real time however fast the clock runs.
    let length = context.clock.stretched(settings.lease);
    if context.clock.monotonic().saturating_sub(*renewed) >= settings.lease / 3 {
        let ids: Vec<String> = working.keys().cloned().collect();
        accounts::renew(&context.store, &settings.owner, &ids, now, length).await?;
        *renewed = context.clock.monotonic();
    }
    let most = u32::try_from(working.len() + 2 * settings.at_once).unwrap_or(u32::MAX);
    for due in accounts::due(&context.store, &settings.owner, now, most).await? {
        if let Some(task) = working.get(&due.id) {
            task.wake.send_if_modified(|seen| std::mem::replace(seen, due.wake_seq) != due.wake_seq);
            continue;
        }
        let Ok(place) = Arc::clone(places).try_acquire_owned() else { continue };
        let Some(lease) = accounts::claim(&context.store, &due.id, &settings.owner, now, length).await? else {
            continue;
        };
        let (wake, woken) = watch::channel(due.wake_seq);
        working.insert(due.id.clone(), Working { wake });
        let worker = account::Worker { context: context.clone(), lease, woken, stop: stop.clone() };
        tasks.spawn(async move {
            let account = worker.lease.account.clone();
            // In a task of its own: a fault in it must not leave the account with a worker that is gone.
            if tokio::spawn(worker.work(due.wake_seq)).await.is_err() {
                tracing::error!(account.id = %account, "an account's task ended by a fault");
            }
            drop(place);
            account
        });
    }
    Ok(())
}

/// When something is due next, for tests and for the status.
///
/// # Errors
/// When the store does not answer.
pub async fn next_due(context: &Context) -> Result<Option<Millis>, renkei_store::error::StoreError> {
    accounts::next_due(&context.store).await
}
