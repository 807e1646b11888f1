//! From an employee record to the fields of a カオナビ member.
//!
//! Five fields go over: 氏名, フリガナ, 性別, 生年月日, 入社日. A business name wins over the legal one, and then the legal
//! reading must not show either. Every value is checked against the layout before it is sent, so that カオナビ has little to
//! refuse.

use jiff::civil::Date;
use renkei_events::codes::Code;
use renkei_events::record::EmployeeRecord;
use renkei_store::employees::{Op, Values};
use renkei_store::settings::Settings;
use unicode_normalization::UnicodeNormalization;

use crate::members::doc::Layout;

/// The mapped fields, by カオナビ's keys.
pub const FIELDS: [&str; 5] = ["name", "name_kana", "gender", "birthday", "entered_date"];

/// Why a person can not be sent as the record and the settings are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmappable {
    /// Stable code.
    pub code: &'static str,
    /// Which field; may quote a choice, so it is kept sealed.
    pub detail: String,
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
pub fn map(record: &EmployeeRecord, settings: &Settings, layout: &Layout, op: Op) -> Result<Mapped, Unmappable> {
    let business = trimmed(record.business_name.as_deref());
    let (name, kana) = match business {
        Some(name) => (Some(name.to_owned()), trimmed(record.business_name_kana.as_deref()).map(str::to_owned)),
        None => (legal_name(record, settings), legal_kana(record, settings)),
    };
    let mut values = Values::new();
    let date = |date: Option<Date>| date.map(|date| date.to_string());
    let fields = [
        ("name", name),
        ("name_kana", kana.as_deref().map(|text| widen_kana(text, settings.hiragana_to_katakana))),
        ("gender", gender(record, settings, layout)?),
        ("birthday", date(record.birthday)),
        ("entered_date", date(record.hire_date)),
    ];
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
                values.insert(field.to_owned(), value);
            }
            None if op == Op::Update && settings.clear_when_empty.contains(field) && !required(layout, field) => {
                values.insert(field.to_owned(), String::new());
            }
            None => {}
        }
    }
    if op == Op::Create {
        for (item, constant) in &settings.constants {
            values.entry(item.clone()).or_insert_with(|| constant.clone());
        }
    }
    check(&values, layout, op)?;
    Ok(Mapped { values, business_kana_missing: business_kana_is_missing(record) })
}

/// Whether a business name stands without its reading: then フリガナ is left alone, and somebody should know.
#[must_use]
pub fn business_kana_is_missing(record: &EmployeeRecord) -> bool {
    trimmed(record.business_name.as_deref()).is_some() && trimmed(record.business_name_kana.as_deref()).is_none()
}

fn trimmed(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn legal_name(record: &EmployeeRecord, settings: &Settings) -> Option<String> {
    let parts: Vec<&str> =
        [record.last_name.as_deref(), record.first_name.as_deref()].into_iter().filter_map(trimmed).collect();
    (!parts.is_empty()).then(|| parts.join(&settings.name_joiner))
}

fn legal_kana(record: &EmployeeRecord, settings: &Settings) -> Option<String> {
    let last = trimmed(record.last_name_kana.as_deref())?;
    let first = trimmed(record.first_name_kana.as_deref())?;
    Some([last, first].join(&settings.name_joiner))
}

/// Half-width katakana with its sound marks becomes full-width, nothing else changes: normalising the whole text would alter
/// other characters of a name.
fn widen_kana(text: &str, hiragana_too: bool) -> String {
    let mut wide = String::with_capacity(text.len());
    let mut run = String::new();
    for c in text.chars() {
        if ('\u{FF66}'..='\u{FF9F}').contains(&c) {
            run.push(c);
            continue;
        }
        wide.extend(run.nfkc());
        run.clear();
        wide.push(match c {
            'ぁ'..='ゖ' if hiragana_too => char::from_u32(u32::from(c) + 0x60).unwrap_or(c),
            other => other,
        });
    }
    wide.extend(run.nfkc());
    wide
}

fn gender(record: &EmployeeRecord, settings: &Settings, layout: &Layout) -> Result<Option<String>, Unmappable> {
    let Some(label) = trimmed(record.gender.as_deref()) else { return Ok(None) };
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

fn required(layout: &Layout, field: &str) -> bool {
    layout.get(field).is_some_and(|item| item.required)
}

fn check(values: &Values, layout: &Layout, op: Op) -> Result<(), Unmappable> {
    for (field, value) in values {
        let Some(item) = layout.get(field) else { continue };
        if let Some(longest) = item.max_length
            && value.chars().count() > longest as usize
        {
            return Err(Unmappable { code: Code::MappingTooLong.as_str(), detail: field.clone() });
        }
        let choice_fits = item.kind != "enum" || value.is_empty() || item.choices.contains(value);
        if !choice_fits {
            return Err(Unmappable { code: Code::MappingChoiceNotInLayout.as_str(), detail: field.clone() });
        }
        if item.required && value.trim().is_empty() {
            return Err(Unmappable { code: Code::MappingRequiredMissing.as_str(), detail: field.clone() });
        }
    }
    if op == Op::Create {
        for (key, item) in layout {
            if item.required && key != "code" && !values.contains_key(key) {
                return Err(Unmappable { code: Code::MappingRequiredMissing.as_str(), detail: key.clone() });
            }
        }
    }
    Ok(())
}
