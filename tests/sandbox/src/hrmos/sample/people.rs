//! The people of a sample.

use jiff::Span;

use super::super::auth::mixed;
use super::super::dates::Dates;
use super::super::user::User;

const LAST: [(&str, &str); 12] = [
    ("髙橋", "タカハシ"),
    ("𠮷田", "ヨシダ"),
    ("佐藤", "サトウ"),
    ("鈴木", "スズキ"),
    ("田中", "タナカ"),
    ("渡邊", "ワタナベ"),
    ("山﨑", "ヤマザキ"),
    ("勅使河原", "テシガワラ"),
    ("長谷部", "ハセベ"),
    ("服部", "ハットリ"),
    ("神宮寺", "ジングウジ"),
    ("林", "ハヤシ"),
];
const FIRST: [(&str, &str); 10] = [
    ("花子", "ハナコ"),
    ("美咲", "ミサキ"),
    ("由紀子", "ユキコ"),
    ("凛", "リン"),
    ("千鶴", "チヅル"),
    ("太郎", "タロウ"),
    ("健一", "ケンイチ"),
    ("翔", "ショウ"),
    ("大輔", "ダイスケ"),
    ("𠮷次郎", "キチジロウ"),
];

/// How many days after the first one somebody joins, and before the last one somebody leaves.
const ON_THE_WAY: i64 = 5;

/// The id of the person with this index.
pub(super) fn id(index: usize) -> i64 {
    101 + i64::try_from(index).unwrap_or(0)
}

/// Whether somebody works by night.
pub(super) fn works_at_night(id: i64) -> bool {
    (id - 101).rem_euclid(20) == 7
}

/// 社員番号. Some begin with zeros; two people share one, one has none, one has an empty text.
fn number(index: usize) -> Option<String> {
    match index {
        11 => Some(format!("P{:04}", 1_010)),
        12 => None,
        13 => Some(String::new()),
        other if other % 17 == 5 => Some(format!("00{other:05}")),
        other => Some(format!("P{:04}", 1_000 + other)),
    }
}

/// The person with this index.
pub(super) fn user(index: usize, dates: Dates, seed: u64) -> User {
    let id = id(index);
    let roll = mixed(seed ^ mixed(id.unsigned_abs()));
    let pick = |shift: u32, length: usize| usize::try_from((roll >> shift) & 0xffff).unwrap_or(0) % length;
    let (last, first) = (LAST[pick(0, LAST.len())], FIRST[pick(16, FIRST.len())]);
    let mut user = User::new(id, number(index).as_deref(), last.0, first.0).read(last.1, first.1);
    user = user.mail(&format!("u{id}@example.jp"));
    user.default_segment = if works_at_night(id) { 2 } else { 1 };
    match index % 25 {
        3 => user = user.closing(20),
        4 => user = user.closing(15),
        _ => {}
    }
    let step = Span::new().days(ON_THE_WAY);
    match index {
        14 => user.joined(dates.first.checked_add(step).unwrap_or(dates.last)),
        15 => user.left(dates.last.checked_sub(step).unwrap_or(dates.first)),
        _ => user,
    }
}
