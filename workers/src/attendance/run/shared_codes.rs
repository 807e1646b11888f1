//! 社員コード that several people of the source have.
//!
//! A date on which only one of them has a row, or of which only one row was changed, does not tell that there are two. So who
//! shared a code on which date is kept, and whoever compares codes counts both. It ends with the date that is read whole
//! and has one of them no more, and with a row of one of them under another number.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan as _;
use renkei_attendance::window::MOST_DAYS;
use renkei_store::attendance::shared_codes::{self, Sharer};
use renkei_store::attendance::staging::Staged;
use renkei_store::db::Tx;

use super::Step;
use crate::error::Result;
use crate::sweep::calendar;

/// How many of those who share a code on a date are kept, so that those who are left when some get other numbers are known. A
/// company may give one number to hundreds who have none.
const KEPT: usize = 8;

/// Who shares codes of a link, as far as the dates have been read.
pub(super) struct Sharing {
    link: String,
    before: BTreeMap<Sharer, bool>,
    now: BTreeMap<Sharer, bool>,
    /// The date that is being read.
    day: String,
    /// Whether all its rows are.
    pub(super) whole: bool,
    /// The codes that several people have on it.
    of_date: BTreeSet<String>,
    /// The numbers of those whose rows of it were seen, where not all are.
    numbers: BTreeMap<String, String>,
    /// Codes that seemed to be shared where not all rows of a date are seen.
    met: BTreeSet<String>,
    /// For these codes dates are read again, because they are not shared any more. One that is shared nevertheless has numbers that
    /// differ from date to date, and would be read again each morning.
    again: BTreeSet<String>,
}

impl Sharing {
    /// A date is read: whether whole, and the codes that several people have on it.
    pub(super) fn begin(&mut self, day: String, whole: bool, of_date: BTreeSet<String>) {
        if whole {
            self.now.retain(|sharer, _| sharer.day != day);
        }
        (self.day, self.whole, self.of_date) = (day, whole, of_date);
        self.numbers.clear();
    }

    /// Several people of the date have a code, whether they have rows of it or not.
    pub(super) fn list(&mut self, code: &str, people: &BTreeSet<String>) {
        for person in people {
            self.keep(code, person);
        }
    }

    /// Rows of the date.
    pub(super) fn see(&mut self, staged: &[&Staged]) {
        for row in staged {
            if self.of_date.contains(&row.code) {
                self.keep(&row.code, &row.person);
            }
        }
        let codes: BTreeMap<&str, &str> = staged.iter().map(|row| (row.person.as_str(), row.code.as_str())).collect();
        let day = &self.day;
        self.now.retain(|sharer, firm| {
            let same = codes.get(sharer.person.as_str()).is_none_or(|code| *code == sharer.code);
            same || (*firm && sharer.day != *day)
        });
        if !self.whole {
            self.numbers.extend(codes.into_iter().map(|(person, code)| (person.to_owned(), code.to_owned())));
        }
    }

    /// Two people have a code on the date, one by a row and the other by the book, whose row perhaps did not change.
    pub(super) fn meet(&mut self, code: &str, by_row: &str, by_book: &str) {
        if self.numbers.get(by_book).is_some_and(|number| number != code) {
            return;
        }
        self.of_date.insert(code.to_owned());
        self.met.insert(code.to_owned());
        for person in [by_row, by_book] {
            self.keep(code, person);
        }
    }

    fn keep(&mut self, code: &str, person: &str) {
        let sharer = Sharer { code: code.to_owned(), day: self.day.clone(), person: person.to_owned() };
        let known = self.now.keys().filter(|known| known.code == *code && known.day == self.day).count();
        if known < KEPT {
            let firm = self.again.contains(code) || self.before.get(&sharer).is_some_and(|firm| *firm);
            self.now.insert(sharer, firm);
        }
    }

    /// Whether nobody's rows of this date can be told apart by the code.
    pub(super) fn is_double(&self, code: &str) -> bool {
        self.of_date.contains(code)
    }

    /// Writes down what came of the dates. Answers whether some code is one person's again.
    pub(super) async fn write(&self, tx: &Tx) -> Result<bool> {
        let gone: Vec<&Sharer> = self.before.keys().filter(|sharer| !self.now.contains_key(sharer)).collect();
        let new: Vec<(&Sharer, bool)> = self
            .now
            .iter()
            .filter(|(sharer, firm)| self.before.get(sharer) != Some(firm))
            .map(|(sharer, firm)| (sharer, *firm))
            .collect();
        shared_codes::remove(tx, &self.link, &gone).await?;
        shared_codes::add(tx, &self.link, &new).await?;
        let now = shared(&self.now);
        let freed = shared(&self.before).into_iter().chain(self.met.iter().cloned());
        let freed: BTreeSet<String> = freed.filter(|code| !now.contains(code)).collect();
        shared_codes::want_again(tx, &self.link, &freed).await?;
        Ok(!freed.is_empty())
    }
}

/// The codes that several people have.
fn shared(sharers: &BTreeMap<Sharer, bool>) -> BTreeSet<String> {
    let mut people: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for sharer in sharers.keys() {
        people.entry(&sharer.code).or_default().insert(&sharer.person);
    }
    people.into_iter().filter(|(_, people)| people.len() > 1).map(|(code, _)| code.to_owned()).collect()
}

impl Step<'_> {
    /// Who shares codes of the link, as far as it is known before a date is read.
    pub(super) async fn sharing(&self) -> Result<Sharing> {
        let before = shared_codes::of_link(&self.context.store.db, &self.link.id).await?;
        Ok(Sharing {
            link: self.link.id.clone(),
            now: before.clone(),
            before,
            day: String::new(),
            whole: true,
            of_date: BTreeSet::new(),
            numbers: BTreeMap::new(),
            met: BTreeSet::new(),
            again: self.progress.codes_read_again.clone(),
        })
    }

    /// The window that begins reads all dates whole, if a code that was shared is one person's again.
    pub(super) async fn read_shared_dates_again(&mut self, tx: &Tx) -> Result<()> {
        if self.is_window() {
            self.progress.codes_read_again = shared_codes::wanted_again(tx, &self.link.id).await?;
            if !self.progress.codes_read_again.is_empty() {
                (self.progress.since, self.progress.known_to) = (None, None);
            }
        }
        Ok(())
    }

    /// A run has read all of its dates.
    pub(super) async fn shared_dates_are_read(&self, tx: &Tx) -> Result<()> {
        if self.is_window() && self.progress.since.is_none() && !self.progress.code_freed {
            shared_codes::read_again(tx, &self.link.id).await?;
        }
        // The decision about the period that was read looks at who shared codes in it, however long ago.
        let first = calendar::today(self.now).saturating_sub(MOST_DAYS.days());
        let first = self.progress.first.map_or(first, |read| read.min(first));
        Ok(shared_codes::tidy(tx, &self.link.id, &first.to_string()).await?)
    }
}
