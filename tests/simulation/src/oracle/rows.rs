//! I2, I6 and I7: every row of every call that left.

use std::collections::{BTreeMap, BTreeSet};

use renkei_runtime::clock::Millis;
use renkei_sandbox::kaonavi::TaskStatus;
use serde_json::Value;

use super::Judge;
use super::rules::{Fate, Wish, Wishes};
use crate::play::held_at_first;
use crate::scenario::code;
use crate::world::network::Departure;

pub(super) type Fields = BTreeMap<String, String>;
/// The rows that a call carried: codes with their fields.
pub(super) type Rows = Vec<(String, Fields)>;

/// The rows that a call was to write.
pub(super) fn rows_of(departure: &Departure) -> Rows {
    if departure.dry_run { Vec::new() } else { carried_by(departure) }
}

/// The rows that a call carried, to write them or to ask about them.
pub(super) fn carried_by(departure: &Departure) -> Rows {
    if !departure.url.ends_with("/members") {
        return Vec::new();
    }
    let body: Value = serde_json::from_slice(&departure.body).unwrap_or_default();
    let rows = body.get("member_data").and_then(Value::as_array).cloned().unwrap_or_default();
    rows.iter().map(fields_of).collect()
}

fn fields_of(row: &Value) -> (String, Fields) {
    let mut fields: Fields = row
        .as_object()
        .map(|row| {
            let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            row.iter().map(|(field, value)| (field.clone(), text(value))).collect()
        })
        .unwrap_or_default();
    let code = fields.remove("code").unwrap_or_default();
    (code, fields)
}

/// What カオナビ took of one member.
struct Taken {
    at: Millis,
    create: bool,
    fields: Fields,
    /// When its task ended well.
    ok: Option<Millis>,
}

impl Judge<'_> {
    pub(super) fn rows(&mut self) {
        let mut taken: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
        for row in &self.history.rows {
            let (_, fields) = fields_of(&serde_json::from_str(&row.row).unwrap_or_default());
            let task = self.history.tasks.get(&row.task_id);
            let ok = task.filter(|task| task.status == TaskStatus::Ok).and_then(|task| task.ended_at);
            taken.entry(row.code.clone()).or_default().push(Taken { at: row.at, create: row.create, fields, ok });
        }
        let people: BTreeMap<String, usize> = (1..3000).map(|person| (code(person), person)).collect();
        let all = std::mem::take(&mut self.rows);
        for (index, (departure, rows)) in self.history.departures.iter().zip(&all).enumerate() {
            if departure.method == "DELETE" {
                self.add("I7", departure.at, None, "a DELETE");
            }
            for (code, fields) in rows {
                if self.scenario.numbers.iter().any(|one| one.number == *code || one.before.as_ref() == Some(code)) {
                    continue;
                }
                let Some(person) = people.get(code) else {
                    self.add("I7", departure.at, None, format!("nobody has the number of a row: {code}"));
                    continue;
                };
                // Nor is anything known of a field that was tried and refused.
                let before = self.carried[code].iter().copied().take_while(|before| *before < index);
                let before = before.filter(|before| self.history.departures[*before].at < departure.at);
                let of_code = before.flat_map(|before| all[before].iter().filter(|(known, _)| known == code));
                let tried: BTreeSet<&str> = of_code.flat_map(|(_, fields)| fields.keys().map(String::as_str)).collect();
                let taken = taken.get(code).map(Vec::as_slice).unwrap_or_default();
                self.row(departure, *person, fields, taken, &tried);
            }
        }
        self.rows = all;
    }

    fn row(&mut self, departure: &Departure, person: usize, fields: &Fields, taken: &[Taken], tried: &BTreeSet<&str>) {
        let at = departure.at;
        let create = departure.method == "POST";
        let link = self.scenario.link_of(person);
        if self.history.paused[link].iter().any(|pause| pause.from <= at && at < pause.to) {
            self.add("I6", at, Some(person), "a write of a paused connection");
        }
        // What was judged leaves when the connection is made.
        let judged = Millis(at.0 - i64::try_from(self.scenario.further.connect).unwrap());
        let fates = self.lines.fates_between(link, person, judged, at);
        if fates.is_empty() {
            self.add("I7", at, Some(person), "a write of somebody who did not change");
        } else if !fates.iter().any(|fate| allowed(fate, fields, create)) {
            let names: Vec<&String> = fields.keys().collect();
            let kind = if create { "POST" } else { "PATCH" };
            self.add("I7", at, Some(person), format!("{kind} of {names:?} is not what the newest state says"));
        }
        if create {
            let made = taken.iter().any(|row| row.create && row.at <= at && row.ok.is_some());
            if made || person <= self.scenario.members {
                self.add("I2", at, Some(person), "registered although it is a member, or is about to be");
            }
            return;
        }
        for (field, value) in fields {
            self.same_again(at, person, (field, value), taken, tried.contains(field.as_str()));
        }
    }

    /// A PATCH of what カオナビ holds, and Renkei must know that it does.
    fn same_again(&mut self, at: Millis, person: usize, (field, value): (&str, &str), taken: &[Taken], tried: bool) {
        let of_field = |row: &&Taken| row.fields.contains_key(field) && row.at < at;
        let last = taken.iter().rfind(of_field);
        let (since, held) = match last {
            // What is under way, or failed, leaves it open.
            Some(row) if row.ok.is_none_or(|ok| ok >= at) => return,
            Some(row) => (row.at, row.fields[field].clone()),
            None => {
                // The first write leaves out what was read; what was never written since is written once.
                if person > self.scenario.members || taken.iter().any(|row| row.at < at) {
                    return;
                }
                if tried {
                    return;
                }
                let held = held_at_first(self.scenario, person).get(field).cloned().unwrap_or_default();
                (self.history.start, held)
            }
        };
        self.compare(at, person, since, field, value, &held);
    }

    fn compare(&mut self, at: Millis, person: usize, since: Millis, field: &str, value: &str, held: &str) {
        if value == held && !self.troubled(since, at) {
            self.add("I7", at, Some(person), format!("PATCH of {field}, which カオナビ holds already"));
        }
    }
}

/// Whether a row says nothing but what a fate wants.
pub(super) fn allowed(fate: &Fate, fields: &Fields, create: bool) -> bool {
    match fate {
        Fate::Send(wishes) if create => {
            let all = wishes.iter().filter_map(|(field, wish)| match wish {
                Wish::Be(value) => Some(((*field).to_owned(), value.clone())),
                Wish::Clear | Wish::Stay => None,
            });
            all.collect::<Fields>() == *fields
        }
        Fate::Send(wishes) => !fields.is_empty() && fields.iter().all(|(field, value)| wanted(wishes, field, value)),
        Fate::Leaver(date) => !create && fields.len() == 1 && fields.get("retired_date") == Some(date),
        Fate::Skip(_) | Fate::Park(_) => false,
    }
}

fn wanted(wishes: &Wishes, field: &str, value: &str) -> bool {
    match wishes.get(field) {
        Some(Wish::Be(wanted)) => wanted == value,
        Some(Wish::Clear) => value.is_empty(),
        Some(Wish::Stay) | None => false,
    }
}
