//! What is known around the people that are judged: codes, near numbers, who shares one, how many change at once.

use std::collections::{BTreeSet, HashMap, HashSet};

use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::codes::{self, Code, field_hash, near_key};
use renkei_store::connections::Connection;
use renkei_store::employees::{self, FullRow, Op, Values};

use super::held::{Held, TooMany};
use crate::error::Result;
use crate::members::doc::Layout;
use crate::members::eligible::{Sent, sent_as};
use crate::members::judge::{Facts, Verdict, judge};
use crate::members::map::{Departments, Known, business_kana_is_missing, legal_reading, map, map_leaver};

/// Gathered once for all people of a step.
pub struct Surroundings {
    account: String,
    now: Millis,
    codes_read: Option<Millis>,
    known: HashMap<String, Code>,
    near: HashMap<String, Vec<String>>,
    shared: HashSet<(String, String)>,
    layout: Layout,
    departments: Option<BTreeSet<String>>,
    too_many: HashMap<String, TooMany>,
}

impl Surroundings {
    /// Gathers what is known around `rows`.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn of(held: &Held, rows: &[FullRow]) -> Result<Self> {
        let account = held.account.id.clone();
        let numbers: Vec<String> = rows.iter().filter_map(|row| row.number.clone()).collect();
        let mut shared = HashSet::new();
        let mut too_many = HashMap::new();
        for connection in &held.connections {
            let of_connection = rows.iter().filter(|row| row.key.connection == connection.id);
            let numbers: Vec<String> = of_connection.filter_map(|row| row.number.clone()).collect();
            if numbers.is_empty() {
                continue;
            }
            for number in employees::shared_numbers(&held.tx, &connection.id, &numbers).await? {
                shared.insert((connection.id.clone(), number));
            }
            too_many.insert(connection.id.clone(), held.too_many(connection).await?);
        }
        Ok(Self {
            known: codes::find(&held.tx, &account, &numbers).await?,
            near: codes::near(&held.tx, &account, &numbers).await?,
            now: held.now,
            codes_read: held.doc.codes_read,
            layout: held.doc.layout.clone().unwrap_or_default(),
            departments: held.doc.departments.clone().filter(|_| !held.doc.departments_denied),
            account,
            shared,
            too_many,
        })
    }

    /// Everything that the record of a person maps to when it is changed: of somebody who left, 退職日 and nothing else.
    #[must_use]
    pub fn mapped(&self, row: &FullRow, connection: &Connection) -> Values {
        let settings = &connection.settings;
        let mapped = row.record.as_ref().map(|record| match sent_as(record, settings.retired_date) {
            Ok(Sent::Leaver) => map_leaver(record, self.known()),
            _ => map(record, settings, self.known(), Op::Update),
        });
        mapped.and_then(std::result::Result::ok).map(|mapped| mapped.values).unwrap_or_default()
    }

    /// The codes of カオナビ that a person could take for this one's number, which itself is not among them.
    #[must_use]
    pub fn near(&self, row: &FullRow) -> Vec<&str> {
        let number = row.number.as_deref().unwrap_or_default();
        let near = self.near.get(&near_key(number)).into_iter().flatten().map(String::as_str);
        near.filter(|code| *code != number).collect()
    }

    /// Whether カオナビ shows the reading of a legal name beside a business name that has none.
    #[must_use]
    pub fn shows_legal_reading(&self, store: &Store, row: &FullRow, connection: &Connection) -> bool {
        let (Some(record), Some(number)) = (&row.record, &row.number) else { return false };
        let reading = legal_reading(record, &connection.settings).filter(|_| business_kana_is_missing(record));
        let held = self.known.get(number).filter(|code| code.present).and_then(|code| code.hashes.get("name_kana"));
        reading
            .zip(held)
            .is_some_and(|(reading, held)| *held == field_hash(store, &self.account, number, "name_kana", &reading))
    }

    fn known(&self) -> Known<'_> {
        let departments = self.departments.as_ref().map_or(Departments::Unknown, Departments::Known);
        Known { layout: &self.layout, departments }
    }

    /// Judges one person of a connection.
    #[must_use]
    pub fn judge(&self, store: &Store, row: &FullRow, connection: &Connection) -> Verdict {
        let number = row.number.clone().unwrap_or_default();
        let too_many = self.too_many.get(&connection.id).copied().unwrap_or_default();
        let facts = Facts {
            code: self.known.get(&number),
            near: self.near.get(&near_key(&number)).map_or(&[], Vec::as_slice),
            shared: self.shared.contains(&(connection.id.clone(), number.clone())),
            braked: too_many.updates,
            over_ceiling: too_many.creates,
            codes_read: self.codes_read,
            now: self.now,
        };
        let hash = |field: &str, value: &str| field_hash(store, &self.account, &number, field, value);
        judge(row, facts, &connection.settings, self.known(), &hash)
    }
}
