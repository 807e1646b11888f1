//! The account's token: one for all its connections, sealed in the store, fetched only when a call is due.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::accounts::Lease;
use renkei_store::batches::{self, BatchState};
use renkei_store::calls::{self, CallKind};
use renkei_store::employees::{self, Op};

use super::held::Held;
use super::{outcome, read};
use crate::clients::kaonavi::ReadFault;
use crate::clients::kaonavi::answers::Grant;
use crate::context::{Context, NextWake, back_off};
use crate::error::Result;

/// How many tokens カオナビ gives a company in an hour.
const AN_HOUR: usize = 5;

/// One step.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease) -> Result<NextWake> {
    let held = Held::lock(context, lease).await?;
    let Some(credentials) = held.account.credentials.clone() else { return Ok(NextWake::Woken) };
    // The other lanes can do nothing about a missing token, so this one wakes when their calls are due.
    let Some(due) = next_call(&held).await? else { return Ok(NextWake::Woken) };
    let wanted = held.token_old_from().max(due);
    if wanted > held.now {
        return Ok(NextWake::At(wanted));
    }
    if held.doc.token_blocked_until > held.now {
        return Ok(NextWake::At(held.doc.token_blocked_until));
    }
    let hour_ago = held.now - Duration::from_secs(3600);
    let fetched = calls::moments(&held.tx, &held.account.id, CallKind::Token, hour_ago).await?;
    if fetched.len() >= AN_HOUR {
        let at = fetched[fetched.len() - AN_HOUR] + Duration::from_secs(3601);
        tracing::warn!(account.id = %held.account.id, token.wait_ms = at.since(held.now).as_millis() as u64,
            "five tokens were fetched within the hour, waiting");
        return Ok(NextWake::At(at));
    }
    let call = calls::reserve(&held.tx, &held.account.id, CallKind::Token, None, held.now, held.now).await?;
    let client = held.client(context);
    held.commit(context).await?;
    let answer = client.token(&credentials).await;
    record(context, lease, call, answer).await?;
    Ok(NextWake::Now)
}

/// When the next call is due; now, if one is.
async fn next_call(held: &Held) -> Result<Option<Millis>> {
    if read::owed(held).await? {
        return Ok(Some(held.now));
    }
    let open = batches::open_lightly(&held.tx, &held.account.id).await?;
    let looks = open.iter().filter(|batch| batch.state == BatchState::Accepted).map(|batch| batch.next_look);
    let mut next = looks.chain(read::next_time(held).await?).min();
    let active = held.active();
    if active.is_empty() {
        return Ok(next);
    }
    if !batches::repairs(&held.tx, &held.account.id).await?.is_empty() {
        return Ok(Some(held.now));
    }
    for op in [Op::Create, Op::Update] {
        let (ready, later) = employees::due_summary(&held.tx, &held.account.id, &active, op, held.now).await?;
        let due = if ready > 0 { Some(held.now) } else { later };
        next = next.into_iter().chain(due).min();
    }
    Ok(next)
}

async fn record(
    context: &Context,
    lease: &Lease,
    call: i64,
    answer: std::result::Result<Grant, ReadFault>,
) -> Result<()> {
    let mut held = Held::lock(context, lease).await?;
    let now = held.now;
    let (label, status) = match &answer {
        Ok(_) => ("ok", Some(200)),
        Err(ReadFault::Refused(refused)) => ("refused", Some(refused.status)),
        Err(_) => ("fault", None),
    };
    context.metrics.calls.with_label_values(&[CallKind::Token.as_str(), label]).inc();
    calls::answered(&held.tx, call, status, now).await?;
    match answer {
        Ok(grant) => {
            held.account.token = Some((grant.token, now + grant.lives));
            held.doc.read_failures = 0;
        }
        Err(ReadFault::Refused(refused)) if matches!(refused.status, 400 | 401 | 403) => {
            let detail = refused.messages.join("\n");
            held.doc.unauthorized_once = false;
            outcome::halt(context, &mut held, "kaonavi.credentials_refused", &detail).await?;
        }
        Err(ReadFault::Refused(_)) => {
            // Somebody else's tokens count too; nothing says when one is free.
            held.doc.token_blocked_until = now + Duration::from_secs(600);
        }
        Err(_) => {
            held.doc.read_failures += 1;
            held.doc.token_blocked_until = now + back_off(context.random.as_ref(), held.doc.read_failures);
        }
    }
    held.commit(context).await
}
