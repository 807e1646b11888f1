//! What becomes of a day of the book: into a file, onto a person's list, or nothing, and why.
//!
//! A day is pending from the moment it differs from what クラウドログ is known to hold, until somebody says that its row was
//! imported. Decided anew whenever the source, the list of members, a setting or the protected days change, it always comes to
//! the same.

mod why;

use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub use why::{Detail, Handwork, Why};

use crate::breaks::BreakMode;
use crate::codes::Code;
use crate::day::{Day, Leave};
use crate::files::{Content, Encoding, LeaveColumns, NoRow, Row};
use crate::matching::{Match, Nobody};
use crate::members::Member;
use crate::protection::InForce;
use crate::reading::{Reading, Reason};

/// The most minutes of work of a day, without breaks (rule 11 of the simulator).
const MOST_MINUTES: i32 = 24 * 60;

/// What becomes of times past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastMidnight {
    /// They are written on from 24:00: 25:30.
    #[default]
    Extended,
    /// The day is left to a person, because the import refuses it.
    Skip,
}

/// What a link's settings say of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Settings<'s> {
    /// Times past midnight.
    pub past_midnight: PastMidnight,
    /// How breaks are told.
    pub break_mode: BreakMode,
    /// The leave columns of the company's template.
    pub leave_columns: Option<&'s LeaveColumns>,
    /// The encoding of the files.
    pub encoding: Encoding,
}

impl Settings<'_> {
    fn can_tell(&self, leave: Leave) -> bool {
        self.leave_columns.is_some_and(|columns| columns.can_tell(leave))
    }
}

/// A day of the book.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// 社員コード, as the source has it.
    pub code: &'a Code,
    /// The work date.
    pub day: Date,
    /// What the source told.
    pub reading: &'a Reading,
    /// What クラウドログ is known to hold: the content of the row of this day that was imported last.
    pub held: Option<&'a Content>,
    /// Whether it has to be written again, whatever クラウドログ holds: a person wants it, or an earlier decision said so
    /// ([`Decision::forces_the_next_row`]). It ends when a row of the day is marked as imported.
    pub forced: bool,
    /// Whose it is.
    pub matched: Match<'a>,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Its row has to be imported.
    Pending {
        /// The row.
        row: Row,
        /// Leave that the row can not tell. The import takes away what was typed before, so it is to be typed after it, also
        /// when it was ticked off already.
        leave: Option<Handwork>,
    },
    /// クラウドログ is known to hold it.
    Done {
        /// Leave that the row could not tell.
        leave: Option<Handwork>,
    },
    /// A person has to type all of it.
    Handwork(Handwork),
    /// Nothing is written.
    Skipped(Why),
    /// 未確定: somebody may still be at work. Nothing is said of it yet.
    Open,
    /// It must not be written.
    Protected,
    /// Nobody at クラウドログ has its code.
    Unmatched(Nobody),
}

impl Decision {
    /// Why not all of the day is in クラウドログ or on its way there by file.
    #[must_use]
    pub fn why(&self) -> Option<Why> {
        match self {
            Self::Skipped(why) => Some(*why),
            Self::Protected => Some(Reason::Protected.into()),
            Self::Unmatched(nobody) => Some((*nobody).into()),
            Self::Pending { .. } | Self::Done { .. } | Self::Handwork(_) | Self::Open => {
                self.handwork().map(|work| work.why)
            }
        }
    }

    /// What a person has to type, if anything.
    #[must_use]
    pub fn handwork(&self) -> Option<&Handwork> {
        match self {
            Self::Pending { leave, .. } | Self::Done { leave } => leave.as_ref(),
            Self::Handwork(work) => Some(work),
            Self::Skipped(_) | Self::Open | Self::Protected | Self::Unmatched(_) => None,
        }
    }

    /// The row that has to be imported, if one has.
    #[must_use]
    pub fn row(&self) -> Option<&Row> {
        match self {
            Self::Pending { row, .. } => Some(row),
            _ => None,
        }
    }

    /// Whether a row of the day has to be imported from now on, even if the source goes back to what クラウドログ is known to hold:
    /// a file may be imported and not marked, and a person who was asked to put the day right may have typed it, so nobody
    /// knows any more what it holds. The day is forced until a row of it is marked.
    #[must_use]
    pub fn forces_the_next_row(&self) -> bool {
        match self {
            Self::Pending { .. } | Self::Handwork(_) => true,
            Self::Skipped(why) => {
                !matches!(why, Why::Known(Reason::EmptyAtSource | Reason::OutsideMembership | Reason::InactiveMember))
            }
            Self::Done { .. } | Self::Open | Self::Protected | Self::Unmatched(_) => false,
        }
    }
}

/// Decides about a day. `keyed` makes a keyed hash, the same one whenever a day is decided about.
#[must_use]
pub fn decide(
    question: &Question<'_>,
    settings: &Settings<'_>,
    protection: &InForce,
    keyed: impl Fn(&[u8]) -> String,
) -> Decision {
    // A closed month is nobody's concern any more, whoever its days belong to.
    if protection.is_protected(question.code, question.day) {
        return Decision::Protected;
    }
    let member = match question.matched {
        Match::Member(member) => member,
        Match::Nobody(why) => return Decision::Unmatched(why),
    };
    match (question.reading, absence(member, question.day)) {
        (Reading::Empty, _) => nothing(question),
        (_, Some(reason)) => Decision::Skipped(reason.into()),
        (Reading::Open, None) => Decision::Open,
        (Reading::Skipped(reason), None) => Decision::Skipped((*reason).into()),
        (Reading::Day(day), None) => written(question, member, day, settings, keyed),
    }
}

fn nothing(question: &Question<'_>) -> Decision {
    Decision::Skipped(match question.held {
        Some(_) => Detail::EmptiedAtSource.into(),
        None => Reason::EmptyAtSource.into(),
    })
}

fn absence(member: &Member, day: Date) -> Option<Reason> {
    if !member.is_there_on(day) {
        Some(Reason::OutsideMembership)
    } else if !member.active {
        Some(Reason::InactiveMember)
    } else {
        None
    }
}

fn written(
    question: &Question<'_>,
    member: &Member,
    day: &Day,
    settings: &Settings<'_>,
    keyed: impl Fn(&[u8]) -> String,
) -> Decision {
    if day.work.is_none() && day.leave.is_none() {
        return nothing(question);
    }
    if day.worked() > MOST_MINUTES {
        return Decision::Skipped(Reason::Over24Hours.into());
    }
    let untold = day.leave.filter(|leave| !settings.can_tell(*leave));
    let row = Row::new(member, question.day, day, settings.break_mode, settings.leave_columns, keyed);
    let row = match row {
        Ok(row) => row,
        Err(NoRow::BeforeMidnight) => return Decision::Skipped(Reason::PreviousDayStart.into()),
        Err(NoRow::WithoutTimes) if untold.is_some() => {
            return Decision::Handwork(Handwork::of(Reason::LeaveWithoutColumn, day));
        }
        Err(NoRow::WithoutTimes) => return Decision::Handwork(Handwork::of(Detail::LeaveWithoutTimes, day)),
    };
    if row.is_past_midnight() && settings.past_midnight == PastMidnight::Skip {
        return Decision::Handwork(Handwork::of(Reason::PastMidnight, day));
    }
    let leave = untold.map(Handwork::beside_work);
    if !question.forced && question.held == Some(row.content()) {
        Decision::Done { leave }
    } else if !settings.encoding.has(row.own_text()) {
        Decision::Handwork(Handwork::of(Detail::CodeNotInEncoding, day))
    } else {
        Decision::Pending { row, leave }
    }
}
