//! One row: what it says, and the record that it makes of what is known already.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;

use super::columns::{Field, Header};
use super::{RowFault, date};
use crate::codes::Code;
use crate::ids::{EmployeeId, EmployeeNumber, IdFault};
use crate::parse::{FaultCode, is_too_far_ahead, longest, sound_text};
use crate::record::{DataEntryState, Department, EmployeeRecord, EmployeeStatus};

/// What a row says about a field.
#[derive(Clone, PartialEq, Eq)]
pub enum Cell<T> {
    /// Nothing: the file has no such column. What is known stays.
    Unknown,
    /// That it has no value.
    Empty,
    /// Its value.
    Value(T),
}

impl<T> Cell<T> {
    /// The value after the row, when it was `known` before.
    fn over(self, known: Option<T>) -> Option<T> {
        match self {
            Cell::Unknown => known,
            Cell::Empty => None,
            Cell::Value(value) => Some(value),
        }
    }

    /// The value that the row says.
    #[must_use]
    pub fn value(&self) -> Option<&T> {
        if let Cell::Value(value) = self { Some(value) } else { None }
    }
}

impl<T> fmt::Debug for Cell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cell::Unknown => "Unknown",
            Cell::Empty => "Empty",
            Cell::Value(_) => "Value(…)",
        })
    }
}

/// Who a row is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Person {
    /// Somebody with a 従業員ID.
    Known {
        /// It.
        id: EmployeeId,
        /// 社員番号.
        number: Cell<EmployeeNumber>,
    },
    /// Whoever has this 社員番号.
    Numbered(EmployeeNumber),
}

impl Person {
    /// The 社員番号 that the row says.
    #[must_use]
    pub fn number(&self) -> Option<&EmployeeNumber> {
        match self {
            Person::Known { number, .. } => number.value(),
            Person::Numbered(number) => Some(number),
        }
    }
}

/// What stands for columns that a file does not have, where nothing is known already.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Constants {
    /// 従業員ステータス.
    pub employee_status: Option<EmployeeStatus>,
    /// 状況.
    pub data_entry_state: Option<DataEntryState>,
}

impl Constants {
    /// What is suggested to somebody who is asked: people who work here, and whose data are complete.
    #[must_use]
    pub fn usual() -> Self {
        Self { employee_status: Some(EmployeeStatus::Active), data_entry_state: Some(DataEntryState::Completed) }
    }

    /// These, and for what they leave open `others`.
    #[must_use]
    pub fn or(&self, others: &Constants) -> Self {
        Self {
            employee_status: self.employee_status.clone().or_else(|| others.employee_status.clone()),
            data_entry_state: self.data_entry_state.clone().or_else(|| others.data_entry_state.clone()),
        }
    }
}

/// What a row says beside whom it is about.
#[derive(Clone, PartialEq, Eq)]
struct Says {
    status: Cell<EmployeeStatus>,
    state: Cell<DataEntryState>,
    last_name: Cell<String>,
    first_name: Cell<String>,
    last_name_kana: Cell<String>,
    first_name_kana: Cell<String>,
    business_name: Cell<String>,
    business_name_kana: Cell<String>,
    gender: Cell<String>,
    birthday: Cell<Date>,
    hire_date: Cell<Date>,
    retired_date: Cell<Date>,
    employment_type: Cell<String>,
    department_code: Cell<String>,
    department_name: Cell<String>,
    email: Cell<String>,
}

/// A good row. `Debug` shows where it is and whom it is about: all else is personal.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// The line of the file on which it begins, from 1.
    pub line: u64,
    /// Who it is about.
    pub person: Person,
    /// When this state was made, if the row says so.
    pub updated_at: Option<Timestamp>,
    says: Says,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row").field("line", &self.line).field("person", &self.person).finish_non_exhaustive()
    }
}

impl Row {
    /// Reads a row. `texts` are the cells of the columns that are read, in the order of [`Header::places`].
    ///
    /// # Errors
    /// Every fault, with its column.
    pub(super) fn read(
        line: u64,
        header: &Header,
        texts: Vec<String>,
        received_at: Timestamp,
    ) -> Result<Self, Vec<RowFault>> {
        let mut cells = Cells { line, header, texts, faults: Vec::new() };
        let id = cells.id(Field::EmployeeId, EmployeeId::new);
        let number = cells.id(Field::EmployeeNumber, EmployeeNumber::new);
        let person = match (id, number) {
            (Cell::Value(id), number) => Some(Person::Known { id, number }),
            (_, Cell::Value(number)) => Some(Person::Numbered(number)),
            _ => None,
        };
        if person.is_none() {
            let number = header.has(Field::EmployeeNumber);
            cells.require(if number { Field::EmployeeNumber } else { Field::EmployeeId });
        }
        let updated_at = cells.updated_at(received_at);
        let says = Says {
            status: cells.needed(Field::EmployeeStatus, EmployeeStatus::from),
            state: cells.needed(Field::DataEntryState, DataEntryState::from),
            last_name: cells.text(Field::LastName, longest::NAME),
            first_name: cells.text(Field::FirstName, longest::NAME),
            last_name_kana: cells.text(Field::LastNameKana, longest::NAME),
            first_name_kana: cells.text(Field::FirstNameKana, longest::NAME),
            business_name: cells.text(Field::BusinessName, longest::BUSINESS_NAME),
            business_name_kana: cells.text(Field::BusinessNameKana, longest::BUSINESS_NAME),
            gender: cells.text(Field::Gender, longest::LABEL),
            birthday: cells.day(Field::Birthday),
            hire_date: cells.day(Field::HireDate),
            retired_date: cells.day(Field::RetiredDate),
            employment_type: cells.text(Field::EmploymentType, longest::LABEL),
            department_code: cells.text(Field::DepartmentCode, longest::LABEL),
            department_name: cells.text(Field::DepartmentName, longest::DEPARTMENT),
            email: cells.text(Field::Email, longest::EMAIL),
        };
        match person {
            Some(person) if cells.faults.is_empty() => Ok(Self { line, person, updated_at, says }),
            _ => Err(cells.faults),
        }
    }

    /// Which of 従業員ステータス and 状況 neither the row nor what is `known` says.
    #[must_use]
    pub fn lacks(&self, known: Option<&EmployeeRecord>) -> Vec<Field> {
        let mut lacking = Vec::new();
        if known.is_none() && self.says.status == Cell::Unknown {
            lacking.push(Field::EmployeeStatus);
        }
        if known.is_none() && self.says.state == Cell::Unknown {
            lacking.push(Field::DataEntryState);
        }
        lacking
    }

    /// The record of a person after this row: what the row says over what is `known`, constants for what neither says.
    /// Without a time of its own the state is as old as the upload.
    ///
    /// # Errors
    /// What a constant is needed for.
    pub fn record(
        self,
        id: EmployeeId,
        known: Option<EmployeeRecord>,
        constants: &Constants,
        uploaded_at: Timestamp,
    ) -> Result<EmployeeRecord, Field> {
        let (mut known, says) = (known, self.says);
        macro_rules! after {
            ($cell:expr, $field:ident) => {
                $cell.over(known.as_mut().and_then(|known| known.$field.take()))
            };
        }
        let status = says.status.over(known.as_ref().map(|known| known.employee_status.clone()));
        let state = says.state.over(known.as_ref().map(|known| known.data_entry_state.clone()));
        Ok(EmployeeRecord {
            employee_id: id,
            employee_number: match self.person {
                Person::Known { number, .. } => after!(number, employee_number),
                Person::Numbered(number) => Some(number),
            },
            employee_status: status.or_else(|| constants.employee_status.clone()).ok_or(Field::EmployeeStatus)?,
            data_entry_state: state.or_else(|| constants.data_entry_state.clone()).ok_or(Field::DataEntryState)?,
            last_name: after!(says.last_name, last_name),
            first_name: after!(says.first_name, first_name),
            last_name_kana: after!(says.last_name_kana, last_name_kana),
            first_name_kana: after!(says.first_name_kana, first_name_kana),
            business_name: after!(says.business_name, business_name),
            business_name_kana: after!(says.business_name_kana, business_name_kana),
            gender: after!(says.gender, gender),
            birthday: after!(says.birthday, birthday),
            hire_date: after!(says.hire_date, hire_date),
            retired_date: after!(says.retired_date, retired_date),
            employment_type: after!(says.employment_type, employment_type),
            email: after!(says.email, email),
            department: department(
                says.department_code,
                says.department_name,
                known.and_then(|known| known.department),
            ),
            updated_at: self.updated_at.unwrap_or(uploaded_at),
        })
    }
}

/// 部署 after its two columns. One that is known without code and name stays as it is: it says the same as none.
fn department(code: Cell<String>, name: Cell<String>, known: Option<Department>) -> Option<Department> {
    let bare = known.as_ref().is_some_and(|known| known.code.is_none() && known.name.is_none());
    let (known_code, known_name) = known.map(|known| (known.code, known.name)).unwrap_or_default();
    let department = Department { code: code.over(known_code), name: name.over(known_name) };
    (bare || department.code.is_some() || department.name.is_some()).then_some(department)
}

/// The cells of a row while they are read.
struct Cells<'a> {
    line: u64,
    header: &'a Header,
    texts: Vec<String>,
    faults: Vec<RowFault>,
}

impl Cells<'_> {
    fn add(&mut self, field: Field, code: Code) {
        let column = self.header.used().find(|(_, known)| *known == field).map(|(name, _)| name.to_owned());
        self.faults.push(RowFault { line: self.line, column, code, other_line: None });
    }

    /// Adds `required`, unless the column already has a fault of its own.
    fn require(&mut self, field: Field) {
        let column = self.header.used().find(|(_, known)| *known == field).map(|(name, _)| name);
        if !self.faults.iter().any(|fault| fault.column.as_deref() == column) {
            self.add(field, Code::SourceRequired);
        }
    }

    /// The text of a field's cell.
    fn raw(&mut self, field: Field) -> Cell<String> {
        match self.header.used().position(|(_, known)| known == field) {
            None => Cell::Unknown,
            Some(at) => match self.texts.get_mut(at).map(std::mem::take) {
                Some(text) if !text.is_empty() => Cell::Value(text),
                _ => Cell::Empty,
            },
        }
    }

    /// The cell, read by `read`; a fault where that is not possible.
    fn read<T>(&mut self, field: Field, read: impl FnOnce(String) -> Result<T, FaultCode>) -> Cell<T> {
        match self.raw(field) {
            Cell::Unknown => Cell::Unknown,
            Cell::Empty => Cell::Empty,
            Cell::Value(text) => match read(text) {
                Ok(value) => Cell::Value(value),
                Err(fault) => {
                    self.add(field, fault.code());
                    Cell::Empty
                }
            },
        }
    }

    fn text(&mut self, field: Field, longest: usize) -> Cell<String> {
        self.read(field, |text| sound_text(&text, longest).map(|()| text))
    }

    /// A cell that may not be empty where there is a column for it.
    fn needed<T>(&mut self, field: Field, make: impl FnOnce(String) -> T) -> Cell<T> {
        match self.text(field, longest::LABEL) {
            Cell::Unknown => Cell::Unknown,
            Cell::Value(text) => Cell::Value(make(text)),
            Cell::Empty => {
                self.require(field);
                Cell::Empty
            }
        }
    }

    /// An id. Nothing but blanks counts as empty.
    fn id<T>(&mut self, field: Field, make: impl FnOnce(String) -> Result<T, IdFault>) -> Cell<T> {
        let read = self.read(field, |text| match make(text) {
            Ok(id) => Ok(Some(id)),
            Err(IdFault::Empty) => Ok(None),
            Err(fault) => Err(fault.into()),
        });
        match read {
            Cell::Value(Some(id)) => Cell::Value(id),
            Cell::Value(None) | Cell::Empty => Cell::Empty,
            Cell::Unknown => Cell::Unknown,
        }
    }

    fn day(&mut self, field: Field) -> Cell<Date> {
        self.read(field, |text| date::day(&text).ok_or(FaultCode::Date))
    }

    fn updated_at(&mut self, received_at: Timestamp) -> Option<Timestamp> {
        let read = self.read(Field::UpdatedAt, |text| match date::time(&text) {
            Some(at) if is_too_far_ahead(at, received_at) => Err(FaultCode::UpdatedAtInFuture),
            Some(at) => Ok(at),
            None => Err(FaultCode::Timestamp),
        });
        read.value().copied()
    }
}
