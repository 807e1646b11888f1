//! A value is looked at before カオナビ looks at it: there one bad record stops a whole call.

use jiff::civil::Date;
use renkei_events::codes::Code;
use renkei_store::employees::{Op, Values};

use super::Unmappable;
use crate::members::doc::Layout;

/// Whether カオナビ would take the values: length, choice, calendar date, what is required.
pub(super) fn check(values: &Values, layout: &Layout, op: Op) -> Result<(), Unmappable> {
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
        if item.kind == "date" && !value.is_empty() && value.parse::<Date>().is_err() {
            return Err(Unmappable { code: Code::MappingDateInvalid.as_str(), detail: field.clone() });
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
