//! Reads: the layout and the members, and what follows from them (switching on, settling the unknown).

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::accounts::Lease;
use renkei_store::batches::{self, BatchState, OpenBatch};
use renkei_store::calls::{self, CallKind};
use renkei_store::codes::{self, field_hash};
use renkei_store::connections;
use renkei_store::employees;
use secrecy::SecretString;

use super::held::{Held, Hour};
use super::{outcome, reconcile};
use crate::clients::kaonavi::ReadFault;
use crate::context::{Context, NextWake, back_off};
use crate::error::Result;
use crate::members::doc::Layout;

/// What is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Layout,
    Members,
}

/// One step.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease) -> Result<NextWake> {
    let mut held = Held::lock(context, lease).await?;
    if held.account.credentials.is_none() {
        return Ok(NextWake::Woken);
    }
    if grant_wishes(context, &mut held).await? {
        held.commit(context).await?;
        return Ok(NextWake::Now);
    }
    let Some(reading) = next_reading(&held).await? else {
        return Ok(next_time(&held).await?.map_or(NextWake::Woken, NextWake::At));
    };
    if let Some(until) = blocked(&held) {
        return Ok(NextWake::At(until));
    }
    let Some(token) = held.token() else { return Ok(NextWake::Woken) };
    if held.hour().await?.reads >= Hour::READS {
        return Ok(NextWake::At(held.now + std::time::Duration::from_secs(60)));
    }
    let began = held.now;
    let account = held.account.id.clone();
    let call = calls::reserve(&held.tx, &account, CallKind::Read, None, began, began).await?;
    let client = held.client(context);
    held.commit(context).await?;
    match reading {
        Reading::Layout => {
            let answer = client.layout(&token).await;
            record_layout(context, lease, call, began, &token, answer).await?;
        }
        Reading::Members => {
            let store = context.store.clone();
            let id = account.clone();
            let keep = move |seen: crate::clients::kaonavi::stream::MemberSeen| {
                let hash = |field: &String, value: &String| field_hash(&store, &id, &seen.code, field, value);
                let hashes = seen.values.iter().map(|(field, value)| (field.clone(), hash(field, value))).collect();
                (seen.code, hashes)
            };
            let answer = client.members(&token, keep).await;
            record_members(context, lease, call, began, &token, answer).await?;
        }
    }
    Ok(NextWake::Now)
}

/// When the next read that is owed may be made, so that a token is needed then.
///
/// # Errors
/// When the store does not answer.
pub async fn owed(held: &Held) -> Result<Option<Millis>> {
    Ok(next_reading(held).await?.map(|_| blocked(held).unwrap_or(held.now)))
}

/// Until when no read is made after failures. A wish that came after the last failure is tried at once: a person mended
/// something.
fn blocked(held: &Held) -> Option<Millis> {
    let fresh_wish = held.connections.iter().filter_map(|connection| connection.wanted).max() > held.doc.read_failed;
    (held.doc.read_blocked_until > held.now && !fresh_wish).then_some(held.doc.read_blocked_until)
}

async fn next_reading(held: &Held) -> Result<Option<Reading>> {
    let wanted = held.wanted().iter().filter_map(|connection| connection.wanted).max();
    let active = !held.active().is_empty();
    if let Some(since) = wanted {
        if held.doc.layout_read.is_none_or(|read| read < since) {
            return Ok(Some(Reading::Layout));
        }
        if held.doc.codes_read.is_none_or(|read| read < since) {
            return Ok(Some(Reading::Members));
        }
    }
    if !active && wanted.is_none() {
        // What flew when the switch went off still has to land.
        let open = batches::open_lightly(&held.tx, &held.account.id).await?;
        return Ok(open.iter().any(|batch| look_is_due(held, batch)).then_some(Reading::Members));
    }
    // Choices and lengths may have changed since yesterday: the nightly read begins with the layout.
    let stale = held.doc.daily_read.is_some_and(|daily| held.now >= daily && held.doc.layout_read < Some(daily));
    if held.doc.layout.is_none() || stale {
        return Ok(Some(Reading::Layout));
    }
    if held.doc.codes_read.is_none() || held.doc.read_owed(held.now) {
        return Ok(Some(Reading::Members));
    }
    let open = batches::open_lightly(&held.tx, &held.account.id).await?;
    Ok(open.iter().any(|batch| look_is_due(held, batch)).then_some(Reading::Members))
}

fn look_is_due(held: &Held, batch: &OpenBatch) -> bool {
    let read_since = |moment: Millis| held.doc.codes_read.is_some_and(|read| read >= moment);
    match batch.state {
        BatchState::Refused => !read_since(batch.planned),
        BatchState::Unknown => {
            let later_ended = held.doc.last_final.filter(|(planned, _)| *planned > batch.gives_up);
            batch.next_look <= held.now || later_ended.is_some_and(|(_, ended)| !read_since(ended))
        }
        _ => false,
    }
}

/// When a read is due next by the passing of time.
///
/// # Errors
/// When the store does not answer.
pub async fn next_time(held: &Held) -> Result<Option<Millis>> {
    let open = batches::open_lightly(&held.tx, &held.account.id).await?;
    let unknown = open.iter().filter(|batch| batch.state == BatchState::Unknown).map(|batch| batch.next_look).min();
    let daily = if held.active().is_empty() { None } else { held.doc.daily_read };
    Ok([unknown, daily].into_iter().flatten().min())
}

/// Switches on what somebody wants switched on, as soon as what was read since allows it. Answers whether anything was done.
async fn grant_wishes(context: &Context, held: &mut Held) -> Result<bool> {
    let mut granted = false;
    for connection in held.connections.clone() {
        let Some(since) = connection.wanted else { continue };
        let fresh = |read: Option<Millis>| read.is_some_and(|read| read >= since);
        if !fresh(held.doc.layout_read) || !fresh(held.doc.codes_read) {
            continue;
        }
        let layout = held.doc.layout.clone().unwrap_or_default();
        let problems = problems(&connection.settings, &layout);
        connections::answer_wish(&held.tx, &connection.id, &problems, held.now).await?;
        tracing::info!(connection.id = %connection.id, problems.count = problems.len(), "connection verified");
        granted = true;
        if problems.is_empty() {
            employees::judge_again(&held.tx, &connection.id, held.now).await?;
        }
    }
    if granted {
        employees::refresh_ops(&held.tx, &held.account.id).await?;
        held.connections = connections::of_account(&context.store, &held.tx, &held.account.id).await?;
    }
    Ok(granted)
}

/// What stands in the way of switching on: code and what it is about.
#[must_use]
pub fn problems(settings: &renkei_store::settings::Settings, layout: &Layout) -> Vec<String> {
    let mut problems = Vec::new();
    for (key, item) in layout {
        let mapped = key == "code" || crate::members::map::FIELDS.contains(&key.as_str());
        if item.required && !mapped && !settings.constants.contains_key(key) {
            problems.push(format!("{}: {key} ({})", Code::MappingRequiredItemUnmapped, item.name));
        }
    }
    for (key, value) in &settings.constants {
        match layout.get(key) {
            None => problems.push(format!("{}: {key}", Code::MappingConstantNotInLayout)),
            Some(item) if item.kind == "enum" && !item.choices.contains(value) => {
                problems.push(format!("{}: {key}", Code::MappingConstantNotAChoice));
            }
            Some(_) => {}
        }
    }
    let Some(gender) = layout.get("gender") else {
        problems.push(format!("{}: gender", Code::KaonaviGenderNotInLayout));
        return problems;
    };
    if settings.gender.is_empty() {
        problems.push(format!("{}: gender", Code::MappingGenderUnmapped));
    }
    for (label, choice) in &settings.gender {
        if choice.as_ref().is_some_and(|choice| !gender.choices.contains(choice)) {
            problems.push(format!("{}: {label}", Code::MappingGenderChoiceNotInLayout));
        }
    }
    problems
}

async fn record_layout(
    context: &Context,
    lease: &Lease,
    call: i64,
    began: Millis,
    token: &SecretString,
    answer: std::result::Result<Layout, ReadFault>,
) -> Result<()> {
    let mut held = Held::lock(context, lease).await?;
    calls::answered(&held.tx, call, answer.is_ok().then_some(200), held.now).await?;
    held.doc.heard("read", !matches!(answer, Err(ReadFault::Later)), held.now);
    match answer {
        Ok(layout) => {
            held.doc.layout = Some(layout);
            held.doc.layout_read = Some(began);
            held.doc.read_failures = 0;
            held.doc.unauthorized_once = false;
        }
        Err(fault) => read_failed(context, &mut held, token, fault, "GET /member_layouts").await?,
    }
    held.commit(context).await
}

type Hashed = Vec<(String, std::collections::BTreeMap<String, String>)>;

async fn record_members(
    context: &Context,
    lease: &Lease,
    call: i64,
    began: Millis,
    token: &SecretString,
    answer: std::result::Result<Hashed, ReadFault>,
) -> Result<()> {
    if let Ok(members) = &answer {
        // In pieces and without the account's lock: a large list must not hold up a hire.
        for piece in members.chunks(1000) {
            let tx = context.store.begin().await?;
            codes::put_read(&tx, &lease.account, piece, began).await?;
            tx.commit().await?;
        }
    }
    let mut held = Held::lock(context, lease).await?;
    calls::answered(&held.tx, call, answer.is_ok().then_some(200), held.now).await?;
    held.doc.heard("read", !matches!(answer, Err(ReadFault::Later)), held.now);
    match answer {
        Ok(members) => {
            let account = held.account.id.clone();
            let gone = codes::mark_unseen(&held.tx, &account, began).await?;
            tracing::info!(account.id = %account, members.count = members.len(), members.gone = gone, "members read");
            held.doc.codes_read = Some(began);
            held.doc.read_failures = 0;
            held.doc.unauthorized_once = false;
            held.doc.plan_daily_read(&account, held.now);
            reconcile::after_read(context, &mut held, began).await?;
            employees::refresh_ops(&held.tx, &account).await?;
        }
        Err(fault) => read_failed(context, &mut held, token, fault, "GET /members").await?,
    }
    held.commit(context).await
}

async fn read_failed(
    context: &Context,
    held: &mut Held,
    token: &SecretString,
    fault: ReadFault,
    call: &str,
) -> Result<()> {
    held.doc.read_failed = Some(held.now);
    held.doc.read_failures += 1;
    if !matches!(&fault, ReadFault::Refused(refused) if refused.status == 401) {
        // Also after a halt: what is still to be settled must not be asked for again and again.
        held.doc.read_blocked_until = held.now + back_off(context.random.as_ref(), held.doc.read_failures);
    }
    match fault {
        ReadFault::Refused(refused) if refused.status == 401 => {
            outcome::unauthorized(context, held, token, &refused.messages).await
        }
        ReadFault::Refused(refused) if refused.status == 403 => {
            let detail = format!("{call}\n{}", refused.messages.join("\n"));
            outcome::halt(context, held, Code::KaonaviForbidden.as_str(), &detail).await
        }
        ReadFault::Wrong(code) => outcome::halt(context, held, code.as_str(), call).await,
        ReadFault::Refused(_) | ReadFault::Later => Ok(()),
    }
}
