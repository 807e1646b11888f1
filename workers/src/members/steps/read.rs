//! Reads: the layout and the members, and what follows from them (switching on, settling the unknown); and what is tried.

use renkei_events::codes::Code;
use std::collections::BTreeSet;

use renkei_runtime::clock::Millis;
use renkei_store::accounts::Lease;
use renkei_store::batches::{self, BatchState, OpenBatch};
use renkei_store::calls::{self, CallKind};
use renkei_store::codes::{self, field_hash};
use renkei_store::connections::{Connection, ConnectionState};
use renkei_store::employees;
use secrecy::SecretString;

use super::held::{Held, Hour};
use super::{dry_run, outcome, preview, reconcile, verify};
use crate::clients::kaonavi::ReadFault;
use crate::clients::kaonavi::stream::MemberSeen;
use crate::context::{Context, NextWake, back_off};
use crate::error::Result;
use crate::members::doc::{Heard, Layout};
use crate::members::filter;
use crate::members::judge::{NAME_WITHOUT_BLANKS, without_blanks};

/// What is to be read next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Layout,
    Departments,
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
    let previewed = preview::answer(context, &held).await?;
    if previewed || verify::answer(context, &mut held).await? || begin_day(&mut held).await? {
        held.commit(context).await?;
        return Ok(NextWake::Now);
    }
    let Some(reading) = next_reading(&held).await? else {
        if verify::is_owed(&held) {
            return verify::step(context, lease, held).await;
        }
        let next = next_time(&held).await?.into_iter().chain(next_day(&held)).min();
        let next = next.map_or(NextWake::Woken, NextWake::At);
        if dry_run::is_open(&held) {
            return Ok(dry_run::step(context, lease, held).await?.or(next));
        }
        return Ok(next);
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
    let settings = held.connections.iter().map(|connection| &connection.settings);
    let custom: BTreeSet<String> =
        settings.flat_map(|settings| settings.custom.keys().chain(settings.constants.keys())).cloned().collect();
    held.commit(context).await?;
    match reading {
        Reading::Layout => {
            let answer = client.layout(&token).await;
            record_layout(context, lease, call, began, &token, answer).await?;
        }
        Reading::Departments => {
            let answer = client.departments(&token).await;
            record_departments(context, lease, call, began, &token, answer).await?;
        }
        Reading::Members => {
            let store = context.store.clone();
            let id = account.clone();
            let keep = move |mut seen: MemberSeen| {
                seen.values.retain(|field, _| !field.starts_with("custom:") || custom.contains(field));
                let name = seen.values.get("name").map(|name| without_blanks(name)).unwrap_or_default();
                seen.values.insert(NAME_WITHOUT_BLANKS.to_owned(), name);
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
    let fresh_wish = verify::asked_since(held) > held.doc.read_failed;
    (held.doc.read_blocked_until > held.now && !fresh_wish).then_some(held.doc.read_blocked_until)
}

async fn next_reading(held: &Held) -> Result<Option<Reading>> {
    let wanted = verify::asked_since(held);
    let active = !held.active().is_empty();
    if let Some(since) = wanted {
        if held.doc.layout_read.is_none_or(|read| read < since) {
            return Ok(Some(Reading::Layout));
        }
        if held.maps_departments() && held.doc.departments_read.is_none_or(|read| read < since) {
            return Ok(Some(Reading::Departments));
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
    let open = batches::open_lightly(&held.tx, &held.account.id).await?;
    // Before somebody who was refused alone is set aside, the layout tells whether it was the reason.
    let refused = |batch: &OpenBatch| batch.state == BatchState::Refused && held.doc.layout_read < Some(batch.planned);
    if held.doc.layout.is_none() || stale || held.layout_is_old() || open.iter().any(refused) {
        return Ok(Some(Reading::Layout));
    }
    if held.maps_departments()
        && (held.doc.departments_read.is_none() || held.doc.departments_read < held.doc.layout_read)
    {
        return Ok(Some(Reading::Departments));
    }
    if held.doc.codes_read.is_none() || held.doc.read_owed(held.now) {
        return Ok(Some(Reading::Members));
    }
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

/// When the next day begins, where it matters: a condition of a target filter counts days from today.
fn next_day(held: &Held) -> Option<Millis> {
    relative(held).next()?;
    held.doc.next_day
}

fn relative(held: &Held) -> impl Iterator<Item = &Connection> {
    // Also those that are off: what is due waits, and the day does not come again.
    let live = held.connections.iter().filter(|connection| is_delivered(connection));
    live.filter(|connection| connection.settings.filter.is_relative())
}

/// At 00:00 in Asia/Tokyo people whom such a condition left out are judged again.
async fn begin_day(held: &mut Held) -> Result<bool> {
    let ids: Vec<String> = relative(held).map(|connection| connection.id.clone()).collect();
    let over = held.doc.next_day.is_some_and(|day| held.now >= day);
    if ids.is_empty() || (held.doc.next_day.is_some() && !over) {
        return Ok(false);
    }
    if over {
        for id in ids {
            let people = employees::judge_filtered_again(&held.tx, &id, held.now).await?;
            tracing::info!(connection.id = %id, people.count = people, "a day began, people left out are judged again");
        }
        employees::refresh_ops(&held.tx, &held.account.id, held.now).await?;
    }
    held.doc.next_day = Some(filter::next_midnight(held.now));
    Ok(true)
}

/// What a read tells about whether reads are of any use now: a halt is told by itself, everything else that is refused is
/// tried again.
pub fn heard<T>(answer: &std::result::Result<T, ReadFault>) -> Heard {
    match answer {
        Ok(_) | Err(ReadFault::Wrong(_)) => Heard::Answer,
        Err(ReadFault::Later) => Heard::Nothing,
        Err(ReadFault::Refused(refused)) => match refused.status {
            401 | 403 => Heard::Answer,
            429 => Heard::Quota,
            _ => Heard::Nothing,
        },
    }
}

async fn record_departments(
    context: &Context,
    lease: &Lease,
    call: i64,
    began: Millis,
    token: &SecretString,
    answer: std::result::Result<BTreeSet<String>, ReadFault>,
) -> Result<()> {
    let mut held = Held::lock(context, lease).await?;
    calls::answered(&held.tx, call, answer.is_ok().then_some(200), held.now).await?;
    let denied = matches!(&answer, Err(ReadFault::Refused(refused)) if matches!(refused.status, 403 | 404));
    // A kind of its own: the layout, which is read before it, may be answered well all the while.
    held.doc.heard("departments", if denied { Heard::Answer } else { heard(&answer) }, held.now);
    match answer {
        Ok(codes) => {
            let others = held.doc.departments.as_ref().is_some_and(|known| *known != codes);
            held.doc.departments = Some(codes);
            if others {
                judge_unmappable_again(&held).await?;
            }
            if std::mem::take(&mut held.doc.departments_denied) {
                permitted_again(&mut held).await?;
            }
        }
        // Only 所属 is left alone then; everything else goes on.
        Err(ReadFault::Refused(_)) if denied => {
            if !held.doc.departments_denied {
                tracing::warn!(account.id = %held.account.id, "the list of departments is not permitted");
                held.doc.departments_denied_since = Some(held.now);
            }
            held.doc.departments_denied = true;
        }
        Err(fault) => {
            read_failed(context, &mut held, token, fault, "GET /departments").await?;
            return held.commit(context).await;
        }
    }
    held.doc.departments_read = Some(began);
    held.doc.read_failures = 0;
    held.doc.unauthorized_once = false;
    held.commit(context).await
}

/// カオナビ offers something else than before: people whom the mapping set aside are judged again.
async fn judge_unmappable_again(held: &Held) -> Result<()> {
    for connection in held.connections.iter().filter(|connection| is_delivered(connection)) {
        let people = employees::judge_unmappable_again(&held.tx, &connection.id, held.now).await?;
        tracing::info!(connection.id = %connection.id, people.count = people, "people are judged with another layout");
    }
    Ok(employees::refresh_ops(&held.tx, &held.account.id, held.now).await?)
}

/// The list of 所属 is permitted again: who went without 所属 meanwhile is judged again.
async fn permitted_again(held: &mut Held) -> Result<()> {
    let Some(since) = held.doc.departments_denied_since.take() else { return Ok(()) };
    let mapped = |connection: &&Connection| is_delivered(connection) && connection.settings.departments.is_some();
    for connection in held.connections.iter().filter(mapped) {
        let people = employees::judge_settled_again(&held.tx, &connection.id, since, held.now).await?;
        tracing::info!(connection.id = %connection.id, people.count = people, "departments are permitted again");
    }
    Ok(employees::refresh_ops(&held.tx, &held.account.id, held.now).await?)
}

/// Whether changes of a connection go out, now or when it is on again.
fn is_delivered(connection: &Connection) -> bool {
    connection.state != ConnectionState::Disconnected && connection.activated.is_some()
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
    held.doc.heard("read", heard(&answer), held.now);
    match answer {
        Ok(layout) => {
            let maps_gender = |connection: &Connection| {
                connection.state == ConnectionState::Active && connection.settings.maps_gender()
            };
            if !layout.contains_key("gender") && held.connections.iter().any(maps_gender) {
                outcome::halt(context, &mut held, Code::KaonaviGenderNotInLayout, "GET /member_layouts").await?;
            }
            let others = held.doc.layout.as_ref().is_some_and(|known| *known != layout);
            // Some may have waited for it.
            let waited = held.layout_is_old();
            held.doc.layout = Some(layout);
            held.doc.layout_read = Some(began);
            if others {
                judge_unmappable_again(&held).await?;
            } else if waited {
                employees::refresh_ops(&held.tx, &held.account.id, held.now).await?;
            }
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
    held.doc.heard("read", heard(&answer), held.now);
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
            employees::refresh_ops(&held.tx, &account, held.now).await?;
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
            outcome::forbidden(context, held, call, &refused.messages).await
        }
        ReadFault::Wrong(code) => outcome::halt(context, held, code, call).await,
        ReadFault::Refused(_) | ReadFault::Later => Ok(()),
    }
}
