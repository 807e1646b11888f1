//! A value is looked at before カオナビ looks at it: there one bad record stops a whole call.

use jiff::civil::Date;
use renkei_events::codes::Code;
use renkei_store::employees::{Op, Values};

use super::Unmappable;
use crate::members::doc::{Layout, LayoutItem};

/// What カオナビ has against a value for an item, if anything: read only, length, choice, calendar date, what is required.
#[must_use]
pub fn against(item: &LayoutItem, value: &str) -> Option<Code> {
    if item.read_only {
        return Some(Code::MappingItemNotInLayout);
    }
    if item.max_length.is_some_and(|longest| value.chars().count() > longest as usize) {
        return Some(Code::MappingTooLong);
    }
    if item.kind == "enum" && !value.is_empty() && !item.choices.iter().any(|choice| choice == value) {
        return Some(Code::MappingChoiceNotInLayout);
    }
    // Only the one form that カオナビ takes: others can be read as a date as well.
    let day = || value.parse::<Date>().is_ok_and(|date| date.to_string() == value);
    if item.kind == "date" && !value.is_empty() && !day() {
        return Some(Code::MappingDateInvalid);
    }
    (item.required && value.trim().is_empty()).then_some(Code::MappingRequiredMissing)
}

/// Whether カオナビ would take the values, and all that is required is there.
pub(super) fn check(values: &Values, layout: &Layout, op: Op) -> Result<(), Unmappable> {
    for (field, value) in values {
        if let Some(code) = layout.get(field).and_then(|item| against(item, value)) {
            return Err(Unmappable { code: code.as_str(), detail: field.clone() });
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
