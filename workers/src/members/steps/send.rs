//! Reserving and sending: one transaction says that the call will be made, then it is made within two seconds or not at all.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::broken::{self, Broken};
use renkei_store::accounts::Lease;
use renkei_store::activity::{self, Entry};
use renkei_store::batches::{self, Batch, BatchState, Member};
use renkei_store::calls::{self, CallKind, SLOT_HOLD};
use renkei_store::codes::near_key;
use renkei_store::employees::{self, EmployeeKey, FullRow, Op, RowState, Values};
use renkei_store::surge;

use super::held::Held;
use super::outcome;
use super::surroundings::Surroundings;
use crate::clients::kaonavi::{Outcome, UPDATE_DEADLINE};
use crate::context::{Context, NextWake};
use crate::error::Result;
use crate::members::judge::Verdict;
use crate::members::rejected::Stops;

/// How long after its reservation a call may start, and its first byte may leave: a pause waits for the same.
pub use renkei_store::switch::{ON_THE_WIRE_WITHIN, START_WITHIN};

/// What is to be sent, judged a moment ago.
pub struct Ready {
    /// Who, with what was judged.
    pub rows: Vec<(FullRow, Values)>,
}

/// Judges `rows` with the facts and settings of this moment. Those who are not for `op` are settled where they belong; the
/// others come back.
///
/// # Errors
/// When the store does not answer.
pub async fn judge_rows(context: &Context, held: &mut Held, rows: Vec<FullRow>, op: Op, most: usize) -> Result<Ready> {
    let around = Surroundings::of(held, &rows).await?;
    let mut in_flight = InFlight::of(batches::open_codes(&held.tx, &held.account.id).await?);
    let mut braked: HashMap<(String, &'static str), u64> = HashMap::new();
    let mut ready = Vec::new();
    let mut entries = Vec::new();
    let mut stops = Stops::default();
    for row in rows {
        let Some(connection) = held.connection(&row.key.connection) else { continue };
        let number = row.number.clone().unwrap_or_default();
        let verdict = around.judge(&context.store, &row, connection);
        let entry = |kind: &str, code: Option<&str>, detail: Option<String>| Entry {
            at: held.now,
            connection: row.key.connection.clone(),
            employee: Some(row.key.employee.clone()),
            kind: kind.to_owned(),
            code: code.map(str::to_owned),
            detail,
        };
        let settle = async |state: RowState, reason: Option<&str>, detail: Option<&str>| {
            employees::settle(&context.store, &held.tx, &row.key, state, reason, detail, held.now).await
        };
        if matches!(&verdict, Verdict::Update(_) | Verdict::Unchanged) {
            let shows = around.shows_legal_reading(&context.store, &row, connection);
            let code = Code::MappingBusinessKanaMissing.as_str();
            if shows != row.warned.is_some() {
                employees::warn(&held.tx, &row.key, shows.then_some(code), held.now).await?;
            }
            if shows && row.warned.is_none() {
                entries.push(entry("warning", Some(code), None));
            }
            let near = around.near(&row);
            let code = Code::MemberNearMiss.as_str();
            if !near.is_empty() && !activity::is_told(&held.tx, &row.key, "warning", code).await? {
                entries.push(entry("warning", Some(code), Some(near.join(", "))));
            }
        }
        let result = match verdict {
            Verdict::Create(_) | Verdict::Update(_) if ready.len() >= most => {
                employees::make_due(&held.tx, &row.key, op, held.now, 0, held.now).await?;
                continue;
            }
            // Of two hires with numbers that one could take for each other the first goes; a person says whether the second is
            // somebody else.
            Verdict::Create(_)
                if op == Op::Create && !is_released(&row) && near_in_flight(&in_flight, &number).is_some() =>
            {
                let (code, other) = (Code::MemberNearMiss.as_str(), near_in_flight(&in_flight, &number));
                settle(RowState::Held, Some(code), other).await?;
                entries.push(entry("held", Some(code), other.map(str::to_owned)));
                "held"
            }
            Verdict::Create(values) if op == Op::Create => {
                // Two connections of one account may bring the same number; カオナビ takes no code twice.
                if in_flight.insert(number) {
                    ready.push((row, values));
                } else {
                    let later = held.now + Duration::from_secs(5);
                    employees::make_due(&held.tx, &row.key, op, later, 0, held.now).await?;
                }
                continue;
            }
            Verdict::Update(values) if op == Op::Update => {
                if in_flight.insert(number) {
                    if row.written.is_none() {
                        let mut equal = around.mapped(&row, connection);
                        equal.retain(|field, _| !values.contains_key(field));
                        employees::put_held_already(&context.store, &held.tx, &row.key, &equal).await?;
                    }
                    ready.push((row, values));
                } else {
                    let later = held.now + Duration::from_secs(5);
                    employees::make_due(&held.tx, &row.key, op, later, 0, held.now).await?;
                }
                continue;
            }
            Verdict::Create(_) => {
                employees::make_due(&held.tx, &row.key, Op::Create, held.now, 0, held.now).await?;
                continue;
            }
            Verdict::Update(_) => {
                employees::make_due(&held.tx, &row.key, Op::Update, held.now, 0, held.now).await?;
                continue;
            }
            Verdict::ReadFirst => {
                held.doc.want_read(held.now);
                let later = held.now + employees::READ_TAKES;
                employees::make_due(&held.tx, &row.key, op, later, 0, held.now).await?;
                continue;
            }
            Verdict::Unchanged => {
                settle(RowState::Synced, None, None).await?;
                entries.push(entry("unchanged", None, None));
                "unchanged"
            }
            Verdict::Skip(reason) => {
                settle(RowState::Skipped, Some(reason), None).await?;
                entries.push(entry("skipped", Some(reason), None));
                "skipped"
            }
            // The choice that somebody just mapped may have been added in カオナビ just before.
            Verdict::Park(code, _) if code.starts_with("mapping.") && held.layout_is_old() => {
                let later = held.now + employees::READ_TAKES;
                employees::make_due(&held.tx, &row.key, op, later, 0, held.now).await?;
                continue;
            }
            Verdict::Park(code, detail) => {
                stops.note(connection, code);
                if code == Code::MemberNumberShared.as_str() {
                    let others = employees::park_sharers(&held.tx, &row.key.connection, &number, held.now).await?;
                    entries.extend(
                        others
                            .into_iter()
                            .map(|other| Entry { employee: Some(other.employee), ..entry("parked", Some(code), None) }),
                    );
                }
                settle(RowState::Parked, Some(code), Some(&detail)).await?;
                entries.push(entry("parked", Some(code), Some(detail)));
                "parked"
            }
            Verdict::HoldMass(code, values) => {
                surge::hold(&context.store, &held.tx, &row.key, code, "", &values, held.now).await?;
                *braked.entry((row.key.connection.clone(), code)).or_default() += 1;
                entries.push(entry("held", Some(code), None));
                "held"
            }
            Verdict::Hold(code, detail) => {
                settle(RowState::Held, Some(code), Some(&detail)).await?;
                entries.push(entry("held", Some(code), Some(detail)));
                "held"
            }
        };
        context.metrics.settled.with_label_values(&[result]).inc();
    }
    for ((connection, code), people) in braked {
        tracing::warn!(connection.id = %connection, error.code = code, people.count = people, "mass change held");
    }
    activity::add(&context.store, &held.tx, &entries).await?;
    if !stops.is_empty() {
        outcome::stop(context, held, &stops).await?;
        // Off means off, for those who were judged before as well.
        for (row, _) in ready.extract_if(.., |(row, _)| stops.has(&row.key.connection)) {
            employees::make_due(&held.tx, &row.key, op, held.now, 0, held.now).await?;
        }
    }
    Ok(Ready { rows: ready })
}

fn is_released(row: &FullRow) -> bool {
    row.number.is_some() && row.released_number == row.number
}

/// A number on its way to カオナビ that a person could take for this one.
fn near_in_flight<'a>(in_flight: &'a InFlight, number: &str) -> Option<&'a str> {
    let near = in_flight.near.get(&near_key(number)).into_iter().flatten();
    near.map(String::as_str).find(|other| *other != number)
}

/// The numbers on their way to カオナビ, with what they share with those that a person could take for them.
struct InFlight {
    codes: HashSet<String>,
    near: HashMap<String, Vec<String>>,
}

impl InFlight {
    fn of(codes: HashSet<String>) -> Self {
        let mut near: HashMap<String, Vec<String>> = HashMap::new();
        for code in &codes {
            near.entry(near_key(code)).or_default().push(code.clone());
        }
        Self { codes, near }
    }

    /// Whether the number is new.
    fn insert(&mut self, number: String) -> bool {
        self.near.entry(near_key(&number)).or_default().push(number.clone());
        self.codes.insert(number)
    }
}

/// Writes the batch and its call down, commits, calls, and writes down what came of it.
///
/// # Errors
/// When the store fails; a call that was made stays `planned` and is settled as unknown later.
pub async fn reserve_and_send(
    context: &Context,
    lease: &Lease,
    mut held: Held,
    ready: Ready,
    op: Op,
    repair: Option<i64>,
) -> Result<NextWake> {
    let Some(token) = held.token() else { return Ok(NextWake::Woken) };
    // Both clocks are read together, after the judging: whoever pauses counts from the reservation.
    let reserved_at = context.clock.monotonic();
    let now = context.store.now_in(&held.tx).await?;
    let gives_up = now + context.clock.stretched(START_WITHIN + UPDATE_DEADLINE);
    let kind = match (repair, op) {
        (Some(_), _) => CallKind::Repair,
        (None, Op::Create) => CallKind::Create,
        (None, Op::Update) => CallKind::Update,
    };
    match kind {
        CallKind::Create => held.doc.last_post = Some(now),
        CallKind::Update => held.doc.last_patch = Some(now),
        _ => {}
    }
    let members: Vec<Member> = ready
        .rows
        .iter()
        .map(|(row, _)| Member {
            key: row.key.clone(),
            code: row.number.clone().unwrap_or_default(),
            version: row.version,
            content: row.content.clone(),
            received: row.received,
        })
        .collect();
    let payload: Vec<Values> = ready.rows.into_iter().map(|(_, values)| values).collect();
    let batch = Batch {
        account: held.account.id.clone(),
        id: held.account.next_batch,
        op,
        repair,
        state: BatchState::Planned,
        members,
        payload,
        task: None,
        epoch: lease.epoch,
        planned: now,
        gives_up,
        next_look: gives_up,
        looks: 0,
    };
    held.account.next_batch += 1;
    batches::insert(&context.store, &held.tx, &batch).await?;
    let keys: Vec<EmployeeKey> = batch.members.iter().map(|member| member.key.clone()).collect();
    employees::fly(&held.tx, &keys, batch.id, now).await?;
    let uncounted = broken::is(Broken::SharedKeyNotCounted)
        && held.connections.first().is_some_and(|first| keys.iter().all(|key| key.connection != first.id));
    let frees = if uncounted { now } else { gives_up + SLOT_HOLD };
    let call = calls::reserve(&held.tx, &batch.account, kind, Some(batch.id), now, frees).await?;
    let client = held.client(context);
    held.commit(context).await?;

    let waited = context.clock.monotonic().saturating_sub(reserved_at);
    let outcome = if waited > START_WITHIN {
        Outcome::NotSent
    } else {
        let wall = renkei_runtime::clock::Millis::from(context.clock.wall());
        for member in &batch.members {
            context.metrics.receipt_to_call.observe(wall.since(member.received).as_secs_f64());
        }
        let rows: Vec<(String, Values)> =
            batch.members.iter().map(|member| member.code.clone()).zip(batch.payload.iter().cloned()).collect();
        client.write(&token, op, &rows).await
    };
    outcome::record(context, lease, &batch, call, kind, &token, outcome).await?;
    Ok(NextWake::Now)
}
