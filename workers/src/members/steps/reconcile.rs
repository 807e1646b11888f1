//! Settling what nobody could say: calls without an answer, calls of a process that died, people refused alone.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::batches::{self, Batch, BatchState, Member, OpenBatch};
use renkei_store::codes::{self, field_hash};
use renkei_store::employees::{self, FullRow, Op, RowState, Values};

use super::held::Held;
use super::surroundings::Surroundings;
use super::{landing, outcome};
use crate::context::Context;
use crate::error::Result;
use crate::members::judge::Verdict;

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
///
/// Each person is judged alone. Whoever is there is settled by what was read; that says nothing about the others, as anybody
/// may have registered that one person, before the call or after it. The others are sent again only when the task, if there
/// is one, has certainly ended.
async fn unknown(context: &Context, held: &mut Held, batch: &Batch, began: Millis) -> Result<()> {
    let account = held.account.id.clone();
    let (there, missing) = look(context, held, batch).await?;
    let fifo = held.connections.iter().all(|connection| connection.settings.fifo_tasks);
    let later_ended = held.doc.last_final.is_some_and(|(planned, ended)| planned > batch.gives_up && ended <= began);
    let call_is_over = held.now >= batch.gives_up;
    let decided = missing.is_empty() || (call_is_over && fifo && later_ended) || held.now >= batch.gives_up + LONGEST;
    if !decided {
        let (looks, next) = next_look(batch, held.now);
        // A search tests its people together, and a call that is under way may still be answered: then all of them wait.
        if there.is_empty() || batch.repair.is_some() || !call_is_over {
            batches::advance(&held.tx, &account, batch.id, BatchState::Unknown, None, looks, next).await?;
            return Ok(());
        }
        batches::finish(&context.store, &held.tx, &account, batch.id, "reconciled", held.now).await?;
        settle(context, held, batch, &there).await?;
        return wait_on(context, held, batch, missing, (looks, next)).await;
    }
    batches::finish(&context.store, &held.tx, &account, batch.id, "reconciled", held.now).await?;
    settle(context, held, batch, &there).await?;
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
            let keys: Vec<_> = missing.iter().map(|(member, _)| member.key.clone()).collect();
            outcome::try_again(context, held, batch, &keys, Code::KaonaviUnavailable, false).await?;
        }
    }
    tracing::info!(
        account.id = %account, batch.id = batch.id, people.there = there.len(), people.missing = missing.len(),
        "a call without an answer is settled"
    );
    Ok(())
}

/// A person of an unknown call whose code was found.
struct Found {
    member: Member,
    /// What カオナビ holds as it was sent.
    equal: Values,
    /// What it holds otherwise, or perhaps does.
    other: Values,
}

/// Who of the batch was there when the members were read last, and who was not.
async fn look(context: &Context, held: &Held, batch: &Batch) -> Result<(Vec<Found>, Vec<(Member, Values)>)> {
    let account = &held.account.id;
    let wanted: Vec<String> = batch.members.iter().map(|member| member.code.clone()).collect();
    let known = codes::find(&held.tx, account, &wanted).await?;
    let (mut there, mut missing) = (Vec::new(), Vec::new());
    for (member, values) in batch.members.iter().cloned().zip(batch.payload.iter().cloned()) {
        let Some(code) = known.get(&member.code).filter(|code| code.present) else {
            missing.push((member, values));
            continue;
        };
        let same = |field: &String, value: &String| {
            code.hashes.get(field) == Some(&field_hash(&context.store, account, &member.code, field, value))
        };
        // Custom fields are not read back. Where all else is as it was sent they were in the same call and so in the same
        // task; otherwise somebody else may have registered the person, without them.
        let custom = |field: &str| field.starts_with("custom:");
        let ours = values.iter().all(|(field, value)| custom(field) || same(field, value));
        let (equal, other) =
            values.into_iter().partition(|(field, value)| if custom(field) { ours } else { same(field, value) });
        there.push(Found { member, equal, other });
    }
    Ok((there, missing))
}

/// Settles those who were found by what was read of each; what differs becomes due.
async fn settle(context: &Context, held: &Held, batch: &Batch, there: &[Found]) -> Result<()> {
    let differing: Vec<&Found> = there.iter().filter(|found| !found.other.is_empty()).collect();
    let keys: Vec<_> = differing.iter().map(|found| found.member.key.clone()).collect();
    let rows = employees::lock_full(&context.store, &held.tx, &keys).await?;
    for found in &differing {
        let fields: Vec<String> = found.other.keys().cloned().collect();
        if let Some(row) = rows.iter().find(|row| row.key == found.member.key) {
            employees::forget_fields(&context.store, &held.tx, row, &fields).await?;
        }
    }
    // Of a person of whom nothing is as it was sent, nothing says that it was us: then nothing is written down as ours.
    let landed = there.iter().filter(|found| found.other.is_empty() || !found.equal.is_empty());
    let flown: Vec<(Member, Values)> = landed.map(|found| (found.member.clone(), found.equal.clone())).collect();
    landing::land(context, held, &flown, "created").await?;
    for found in differing {
        employees::make_due(&held.tx, &found.member.key, Op::Update, held.now, 0, held.now).await?;
    }
    tracing::info!(
        account.id = %batch.account, batch.id = batch.id, people.there = there.len(),
        "people of a call without an answer were found"
    );
    Ok(())
}

/// Those who were not found wait on, in a batch of their own.
async fn wait_on(
    context: &Context,
    held: &mut Held,
    batch: &Batch,
    missing: Vec<(Member, Values)>,
    (looks, next): (i64, Millis),
) -> Result<()> {
    let (members, payload): (Vec<Member>, Vec<Values>) = missing.into_iter().unzip();
    let keys: Vec<_> = members.iter().map(|member| member.key.clone()).collect();
    let rows = employees::lock_full(&context.store, &held.tx, &keys).await?;
    // Rows that changed meanwhile stay as they are: they may say what is wrong with the newer record.
    let as_sent = |row: &&FullRow| members.iter().any(|member| member.key == row.key && member.content == row.content);
    let keys: Vec<_> = rows.iter().filter(as_sent).map(|row| row.key.clone()).collect();
    let rest = Batch { id: held.account.next_batch, members, payload, next_look: next, ..batch.clone() };
    held.account.next_batch += 1;
    batches::insert(&context.store, &held.tx, &rest).await?;
    batches::advance(&held.tx, &rest.account, rest.id, BatchState::Unknown, rest.task, looks, next).await?;
    Ok(employees::fly(&held.tx, &keys, rest.id, held.now).await?)
}

/// How often the batch was looked at with this look, and when to look again.
fn next_look(batch: &Batch, now: Millis) -> (i64, Millis) {
    let looks = usize::try_from(batch.looks).unwrap_or(usize::MAX) + 1;
    let after = LOOKS.get(looks).copied().unwrap_or_else(|| {
        let more = u64::try_from(looks.saturating_sub(LOOKS.len())).unwrap_or(0) + 1;
        LOOKS[LOOKS.len() - 1] + SELDOM * more
    });
    let next = (batch.gives_up + Duration::from_secs(after)).max(now + Duration::from_secs(LOOKS[0]));
    (i64::try_from(looks).unwrap_or(i64::MAX), next)
}

/// What the layout, as it is now, says is wrong with a person: of more use than カオナビ's own words.
async fn unmappable(context: &Context, held: &Held, row: &FullRow) -> Result<Option<(Code, String)>> {
    let Some(connection) = held.connection(&row.key.connection) else { return Ok(None) };
    let around = Surroundings::of(held, std::slice::from_ref(row)).await?;
    Ok(match around.judge(&context.store, row, connection) {
        Verdict::Park(code, detail) => Code::parse(code).map(|code| (code, detail)),
        _ => None,
    })
}

/// One person was refused alone, and layout and members were read since: was a value or the code the reason?
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
            employees::settle(
                &context.store,
                &held.tx,
                &member.key,
                held_state,
                Some(Code::MemberGone.as_str()),
                None,
                held.now,
            )
            .await?;
        }
        _ => {
            let (code, detail) = match unmappable(context, held, &row).await? {
                Some(found) => found,
                None => (Code::KaonaviRejected, row.detail.unwrap_or_default()),
            };
            outcome::park(context, held, &member.key, code, &detail).await?;
        }
    }
    Ok(())
}
