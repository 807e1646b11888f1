//! From an employee record to the fields of a カオナビ member.
//!
//! Five fields go over: 氏名, フリガナ, 性別, 生年月日, 入社日; further ones when an administrator maps them. A business name
//! wins over the legal one, and then the legal reading must not show either. Every value is checked against the layout before
//! it is sent, so that カオナビ has little to refuse.

mod check;
mod further;
mod names;

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use jiff::civil::Date;
use renkei_events::codes::Code;
use renkei_events::record::EmployeeRecord;
use renkei_runtime::broken::{self, Broken};
use renkei_store::employees::{Op, Values};
use renkei_store::settings::Settings;

pub use self::check::against;
use self::check::check;
pub use self::further::items;
pub use self::names::{business_kana_is_missing, legal_reading};
use self::names::{legal_kana, legal_name, trimmed, widen_kana};
use crate::members::doc::Layout;

/// The mapped fields, by カオナビ's keys.
pub const FIELDS: [&str; 5] = ["name", "name_kana", "gender", "birthday", "entered_date"];

/// The codes of 所属 that カオナビ has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Departments<'a> {
    /// Not asked for, or カオナビ does not permit it: 所属 is left alone.
    Unknown,
    /// As last read.
    Known(&'a BTreeSet<String>),
}

/// What is known of カオナビ when a record is mapped.
#[derive(Debug, Clone, Copy)]
pub struct Known<'a> {
    /// Its layout.
    pub layout: &'a Layout,
    /// Its 所属.
    pub departments: Departments<'a>,
}

impl<'a> From<&'a Layout> for Known<'a> {
    fn from(layout: &'a Layout) -> Self {
        Self { layout, departments: Departments::Unknown }
    }
}

/// Why a person can not be sent as the record and the settings are.
#[derive(Clone, PartialEq, Eq)]
pub struct Unmappable {
    /// Stable code.
    pub code: &'static str,
    /// Which field; may quote a choice, so it is kept sealed.
    pub detail: String,
}

impl std::fmt::Debug for Unmappable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The detail may quote a value.
        f.debug_struct("Unmappable").field("code", &self.code).finish_non_exhaustive()
    }
}

/// What a record becomes.
#[derive(Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Field → value. `""` clears.
    pub values: Values,
    /// A business name stands without its reading, so フリガナ is left alone.
    pub business_kana_missing: bool,
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values are personal.
        f.debug_struct("Mapped").field("fields", &self.values.keys().collect::<Vec<_>>()).finish_non_exhaustive()
    }
}

/// Maps `record` for `op`.
///
/// # Errors
/// When a value does not fit the layout, a 性別 label has no mapping, or a required item would be missing.
pub fn map<'a>(
    record: &EmployeeRecord,
    settings: &Settings,
    known: impl Into<Known<'a>>,
    op: Op,
) -> Result<Mapped, Unmappable> {
    let known = known.into();
    let layout = known.layout;
    let business = trimmed(record.business_name.as_deref());
    let (name, kana) = match business {
        Some(name) => (Some(name.to_owned()), trimmed(record.business_name_kana.as_deref()).map(str::to_owned)),
        None => (legal_name(record, settings), legal_kana(record, settings)),
    };
    let mut values = Values::new();
    let date = |date: Option<Date>| date.map(|date| date.to_string());
    let mut fields = vec![
        ("name".to_owned(), name),
        ("name_kana".to_owned(), kana.as_deref().map(|text| widen_kana(text, settings.hiragana_to_katakana))),
        ("gender".to_owned(), gender(record, settings, layout)?),
        ("birthday".to_owned(), date(record.birthday)),
        ("entered_date".to_owned(), date(record.hire_date)),
    ];
    fields.extend(further::fields(record, settings, known)?);
    // A reading of which a part is missing is neither sent nor cleared: half of it says that there is one.
    let half = |one: &Option<String>, other: &Option<String>| {
        trimmed(one.as_deref()).is_some() != trimmed(other.as_deref()).is_some()
    };
    let kana_incomplete =
        kana.is_none() && (business.is_some() || half(&record.last_name_kana, &record.first_name_kana));
    for (field, value) in fields {
        match value {
            None if field == "name_kana" && kana_incomplete => {}
            Some(value) => {
                values.insert(field, value);
            }
            None if op == Op::Update
                && (settings.clear_when_empty.contains(&field) || broken::is(Broken::KeptCleared))
                && clearable(layout, &field) =>
            {
                values.insert(field, String::new());
            }
            None => {}
        }
    }
    if op == Op::Create {
        for (item, constant) in &settings.constants {
            if let Entry::Vacant(place) = values.entry(item.clone()) {
                further::constant(known, item, constant)?;
                place.insert(constant.clone());
            }
        }
    }
    check(&values, layout, op)?;
    Ok(Mapped { values, business_kana_missing: business_kana_is_missing(record) })
}

/// Maps somebody who became 退職: 退職日 and nothing else.
///
/// # Errors
/// When the layout has no 退職日, or does not take it.
pub fn map_leaver<'a>(record: &EmployeeRecord, known: impl Into<Known<'a>>) -> Result<Mapped, Unmappable> {
    let known = known.into();
    let mut values = Values::new();
    if let Some(date) = record.retired_date {
        further::writable(known.layout, "retired_date")?;
        values.insert("retired_date".to_owned(), date.to_string());
    }
    check(&values, known.layout, Op::Update)?;
    Ok(Mapped { values, business_kana_missing: false })
}

/// The 性別 label of a record, if it has one.
#[must_use]
pub fn gender_label(record: &EmployeeRecord) -> Option<&str> {
    trimmed(record.gender.as_deref())
}

fn gender(record: &EmployeeRecord, settings: &Settings, layout: &Layout) -> Result<Option<String>, Unmappable> {
    let Some(label) = gender_label(record) else { return Ok(None) };
    let Some(choice) = settings.gender.get(label) else {
        return Err(Unmappable { code: Code::MappingGenderUnmapped.as_str(), detail: label.to_owned() });
    };
    let Some(choice) = choice else { return Ok(None) };
    let known = layout.get("gender").is_some_and(|item| item.choices.iter().any(|offered| offered == choice));
    if known {
        Ok(Some(choice.clone()))
    } else {
        Err(Unmappable { code: Code::MappingGenderChoiceGone.as_str(), detail: choice.clone() })
    }
}

/// Whether カオナビ has the item and lets it be empty.
fn clearable(layout: &Layout, field: &str) -> bool {
    layout.get(field).is_some_and(|item| !item.required)
}
