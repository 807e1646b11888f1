//! What 更新枠 shows of an account: when the next hire and the next change may leave, and what changes wait for.

use std::time::Duration;

use renkei_runtime::clock::Millis;
use serde::Deserialize;

use crate::batches::{self, BatchState, OpenBatch};
use crate::budget::{Budget, Want};
use crate::calls::{self, CallKind, Slot, UPDATE_SLOTS};
use crate::connections::Connection;
use crate::db::Sql;
use crate::dry_runs;
use crate::employees::{self, Going, Op};
use crate::error::Result;

/// Update calls of an hour: 300 of カオナビ's 3,000.
pub const UPDATES_AN_HOUR: i64 = 300;
/// Tokens and reads of an hour.
pub const READS_AN_HOUR: i64 = 200;
/// A change starts only while fewer tasks than this are open.
pub const OPEN_TASKS: usize = 2;

/// How long a call without an answer counts as an open task, from its deadline on.
const UNKNOWN_RUNS: Duration = Duration::from_secs(120);

/// Whether a batch counts among the open tasks of an account. One of which nobody knows whether it was taken may be a task, too;
/// after a while it has surely ended, if there ever was one.
#[must_use]
pub fn is_running(batch: &OpenBatch, now: Millis) -> bool {
    match batch.state {
        BatchState::Planned | BatchState::Accepted => true,
        BatchState::Unknown => now < batch.gives_up + UNKNOWN_RUNS,
        _ => false,
    }
}

/// When the first of the batches that count among the open tasks counts no more by the passing of time alone, which wakes nobody.
#[must_use]
pub fn next_over(open: &[OpenBatch], now: Millis) -> Option<Millis> {
    let unknown = open.iter().filter(|batch| batch.state == BatchState::Unknown && is_running(batch, now));
    unknown.map(|batch| batch.gives_up + UNKNOWN_RUNS).min()
}

/// The part of delivery's memory that is shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Memory {
    last_post: Option<Millis>,
    last_patch: Option<Millis>,
    blocked_until: Millis,
    blocked_by: Option<String>,
    token_blocked_until: Millis,
    token_blocked_by: Option<String>,
}

/// What calls of an account wait for, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocked {
    /// Not before.
    pub until: Millis,
    /// A code, such as `kaonavi.slots_taken_elsewhere`.
    pub code: Option<String>,
}

/// Why changes that wait do not leave now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// The next token.
    Token,
    /// The end of a pause after a failure, or after a limit was met.
    Pause,
    /// Tasks of カオナビ that are still open.
    OpenTasks,
    /// The hour's update calls are used up.
    Hour,
    /// All slots are taken.
    Slots,
    /// 15 s after the change before.
    Interval,
    /// The slots that are free are kept for hires.
    RoomForHires,
    /// The next quarter hour.
    QuarterHour,
    /// The pause of each person who waits.
    Retry,
}

impl WaitsFor {
    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            WaitsFor::Token => "token",
            WaitsFor::Pause => "pause",
            WaitsFor::OpenTasks => "open_tasks",
            WaitsFor::Hour => "hour",
            WaitsFor::Slots => "slots",
            WaitsFor::Interval => "interval",
            WaitsFor::RoomForHires => "room_for_hires",
            WaitsFor::QuarterHour => "quarter_hour",
            WaitsFor::Retry => "retry",
        }
    }
}

/// The outlook of one account.
#[derive(Debug, Clone)]
pub struct Outlook {
    /// Update calls that take a slot.
    pub slots: Vec<Slot>,
    /// When a hire that comes now could leave.
    pub next_create: Millis,
    /// When a change that comes now could leave.
    pub next_update: Millis,
    /// What the changes that wait now wait for; `None`: none waits, or they leave now.
    pub updates_wait_for: Option<WaitsFor>,
    /// Update calls are held back.
    pub blocked: Option<Blocked>,
    /// Token fetches are held back, and there is no token.
    pub token: Option<Blocked>,
    /// Calls of the last hour by kind.
    pub hour: Vec<(CallKind, i64)>,
}

impl Outlook {
    /// Looks at account `id`, which these connections use.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn of(sql: &impl Sql, id: &str, connections: &[Connection], now: Millis) -> Result<Self> {
        let query = "SELECT doc, token_expires_ms FROM accounts WHERE account_id = $1";
        let row = sql.row(query, vec![id.into()]).await?;
        let (memory, token_until) = match &row {
            // A memory of another version says nothing; the slots stand in the log of calls.
            Some(row) => (
                serde_json::from_str(&row.get::<String>("doc")?).unwrap_or_default(),
                Millis(row.get("token_expires_ms")?),
            ),
            None => (Memory::default(), Millis(0)),
        };
        let slots = calls::taken(sql, id, now).await?;
        let hour = calls::counts_since(sql, id, now - Duration::from_secs(3600)).await?;
        let budget = Budget { slots: slots.clone(), last_post: memory.last_post, last_patch: memory.last_patch };
        let later = |until: Millis, code| (until > now).then_some(Blocked { until, code });
        let blocked = later(memory.blocked_until, memory.blocked_by);
        let token = later(memory.token_blocked_until, memory.token_blocked_by).filter(|_| token_until <= now);
        let going = Going::of(connections, Op::Update, now);
        let (ready, next) = employees::due_summary(sql, id, &going, Op::Update, now).await?;
        let not_before = |want| {
            let free = budget.ask(want, now).err().unwrap_or(now);
            [&blocked, &token].into_iter().flatten().map(|blocked| blocked.until).fold(free, Millis::max)
        };
        let updates: i64 = hour.iter().filter(|(kind, _)| kind.takes_a_slot()).map(|(_, count)| count).sum();
        let open = batches::open_lightly(sql, id).await?;
        let tried = dry_runs::task_until(sql, id, now).await?;
        let running = open.iter().filter(|batch| is_running(batch, now)).count() + usize::from(tried.is_some());
        let updates_wait_for = match (ready, next) {
            (0, None) => None,
            (0, Some(at)) if !going.quarterly.is_empty() && at == going.quarter + employees::QUARTER => {
                Some(WaitsFor::QuarterHour)
            }
            (0, Some(_)) => Some(WaitsFor::Retry),
            _ if token.is_some() => Some(WaitsFor::Token),
            _ if blocked.is_some() => Some(WaitsFor::Pause),
            _ if running >= OPEN_TASKS => Some(WaitsFor::OpenTasks),
            _ if updates >= UPDATES_AN_HOUR => Some(WaitsFor::Hour),
            _ if budget.ask(Want::Patch, now).is_ok() => None,
            _ if slots.len() >= UPDATE_SLOTS => Some(WaitsFor::Slots),
            _ if memory.last_patch.is_some_and(|last| now < last + crate::budget::P) => Some(WaitsFor::Interval),
            _ => Some(WaitsFor::RoomForHires),
        };
        Ok(Self {
            next_create: not_before(Want::Post { updates_wait: ready > 0 }),
            next_update: not_before(Want::Patch),
            updates_wait_for,
            blocked,
            token,
            hour,
            slots,
        })
    }

    /// Tokens and reads of the last hour, of [`READS_AN_HOUR`].
    #[must_use]
    pub fn reads(&self) -> i64 {
        let reads = self.hour.iter().filter(|(kind, _)| matches!(kind, CallKind::Token | CallKind::Read));
        reads.map(|(_, count)| count).sum()
    }
}
