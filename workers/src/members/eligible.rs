//! Who may be sent at all.

use renkei_events::codes::Code;
use renkei_events::record::{DataEntryState, EmployeeRecord, EmployeeStatus};
use renkei_runtime::broken::{self, Broken};

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

/// As what a record is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// With all mapped fields.
    Whole,
    /// Somebody who became 退職, of whom only 退職日 goes over: never registered, never changed otherwise.
    Leaver,
}

/// Judges a record. With `retired_date` (the option that sends 退職日) people who became 退職 are sent too, as leavers.
///
/// # Errors
/// The first reason that applies.
pub fn sent_as(record: &EmployeeRecord, retired_date: bool) -> Result<Sent, NotEligible> {
    let leaver = record.employee_status == EmployeeStatus::Retired
        && record.data_entry_state == DataEntryState::Completed
        && record.employee_number.is_some()
        && record.retired_date.is_some();
    if retired_date && leaver { Ok(Sent::Leaver) } else { eligible(record).map(|()| Sent::Whole) }
}

/// Judges a record. 従業員ステータス excludes by name, so an unknown status passes; 状況 includes by name, so an unknown one does
/// not. The status is told first.
///
/// # Errors
/// The first reason that applies.
pub fn eligible(record: &EmployeeRecord) -> Result<(), NotEligible> {
    let lets_in = broken::is(Broken::ApplicantSent) && record.employee_status == EmployeeStatus::Applicant;
    if !lets_in && matches!(record.employee_status, EmployeeStatus::Applicant | EmployeeStatus::Retired) {
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
