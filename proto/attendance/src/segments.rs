//! 勤務区分: what a source's work types mean. Their names are each company's own, so a table says what they are; where it says
//! nothing, the usual words are looked for.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// What a work type is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Segment {
    /// 出勤 and the like.
    Work,
    /// 全休.
    FullDay,
    /// 午前休.
    Morning,
    /// 午後休.
    Afternoon,
    /// 時間休.
    Hourly,
    /// 公休, 休日.
    DayOff,
    /// 欠勤.
    Absence,
}

/// The source's own status of a work type that is a day off or leave.
const OFF: i64 = 2;

/// The table of one link, over the source's own list.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SegmentTable {
    /// Title → what an administrator says it is.
    pub titles: BTreeMap<String, Segment>,
    /// Title → the source's own status: 1 work, 2 day off or leave, 3 other.
    pub statuses: BTreeMap<String, i64>,
}

impl SegmentTable {
    /// What the work type with this title, or failing that this display title, is. `leave_days`: how much of the day is paid
    /// leave, as the source counts it; with 公休 and 出勤 alike it may be more than 0, so it decides nothing by itself.
    ///
    /// `None`: the source has it as a day off or as leave, or its name says half a day, and nothing says which kind or half.
    #[must_use]
    pub fn of(&self, title: Option<&str>, display_title: Option<&str>, leave_days: f64) -> Option<Segment> {
        let names = [title, display_title];
        let names = || names.into_iter().flatten().map(str::trim).filter(|name| !name.is_empty());
        if let Some(said) = names().find_map(|name| self.titles.get(name)) {
            return Some(*said);
        }
        let off = names().find_map(|name| self.statuses.get(name)) == Some(&OFF);
        match names().map(usual).find(|usual| *usual != Usual::Nothing) {
            Some(Usual::Means(segment)) => Some(segment),
            Some(Usual::HalfDay) => None,
            _ if off && leave_days >= 1.0 => Some(Segment::FullDay),
            _ if off => None,
            _ => Some(Segment::Work),
        }
    }
}

/// What a name says by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Usual {
    Means(Segment),
    /// Half a day of leave, and not which half.
    HalfDay,
    Nothing,
}

const MORNING: &[&str] = &["午前休", "午前半休", "午前有休", "午前有給", "AM休", "AM半休", "AM有休", "AM有給"];
const AFTERNOON: &[&str] = &["午後休", "午後半休", "午後有休", "午後有給", "PM休", "PM半休", "PM有休", "PM有給"];
const HALF_DAY: &[&str] = &["半休", "半日休", "半日有休", "半日有給"];
const FULL_DAY: &[&str] = &["有休", "有給休暇"];
const DAY_OFF: &[&str] = &["公休", "休日"];
const WORK_ON_A_DAY_OFF: &[&str] = &["休出", "出勤", "勤務", "労働"];

fn usual(name: &str) -> Usual {
    // ＡＭ休 and （午前休） are written in full width as well.
    let name: String = name.nfkc().filter(|sign| !sign.is_whitespace()).collect::<String>().to_uppercase();
    let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
    match (has(MORNING), has(AFTERNOON)) {
        (true, true) => return Usual::Means(Segment::FullDay),
        (true, false) => return Usual::Means(Segment::Morning),
        (false, true) => return Usual::Means(Segment::Afternoon),
        (false, false) => {}
    }
    if has(HALF_DAY) {
        Usual::HalfDay
    } else if has(&["欠勤"]) {
        Usual::Means(Segment::Absence)
    } else if has(FULL_DAY) {
        Usual::Means(Segment::FullDay)
    } else if has(DAY_OFF) && !has(WORK_ON_A_DAY_OFF) {
        Usual::Means(Segment::DayOff)
    } else {
        Usual::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_words_are_known() {
        let rows = [
            ("出勤", 0.0, Some(Segment::Work)),
            ("出勤", 0.5, Some(Segment::Work)),
            ("出勤（休出）", 0.0, Some(Segment::Work)),
            ("休日出勤", 0.0, Some(Segment::Work)),
            ("法定休日労働", 0.0, Some(Segment::Work)),
            ("出勤（午前休）", 0.5, Some(Segment::Morning)),
            ("午前半休", 0.5, Some(Segment::Morning)),
            ("午前有休", 0.5, Some(Segment::Morning)),
            ("ＡＭ休", 0.5, Some(Segment::Morning)),
            ("am休", 0.0, Some(Segment::Morning)),
            ("出勤（午後休）", 0.5, Some(Segment::Afternoon)),
            ("午前出勤（午後半休）", 0.5, Some(Segment::Afternoon)),
            ("PM休", 0.5, Some(Segment::Afternoon)),
            ("午前休・午後休", 1.0, Some(Segment::FullDay)),
            ("公休", 0.0, Some(Segment::DayOff)),
            ("法定休日", 0.0, Some(Segment::DayOff)),
            ("有休", 1.0, Some(Segment::FullDay)),
            ("有給休暇", 1.0, Some(Segment::FullDay)),
            ("欠勤", 0.0, Some(Segment::Absence)),
            ("夜勤", 0.5, Some(Segment::Work)),
            ("半休", 0.5, None),
            ("半日有休", 0.5, None),
        ];
        for (title, leave, segment) in rows {
            assert_eq!(SegmentTable::default().of(Some(title), None, leave), segment, "{title} {leave}");
        }
    }

    #[test]
    fn the_sources_own_status_tells_leave_where_no_word_does() {
        let statuses = [("慶弔", 2), ("出向", 1), ("その他", 3), ("公休", 2), ("夜勤", 2)];
        let statuses = statuses.map(|(title, status)| (title.to_owned(), status)).into();
        let table = SegmentTable { statuses, ..SegmentTable::default() };
        let rows = [
            ("慶弔", 1.0, Some(Segment::FullDay)),
            ("慶弔", 0.5, None),
            ("慶弔", 0.0, None),
            ("出向", 1.0, Some(Segment::Work)),
            ("その他", 1.0, Some(Segment::Work)),
            ("公休", 1.0, Some(Segment::DayOff)),
            ("研修", 1.0, Some(Segment::Work)),
        ];
        for (title, leave, segment) in rows {
            assert_eq!(table.of(Some(title), None, leave), segment, "{title} {leave}");
        }
    }

    #[test]
    fn the_table_goes_before_words_and_status_and_the_title_before_the_display_title() {
        let titles = [
            ("有休", Segment::Work),
            ("特休", Segment::FullDay),
            ("時休", Segment::Hourly),
            ("半休", Segment::Morning),
        ];
        let titles = titles.map(|(title, segment)| (title.to_owned(), segment)).into();
        let table = SegmentTable { titles, statuses: BTreeMap::from([("A1".to_owned(), 2)]) };
        let rows = [
            (Some(" 有休 "), None, Some(Segment::Work)),
            (Some("半休"), None, Some(Segment::Morning)),
            (Some("時休"), Some("特休"), Some(Segment::Hourly)),
            (Some("A2"), Some("特休"), Some(Segment::FullDay)),
            (Some("午前休"), Some("特休"), Some(Segment::FullDay)),
            (Some("A2"), Some("午後休"), Some(Segment::Afternoon)),
            (Some("午前休"), Some("午後休"), Some(Segment::Morning)),
            (Some(""), Some("公休"), Some(Segment::DayOff)),
            (None, Some("公休"), Some(Segment::DayOff)),
            (Some("A1"), Some("慶弔"), Some(Segment::FullDay)),
            (None, None, Some(Segment::Work)),
            (Some("  "), Some(""), Some(Segment::Work)),
        ];
        for (title, display, segment) in rows {
            assert_eq!(table.of(title, display, 1.0), segment, "{title:?} {display:?}");
        }
    }
}
