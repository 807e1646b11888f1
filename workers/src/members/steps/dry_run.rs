//! A dry run for one person on demand: whether カオナビ would take the person as they are now.
//!
//! The person is judged as in a preview; who would not be sent is answered without a call. That a dry run changes nothing is
//! only inferred, so it obeys the switch and takes a slot like every call that changes members: the place of a change, once
//! no change, no search and no hire could leave instead, or that of the next one when changes have gone first for two minutes. It
//! is made once. Whatever comes of it is the answer; the person's row, what is known of カオナビ and the troubles that are told stay
//! as they are. Only where カオナビ lets nobody in with the keys, or does not permit the call, it halts as every call does.

use std::ops::ControlFlow;
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::accounts::Lease;
use renkei_store::batches;
use renkei_store::calls::{self, CallKind, SLOT_HOLD};
use renkei_store::connections::{Connection, ConnectionState};
use renkei_store::dry_runs::{self, DryRun, End, Progress};
use renkei_store::employees::{self, Op, RowState, Values};
use renkei_store::outlook::OPEN_TASKS;
use secrecy::SecretString;

use super::held::{Held, Hour};
use super::outcome::{self, FIRST_POLL, WINDOW};
use super::poll::{LONG, pause_after};
use super::preview::judge_as_confirmed;
use super::send::START_WITHIN;
use crate::clients::kaonavi::answers::TaskEnd;
use crate::clients::kaonavi::{DryRunAnswer, ReadFault, UPDATE_DEADLINE};
use crate::context::{Context, NextWake};
use crate::error::Result;
use crate::members::budget::Want;
use crate::members::judge::Verdict;

/// How long changes go first. Where some wait at all times nobody would be answered otherwise.
const CHANGES_GO_FIRST: Duration = Duration::from_secs(120);

/// The connection whose turn it is.
fn asked(held: &Held) -> Option<&Connection> {
    held.connections
        .iter()
        .filter(|connection| connection.dry_run.is_some())
        .min_by_key(|connection| connection.dry_run)
}

/// Whether somebody waits for an answer.
#[must_use]
pub fn is_open(held: &Held) -> bool {
    asked(held).is_some()
}

/// The dry run whose turn it is. Costs nothing while nobody asks for any.
///
/// # Errors
/// When the store does not answer.
pub async fn current(store: &Store, held: &Held) -> Result<Option<DryRun>> {
    let Some(connection) = asked(held) else { return Ok(None) };
    Ok(dry_runs::current(store, &held.tx, connection).await?)
}

/// Until when a dry run may be one of カオナビ's open tasks, behind which changes do not queue either.
///
/// # Errors
/// When the store does not answer.
pub async fn task_until(held: &Held) -> Result<Option<Millis>> {
    if !is_open(held) {
        return Ok(None);
    }
    Ok(dry_runs::task_until(&held.tx, &held.account.id, held.now).await?)
}

/// One step.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease, held: Held) -> Result<NextWake> {
    let Some(connection) = asked(&held).cloned() else { return Ok(NextWake::Woken) };
    let Some(run) = dry_runs::current(&context.store, &held.tx, &connection).await? else {
        // The person was forgotten meanwhile.
        dry_runs::none_asked(&held.tx, &connection.id).await?;
        held.commit(context).await?;
        return Ok(NextWake::Now);
    };
    if run.until <= held.now {
        let unanswered = run.progress.unanswered(held.now);
        return finish(context, held, DryRun { progress: unanswered, ..run }).await;
    }
    match run.progress {
        Progress::Wanted | Progress::Ready => ask(context, lease, held, &connection, run).await,
        Progress::Task { .. } => look(context, lease, held, run).await,
        // Perhaps another process is in the middle of the call. It is not made again.
        Progress::Sent { .. } | Progress::Ended { .. } => Ok(NextWake::At(run.until)),
    }
}

fn ended(run: DryRun, held: &Held, end: End, code: Option<&str>, detail: Option<String>) -> DryRun {
    let code = code.map(str::to_owned);
    DryRun { progress: Progress::Ended { end, code, detail, at: held.now }, ..run }
}

fn no_answer(run: DryRun, held: &Held, code: Code) -> DryRun {
    ended(run, held, End::NoAnswer, Some(code.as_str()), None)
}

async fn save(context: &Context, held: &Held, run: &DryRun) -> Result<()> {
    if let Progress::Ended { end, code, .. } = &run.progress {
        tracing::info!(
            connection.id = %run.key.connection, dry_run.result = end.as_str(), error.code = code.as_deref(),
            "dry run ended"
        );
    }
    Ok(dry_runs::save(&context.store, &held.tx, run).await?)
}

async fn finish(context: &Context, held: Held, run: DryRun) -> Result<NextWake> {
    save(context, &held, &run).await?;
    held.commit(context).await?;
    Ok(NextWake::Now)
}

/// Judges the person and, when all that goes before has gone, asks カオナビ.
async fn ask(context: &Context, lease: &Lease, held: Held, connection: &Connection, run: DryRun) -> Result<NextWake> {
    if connection.state != ConnectionState::Active {
        let off = ended(run, &held, End::NotSent, connection.state_code.as_deref(), None);
        return finish(context, held, off).await;
    }
    if run.progress == Progress::Ready
        && let Some(wake) = waits(&held, &run).await?
    {
        return Ok(wake);
    }
    match judge_and_ask(context, lease, held, connection, run).await? {
        ControlFlow::Break(wake) => Ok(wake),
        ControlFlow::Continue((held, wake)) => {
            held.commit(context).await?;
            Ok(wake)
        }
    }
}

/// A change could leave now: a dry run for which changes have gone first for long enough takes its place. Gives the account back
/// when there is none, or when the person can not be asked about now, as changes do not wait for that.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn before_a_change(context: &Context, lease: &Lease, held: Held) -> Result<ControlFlow<NextWake, Held>> {
    let Some(connection) = asked(&held).filter(|connection| connection.state == ConnectionState::Active).cloned()
    else {
        return Ok(ControlFlow::Continue(held));
    };
    let run = dry_runs::current(&context.store, &held.tx, &connection).await?.filter(|run| {
        let waited = held.now.since(run.made);
        run.progress == Progress::Ready && run.until > held.now && waited >= CHANGES_GO_FIRST
    });
    let Some(run) = run else { return Ok(ControlFlow::Continue(held)) };
    Ok(judge_and_ask(context, lease, held, &connection, run).await?.map_continue(|(held, _)| held))
}

/// Judges the person, and asks about one who would be sent. Goes on with the account, and the next wake, when the person has to be
/// waited for.
async fn judge_and_ask(
    context: &Context,
    lease: &Lease,
    mut held: Held,
    connection: &Connection,
    run: DryRun,
) -> Result<ControlFlow<NextWake, (Held, NextWake)>> {
    let ids = std::slice::from_ref(&run.key.employee);
    let (around, judged) = judge_as_confirmed(context, &held, connection, ids).await?;
    let Some((row, verdict)) = judged.into_iter().next() else {
        let gone = ended(run, &held, End::NotSent, None, None);
        return finish(context, held, gone).await.map(ControlFlow::Break);
    };
    if row.state == RowState::Flying {
        // What flies lands first, and wakes this.
        return Ok(ControlFlow::Continue((held, NextWake::At(run.until))));
    }
    let (op, values) = match verdict {
        Verdict::Create(values) => (Op::Create, values),
        // All of it, not only what differs: the question is about the person, not about the last change.
        Verdict::Update(_) | Verdict::Unchanged => (Op::Update, around.mapped(&row, connection)),
        Verdict::ReadFirst => {
            held.doc.want_read(held.now);
            return Ok(ControlFlow::Continue((held, NextWake::Now)));
        }
        Verdict::Skip(code) | Verdict::Park(code, _) | Verdict::Hold(code, _) | Verdict::HoldMass(code, _) => {
            let left_out = ended(run, &held, End::NotSent, Some(code), None);
            return finish(context, held, left_out).await.map(ControlFlow::Break);
        }
    };
    if run.progress != Progress::Ready {
        // A token is fetched for it only from now on.
        let ready = DryRun { op: Some(op), progress: Progress::Ready, ..run };
        return finish(context, held, ready).await.map(ControlFlow::Break);
    }
    let member = (row.number.unwrap_or_default(), values);
    let run = DryRun { op: Some(op), ..run };
    reserve_and_ask(context, lease, held, run, (op, member)).await.map(ControlFlow::Break)
}

/// What a dry run that would be made waits for, if for anything.
async fn waits(held: &Held, run: &DryRun) -> Result<Option<NextWake>> {
    let account = &held.account.id;
    let woken = Ok(Some(NextWake::At(run.until)));
    if held.token().is_none() {
        // The lane for tokens runs for it, and wakes this one.
        return woken;
    }
    if held.doc.blocked_until > held.now {
        return Ok(Some(NextWake::At(held.doc.blocked_until.min(run.until))));
    }
    if held.hour().await?.updates >= Hour::UPDATES {
        return Ok(Some(NextWake::At(held.now + Duration::from_secs(60))));
    }
    let open = batches::open_lightly(&held.tx, account).await?;
    if let Err(next) = held.room(&open, None, OPEN_TASKS) {
        // The end of one at a time wakes nobody, either.
        let over = next.into_iter().chain(held.is_single().then_some(held.doc.single_until));
        return Ok(Some(NextWake::At(over.fold(run.until, Millis::min))));
    }
    // Searches and changes go first; whatever becomes of them wakes this one. A change for which it has waited for long lets it pass.
    let searches = batches::repairs(&held.tx, account).await?;
    let (changes, _) = employees::due_summary(&held.tx, account, &held.going(Op::Update), Op::Update, held.now).await?;
    if !searches.is_empty() || changes > 0 {
        return woken;
    }
    Ok(held.budget().await?.ask(Want::Patch, held.now).err().map(|at| NextWake::At(at.min(run.until))))
}

async fn reserve_and_ask(
    context: &Context,
    lease: &Lease,
    mut held: Held,
    run: DryRun,
    (op, member): (Op, (String, Values)),
) -> Result<NextWake> {
    let Some(token) = held.token() else { return Ok(NextWake::At(run.until)) };
    // As for every update call: whoever pauses counts from the reservation.
    let reserved_at = context.clock.monotonic();
    let now = context.store.now_in(&held.tx).await?;
    let gives_up = now + context.clock.stretched(START_WITHIN + UPDATE_DEADLINE);
    let account = held.account.id.clone();
    held.doc.last_patch = Some(now);
    let call = calls::reserve(&held.tx, &account, CallKind::Update, None, now, gives_up + SLOT_HOLD).await?;
    let run = DryRun { progress: Progress::Sent { call }, until: gives_up, ..run };
    save(context, &held, &run).await?;
    let client = held.client(context);
    held.commit(context).await?;
    let too_late = context.clock.monotonic().saturating_sub(reserved_at) > START_WITHIN;
    let answer =
        if too_late { DryRunAnswer::Nothing { status: Some(0) } } else { client.dry_run(&token, op, &member).await };
    record(context, lease, &run, call, &token, answer).await?;
    Ok(NextWake::Now)
}

/// The dry run as it is now, if it is still where this process left it.
async fn still(context: &Context, held: &Held, run: &DryRun) -> Result<Option<DryRun>> {
    let Some(connection) = held.connection(&run.key.connection) else { return Ok(None) };
    let found = dry_runs::current(&context.store, &held.tx, connection).await?;
    Ok(found.filter(|found| found.key == run.key && found.progress == run.progress))
}

async fn record(
    context: &Context,
    lease: &Lease,
    sent: &DryRun,
    call: i64,
    token: &SecretString,
    answer: DryRunAnswer,
) -> Result<()> {
    let mut held = Held::lock(context, lease).await?;
    let (label, status) = match &answer {
        DryRunAnswer::Passed | DryRunAnswer::Task { .. } => ("accepted", Some(200)),
        DryRunAnswer::Refused(refused) => ("refused", Some(refused.status)),
        DryRunAnswer::Nothing { status: Some(0) } => ("not_sent", Some(0)),
        DryRunAnswer::Nothing { status } => ("unknown", *status),
    };
    context.metrics.calls.with_label_values(&[CallKind::Update.as_str(), label]).inc();
    // Without an answer it may still arrive: its slot stays taken as reserved.
    calls::answered(&held.tx, call, status, held.now).await?;
    if matches!(answer, DryRunAnswer::Passed | DryRunAnswer::Task { .. }) {
        held.doc.unauthorized_once = false;
    }
    let now = held.now;
    let Some(run) = still(context, &held, sent).await? else { return held.commit(context).await };
    let run = match answer {
        DryRunAnswer::Passed => ended(run, &held, End::Accepted, None, None),
        DryRunAnswer::Task { id } => {
            let progress = Progress::Task { id, looks: 0, next_look: now + FIRST_POLL };
            DryRun { progress, until: now + LONG, ..run }
        }
        DryRunAnswer::Nothing { .. } => no_answer(run, &held, Code::KaonaviUnavailable),
        DryRunAnswer::Refused(refused) => match refused.status {
            401 => {
                outcome::unauthorized(context, &mut held, token, &refused.messages).await?;
                no_answer(run, &held, Code::KaonaviUnauthorized)
            }
            403 => {
                // Both calls were permitted when the connection was switched on, so this is what the next change would meet.
                let call = outcome::call_of(run.op.unwrap_or(Op::Update));
                outcome::forbidden(context, &mut held, call, &refused.messages).await?;
                no_answer(run, &held, Code::KaonaviForbidden)
            }
            408 | 409 | 425 => no_answer(run, &held, Code::KaonaviUnavailable),
            429 => {
                held.doc.block(now + WINDOW, Some(Code::KaonaviSlotsTakenElsewhere));
                no_answer(run, &held, Code::KaonaviSlotsTakenElsewhere)
            }
            _ => rejected(run, &held, &refused.messages),
        },
    };
    save(context, &held, &run).await?;
    held.commit(context).await
}

fn rejected(run: DryRun, held: &Held, messages: &[String]) -> DryRun {
    ended(run, held, End::Rejected, Some(Code::KaonaviRejected.as_str()), Some(messages.join("\n")))
}

/// Looks at the task of a dry run, at the pauses at which tasks are looked at.
async fn look(context: &Context, lease: &Lease, held: Held, run: DryRun) -> Result<NextWake> {
    let Progress::Task { id, looks, next_look } = run.progress else { return Ok(NextWake::At(run.until)) };
    if next_look > held.now {
        return Ok(NextWake::At(next_look.min(run.until)));
    }
    let Some(token) = held.token() else { return Ok(NextWake::At(run.until)) };
    let hour = held.hour().await?;
    if hour.polls >= Hour::POLLS {
        return Ok(NextWake::At(held.now + Duration::from_secs(60)));
    }
    let account = held.account.id.clone();
    let call = calls::reserve(&held.tx, &account, CallKind::Poll, None, held.now, held.now).await?;
    // A crash before the answer costs one look, nothing else.
    let next_look = held.now + pause_after(looks + 1, hour.polls >= Hour::MANY_POLLS);
    let run = DryRun { progress: Progress::Task { id, looks: looks + 1, next_look }, ..run };
    save(context, &held, &run).await?;
    let client = held.client(context);
    held.commit(context).await?;
    let answer = client.task(&token, id).await;

    let mut held = Held::lock(context, lease).await?;
    let label = if answer.is_ok() { "answered" } else { "fault" };
    context.metrics.calls.with_label_values(&[CallKind::Poll.as_str(), label]).inc();
    calls::answered(&held.tx, call, answer.is_ok().then_some(200), held.now).await?;
    if let Some(run) = still(context, &held, &run).await? {
        let ended = match answer {
            Ok(TaskEnd::Ok) => Some(ended(run, &held, End::Accepted, None, None)),
            Ok(TaskEnd::Ng(messages)) => Some(rejected(run, &held, &messages)),
            Ok(TaskEnd::Error) => Some(no_answer(run, &held, Code::KaonaviTaskError)),
            Err(ReadFault::Refused(refused)) if refused.status == 401 => {
                outcome::unauthorized(context, &mut held, &token, &refused.messages).await?;
                None
            }
            Err(ReadFault::Refused(refused)) if refused.status == 403 => {
                outcome::halt(context, &mut held, Code::KaonaviForbidden, "GET /tasks").await?;
                Some(no_answer(run, &held, Code::KaonaviForbidden))
            }
            // Forgotten: how it ended can not be known any more.
            Err(ReadFault::Refused(refused)) if refused.status == 404 => {
                Some(no_answer(run, &held, Code::KaonaviUnavailable))
            }
            // Looked at again until its time is over.
            Ok(TaskEnd::Open) | Err(_) => None,
        };
        if let Some(ended) = ended {
            save(context, &held, &ended).await?;
        }
    }
    held.commit(context).await?;
    Ok(NextWake::Now)
}
