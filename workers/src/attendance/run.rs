//! Windows and manual runs: from a source's days to the book, one page a step.
//!
//! A run stands in its job. Rows of the date that is being read are kept in the store until all its pages are there; then they
//! are compared with the book, and what differs goes on the log. A worker that takes the run over reads that date from its
//! first page: pages may have moved meanwhile.

mod days;
mod ending;
mod lists;
mod shared_codes;
mod slices;
mod starting;

use std::sync::Arc;
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::db::Tx;
use renkei_store::jobs::{self, Job};
use renkei_store::links::{self, AttendanceSource, Link};
use renkei_store::runs::{self, Run, RunState};
use secrecy::SecretString;

pub use self::slices::Slices;
use super::progress::{Phase, Progress};
use crate::clients::hrmos::{self as client, Company, Fault};
use crate::context::Context;
use crate::error::Result;
use crate::sweep::{Sweeper, calendar};

/// When the days before are brought, in Tokyo.
pub const AT: jiff::civil::Time = jiff::civil::Time::constant(5, 0, 0, 0);
/// Until when a source that does not answer is waited for, in Tokyo.
const GIVES_UP: jiff::civil::Time = jiff::civil::Time::constant(12, 0, 0, 0);
/// How long it is waited for by a window whose source fails first after that.
const LATE_PATIENCE: Duration = Duration::from_secs(7 * 3600);
/// How long a manual run waits for a source that does not answer.
const MANUAL_PATIENCE: Duration = Duration::from_secs(30 * 60);
/// After a call that brought nothing (S2's practice, doubled on), and from the sixth on.
const PAUSES: [u64; 4] = [5, 10, 20, 40];
const LONG_PAUSE: Duration = Duration::from_secs(300);
/// The longest wait that a source may ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// The same for KING OF TIME.
const KOT_PAUSES: [u64; 3] = [10, 30, 60];
/// How often a run that waits looks again.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Where the sources of attendance are.
#[derive(Debug, Clone)]
pub struct Sources {
    /// HRMOS勤怠, such as `https://ieyasu.co`.
    pub hrmos: String,
    /// KING OF TIME, such as `https://api.kingtime.jp`.
    pub kingoftime: String,
    /// 勤革時, which is the same service under another name.
    pub kinkakuji: String,
}

impl Sources {
    /// Where a source is.
    pub(super) fn of(&self, source: AttendanceSource) -> &str {
        match source {
            AttendanceSource::Hrmos => &self.hrmos,
            AttendanceSource::Kingoftime => &self.kingoftime,
            AttendanceSource::Kinkakuji => &self.kinkakuji,
        }
    }
}

/// A run at one step.
struct Step<'a> {
    sweeper: &'a Sweeper,
    context: &'a Context,
    job: &'a Job,
    link: Link,
    progress: Progress,
    now: Millis,
}

/// Goes one step further in a window or a manual run.
///
/// # Errors
/// When store or log do not answer.
pub(crate) async fn advance(sweeper: &Sweeper, context: &Context, job: &Job) -> Result<()> {
    let store = &context.store;
    let now = store.now().await?;
    let Some(link) = links::find(store, &store.db, &job.subject).await? else {
        let tx = store.begin().await?;
        jobs::finish(&tx, job).await?;
        return Ok(tx.commit().await?);
    };
    let progress: Progress = serde_json::from_str(&job.doc).unwrap_or_default();
    Step { sweeper, context, job, link, progress, now }.run().await
}

impl Step<'_> {
    async fn run(self) -> Result<()> {
        if self.is_overtaken() {
            return self.fail(Code::AttendanceWindowOvertaken).await;
        }
        match self.progress.phase {
            Phase::Begin => self.begin().await,
            Phase::Token => self.fetch_token().await,
            Phase::Segments => self.read_segments().await,
            Phase::People => self.read_people().await,
            Phase::Days if self.link.source == AttendanceSource::Hrmos => self.read_day().await,
            Phase::Days => self.read_slice().await,
            Phase::Destroy => self.give_back().await,
            Phase::Settle => self.settle().await,
        }
    }

    /// Whether this is a window whose next one is due.
    fn is_overtaken(&self) -> bool {
        self.is_window() && self.due().is_some_and(|due| self.now >= calendar::next_daily(due, AT))
    }

    /// When the window that this run covers was due; `None` before that is known.
    fn due(&self) -> Option<Millis> {
        let day = self.progress.last?.tomorrow().ok()?;
        Some(calendar::on(day, AT))
    }

    fn is_window(&self) -> bool {
        self.job.kind == links::WINDOW
    }

    fn company(&self) -> Company {
        Company { base_url: self.sweeper.sources.of(self.link.source).to_owned(), company: self.link.company.clone() }
    }

    fn token_place(&self) -> String {
        format!("jobs.attendance_token|{}", self.job.name)
    }

    fn token(&self) -> Result<Option<SecretString>> {
        let Some(sealed) = &self.progress.token else { return Ok(None) };
        let plain = self.context.store.keys.open(&self.token_place(), sealed)?;
        Ok(Some(SecretString::from(String::from_utf8_lossy(&plain).into_owned())))
    }

    /// Takes the place of one call; `false`: not yet, and the step is over.
    async fn may_call(&mut self) -> Result<bool> {
        match self.sweeper.attendance_limits.take(&self.job.queue) {
            Ok(()) => {
                self.progress.calls += 1;
                Ok(true)
            }
            Err(wait) => {
                self.go_on_at(self.now + wait).await?;
                Ok(false)
            }
        }
    }

    async fn go_on_at(&self, due: Millis) -> Result<()> {
        let tx = self.context.store.begin().await?;
        self.keep(&tx, due).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down how far the run is.
    async fn keep(&self, tx: &Tx, due: Millis) -> Result<()> {
        let doc = crate::sweep::doc(&self.progress)?;
        jobs::go_on(tx, self.job, &doc, due).await?;
        if let Some(id) = self.progress.run
            && let Some(mut run) = runs::find(tx, id).await?
            && run.state == RunState::Running
        {
            run.counts = self.counts(&run);
            runs::update(tx, &run).await?;
        }
        Ok(())
    }

    fn counts(&self, run: &Run) -> runs::Counts {
        let mut counts = run.counts.clone();
        let mut put = |name: &str, number: i64| counts.insert(name.to_owned(), number);
        put("calls", self.progress.calls);
        put("rows", self.progress.rows);
        put("changed", self.progress.produced);
        put("unreadable", self.progress.unreadable);
        put("without_code", self.progress.without_code);
        put("doubles", self.progress.doubles);
        put("in_several_links", self.progress.in_several_links);
        if let Some((at, of)) = self.progress.place() {
            put("day", at);
            put("days", of);
        }
        if let Some(read) = self.progress.days_read() {
            put(runs::DAYS_READ, read);
        }
        counts
    }

    async fn fetch_token(mut self) -> Result<()> {
        match self.link.source {
            AttendanceSource::Hrmos => {}
            // Their access token is the key itself.
            AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji => {
                self.progress.phase = Phase::People;
                return self.go_on_at(self.now).await;
            }
        }
        if !self.may_call().await? {
            return Ok(());
        }
        let transport: &Arc<_> = &self.context.transport;
        match client::token(transport, &self.company(), &self.link.key).await {
            Ok(token) => {
                let plain = secrecy::ExposeSecret::expose_secret(&token.token).as_bytes();
                self.progress.token = Some(self.context.store.keys.seal(&self.token_place(), plain));
                self.answered();
                // After a token that was refused in the midst of a run it goes on where it was.
                self.progress.phase = if self.progress.day.is_some() { Phase::Days } else { Phase::Segments };
                self.go_on_at(self.now).await
            }
            Err(Fault::Unauthorized) => self.fail(Code::AttendanceKeyRefused).await,
            Err(fault) => self.no_answer(fault).await,
        }
    }

    async fn read_segments(mut self) -> Result<()> {
        let Some(token) = self.token()? else { return self.ask_for_token().await };
        if !self.may_call().await? {
            return Ok(());
        }
        let page = self.progress.page.max(1);
        let answer = client::segments(&self.context.transport, &self.company(), &token, page).await;
        let read = match answer {
            Ok(read) => read,
            Err(fault) => return self.refused(fault).await,
        };
        self.answered();
        self.progress.segments.extend(read.rows.iter().filter_map(|row| super::reading::segment(row)));
        if read.goes_on_after(page) {
            self.progress.page = page + 1;
            return self.go_on_at(self.now).await;
        }
        self.progress.phase = Phase::Days;
        self.progress.page = 1;
        self.progress.day = self.progress.first;
        let segments: std::collections::BTreeMap<String, i64> =
            std::mem::take(&mut self.progress.segments).into_iter().collect();
        let text = crate::sweep::doc(&segments)?;
        let tx = self.context.store.begin().await?;
        links::set_segments(&tx, &self.link.id, &text).await?;
        self.keep(&tx, self.now).await?;
        Ok(tx.commit().await?)
    }

    /// Something came: whatever was wrong is over.
    fn answered(&mut self) {
        self.progress.failures = 0;
        self.progress.failing_since = None;
        if self.progress.phase != Phase::Token {
            self.progress.renewed = false;
        }
    }

    async fn ask_for_token(mut self) -> Result<()> {
        self.progress.phase = Phase::Token;
        self.progress.token = None;
        self.go_on_at(self.now).await
    }

    /// A call with the token brought nothing: a refused token is fetched anew once.
    async fn refused(mut self, fault: Fault) -> Result<()> {
        if fault == Fault::Unauthorized {
            if self.progress.renewed {
                return self.fail(Code::AttendanceKeyRefused).await;
            }
            self.progress.renewed = true;
            return self.ask_for_token().await;
        }
        self.no_answer(fault).await
    }

    /// What may pass is tried again, until it is too late; what does not ends the run.
    async fn no_answer(mut self, fault: Fault) -> Result<()> {
        let wait = match fault {
            Fault::Blocked => return self.fail(Code::AttendanceIpBlocked).await,
            Fault::NotFound => return self.fail(Code::AttendanceCompanyUnknown).await,
            Fault::Unauthorized => return self.fail(Code::AttendanceKeyRefused).await,
            Fault::Unreadable => return self.fail(Code::AttendanceSourceUnreadable).await,
            Fault::Closed => return self.closed().await,
            Fault::TooMany(wait) => wait,
            Fault::NoAnswer => None,
        };
        let since = *self.progress.failing_since.get_or_insert(self.now);
        let too_late = if self.is_window() {
            let noon = calendar::next_daily(self.due().unwrap_or(since), GIVES_UP);
            // One that could not begin before noon has as long as one that begins at 05:00.
            self.now >= if since < noon { noon } else { since + LATE_PATIENCE }
        } else {
            self.now.since(since) >= MANUAL_PATIENCE
        };
        if too_late {
            return self.fail(Code::AttendanceSourceUnavailable).await;
        }
        let place = usize::try_from(self.progress.failures).unwrap_or(usize::MAX);
        let pauses = if self.link.source == AttendanceSource::Hrmos { &PAUSES[..] } else { &KOT_PAUSES[..] };
        let own = pauses.get(place).map_or(LONG_PAUSE, |seconds| Duration::from_secs(*seconds));
        self.progress.failures = self.progress.failures.saturating_add(1);
        let wait = wait.unwrap_or(own).min(LONGEST_WAIT);
        tracing::warn!(link.id = %self.link.id, run.failures = self.progress.failures, wait.s = wait.as_secs(),
            "the source of attendance gave no answer");
        self.go_on_at(self.now + wait).await
    }
}
