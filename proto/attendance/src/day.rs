//! One person's day as it is kept in the book: minutes from the work date's 00:00, breaks, leave.

use serde::{Deserialize, Serialize};

/// Minutes from 00:00 of the work date: from −1440 (00:00 of the day before) to 2879 (23:59 of the day after).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Minutes(i32);

/// The number of minutes is outside of what a day can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("minutes are outside of the work date, the day before and the day after")]
pub struct OutOfDay;

impl Minutes {
    /// Checks the range.
    ///
    /// # Errors
    /// [`OutOfDay`] below −1440 and above 2879.
    pub fn new(minutes: i32) -> Result<Self, OutOfDay> {
        if (-1440..=2879).contains(&minutes) { Ok(Self(minutes)) } else { Err(OutOfDay) }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }
}

impl TryFrom<i32> for Minutes {
    type Error = OutOfDay;
    fn try_from(minutes: i32) -> Result<Self, OutOfDay> {
        Self::new(minutes)
    }
}

impl From<Minutes> for i32 {
    fn from(minutes: Minutes) -> i32 {
        minutes.0
    }
}

/// From one time to a later one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// First minute.
    pub from: Minutes,
    /// The minute behind the last.
    pub to: Minutes,
}

/// Leave as クラウドログ knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// 全休.
    FullDay,
    /// 午前休.
    Morning,
    /// 午後休.
    Afternoon,
    /// 時間休.
    Hourly,
}

/// A day that can be told to クラウドログ: work, leave, or both.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Day {
    /// From 出社 to 退社. `None`: leave alone.
    pub work: Option<Span>,
    /// Inside of work, in order, not touching each other.
    pub breaks: Vec<Span>,
    /// Leave, if any.
    pub leave: Option<Leave>,
}
