//! What an administrator decides for one connection.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use renkei_events::csv::Field;
use serde::{Deserialize, Serialize};

/// The settings of a connection. Every key has a default, so that an old row stays readable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// 連携対象者: who is sent.
    pub filter: Filter,
    /// What stands between 姓 and 名.
    pub name_joiner: String,
    /// The 性別 labels that the source has, as far as they are known without its records: those that arrive are added. All of
    /// them have to be mapped before the first activation.
    pub gender_labels: BTreeSet<String>,
    /// The source's 性別 labels, each to one of カオナビ's choices, or to nothing ("do not send").
    pub gender: BTreeMap<String, Option<String>>,
    /// Whether the mail address goes over.
    pub mail: bool,
    /// Whether 退職日 goes over when somebody becomes 退職.
    pub retired_date: bool,
    /// 所属: the source's department code → カオナビ's; `None` means that 所属 does not go over.
    pub departments: Option<BTreeMap<String, String>>,
    /// Custom items of カオナビ, `custom:{id}` → what fills them.
    pub custom: BTreeMap<String, CustomField>,
    /// Values for layout items of カオナビ, sent when a member is created: `mail`, …, `custom:{id}`.
    pub constants: BTreeMap<String, String>,
    /// Mapped fields that are cleared in カオナビ when the source has no value any more; the others are kept.
    pub clear_when_empty: BTreeSet<String>,
    /// When changes go out.
    pub timing: Timing,
    /// Whether mass changes of existing members are held for a person's yes.
    pub brake: bool,
    /// How many hires may come in ten minutes before they are held for a person's yes; `None`: any number.
    pub ceiling: Option<u32>,
    /// What happens when a record can not be sent as it is, or カオナビ refuses it.
    pub on_rejected: OnRejected,
    /// How many employees one call may carry.
    pub batch_size: u32,
    /// Whether the account runs its tasks strictly in the order of acceptance.
    pub fifo_tasks: bool,
    /// Whether hiragana in readings becomes katakana.
    pub hiragana_to_katakana: bool,
    /// Who is told by mail when a person is needed.
    pub recipients: Vec<String>,
    /// Whether a mail may name people; their 社員番号 always stands in it.
    pub names_in_mail: bool,
    /// Names of columns in CSV files beside the usual ones, each to a field, or to nothing ("pass over").
    pub csv_columns: BTreeMap<String, Option<Field>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            filter: Filter::default(),
            name_joiner: " ".to_owned(),
            gender_labels: usual_gender_labels(),
            gender: BTreeMap::new(),
            mail: false,
            retired_date: false,
            departments: None,
            custom: BTreeMap::new(),
            constants: BTreeMap::new(),
            clear_when_empty: BTreeSet::new(),
            timing: Timing::OnArrival,
            brake: true,
            ceiling: Some(1000),
            on_rejected: OnRejected::Park,
            batch_size: 200,
            fifo_tasks: true,
            hiragana_to_katakana: false,
            recipients: Vec::new(),
            names_in_mail: false,
            csv_columns: BTreeMap::new(),
        }
    }
}

impl Settings {
    /// Whether 性別 goes over at all: at least one label is mapped to a choice.
    #[must_use]
    pub fn maps_gender(&self) -> bool {
        self.gender.values().any(Option::is_some)
    }

    /// Whether a table or a constant names 所属 of カオナビ, so that its list has to be known.
    #[must_use]
    pub fn names_departments(&self) -> bool {
        self.departments.is_some() || self.constants.contains_key("department")
    }
}

/// What happens when a record is rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRejected {
    /// That person is set aside, the others go on.
    Park,
    /// That person is set aside, and the connection is switched off until a person has looked.
    Halt,
}

impl OnRejected {
    /// Whether a person who is set aside for this code makes the connection stop: what is wrong with the record itself does,
    /// what a person has to decide about its number does not.
    #[must_use]
    pub fn stops(self, code: &str) -> bool {
        self == Self::Halt && ["mapping.", "source.", "kaonavi."].iter().any(|part| code.starts_with(part))
    }
}

/// The 性別 labels that a source is taken to have until it says otherwise.
#[must_use]
pub fn usual_gender_labels() -> BTreeSet<String> {
    ["男性", "女性"].map(str::to_owned).into()
}

/// When changes of existing members go out. Hires always go at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// As soon as the budget allows.
    OnArrival,
    /// At :00, :15, :30 and :45.
    QuarterHour,
}

/// 連携対象者: conditions that must all hold. No condition: everyone. A missing value never meets a condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    /// 雇用形態, any of; empty: no condition.
    pub employment_types: BTreeSet<String>,
    /// 従業員ステータス, any of, by code or as the source writes it; empty: no condition.
    pub statuses: BTreeSet<String>,
    /// 部署 by the source's code, any of; empty: no condition.
    pub departments: BTreeSet<String>,
    /// 社員番号, any of; empty: no condition.
    pub employee_numbers: BTreeSet<String>,
    /// 入社日.
    pub hire_date: HireDate,
}

/// Conditions on 入社日.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HireDate {
    /// On this day or later.
    pub on_or_after: Option<Date>,
    /// On this day or earlier.
    pub on_or_before: Option<Date>,
    /// Around the day of judging in Asia/Tokyo.
    pub within: Option<Within>,
}

/// From so many days before today to so many days after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Within {
    /// Days before today, today included as 0.
    pub days_before: u32,
    /// Days after today, today included as 0.
    pub days_after: u32,
}

impl Filter {
    /// Whether the answer changes with the day.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        self.hire_date.within.is_some()
    }
}

/// What fills a custom item of カオナビ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomField {
    /// The field of the record.
    pub from: SourceField,
    /// The source's value → カオナビ's choice, for items with choices. A value that does not stand here is sent as it is. A
    /// status may stand here by code as well.
    #[serde(default)]
    pub choices: BTreeMap<String, String>,
}

/// A field of a record that a custom item may be filled from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceField {
    /// 雇用形態.
    EmploymentType,
    /// 従業員ステータス, in the source's words.
    EmployeeStatus,
    /// 部署's code.
    DepartmentCode,
    /// 部署's name.
    DepartmentName,
    /// メールアドレス.
    Email,
    /// 入社日.
    HireDate,
    /// 退職日.
    RetiredDate,
    /// 生年月日.
    Birthday,
    /// 姓 and 名 as registered, whatever the business name.
    LegalName,
    /// ビジネスネーム.
    BusinessName,
}
