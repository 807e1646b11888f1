//! What becomes of a day, and what クラウドログ holds after mornings of imports.

#![allow(clippy::unwrap_used, reason = "helpers of tests stop the test")]

mod desk;

use std::collections::BTreeSet;

use desk::{Desk, TODAY, all_but, any_work, as_stored, code, keyed, member, nothing_closed, with_leave, work};
use jiff::ToSpan as _;
use jiff::civil::{Date, date};
use proptest::prelude::*;
use renkei_attendance::breaks::BreakMode;
use renkei_attendance::day::{Day, Leave, Minutes, Span};
use renkei_attendance::decide::{Decision, Detail, PastMidnight, Question, Settings, Why, decide};
use renkei_attendance::files::{Content, Encoding, LeaveColumn, LeaveColumns};
use renkei_attendance::imported::{Imported, MarkFault, Marking, Standing, mark};
use renkei_attendance::matching::{Match, Nobody};
use renkei_attendance::members::Member;
use renkei_attendance::protection::{Closing, Listed, NotStated, Protection};
use renkei_attendance::reading::{Reading, Reason};
use renkei_sandbox::crowdlog::{self as theirs, Attendance};

const DAY: Date = date(2026, 4, 6);

/// A day that nothing speaks against; each test changes what it is about.
struct Case {
    reading: Reading,
    held: Option<Content>,
    forced: bool,
    member: Result<Member, Nobody>,
    protection: Protection,
    past_midnight: PastMidnight,
    break_mode: BreakMode,
    leave_columns: Option<LeaveColumns>,
    encoding: Encoding,
}

impl Case {
    fn of(reading: Reading) -> Self {
        Self {
            reading,
            held: None,
            forced: false,
            member: Ok(member("P1")),
            protection: nothing_closed(),
            past_midnight: PastMidnight::Extended,
            break_mode: BreakMode::Each,
            leave_columns: None,
            encoding: Encoding::Utf8Bom,
        }
    }

    fn day(day: Day) -> Self {
        Self::of(Reading::Day(day))
    }

    fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn decide(&self) -> Decision {
        let question = Question {
            code: &code("P1"),
            day: DAY,
            reading: &self.reading,
            held: self.held.as_ref(),
            forced: self.forced,
            matched: match &self.member {
                Ok(member) => Match::Member(member),
                Err(nobody) => Match::Nobody(*nobody),
            },
        };
        let settings = Settings {
            past_midnight: self.past_midnight,
            break_mode: self.break_mode,
            leave_columns: self.leave_columns.as_ref(),
            encoding: self.encoding,
        };
        decide(&question, &settings, &self.protection.in_force(TODAY), keyed)
    }

    /// What the file says of a day, and what a person is told.
    fn outcome(&self) -> String {
        let decision = self.decide();
        let hand =
            decision.handwork().map(|work| format!(" + {}: {}", work.why.code(), work.value)).unwrap_or_default();
        match &decision {
            Decision::Pending { row, .. } => {
                format!("pending {} {} {} {}{hand}", row.start(), row.end(), row.breaks(), row.leave_cell("休暇"))
            }
            Decision::Done { .. } => format!("done{hand}"),
            Decision::Handwork(_) => format!("by hand{hand}"),
            Decision::Open => "open".to_owned(),
            Decision::Skipped(why) => format!("skipped {}", why.code()),
            Decision::Protected => "protected".to_owned(),
            Decision::Unmatched(nobody) => format!("unmatched {nobody:?}"),
        }
    }
}

fn columns(kinds: &[Leave], without_times: bool) -> LeaveColumns {
    let values = kinds.iter().map(|leave| (*leave, leave.ja().to_owned())).collect();
    LeaveColumns::new(vec![LeaveColumn { header: "休暇".to_owned(), values }], without_times).unwrap()
}

#[test]
fn each_day_has_one_outcome() {
    let ordinary = || work(540, 1_080, &[(720, 780)]);
    let night = || work(1_320, 1_530, &[(1_440, 1_470)]);
    let half = || with_leave(780, 1_080, &[], Leave::Morning);
    let off = |leave| Case::day(Day::off(leave));
    let held = |day: Day| {
        let decision = Case::day(day).decide();
        decision.row().map(|row| row.content().clone())
    };
    let known = |kinds: &'static [Leave], without_times| {
        move |case: &mut Case| case.leave_columns = Some(columns(kinds, without_times))
    };
    let skip = |case: &mut Case| case.past_midnight = PastMidnight::Skip;
    let own = |text: &'static str, encoding| {
        move |case: &mut Case| (case.member, case.encoding) = (Ok(member(text)), encoding)
    };
    let closed = |day| Protection { closing: Closing::On { date: day }, listed: Vec::new() };
    let rows = [
        // What the day itself says.
        (Case::day(ordinary()), "pending 09:00 18:00 12:00-13:00 "),
        (Case::day(work(540, 1_080, &[])), "pending 09:00 18:00  "),
        (Case::day(night()), "pending 22:00 25:30 24:00-24:30 "),
        (Case::day(work(0, 1_439, &[])), "pending 00:00 23:59  "),
        (Case::day(work(0, 1_440, &[])), "pending 00:00 24:00  "),
        (Case::day(work(600, 2_160, &[(720, 840)])), "pending 10:00 36:00 12:00-14:00 "),
        (Case::day(work(600, 2_161, &[(720, 840)])), "skipped attendance.over_24h"),
        (Case::day(work(-30, 300, &[])), "skipped attendance.previous_day_start"),
        (Case::of(Reading::Empty), "skipped attendance.empty_at_source"),
        (Case::day(Day { work: None, breaks: Vec::new(), leave: None }), "skipped attendance.empty_at_source"),
        (Case::of(Reading::Open), "open"),
        (Case::of(Reading::Skipped(Reason::HalfEntered)), "skipped attendance.half_entered"),
        (
            Case::day(work(540, 1_080, &[(720, 780), (900, 915)])).with(|case| case.break_mode = BreakMode::Merged),
            "pending 09:00 18:00 12:00-13:15 ",
        ),
        // What クラウドログ calls the person, where the file has to be in an encoding that lacks it.
        (Case::day(ordinary()).with(own("𠮷1", Encoding::Utf8Bom)), "pending 09:00 18:00 12:00-13:00 "),
        (Case::day(ordinary()).with(own("髙1", Encoding::Cp932)), "pending 09:00 18:00 12:00-13:00 "),
        (
            Case::day(ordinary()).with(own("𠮷1", Encoding::Cp932)),
            "by hand + attendance.code_not_in_encoding: 09:00-18:00、休憩 12:00-13:00",
        ),
        // Times past midnight.
        (Case::day(night()).with(skip), "by hand + attendance.past_midnight: 22:00-25:30、休憩 24:00-24:30"),
        (Case::day(work(540, 1_440, &[])).with(skip), "by hand + attendance.past_midnight: 09:00-24:00"),
        (Case::day(work(540, 1_439, &[])).with(skip), "pending 09:00 23:59  "),
        (
            Case::day(with_leave(780, 1_500, &[], Leave::Morning)).with(skip),
            "by hand + attendance.past_midnight: 13:00-25:00、午前休",
        ),
        // Leave.
        (off(Leave::FullDay), "by hand + attendance.leave_without_column: 全休"),
        (off(Leave::Hourly), "by hand + attendance.leave_without_column: 時間休"),
        (Case::day(half()), "pending 13:00 18:00   + attendance.leave_beside_work: 午前休"),
        (Case::day(half()).with(known(&Leave::ALL, false)), "pending 13:00 18:00  午前休"),
        (
            Case::day(half()).with(known(&[Leave::FullDay], false)),
            "pending 13:00 18:00   + attendance.leave_beside_work: 午前休",
        ),
        (off(Leave::FullDay).with(known(&Leave::ALL, true)), "pending    全休"),
        (off(Leave::FullDay).with(known(&Leave::ALL, false)), "by hand + attendance.leave_without_times: 全休"),
        (off(Leave::Morning).with(known(&Leave::ALL, true)), "by hand + attendance.leave_without_times: 午前休"),
        (off(Leave::Hourly).with(known(&[Leave::FullDay], true)), "by hand + attendance.leave_without_column: 時間休"),
        // What クラウドログ holds.
        (Case::day(ordinary()).with(|case| case.held = held(ordinary())), "done"),
        (Case::day(ordinary()).with(|case| case.held = held(night())), "pending 09:00 18:00 12:00-13:00 "),
        (
            Case::day(ordinary()).with(|case| (case.held, case.forced) = (held(ordinary()), true)),
            "pending 09:00 18:00 12:00-13:00 ",
        ),
        (Case::day(half()).with(|case| case.held = held(half())), "done + attendance.leave_beside_work: 午前休"),
        (
            Case::day(half()).with(|case| case.held = held(work(780, 1_080, &[]))),
            "pending 13:00 18:00   + attendance.leave_beside_work: 午前休",
        ),
        (
            Case::day(half()).with(known(&Leave::ALL, false)).with(|case| case.held = held(half())),
            "pending 13:00 18:00  午前休",
        ),
        (Case::of(Reading::Empty).with(|case| case.held = held(ordinary())), "skipped attendance.emptied_at_source"),
        // Whose it is.
        (Case::day(ordinary()).with(|case| case.member = Err(Nobody::NearMiss)), "unmatched NearMiss"),
        (
            Case::of(Reading::Skipped(Reason::HalfEntered)).with(|case| case.member = Err(Nobody::DoubleAtSource)),
            "unmatched DoubleAtSource",
        ),
        (
            Case::day(ordinary()).with(|case| case.member.as_mut().unwrap().first = Some(date(2026, 4, 7))),
            "skipped attendance.outside_membership",
        ),
        (
            Case::day(ordinary()).with(|case| case.member.as_mut().unwrap().last = Some(date(2026, 4, 5))),
            "skipped attendance.outside_membership",
        ),
        (
            Case::day(ordinary()).with(|case| {
                let member = case.member.as_mut().unwrap();
                (member.first, member.last) = (Some(DAY), Some(DAY));
            }),
            "pending 09:00 18:00 12:00-13:00 ",
        ),
        (
            Case::day(ordinary()).with(|case| case.member.as_mut().unwrap().active = false),
            "skipped attendance.inactive_member",
        ),
        (
            Case::of(Reading::Open).with(|case| case.member.as_mut().unwrap().active = false),
            "skipped attendance.inactive_member",
        ),
        // What must not be written.
        (Case::day(ordinary()).with(|case| case.protection = closed(DAY)), "protected"),
        (Case::day(ordinary()).with(|case| (case.protection, case.forced) = (closed(DAY), true)), "protected"),
        (
            Case::day(ordinary()).with(|case| case.protection = closed(date(2026, 4, 5))),
            "pending 09:00 18:00 12:00-13:00 ",
        ),
        (
            Case::day(ordinary())
                .with(|case| case.protection.listed = vec![Listed::new(code("P1"), DAY, DAY).unwrap()]),
            "protected",
        ),
        (
            Case::day(ordinary())
                .with(|case| (case.protection, case.member) = (closed(DAY), Err(Nobody::OnlyAtSource))),
            "protected",
        ),
    ];
    for (at, (case, expected)) in rows.iter().enumerate() {
        assert_eq!(case.outcome(), *expected, "row {at}: {:?}", case.reading);
    }
}

#[test]
fn every_reason_has_a_text_that_leads_back_to_it() {
    let known = Reason::ALL.iter().copied().map(Why::Known);
    let mut codes = BTreeSet::new();
    for why in known.chain(Detail::ALL.iter().copied().map(Why::Detail)) {
        assert!(codes.insert(why.code()), "{} stands for two", why.code());
        assert_eq!(Why::parse(why.code()), Some(why));
        assert_eq!(serde_json::to_value(why).unwrap(), why.code());
        assert!(!why.ja().is_ascii() && !why.en().is_empty());
    }
    assert_eq!(Why::parse("no_such"), None);
}

/// A company of 30 people and the days of a week, every seventh with times past midnight.
fn week(past_midnight: theirs::PastMidnight) -> Desk {
    let codes: Vec<String> = (0..30).map(|n| format!("{n:05}")).collect();
    let mut desk = Desk::open(codes.clone(), past_midnight);
    for (at, code) in codes.iter().enumerate() {
        for day in 0..5 {
            let late = (at + usize::try_from(day).unwrap()) % 7 == 0;
            let shift = i32::try_from(at).unwrap();
            let told = if late {
                work(1_200 + shift, 1_500 + shift, &[(1_430, 1_445)])
            } else {
                work(500 + shift, 1_050 + shift, &[(720, 780), (900, 910)])
            };
            desk.tell(code, DAY.saturating_add(day.days()), Reading::Day(told));
        }
    }
    desk
}

fn told(desk: &Desk) -> impl Iterator<Item = (&(renkei_attendance::codes::Code, Date), &Day)> {
    desk.book.iter().filter_map(|(key, entry)| match &entry.reading {
        Reading::Day(day) => Some((key, day)),
        _ => None,
    })
}

#[test]
fn where_times_past_midnight_are_taken_every_row_arrives() {
    let mut desk = week(theirs::PastMidnight::Accept);
    let files = desk.files();
    let [file] = files.files.as_slice() else { panic!("{files:?}") };
    let result = desk.import(file);
    assert!(result.is_clean() && result.accepted() == 150, "{result:?}");
    for ((code, day), told) in told(&desk) {
        assert_eq!(desk.stored(code, *day), Some(as_stored(told)), "{code} {day}");
    }
    assert_eq!(desk.crowdlog.timesheets().len(), 150);
    desk.mark(Standing::Open, file, &all_but(&result)).unwrap();
    assert!(desk.files().files.is_empty(), "nothing is left");
}

#[test]
fn where_they_are_refused_exactly_those_rows_come_back_and_go_to_a_person_once_that_is_set() {
    let mut desk = week(theirs::PastMidnight::Refuse);
    let late: BTreeSet<_> = told(&desk).filter(|(_, day)| day.past_midnight()).map(|(key, _)| key.clone()).collect();
    assert_eq!(late.len(), 21);
    let rows = |files: &desk::Files| -> BTreeSet<_> {
        files.files.iter().flat_map(|file| &file.rows).map(|row| (row.code.clone(), row.day)).collect()
    };
    assert_eq!(rows(&desk.morning()).len(), 150);
    for ((code, day), told) in told(&desk) {
        let expected = (!told.past_midnight()).then(|| as_stored(told));
        assert_eq!(desk.stored(code, *day), expected, "{code} {day}");
    }
    assert_eq!(rows(&desk.morning()), late, "the same rows, as long as nobody changes anything");
    desk.past_midnight = PastMidnight::Skip;
    assert!(desk.files().files.is_empty());
    let by_hand: BTreeSet<_> = desk
        .decisions()
        .into_iter()
        .filter(|(_, one)| matches!(one, Decision::Handwork(_)))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(by_hand, late);
    desk.past_midnight = PastMidnight::Extended;
    assert_eq!(rows(&desk.files()), late, "and back");
}

#[test]
fn a_file_counts_once_it_is_marked_and_only_with_the_rows_that_were_taken() {
    // Marked, and nothing changed: there is no second file.
    let mut desk = week(theirs::PastMidnight::Accept);
    let first = desk.files();
    desk.mark(Standing::Open, &first.files[0], &Marking::All).unwrap();
    assert!(desk.files().files.is_empty());
    // Thrown away: the second file holds the same.
    let mut desk = week(theirs::PastMidnight::Accept);
    let first = desk.files();
    assert_eq!(desk.files(), first);
    // Marked but for one row: the second file holds exactly that one.
    let file = &first.files[0];
    let marking = Marking::AllBut(BTreeSet::from([17]));
    let imported = desk.mark(Standing::Open, file, &marking).unwrap();
    let row = &file.rows[15];
    assert_eq!((row.number, imported.held.len()), (17, 149));
    assert_eq!(imported.refused, [(row.code.clone(), row.day)]);
    let second = desk.files();
    let [only] = second.files[0].rows.as_slice() else { panic!("{second:?}") };
    assert_eq!((only.number, &only.code, only.day, &only.content), (2, &row.code, row.day, &row.content));
    // Changed at the source after the file was made: marking it says what クラウドログ holds, not that the day is done.
    let mut desk = week(theirs::PastMidnight::Accept);
    let first = desk.files();
    desk.tell("00003", DAY, Reading::Day(work(600, 1_200, &[])));
    desk.mark(Standing::Open, &first.files[0], &Marking::All).unwrap();
    let second = desk.files();
    assert_eq!(second.files[0].rows.len(), 1);
    assert_eq!(second.files[0].rows[0].code, code("00003"));
}

#[test]
fn files_are_marked_once_and_while_no_newer_one_holds_their_rows() {
    let file = week(theirs::PastMidnight::Accept).files().files.remove(0);
    let numbers = |numbers: &[u32]| Marking::AllBut(numbers.iter().copied().collect());
    let rows = [
        (Standing::Open, Marking::All, Ok((150, 0))),
        (Standing::Open, numbers(&[]), Ok((150, 0))),
        (Standing::Open, numbers(&[2, 151]), Ok((148, 2))),
        (Standing::Open, numbers(&[0, 1, 2, 152]), Err(MarkFault::NoSuchRows(vec![0, 1, 152]))),
        (Standing::Superseded, Marking::All, Err(MarkFault::Superseded)),
        (Standing::Imported, Marking::All, Err(MarkFault::AlreadyMarked)),
    ];
    for (standing, marking, expected) in rows {
        let found = mark(standing, &file.rows, &marking);
        let counts = found.map(|Imported { held, refused }| (held.len(), refused.len()));
        assert_eq!(counts, expected, "{standing:?} {marking:?}");
    }
}

#[test]
fn what_a_person_was_asked_to_type_is_imported_again_when_the_source_goes_back() {
    let (ordinary, off) = (work(540, 1_080, &[]), Day::off(Leave::FullDay));
    for between in [Reading::Day(off), Reading::Empty, Reading::Skipped(Reason::HalfEntered)] {
        let mut desk = Desk::open(["P1".to_owned()], theirs::PastMidnight::Refuse);
        desk.tell("P1", DAY, Reading::Day(ordinary.clone()));
        assert_eq!(desk.morning().files.len(), 1);
        desk.tell("P1", DAY, between.clone());
        assert!(desk.files().files.is_empty());
        desk.crowdlog.enter("P1", DAY, None).unwrap();
        desk.tell("P1", DAY, Reading::Day(ordinary.clone()));
        assert_eq!(desk.morning().files.len(), 1, "{between:?}");
        assert_eq!(desk.stored(&code("P1"), DAY), Some(as_stored(&ordinary)));
        assert!(desk.files().files.is_empty());
    }
}

#[test]
fn a_file_that_was_imported_and_not_marked_is_made_good() {
    let (ordinary, other) = (work(540, 1_080, &[]), work(540, 1_200, &[]));
    let mut desk = Desk::open(["P1".to_owned()], theirs::PastMidnight::Refuse);
    desk.tell("P1", DAY, Reading::Day(ordinary.clone()));
    desk.morning();
    desk.tell("P1", DAY, Reading::Day(other));
    let forgotten = desk.files();
    desk.import(&forgotten.files[0]);
    desk.tell("P1", DAY, Reading::Day(ordinary.clone()));
    assert_eq!(desk.morning().files.len(), 1);
    assert_eq!(desk.stored(&code("P1"), DAY), Some(as_stored(&ordinary)));
}

#[test]
fn leave_that_goes_takes_with_it_what_somebody_typed() {
    let mut desk = Desk::open(["P1".to_owned()], theirs::PastMidnight::Refuse);
    desk.tell("P1", DAY, Reading::Day(with_leave(780, 1_080, &[], Leave::Morning)));
    desk.morning();
    let mut stored = desk.crowdlog.stored("P1", DAY).unwrap().clone();
    stored.leave.insert(theirs::Leave::Morning);
    desk.crowdlog.enter("P1", DAY, Some(stored)).unwrap();
    desk.tell("P1", DAY, Reading::Day(work(780, 1_080, &[])));
    assert_eq!(desk.morning().files.len(), 1, "the times are the same, the leave is not");
    assert_eq!(desk.crowdlog.stored("P1", DAY).map(|stored| stored.leave.len()), Some(0));
}

#[test]
fn no_file_is_made_before_somebody_says_what_is_closed() {
    let mut desk = week(theirs::PastMidnight::Accept);
    desk.protection.closing = Closing::NotStated;
    assert_eq!(desk.protection.stated(TODAY), Err(NotStated));
    let pending = desk.decide().values().filter(|decision| decision.row().is_some()).count();
    assert_eq!(pending, 150, "but what would be in it is known");
}

fn any_reading() -> impl Strategy<Value = Reading> {
    prop_oneof![
        6 => any_work().prop_map(Reading::Day),
        1 => prop::sample::select(&Leave::ALL[..]).prop_map(|leave| Reading::Day(Day::off(leave))),
        1 => Just(Reading::Empty),
        1 => Just(Reading::Open),
        1 => Just(Reading::Skipped(Reason::HalfEntered)),
    ]
}

fn few_readings() -> impl Strategy<Value = Reading> {
    let days = [work(540, 1_080, &[(720, 780)]), work(1_320, 1_530, &[]), with_leave(780, 1_080, &[], Leave::Morning)];
    prop_oneof![
        3 => prop::sample::select(days.map(Reading::Day).to_vec()),
        1 => Just(Reading::Empty),
    ]
}

const CODES: [&str; 3] = ["P1", "00123", "社員 7"];

/// What happens on a few days.
#[derive(Debug, Clone)]
enum Event {
    /// The source tells a day.
    Told(usize, i32, Reading),
    /// A person imports what waits and marks it.
    Morning,
    /// A person imports what waits and forgets to mark it.
    Forgotten,
    /// A person throws the files away.
    ThrownAway,
    /// A person types what they are asked to, and with it something else.
    Typed,
    /// The link's setting is changed.
    PastMidnight(PastMidnight),
    /// Days are closed, or opened again.
    Closed(Option<i32>),
    /// A run is started by hand.
    Forced,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..CODES.len(), 0_i32..4, any_reading()).prop_map(|(who, day, reading)| Event::Told(who, day, reading)),
        // A source that goes back to what it said before.
        8 => (0..CODES.len(), 0_i32..2, few_readings()).prop_map(|(who, day, reading)| Event::Told(who, day, reading)),
        4 => Just(Event::Morning),
        1 => Just(Event::Forgotten),
        1 => Just(Event::ThrownAway),
        2 => Just(Event::Typed),
        1 => prop::sample::select(vec![PastMidnight::Extended, PastMidnight::Skip]).prop_map(Event::PastMidnight),
        1 => prop::option::of(0_i32..4).prop_map(Event::Closed),
        1 => Just(Event::Forced),
    ]
}

fn day(day: i32) -> Date {
    DAY.saturating_add(day.days())
}

fn happen(desk: &mut Desk, event: Event) {
    match event {
        Event::Told(who, on, reading) => desk.tell(CODES[who], day(on), reading),
        Event::Morning => {
            desk.morning();
        }
        Event::Forgotten => {
            for file in desk.files().files {
                desk.import(&file);
            }
        }
        Event::ThrownAway => {
            desk.files();
        }
        Event::Typed => {
            for ((code, day), decision) in desk.decide() {
                if decision.forces_the_next_row() {
                    desk.crowdlog.enter(code.as_str(), day, Some(Attendance::initial())).unwrap();
                } else if matches!(decision, Decision::Done { leave: Some(_) }) {
                    let mut stored = desk.crowdlog.stored(code.as_str(), day).unwrap().clone();
                    stored.leave.insert(theirs::Leave::Hours);
                    desk.crowdlog.enter(code.as_str(), day, Some(stored)).unwrap();
                }
            }
        }
        Event::PastMidnight(wanted) => desk.past_midnight = wanted,
        Event::Closed(on) => {
            desk.protection.closing = on.map_or(Closing::NotUsed, |on| Closing::On { date: day(on) });
            desk.crowdlog.settings_mut().closing_date = on.map(day);
        }
        Event::Forced => desk.book.values_mut().for_each(|entry| entry.forced = true),
    }
}

proptest! {
    #[test]
    fn whatever_happens_what_is_done_is_in_crowdlog_and_what_is_protected_stays(
        events in prop::collection::vec(any_event(), 1..30),
        theirs in prop::sample::select(vec![theirs::PastMidnight::Accept, theirs::PastMidnight::Refuse]),
    ) {
        let mut desk = Desk::open(CODES.map(str::to_owned), theirs);
        for event in events {
            let protected: Vec<_> = desk.decide().into_iter().filter(|(_, one)| *one == Decision::Protected).collect();
            let before: Vec<_> = protected.iter().map(|((code, day), _)| desk.stored(code, *day)).collect();
            let is_import = matches!(event, Event::Morning | Event::Forgotten);
            happen(&mut desk, event);
            if is_import {
                let after: Vec<_> = protected.iter().map(|((code, day), _)| desk.stored(code, *day)).collect();
                prop_assert_eq!(before, after);
                let refused = desk.crowdlog.imports().last().is_some_and(|import| {
                    import.result.rows.iter().any(|row| row.protected)
                });
                prop_assert!(!refused, "a protected day was in a file");
            }
            for ((code, day), decision) in desk.decide() {
                if let (Decision::Done { .. }, Reading::Day(told)) = (&decision, &desk.book[&(code.clone(), day)].reading) {
                    prop_assert_eq!(desk.stored(&code, day), Some(as_stored(told)), "{} {}", code, day);
                }
            }
        }
        // However it went, after one more morning all that the import takes is done.
        desk.morning();
        for (key, decision) in desk.decide() {
            let refused = theirs == theirs::PastMidnight::Refuse;
            let is_late = |row: &renkei_attendance::files::Row| refused && row.is_past_midnight();
            prop_assert!(decision.row().is_none_or(is_late), "{:?} {:?}", key, decision);
        }
    }

    #[test]
    fn a_day_decided_again_comes_to_the_same_and_is_done_once_its_row_is_imported(
        reading in any_reading(),
        forced in any::<bool>(),
        earlier in prop::option::of(any_work()),
        past_midnight in prop::sample::select(vec![PastMidnight::Extended, PastMidnight::Skip]),
        break_mode in prop::sample::select(vec![BreakMode::Each, BreakMode::Merged]),
        leave in prop::option::of((prop::sample::subsequence(&Leave::ALL[..], 1..=4), any::<bool>())),
    ) {
        let mut case = Case::of(reading);
        case.leave_columns = leave.map(|(kinds, without_times)| columns(&kinds, without_times));
        (case.forced, case.past_midnight, case.break_mode) = (forced, past_midnight, break_mode);
        let earlier = earlier.map(|day| Case::day(day).decide());
        case.held = earlier.as_ref().and_then(Decision::row).map(|row| row.content().clone());
        let decision = case.decide();
        prop_assert_eq!(&case.decide(), &decision);
        match &decision {
            Decision::Pending { row, leave } => {
                (case.held, case.forced) = (Some(row.content().clone()), false);
                prop_assert_eq!(case.decide(), Decision::Done { leave: leave.clone() });
            }
            Decision::Done { .. } => prop_assert!(!forced && case.held.is_some()),
            _ => {
                case.forced |= decision.forces_the_next_row();
                prop_assert_eq!(case.decide(), decision);
            }
        }
    }

    #[test]
    fn two_days_have_one_content_only_when_they_are_one_day(one in any_work(), other in any_work(), change in 0_usize..4) {
        let mut other = other;
        match change {
            0 => other = one.clone(),
            1 => (other.work, other.breaks) = (one.work, one.breaks.clone()),
            2 => (other.work, other.leave) = (one.work, one.leave),
            _ => {}
        }
        // Breaks of another day may reach out of work; the row has them clipped.
        if let Some(work) = other.work {
            other = Day::at_work(work, &other.breaks, other.leave);
        }
        let content = |day: &Day| Case::day(day.clone()).decide().row().map(|row| row.content().clone());
        prop_assert_eq!(content(&one) == content(&other), one == other);
    }
}

#[test]
fn breaks_of_a_row_lie_inside_whatever_the_book_says() {
    let minutes = |minutes| Minutes::new(minutes).unwrap();
    let span = |from, to| Span::new(minutes(from), minutes(to)).unwrap();
    let day = Day { work: Some(span(540, 1_080)), breaks: vec![span(1_000, 1_200), span(500, 600)], leave: None };
    assert_eq!(Case::day(day).outcome(), "pending 09:00 18:00 09:00-10:00/16:40-18:00 ");
}
