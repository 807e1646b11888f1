//! A task ended well: what カオナビ now holds is written down.

use std::collections::HashMap;

use renkei_events::codes::Code;
use renkei_runtime::broken::{self, Broken};
use renkei_store::activity::{self, Entry};
use renkei_store::batches::{self, Batch, Member};
use renkei_store::codes::{self, WrittenCode, field_hash};
use renkei_store::employees::{self, EmployeeKey, FORGOTTEN, FullRow, Landing, Op, Values};

use super::held::Held;
use super::outcome::search_passed;
use crate::context::Context;
use crate::error::Result;
use crate::members::judge::{NAME_WITHOUT_BLANKS, without_blanks};

/// Settles all people of a batch whose task is OK.
///
/// # Errors
/// When the store does not answer.
pub async fn ok(context: &Context, held: &mut Held, batch: &Batch) -> Result<()> {
    if !batches::finish(&context.store, &held.tx, &batch.account, batch.id, "ok", held.now).await? {
        return Ok(());
    }
    let flown: Vec<(Member, Values)> = batch.members.iter().cloned().zip(batch.payload.iter().cloned()).collect();
    let kind = if batch.op == Op::Create { "created" } else { "updated" };
    land(context, held, &flown, kind).await?;
    let planned = held.doc.last_final.map_or(batch.planned, |(planned, _)| planned.max(batch.planned));
    held.doc.last_final = Some((planned, held.now));
    held.doc.last_success = Some(held.now);
    if let Some(id) = batch.repair {
        search_passed(held, id).await?;
    }
    Ok(())
}

/// Who landed while somebody else with the same number came is set aside like the other one.
async fn sharers(held: &Held, landings: &[Landing]) -> Result<Vec<Entry>> {
    let mut by_connection: HashMap<&str, Vec<String>> = HashMap::new();
    for landing in landings.iter().filter(|landing| !landing.due_again) {
        by_connection.entry(&landing.key.connection).or_default().push(landing.number.clone());
    }
    let mut entries = Vec::new();
    for (connection, numbers) in by_connection {
        for number in employees::shared_numbers(&held.tx, connection, &numbers).await? {
            let parked = employees::park_sharers(&held.tx, connection, &number, held.now).await?;
            entries.extend(parked.into_iter().map(|key| Entry {
                at: held.now,
                connection: key.connection,
                employee: Some(key.employee),
                kind: "parked".to_owned(),
                code: Some(Code::MemberNumberShared.as_str().to_owned()),
                detail: None,
            }));
        }
    }
    Ok(entries)
}

/// Writes down that カオナビ holds these values of these people.
///
/// # Errors
/// When the store does not answer.
pub async fn land(context: &Context, held: &Held, flown: &[(Member, Values)], kind: &str) -> Result<()> {
    let keys: Vec<EmployeeKey> = flown.iter().map(|(member, _)| member.key.clone()).collect();
    let rows = employees::lock_full(&context.store, &held.tx, &keys).await?;
    let mut rows: HashMap<EmployeeKey, FullRow> = rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    let account = held.account.id.as_str();
    let mut landings = Vec::with_capacity(flown.len());
    let mut written = Vec::with_capacity(flown.len());
    let mut entries = Vec::with_capacity(flown.len());
    for (member, values) in flown {
        let Some(row) = rows.remove(&member.key) else { continue };
        let same_number = row.written_number.as_deref().is_none_or(|written| written == member.code);
        let before = row.written.filter(|_| same_number).unwrap_or_default();
        let changes: HashMap<&String, (Option<&String>, &String)> = values
            .iter()
            .map(|(field, value)| (field, (before.get(field).filter(|old| *old != FORGOTTEN), value)))
            .collect();
        entries.push(Entry {
            at: held.now,
            connection: member.key.connection.clone(),
            employee: Some(member.key.employee.clone()),
            kind: kind.to_owned(),
            code: None,
            detail: serde_json::to_string(&changes).ok(),
        });
        let hash = |field: &str, value: &str| field_hash(&context.store, account, &member.code, field, value);
        let mut hashes: std::collections::BTreeMap<String, String> =
            values.iter().map(|(field, value)| (field.clone(), hash(field, value))).collect();
        if let Some(name) = values.get("name") {
            hashes.insert(NAME_WITHOUT_BLANKS.to_owned(), hash(NAME_WITHOUT_BLANKS, &without_blanks(name)));
        }
        let owner = (member.key.connection.clone(), member.key.employee.clone());
        written.push(WrittenCode { code: member.code.clone(), owner, hashes });
        let mut all = before;
        all.extend(values.clone());
        landings.push(Landing {
            key: member.key.clone(),
            written: all,
            number: member.code.clone(),
            due_again: row.content != member.content && !broken::is(Broken::LandingIgnoresNewer),
        });
    }
    codes::put_written(&held.tx, account, &written, held.now).await?;
    employees::land(&context.store, &held.tx, &landings, held.now).await?;
    entries.extend(sharers(held, &landings).await?);
    activity::add(&context.store, &held.tx, &entries).await?;
    context.metrics.settled.with_label_values(&[kind]).inc_by(landings.len() as u64);
    Ok(())
}
