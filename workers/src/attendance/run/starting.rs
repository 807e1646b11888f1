//! When a run may begin, and what it covers.

use jiff::civil::Date;
use renkei_attendance::window::{Complete, Extent, Window};
use renkei_events::codes::Code;
use renkei_store::db::Tx;
use renkei_store::links::AttendanceSource;
use renkei_store::runs::{self, Run, RunKind, RunState};
use renkei_store::{jobs, links};

use super::{AT, LOOK_AGAIN, Step};
use crate::attendance::progress::Phase;
use crate::error::Result;
use crate::sweep::calendar;

impl Step<'_> {
    /// Writes the run down, and lets it start when no other one of the company is in the way.
    pub(super) async fn begin(mut self) -> Result<()> {
        if self.is_window() && !self.link.auto {
            return self.not_wanted().await;
        }
        if self.is_window() && self.job.slot > self.now {
            // Somebody put it off while it was being taken.
            return self.go_on_at(self.job.slot).await;
        }
        let tx = self.context.store.begin().await?;
        links::lock_tenant(&tx, &self.link.tenant).await?;
        if self.is_window() && self.progress.first.is_none() {
            // After an outage the latest window that is due, and none of those before it.
            let due = calendar::today(calendar::last_daily(self.now, AT));
            let window = Window::due(due);
            (self.progress.first, self.progress.last) = (Some(window.first()), Some(window.last()));
            self.what_is_known(due);
        }
        let (Some(first), Some(last)) = (self.progress.first, self.progress.last) else {
            jobs::finish(&tx, self.job).await?;
            return Ok(tx.commit().await?);
        };
        let known = match self.progress.run {
            Some(id) => runs::find(&tx, id).await?,
            None => None,
        };
        let mut run = match known {
            Some(run) => run,
            None => {
                let mut fresh = self.fresh_run(first, last);
                fresh.id = runs::insert(&tx, &fresh).await?;
                self.progress.run = Some(fresh.id);
                fresh
            }
        };
        if self.somebody_goes_first(&tx, &run).await? {
            self.keep(&tx, self.now + LOOK_AGAIN).await?;
            return Ok(tx.commit().await?);
        }
        self.read_shared_dates_again(&tx).await?;
        run.state = RunState::Running;
        run.started = self.now;
        self.progress.began = self.now;
        runs::update(&tx, &run).await?;
        self.progress.phase = Phase::Token;
        self.progress.page = 1;
        self.keep(&tx, self.now).await?;
        tx.commit().await?;
        tracing::info!(run.id = run.id, link.id = %self.link.id, run.kind = run.kind.as_str(), "attendance run started");
        Ok(())
    }

    /// Of dates that the last complete window read, only rows that were updated since are asked for. A date that is read for the
    /// first time is read whole: a day of leave bears the time when it was planned.
    fn what_is_known(&mut self, due: Date) {
        // It began at its time at the earliest.
        let complete = self.link.complete.map(|due| Complete { due, started: calendar::on(due, AT).timestamp() });
        let tells_changes = self.link.source == AttendanceSource::Hrmos;
        if let Extent::Changed { known_to, since } = Extent::of(due, complete, self.link.failed, tells_changes) {
            (self.progress.known_to, self.progress.since) = (Some(known_to), Some(since));
        }
    }

    fn fresh_run(&self, first: Date, last: Date) -> Run {
        let kind = if self.is_window() { RunKind::Window } else { RunKind::Manual };
        let draft = Run::draft(&self.link.tenant, kind, &self.link.id, self.now);
        Run {
            executor: self.progress.executor.clone().unwrap_or(draft.executor),
            slot: self.job.slot,
            days: Some((first.to_string(), last.to_string())),
            ..draft
        }
    }

    /// Runs of one company come one after the other: whoever runs goes first, then windows in the order in which their links
    /// were made, then whoever has waited longer.
    async fn somebody_goes_first(&self, tx: &Tx, own: &Run) -> Result<bool> {
        let open = runs::open_ones(tx, &self.link.tenant, &[RunKind::Window, RunKind::Manual]).await?;
        if open.iter().any(|run| run.id != own.id && run.state == RunState::Running) {
            return Ok(true);
        }
        let before = |run: &Run| run.id < own.id && (!self.is_window() || run.kind == RunKind::Manual);
        if open.iter().any(before) || !self.is_window() {
            return Ok(open.iter().any(before));
        }
        for link in links::of_tenant(&self.context.store, tx, &self.link.tenant).await? {
            if link.id == self.link.id {
                break;
            }
            let job = jobs::find(tx, &links::window_job(&link.id), self.now).await?;
            if link.auto && job.is_some_and(|job| job.slot <= self.now) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// 自動同期 is off, perhaps since this window waits for its turn; the next one is due the next day.
    async fn not_wanted(&self) -> Result<()> {
        let tx = self.context.store.begin().await?;
        // The job before the run, as whoever else ends a run does.
        let slot = calendar::next_daily(self.now, AT);
        jobs::come_again(&tx, self.job, slot, slot).await?;
        if let Some(id) = self.progress.run
            && let Some(mut run) = runs::find(&tx, id).await?
        {
            runs::stop(&tx, &mut run, Code::AttendanceCancelled, self.now).await?;
        }
        Ok(tx.commit().await?)
    }

    /// What becomes of the job when the run is over.
    pub(super) async fn leave(&self, tx: &Tx, code: Option<Code>) -> Result<()> {
        if !self.is_window() {
            return Ok(jobs::finish(tx, self.job).await?);
        }
        // A window that was overtaken gives way to the one that is due now.
        let slot = match code {
            Some(Code::AttendanceWindowOvertaken) => calendar::last_daily(self.now, AT),
            _ => calendar::next_daily(self.now, AT),
        };
        Ok(jobs::come_again(tx, self.job, slot, slot).await?)
    }
}
