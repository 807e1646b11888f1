//! The sweeper: what is due on the calendar at the sources.
//!
//! [`Sweeper::claim`] takes due jobs from the store, [`Sweeper::advance`] goes one step further in one of them, with at most
//! one call to the outside; where it stands is written into the job, so that any worker can go on with it. The runner
//! advances many jobs side by side, the simulation one after the other.

pub mod calendar;
pub mod feed;
mod found;
pub mod limits;

use std::sync::Arc;
use std::time::Duration;

use renkei_log::LogWriter;
use renkei_runtime::clock::Millis;
use renkei_store::error::StoreError;
use renkei_store::jobs::{self, Job};
use renkei_store::seal::Keys;
use renkei_store::{feeds, links};
use serde::Serialize;

use self::limits::Limits;
use crate::attendance::run::{self, Slices, Sources};
use crate::attendance::{check, decide};
use crate::context::{Context, NextWake};
use crate::error::Result;

/// Longer than a step can take, its call and the log's acknowledgement included (real time).
const HOLD: Duration = Duration::from_secs(90);
/// After a failed step a job rests for this long.
const REST: Duration = Duration::from_secs(5);

/// The kinds of jobs that this role knows.
pub const KINDS: [&str; 6] =
    [feeds::SWEEP, feeds::FIRST_LOAD, links::CHECK, links::WINDOW, links::MANUAL, links::DECIDE];

/// How the role works.
#[derive(Debug, Clone)]
pub struct SweepSettings {
    /// How long an employee feed is left alone between two calls with one token (injected clock).
    pub feed_interval: Duration,
    /// The same for a source of attendance and its key.
    pub hrmos_interval: Duration,
    /// Where attendance comes from.
    pub sources: Sources,
}

impl Default for SweepSettings {
    fn default() -> Self {
        Self {
            feed_interval: Duration::from_millis(200),
            hrmos_interval: Duration::from_millis(1100),
            sources: Sources {
                hrmos: "https://ieyasu.co".to_owned(),
                kingoftime: "https://api.kingtime.jp".to_owned(),
                kinkakuji: "https://api.kingtime.jp".to_owned(),
            },
        }
    }
}

/// What the role needs beside the context.
pub struct Sweeper {
    /// Where what is found goes.
    pub log: Arc<dyn LogWriter>,
    /// The name of this process in the store.
    pub owner: String,
    /// Where attendance comes from.
    pub(crate) sources: Sources,
    limits: Limits,
    pub(crate) attendance_limits: Limits,
    /// What runs with lists without pages have read of the slice they are at.
    pub(crate) slices: Slices,
}

impl Sweeper {
    /// A sweeper over `log`, known in the store as `owner`.
    #[must_use]
    pub fn new(context: &Context, log: Arc<dyn LogWriter>, owner: String, settings: SweepSettings) -> Self {
        let limits = |interval| Limits::new(interval, Arc::clone(&context.clock));
        let (feeds, attendance) = (limits(settings.feed_interval), limits(settings.hrmos_interval));
        Self {
            log,
            owner,
            sources: settings.sources,
            limits: feeds,
            attendance_limits: attendance,
            slices: Slices::default(),
        }
    }

    /// Takes up to `most` due jobs.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn claim(&self, context: &Context, most: u32) -> Result<Vec<Job>> {
        let now = context.store.now().await?;
        let hold = context.clock.stretched(HOLD);
        Ok(jobs::claim(&context.store, &self.owner, &KINDS, now, hold, most).await?)
    }

    /// Goes one step further in a job. What failed rests and is tried again.
    ///
    /// # Errors
    /// When store or log do not answer.
    pub async fn advance(&self, context: &Context, job: &Job) -> Result<()> {
        let outcome = match job.kind.as_str() {
            feeds::SWEEP | feeds::FIRST_LOAD => self.sweep_feed(context, job).await,
            links::CHECK => check::advance(self, context, job).await,
            links::WINDOW | links::MANUAL => run::advance(self, context, job).await,
            links::DECIDE => decide::advance(context, job).await,
            _ => Ok(()),
        };
        match outcome {
            // Another worker goes on with it.
            Err(error) if error.is_fenced() => Ok(()),
            Err(error) => {
                let now = context.store.now().await?;
                let rest = context.clock.stretched(REST);
                let tx = context.store.begin().await?;
                jobs::go_on(&tx, job, &job.doc, now + rest).await?;
                tx.commit().await?;
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    /// One step of the role: takes one due job and goes one step further in it.
    ///
    /// # Errors
    /// When store or log do not answer.
    pub async fn step(&self, context: &Context) -> Result<NextWake> {
        if let Some(job) = self.claim(context, 1).await?.first() {
            self.advance(context, job).await?;
            return Ok(NextWake::Now);
        }
        Ok(jobs::next_due(&context.store.db).await?.map_or(NextWake::Woken, NextWake::At))
    }

    /// Forgets the limits of credentials that are not in use.
    pub fn tidy(&self) {
        self.limits.tidy();
        self.attendance_limits.tidy();
        self.slices.tidy();
    }

    /// How long after its slot the work on `subject` begins.
    async fn offset(&self, context: &Context, subject: &str) -> Result<Duration> {
        Ok(calendar::offset(subject, feeds::count(&context.store.db).await?))
    }

    async fn go_on(&self, context: &Context, job: &Job, progress: &impl Serialize, due: Millis) -> Result<()> {
        let tx = context.store.begin().await?;
        jobs::go_on(&tx, job, &doc(progress)?, due).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn end_for_good(&self, context: &Context, job: &Job) -> Result<()> {
        let tx = context.store.begin().await?;
        jobs::finish(&tx, job).await?;
        tx.commit().await?;
        Ok(())
    }
}

pub(crate) fn doc(progress: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(progress).map_err(StoreError::from)?)
}

/// The trace of one event that a job found: the same whenever the page is read again.
pub(crate) fn traceparent(keys: &Keys, job: &str, event: &str) -> String {
    let trace = keys.hash("trace", &[job.as_bytes(), event.as_bytes()]);
    let span: String = keys.hash("span", &[event.as_bytes()]).chars().take(16).collect();
    format!("00-{trace}-{span}-01")
}
