//! Why a day is not written into クラウドログ's file.

use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $ja:literal, $en:literal;)+) => {
        /// Why a day is not written. It is stored and sent as its [`code`](Reason::code).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum Reason {
            $($(#[$doc])* #[serde(rename = $code)] $name),+
        }

        impl Reason {
            /// All reasons.
            pub const ALL: &[Reason] = &[$(Reason::$name),+];

            /// The stable text.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $(Reason::$name => $code),+ }
            }

            /// What people read, in Japanese.
            #[must_use]
            pub fn ja(self) -> &'static str {
                match self { $(Reason::$name => $ja),+ }
            }

            /// What people read, in English.
            #[must_use]
            pub fn en(self) -> &'static str {
                match self { $(Reason::$name => $en),+ }
            }
        }
    };
}

reasons! {
    /// Only one of start and end is there, and the date is over.
    HalfEntered = "attendance.half_entered",
        "出社と退社のどちらか一方しか入力されていません",
        "Only one of start and end of work is entered";
    /// The source itself says that the day is wrong.
    ErrorAtSource = "attendance.error_at_source",
        "勤怠サービスで打刻漏れなどのエラーになっています",
        "The attendance service marks the day as wrong, such as for a missing punch";
    /// More than 24 hours of work without its breaks; exactly 24:00 is written.
    Over24Hours = "attendance.over_24h",
        "休憩を除いた勤務時間が24時間を超えています",
        "Work without its breaks is longer than 24 hours";
    /// It begins before 00:00 of the work date.
    PreviousDayStart = "attendance.previous_day_start",
        "前日のうちに始まる勤務のため、クラウドログのファイルに書けません",
        "Work begins on the day before, which a file for クラウドログ can not say";
    /// It goes on past midnight, and the link leaves such days to people.
    PastMidnight = "attendance.past_midnight",
        "翌日にまたがる勤務は、ファイルに書かない設定になっています",
        "Work goes on past midnight, and the link is set to leave such days out of the file";
    /// Neither work nor leave.
    EmptyAtSource = "attendance.empty_at_source",
        "勤怠サービスに勤務も休暇も入力されていません",
        "The attendance service has neither work nor leave";
    /// A time is none.
    UnreadableTimes = "attendance.unreadable_times",
        "勤怠サービスの時刻を読み取れません",
        "A time of the attendance service can not be read";
    /// The end is not after the start.
    EndNotAfterStart = "attendance.end_not_after_start",
        "退社の時刻が出社の時刻より後になっていません",
        "The end of work is not after its start";
    /// The source counts leave, and no rule says which kind it is.
    UnknownLeave = "attendance.unknown_leave",
        "休暇の種類が分かりません。勤務区分の対応表で指定してください",
        "The kind of leave is not known; say it in the table of work types";
    /// There is leave, and the file has no column for it.
    LeaveWithoutColumn = "attendance.leave_without_column",
        "休暇を書く列が設定されていないため、ファイルに休暇を書けません",
        "No column for leave is set, so the file can not say the leave";
    /// Several people have the number.
    DoubleNumber = "attendance.double_number",
        "同じ社員コードの方が複数いるため、どなたの勤怠か決められません",
        "Several people have this 社員コード, so it is not known whose day it is";
    /// The source has no number for the person.
    NoNumber = "attendance.no_number",
        "勤怠サービスに社員番号が登録されていません",
        "The attendance service has no 社員番号 for this person";
    /// Nobody at クラウドログ has the code.
    NotAMember = "attendance.not_a_member",
        "クラウドログのメンバー一覧にない社員コードです",
        "クラウドログ's member list does not have this 社員コード";
    /// The member is 無効 at クラウドログ.
    InactiveMember = "attendance.inactive_member",
        "クラウドログで無効になっているメンバーです",
        "The member is not active at クラウドログ";
    /// Before the member's 開始日 or after the 終了日.
    OutsideMembership = "attendance.outside_membership",
        "クラウドログの開始日より前、または終了日より後の日です",
        "The day is before the member's 開始日 or after the 終了日 at クラウドログ";
    /// Closed, or on the list of what must not be written.
    Protected = "attendance.protected",
        "締め日以前の日、または保護の対象に指定された日です",
        "The day is closed, or is on the link's list of protected days";
}

impl Reason {
    /// The reason with this code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.code() == code)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own_that_is_also_its_stored_form() {
        let codes: BTreeSet<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
        assert_eq!(codes.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            let code = reason.code();
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            let name = code.strip_prefix("attendance.").unwrap();
            assert!(!name.is_empty() && name.bytes().all(plain), "{code}");
            assert_eq!(Reason::parse(code), Some(*reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), code);
            assert_eq!(serde_json::from_value::<Reason>(code.into()).unwrap(), *reason);
        }
        assert_eq!(Reason::parse("no_such"), None);
    }

    #[test]
    fn codes_stay_as_they_are_because_they_are_stored() {
        let known = [
            "attendance.half_entered",
            "attendance.error_at_source",
            "attendance.over_24h",
            "attendance.previous_day_start",
            "attendance.past_midnight",
            "attendance.empty_at_source",
            "attendance.unreadable_times",
            "attendance.end_not_after_start",
            "attendance.unknown_leave",
            "attendance.leave_without_column",
            "attendance.double_number",
            "attendance.no_number",
            "attendance.not_a_member",
            "attendance.inactive_member",
            "attendance.outside_membership",
            "attendance.protected",
        ];
        for code in known {
            assert!(Reason::parse(code).is_some(), "{code}");
        }
    }

    #[test]
    fn every_reason_is_said_in_both_languages() {
        for reason in Reason::ALL {
            assert!(!reason.ja().is_ascii(), "{}", reason.code());
            assert!(reason.en().starts_with(|first: char| first.is_uppercase() || first == 'ク'), "{}", reason.code());
        }
    }
}
