//! A worker process at work: the consumer and the accounts, side by side until the end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use renkei_events::topic::Topic;
use renkei_log::LogWriter;
use renkei_runtime::probe::Readiness;
use renkei_runtime::shutdown::Shutdown;
use renkei_store::{leases, logtable};
use tokio::sync::watch;

use super::{RunnerSettings, run, sweeps};
use crate::attendance::consume::BookKeeper;
use crate::attendance::folder::{self, Folder};
use crate::context::Context;
use crate::members::consume::Consumer;
use crate::notify::{self, Post};
use crate::sweep::Sweeper;

/// How long one read of the log waits for records (real time).
const READ_WAIT: Duration = Duration::from_millis(500);
/// After a failed step the consumer rests for this long (real time).
const REST: Duration = Duration::from_secs(1);
/// However late the next look at mails is due, the end is noticed and the time is asked again (real time).
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often the lag is told and old records of the embedded log are deleted.
const HOUSEKEEPING: Duration = Duration::from_secs(10);

/// Whether this process can work.
#[derive(Clone)]
pub struct Health {
    log: Arc<dyn LogWriter>,
    draining: Arc<AtomicBool>,
    log_away: Arc<AtomicBool>,
    store_away: Arc<AtomicBool>,
}

impl Health {
    /// Healthy until told otherwise.
    #[must_use]
    pub fn new(log: Arc<dyn LogWriter>) -> Self {
        Self { log, draining: Arc::default(), log_away: Arc::default(), store_away: Arc::default() }
    }

    /// For the probes.
    #[must_use]
    pub fn readiness(&self) -> Arc<dyn Readiness> {
        let health = self.clone();
        Arc::new(move || {
            let states = [
                (&health.draining, "draining"),
                (&health.log_away, "log unreachable"),
                (&health.store_away, "store unreachable"),
            ];
            states.iter().filter(|(state, _)| state.load(Ordering::Relaxed)).map(|(_, why)| *why).collect::<Vec<_>>()
        })
    }

    async fn look(&self, context: &Context) {
        self.log_away.store(!self.log.reachable().await, Ordering::Relaxed);
        self.store_away.store(context.store.now().await.is_err(), Ordering::Relaxed);
    }
}

/// Which work a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Roles {
    /// Employees to カオナビ.
    pub members: bool,
    /// What is due on the calendar at the sources.
    pub sweep: bool,
    /// Mails to people in charge.
    pub notify: bool,
}

impl Roles {
    /// Reads the names; none means all.
    ///
    /// # Errors
    /// The first name that is not known.
    pub fn parse(names: &[String]) -> Result<Self, String> {
        let all = names.is_empty();
        let mut roles = Self { members: all, sweep: all, notify: all };
        for name in names {
            match name.as_str() {
                "members" => roles.members = true,
                "sweep" => roles.sweep = true,
                "notify" => roles.notify = true,
                _ => return Err(name.clone()),
            }
        }
        Ok(roles)
    }
}

/// The work of a process: each part only where it has that role.
pub struct Work {
    /// Employees to カオナビ.
    pub consumer: Option<Consumer>,
    /// What is due on the calendar at the sources.
    pub sweeper: Option<Arc<Sweeper>>,
    /// Days of attendance from the log into the book.
    pub book_keeper: Option<BookKeeper>,
    /// Mails to people in charge.
    pub post: Option<Arc<Post>>,
    /// Files for クラウドログ on a disk.
    pub folder: Option<Folder>,
}

/// Works until `stop`, then ends in order: no new work, calls under way end, leases and partitions are given back.
pub async fn until_stopped(
    context: Context,
    work: Work,
    writer: Arc<dyn LogWriter>,
    settings: RunnerSettings,
    health: Health,
    stop: Shutdown,
) {
    let (ending, ended) = watch::channel(false);
    let mut parts = Vec::new();
    if let Some(consumer) = work.consumer {
        parts.push(tokio::spawn(run(context.clone(), settings.clone(), ended.clone())));
        parts.push(tokio::spawn(consume(context.clone(), consumer, ended.clone())));
    }
    if let Some(sweeper) = work.sweeper {
        parts.push(tokio::spawn(sweeps::run(context.clone(), sweeper, settings.sweeps_at_once, ended.clone())));
    }
    if let Some(book_keeper) = work.book_keeper {
        parts.push(tokio::spawn(keep_the_book(context.clone(), book_keeper, ended.clone())));
    }
    if let Some(post) = work.post {
        parts.push(tokio::spawn(tell(context.clone(), post, settings.owner.clone(), ended.clone())));
    }
    if let Some(folder) = work.folder {
        parts.push(tokio::spawn(drop_files(context.clone(), folder, ended.clone())));
    }
    parts.push(tokio::spawn(keep_house(context.clone(), health.clone(), settings.hints, ended)));
    stop.requested().await;
    health.draining.store(true, Ordering::Relaxed);
    ending.send_replace(true);
    for task in parts {
        if task.await.is_err() {
            tracing::error!("a part of the worker ended by a fault");
        }
    }
    writer.flush(Duration::from_secs(5)).await;
}

async fn consume(context: Context, mut consumer: Consumer, mut ended: watch::Receiver<bool>) {
    let mut told = context.clock.monotonic();
    while !*ended.borrow() {
        let stepped = tokio::select! {
            stepped = consumer.step(READ_WAIT) => stepped,
            // Dropping a step is safe at any point: what was not committed is read again.
            _ = ended.changed() => break,
        };
        if let Err(error) = stepped {
            context.metrics.step_failures.with_label_values(&["consume"]).inc();
            tracing::warn!(error = %error, "events can not be taken from the log now");
            context.clock.sleep(REST).await;
        }
        let now = context.clock.monotonic();
        if now.saturating_sub(told) >= HOUSEKEEPING {
            told = now;
            let lag = consumer.lag().await.and_then(|lag| i64::try_from(lag).ok());
            context.metrics.lag.set(lag.unwrap_or(-1));
        }
    }
    if let Err(error) = consumer.close().await {
        tracing::warn!(error = %error, "the group could not be left in order, it notices by itself");
    }
}

async fn keep_the_book(context: Context, mut keeper: BookKeeper, mut ended: watch::Receiver<bool>) {
    while !*ended.borrow() {
        let stepped = tokio::select! {
            stepped = keeper.step(READ_WAIT) => stepped,
            // Dropping a step is safe at any point: what was not committed is read again.
            _ = ended.changed() => break,
        };
        if let Err(error) = stepped {
            context.metrics.step_failures.with_label_values(&["book"]).inc();
            tracing::warn!(error = %error, "attendance can not be taken from the log now");
            context.clock.sleep(REST).await;
        }
    }
    if let Err(error) = keeper.close().await {
        tracing::warn!(error = %error, "the group could not be left in order, it notices by itself");
    }
}

async fn drop_files(context: Context, folder: Folder, mut ended: watch::Receiver<bool>) {
    while !*ended.borrow() {
        if let Err(error) = folder.look(&context.store).await {
            context.metrics.step_failures.with_label_values(&["folder"]).inc();
            tracing::warn!(error = %error, "the folder of attendance files can not be seen to now");
        }
        tokio::select! {
            () = context.clock.sleep(folder::EVERY) => {}
            _ = ended.changed() => {}
        }
    }
}

/// Mails to people in charge, until the end; a mail that is being handed over is waited for.
async fn tell(context: Context, post: Arc<Post>, owner: String, mut ended: watch::Receiver<bool>) {
    while !*ended.borrow() {
        // In a task of its own: a fault in a step must not end the mails.
        let (stepping, with, name) = (context.clone(), Arc::clone(&post), owner.clone());
        let stepped = tokio::spawn(async move { notify::step(&stepping, &with, &name).await }).await;
        let pause = match (stepped, context.store.now().await) {
            (Ok(Ok(next)), Ok(now)) => context.clock.shrunk(next.time(now).since(now)),
            (Ok(Err(error)), _) => {
                context.metrics.step_failures.with_label_values(&["notify"]).inc();
                tracing::warn!(error = %error, "mails can not be seen to now");
                REST
            }
            (Err(_), _) => {
                tracing::error!("a step about mails ended by a fault");
                REST
            }
            (_, Err(_)) => REST,
        };
        tokio::select! {
            () = context.clock.sleep(pause.min(LONGEST_PAUSE)) => {}
            _ = ended.changed() => {}
        }
    }
    let released = async {
        let now = context.store.now().await?;
        leases::release_all(&context.store, &owner, now).await
    };
    if let Err(error) = released.await {
        tracing::warn!(error = %error, "a lease was not given back, it runs out by itself");
    }
}

/// What nobody waits for: health, hints between processes on one SQLite file, and old records of the embedded log.
async fn keep_house(context: Context, health: Health, hints: bool, ended: watch::Receiver<bool>) {
    let mut watcher = if hints { context.store.watcher().await.ok().flatten() } else { None };
    let mut cleared: Option<Duration> = None;
    let mut looked: Option<Duration> = None;
    while !*ended.borrow() {
        let now = context.clock.monotonic();
        let due = |last: Option<Duration>, every: Duration| last.is_none_or(|last| now.saturating_sub(last) >= every);
        if due(looked, Duration::from_secs(2)) {
            looked = Some(now);
            health.look(&context).await;
        }
        if let Some(watcher) = &mut watcher
            && matches!(watcher.changed().await, Ok(true))
        {
            context.store.hint();
        }
        if due(cleared, Duration::from_secs(3600)) {
            cleared = Some(now);
            expire(&context).await;
        }
        context.clock.sleep(Duration::from_millis(20)).await;
    }
}

async fn expire(context: &Context) {
    if let Err(error) = context.store.tidy().await {
        tracing::warn!(error = %error, "old rows can not be deleted now");
    }
    let Ok(now) = context.store.now().await else { return };
    for topic in Topic::ALL {
        let age = Duration::from_secs(u64::from(topic.retention_days()) * 24 * 3600);
        match logtable::expire(&context.store, topic.name(), now - age, topic == Topic::DeadLetter).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(log.topic = topic.name(), log.records = count, "old records deleted"),
            Err(error) => tracing::warn!(error = %error, "old records can not be deleted now"),
        }
    }
    if let Err(error) = context.store.empty_write_ahead().await {
        tracing::warn!(error = %error, "the log beside the store can not be emptied now");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_role_means_all_and_an_unknown_one_is_named() {
        let parse = |names: &[&str]| Roles::parse(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(parse(&[]), Ok(Roles { members: true, sweep: true, notify: true }));
        assert_eq!(parse(&["members"]), Ok(Roles { members: true, sweep: false, notify: false }));
        assert_eq!(parse(&["sweep"]), Ok(Roles { members: false, sweep: true, notify: false }));
        assert_eq!(parse(&["notify", "members"]), Ok(Roles { members: true, sweep: false, notify: true }));
        assert_eq!(parse(&["notify", "deliver"]), Err("deliver".to_owned()));
    }
}
