//! What has to be known to decide about a day.

use std::collections::BTreeMap;

use jiff::civil::Date;
use renkei_attendance::codes::Code;
use renkei_attendance::decide::{Decision, Question, Settings, decide};
use renkei_attendance::files::Content;
use renkei_attendance::matching::{AtSource, Matching};
use renkei_attendance::members::Member;
use renkei_attendance::protection::{InForce, Protection};
use renkei_attendance::reading::{Reading, Settled, hrmos, kingoftime};
use renkei_attendance::segments::SegmentTable;
use renkei_attendance::settings::LinkSettings;
use renkei_store::Store;
use renkei_store::attendance::book::BookDay;
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::error::StoreError;
use renkei_store::links::{AttendanceSource, Link};
use renkei_store::seal::Keys;

use crate::attendance::sides;
use crate::error::Result;

/// Decides about the days of one link.
pub(super) struct Judge {
    /// The link.
    pub link: Link,
    /// Its settings.
    pub settings: LinkSettings,
    /// What is protected, as far as somebody said so.
    pub protection: Protection,
    /// The day in Tokyo.
    pub today: Date,
    in_force: InForce,
    table: SegmentTable,
    members: Vec<Member>,
    people: Vec<AtSource>,
    keys: std::sync::Arc<Keys>,
}

impl Judge {
    /// Who has a code is compared from `oldest` on.
    pub(super) async fn new(store: &Store, link: &Link, oldest: &str, today: Date) -> Result<Self> {
        let settings = LinkSettings::from_stored(&link.settings);
        let statuses: BTreeMap<String, i64> = serde_json::from_str(&link.segments).unwrap_or_default();
        let listed = protections::of_link(&store.db, &link.id).await?;
        let protection = Protection::from_stored(settings.closing, listed.iter().map(ListedDays::days))
            .map_err(|fault| StoreError::Corrupt(fault.to_string()))?;
        let last = today.to_string();
        Ok(Self {
            in_force: protection.in_force(today),
            table: settings.segments(statuses),
            members: sides::members(store, &link.tenant).await?,
            people: sides::people(store, link, (oldest, &last)).await?,
            keys: std::sync::Arc::clone(&store.keys),
            link: link.clone(),
            settings,
            protection,
            today,
        })
    }

    /// Who is who.
    pub(super) fn matching(&self) -> Matching<'_> {
        Matching::new(&self.people, &self.members)
    }

    /// What becomes of a day; `None`: it was written by another version and waits for it.
    pub(super) fn decision(&self, matching: &Matching<'_>, day: &BookDay) -> Option<Decision> {
        let (code, date) = (Code::new(&day.told.code).ok()?, day.told.day.parse::<Date>().ok()?);
        let reading = self.reading(date, &day.told.value)?;
        let held = day.held.clone().map(Content::from_stored);
        let question = Question {
            code: &code,
            day: date,
            reading: &reading,
            held: held.as_ref(),
            forced: day.forced,
            matched: matching.of(&code),
        };
        let settings = Settings {
            past_midnight: self.settings.past_midnight,
            break_mode: self.settings.breaks,
            leave_columns: self.settings.files.leave_columns.as_ref(),
            encoding: self.settings.files.encoding,
        };
        Some(decide(&question, &settings, &self.in_force, |row| self.keys.hash("attendance_row", &[row])))
    }

    fn reading(&self, day: Date, value: &[u8]) -> Option<Reading> {
        let settled = Settled::of(day, self.today);
        match self.link.source {
            AttendanceSource::Hrmos => {
                let row: hrmos::Row = serde_json::from_slice(value).ok()?;
                Some(row.reading(&self.table, self.settings.times, settled))
            }
            AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji => {
                let row: kingoftime::Row = serde_json::from_slice(value).ok()?;
                Some(row.reading(day, &self.settings.kingoftime, settled))
            }
        }
    }
}
