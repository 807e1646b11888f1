//! What a row of HRMOS勤怠's daily attendance says, as it is kept.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::reading::clock::{NextDay, next_day};
use crate::reading::tolerant::{list, number, text};

/// A break from the third on; the source gives no flag with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExtraBreak {
    /// Registered start, `HH:MM`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub start_at: Option<String>,
    /// Registered end, `HH:MM`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub end_at: Option<String>,
    /// Punched start, `HH:MM`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub stamping_start_at: Option<String>,
    /// Punched end, `HH:MM`.
    #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    pub stamping_end_at: Option<String>,
}

macro_rules! row {
    (
        texts { $($(#[$text_doc:meta])* $text:ident,)+ }
        flags { $($(#[$flag_doc:meta])* $flag:ident,)+ }
    ) => {
        /// What of a row matters, under the source's own names: times, flags, breaks and leave. Names, notes, states and totals
        /// are dropped when it is read. It is what the book keeps, so that a day can be read again when a setting changes.
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Row {
            $($(#[$text_doc])*
            #[serde(deserialize_with = "text", skip_serializing_if = "Option::is_none")]
            pub $text: Option<String>,)+
            $($(#[$flag_doc])*
            #[serde(deserialize_with = "next_day", skip_serializing_if = "Option::is_none")]
            pub $flag: Option<NextDay>,)+
            /// Breaks from the third on.
            #[serde(deserialize_with = "list", skip_serializing_if = "Vec::is_empty")]
            pub extra_breaks: Vec<ExtraBreak>,
            /// Days of paid leave, hourly leave counted in: 0.5 is half a day.
            #[serde(deserialize_with = "number", skip_serializing_if = "Option::is_none")]
            pub paid_holiday_with_time_paid: Option<f64>,
        }
    };
}

row! {
    texts {
        /// Name of the work type.
        segment_title,
        /// Its name for people.
        segment_display_title,
        /// Registered start of work, `HH:MM`.
        start_at,
        /// Registered end of work, `HH:MM`.
        end_at,
        /// Punched start of work, `HH:MM`.
        stamping_start_at,
        /// Punched end of work, `HH:MM`.
        stamping_end_at,
        /// Registered start of the first break, `HH:MM`.
        break_1_start_at,
        /// Registered end of the first break, `HH:MM`.
        break_1_end_at,
        /// Registered start of the second break, `HH:MM`.
        break_2_start_at,
        /// Registered end of the second break, `HH:MM`.
        break_2_end_at,
        /// Punched start of the first break, `HH:MM`.
        stamping_break_1_start_at,
        /// Punched end of the first break, `HH:MM`.
        stamping_break_1_end_at,
        /// Punched start of the second break, `HH:MM`.
        stamping_break_2_start_at,
        /// Punched end of the second break, `HH:MM`.
        stamping_break_2_end_at,
        /// Length of hourly leave, `H:MM`.
        time_paid_holiday,
    }
    flags {
        /// On which day the registered start of work is.
        next_day_start,
        /// On which day the registered end of work is.
        next_day_end,
        /// On which day the first break begins.
        next_day_break_1_start,
        /// On which day the first break ends.
        next_day_break_1_end,
        /// On which day the second break begins.
        next_day_break_2_start,
        /// On which day the second break ends.
        next_day_break_2_end,
    }
}

/// A row with whom and which date it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The source's own id of the person; `number:` and the number where the source left it out.
    pub person: String,
    /// 社員番号, trimmed; empty where there is none.
    pub code: String,
    /// The work date.
    pub day: Date,
    /// When the source last changed the row, as it wrote it.
    pub updated_at: String,
    /// What matters.
    pub row: Row,
}

#[derive(Deserialize)]
struct Head {
    #[serde(default, deserialize_with = "text")]
    user_id: Option<String>,
    #[serde(default, deserialize_with = "text")]
    number: Option<String>,
    day: Date,
    #[serde(default, deserialize_with = "text")]
    updated_at: Option<String>,
}

/// Reads a row of the source. `None` when it does not say whom and which date it is about, or is no row at all.
#[must_use]
pub fn found(json: &str) -> Option<Found> {
    let head: Head = serde_json::from_str(json).ok()?;
    let row: Row = serde_json::from_str(json).ok()?;
    let code = head.number.unwrap_or_default();
    let person = match head.user_id {
        Some(id) => id,
        None if !code.is_empty() => format!("number:{code}"),
        None => return None,
    };
    Some(Found { person, code, day: head.day, updated_at: head.updated_at.unwrap_or_default(), row })
}

/// Of the rows of one person and date the one that was changed last, and of equally late ones the last. Pages move while they are
/// read, so that a row may come twice. The order is by person and date.
#[must_use]
pub fn latest(rows: impl IntoIterator<Item = Found>) -> Vec<Found> {
    let mut kept = std::collections::BTreeMap::<(String, Date), Found>::new();
    for row in rows {
        match kept.entry((row.person.clone(), row.day)) {
            std::collections::btree_map::Entry::Vacant(entry) => {
                entry.insert(row);
            }
            std::collections::btree_map::Entry::Occupied(mut entry) => {
                if changed(&row) >= changed(entry.get()) {
                    entry.insert(row);
                }
            }
        }
    }
    kept.into_values().collect()
}

/// When a row was changed. A time that can not be read is before all others.
fn changed(row: &Found) -> Option<Timestamp> {
    row.updated_at.parse().ok()
}
