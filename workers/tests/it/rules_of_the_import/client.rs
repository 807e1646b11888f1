//! Renkei, クラウドログ, and the person who carries files from one to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use jiff::civil::{Date, date};
use renkei_attendance::breaks::BreakMode;
use renkei_attendance::codes::Code;
use renkei_attendance::day::{Day, Minutes, Span};
use renkei_attendance::decide::{Decision, PastMidnight, Question, Settings, decide};
use renkei_attendance::files::{self, Content, File, Layout, Naming, Row};
use renkei_attendance::imported::{Marking, Standing, mark};
use renkei_attendance::matching::{AtSource, Matching};
use renkei_attendance::members::{self, Format, List};
use renkei_attendance::protection::{Closing, Protection};
use renkei_attendance::reading::Reading;
use renkei_runtime::clock::Millis;
use renkei_sandbox::crowdlog::{self as theirs, CrowdLog, ImportResult, MemberHeaders};
use renkei_sandbox::rules::Shown;

use crate::rules::need;

pub(super) const TODAY: Date = date(2026, 4, 10);
/// A day on which all members of the sample company but the one who left are there.
pub(super) const DAY: Date = date(2026, 4, 6);

/// A day that the source tells of somebody.
pub(super) type Told<'a> = (&'a str, Date, Day);
/// From and to, in minutes.
pub(super) type Pair = (u16, u16);

/// A fault as a text.
pub(super) fn said<T, E: Debug>(result: Result<T, E>) -> Result<T, String> {
    result.map_err(|fault| format!("{fault:?}"))
}

/// Stands for a keyed hash: different texts have different ones, which is all that counts here.
pub(super) fn keyed(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(super) fn span(from: i32, to: i32) -> Span {
    Span::new(Minutes::new(from).unwrap(), Minutes::new(to).unwrap()).unwrap()
}

pub(super) fn work(from: i32, to: i32, breaks: &[(i32, i32)]) -> Day {
    let breaks: Vec<Span> = breaks.iter().map(|(from, to)| span(*from, *to)).collect();
    Day::at_work(span(from, to), &breaks, None)
}

/// 09:05 to 18:20 with two breaks, which leave 490 minutes.
pub(super) fn usual() -> Day {
    work(545, 1_100, &[(730, 785), (930, 940)])
}

/// Renkei with one link, クラウドログ, and the person between them.
pub(super) struct Client {
    pub(super) crowdlog: CrowdLog,
    /// Whether the list of members went through Excel.
    pub(super) through_excel: bool,
    pub(super) layout: Layout,
    pub(super) protection: Protection,
    pub(super) past_midnight: PastMidnight,
    held: BTreeMap<(Code, Date), Content>,
}

impl Client {
    /// The sample company; nothing is closed there.
    pub(super) fn new() -> Self {
        Self {
            crowdlog: theirs::sample::company(),
            through_excel: false,
            layout: Layout::default(),
            protection: Protection { closing: Closing::NotUsed, listed: Vec::new() },
            past_midnight: PastMidnight::Extended,
            held: BTreeMap::new(),
        }
    }

    pub(super) fn with(change: impl FnOnce(&mut theirs::Settings)) -> Self {
        let mut client = Self::new();
        change(client.crowdlog.settings_mut());
        client
    }

    /// The list of members as it is exported now.
    pub(super) fn list(&self) -> Result<List, String> {
        let (encoding, headers) = (theirs::Encoding::Utf8Bom, MemberHeaders::default());
        let list = match self.through_excel {
            true => self.crowdlog.export_members_through_excel(true, encoding, &headers),
            false => self.crowdlog.export_members(true, encoding, &headers),
        };
        said(members::read(&list, &Format::default(), TODAY))
    }

    /// What becomes of days.
    pub(super) fn decided(&self, days: &[Told<'_>]) -> Result<Vec<Decision>, String> {
        let list = self.list()?;
        let people = people(days)?;
        let matching = Matching::new(&people, &list.members);
        let settings = Settings {
            past_midnight: self.past_midnight,
            break_mode: BreakMode::Each,
            leave_columns: self.layout.leave_columns.as_ref(),
            encoding: self.layout.encoding,
        };
        let in_force = self.protection.in_force(TODAY);
        let mut decisions = Vec::new();
        for (code, day, told) in days {
            let (code, reading) = (said(Code::new(code))?, Reading::Day(told.clone()));
            let held = self.held.get(&(code.clone(), *day));
            let matched = matching.of(&code);
            let question = Question { code: &code, day: *day, reading: &reading, held, forced: false, matched };
            decisions.push(decide(&question, &settings, &in_force, keyed));
        }
        Ok(decisions)
    }

    /// The files of what is pending.
    pub(super) fn files(&self, days: &[Told<'_>]) -> Result<Vec<File>, String> {
        let rows: Vec<Row> = self.decided(days)?.iter().filter_map(|decision| decision.row().cloned()).collect();
        let stated = said(self.protection.stated(TODAY))?;
        let naming = naming();
        let plan = files::plan(&rows, &self.layout, &naming, stated);
        let files: Result<Vec<File>, _> = plan.files().collect();
        said(files)
    }

    /// A person imports all files and marks the rows that were taken.
    pub(super) fn morning(&mut self, days: &[Told<'_>]) -> Result<Vec<ImportResult>, String> {
        let mut results = Vec::new();
        for file in self.files(days)? {
            let result = self.crowdlog.import(Millis(1_775_520_000_000), &file.bytes);
            // A file that is refused as a whole is not marked.
            if result.header_error.is_none() {
                let refused = result.refused_rows();
                let refused: BTreeSet<u32> = refused.into_iter().map(|row| u32::try_from(row).unwrap()).collect();
                let imported = said(mark(Standing::Open, &file.rows, &Marking::AllBut(refused)))?;
                self.held.extend(imported.held.into_iter().map(|held| ((held.code, held.day), held.content)));
            }
            results.push(result);
        }
        Ok(results)
    }

    /// The same, when all of so many rows have to be taken.
    pub(super) fn taken(&mut self, days: &[Told<'_>], rows: usize) -> Shown {
        let results = self.morning(days)?;
        let taken: usize = results.iter().map(ImportResult::accepted).sum();
        need(results.iter().all(ImportResult::is_clean) && taken == rows, &format!("{rows} rows: {results:?}"))
    }

    /// What クラウドログ holds of somebody's day.
    pub(super) fn stored(&self, code: &str) -> Option<(Option<Pair>, Vec<Pair>)> {
        let pair = |hours: &theirs::Hours| (hours.start, hours.end);
        let stored = self.crowdlog.stored(code, DAY)?;
        Some((stored.hours.as_ref().map(pair), stored.breaks.iter().map(pair).collect()))
    }

    pub(super) fn holds(&self, code: &str, hours: Pair, breaks: &[Pair]) -> Shown {
        let stored = self.stored(code);
        need(stored == Some((Some(hours), breaks.to_vec())), &format!("{code}: {stored:?}"))
    }
}

/// The people of the days, as their source has them.
pub(super) fn people(days: &[Told<'_>]) -> Result<Vec<AtSource>, String> {
    let mut people = Vec::new();
    for (code, _, _) in days {
        people.push(AtSource { code: said(Code::new(code))?, link: "l1".to_owned(), person: (*code).to_owned() });
    }
    Ok(people)
}

pub(super) fn naming() -> Naming {
    Naming { made: TODAY, link: "l1".to_owned(), before: 0 }
}
