//! 氏名 and フリガナ.

use renkei_events::record::EmployeeRecord;
use renkei_store::settings::Settings;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::compose;

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

/// The reading of the legal name as it would be sent, if both parts have one.
#[must_use]
pub fn legal_reading(record: &EmployeeRecord, settings: &Settings) -> Option<String> {
    legal_kana(record, settings).map(|kana| widen_kana(&kana, settings.hiragana_to_katakana))
}

/// Half-width katakana with its sound marks becomes full-width, nothing else changes: normalising the whole text would alter
/// other characters of a name. A half-width mark goes with the kana before it, of whichever width; one that stands alone or
/// after what takes none becomes the full-width mark.
pub(super) fn widen_kana(text: &str, hiragana_too: bool) -> String {
    let mut wide = String::with_capacity(text.len());
    for c in text.chars() {
        let (combining, alone) = match c {
            '\u{FF9E}' => ('\u{3099}', '\u{309B}'),
            '\u{FF9F}' => ('\u{309A}', '\u{309C}'),
            '\u{FF66}'..='\u{FF9D}' => {
                wide.extend(std::iter::once(c).nfkc());
                continue;
            }
            'ぁ'..='ゖ' if hiragana_too => {
                wide.push(char::from_u32(u32::from(c) + 0x60).unwrap_or(c));
                continue;
            }
            other => {
                wide.push(other);
                continue;
            }
        };
        match wide.chars().next_back().and_then(|before| compose(before, combining)) {
            Some(composed) => {
                wide.pop();
                wide.push(composed);
            }
            None => wide.push(alone),
        }
    }
    wide
}
