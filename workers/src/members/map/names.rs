//! 氏名 and フリガナ.

use renkei_events::record::EmployeeRecord;
use renkei_store::settings::Settings;
use unicode_normalization::UnicodeNormalization;

/// Whether a business name stands without its reading: then フリガナ is left alone, and somebody should know.
#[must_use]
pub fn business_kana_is_missing(record: &EmployeeRecord) -> bool {
    trimmed(record.business_name.as_deref()).is_some() && trimmed(record.business_name_kana.as_deref()).is_none()
}

pub(super) fn trimmed(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

pub(super) fn legal_name(record: &EmployeeRecord, settings: &Settings) -> Option<String> {
    let parts: Vec<&str> =
        [record.last_name.as_deref(), record.first_name.as_deref()].into_iter().filter_map(trimmed).collect();
    (!parts.is_empty()).then(|| parts.join(&settings.name_joiner))
}

pub(super) fn legal_kana(record: &EmployeeRecord, settings: &Settings) -> Option<String> {
    let last = trimmed(record.last_name_kana.as_deref())?;
    let first = trimmed(record.first_name_kana.as_deref())?;
    Some([last, first].join(&settings.name_joiner))
}

/// Half-width katakana with its sound marks becomes full-width, nothing else changes: normalising the whole text would alter
/// other characters of a name.
pub(super) fn widen_kana(text: &str, hiragana_too: bool) -> String {
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
