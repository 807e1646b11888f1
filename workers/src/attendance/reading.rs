//! A source's rows as they are kept until their date is read whole.

use renkei_attendance::reading::{hrmos, kingoftime};
use renkei_store::attendance::staging::Staged;
use renkei_store::links::AttendanceSource;
use renkei_store::seal::Keys;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::consume::content;

/// A row of HRMOS勤怠. `None` when it does not say whom and which date it is about.
pub(super) fn hrmos(keys: &Keys, company: &str, row: &RawValue) -> Option<Staged> {
    let found = hrmos::found(row.get())?;
    let value = as_it_comes_back(&found.row)?;
    Some(Staged {
        content: content(keys, &value),
        // Another company may have given the same id to somebody else.
        person: format!("{company}/{}", found.person),
        code: found.code,
        updated_at: found.updated_at,
        value,
    })
}

/// By way of a value, whose keys are in order: that is how it comes back from the log, and what is hashed.
fn as_it_comes_back(row: &impl Serialize) -> Option<Vec<u8>> {
    serde_json::to_vec(&serde_json::to_value(row).ok()?).ok()
}

/// A day of which the source has no row any more.
pub(super) fn gone(keys: &Keys, source: AttendanceSource, person: &str, code: &str) -> Option<Staged> {
    match source {
        AttendanceSource::Hrmos => staged(keys, person, code, &hrmos::Row::default()),
        AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji => {
            staged(keys, person, code, &kingoftime::Row::default())
        }
    }
}

/// A row of KING OF TIME or 勤革時: its person's key, the code as the list of people has it, and what both lists say.
pub(super) fn kingoftime(keys: &Keys, person: &str, code: &str, row: &kingoftime::Row) -> Option<Staged> {
    staged(keys, person, code.trim(), row)
}

/// A row of a date that was read whole, so that nobody stands there twice.
fn staged(keys: &Keys, person: &str, code: &str, row: &impl Serialize) -> Option<Staged> {
    let value = as_it_comes_back(row)?;
    Some(Staged {
        content: content(keys, &value),
        person: person.to_owned(),
        code: code.to_owned(),
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
