//! Sweeps at work: many jobs side by side, as many as there is room for, until the end.

use std::sync::Arc;
use std::time::Duration;

use renkei_store::jobs;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::context::Context;
use crate::sweep::Sweeper;

/// How many jobs one look takes at most.
const AT_ONCE: usize = 64;
/// However late the next job is due, somebody may have put another one on the calendar meanwhile (real time).
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
/// After a failed look is waited so long (real time).
const REST: Duration = Duration::from_secs(1);
/// How often limits of credentials that are not in use are forgotten (real time).
const TIDY: Duration = Duration::from_secs(600);

/// Advances due jobs until the end; steps under way end, and what this worker held goes on elsewhere at once.
pub(super) async fn run(context: Context, sweeper: Arc<Sweeper>, room: usize, mut ended: watch::Receiver<bool>) {
    let mut steps = JoinSet::new();
    let hints = context.store.hints();
    let mut tidied = context.clock.monotonic();
    while !*ended.borrow() {
        let pause = match start(&context, &sweeper, &mut steps, room).await {
            Ok(pause) => pause,
            Err(error) => {
                context.metrics.step_failures.with_label_values(&["sweep"]).inc();
                tracing::warn!(error = %error, "due sweeps can not be taken now");
                REST
            }
        };
        let now = context.clock.monotonic();
        if now.saturating_sub(tidied) >= TIDY {
            tidied = now;
            sweeper.tidy();
        }
        tokio::select! {
            Some(_) = steps.join_next(), if !steps.is_empty() => {
                // Whatever else has ended needs no look of its own.
                while steps.try_join_next().is_some() {}
            }
            () = context.clock.sleep(pause) => {}
            () = hints.notified() => {}
            _ = ended.changed() => {}
        }
    }
    while steps.join_next().await.is_some() {}
    if let Err(error) = jobs::release_all(&context.store, &sweeper.owner).await {
        tracing::warn!(error = %error, "sweeps were not given back, they are free when their time is over");
    }
}

/// Starts what is due and answers how long to wait for more (real time).
async fn start(
    context: &Context,
    sweeper: &Arc<Sweeper>,
    steps: &mut JoinSet<()>,
    room: usize,
) -> crate::error::Result<Duration> {
    let free = room.saturating_sub(steps.len()).min(AT_ONCE);
    if free == 0 {
        return Ok(LONGEST_PAUSE);
    }
    let now = context.store.now().await?;
    let Some(due) = jobs::next_due(&context.store.db).await? else { return Ok(LONGEST_PAUSE) };
    if due > now {
        return Ok(context.clock.shrunk(due.since(now)).clamp(Duration::from_millis(1), LONGEST_PAUSE));
    }
    let jobs = sweeper.claim(context, u32::try_from(free).unwrap_or(1)).await?;
    if jobs.is_empty() {
        // Due, but another worker's: of its credential, or not of our kinds.
        tracing::trace!(sweep.due_ms = due.0, "due sweeps are in other hands");
        return Ok(LONGEST_PAUSE);
    }
    for job in jobs {
        let (context, sweeper) = (context.clone(), Arc::clone(sweeper));
        steps.spawn(async move {
            if let Err(error) = sweeper.advance(&context, &job).await {
                context.metrics.step_failures.with_label_values(&["sweep"]).inc();
                tracing::warn!(job.name = %job.name, error = %error, "a sweep can not go on now");
            }
        });
    }
    Ok(Duration::from_millis(1))
}
