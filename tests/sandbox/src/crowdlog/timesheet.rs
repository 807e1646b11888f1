//! What a member did on a day.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Minutes after the day's 00:00; 1,440 is the next midnight.
pub type Minutes = u16;

/// Minutes of a day.
pub(super) const DAY: Minutes = 1_440;

/// ステータス.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// 0: saved.
    Saved,
    /// 1: completed.
    Completed,
}

/// A kind of leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// 全休.
    FullDay,
    /// 午前休.
    Morning,
    /// 午後休.
    Afternoon,
    /// 時間休.
    Hours,
}

/// From 出社 to 退社.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// 出社.
    pub start: Minutes,
    /// 退社, not before 出社.
    pub end: Minutes,
}

/// The attendance of a day.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attendance {
    /// 出社 and 退社; none on a full day's leave.
    pub hours: Option<Hours>,
    /// 休憩詳細: from and to, in the order of the file.
    pub breaks: Vec<Hours>,
    /// 日報.
    pub report: String,
    /// ステータス.
    pub status: Status,
    /// Leave.
    pub leave: BTreeSet<Leave>,
}

impl std::fmt::Debug for Attendance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attendance")
            .field("hours", &self.hours)
            .field("breaks", &self.breaks)
            .field("status", &self.status)
            .field("leave", &self.leave)
            .finish_non_exhaustive()
    }
}

impl Attendance {
    /// What a day shows before anything is stored: 09:00 to 18:00 with a break from 12:00 to 13:00.
    #[must_use]
    pub fn initial() -> Self {
        Self {
            hours: Some(Hours { start: 9 * 60, end: 18 * 60 }),
            breaks: vec![Hours { start: 12 * 60, end: 13 * 60 }],
            report: String::new(),
            status: Status::Saved,
            leave: BTreeSet::new(),
        }
    }

    /// Minutes from 出社 to 退社 without the breaks. Breaks that lie over each other count once.
    #[must_use]
    pub fn worked(&self) -> u32 {
        let Some(hours) = self.hours else { return 0 };
        let mut breaks = self.breaks.clone();
        breaks.sort_by_key(|one| one.start);
        let (mut worked, mut at) = (u32::from(hours.end - hours.start), hours.start);
        for one in breaks {
            let (from, to) = (one.start.clamp(at, hours.end.max(at)), one.end.clamp(at, hours.end.max(at)));
            worked -= u32::from(to - from);
            at = to;
        }
        worked
    }
}

/// A day of a member.
#[derive(Debug, Clone, Default)]
pub(super) struct Day {
    pub(super) attendance: Option<Attendance>,
    /// 工数, which no import touches.
    pub(super) work_minutes: u32,
    /// Whether a timesheet application exists.
    pub(super) applied: bool,
    /// How many imported rows were stored here.
    pub(super) imports: u32,
}

/// What a screen shows of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Nothing is stored, so the initial values are shown.
    Initial(Attendance),
    /// What is stored.
    Stored(Attendance),
}

impl Seen {
    /// What is shown, stored or not.
    #[must_use]
    pub fn attendance(&self) -> &Attendance {
        match self {
            Self::Initial(shown) | Self::Stored(shown) => shown,
        }
    }
}

/// The face on the report screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Face {
    /// Attendance and work hours are equal.
    Smile,
    /// They differ.
    Triangle,
    /// A full day's leave.
    CoffeeCup,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn breaks_count_once_and_only_inside_the_working_time() {
        let mut day = Attendance::initial();
        for (breaks, worked) in [
            (vec![], 540),
            (vec![(720, 780)], 480),
            (vec![(720, 780), (750, 800)], 460),
            (vec![(750, 800), (720, 780), (720, 780)], 460),
            (vec![(0, 600), (1_070, 1_200)], 470),
            (vec![(0, 2_000)], 0),
        ] {
            day.breaks = breaks.iter().map(|(start, end)| Hours { start: *start, end: *end }).collect();
            assert_eq!(day.worked(), worked, "{breaks:?}");
        }
    }
}
