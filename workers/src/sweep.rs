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
use renkei_store::feeds;
use renkei_store::jobs::{self, Job};
use renkei_store::seal::Keys;
use serde::Serialize;

use self::limits::Limits;
use crate::context::{Context, NextWake};
use crate::error::Result;

/// Longer than a step can take, its call and the log's acknowledgement included (real time).
const HOLD: Duration = Duration::from_secs(90);
/// After a failed step a job rests for this long.
const REST: Duration = Duration::from_secs(5);

/// The kinds of jobs that this role knows.
pub const KINDS: [&str; 2] = [feeds::SWEEP, feeds::FIRST_LOAD];

/// What the role needs beside the context.
pub struct Sweeper {
    /// Where what is found goes.
    pub log: Arc<dyn LogWriter>,
    /// The name of this process in the store.
    pub owner: String,
    limits: Limits,
}

impl Sweeper {
    /// A sweeper that asks each source at most once per `interval` (injected clock) with one credential.
    #[must_use]
    pub fn new(context: &Context, log: Arc<dyn LogWriter>, owner: String, interval: Duration) -> Self {
        Self { log, owner, limits: Limits::new(interval, Arc::clone(&context.clock)) }
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

fn doc(progress: &impl Serialize) -> Result<String> {
    Ok(serde_json::to_string(progress).map_err(StoreError::from)?)
}

/// The trace of one event that a job found: the same whenever the page is read again.
fn traceparent(keys: &Keys, job: &str, event: &str) -> String {
    let trace = keys.hash("trace", &[job.as_bytes(), event.as_bytes()]);
    let span: String = keys.hash("span", &[event.as_bytes()]).chars().take(16).collect();
    format!("00-{trace}-{span}-01")
}
