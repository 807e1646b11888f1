//! Looking at tasks: `GET /tasks/{id}`, the longest due first.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::accounts::Lease;
use renkei_store::batches::{self, BatchState, OpenBatch};
use renkei_store::calls::{self, CallKind};
use renkei_store::employees::Op;
use secrecy::SecretString;

use super::held::{Held, Hour};
use super::{landing, outcome, read, reconcile};
use crate::clients::kaonavi::ReadFault;
use crate::clients::kaonavi::answers::TaskEnd;
use crate::context::{Context, NextWake, back_off};
use crate::error::Result;
use crate::members::doc::Heard;

/// The pauses between looks, in seconds; the last one repeats.
const PAUSES: [u64; 5] = [2, 4, 8, 15, 30];
/// A task that is still open after this long is looked at seldom.
pub(super) const LONG: Duration = Duration::from_secs(600);
/// How seldom.
const SELDOM: Duration = Duration::from_secs(300);

/// One step.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease) -> Result<NextWake> {
    let mut held = Held::lock(context, lease).await?;
    let account = held.account.id.clone();
    let open = batches::open_lightly(&held.tx, &account).await?;
    if let Some(orphan) = open.iter().find(|batch| is_orphan(batch, lease, held.now)) {
        reconcile::orphan(context, &mut held, orphan).await?;
        held.commit(context).await?;
        return Ok(NextWake::Now);
    }
    // Looked at again when an orphan's call has certainly ended.
    let orphans = open.iter().filter(|batch| batch.state == BatchState::Planned).map(|batch| batch.gives_up).min();
    let accepted = open.iter().filter(|batch| batch.state == BatchState::Accepted && batch.task.is_some());
    let Some(batch) = accepted.min_by_key(|batch| batch.next_look) else {
        return Ok(orphans.map_or(NextWake::Woken, NextWake::At));
    };
    if batch.next_look > held.now {
        let look = NextWake::At(batch.next_look);
        return Ok(orphans.map_or(look, |at| look.or(NextWake::At(at))));
    }
    let Some(token) = held.token() else { return Ok(NextWake::Woken) };
    let hour = held.hour().await?;
    if hour.polls >= Hour::POLLS && !broken::is(Broken::PollEverySecond) {
        return Ok(NextWake::At(held.now + Duration::from_secs(60)));
    }
    let batch = *batch;
    let call = calls::reserve(&held.tx, &account, CallKind::Poll, Some(batch.id), held.now, held.now).await?;
    // A crash before the answer costs one poll, nothing else.
    let next = held.now + pause(&batch, held.now, hour.polls >= Hour::MANY_POLLS);
    batches::advance(&held.tx, &account, batch.id, BatchState::Accepted, None, batch.looks + 1, next).await?;
    let client = held.client(context);
    held.commit(context).await?;
    let answer = client.task(&token, batch.task.unwrap_or_default()).await;
    record(context, lease, &batch, call, &token, answer).await?;
    Ok(NextWake::Now)
}

fn is_orphan(batch: &OpenBatch, lease: &Lease, now: Millis) -> bool {
    batch.state == BatchState::Planned && (batch.epoch != lease.epoch || now >= batch.gives_up)
        // A PATCH of another process may still be on its way; sending a newer one beside it could let the older win.
        && (batch.op == Op::Create || now >= batch.gives_up)
}

fn pause(batch: &OpenBatch, now: Millis, many: bool) -> Duration {
    if broken::is(Broken::PollEverySecond) {
        return Duration::from_secs(1);
    }
    if now.since(batch.planned) > LONG {
        return SELDOM;
    }
    pause_after(batch.looks + 1, many)
}

/// The pause after so many looks at a task.
pub(super) fn pause_after(looks: i64, many: bool) -> Duration {
    let at = usize::try_from(looks).unwrap_or(usize::MAX).min(PAUSES.len() - 1);
    let pause = Duration::from_secs(PAUSES[at]);
    if many { pause * 2 } else { pause }
}

async fn record(
    context: &Context,
    lease: &Lease,
    looked_at: &OpenBatch,
    call: i64,
    token: &SecretString,
    answer: std::result::Result<TaskEnd, ReadFault>,
) -> Result<()> {
    let mut held = Held::lock(context, lease).await?;
    let batch = batches::get(&context.store, &held.tx, &held.account.id, looked_at.id).await?;
    if batch.state != BatchState::Accepted {
        return Ok(());
    }
    let label = match &answer {
        Ok(TaskEnd::Open) => "open",
        Ok(TaskEnd::Ok) => "ok",
        Ok(TaskEnd::Ng(_)) => "ng",
        Ok(TaskEnd::Error) => "error",
        Err(_) => "fault",
    };
    context.metrics.calls.with_label_values(&[CallKind::Poll.as_str(), label]).inc();
    calls::answered(&held.tx, call, answer.is_ok().then_some(200), held.now).await?;
    let forgotten = matches!(&answer, Err(ReadFault::Refused(refused)) if refused.status == 404);
    held.doc.heard("poll", if forgotten { Heard::Answer } else { read::heard(&answer) }, held.now);
    match &answer {
        Ok(TaskEnd::Ok | TaskEnd::Ng(_)) => held.doc.heard("task", Heard::Answer, held.now),
        Ok(TaskEnd::Error) => held.doc.heard("task", Heard::Nothing, held.now),
        // Whoever asks only for tasks that are forgotten learns of none how it ended.
        Err(_) if forgotten => held.doc.heard("task", Heard::Nothing, held.now),
        _ => {}
    }
    if matches!(answer, Ok(TaskEnd::Ng(_) | TaskEnd::Error)) {
        let planned = held.doc.last_final.map_or(batch.planned, |(planned, _)| planned.max(batch.planned));
        held.doc.last_final = Some((planned, held.now));
    }
    if answer.is_ok() {
        held.doc.unauthorized_once = false;
    }
    match answer {
        Ok(TaskEnd::Open) => {}
        Ok(TaskEnd::Ok) => landing::ok(context, &mut held, &batch).await?,
        Ok(TaskEnd::Ng(messages)) => outcome::content(context, &mut held, &batch, &messages).await?,
        Ok(TaskEnd::Error) if broken::is(Broken::ErrorIsOk) => landing::ok(context, &mut held, &batch).await?,
        Ok(TaskEnd::Error) => outcome::failed_for_now(context, &mut held, &batch, Code::KaonaviTaskError).await?,
        Err(ReadFault::Refused(refused)) => match refused.status {
            401 => {
                outcome::unauthorized(context, &mut held, token, &refused.messages).await?;
                look_again(&held, &batch, held.now).await?;
            }
            403 => outcome::halt(context, &mut held, Code::KaonaviForbidden, "GET /tasks").await?,
            // The task is forgotten: whether it ran, only the members can tell.
            404 if batch.op == Op::Create => {
                let look = held.now + outcome::FIRST_LOOK;
                batches::mark_unknown(&held.tx, &batch.account, batch.id, held.now, look).await?;
            }
            404 => outcome::failed_for_now(context, &mut held, &batch, Code::KaonaviUnavailable).await?,
            _ => later(context, &held, &batch).await?,
        },
        Err(_) => later(context, &held, &batch).await?,
    }
    held.commit(context).await
}

async fn later(context: &Context, held: &Held, batch: &batches::Batch) -> Result<()> {
    let pause = back_off(context.random.as_ref(), u32::try_from(batch.looks).unwrap_or(16).min(6));
    look_again(held, batch, held.now + pause).await
}

async fn look_again(held: &Held, batch: &batches::Batch, at: Millis) -> Result<()> {
    batches::advance(&held.tx, &batch.account, batch.id, BatchState::Accepted, None, batch.looks, at).await?;
    Ok(())
}
