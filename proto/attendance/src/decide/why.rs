//! Why a day is in no file, or not all of it, and what a person is told.

use serde::Serialize;

use crate::day::{Day, Leave, Span};
use crate::matching::Nobody;
use crate::reading::Reason;
use crate::texts::told;

told! {
    /// Reasons that come from comparing the source with クラウドログ.
    Detail {
        /// Leave without times. The template can tell it, but not in a row without 出社 and 退社.
        LeaveWithoutTimes = "attendance.leave_without_times",
            "出社と退社がない休暇は、ファイルに書けません",
            "The file can not say leave without start and end of work";
        /// Leave on a day of work, whose times are in the file.
        LeaveBesideWork = "attendance.leave_beside_work",
            "勤務時間はファイルに入りますが、休暇は入りません。ファイルを取り込んだ後に、休暇を入力してください",
            "The file has the times and not the leave; enter the leave after the import";
        /// The source has neither work nor leave any more, and クラウドログ holds what it had before. It stays there.
        EmptiedAtSource = "attendance.emptied_at_source",
            "勤怠サービスで取り消されましたが、クラウドログには以前の内容が残っています",
            "The attendance service has nothing any more, and クラウドログ keeps what was imported before";
        /// クラウドログ has a code that differs in width, case, blanks or zeros in front only.
        NearMiss = "attendance.near_miss",
            "クラウドログによく似た社員コードがありますが、一致していません",
            "クラウドログ has a 社員コード that looks alike but is not the same";
        /// The file is in an encoding that does not have the code.
        CodeNotInEncoding = "attendance.code_not_in_encoding",
            "社員コードに、ファイルの文字コードでは書けない文字があります",
            "The 社員コード has a character that the encoding of the file does not have";
    }
}

/// Why a day, or a part of it, is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Why {
    /// One of the reasons that all of attendance shares.
    Known(Reason),
    /// One that only a decision has.
    Detail(Detail),
}

impl Why {
    /// The stable text.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Known(reason) => reason.code(),
            Self::Detail(detail) => detail.code(),
        }
    }

    /// What people read, in Japanese.
    #[must_use]
    pub fn ja(self) -> &'static str {
        match self {
            Self::Known(reason) => reason.ja(),
            Self::Detail(detail) => detail.ja(),
        }
    }

    /// What people read, in English.
    #[must_use]
    pub fn en(self) -> &'static str {
        match self {
            Self::Known(reason) => reason.en(),
            Self::Detail(detail) => detail.en(),
        }
    }

    /// The one with this stable text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Reason::parse(text).map(Self::Known).or_else(|| Detail::parse(text).map(Self::Detail))
    }
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        Self::Known(reason)
    }
}

impl From<Detail> for Why {
    fn from(detail: Detail) -> Self {
        Self::Detail(detail)
    }
}

impl From<Nobody> for Why {
    fn from(nobody: Nobody) -> Self {
        match nobody {
            Nobody::OnlyAtSource => Reason::NotAMember.into(),
            Nobody::NearMiss => Detail::NearMiss.into(),
            Nobody::DoubleAtSource | Nobody::DoubleAtDestination => Reason::DoubleNumber.into(),
        }
    }
}

/// What a person has to type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Handwork {
    /// Why.
    pub why: Why,
    /// What, for people: `22:00-25:30、休憩 24:00-24:30、午後休`.
    pub value: String,
}

impl Handwork {
    /// All of a day.
    pub(super) fn of(why: impl Into<Why>, day: &Day) -> Self {
        Self { why: why.into(), value: whole(day) }
    }

    /// The leave of a day whose times are in the file.
    pub(super) fn beside_work(leave: Leave) -> Self {
        Self { why: Detail::LeaveBesideWork.into(), value: leave.ja().to_owned() }
    }
}

fn whole(day: &Day) -> String {
    let breaks: Vec<String> = day.breaks.iter().copied().map(span).collect();
    let breaks = (!breaks.is_empty()).then(|| format!("休憩 {}", breaks.join("/")));
    let parts = [day.work.map(span), breaks, day.leave.map(|leave| leave.ja().to_owned())];
    parts.into_iter().flatten().collect::<Vec<_>>().join("、")
}

fn span(span: Span) -> String {
    let clock = |minutes: crate::day::Minutes| minutes.hh_mm().unwrap_or_default();
    format!("{}-{}", clock(span.from), clock(span.to))
}
