//! What the facts leave open, as switches with the assumed defaults; and the faults that can be ordered.

use std::collections::BTreeSet;

use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};

/// How the update limit's minute is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowKind {
    /// Any 60 s: (t−60, t] at arrival.
    Rolling,
    /// Minutes of the clock.
    Fixed,
}

/// Whom errors and messages name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameMembers {
    /// `S20417: …`
    Code,
    /// `member_data.3.gender …`
    Index,
    /// Only what is wrong.
    Nobody,
}

/// What a length is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LengthUnit {
    /// Unicode code points: 𠮷 counts one.
    CodePoints,
    /// UTF-16 units: 𠮷 counts two.
    Utf16,
}

/// When the creation of an existing code is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateCreate {
    /// By 400, at once.
    BadRequest,
    /// By the task, as NG.
    TaskNg,
}

/// The switches of one company. Lengths of time are milliseconds on the injected clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Tokens issued per rolling hour (A4).
    pub tokens_per_hour: usize,
    /// Life of a token (A5).
    pub token_life_ms: i64,
    /// Whether a new token ends the older ones (A8).
    pub new_token_revokes_old: bool,
    /// Whether `GET /member_layouts` needs the read box (P4).
    pub layout_needs_target: bool,
    /// Whether `GET /tasks` needs the read box (P4).
    pub tasks_need_target: bool,
    /// The status for a target that is off (P2).
    pub off_target_status: u16,
    /// Calls per rolling hour (L1).
    pub calls_per_hour: usize,
    /// Update calls per minute (L2).
    pub updates_per_minute: usize,
    /// Which minute (L2).
    pub update_window: WindowKind,
    /// Whether an update call answered 4xx uses a slot (L3); 401, 403 and 429 never do.
    pub client_errors_use_slot: bool,
    /// Whether a dry run uses a slot (L5).
    pub dry_run_uses_slot: bool,
    /// Whether a 429 carries `Retry-After` (L6).
    pub retry_after: bool,
    /// Largest body in bytes (L7).
    pub max_body: usize,
    /// Whether a code may come once only in one body (V3).
    pub refuse_repeated_codes: bool,
    /// What `max_length` counts (V4).
    pub length_unit: LengthUnit,
    /// Whether writing a read-only or computed item is refused (V9).
    pub refuse_read_only: bool,
    /// Whether an unknown key is refused (V10).
    pub refuse_unknown_keys: bool,
    /// Whether `age`, `years_of_service` and `face_image` in a write are refused (V11).
    pub refuse_computed_keys: bool,
    /// When an existing code is refused on creation (V12).
    pub duplicate_create: DuplicateCreate,
    /// Whether an update of an unknown code is refused at once instead of by the task (T6).
    pub unknown_update_is_bad_request: bool,
    /// How long a task waits (T2).
    pub task_waiting_ms: i64,
    /// How long a task runs (T2).
    pub task_running_ms: i64,
    /// How long a finished task can be asked for (T11).
    pub task_kept_ms: i64,
    /// Whether a dry run names a task (M10).
    pub dry_run_task_id: bool,
    /// Whether the layout lacks 性別 altogether.
    pub layout_lacks_gender: bool,
    /// Whether `GET /members` comes in another order each time (M6).
    pub shuffle_members: bool,
    /// Whom the `errors` of a refusal name.
    pub errors_name: NameMembers,
    /// Whom the `messages` of a task name.
    pub messages_name: NameMembers,
    /// Whether errors and messages quote the offending value.
    pub quote_values: bool,
    /// Status of an accepted write.
    pub accepted_status: u16,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            tokens_per_hour: 5,
            token_life_ms: 3_600_000,
            new_token_revokes_old: false,
            layout_needs_target: false,
            tasks_need_target: false,
            off_target_status: 403,
            calls_per_hour: 3_000,
            updates_per_minute: 5,
            update_window: WindowKind::Rolling,
            client_errors_use_slot: false,
            dry_run_uses_slot: true,
            retry_after: false,
            max_body: 250 * 1024 * 1024,
            refuse_repeated_codes: true,
            length_unit: LengthUnit::CodePoints,
            refuse_read_only: true,
            refuse_unknown_keys: false,
            refuse_computed_keys: false,
            duplicate_create: DuplicateCreate::BadRequest,
            unknown_update_is_bad_request: false,
            task_waiting_ms: 2_000,
            task_running_ms: 3_000,
            task_kept_ms: 24 * 3_600_000,
            dry_run_task_id: true,
            layout_lacks_gender: false,
            shuffle_members: false,
            errors_name: NameMembers::Index,
            messages_name: NameMembers::Code,
            quote_values: false,
            accepted_status: 200,
        }
    }
}

/// Faults in force for one company. A number is how many more calls of that kind it strikes; it counts down.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    /// Writes that are accepted and whose answer is lost (F1).
    pub reset_after_acceptance: u32,
    /// Writes whose connection breaks before anything happened.
    pub reset_before_acceptance: u32,
    /// Reads (all but the token) whose connection breaks.
    pub reset_reads: u32,
    /// Writes that are accepted and answered by an HTML 500 (F2).
    pub html_500_after_acceptance: u32,
    /// Writes that are not accepted and answered by an HTML 500 (F2).
    pub html_500_before_acceptance: u32,
    /// Reads answered by an HTML 500.
    pub html_500_reads: u32,
    /// Reads answered by 200 with HTML.
    pub html_reads: u32,
    /// Reads answered by 200 with nothing.
    pub empty_reads: u32,
    /// Reads of the departments answered by an HTML 500.
    pub html_500_departments: u32,
    /// What `GET /member_layouts` answers instead of the layout.
    pub layout_is: Option<String>,
    /// Writes that are not accepted and answered by 200 with nothing.
    pub empty_writes: u32,
    /// Writes that are not accepted and answered by 200 with HTML.
    pub html_writes: u32,
    /// Token calls answered by an HTML 500.
    pub html_500_tokens: u32,
    /// Token calls answered by 200 with HTML.
    pub html_tokens: u32,
    /// Token calls answered by 200 with nothing.
    pub empty_tokens: u32,
    /// Everything is answered 503 before this time (F3).
    pub unavailable_until: Option<Millis>,
    /// Calls with a good token that are answered 401 (F4).
    pub unauthorized: u32,
    /// Writes answered 409.
    pub conflicts: u32,
    /// Accepted writes whose answer has no `task_id`.
    pub without_task_id: u32,
    /// Tasks, counted at acceptance, that end as ERROR (T10).
    pub task_errors: u32,
    /// Tasks, counted at acceptance, that end as NG.
    pub task_ngs: u32,
    /// Whether the running task stays RUNNING, with all behind it (T10).
    pub hold_tasks: bool,
    /// Codes that make a task NG though the checks at the door pass.
    pub ng_codes: BTreeSet<String>,
    /// Codes that make a task end as ERROR, which names nobody (T10).
    pub error_codes: BTreeSet<String>,
    /// Codes that make a write 400.
    pub bad_codes: BTreeSet<String>,
    /// Calls whose answer comes late.
    pub slow_answers: u32,
    /// How late, milliseconds.
    pub slow_answer_ms: u64,
    /// How many calls of a hundred reach the API late, by a fixed pattern. Over HTTP only.
    pub slow_arrival_percent: u8,
    /// How late they reach it, milliseconds.
    pub slow_arrival_ms: u64,
    /// How long the body of `GET /members` takes, milliseconds (F5).
    pub members_body_ms: u64,
    /// Bytes that `GET /members` carries before its members (F5).
    pub members_padding: usize,
    /// `GET /members` answers that end in the middle of the JSON.
    pub members_cut: u32,
}

/// Takes one from a counter; whether there was one.
pub(crate) fn take(counter: &mut u32) -> bool {
    let struck = *counter > 0;
    *counter = counter.saturating_sub(1);
    struck
}
