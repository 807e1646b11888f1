//! Compares クラウドログ, the book, the list of handwork and a run's notes with what they should be. Differences are told by
//! 社員コード and date; times are not repeated.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use renkei_runtime::clock::Millis;
use serde_json::Value;

use super::{Expected, Fate, Place, Sheet};
use crate::crowdlog::CrowdLog;
use crate::hrmos::dates::today;

/// What the REST API says in the end.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// The link's days.
    pub days: Vec<Value>,
    /// 手入力が必要な日.
    pub handwork: Vec<Value>,
    /// What the run could not bring.
    pub notes: Vec<Value>,
}

impl Expected {
    /// Every difference between クラウドログ's timesheets and those that must be there.
    #[must_use]
    pub fn wrong_timesheets(&self, crowdlog: &CrowdLog) -> Vec<String> {
        let held = crowdlog.timesheets().into_iter().map(|((code, date), stored)| {
            let sheet =
                stored.hours.filter(|_| stored.leave.is_empty() && stored.report.is_empty()).map(|hours| Sheet {
                    start: hours.start,
                    end: hours.end,
                    breaks: stored.breaks.iter().map(|pause| (pause.start, pause.end)).collect(),
                });
            ((code.to_owned(), date), sheet)
        });
        let wanted = self.sheets.iter().map(|(place, sheet)| (place.clone(), Some(sheet.clone())));
        differences("クラウドログ", wanted.collect(), held.collect())
    }

    /// Every difference between what the API tells at `now` and what it must tell.
    #[must_use]
    pub fn wrong_words(&self, told: &Told, now: Millis) -> Vec<String> {
        let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
        let place = |value: &Value| Some((text(value, "code"), text(value, "day").parse::<Date>().ok()?));
        let fates = self.fates.iter().map(|(place, fate)| (place.clone(), settled(*fate, place.1, now)));
        let fates: BTreeMap<Place, Fate> = fates.collect();
        let typed = fates.iter().filter(|(_, fate)| fate.is_typed());
        let typed = typed.map(|(place, fate)| (place.clone(), fate.why.unwrap_or_default().to_owned())).collect();
        let states = fates.iter().map(|(place, Fate { state, why })| {
            (place.clone(), ((*state).to_owned(), why.unwrap_or_default().to_owned()))
        });
        let days = told.days.iter().filter_map(|day| Some((place(day)?, (text(day, "state"), text(day, "why")))));
        let mut wrong = differences("the book", states.collect(), days.collect());
        let listed = told.handwork.iter().filter_map(|item| Some((place(item)?, text(item, "reason"))));
        wrong.extend(differences("手入力が必要な日", typed, listed.collect()));
        let notes: BTreeSet<(String, String)> =
            told.notes.iter().map(|note| (text(note, "reason"), text(note, "code"))).collect();
        let wanted: BTreeSet<(String, String)> =
            self.notes.iter().map(|(reason, code)| ((*reason).to_owned(), code.clone())).collect();
        let off = wanted.symmetric_difference(&notes);
        wrong.extend(off.map(|(reason, code)| format!("the run's notes: {reason} of {code}")));
        wrong
    }
}

/// What may still come of yesterday does not come any more when it is the day before yesterday.
fn settled(fate: Fate, date: Date, now: Millis) -> Fate {
    let yesterday = today(now).yesterday().unwrap_or(date);
    if fate.state == "new" && date < yesterday { Fate::new("skipped", "attendance.half_entered") } else { fate }
}

fn differences<T: PartialEq>(holder: &str, wanted: BTreeMap<Place, T>, mut found: BTreeMap<Place, T>) -> Vec<String> {
    let mut wrong = Vec::new();
    for ((code, date), value) in wanted {
        match found.remove(&(code.clone(), date)) {
            Some(there) if there == value => {}
            Some(_) => wrong.push(format!("{holder}: {code} {date} differs")),
            None => wrong.push(format!("{holder}: {code} {date} is missing")),
        }
    }
    wrong.extend(found.keys().map(|(code, date)| format!("{holder}: {code} {date} should not be there")));
    wrong
}
