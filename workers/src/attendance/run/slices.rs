//! Reading a source whose lists have no pages: some dates at once, punches first and then totals.
//!
//! What was read of a slice is kept in memory between two steps. A worker that takes the run over, or has lost it, reads the
//! slice from its beginning.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;
use renkei_attendance::reading::kingoftime::{Row, Slice};
use renkei_events::codes::Code;
use renkei_store::attendance::book;
use renkei_store::attendance::staging::Staged;
use renkei_store::forgotten;

use super::Step;
use super::days::CHUNK;
use crate::attendance::progress::Phase;
use crate::attendance::reading;
use crate::clients::kingoftime::{self as client, Fault, People, Service, closed_until};
use crate::error::Result;

/// How many dates are read at once.
const DATES: i32 = 5;
/// How long is waited when the source says that it is closed and our clock says that it is open.
const CLOCKS_DIFFER: Duration = Duration::from_secs(60);

/// What a run has in hand.
struct Held {
    /// Which hold on the job it belongs to.
    epoch: i64,
    people: Arc<People>,
    /// The punches of the slice, if they are read.
    punched: Option<Slice>,
    /// Whether it was used since the last look.
    fresh: bool,
}

/// What this worker's runs have in hand, by job.
#[derive(Default)]
pub struct Slices(Mutex<BTreeMap<String, Held>>);

impl Slices {
    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Held>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, job: &str, held: Held) {
        self.all().insert(job.to_owned(), held);
    }

    /// Takes what belongs to this hold on the job; what belongs to an earlier one is dropped.
    fn take(&self, job: &str, epoch: i64) -> Option<Held> {
        self.all().remove(job).filter(|held| held.epoch == epoch)
    }

    /// Drops what a run that is over had in hand.
    pub(super) fn forget(&self, job: &str) {
        self.all().remove(job);
    }

    /// Drops what was not used since the last time: another worker has the run.
    pub(crate) fn tidy(&self) {
        self.all().retain(|_, held| std::mem::take(&mut held.fresh));
    }
}

impl Step<'_> {
    fn service(&self) -> Service {
        Service { base_url: self.sweeper.sources.of(self.link.source).to_owned(), token: self.link.key.clone() }
    }

    /// Nobody may read at this hour. Whoever starts a run by hand then is told at once; all others wait.
    pub(super) async fn closed(self) -> Result<()> {
        let open = closed_until(self.now).unwrap_or(self.now + CLOCKS_DIFFER);
        if !self.is_window() && self.progress.rows == 0 {
            return self.fail(Code::AttendanceSourceClosed).await;
        }
        tracing::info!(link.id = %self.link.id, "the source is closed at this hour, the run waits");
        self.go_on_at(open).await
    }

    /// Reads who is there.
    pub(super) async fn read_people(mut self) -> Result<()> {
        if closed_until(self.now).is_some() {
            return self.closed().await;
        }
        if !self.may_call().await? {
            return Ok(());
        }
        let people = match client::people(&self.context.transport, &self.service()).await {
            Ok(people) => Arc::new(People::new(people)),
            Err(fault) => return self.no_answer(fault).await,
        };
        self.answered();
        self.hold(people, None);
        self.progress.phase = Phase::Days;
        self.progress.day = self.progress.day.or(self.progress.first);
        self.go_on_at(self.now).await
    }

    fn hold(&self, people: Arc<People>, punched: Option<Slice>) {
        let held = Held { epoch: self.job.epoch(), people, punched, fresh: true };
        self.sweeper.slices.put(&self.job.name, held);
    }

    /// Reads one of the two lists of a slice.
    pub(super) async fn read_slice(mut self) -> Result<()> {
        let (Some(run), Some(first), Some(end)) = (self.progress.run, self.progress.day, self.progress.last) else {
            return self.lost().await;
        };
        let Some(held) = self.sweeper.slices.take(&self.job.name, self.job.epoch()) else {
            self.progress.phase = Phase::People;
            return self.go_on_at(self.now).await;
        };
        if closed_until(self.now).is_some() {
            return self.closed().await;
        }
        let (people, punched) = (held.people, held.punched);
        if !self.may_call().await? {
            self.hold(people, punched);
            return Ok(());
        }
        let last = first.saturating_add((DATES - 1).days()).min(end);
        let (transport, service) = (&self.context.transport, self.service());
        let answer = match punched {
            None => {
                client::punches(transport, &service, (first, last), Slice::default()).await.map(|read| (read, false))
            }
            Some(slice) => client::totals(transport, &service, (first, last), slice).await.map(|read| (read, true)),
        };
        let ((slice, unreadable), whole) = match answer {
            Ok(read) => read,
            Err(fault) => {
                // Half a list is in the slice, perhaps: it is read from its beginning.
                if !matches!(fault, Fault::Unauthorized | Fault::Blocked | Fault::Unreadable) {
                    self.hold(people, None);
                }
                return self.no_answer(fault).await;
            }
        };
        self.answered();
        self.progress.unreadable += i64::try_from(unreadable).unwrap_or(i64::MAX);
        if !whole {
            self.hold(people, Some(slice));
            return self.go_on_at(self.now).await;
        }
        self.end_of_slice(run, (first, last), people, &slice).await
    }

    /// Both lists are there: what differs from the book goes on the log.
    async fn end_of_slice(
        mut self,
        run: i64,
        (first, last): (Date, Date),
        people: Arc<People>,
        slice: &Slice,
    ) -> Result<()> {
        let mut sharing = self.sharing().await?;
        let mut notes = Vec::new();
        let mut by_date: BTreeMap<Date, Vec<Staged>> = BTreeMap::new();
        for (day, person, row) in slice.rows().filter(|(day, _, _)| first <= *day && *day <= last) {
            let code = people.code(person).or_else(|| slice.code(person)).unwrap_or_default();
            let staged = reading::kingoftime(&self.context.store.keys, person, code, row);
            by_date.entry(day).or_default().extend(staged);
        }
        for day in first.series(1.day()).take_while(|day| *day <= last) {
            let mut staged = by_date.remove(&day).unwrap_or_default();
            let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
            self.progress.rows += count(staged.len());
            // Whoever left and has a row of the date nevertheless has the code beside the one who got it.
            let mut owners = people.owners(day);
            for row in staged.iter().filter(|row| !row.code.is_empty()) {
                owners.entry(row.code.clone()).or_default().insert(row.person.clone());
            }
            owners.retain(|_, people| people.len() > 1);
            let store = &self.context.store;
            let forgotten =
                forgotten::codes(store, &store.db, &self.link.tenant, owners.keys().map(String::as_str)).await?;
            let text = day.to_string();
            owners.retain(|code, _| forgotten.get(code).is_none_or(|last| *last < text));
            let known = book::people_of_date(&store.db, &self.link.id, &day.to_string()).await?;
            self.add_emptied(&known, &people, &mut staged);
            sharing.begin(day.to_string(), true, owners.keys().cloned().collect());
            for (code, people) in &owners {
                sharing.list(code, people);
            }
            for chunk in staged.chunks(CHUNK as usize) {
                notes.extend(self.put_changed(run, day, chunk, &mut sharing).await?);
            }
            let listed = staged.into_iter().map(|row| (row.person, row.code)).collect();
            self.put_gone(run, day, &known, &listed).await?;
        }
        self.progress.day = Some(last);
        match self.progress.next_day() {
            Some(next) => {
                self.progress.day = Some(next);
                self.hold(people, None);
            }
            // There is no token to give back.
            None => self.progress.phase = Phase::Destroy,
        }
        let tx = self.context.store.begin().await?;
        self.progress.code_freed |= sharing.write(&tx).await?;
        self.note(&tx, run, &notes).await?;
        self.keep(&tx, self.now).await?;
        Ok(tx.commit().await?)
    }

    /// Whoever is there and has a day in the book of which the lists say nothing any more: everything was taken away there.
    fn add_emptied(&self, known: &[(String, String)], people: &People, staged: &mut Vec<Staged>) {
        let listed: BTreeSet<String> = staged.iter().map(|row| row.person.clone()).collect();
        let codes: BTreeSet<String> = staged.iter().map(|row| row.code.clone()).collect();
        for (person, _) in known.iter().filter(|(person, _)| !listed.contains(person)) {
            // A code that somebody else has on this date is that one's.
            if let Some(code) = people.code(person).filter(|code| !codes.contains(*code)) {
                staged.extend(reading::kingoftime(&self.context.store.keys, person, code, &Row::default()));
            }
        }
    }
}
