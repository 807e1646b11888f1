//! The employee record: one state of one person, as a source sends it.
//!
//! Field names, lengths and code lists are the contract for senders (see `docs/webhooks.md`). Lengths count Unicode code
//! points. Labels and codes are both understood; codes are stored; what is not known is kept as it came.

use jiff::Timestamp;
use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::ids::{EmployeeId, EmployeeNumber};

macro_rules! open_code_list {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal [$($label:literal),+]),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(from = "String", into = "String")]
        #[schemars(with = "String")]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
            /// A value outside of the list, kept verbatim.
            Other(String),
        }

        impl $name {
            /// The stored text: the English code, or the unknown value as it came.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $code,)+
                    Self::Other(text) => text,
                }
            }

            /// The words that a source has for it, the usual one first; of an unknown value the text as it came.
            #[must_use]
            pub fn labels(&self) -> Vec<&str> {
                match self {
                    $(Self::$variant => vec![$($label),+],)+
                    Self::Other(text) => vec![text.as_str()],
                }
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // What is not in the list may be anything.
                f.write_str(match self {
                    $(Self::$variant => stringify!($variant),)+
                    Self::Other(_) => "Other(…)",
                })
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($code $(| $label)+ => Self::$variant,)+
                    _ => Self::Other(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> String {
                value.as_str().to_owned()
            }
        }
    };
}

open_code_list!(
    /// 従業員ステータス.
    EmployeeStatus {
        /// 応募者: someone who applied. Never sent.
        Applicant = "applicant" ["応募者"],
        /// 内定 or 入社予定.
        PendingHire = "pending_hire" ["内定", "入社予定"],
        /// 在籍.
        Active = "active" ["在籍"],
        /// 休職.
        OnLeave = "on_leave" ["休職"],
        /// 退職. Never sent.
        Retired = "retired" ["退職"],
    }
);

open_code_list!(
    /// 状況: how far the person's data entry has come. Only `completed` is sent.
    DataEntryState {
        /// 未招待.
        NotInvited = "not_invited" ["未招待"],
        /// 招待中.
        Invited = "invited" ["招待中"],
        /// データ入力中.
        InProgress = "in_progress" ["データ入力中"],
        /// 確認待ち.
        AwaitingReview = "awaiting_review" ["確認待ち"],
        /// データ入力完了.
        Completed = "completed" ["データ入力完了"],
    }
);

/// 部署 at the source.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Department {
    /// The source's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The source's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

impl std::fmt::Debug for Department {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Department").finish_non_exhaustive()
    }
}

/// One state of one person. Absent means "not provided", never "empty".
///
/// `Debug` shows the ids only: everything else is personal data.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmployeeRecord {
    /// 従業員ID: stable id in the source; scope of ordering and of duplicates.
    #[schemars(with = "String")]
    pub employee_id: EmployeeId,
    /// 社員番号: the matching key. Most 応募者 have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub employee_number: Option<EmployeeNumber>,
    /// 従業員ステータス.
    pub employee_status: EmployeeStatus,
    /// 状況.
    pub data_entry_state: DataEntryState,
    /// 姓.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// 名.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// 姓(ヨミガナ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_name_kana: Option<String>,
    /// 名(ヨミガナ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_name_kana: Option<String>,
    /// ビジネスネーム, one field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_name: Option<String>,
    /// ビジネスネーム(ヨミガナ).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub business_name_kana: Option<String>,
    /// 性別: the source's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gender: Option<String>,
    /// 生年月日.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub birthday: Option<Date>,
    /// 入社日; may lie ahead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub hire_date: Option<Date>,
    /// 退職日.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub retired_date: Option<Date>,
    /// 雇用形態: the source's label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub employment_type: Option<String>,
    /// 部署.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<Department>,
    /// メールアドレス.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// 更新日時.
    #[schemars(with = "String")]
    pub updated_at: Timestamp,
}

impl std::fmt::Debug for EmployeeRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmployeeRecord")
            .field("employee_id", &self.employee_id)
            .field("employee_number", &self.employee_number)
            .finish_non_exhaustive()
    }
}

impl EmployeeRecord {
    /// Whether 従業員ステータス, 状況 and 社員番号 allow the person to be sent at all (rule R3 of the manual).
    #[must_use]
    pub fn is_eligible(&self) -> bool {
        !matches!(self.employee_status, EmployeeStatus::Applicant | EmployeeStatus::Retired)
            && self.data_entry_state == DataEntryState::Completed
            && self.employee_number.is_some()
    }

    /// The bytes that decide whether two records say the same: everything but `updated_at`.
    #[must_use]
    pub fn content_bytes(&self) -> Vec<u8> {
        let mut plain = self.clone();
        plain.updated_at = Timestamp::UNIX_EPOCH;
        serde_json::to_vec(&plain).unwrap_or_default()
    }
}
