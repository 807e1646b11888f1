//! What follows the reading: waiting for the book, and how a run ends.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_store::attendance::{book, run_lists, staging};
use renkei_store::links;
use renkei_store::runs::{self, RunState};

use super::Step;
use crate::clients::kingoftime::closed_until;
use crate::error::Result;
use crate::sweep::calendar;

/// How long the book may take to have what the run put on the log.
const SETTLES_WITHIN: Duration = Duration::from_secs(600);
/// How often is looked.
const LOOK: Duration = Duration::from_secs(1);

impl Step<'_> {
    /// Waits until the book has everything that the run put on the log.
    pub(super) async fn settle(mut self) -> Result<()> {
        let Some(run) = self.progress.run else { return self.lost().await };
        if book::written_by(&self.context.store.db, run).await? >= self.progress.produced {
            return self.end(RunState::Ok, None).await;
        }
        let since = *self.progress.settling_since.get_or_insert(self.now);
        if self.now.since(since) > SETTLES_WITHIN {
            return self.fail(Code::AttendanceBookBehind).await;
        }
        self.go_on_at(self.now + LOOK).await
    }

    /// Ends a run that did not come to its end. What it has read is in the book all the same.
    pub(super) async fn fail(self, code: Code) -> Result<()> {
        let store = &self.context.store;
        let tx = store.begin().await?;
        self.leave(&tx, Some(code)).await?;
        if let Some(id) = self.progress.run {
            staging::clear(&tx, id).await?;
            if let Some(mut run) = runs::find(&tx, id).await? {
                run.state = RunState::Failed;
                run.code = Some(code.as_str().to_owned());
                run.ended = Some(self.now);
                run.counts = self.counts(&run);
                if code == Code::AttendanceSourceClosed
                    && let Some(open) = closed_until(self.now)
                {
                    run.counts.insert("source_open_again_ms".to_owned(), open.0);
                }
                if let Some(read) = self.progress.days_read() {
                    run.counts.insert(runs::FIRST_DAY_NOT_READ.to_owned(), read + 1);
                }
                runs::update(&tx, &run).await?;
            }
        }
        links::run_ended(store, &tx, (&self.link.tenant, &self.link.id), self.now, self.now).await?;
        self.sweeper.slices.forget(&self.job.name);
        // A person chose the hour; nothing is wrong with the source.
        if code != Code::AttendanceSourceClosed {
            links::set_trouble(&tx, &self.link.id, Some(code.as_str()), self.now).await?;
            if self.is_window() {
                links::window_ended(&tx, &self.link.id, None).await?;
            }
        }
        tx.commit().await?;
        tracing::warn!(link.id = %self.link.id, error.code = %code, "attendance run failed");
        Ok(())
    }

    /// A job without what it needs to go on: it can only have been written by another version.
    pub(super) async fn lost(self) -> Result<()> {
        self.fail(Code::AttendanceBookBehind).await
    }

    /// Ends a run that came to its end.
    pub(super) async fn end(self, state: RunState, code: Option<Code>) -> Result<()> {
        let store = &self.context.store;
        self.sweeper.slices.forget(&self.job.name);
        let lists = self.lists().await?;
        let tx = store.begin().await?;
        self.leave(&tx, None).await?;
        if let Some(id) = self.progress.run
            && let Some(mut run) = runs::find(&tx, id).await?
        {
            run.state = state;
            run.code = code.map(|code| code.as_str().to_owned());
            run.ended = Some(self.now);
            run.counts = self.counts(&run);
            runs::update(&tx, &run).await?;
            if let Some(lists) = &lists {
                run_lists::put(store, &tx, &self.link.tenant, id, lists).await?;
            }
        }
        links::set_trouble(&tx, &self.link.id, None, self.now).await?;
        let period = self.progress.first.zip(self.progress.last).filter(|_| !self.is_window());
        if let (Some((first, last)), Some(run)) = (period, self.progress.run) {
            // What a person asks for is written again, changed or not: クラウドログ may have been edited by hand.
            book::force(&tx, &self.link.id, run, &first.to_string(), &last.to_string()).await?;
        }
        self.shared_dates_are_read(&tx).await?;
        links::run_ended(store, &tx, (&self.link.tenant, &self.link.id), self.now, self.now).await?;
        if self.is_window() {
            let due =
                self.progress.last.and_then(|last| last.tomorrow().ok()).unwrap_or_else(|| calendar::today(self.now));
            links::window_ended(&tx, &self.link.id, Some(due)).await?;
        }
        tx.commit().await?;
        tracing::info!(link.id = %self.link.id, run.days = self.progress.produced, run.calls = self.progress.calls, "attendance run ended");
        Ok(())
    }
}
