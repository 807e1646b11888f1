//! The account's token: one for all its connections, sealed in the store, fetched only when a call is due.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::accounts::{Credentials, Lease};
use renkei_store::batches::{self, BatchState};
use renkei_store::calls::{self, CallKind};
use renkei_store::db::Sql as _;
use renkei_store::dry_runs::Progress;
use renkei_store::employees::{self, Op};
use secrecy::ExposeSecret as _;

use super::held::Held;
use super::{dry_run, outcome, read, verify};
use crate::clients::kaonavi::answers::Grant;
use crate::clients::kaonavi::{READ_DEADLINE, ReadFault};
use crate::context::{Context, NextWake, back_off};
use crate::error::Result;
use crate::members::doc::Heard;

/// How many tokens カオナビ gives a company in an hour.
const AN_HOUR: usize = 5;

/// One step.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease) -> Result<NextWake> {
    let mut held = Held::lock(context, lease).await?;
    let Some(credentials) = held.account.credentials.clone() else { return Ok(NextWake::Woken) };
    if held.doc.credentials_refused && held.wanted().is_empty() {
        return Ok(NextWake::Woken);
    }
    // The other lanes can do nothing about a missing token, so this one wakes when their calls are due.
    let Some(due) = next_call(context, &held).await? else { return Ok(NextWake::Woken) };
    let wanted = held.token_old_from().max(due);
    if wanted > held.now {
        return Ok(NextWake::At(wanted));
    }
    if held.doc.token_blocked_until > held.now {
        return Ok(NextWake::At(held.doc.token_blocked_until));
    }
    // Counted as カオナビ may count them: a fetch arrives at any time before its deadline.
    let hour = Duration::from_secs(3601) + context.clock.stretched(READ_DEADLINE);
    let hour_ago = held.now - hour;
    let fetched = calls::moments(&held.tx, &held.account.id, CallKind::Token, hour_ago).await?;
    if fetched.len() >= AN_HOUR {
        let at = fetched[fetched.len() - AN_HOUR] + hour;
        tracing::warn!(account.id = %held.account.id, token.wait_ms = at.since(held.now).as_millis() as u64,
            "five tokens were fetched within the hour, waiting");
        held.doc.block_tokens(at, Code::KaonaviTokensUsedUp);
        held.commit(context).await?;
        return Ok(NextWake::At(at));
    }
    let call = calls::reserve(&held.tx, &held.account.id, CallKind::Token, None, held.now, held.now).await?;
    let client = held.client(context);
    let base_url = held.account.base_url.clone();
    held.commit(context).await?;
    let answer = client.token(&credentials).await;
    record(context, lease, call, &(base_url, credentials), answer).await?;
    Ok(NextWake::Now)
}

/// When the next call is due; now, if one is.
async fn next_call(context: &Context, held: &Held) -> Result<Option<Millis>> {
    let open = batches::open_lightly(&held.tx, &held.account.id).await?;
    let looks = open.iter().filter(|batch| batch.state == BatchState::Accepted).map(|batch| batch.next_look);
    let tries = verify::is_owed(held).then_some(held.now);
    let asked = dry_run::current(&context.store, held).await?.and_then(|run| match run.progress {
        Progress::Ready if run.until > held.now => Some(held.now),
        Progress::Task { next_look, .. } => Some(next_look),
        _ => None,
    });
    let tries = tries.into_iter().chain(asked);
    let mut next = looks.chain(read::next_time(held).await?).chain(read::owed(held).await?).chain(tries).min();
    let active = held.active();
    if active.is_empty() {
        return Ok(next);
    }
    if !batches::repairs(&held.tx, &held.account.id).await?.is_empty() {
        return Ok(Some(held.now));
    }
    for op in [Op::Create, Op::Update] {
        let (ready, later) = employees::due_summary(&held.tx, &held.account.id, &held.going(op), op, held.now).await?;
        let due = if ready > 0 { Some(held.now) } else { later };
        next = next.into_iter().chain(due).min();
    }
    Ok(next)
}

/// Whether the account still has the address and the credentials that were asked with.
fn same_credentials(held: &Held, asked: &(String, Credentials)) -> bool {
    let now = held.account.credentials.as_ref();
    held.account.base_url == asked.0
        && now.is_some_and(|now| {
            now.key.expose_secret() == asked.1.key.expose_secret()
                && now.secret.expose_secret() == asked.1.secret.expose_secret()
        })
}

fn of_token(answer: &std::result::Result<Grant, ReadFault>) -> Heard {
    match answer {
        Err(ReadFault::Refused(refused)) if refused.status == 400 => Heard::Answer,
        other => read::heard(other),
    }
}

async fn record(
    context: &Context,
    lease: &Lease,
    call: i64,
    asked: &(String, Credentials),
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
    if answer.is_err() && broken::is(Broken::FailedTokensNotCounted) {
        held.tx.exec("DELETE FROM calls WHERE call_id = $1", vec![call.into()]).await?;
    }
    if !same_credentials(&held, asked) {
        // New credentials came while the old ones were asked for: what was answered is not about them.
        return held.commit(context).await;
    }
    held.doc.heard("token", of_token(&answer), now);
    match answer {
        Ok(grant) => {
            held.account.token = Some((grant.token, now + grant.lives));
            held.doc.credentials_refused = false;
            held.doc.read_failures = 0;
        }
        Err(ReadFault::Refused(refused)) if matches!(refused.status, 400 | 401 | 403) => {
            let detail = refused.messages.join("\n");
            held.doc.unauthorized_once = false;
            held.doc.credentials_refused = true;
            outcome::halt(context, &mut held, Code::KaonaviCredentialsRefused, &detail).await?;
        }
        Err(ReadFault::Refused(refused)) => {
            // Somebody else's tokens count too; nothing says when one is free.
            let quota = refused.status == 429;
            let why = if quota { Code::KaonaviTokensUsedUp } else { Code::KaonaviUnavailable };
            held.doc.block_tokens(now + Duration::from_secs(600), why);
        }
        Err(_) => {
            held.doc.read_failures += 1;
            let pause = back_off(context.random.as_ref(), held.doc.read_failures);
            held.doc.block_tokens(now + pause, Code::KaonaviUnavailable);
        }
    }
    held.commit(context).await
}
