//! `renkei-workers status`: connections, what waits where, who needs a person, and the budget.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use renkei_runtime::clock::Millis;
use renkei_store::connections::{self, Connection};
use renkei_store::employees::{self, RowState};
use renkei_store::error::Result;
use renkei_store::outlook::{Blocked, Outlook, READS_AN_HOUR, WaitsFor};
use renkei_store::{Store, accounts};
use serde::Serialize;

/// How many people of each kind are listed by name of number.
const LISTED: usize = 200;

/// Everything.
#[derive(Debug, Serialize)]
pub struct Status {
    /// By id.
    pub connections: Vec<ConnectionStatus>,
    /// By id.
    pub accounts: Vec<AccountStatus>,
}

/// One connection.
#[derive(Debug, Serialize)]
pub struct ConnectionStatus {
    /// Its id.
    pub id: String,
    /// The company.
    pub tenant: String,
    /// Its name.
    pub name: String,
    /// The switch: draft, active, paused, halted, disconnected.
    pub state: String,
    /// Why it is halted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Which call failed and what カオナビ said; shown only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether a worker is asked to verify and switch on.
    pub verifying: bool,
    /// What stood in the way of switching on.
    pub problems: Vec<String>,
    /// The account.
    pub account: Option<String>,
    /// People by state: due, in_flight, held, parked, skipped, synced, baseline.
    pub people: BTreeMap<String, i64>,
    /// Skipped and parked people by reason.
    pub reasons: BTreeMap<String, i64>,
    /// 要対応.
    pub parked: Vec<PersonStatus>,
    /// 保留.
    pub held: Vec<PersonStatus>,
}

/// One person that needs a person.
#[derive(Debug, Serialize)]
pub struct PersonStatus {
    /// 社員番号.
    pub number: Option<String>,
    /// 従業員ID.
    pub employee_id: String,
    /// The error code.
    pub code: Option<String>,
    /// カオナビ's words, pointers, near codes; may be personal, shown only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// Calls that are held back.
#[derive(Debug, Serialize)]
pub struct BlockedStatus {
    /// How long still.
    pub ends_in_ms: u64,
    /// Why, as a code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// One account's budget.
#[derive(Debug, Serialize)]
pub struct AccountStatus {
    /// The fingerprint.
    pub id: String,
    /// Taken slots: what for and in how many milliseconds each is free.
    pub slots: Vec<SlotStatus>,
    /// In how many milliseconds a hire could leave.
    pub next_create_ms: u64,
    /// In how many milliseconds a change could leave.
    pub next_update_ms: u64,
    /// Why the changes that wait do not leave now: token, pause, open_tasks, hour, slots, interval, room_for_hires,
    /// quarter_hour or retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updates_wait_for: Option<&'static str>,
    /// Calls of the last hour.
    pub calls_last_hour: i64,
    /// Of these tokens and reads, of 200.
    pub reads_last_hour: i64,
    /// Update calls are held back: why and for how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked: Option<BlockedStatus>,
    /// Token fetches are held back: why and for how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<BlockedStatus>,
}

/// One taken slot.
#[derive(Debug, Serialize)]
pub struct SlotStatus {
    /// create, update, repair.
    pub kind: &'static str,
    /// Until it is free, as far as is known.
    pub frees_in_ms: u64,
}

/// Gathers the status.
///
/// # Errors
/// When the store does not answer.
pub async fn gather(store: &Store, details: bool) -> Result<Status> {
    let now = store.now().await?;
    let mut listed = Vec::new();
    for connection in connections::all(store).await? {
        let mut people: BTreeMap<String, i64> =
            RowState::ALL.iter().map(|state| (label(*state).to_owned(), 0)).collect();
        let mut reasons = BTreeMap::new();
        for (state, reason, count) in employees::counts(&store.db, &connection.id).await? {
            *people.entry(label(state).to_owned()).or_default() += count;
            if let (Some(reason), RowState::Skipped | RowState::Parked | RowState::Held) = (reason, state) {
                *reasons.entry(reason).or_default() += count;
            }
        }
        listed.push(ConnectionStatus {
            parked: persons(store, &connection.id, RowState::Parked, details).await?,
            held: persons(store, &connection.id, RowState::Held, details).await?,
            state: connection.state.to_string(),
            code: connection.state_code,
            detail: connection.state_detail.filter(|_| details),
            verifying: connection.wanted.is_some(),
            problems: connection.problems,
            account: connection.account,
            tenant: connection.tenant,
            name: connection.name,
            id: connection.id,
            people,
            reasons,
        });
    }
    let mut budgets = Vec::new();
    for (id, _) in accounts::docs(store).await? {
        let using = connections::of_account(store, &store.db, &id).await?;
        budgets.push(budget(store, id, &using, now).await?);
    }
    Ok(Status { connections: listed, accounts: budgets })
}

fn label(state: RowState) -> &'static str {
    if state == RowState::Flying { "in_flight" } else { state.as_str() }
}

async fn persons(store: &Store, connection: &str, state: RowState, details: bool) -> Result<Vec<PersonStatus>> {
    let rows = employees::in_states(store, connection, &[state], LISTED).await?;
    let person = |row: employees::FullRow| PersonStatus {
        number: row.number,
        employee_id: row.key.employee,
        code: row.reason,
        detail: row.detail.filter(|text| details && !text.is_empty()),
    };
    Ok(rows.into_iter().map(person).collect())
}

async fn budget(store: &Store, id: String, connections: &[Connection], now: Millis) -> Result<AccountStatus> {
    let outlook = Outlook::of(&store.db, &id, connections, now).await?;
    let blocked = |found: Option<Blocked>| {
        found.map(|Blocked { until, code }| BlockedStatus { ends_in_ms: millis(until, now), code })
    };
    Ok(AccountStatus {
        next_create_ms: millis(outlook.next_create, now),
        next_update_ms: millis(outlook.next_update, now),
        updates_wait_for: outlook.updates_wait_for.map(WaitsFor::as_str),
        calls_last_hour: outlook.hour.iter().map(|(_, count)| count).sum(),
        reads_last_hour: outlook.reads(),
        slots: outlook
            .slots
            .iter()
            .map(|slot| SlotStatus { kind: slot.kind.as_str(), frees_in_ms: millis(slot.frees, now) })
            .collect(),
        blocked: blocked(outlook.blocked),
        token: blocked(outlook.token),
        id,
    })
}

fn millis(at: Millis, now: Millis) -> u64 {
    u64::try_from(at.since(now).as_millis()).unwrap_or(u64::MAX)
}

impl Status {
    /// The status as text for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = String::new();
        for connection in &self.connections {
            let code = connection.code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
            let verifying = if connection.verifying { ", verifying" } else { "" };
            let _ = writeln!(
                text,
                "connection {} [{}] {}{code}{verifying}",
                connection.id, connection.name, connection.state
            );
            if let Some(detail) = &connection.detail {
                let _ = writeln!(text, "  halted by: {}", detail.replace('\n', " | "));
            }
            let people: Vec<String> =
                connection.people.iter().map(|(state, count)| format!("{state} {count}")).collect();
            let _ = writeln!(text, "  people: {}", people.join(", "));
            for (reason, count) in &connection.reasons {
                let _ = writeln!(text, "    {reason}: {count}");
            }
            for problem in &connection.problems {
                let _ = writeln!(text, "  not switched on: {problem}");
            }
            for (title, persons) in [("needs a person", &connection.parked), ("held", &connection.held)] {
                for person in persons {
                    let number = person.number.as_deref().unwrap_or("-");
                    let code = person.code.as_deref().unwrap_or("-");
                    let detail = person.detail.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
                    let _ = writeln!(text, "  {title}: number {number}, id {}, {code}{detail}", person.employee_id);
                }
            }
        }
        for account in &self.accounts {
            let _ = writeln!(
                text,
                "account {}: {} of 5 slots taken, next create in {} s, next update in {} s, {} of 3000 calls this hour",
                account.id,
                account.slots.len(),
                account.next_create_ms.div_ceil(1000),
                account.next_update_ms.div_ceil(1000),
                account.calls_last_hour
            );
            for slot in &account.slots {
                let _ = writeln!(text, "  slot: {}, free in {} s", slot.kind, slot.frees_in_ms.div_ceil(1000));
            }
            if let Some(waits_for) = account.updates_wait_for {
                let _ = writeln!(text, "  updates wait for: {waits_for}");
            }
            let _ = writeln!(text, "  tokens and reads this hour: {} of {READS_AN_HOUR}", account.reads_last_hour);
            for (what, blocked) in [("update calls", &account.blocked), ("tokens", &account.token)] {
                if let Some(BlockedStatus { ends_in_ms, code }) = blocked {
                    let code = code.as_deref().map(|code| format!(" ({code})")).unwrap_or_default();
                    let _ = writeln!(text, "  {what} wait for {} s{code}", ends_in_ms.div_ceil(1000));
                }
            }
        }
        text
    }
}
