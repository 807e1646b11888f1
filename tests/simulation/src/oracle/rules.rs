//! Who goes over, and what.

use std::collections::BTreeMap;

use renkei_store::settings::Settings;

use crate::scenario::{LAST, Said, What};

/// What a field is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wish {
    /// This.
    Be(String),
    /// Nothing.
    Clear,
    /// Whatever it is.
    Stay,
}

/// The five fields.
pub(super) type Wishes = BTreeMap<&'static str, Wish>;

/// What is to be done about a state of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes over.
    Send(Wishes),
    /// Somebody left: 退職日 goes over if カオナビ has the member.
    Leaver(String),
    /// It does not, for a reason.
    Skip(&'static str),
    /// A person has to look.
    Park(&'static str),
}

pub(super) fn fate(what: &What, settings: &Settings) -> Fate {
    let said = match what {
        What::State(said) => said,
        What::Deleted => return Fate::Skip("deleted_at_source"),
        What::Invalid => return Fate::Park("source.record_invalid"),
    };
    let types = &settings.filter.employment_types;
    let filtered = !types.is_empty() && !said.employment.as_ref().is_some_and(|kind| types.contains(kind));
    let whole = said.entry == "データ入力完了" && said.numbered;
    if let Some(date) = said.retired.as_ref().filter(|_| said.status == "退職" && settings.retired_date && whole) {
        return if filtered { Fate::Skip("filtered") } else { Fate::Leaver(date.clone()) };
    }
    if said.status == "応募者" || said.status == "退職" {
        return Fate::Skip("status_excluded");
    }
    if said.entry != "データ入力完了" {
        return Fate::Skip("data_entry_incomplete");
    }
    if !said.numbered {
        return Fate::Park("missing_employee_number");
    }
    if filtered {
        return Fate::Skip("filtered");
    }
    Fate::Send(wishes(said, settings))
}

fn wishes(said: &Said, settings: &Settings) -> Wishes {
    let empty = |field: &str| match settings.clear_when_empty.contains(field) {
        true => Wish::Clear,
        false => Wish::Stay,
    };
    let or_empty =
        |field: &'static str, value: &Option<String>| (field, value.clone().map_or_else(|| empty(field), Wish::Be));
    let (name, kana) = match &said.business {
        // The legal reading must not show with a business name.
        Some((name, kana)) => (name.clone(), kana.clone().map_or(Wish::Stay, Wish::Be)),
        None => {
            let kana = said.kana.as_ref().map(|(last, first)| format!("{last} {first}"));
            (format!("{LAST} {}", said.first), kana.map_or_else(|| empty("name_kana"), Wish::Be))
        }
    };
    [
        ("name", Wish::Be(name)),
        ("name_kana", kana),
        or_empty("gender", &said.gender),
        or_empty("birthday", &said.birthday),
        or_empty("entered_date", &said.hired),
    ]
    .into()
}
