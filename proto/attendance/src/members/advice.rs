//! When a new list is needed, and what Excel does to one.

use jiff::civil::Date;
use serde::Serialize;

use super::List;
use crate::codes::{Code, folded};
use crate::matching::Matching;

/// A list that is older than so many days is asked for anew.
const OLD_AFTER_DAYS: i32 = 30;

/// What is to be said of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Advice {
    /// It is old: a new one, please.
    Old {
        /// Its age in days.
        days: i32,
    },
    /// The source has codes that are not in it: a new one, please, with inactive members.
    CodesMissing {
        /// The codes, in order.
        codes: Vec<Code>,
    },
    /// It was most likely saved in Excel: the export as it came, please.
    SavedInExcel {
        /// What shows it.
        sign: ExcelSign,
    },
}

/// What shows that a list was saved in Excel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ExcelSign {
    /// The source has codes with zeros in front, and the list has the same numbers without.
    ZerosGone {
        /// The codes as the source has them.
        codes: Vec<Code>,
    },
    /// Codes became powers of ten, such as 1.23457E+11.
    PowersOfTen {
        /// The codes as the list has them.
        codes: Vec<Code>,
    },
}

/// What is to be said of a list on a day, with what came of matching it.
#[must_use]
pub fn advice(list: &List, today: Date, matching: &Matching<'_>) -> Vec<Advice> {
    let mut advice = Vec::new();
    if is_old(list.made, today) {
        advice.push(Advice::Old { days: days_old(list.made, today) });
    }
    let near = matching.near.iter().flat_map(|miss| miss.source.iter());
    let mut codes: Vec<Code> = matching.only_source.iter().chain(near).cloned().collect();
    codes.sort_unstable();
    if !codes.is_empty() {
        advice.push(Advice::CodesMissing { codes });
    }
    advice.extend(signs(list, matching).into_iter().map(|sign| Advice::SavedInExcel { sign }));
    advice
}

/// How many days ago a list was made.
#[must_use]
pub fn days_old(made: Date, today: Date) -> i32 {
    made.until(today).map_or(0, |age| age.get_days())
}

/// Whether a list is so old that a new one is asked for.
#[must_use]
pub fn is_old(made: Date, today: Date) -> bool {
    days_old(made, today) > OLD_AFTER_DAYS
}

fn signs(list: &List, matching: &Matching<'_>) -> Vec<ExcelSign> {
    let mut signs = Vec::new();
    // Excel leaves no number with a zero in front, so one that is there says that it was not at work.
    let has_zeros = list.members.iter().any(|member| member.code.is_number() && member.code.as_str().starts_with('0'));
    if !has_zeros {
        let without = |miss: &crate::matching::NearMiss, code: &Code| {
            code.is_number() && miss.destination.iter().any(|other| other.is_number() && shorter(other, code))
        };
        let gone = matching.near.iter().flat_map(|miss| miss.source.iter().filter(move |code| without(miss, code)));
        let codes: Vec<Code> = gone.cloned().collect();
        if !codes.is_empty() {
            signs.push(ExcelSign::ZerosGone { codes });
        }
    }
    let powers = list.members.iter().map(|member| &member.code).filter(|code| is_power_of_ten(code));
    let codes: Vec<Code> = powers.cloned().collect();
    if !codes.is_empty() {
        signs.push(ExcelSign::PowersOfTen { codes });
    }
    signs
}

fn shorter(one: &Code, other: &Code) -> bool {
    one.as_str().len() < other.as_str().len()
}

/// `1.23457E+11`, `1E+12`.
fn is_power_of_ten(code: &Code) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let text = folded(code.as_str());
    let Some((base, power)) = text.split_once("e+") else { return false };
    let (whole, fraction) = base.split_once('.').unwrap_or((base, "0"));
    whole.len() == 1 && digits(whole) && digits(fraction) && power.len() >= 2 && digits(power)
}
