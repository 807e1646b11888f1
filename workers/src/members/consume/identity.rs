//! Which person an event is about, where a CSV brought somebody by 社員番号 alone.
//!
//! Such a person stands under `n:` and the number. The first event that brings the number with an id of the source takes the
//! row over; an event that a file brought under the number is about whoever has it by then. Both are settled before the events
//! are laid over the rows, so that from there on every event has the key of its person.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use renkei_events::csv;
use renkei_events::event::{EmployeeEvent, Origin};
use renkei_events::ids::EmployeeId;
use renkei_runtime::clock::Millis;
use renkei_store::connections::{self, Connection};
use renkei_store::db::Tx;
use renkei_store::known;
use renkei_store::takeover::{Takeover, take_over};
use renkei_store::{content, uploads};

use super::batch::Placed;
use crate::context::Context;
use crate::error::Result;

/// Gives every event the id of its person; the accounts of its connections are locked.
pub(super) async fn settle(
    context: &Context,
    tx: &Tx,
    connections: &BTreeMap<String, Connection>,
    events: &mut [Placed],
    now: Millis,
) -> Result<()> {
    let ids: Vec<&str> = connections.keys().map(String::as_str).collect();
    let mut with_files = uploads::among(tx, &ids).await?;
    let brought = events.iter().filter(|placed| placed.event.origin == Origin::Csv);
    with_files.extend(brought.map(|placed| placed.event.connection_id.to_string()));
    for id in with_files {
        let Some(connection) = connections.get(&id) else { continue };
        if connection.account.is_none() {
            // No account's lock keeps another consumer away, who may just bring the same person in another way.
            connections::lock(tx, &id).await?;
        }
        let of_connection = events.iter_mut().filter(|placed| placed.event.connection_id.as_str() == id);
        of_connection_settled(context, tx, connection, of_connection.collect(), now).await?;
    }
    Ok(())
}

/// The id that stands for the number of an event's record, and whether the event stands under it.
fn by_number(event: &EmployeeEvent) -> Option<(String, EmployeeId, bool)> {
    let number = event.employee.as_ref()?.employee_number.as_ref()?;
    let stand_in = csv::id_of_number(number).ok()?;
    let stands_in = event.employee_id == stand_in;
    Some((number.to_string(), stand_in, stands_in))
}

async fn of_connection_settled(
    context: &Context,
    tx: &Tx,
    connection: &Connection,
    mut events: Vec<&mut Placed>,
    now: Millis,
) -> Result<()> {
    let numbers: BTreeSet<String> =
        events.iter().filter_map(|placed| by_number(&placed.event)).map(|(number, _, _)| number).collect();
    let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let mut holders = known::ids_of_numbers(tx, &connection.id, &numbers).await?;
    let claims = claims(tx, connection, &events).await?;
    let mut wanted = Vec::new();
    for (number, Claim { stand_in, people }) in &claims {
        let stands_there = holders.get(number).is_some_and(|ids| ids.iter().any(|id| id == stand_in.as_str()));
        if let (true, Some(first)) = (stands_there, people.first()) {
            wanted.push(Takeover { from: stand_in.to_string(), to: first.clone() });
        }
    }
    let taken: HashSet<String> = take_over(&context.store, tx, connection, &wanted, now).await?;
    for (number, Claim { stand_in, people }) in claims {
        let ids = holders.entry(number).or_default();
        if taken.contains(stand_in.as_str()) {
            ids.retain(|id| id != stand_in.as_str());
        }
        for person in people {
            if !ids.iter().any(|id| id == person.as_str()) {
                ids.push(person.to_string());
            }
        }
    }
    for placed in &mut events {
        redirect(context, placed, &holders);
    }
    Ok(())
}

/// Who has a number by an id of the source.
struct Claim {
    /// Who stands in for the number.
    stand_in: EmployeeId,
    /// Who has it, in the order of the log.
    people: Vec<EmployeeId>,
}

/// The people of the events who have a number by an id of the source. Whoever has another number by now does not count.
async fn claims(tx: &Tx, connection: &Connection, events: &[&mut Placed]) -> Result<BTreeMap<String, Claim>> {
    let people: BTreeSet<&str> = events
        .iter()
        .filter(|placed| by_number(&placed.event).is_some_and(|(_, _, stands_in)| !stands_in))
        .map(|placed| placed.event.employee_id.as_str())
        .collect();
    let people: Vec<&str> = people.into_iter().collect();
    let known = known::of_people(tx, &connection.id, &people).await?;
    let mut claims: BTreeMap<String, Claim> = BTreeMap::new();
    for placed in events {
        let Some((number, stand_in, false)) = by_number(&placed.event) else { continue };
        let id = &placed.event.employee_id;
        let is_old = known
            .get(id.as_str())
            .is_some_and(|known| placed.event.version.0 < known.version && placed.content != known.content);
        if is_old {
            continue;
        }
        let claim = claims.entry(number).or_insert_with(|| Claim { stand_in, people: Vec::new() });
        if !claim.people.contains(id) {
            claim.people.push(id.clone());
        }
    }
    Ok(claims)
}

/// An event that a file brought under a number is about the one person who has it. Where several have it nobody can say whom it
/// means; then it stays by itself, and they are all set aside for sharing a number.
fn redirect(context: &Context, placed: &mut Placed, holders: &HashMap<String, Vec<String>>) {
    let event = &mut placed.event;
    let Some((number, stand_in, true)) = by_number(event) else { return };
    if event.origin != Origin::Csv {
        return;
    }
    let Some(holders) = holders.get(&number) else { return };
    let [holder] = holders.as_slice() else { return };
    let Ok(id) = EmployeeId::new(holder.clone()) else { return };
    if id == stand_in {
        return;
    }
    event.employee_id = id.clone();
    if let Some(record) = &mut event.employee {
        record.employee_id = id;
    }
    placed.content = content::of_event(&context.store.keys, event);
}
