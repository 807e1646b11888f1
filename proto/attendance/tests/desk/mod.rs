//! A morning at the import screen: a book of days, クラウドログ, and a person between them.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::{Date, date};
use proptest::prelude::*;
use renkei_attendance::breaks::BreakMode;
use renkei_attendance::codes::Code;
use renkei_attendance::day::{Day, Leave, Minutes, Span};
use renkei_attendance::decide::{Decision, PastMidnight, Question, Settings, decide};
use renkei_attendance::files::{self, Content, File, FileFault, Layout, Naming, Row};
use renkei_attendance::imported::{Imported, MarkFault, Marking, Standing, mark};
use renkei_attendance::matching::{AtSource, Matching};
use renkei_attendance::members::{self, Format, Member};
use renkei_attendance::protection::{Closing, Protection, Stated};
use renkei_attendance::reading::Reading;
use renkei_sandbox::crowdlog::{self as theirs, CrowdLog, Encoding, Hours, ImportResult, MemberHeaders};
use sha2::{Digest as _, Sha256};

pub const TODAY: Date = date(2026, 4, 10);

pub fn keyed(bytes: &[u8]) -> String {
    let hash = Sha256::new().chain_update(b"a key").chain_update(bytes).finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All files of some rows.
#[derive(Debug, PartialEq, Eq)]
pub struct Files {
    pub files: Vec<File>,
    /// Days that were left out because they are protected.
    pub protected: Vec<(Code, Date)>,
}

/// Makes all files at once.
pub fn make(rows: &[Row], layout: &Layout, naming: &Naming, protection: &Stated) -> Result<Files, FileFault> {
    let plan = files::plan(rows, layout, naming, protection.clone());
    let files = plan.files().collect::<Result<Vec<File>, FileFault>>()?;
    Ok(Files { files, protected: plan.protected })
}

pub fn code(text: &str) -> Code {
    Code::new(text).unwrap()
}

pub fn member(text: &str) -> Member {
    Member { code: code(text), own_text: text.to_owned(), name: None, first: None, last: None, active: true, line: 2 }
}

pub fn span(from: i32, to: i32) -> Span {
    Span::new(Minutes::new(from).unwrap(), Minutes::new(to).unwrap()).unwrap()
}

pub fn work(from: i32, to: i32, breaks: &[(i32, i32)]) -> Day {
    with_leave(from, to, breaks, None)
}

pub fn with_leave(from: i32, to: i32, breaks: &[(i32, i32)], leave: impl Into<Option<Leave>>) -> Day {
    let breaks: Vec<Span> = breaks.iter().map(|(from, to)| span(*from, *to)).collect();
    Day::at_work(span(from, to), &breaks, leave.into())
}

pub fn naming() -> Naming {
    Naming { made: TODAY, link: "lk_1".to_owned(), before: 0 }
}

/// Nothing is closed, and somebody said so.
pub fn nothing_closed() -> Protection {
    Protection { closing: Closing::NotUsed, listed: Vec::new() }
}

/// A day of the book.
#[derive(Debug, Clone)]
pub struct Entry {
    pub reading: Reading,
    pub held: Option<Content>,
    pub forced: bool,
}

/// One company.
pub struct Desk {
    pub crowdlog: CrowdLog,
    pub members: Vec<Member>,
    pub book: BTreeMap<(Code, Date), Entry>,
    pub protection: Protection,
    pub layout: Layout,
    pub past_midnight: PastMidnight,
    pub break_mode: BreakMode,
}

impl Desk {
    /// A company of members with these codes, whose list was exported and read.
    pub fn open(codes: impl IntoIterator<Item = String>, past_midnight: theirs::PastMidnight) -> Self {
        let mut crowdlog = CrowdLog::new();
        codes.into_iter().for_each(|code| crowdlog.add_member(theirs::Member::new(&code, "見本")));
        crowdlog.settings_mut().past_midnight = past_midnight;
        let list = crowdlog.export_members(true, Encoding::Utf8Bom, &MemberHeaders::default());
        let members = members::read(&list, &Format::default(), TODAY).unwrap().members;
        Self {
            crowdlog,
            members,
            book: BTreeMap::new(),
            protection: nothing_closed(),
            layout: Layout::default(),
            past_midnight: PastMidnight::Extended,
            break_mode: BreakMode::Each,
        }
    }

    /// The source tells a day.
    pub fn tell(&mut self, code: &str, day: Date, reading: Reading) {
        let entry = self.book.entry((self::code(code), day));
        let entry = entry.or_insert(Entry { reading: Reading::Empty, held: None, forced: false });
        entry.reading = reading;
    }

    /// What becomes of every day, as often as somebody asks.
    pub fn decisions(&self) -> BTreeMap<(Code, Date), Decision> {
        let people: Vec<AtSource> = self
            .book
            .keys()
            .map(|(code, _)| AtSource { code: code.clone(), link: "one".to_owned(), person: code.to_string() })
            .collect();
        let matching = Matching::new(&people, &self.members);
        let settings = Settings {
            past_midnight: self.past_midnight,
            break_mode: self.break_mode,
            leave_columns: self.layout.leave_columns.as_ref(),
            encoding: self.layout.encoding,
        };
        let in_force = self.protection.in_force(TODAY);
        let decided = self.book.iter().map(|((code, day), entry)| {
            let question = Question {
                code,
                day: *day,
                reading: &entry.reading,
                held: entry.held.as_ref(),
                forced: entry.forced,
                matched: matching.of(code),
            };
            ((code.clone(), *day), decide(&question, &settings, &in_force, keyed))
        });
        decided.collect()
    }

    /// Decides and keeps what follows from it.
    pub fn decide(&mut self) -> BTreeMap<(Code, Date), Decision> {
        let decisions = self.decisions();
        for (key, decision) in &decisions {
            if decision.forces_the_next_row() {
                self.book.get_mut(key).unwrap().forced = true;
            }
        }
        decisions
    }

    /// Decides, and makes the files of what is pending.
    pub fn files(&mut self) -> Files {
        let rows: Vec<_> = self.decide().values().filter_map(|decision| decision.row().cloned()).collect();
        let protection = self.protection.stated(TODAY).unwrap();
        make(&rows, &self.layout, &naming(), &protection).unwrap()
    }

    /// A person imports a file.
    pub fn import(&mut self, file: &File) -> ImportResult {
        self.crowdlog.import(Default::default(), &file.bytes)
    }

    /// A person marks a file.
    pub fn mark(&mut self, standing: Standing, file: &File, marking: &Marking) -> Result<Imported, MarkFault> {
        let imported = mark(standing, &file.rows, marking)?;
        for held in &imported.held {
            let entry = self.book.get_mut(&(held.code.clone(), held.day)).unwrap();
            (entry.held, entry.forced) = (Some(held.content.clone()), false);
        }
        Ok(imported)
    }

    /// A person imports all files, and marks each as the import went.
    pub fn morning(&mut self) -> Files {
        let files = self.files();
        for file in &files.files {
            let result = self.import(file);
            assert_eq!(result.header_error, None);
            self.mark(Standing::Open, file, &all_but(&result)).unwrap();
        }
        files
    }

    /// 出社, 退社 and breaks that クラウドログ holds.
    pub fn stored(&self, code: &Code, day: Date) -> Option<(Option<Hours>, Vec<Hours>)> {
        self.crowdlog.stored(code.as_str(), day).map(|stored| (stored.hours, stored.breaks.clone()))
    }
}

/// What a person reads from the result of an import.
pub fn all_but(result: &ImportResult) -> Marking {
    let refused: BTreeSet<u32> = result.refused_rows().into_iter().map(|row| u32::try_from(row).unwrap()).collect();
    if refused.is_empty() { Marking::All } else { Marking::AllBut(refused) }
}

/// A day as クラウドログ stores it.
pub fn as_stored(day: &Day) -> (Option<Hours>, Vec<Hours>) {
    let hours = |span: &Span| Hours {
        start: u16::try_from(span.from.get()).unwrap(),
        end: u16::try_from(span.to.get()).unwrap(),
    };
    (day.work.as_ref().map(hours), day.breaks.iter().map(hours).collect())
}

/// A day that クラウドログ can hold: it begins on its date and has no more than 24 hours.
pub fn any_work() -> impl Strategy<Value = Day> {
    let leave = prop::option::weighted(0.2, prop::sample::select(&Leave::ALL[..]));
    let breaks = prop::collection::vec((0_i32..2_800, 1_i32..90), 0..4);
    (0_i32..1_440, 1_i32..=1_439, breaks, leave).prop_map(|(from, length, breaks, leave)| {
        let breaks: Vec<(i32, i32)> =
            breaks.into_iter().map(|(from, length)| (from, (from + length).min(2_879))).collect();
        with_leave(from, (from + length).min(2_879), &breaks, leave)
    })
}
