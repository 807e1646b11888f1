//! Reading the dates: page after page into the store, and at a date's end what differs from the book onto the log.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::ToSpan as _;
use jiff::civil::Date;
use renkei_attendance::window::MOST_DAYS;
use renkei_events::attendance::AttendanceEvent;
use renkei_events::codes::Code;
use renkei_events::ids::{EventId, TenantId};
use renkei_events::topic::Topic;
use renkei_log::NewRecord;
use renkei_store::attendance::book;
use renkei_store::attendance::notes::{self, Note};
use renkei_store::attendance::staging::{self, Staged};
use renkei_store::db::Tx;
use renkei_store::error::StoreError;
use renkei_store::{forgotten, jobs, links};

use super::Step;
use super::shared_codes::Sharing;
use crate::attendance::progress::Phase;
use crate::attendance::reading;
use crate::clients::hrmos::{self as client, Fault};
use crate::error::Result;
use crate::sweep::calendar;

/// How many staged rows are compared at once.
pub(super) const CHUNK: u32 = 500;
/// How often a date is read again when its pages move. What moves still then comes with the next window.
const READ_AGAIN: u32 = 3;
/// How long the log may take to acknowledge a chunk (real time).
const APPEND: Duration = Duration::from_secs(10);

impl Step<'_> {
    /// Reads one page of a date.
    pub(super) async fn read_day(mut self) -> Result<()> {
        let (Some(run), Some(day)) = (self.progress.run, self.progress.day) else { return self.lost().await };
        let Some(token) = self.token()? else { return self.ask_for_token().await };
        if self.progress.epoch != self.job.epoch() {
            // Somebody else read this date so far.
            self.progress.epoch = self.job.epoch();
            (self.progress.page, self.progress.total) = (1, None);
            let tx = self.context.store.begin().await?;
            staging::clear(&tx, run).await?;
            self.keep(&tx, self.now).await?;
            return Ok(tx.commit().await?);
        }
        if !self.may_call().await? {
            return Ok(());
        }
        let page = self.progress.page.max(1);
        let since = self.since(day);
        let answer = client::daily(&self.context.transport, &self.company(), &token, day, page, since).await;
        let read = match answer {
            Ok(read) => read,
            // The last page went, and its rows with it to pages that were read already.
            Err(Fault::NotFound) if page > 1 => {
                self.answered();
                if self.progress.moved >= READ_AGAIN {
                    return self.end_of_date(run, day).await;
                }
                self.progress.moved += 1;
                (self.progress.page, self.progress.total) = (1, None);
                return self.go_on_at(self.now).await;
            }
            Err(fault) => return self.refused(fault).await,
        };
        self.answered();
        let keys = &self.context.store.keys;
        let staged: Vec<Staged> =
            read.rows.iter().filter_map(|row| reading::hrmos(keys, &self.link.company, row)).collect();
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.progress.rows += count(read.rows.len());
        self.progress.unreadable += count(read.rows.len() - staged.len());
        // A row that went while pages were read moves another one to a page that was read already.
        let moved = page > 1 && read.total.zip(self.progress.total).is_some_and(|(now, before)| now != before);
        let again = moved && self.progress.moved < READ_AGAIN;
        self.progress.total = if again { None } else { read.total.or(self.progress.total) };
        self.progress.page = if again { 1 } else { page + 1 };
        self.progress.moved += u32::from(again);
        let tx = self.context.store.begin().await?;
        staging::add(&self.context.store, &tx, run, &staged).await?;
        if again || read.goes_on_after(page) {
            self.keep(&tx, self.now).await?;
            return Ok(tx.commit().await?);
        }
        // Whoever does not hold the run any more leaves nothing behind. It is still under way: due, this worker would begin the
        // same step again beside this one.
        jobs::still_held(&tx, self.job).await?;
        tx.commit().await?;
        self.end_of_date(run, day).await
    }

    /// Since when changed rows of a date are read; `None`: all of them.
    fn since(&self, day: Date) -> Option<jiff::Timestamp> {
        self.progress.since.filter(|_| self.progress.known_to.is_some_and(|known| day <= known))
    }

    /// All pages of the date are there.
    async fn end_of_date(mut self, run: i64, day: Date) -> Result<()> {
        let store = &self.context.store;
        let doubles: BTreeSet<String> = staging::doubles(&store.db, run).await?.into_iter().collect();
        let mut sharing = self.sharing().await?;
        sharing.begin(day.to_string(), self.since(day).is_none(), doubles);
        let (mut after, mut notes) = (String::new(), Vec::new());
        loop {
            let staged = staging::page(store, &store.db, run, &after, CHUNK).await?;
            let Some(last) = staged.last() else { break };
            after.clone_from(&last.person);
            notes.extend(self.put_changed(run, day, &staged, &mut sharing).await?);
        }
        if self.since(day).is_none() {
            let listed = staging::people(&store.db, run).await?;
            // As many as the source counts: nobody was passed over while its pages moved, and no row was unreadable.
            if self.progress.total.is_some_and(|total| usize::try_from(total).ok() == Some(listed.len())) {
                let known = book::people_of_date(&store.db, &self.link.id, &day.to_string()).await?;
                self.put_gone(run, day, &known, &listed.into_iter().collect()).await?;
            }
        }
        (self.progress.page, self.progress.total, self.progress.moved) = (1, None, 0);
        match self.progress.next_day() {
            Some(next) => self.progress.day = Some(next),
            None => self.progress.phase = Phase::Destroy,
        }
        let tx = store.begin().await?;
        self.progress.code_freed |= sharing.write(&tx).await?;
        self.note(&tx, run, &notes).await?;
        staging::clear(&tx, run).await?;
        self.keep(&tx, self.now).await?;
        Ok(tx.commit().await?)
    }

    /// Writes down what the book can not tell, each person of a run once.
    pub(super) async fn note(&mut self, tx: &Tx, run: i64, all: &[Note]) -> Result<()> {
        for (reason, counted) in [
            (Code::AttendanceNoNumber, &mut self.progress.without_code),
            (Code::AttendanceDoubleNumber, &mut self.progress.doubles),
            (Code::AttendanceInSeveralLinks, &mut self.progress.in_several_links),
        ] {
            let of_it: Vec<Note> = all.iter().filter(|note| note.reason == reason.as_str()).cloned().collect();
            *counted += i64::try_from(notes::add(tx, run, &of_it).await?).unwrap_or(i64::MAX);
        }
        Ok(())
    }

    /// Puts on the log which of these rows the book does not know as they are. Answers what the book can not tell of them.
    pub(super) async fn put_changed(
        &mut self,
        run: i64,
        day: Date,
        staged: &[Staged],
        sharing: &mut Sharing,
    ) -> Result<Vec<Note>> {
        let store = &self.context.store;
        let note = |reason: Code, code: &str, detail: &str| Note {
            reason: reason.as_str().to_owned(),
            code: code.to_owned(),
            detail: detail.to_owned(),
        };
        let codes = staged.iter().map(|row| row.code.as_str());
        let forgotten = forgotten::codes(store, &store.db, &self.link.tenant, codes).await?;
        let text = day.to_string();
        let staged: Vec<&Staged> =
            staged.iter().filter(|row| forgotten.get(&row.code).is_none_or(|last| *last < text)).collect();
        sharing.see(&staged);
        if !sharing.whole {
            // The other one's row may not have changed.
            let codes: Vec<&str> = staged.iter().map(|row| row.code.as_str()).filter(|code| !code.is_empty()).collect();
            let known = book::contents(&store.db, &self.link.tenant, &text, &codes).await?;
            for row in &staged {
                if let Some((_, link, person)) = known.get(&row.code)
                    && *link == self.link.id
                    && *person != row.person
                    && person != book::GONE
                    && self.link.is_own(person)
                {
                    sharing.meet(&row.code, &row.person, person);
                }
            }
        }
        let mut notes: Vec<Note> = Vec::new();
        for row in &staged {
            if row.code.is_empty() {
                notes.push(note(Code::AttendanceNoNumber, book::own_id(&row.person), ""));
            } else if sharing.is_double(&row.code) {
                notes.push(note(Code::AttendanceDoubleNumber, &row.code, ""));
            }
        }
        // Whoever has no code, or shares one, is nobody to クラウドログ.
        let usable: Vec<&Staged> =
            staged.into_iter().filter(|row| !row.code.is_empty() && !sharing.is_double(&row.code)).collect();
        self.correct_codes(run, &usable).await?;
        let codes: Vec<&str> = usable.iter().map(|row| row.code.as_str()).collect();
        let known = book::contents(&store.db, &self.link.tenant, &text, &codes).await?;
        let mut records = Vec::new();
        for row in usable {
            if let Some((content, link, person)) = known.get(&row.code) {
                if *content == row.content && *link == self.link.id && *person == row.person {
                    continue;
                }
                if *link != self.link.id {
                    notes.push(note(Code::AttendanceInSeveralLinks, &row.code, link));
                }
            }
            records.extend(self.event(run, day, row));
        }
        self.append(&records).await?;
        Ok(notes)
    }

    /// The day of whoever has no row of a date any more that was read whole: everything was taken away there. `known` are
    /// those of the book, `listed` those who have a row, each with the code: one that went to another person is that one's.
    pub(super) async fn put_gone(
        &mut self,
        run: i64,
        day: Date,
        known: &[(String, String)],
        listed: &BTreeMap<String, String>,
    ) -> Result<()> {
        let keys = &self.context.store.keys;
        let known: Vec<_> = known.iter().filter(|(person, _)| self.link.is_own(person)).collect();
        // A source that says that nobody at all did anything is in trouble rather than right.
        if listed.is_empty() && known.len() > 1 {
            return Ok(());
        }
        let codes: BTreeSet<&str> = listed.values().map(String::as_str).collect();
        let has_none = |(person, code): &&(String, String)| {
            // Whoever lost the number altogether is named by the run, and the days stay as they were.
            let renamed = |now: &String| !now.is_empty() && now != code;
            listed.get(person).is_none_or(renamed) && !codes.contains(code.as_str())
        };
        let gone = known.into_iter().filter(has_none);
        let gone = gone.filter_map(|(person, code)| reading::gone(keys, self.link.source, person, code));
        let events = gone.filter_map(|row| self.event(run, day, &row));
        let events: Vec<_> = events.map(|event| AttendanceEvent { person: book::GONE.to_owned(), ..event }).collect();
        self.append(&events).await
    }

    /// Puts days on the log.
    async fn append(&mut self, events: &[AttendanceEvent]) -> Result<()> {
        let store = &self.context.store;
        let mut records = Vec::with_capacity(events.len());
        for event in events {
            let traceparent = crate::sweep::traceparent(&store.keys, &self.job.name, event.event_id.as_str());
            records.push(NewRecord {
                topic: Topic::Attendance,
                key: event.key(),
                headers: event.headers(&traceparent),
                value: serde_json::to_vec(event).map_err(StoreError::from)?,
            });
        }
        let count = i64::try_from(records.len()).unwrap_or(0);
        if count > 0 {
            self.sweeper.log.append(records, APPEND).await?;
            store.hint();
        }
        self.progress.produced += count;
        Ok(())
    }

    /// A number that was corrected at the source is corrected on all days of the period and of the window, whichever run sees it.
    async fn correct_codes(&self, run: i64, staged: &[&Staged]) -> Result<()> {
        let (Some(first), Some(last)) = (self.progress.first, self.progress.last) else { return Ok(()) };
        let today = calendar::today(self.now);
        let first = first.min(today.saturating_sub(MOST_DAYS.days()));
        let last = last.max(today);
        let store = &self.context.store;
        let people: Vec<(&str, &str)> = staged.iter().map(|row| (row.person.as_str(), row.code.as_str())).collect();
        let other = book::with_another_code(&store.db, &self.link.id, &people).await?;
        if other.is_empty() {
            return Ok(());
        }
        let days = (first.to_string(), last.to_string());
        let tx = store.begin().await?;
        let now = store.now_in(&tx).await?;
        for (person, code) in other {
            let corrected =
                book::correct_code(&tx, (&self.link.id, run), &person, &code, (&days.0, &days.1), now).await?;
            links::gave_way(store, &tx, &corrected.others, now).await?;
        }
        Ok(tx.commit().await?)
    }

    fn event(&self, run: i64, day: Date, row: &Staged) -> Option<AttendanceEvent> {
        // Stands in a header, so it names nobody.
        let text = day.to_string();
        let parts = [self.link.id.as_bytes(), row.person.as_bytes(), text.as_bytes()];
        let mark = self.context.store.keys.hash("attendance_event", &parts);
        Some(AttendanceEvent {
            event_id: EventId::new(format!("run/{run}/{mark}")).ok()?,
            tenant_id: TenantId::new(self.link.tenant.clone()).ok()?,
            link_id: self.link.id.clone(),
            person: row.person.clone(),
            code: row.code.clone(),
            day,
            run_id: run,
            run_began: self.progress.began.0,
            found_at: self.context.clock.now().timestamp(),
            value: serde_json::from_slice(&row.value).ok()?,
        })
    }

    /// Gives the token back; whether that works changes nothing.
    pub(super) async fn give_back(mut self) -> Result<()> {
        if let Some(token) = self.token()? {
            if !self.may_call().await? {
                return Ok(());
            }
            if client::destroy(&self.context.transport, &self.company(), &token).await.is_err() {
                tracing::info!(link.id = %self.link.id, "the token was not given back, it ends by itself");
            }
        }
        self.progress.token = None;
        self.progress.phase = Phase::Settle;
        self.progress.settling_since = Some(self.now);
        self.go_on_at(self.now).await
    }
}
