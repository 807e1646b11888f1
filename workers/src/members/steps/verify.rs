//! Verification: whether the keys, the permissions, the layout and the settings of a connection go together; what stands in
//! the way of switching it on.
//!
//! What reading can not tell is tried: a change of nobody and a registration of nobody, as dry runs. カオナビ refuses them for
//! their emptiness where the call is permitted and with 403 where it is not (取得, 更新, 登録). Each takes an update slot.

use std::collections::BTreeSet;
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use renkei_store::accounts::Lease;
use renkei_store::calls::{self, CallKind, SLOT_HOLD};
use renkei_store::connections::{self, Connection};
use renkei_store::employees::{self, Op};
use renkei_store::settings::Settings;
use renkei_store::verification::Check;
use secrecy::SecretString;

use super::held::{Held, Hour};
use super::outcome;
use super::send::START_WITHIN;
use crate::clients::kaonavi::{Permitted, READ_DEADLINE};
use crate::context::{Context, NextWake, back_off};
use crate::error::Result;
use crate::members::budget::Want;
use crate::members::doc::Layout;
use crate::members::map::{self, FIELDS};

/// How long a good answer of a try counts for switching on. A bad one never does: somebody may just have mended it.
const TRIED_FOR: Duration = Duration::from_secs(3600);

/// Something in the settings that does not go together with the layout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What kind of trouble.
    pub code: Code,
    /// The item or label.
    pub about: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.about)
    }
}

/// What stands in the way of switching on, as far as settings, the 性別 labels of the source, the layout and, where they are
/// known, the codes of 所属 tell.
#[must_use]
pub fn problems(
    settings: &Settings,
    labels: &BTreeSet<String>,
    layout: &Layout,
    departments: Option<&BTreeSet<String>>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut add = |code: Code, about: String| problems.push(Problem { code, about });
    let further = map::items(settings);
    for (key, item) in layout {
        // 退職日 is sent of people who leave, so it fills nothing when somebody is registered.
        let filled = further.contains(key) && key != "retired_date";
        let mapped = key == "code" || FIELDS.contains(&key.as_str()) || filled;
        if item.required && !mapped && !settings.constants.contains_key(key) {
            add(Code::MappingRequiredItemUnmapped, format!("{key} ({})", item.name));
        }
    }
    for item in further {
        if layout.get(&item).is_none_or(|found| found.read_only) {
            add(Code::MappingItemNotInLayout, item);
        }
    }
    for field in FIELDS {
        let sent = field != "gender" || settings.maps_gender();
        if sent && layout.get(field).is_some_and(|found| found.read_only) {
            add(Code::MappingItemNotInLayout, field.to_owned());
        }
    }
    for (key, value) in &settings.constants {
        if let Some(code) = against_constant(key, value, layout, departments) {
            add(code, key.clone());
        }
    }
    let gender = layout.get("gender");
    if gender.is_none() && settings.maps_gender() {
        add(Code::KaonaviGenderNotInLayout, "gender".to_owned());
        return problems;
    }
    // Without the item, too: whoever has a label without an entry would be set aside.
    for label in labels.iter().filter(|label| !settings.gender.contains_key(*label)) {
        add(Code::MappingGenderUnmapped, label.clone());
    }
    for (label, choice) in &settings.gender {
        let offered = |choice: &String| gender.is_some_and(|item| item.choices.contains(choice));
        if choice.as_ref().is_some_and(|choice| !offered(choice)) {
            add(Code::MappingGenderChoiceNotInLayout, label.clone());
        }
    }
    problems
}

/// What is wrong with a constant, if anything: what カオナビ refuses would set everybody aside who is new.
fn against_constant(key: &str, value: &str, layout: &Layout, departments: Option<&BTreeSet<String>>) -> Option<Code> {
    let Some(item) = layout.get(key).filter(|item| !item.read_only) else {
        return Some(Code::MappingConstantNotInLayout);
    };
    if item.kind == "enum" && !item.choices.iter().any(|choice| choice == value) {
        return Some(Code::MappingConstantNotAChoice);
    }
    if key == "department" && departments.is_some_and(|codes| !codes.contains(value)) {
        return Some(Code::MappingDepartmentNotInKaonavi);
    }
    map::against(item, value)
}

/// Since when somebody wants to know something of a connection: to have it switched on, or only verified.
pub fn asked(connection: &Connection) -> Option<Millis> {
    connection.wanted.max(connection.verify_wanted)
}

/// The latest moment since which everything has to be read once more.
#[must_use]
pub fn asked_since(held: &Held) -> Option<Millis> {
    let previews = held.connections.iter().filter_map(|connection| connection.preview_wanted);
    // A preview is made with what was read within a day.
    let day = Duration::from_secs(24 * 3600);
    held.connections.iter().filter_map(asked).chain(previews.map(|wanted| wanted - day)).max()
}

/// Which call has to be tried, if any: verification tries both anew, switching on does with an answer of the last hour.
fn untried(held: &Held) -> Option<Op> {
    [Op::Update, Op::Create].into_iter().find(|op| {
        let tried = held.doc.tried.get(op.as_str());
        let since = |moment: Millis| tried.is_some_and(|tried| tried.at >= moment);
        let good_since = |moment: Millis| tried.is_some_and(|tried| tried.permitted && tried.at >= moment);
        held.connections.iter().any(|connection| {
            let verifying = connection.verify_wanted.is_some_and(|asked| !since(asked));
            let switching = connection.wanted.is_some_and(|asked| !since(asked) && !good_since(asked - TRIED_FOR));
            verifying || switching
        })
    })
}

/// Whether a call has to be tried.
#[must_use]
pub fn is_owed(held: &Held) -> bool {
    untried(held).is_some()
}

/// Tries a call of which it is not known whether it is permitted.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease, held: Held) -> Result<NextWake> {
    let Some(op) = untried(&held) else { return Ok(NextWake::Woken) };
    let blocked = held.doc.blocked_until.max(held.doc.try_blocked_until);
    if blocked > held.now {
        return Ok(NextWake::At(blocked));
    }
    if let Err(at) = held.budget().await?.ask(Want::Repair, held.now) {
        return Ok(NextWake::At(at));
    }
    if held.hour().await?.updates >= Hour::UPDATES {
        return Ok(NextWake::At(held.now + Duration::from_secs(60)));
    }
    let Some(token) = held.token() else { return Ok(NextWake::Woken) };
    let reserved_at = context.clock.monotonic();
    let frees = held.now + context.clock.stretched(START_WITHIN + READ_DEADLINE) + SLOT_HOLD;
    let account = held.account.id.clone();
    let call = calls::reserve(&held.tx, &account, CallKind::Repair, None, held.now, frees).await?;
    let began = held.now;
    let client = held.client(context);
    held.commit(context).await?;
    let too_late = context.clock.monotonic().saturating_sub(reserved_at) > START_WITHIN;
    let answer = if too_late { Permitted::Later } else { client.permitted(&token, op).await };
    record(context, lease, (call, op, began), &token, answer).await?;
    Ok(NextWake::Now)
}

async fn record(
    context: &Context,
    lease: &Lease,
    (call, op, began): (i64, Op, Millis),
    token: &SecretString,
    answer: Permitted,
) -> Result<()> {
    let mut held = Held::lock(context, lease).await?;
    let label = match answer {
        Permitted::Yes => "accepted",
        Permitted::No => "refused",
        _ => "unknown",
    };
    context.metrics.calls.with_label_values(&[CallKind::Repair.as_str(), label]).inc();
    // Without an answer it may still arrive: its slot stays taken as reserved.
    let status = (answer != Permitted::Later).then_some(0);
    calls::answered(&held.tx, call, status, held.now).await?;
    match answer {
        Permitted::Yes | Permitted::No => {
            held.doc.unauthorized_once = false;
            let permitted = answer == Permitted::Yes;
            held.doc.tried.insert(op.as_str().to_owned(), crate::members::doc::Tried { at: began, permitted });
        }
        Permitted::Unauthorized => outcome::unauthorized(context, &mut held, token, &[]).await?,
        Permitted::Quota => {
            held.doc.block(held.now + Duration::from_secs(60), Some(Code::KaonaviSlotsTakenElsewhere));
        }
        Permitted::Later => {
            held.doc.read_failures += 1;
            held.doc.try_blocked_until = held.now + back_off(context.random.as_ref(), held.doc.read_failures);
        }
    }
    held.commit(context).await
}

/// Answers everybody who asked, once all that was asked for is known. Answers whether anything was done.
///
/// # Errors
/// When the store does not answer.
pub async fn answer(context: &Context, held: &mut Held) -> Result<bool> {
    let mut answered = false;
    let wall = Millis::from(context.clock.wall());
    for connection in held.connections.clone() {
        let Some(since) = asked(&connection) else { continue };
        let fresh = |read: Option<Millis>| read.is_some_and(|read| read >= since);
        if !fresh(held.doc.layout_read) || !fresh(held.doc.codes_read) || untried(held).is_some() {
            continue;
        }
        let layout = held.doc.layout.clone().unwrap_or_default();
        let checks = checks(held, &connection, &layout);
        connections::put_verification(&held.tx, &connection.id, &checks, held.now).await?;
        let problems: Vec<String> =
            checks.iter().filter(|check| in_the_way(check, &connection)).map(Check::line).collect();
        tracing::info!(connection.id = %connection.id, problems.count = problems.len(), "connection verified");
        answered = true;
        if connection.wanted.is_some() {
            if problems.is_empty() {
                connections::switch_on(&held.tx, &connection.id, held.now, Some(wall)).await?;
                employees::judge_again(&held.tx, &connection.id, held.now).await?;
            } else {
                connections::refuse_wish(&held.tx, &connection.id, &problems).await?;
            }
        }
    }
    if answered {
        employees::refresh_ops(&held.tx, &held.account.id, held.now).await?;
        held.connections = connections::of_account(&context.store, &held.tx, &held.account.id).await?;
    }
    Ok(answered)
}

/// Whether what was found keeps the switch off. Without the list of 所属 only 所属 is left alone; a 性別 label that came after the
/// first activation stops only the people who have it.
fn in_the_way(check: &Check, connection: &Connection) -> bool {
    let code = check.code.as_deref().and_then(Code::parse);
    match code.filter(|_| !check.ok) {
        None => !check.ok,
        Some(Code::KaonaviDepartmentsNotPermitted) => false,
        Some(Code::MappingGenderUnmapped) => connection.activated.is_none(),
        Some(_) => true,
    }
}

fn checks(held: &Held, connection: &Connection, layout: &Layout) -> Vec<Check> {
    let settings = &connection.settings;
    let mut checks = vec![Check::good("credentials"), Check::good("read")];
    for (op, what, box_name) in [(Op::Update, "update", "更新"), (Op::Create, "create", "登録")] {
        let permitted = held.doc.tried.get(op.as_str()).is_some_and(|tried| tried.permitted);
        checks.push(match permitted {
            true => Check::good(what),
            false => Check::bad(what, Code::KaonaviForbidden, Some(box_name)),
        });
    }
    checks.push(Check::good("layout"));
    let departments = held.doc.departments.as_ref().filter(|_| !held.doc.departments_denied);
    let mapping: Vec<Check> = problems(settings, &connection.gender_labels(), layout, departments)
        .iter()
        .map(|problem| Check::bad("mapping", problem.code, Some(&problem.about)))
        .collect();
    if mapping.is_empty() {
        checks.push(Check::good("mapping"))
    } else {
        checks.extend(mapping)
    }
    if settings.departments.is_some() && held.doc.departments_denied {
        checks.push(Check::bad("departments", Code::KaonaviDepartmentsNotPermitted, None));
    }
    checks
}

/// The verification of a connection whose account can not be asked at all.
#[must_use]
pub fn failed(code: Code, about: &str) -> Check {
    let what = match code {
        Code::KaonaviCredentialsRefused | Code::KaonaviUnauthorized => "credentials",
        Code::KaonaviForbidden => "read",
        _ => "layout",
    };
    Check::bad(what, code, Some(about))
}
