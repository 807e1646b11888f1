//! Who may be sent at all.

use renkei_events::codes::Code;
use renkei_events::record::{DataEntryState, EmployeeRecord, EmployeeStatus};

/// Why a record is not sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotEligible {
    /// 応募者 or 退職.
    StatusExcluded,
    /// 状況 is anything but データ入力完了.
    DataEntryIncomplete,
    /// No 社員番号: a person has to give one.
    MissingEmployeeNumber,
}

impl NotEligible {
    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NotEligible::StatusExcluded => Code::StatusExcluded.as_str(),
            NotEligible::DataEntryIncomplete => Code::DataEntryIncomplete.as_str(),
            NotEligible::MissingEmployeeNumber => Code::MissingEmployeeNumber.as_str(),
        }
    }
}

/// Judges a record. 従業員ステータス excludes by name, so an unknown status passes; 状況 includes by name, so an unknown one does
/// not. The status is told first.
///
/// # Errors
/// The first reason that applies.
pub fn eligible(record: &EmployeeRecord) -> Result<(), NotEligible> {
    if matches!(record.employee_status, EmployeeStatus::Applicant | EmployeeStatus::Retired) {
        return Err(NotEligible::StatusExcluded);
    }
    if record.data_entry_state != DataEntryState::Completed {
        return Err(NotEligible::DataEntryIncomplete);
    }
    if record.employee_number.is_none() {
        return Err(NotEligible::MissingEmployeeNumber);
    }
    Ok(())
}
