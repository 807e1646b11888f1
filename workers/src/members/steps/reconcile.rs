//! Settling what nobody could say: calls without an answer, calls of a process that died, people refused alone.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::batches::{self, Batch, BatchState, Member, OpenBatch};
use renkei_store::codes::{self, field_hash};
use renkei_store::employees::{self, Op, RowState, Values};

use super::held::Held;
use super::{landing, outcome};
use crate::context::Context;
use crate::error::Result;

/// When the members are looked at after a call whose end is unknown, in seconds from its end; then every five minutes.
const LOOKS: [u64; 4] = [10, 30, 60, 120];
const SELDOM: u64 = 300;
/// After this long a person who is still missing is sent again.
const LONGEST: Duration = Duration::from_secs(1800);

/// A planned batch whose process died or whose call never reported back.
///
/// # Errors
/// When the store does not answer.
pub async fn orphan(context: &Context, held: &mut Held, found: &OpenBatch) -> Result<()> {
    let batch = batches::get(&context.store, &held.tx, &held.account.id, found.id).await?;
    tracing::warn!(account.id = %batch.account, batch.id = batch.id, "a call was planned and never reported back");
    match batch.op {
        Op::Create => {
            let look = held.now + outcome::FIRST_LOOK;
            batches::mark_unknown(&held.tx, &batch.account, batch.id, batch.gives_up.max(held.now), look).await?;
        }
        Op::Update => {
            outcome::uncertain(context, held, &batch).await?;
            outcome::dissolve(context, held, &batch, "orphaned").await?;
        }
    }
    Ok(())
}

/// Settles what a whole read of the members, begun at `began`, can settle.
///
/// # Errors
/// When the store does not answer.
pub async fn after_read(context: &Context, held: &mut Held, began: Millis) -> Result<()> {
    for found in batches::open_lightly(&held.tx, &held.account.id).await? {
        match found.state {
            BatchState::Unknown => {
                let batch = batches::get(&context.store, &held.tx, &held.account.id, found.id).await?;
                unknown(context, held, &batch, began).await?;
            }
            BatchState::Refused if began >= found.planned => {
                let batch = batches::get(&context.store, &held.tx, &held.account.id, found.id).await?;
                refused(context, held, &batch).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// A POST of which nobody knows whether it was taken: effects show only when its task is done, tasks run in order.
async fn unknown(context: &Context, held: &mut Held, batch: &Batch, began: Millis) -> Result<()> {
    let account = held.account.id.clone();
    let wanted: Vec<String> = batch.members.iter().map(|member| member.code.clone()).collect();
    let known = codes::find(&held.tx, &account, &wanted).await?;
    let mut there: Vec<(Member, Values, Values)> = Vec::new();
    let mut missing: Vec<Member> = Vec::new();
    for (member, values) in batch.members.iter().cloned().zip(batch.payload.iter().cloned()) {
        match known.get(&member.code).filter(|code| code.present) {
            Some(code) => {
                let same = |field: &String, value: &String| {
                    code.hashes.get(field) == Some(&field_hash(&context.store, &account, &member.code, field, value))
                };
                // Custom fields are not read back; they were in the same call and so in the same task.
                let (equal, other) =
                    values.into_iter().partition(|(field, value)| field.starts_with("custom:") || same(field, value));
                there.push((member, equal, other));
            }
            None => missing.push(member),
        }
    }
    let fifo = held.connections.iter().all(|connection| connection.settings.fifo_tasks);
    let later_ended = held.doc.last_final.is_some_and(|(planned, ended)| planned > batch.gives_up && ended <= began);
    let call_is_over = held.now >= batch.gives_up;
    let decided = !there.is_empty() || (call_is_over && fifo && later_ended) || held.now >= batch.gives_up + LONGEST;
    if !decided {
        let looks = usize::try_from(batch.looks).unwrap_or(usize::MAX) + 1;
        let after = LOOKS.get(looks).copied().unwrap_or_else(|| {
            let more = u64::try_from(looks.saturating_sub(LOOKS.len())).unwrap_or(0) + 1;
            LOOKS[LOOKS.len() - 1] + SELDOM * more
        });
        let next = (batch.gives_up + Duration::from_secs(after)).max(held.now + Duration::from_secs(LOOKS[0]));
        let looks = i64::try_from(looks).unwrap_or(i64::MAX);
        batches::advance(&held.tx, &account, batch.id, BatchState::Unknown, None, looks, next).await?;
        return Ok(());
    }
    batches::finish(&context.store, &held.tx, &account, batch.id, "reconciled", held.now).await?;
    let flown: Vec<(Member, Values)> = there.iter().map(|(member, equal, _)| (member.clone(), equal.clone())).collect();
    landing::land(context, held, &flown, "created").await?;
    for (member, _, other) in &there {
        if !other.is_empty() {
            employees::make_due(&held.tx, &member.key, Op::Update, held.now, 0, held.now).await?;
        }
    }
    let lost = there.is_empty() && batch.members.len() > 1;
    match batch.repair {
        // A test that never arrives has failed like one that is refused: otherwise a record that breaks カオナビ is never found.
        Some(_) if lost => outcome::search_failed(context, held, batch, &[]).await?,
        repair => {
            if let Some(id) = repair {
                // Whoever was in the call is judged anew outside of the search.
                for member in &batch.members {
                    outcome::leave(held, id, &member.key).await?;
                }
            }
            let keys: Vec<_> = missing.iter().map(|member| member.key.clone()).collect();
            outcome::try_again(context, held, batch, &keys, "kaonavi.unavailable", false).await?;
        }
    }
    tracing::info!(
        account.id = %account, batch.id = batch.id, people.there = there.len(), people.missing = missing.len(),
        "a call without an answer is settled"
    );
    Ok(())
}

/// One person was refused alone, and the members were read since: was the code the reason?
///
/// # Errors
/// When the store does not answer.
pub async fn refused(context: &Context, held: &mut Held, batch: &Batch) -> Result<()> {
    let Some(member) = batch.members.first() else { return Ok(()) };
    batches::finish(&context.store, &held.tx, &batch.account, batch.id, "refused", held.now).await?;
    let known = codes::find(&held.tx, &batch.account, std::slice::from_ref(&member.code)).await?;
    let present = known.get(&member.code).is_some_and(|code| code.present);
    let rows = employees::lock_full(&context.store, &held.tx, std::slice::from_ref(&member.key)).await?;
    let Some(row) = rows.into_iter().next() else { return Ok(()) };
    if row.content != member.content {
        // A newer state came meanwhile and deserves its own try.
        let op = if present { Op::Update } else { Op::Create };
        return Ok(employees::make_due(&held.tx, &member.key, op, held.now, 0, held.now).await?);
    }
    match (batch.op, present) {
        (Op::Create, true) => employees::make_due(&held.tx, &member.key, Op::Update, held.now, 0, held.now).await?,
        (Op::Update, false) if row.written_number.is_none() => {
            employees::make_due(&held.tx, &member.key, Op::Create, held.now, 0, held.now).await?;
        }
        (Op::Update, false) => {
            let held_state = RowState::Held;
            employees::settle(&context.store, &held.tx, &member.key, held_state, Some("member.gone"), None, held.now)
                .await?;
        }
        _ => {
            let detail = row.detail.unwrap_or_default();
            outcome::park(context, held, &member.key, "kaonavi.rejected", &detail).await?;
        }
    }
    Ok(())
}
