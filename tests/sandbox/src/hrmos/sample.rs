//! Companies that are ready to use.

mod people;
mod roster;

use base64::Engine as _;
use jiff::Span;
use jiff::civil::Date;

pub use roster::{Odd, Oddity, oddities};

use super::company::{ApiKey, CompanySpec};
use super::dates::{Dates, instant};
use super::segment::{Segment, SegmentKind};
use super::times::at;
use roster::SampleRoster;

/// How long before the last date the key of a sample was issued: most of its life is still to come.
const KEY_AGE_DAYS: i64 = 14;

/// The first API KEY of a company made here: Base64 text, as the screen shows it.
#[must_use]
pub fn key(company: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{company}:first-simulated-key"))
}

/// The usual segments, with titles as companies write them.
#[must_use]
pub fn segments() -> Vec<Segment> {
    use SegmentKind::{Off, Other, Work};
    let noon = |segment: Segment| segment.pause(at(12, 0), at(13, 0));
    vec![
        noon(Segment::new(1, "出勤", Work)).hours(at(9, 0), at(18, 0)),
        Segment::new(2, "夜勤", Work).hours(at(20, 0), at(29, 30)).pause(at(24, 0), at(25, 0)),
        noon(Segment::new(3, "出勤（休出）", Other)),
        Segment::new(4, "出勤（午前休）", Work).displayed("午前休").hours(at(13, 0), at(18, 0)),
        Segment::new(5, "出勤（午後休）", Work).displayed("午後休").hours(at(9, 0), at(12, 0)),
        Segment::new(6, "公休", Off),
        Segment::new(7, "有休", Off).displayed("有給休暇"),
        Segment::new(8, "欠勤", Other),
    ]
}

/// A company whose `people` work by day and by night from `first` to `last`, the same for the same `seed`. Their days
/// are live: a time shows half an hour after it has come. Leave of every kind is among them, and the [`oddities`]; from
/// 21 people on a shared number, a missing one and an empty one, somebody who joins and somebody who leaves on the way.
/// The rows are computed when they are asked for, so 5,000 people need no more room than their names.
#[must_use]
pub fn company(id: &str, people: usize, first: Date, last: Date, seed: u64) -> CompanySpec {
    let dates = Dates { first, last };
    let issued = last.checked_sub(Span::new().days(KEY_AGE_DAYS)).unwrap_or(last);
    let mut spec = CompanySpec::new(id, instant(issued, 9 * 60));
    spec.key = ApiKey(key(id));
    spec.users = (0..people).map(|index| people::user(index, dates, seed)).collect();
    spec.roster = Some(Box::new(SampleRoster::new(people, dates, seed)));
    spec
}
