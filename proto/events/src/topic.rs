//! Topic names and record keys.

use crate::ids::{ConnectionId, EmployeeId};

/// The topics that Renkei owns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// Employee events, one state of one person each. Kept 7 days.
    Employee,
    /// Attendance days. Kept 7 days.
    Attendance,
    /// Records that could not be decoded, with where they stood. Kept 30 days.
    DeadLetter,
}

impl Topic {
    /// All topics, as they are created or checked at start.
    pub const ALL: [Topic; 3] = [Topic::Employee, Topic::Attendance, Topic::DeadLetter];

    /// The name on the broker.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Topic::Employee => "renkei.employee.v1",
            Topic::Attendance => "renkei.attendance.v1",
            Topic::DeadLetter => "renkei.deadletter.v1",
        }
    }

    /// The topic with this name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// How long records are kept, in days.
    #[must_use]
    pub fn retention_days(self) -> u32 {
        match self {
            Topic::Employee | Topic::Attendance => 7,
            Topic::DeadLetter => 30,
        }
    }
}

/// `{connection}/{employee_id}`: one person's events stay in one partition and in order.
#[must_use]
pub fn employee_key(connection: &ConnectionId, employee: &EmployeeId) -> String {
    format!("{connection}/{employee}")
}
