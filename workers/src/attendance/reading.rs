//! A source's rows as they are kept until their date is read whole.

use renkei_attendance::reading::{hrmos, kingoftime};
use renkei_store::attendance::staging::Staged;
use renkei_store::seal::Keys;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::consume::content;

/// A row of HRMOS勤怠. `None` when it does not say whom and which date it is about.
pub(super) fn hrmos(keys: &Keys, row: &RawValue) -> Option<Staged> {
    let found = hrmos::found(row.get())?;
    // By way of a value, whose keys are in order: that is how it comes back from the log, and what is hashed.
    let value = serde_json::to_value(&found.row).ok()?;
    let value = serde_json::to_vec(&value).ok()?;
    Some(Staged {
        content: content(keys, &value),
        person: found.person,
        code: found.code,
        updated_at: found.updated_at,
        value,
    })
}

/// A row of KING OF TIME or 勤革時: its person's key, the code as the list of people has it, and what both lists say.
pub(super) fn kingoftime(keys: &Keys, person: &str, code: &str, row: &kingoftime::Row) -> Option<Staged> {
    let value = serde_json::to_vec(&serde_json::to_value(row).ok()?).ok()?;
    Some(Staged {
        content: content(keys, &value),
        person: person.to_owned(),
        code: code.trim().to_owned(),
        // Both lists are read whole, so that nobody stands in them twice.
        updated_at: String::new(),
        value,
    })
}

/// Title and status of a work type.
pub(super) fn segment(row: &RawValue) -> Option<(String, i64)> {
    #[derive(Deserialize)]
    struct Segment {
        title: String,
        status: i64,
    }
    let segment: Segment = serde_json::from_str(row.get()).ok()?;
    Some((segment.title.trim().to_owned(), segment.status))
}
