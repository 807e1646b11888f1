//! What came of an update call, written down.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::accounts::Lease;
use renkei_store::activity::{self, Entry};
use renkei_store::batches::{self, Batch, BatchState, Repair};
use renkei_store::calls::{self, CallKind};
use renkei_store::codes;
use renkei_store::connections::{self, ConnectionState};
use renkei_store::employees::{self, EmployeeKey, Op, RowState};

use secrecy::{ExposeSecret, SecretString};

use super::held::Held;
use super::{change, reconcile, verify};
use crate::clients::kaonavi::Outcome;
use crate::clients::kaonavi::answers::{Refused, named};
use crate::context::{Context, back_off};
use crate::error::Result;
use crate::members::doc::Heard;
use crate::members::rejected::Stops;
use crate::members::repair::{Search, Test};

/// The first look at a task.
pub const FIRST_POLL: Duration = Duration::from_secs(2);
/// The first look for people of whom nobody can say whether they were taken.
pub const FIRST_LOOK: Duration = Duration::from_secs(10);
/// How long a 409 makes tasks go one at a time.
const SINGLE: Duration = Duration::from_secs(3600);
/// After a refusal for quota a full window passes, and a little more.
pub(super) const WINDOW: Duration = Duration::from_secs(60);
/// A single record is parked after this many failures alone in its call that should have passed, if others went through
/// meanwhile: when nothing goes through, it is not the record.
const LONE_ATTEMPTS: i64 = 8;
/// A batch that failed this often while others went through is searched for a bad record.
const POISON_ATTEMPTS: i64 = 3;

/// Writes the outcome of a call down and decides what follows.
///
/// # Errors
/// When the store fails or the lease was lost: the batch then stays planned and is settled as unknown.
pub async fn record(
    context: &Context,
    lease: &Lease,
    batch: &Batch,
    call: i64,
    kind: CallKind,
    token: &SecretString,
    outcome: Outcome,
) -> Result<()> {
    let mut held = Held::lock(context, lease).await?;
    let now = held.now;
    let account = batch.account.clone();
    let (label, status) = match &outcome {
        Outcome::Accepted { .. } => ("accepted", Some(200)),
        Outcome::Refused(refused) => ("refused", Some(refused.status)),
        // The slot stays taken for a minute from now, as if it had been answered.
        Outcome::NotSent => ("not_sent", Some(0)),
        Outcome::Unknown { status } => ("unknown", *status),
    };
    context.metrics.calls.with_label_values(&[kind.as_str(), label]).inc();
    calls::answered(&held.tx, call, status, now).await?;
    if broken::is(Broken::TokenForEveryCall) {
        held.account.token = None;
    }
    held.doc.heard("update", of_update(&outcome), now);
    tracing::info!(
        account.id = %account, batch.id = batch.id, batch.people = batch.members.len(), call.kind = kind.as_str(),
        call.outcome = label, http.status = status, "update call ended"
    );
    let open = batches::open_lightly(&held.tx, &account).await?;
    let waits = |state| matches!(state, BatchState::Planned | BatchState::Unknown);
    if !open.iter().any(|known| known.id == batch.id && waits(known.state)) {
        // The answer came after the call was given up; its people are somewhere else by now.
        return held.commit(context).await;
    }
    // As it is now: its people may have got other ids while the call was under way.
    let batch = &batches::get(&context.store, &held.tx, &account, batch.id).await?;
    match outcome {
        Outcome::Accepted { task } => {
            batches::advance(&held.tx, &account, batch.id, BatchState::Accepted, Some(task), 0, now + FIRST_POLL)
                .await?;
            held.doc.failures = 0;
            held.doc.unauthorized_once = false;
        }
        Outcome::NotSent => {
            dissolve(context, &held, batch, "not_sent").await?;
            held.doc.failures += 1;
            let pause = back_off(context.random.as_ref(), held.doc.failures.min(4));
            held.doc.block(now + pause, Some(Code::KaonaviUnavailable));
        }
        Outcome::Unknown { status: Some(500..) } if broken::is(Broken::HaltOn500) => {
            dissolve(context, &held, batch, "unavailable").await?;
            halt(context, &mut held, Code::KaonaviUnavailable, "").await?;
        }
        Outcome::Unknown { .. } if broken::is(Broken::UnknownIsOk) => {
            super::landing::ok(context, &mut held, batch).await?
        }
        Outcome::Unknown { .. } if batch.op == Op::Create && !broken::is(Broken::PostAgain) => {
            let keys: Vec<EmployeeKey> = batch.members.iter().map(|member| member.key.clone()).collect();
            employees::count_failure(&held.tx, &keys, now).await?;
            batches::mark_unknown(&held.tx, &account, batch.id, now, now + FIRST_LOOK).await?;
        }
        // A PATCH may be repeated.
        Outcome::Unknown { .. } => failed_for_now(context, &mut held, batch, Code::KaonaviUnavailable).await?,
        Outcome::Refused(refused) => self::refused(context, &mut held, batch, token, refused).await?,
    }
    held.commit(context).await
}

/// A refusal of the records, and one that halts, is an answer; every other one says only that it did not go through now.
fn of_update(outcome: &Outcome) -> Heard {
    match outcome {
        Outcome::Accepted { .. } => Heard::Answer,
        Outcome::Refused(refused) => match refused.status {
            429 => Heard::Quota,
            408 | 409 | 425 => Heard::Nothing,
            _ => Heard::Answer,
        },
        Outcome::NotSent | Outcome::Unknown { .. } => Heard::Nothing,
    }
}

async fn refused(
    context: &Context,
    held: &mut Held,
    batch: &Batch,
    token: &SecretString,
    refused: Refused,
) -> Result<()> {
    let now = held.now;
    match refused.status {
        401 => {
            dissolve(context, held, batch, "unauthorized").await?;
            unauthorized(context, held, token, &refused.messages).await?;
        }
        403 => {
            dissolve(context, held, batch, "forbidden").await?;
            forbidden(context, held, call_of(batch.op), &refused.messages).await?;
        }
        409 => {
            held.doc.single_until = now + SINGLE;
            held.doc.block(now + back_off(context.random.as_ref(), 0), None);
            dissolve(context, held, batch, "conflict").await?;
        }
        408 | 425 | 429 => {
            // Somebody else uses the company's budget: a full window passes.
            let jitter = Duration::from_secs(5).mul_f64(context.random.unit());
            let quota = refused.status == 429;
            let why = if quota { Code::KaonaviSlotsTakenElsewhere } else { Code::KaonaviUnavailable };
            held.doc.block(now + WINDOW + jitter, Some(why));
            dissolve(context, held, batch, "quota").await?;
        }
        _ => content(context, held, batch, &refused.messages).await?,
    }
    Ok(())
}

/// The token `used` was refused: one new token, one more try; refused again, a person has to look. Calls that were under way
/// together with the same dead token count once.
///
/// # Errors
/// When the store does not answer.
pub async fn unauthorized(context: &Context, held: &mut Held, used: &SecretString, messages: &[String]) -> Result<()> {
    let current = held.account.token.as_ref().map(|(token, _)| token.expose_secret());
    if current != Some(used.expose_secret()) {
        return Ok(());
    }
    held.account.token = None;
    if held.doc.unauthorized_once {
        held.doc.unauthorized_once = false;
        return halt(context, held, Code::KaonaviUnauthorized, &messages.join("\n")).await;
    }
    held.doc.unauthorized_once = true;
    Ok(())
}

/// The call that sends people, as its refusal is told.
#[must_use]
pub fn call_of(op: Op) -> &'static str {
    if op == Op::Create { "POST /members" } else { "PATCH /members" }
}

/// カオナビ does not permit a call.
///
/// # Errors
/// When the store does not answer.
pub async fn forbidden(context: &Context, held: &mut Held, call: &str, messages: &[String]) -> Result<()> {
    let detail = format!("{call}\n{}", messages.join("\n"));
    halt(context, held, Code::KaonaviForbidden, &detail).await
}

/// Switches every connection of the account off because of a failure that needs a person.
///
/// # Errors
/// When the store does not answer.
pub async fn halt(context: &Context, held: &mut Held, code: Code, detail: &str) -> Result<()> {
    let mut entries = Vec::new();
    for connection in &held.connections {
        if connection.wanted.is_some() {
            connections::refuse_wish(&held.tx, &connection.id, &[code.as_str().to_owned()]).await?;
        }
        if verify::asked(connection).is_some() {
            // The call, without カオナビ's own words: these are sealed with the state.
            let about = detail.lines().next().filter(|line| line.starts_with("GET ")).unwrap_or_default();
            let found = verify::failed(code, about);
            connections::put_verification(&held.tx, &connection.id, &[found], held.now).await?;
        }
        if connection.state != ConnectionState::Active {
            continue;
        }
        let halted = ConnectionState::Halted;
        let why = Some(code.as_str());
        connections::switch_off(&context.store, &held.tx, &connection.id, halted, why, Some(detail), held.now).await?;
        tracing::warn!(connection.id = %connection.id, error.code = code.as_str(), "connection halted");
        entries.push(Entry {
            at: held.now,
            connection: connection.id.clone(),
            employee: None,
            kind: "halted".to_owned(),
            code: Some(code.as_str().to_owned()),
            detail: Some(detail.to_owned()),
        });
    }
    activity::add(&context.store, &held.tx, &entries).await?;
    // The rest of this step must not act on switches as they were.
    held.connections = connections::of_account(&context.store, &held.tx, &held.account.id).await?;
    Ok(())
}

/// A batch that カオナビ certainly does not have: its people are judged anew, at once. People of a search stay in it.
///
/// # Errors
/// When the store does not answer.
pub async fn dissolve(context: &Context, held: &Held, batch: &Batch, outcome: &str) -> Result<()> {
    batches::finish(&context.store, &held.tx, &batch.account, batch.id, outcome, held.now).await?;
    if batch.repair.is_some() {
        return Ok(());
    }
    for member in &batch.members {
        employees::make_due(&held.tx, &member.key, batch.op, held.now, 0, held.now).await?;
    }
    Ok(())
}

/// A PATCH of which nobody knows whether it was carried out: its fields count as unknown, so that a change back to what was
/// last known is not taken for no change.
///
/// # Errors
/// When the store does not answer.
pub async fn uncertain(context: &Context, held: &Held, batch: &Batch) -> Result<()> {
    if batch.op != Op::Update || broken::is(Broken::UncertainForgotten) {
        return Ok(());
    }
    let keys: Vec<EmployeeKey> = batch.members.iter().map(|member| member.key.clone()).collect();
    let rows = employees::lock_full(&context.store, &held.tx, &keys).await?;
    for (member, values) in batch.members.iter().zip(&batch.payload) {
        let fields: Vec<String> = values.keys().cloned().collect();
        codes::forget_fields(&held.tx, &batch.account, &member.code, &fields).await?;
        if let Some(row) = rows.iter().find(|row| row.key == member.key) {
            employees::forget_fields(&context.store, &held.tx, row, &fields).await?;
        }
    }
    Ok(())
}

/// A failure that should pass (5xx, ERROR, no answer to a PATCH). It is counted per person in the store.
///
/// # Errors
/// When the store does not answer.
pub async fn failed_for_now(context: &Context, held: &mut Held, batch: &Batch, code: Code) -> Result<()> {
    let now = held.now;
    uncertain(context, held, batch).await?;
    batches::finish(&context.store, &held.tx, &batch.account, batch.id, "failed", now).await?;
    let keys: Vec<EmployeeKey> = batch.members.iter().map(|member| member.key.clone()).collect();
    if batch.repair.is_some() && keys.len() > 1 {
        let until = now + back_off(context.random.as_ref(), 0);
        if until > held.doc.blocked_until {
            held.doc.block(until, Some(code));
        }
        return search_failed(context, held, batch, &[]).await;
    }
    if let Some(id) = batch.repair {
        leave_search(held, id, &keys).await?;
    }
    employees::count_failure(&held.tx, &keys, now).await?;
    try_again(context, held, batch, &keys, code, true).await
}

/// Makes people of a call that failed due again, with a pause or at once; their failure is counted already. Who fails again
/// and again while others go through is searched, and parked after eight failures alone.
///
/// # Errors
/// When the store does not answer.
pub async fn try_again(
    context: &Context,
    held: &mut Held,
    batch: &Batch,
    keys: &[EmployeeKey],
    code: Code,
    pausing: bool,
) -> Result<()> {
    let now = held.now;
    let rows = employees::lock_full(&context.store, &held.tx, keys).await?;
    let alone = batch.members.len() == 1;
    let mut poisoned = Vec::new();
    for row in rows {
        // What went through before the first failure says nothing: all of カオナビ may be away since.
        let others_went_through = held.doc.last_success.zip(row.failing_since).is_some_and(|(ok, since)| ok > since);
        let enough = row.lone_attempts >= LONE_ATTEMPTS && others_went_through;
        if alone && (enough || broken::is(Broken::ParkOnFirst5xx)) {
            park(context, held, &row.key, code, "").await?;
        } else if !alone && row.attempts >= POISON_ATTEMPTS && others_went_through {
            poisoned.push(row.key);
        } else {
            let failures = u32::try_from(row.attempts - 1).unwrap_or(0);
            let pause = if pausing { back_off(context.random.as_ref(), failures) } else { Duration::ZERO };
            employees::make_due(&held.tx, &row.key, batch.op, now + pause, 0, now).await?;
        }
    }
    if !poisoned.is_empty() {
        begin_search(context, held, batch, poisoned, Vec::new()).await?;
    }
    Ok(())
}

/// カオナビ looked at the records and refused: a 400 or an NG.
///
/// # Errors
/// When the store does not answer.
pub async fn content(context: &Context, held: &mut Held, batch: &Batch, messages: &[String]) -> Result<()> {
    let codes: Vec<String> = batch.members.iter().map(|member| member.code.clone()).collect();
    let named: Vec<EmployeeKey> = named(messages, &codes).into_iter().map(|at| batch.members[at].key.clone()).collect();
    if let [only] = batch.members.as_slice() {
        if let Some(id) = batch.repair {
            leave_search(held, id, std::slice::from_ref(&only.key)).await?;
        }
        return alone(context, held, batch, &messages.join("\n")).await;
    }
    batches::finish(&context.store, &held.tx, &batch.account, batch.id, "refused", held.now).await?;
    if broken::is(Broken::NgParksAll) {
        for member in &batch.members {
            park(context, held, &member.key, Code::KaonaviRejected, "").await?;
        }
        return Ok(());
    }
    if batch.repair.is_some() {
        return search_failed(context, held, batch, &named).await;
    }
    let members = batch.members.iter().map(|member| member.key.clone()).collect();
    begin_search(context, held, batch, members, named).await
}

/// One person was refused alone. Before it is parked a read of the layout tells whether a value was the reason, and one of the
/// members whether the code itself was.
async fn alone(context: &Context, held: &mut Held, batch: &Batch, messages: &str) -> Result<()> {
    let member = &batch.members[0];
    employees::note(&context.store, &held.tx, &member.key, Code::KaonaviRejected.as_str(), messages).await?;
    batches::advance(&held.tx, &batch.account, batch.id, BatchState::Refused, None, 0, held.now).await?;
    let since = |read: Option<Millis>| read.is_some_and(|read| read >= batch.planned);
    if since(held.doc.codes_read) && since(held.doc.layout_read) {
        return reconcile::refused(context, held, batch).await;
    }
    held.doc.want_read(held.now);
    Ok(())
}

async fn begin_search(
    context: &Context,
    held: &mut Held,
    batch: &Batch,
    members: Vec<EmployeeKey>,
    named: Vec<EmployeeKey>,
) -> Result<()> {
    if broken::is(Broken::NamedNotRetried) && !named.is_empty() {
        for key in &members {
            match named.contains(key) {
                true => park(context, held, key, Code::KaonaviRejected, "").await?,
                false => employees::make_due(&held.tx, key, batch.op, held.now, 0, held.now).await?,
            }
        }
        return Ok(());
    }
    for key in &members {
        employees::note(&context.store, &held.tx, key, "in_search", "").await?;
    }
    tracing::info!(
        account.id = %batch.account, batch.id = batch.id, search.people = members.len(), search.named = named.len(),
        "search for a bad record begins"
    );
    let doc = serde_json::to_string(&Search::begin(members, named)).unwrap_or_default();
    batches::put_repair(&held.tx, &batch.account, &Repair { id: batch.id, op: batch.op, doc }).await?;
    Ok(())
}

async fn load(held: &Held, id: i64) -> Result<Option<(Repair, Search)>> {
    let repairs = batches::repairs(&held.tx, &held.account.id).await?;
    let found = repairs.into_iter().find(|repair| repair.id == id);
    Ok(found.and_then(|repair| serde_json::from_str(&repair.doc).ok().map(|search| (repair, search))))
}

/// A call of a search did not go through.
///
/// # Errors
/// When the store does not answer.
pub async fn search_failed(context: &Context, held: &mut Held, batch: &Batch, named: &[EmployeeKey]) -> Result<()> {
    let Some(id) = batch.repair else { return Ok(()) };
    let Some((repair, mut search)) = load(held, id).await? else { return Ok(()) };
    debug_assert!(!matches!(search.testing, Some(Test::Alone(_))), "one person alone is handled by itself");
    search.failed(named);
    for member in &batch.members {
        employees::note(&context.store, &held.tx, &member.key, "in_search", "").await?;
    }
    change::save(held, &repair, &mut search).await
}

/// A call of a search went through.
///
/// # Errors
/// When the store does not answer.
pub async fn search_passed(held: &Held, id: i64) -> Result<()> {
    let Some((repair, mut search)) = load(held, id).await? else { return Ok(()) };
    search.passed();
    change::save(held, &repair, &mut search).await
}

/// Takes one person out of a search.
///
/// # Errors
/// When the store does not answer.
pub async fn leave(held: &Held, id: i64, key: &EmployeeKey) -> Result<()> {
    leave_search(held, id, std::slice::from_ref(key)).await
}

async fn leave_search(held: &Held, id: i64, keys: &[EmployeeKey]) -> Result<()> {
    let Some((repair, mut search)) = load(held, id).await? else { return Ok(()) };
    search.repeat();
    for key in keys {
        search.drop_person(key);
    }
    change::save(held, &repair, &mut search).await
}

/// Parks one person, with カオナビ's own words.
///
/// # Errors
/// When the store does not answer.
pub async fn park(context: &Context, held: &mut Held, key: &EmployeeKey, code: Code, detail: &str) -> Result<()> {
    let code = code.as_str();
    let mut stops = Stops::default();
    if let Some(connection) = held.connection(&key.connection) {
        stops.note(connection, code);
    }
    employees::settle(&context.store, &held.tx, key, RowState::Parked, Some(code), Some(detail), held.now).await?;
    let entry = Entry {
        at: held.now,
        connection: key.connection.clone(),
        employee: Some(key.employee.clone()),
        kind: "parked".to_owned(),
        code: Some(code.to_owned()),
        detail: Some(detail.to_owned()),
    };
    activity::add(&context.store, &held.tx, &[entry]).await?;
    context.metrics.settled.with_label_values(&["parked"]).inc();
    stop(context, held, &stops).await
}

/// Switches off the connections that a rejected record stops.
///
/// # Errors
/// When the store does not answer.
pub async fn stop(context: &Context, held: &mut Held, stops: &Stops) -> Result<()> {
    if stops.is_empty() {
        return Ok(());
    }
    stops.switch_off(&context.store, &held.tx, held.now).await?;
    // The rest of this step must not act on switches as they were.
    held.connections = connections::of_account(&context.store, &held.tx, &held.account.id).await?;
    Ok(())
}
