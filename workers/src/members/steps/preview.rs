//! Previews: everybody is judged as if a person had said yes, and nothing is sent.

use std::collections::{BTreeMap, HashMap};

use renkei_store::connections::Connection;
use renkei_store::employees::{self, EmployeeKey, FullRow, Values};
use renkei_store::previews::{self, Item};

use super::held::Held;
use super::surroundings::Surroundings;
use crate::context::Context;
use crate::error::Result;
use crate::members::judge::Verdict;

/// Answers the oldest request for a preview, if what is known of カオナビ is fresh enough. Answers whether anything was done.
///
/// # Errors
/// When the store does not answer.
pub async fn answer(context: &Context, held: &Held) -> Result<bool> {
    for connection in held.connections.iter().filter(|connection| connection.preview_wanted.is_some()) {
        let fresh = super::verify::asked_since(held).is_none_or(|since| {
            held.doc.layout_read.is_some_and(|read| read >= since)
                && !held.layout_is_old()
                && held.doc.codes_read.is_some_and(|read| read >= since)
        });
        if !fresh || !held.knows_enough() {
            continue;
        }
        let Some(preview) = previews::next_wanted(&context.store, &held.tx, &connection.id).await? else {
            previews::none_wanted(&held.tx, &connection.id).await?;
            return Ok(true);
        };
        let ids = previews::people(&held.tx, &connection.id, &preview.shown).await?;
        let mut items = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(500) {
            items.extend(judge_some(context, held, connection, chunk).await?);
        }
        // In the store's order of ids, which is not everywhere ours: another preview goes on after the last of them.
        let place: HashMap<&str, usize> = ids.iter().enumerate().map(|(at, id)| (id.as_str(), at)).collect();
        items.sort_by_key(|item| place.get(item.employee.as_str()).copied());
        previews::answer(&context.store, &held.tx, &preview, connection.settings_version, &items).await?;
        tracing::info!(connection.id = %connection.id, people.count = items.len(), "preview made");
        return Ok(true);
    }
    Ok(false)
}

async fn judge_some(context: &Context, held: &Held, connection: &Connection, ids: &[String]) -> Result<Vec<Item>> {
    let (_, judged) = judge_as_confirmed(context, held, connection, ids).await?;
    Ok(judged.into_iter().map(|(row, verdict)| item(row, verdict)).collect())
}

/// Judges people as if a person had said yes to each of them. Also answers what is known around them.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_as_confirmed(
    context: &Context,
    held: &Held,
    connection: &Connection,
    ids: &[String],
) -> Result<(Surroundings, Vec<(FullRow, Verdict)>)> {
    let key = |id: &String| EmployeeKey { connection: connection.id.clone(), employee: id.clone() };
    let keys: Vec<EmployeeKey> = ids.iter().map(key).collect();
    let rows = employees::lock_full(&context.store, &held.tx, &keys).await?;
    let around = Surroundings::of(held, &rows).await?;
    let judged = rows.into_iter().map(|row| {
        let confirmed = FullRow { confirmed: true, ..row };
        let verdict = around.judge(&context.store, &confirmed, connection);
        (confirmed, verdict)
    });
    let judged: Vec<_> = judged.collect();
    Ok((around, judged))
}

fn item(row: FullRow, verdict: Verdict) -> Item {
    let old = |values: Values| -> BTreeMap<String, (Option<String>, String)> {
        let known = |field: &String| row.held(field).cloned();
        values.into_iter().map(|(field, new)| (field.clone(), (known(&field), new))).collect()
    };
    let (action, code, fields) = match verdict {
        Verdict::Create(values) => ("create", None, old(values)),
        Verdict::Update(values) => ("update", None, old(values)),
        Verdict::Unchanged => ("unchanged", None, BTreeMap::new()),
        Verdict::Skip(code) => ("skip", Some(code), BTreeMap::new()),
        Verdict::Park(code, _) => ("park", Some(code), BTreeMap::new()),
        Verdict::Hold(code, _) | Verdict::HoldMass(code, _) => ("hold", Some(code), BTreeMap::new()),
        // The members were read within a day, but not since this person's newest state.
        Verdict::ReadFirst => ("hold", None, BTreeMap::new()),
    };
    Item {
        employee: row.key.employee,
        number: row.number,
        content: row.content,
        action: action.to_owned(),
        code: code.map(str::to_owned),
        fields,
    }
}
