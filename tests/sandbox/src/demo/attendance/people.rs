//! The people of the sample company at HRMOS勤怠, and as members of クラウドログ.

use jiff::Span;
use jiff::civil::Date;
use rand::Rng as _;
use rand::rngs::StdRng;

use super::super::names;
use crate::crowdlog::Member;
use crate::hrmos::{ClosingDay, Dates, User};

/// What is particular about somebody. Each of these is the person with one index, but for nights.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// Nothing.
    Ordinary,
    /// Works by night.
    Night,
    /// Forgot to punch now and then.
    Forgetful,
    /// Has a day of more than 24 hours, one of exactly 24, and one that begins on the day before.
    Tireless,
    /// Has breaks that overlap, lie outside of work, or are many.
    Breaks,
    /// Applied for the timesheets of three days at クラウドログ.
    Applicant,
}

/// Who somebody is to クラウドログ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// A member.
    Member,
    /// A member from a day on.
    From(Date),
    /// A member who is 無効.
    Inactive,
    /// Not to be matched, and why.
    Unmatched(&'static str),
    /// Of no use before any matching, and why.
    Nobody(&'static str),
}

/// Somebody.
#[derive(Debug, Clone)]
pub(super) struct Person {
    pub(super) role: Role,
    pub(super) standing: Standing,
    /// 社員コード as HRMOS勤怠 has it; empty if there is none.
    pub(super) code: String,
    pub(super) user: User,
    /// What クラウドログ's list has of the person.
    pub(super) members: Vec<Member>,
}

impl Person {
    /// How a run names somebody whom it can not bring.
    pub(super) fn note(&self) -> String {
        if self.code.is_empty() { self.user.id.to_string() } else { self.code.clone() }
    }
}

/// Some begin with zeros, which must not get lost.
fn code(index: usize) -> String {
    if index % 17 == 5 { format!("00{index:04}") } else { format!("K{:04}", 1_000 + index) }
}

fn role(index: usize) -> Role {
    match index {
        3 => Role::Forgetful,
        4 => Role::Tireless,
        5 => Role::Breaks,
        16 => Role::Applicant,
        other if other % 12 == 2 => Role::Night,
        _ => Role::Ordinary,
    }
}

/// The person with this index among so many.
pub(super) fn person(index: usize, people: usize, dates: Dates, random: &mut StdRng) -> Person {
    let gender = if random.random_bool(0.5) { "女性" } else { "男性" };
    let (last, first) = (names::last(random), names::first(random, gender));
    let name = format!("{} {}", last.0, first.0);
    let id = 101 + i64::try_from(index).unwrap_or(0);
    let later = |days: i64| dates.first.checked_add(Span::new().days(days)).unwrap_or(dates.last);
    let own = code(index);
    // Two people share the number of the first of them, one has none, one an empty text.
    let number = match index {
        6 => None,
        7 => Some(String::new()),
        9 => Some(code(8)),
        11 => Some(own.to_lowercase()),
        _ => Some(own.clone()),
    };
    let mut user = User::new(id, number.as_deref(), last.0, first.0).read(last.1, first.1);
    user = user.mail(&format!("u{id}@example.jp"));
    user.default_segment = if role(index) == Role::Night { 2 } else { 1 };
    if index % 25 == 3 {
        user.closing = ClosingDay::on(20);
    }
    let mut member = Member::new(&own, &name);
    let mut standing = Standing::Member;
    match index {
        6 | 7 => standing = Standing::Nobody("attendance.no_number"),
        8 | 9 if people > 9 => standing = Standing::Nobody("attendance.double_number"),
        10 => standing = Standing::Unmatched("attendance.not_a_member"),
        11 => standing = Standing::Unmatched("attendance.near_miss"),
        12 => (standing, member.active) = (Standing::Inactive, false),
        13 => (standing, member.from) = (Standing::From(later(10)), Some(later(10))),
        14 => (user, member.from) = (user.joined(later(12)), Some(later(12))),
        15 => (user, member.to) = (user.left(later(30)), Some(later(30))),
        17 => standing = Standing::Unmatched("attendance.double_number"),
        _ => {}
    }
    let members = match index {
        9 | 10 => Vec::new(),
        17 => vec![member.clone(), member],
        _ => vec![member],
    };
    Person { role: role(index), standing, code: number.unwrap_or_default(), user, members }
}

/// A member whom HRMOS勤怠 does not have.
pub(super) fn only_at_crowdlog() -> Member {
    Member::new("EXT-01", "外部 委託")
}
