//! What the facts leave open, as switches with the assumed defaults.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

/// How long an API KEY lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyLife {
    /// Calendar months, to the second of the issue.
    Months(u8),
    /// Days of 24 hours, to the second of the issue.
    Days(u16),
    /// Calendar months, through the end of that date in Japan.
    MonthsToTheDay(u8),
}

/// What happens to a `limit` over 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverLimit {
    /// 100 rows come.
    Cut,
    /// It is refused as a bad parameter.
    Refuse,
}

/// What a page behind the last one answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PastEnd {
    /// 200 with no rows.
    Empty,
    /// Not found.
    NotFound,
}

/// What is listed of a past date on which somebody has entered nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyDays {
    /// A row whose times are null.
    NullRow,
    /// No row.
    Missing,
}

/// How next-day flags come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flags {
    /// −1, 0 or 1.
    Numbers,
    /// Null.
    Null,
    /// Left out.
    Missing,
}

/// How times of the next day are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockForm {
    /// `01:30`, the flag says the rest.
    Clock,
    /// `25:30`, and the flag is 1 all the same.
    Extended,
}

/// How the ratios of a row's `work` come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ratios {
    /// No `work` at all.
    Absent,
    /// As numbers.
    Numbers,
    /// As text.
    Strings,
}

/// Whom IPによるアクセス制限 is meant for (rule 17).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IpTarget {
    /// Nobody.
    Off,
    /// 全体
    Whole,
    /// システム管理画面のみ
    AdminScreens,
    /// 上部メニュー毎
    ByMenu,
    /// 権限毎
    ByRole,
}

/// IPによるアクセス制限 of a company.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IpRestriction {
    /// Whom it is meant for.
    pub target: IpTarget,
    /// The addresses that may.
    pub allowed: Vec<IpAddr>,
}

/// The switches of one company. Lengths of time are milliseconds on the injected clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Where `Link` points to.
    pub base_url: String,
    /// Calls per rolling window (rule 16).
    pub calls_per_window: usize,
    /// The window's length.
    pub window_ms: i64,
    /// Whether calls that were answered 429 count too.
    pub refused_calls_count: bool,
    /// The `Retry-After` of a 429, in seconds.
    pub retry_after: Option<u32>,
    /// How long a key lives (rule 3).
    pub key_life: KeyLife,
    /// Whether making a key ends the former one (rule 3).
    pub regenerate_revokes_old: bool,
    /// Whether making a key ends the tokens of the former one as well.
    pub regenerate_ends_tokens: bool,
    /// Whether a token outlives the key it was issued for.
    pub token_survives_key_expiry: bool,
    /// Life of a token (rule 4).
    pub token_life_ms: i64,
    /// Whether older tokens stay good when one is issued.
    pub several_tokens: bool,
    /// Whether an extended token keeps its text (rule 6).
    pub postpone_keeps_token: bool,
    /// Whether `Bearer` is taken for `Token` (rule 5).
    pub accept_bearer: bool,
    /// The status for a wrong, revoked or expired key.
    pub key_status: u16,
    /// The status for a missing, unknown, expired or destroyed token.
    pub token_status: u16,
    /// The status for a caller whose address is not allowed.
    pub ip_status: u16,
    /// Whether that caller gets HTML (rule 17).
    pub ip_html: bool,
    /// The status for a malformed date, month or parameter.
    pub parameter_status: u16,
    /// The status for a path, a person or a row that is not there.
    pub not_found_status: u16,
    /// The `code` of every error; `None`: the same number as the status.
    pub error_code: Option<i32>,
    /// IPによるアクセス制限.
    pub ip: IpRestriction,
    /// Whether the two newer targets of the restriction hit the API.
    pub newer_ip_targets_block: bool,
    /// A `limit` over 100 (rule 8).
    pub over_limit: OverLimit,
    /// A page behind the last one (rule 8).
    pub past_end: PastEnd,
    /// `X-Total-Page` of an empty list.
    pub pages_of_nothing: u64,
    /// Past dates without an entry (rule 14).
    pub empty_days: EmptyDays,
    /// Whether dates to come have rows.
    pub future_rows: bool,
    /// Whether days without work show the segment's break (rule 14).
    pub default_breaks: bool,
    /// How long rows stay behind the punches (rule 18); for live days only.
    pub rows_lag_ms: i64,
    /// Whether people who have left are listed.
    pub leavers_listed: bool,
    /// Whether a corrected number changes the `updated_at` of the person's rows.
    pub number_touches_rows: bool,
    /// Next-day flags (rule 13).
    pub flags: Flags,
    /// Clock times (rule 13).
    pub clock: ClockForm,
    /// Whether rows carry a member that nobody has heard of.
    pub unknown_members: bool,
    /// Whether optional members are left out of rows.
    pub without_optional: bool,
    /// The ratios of a row's `work`.
    pub ratios: Ratios,
    /// Whether segments lack their id.
    pub segments_without_id: bool,
    /// Whether rows of the monthly list lack `user_id` and flags (rule 18).
    pub bare_monthly_rows: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            base_url: "https://ieyasu.co".to_owned(),
            calls_per_window: 60,
            window_ms: 60_000,
            refused_calls_count: true,
            retry_after: None,
            key_life: KeyLife::Months(3),
            regenerate_revokes_old: true,
            regenerate_ends_tokens: false,
            token_survives_key_expiry: true,
            token_life_ms: 24 * 3_600_000,
            several_tokens: true,
            postpone_keeps_token: true,
            accept_bearer: false,
            key_status: 401,
            token_status: 401,
            ip_status: 403,
            ip_html: false,
            parameter_status: 400,
            not_found_status: 404,
            error_code: None,
            ip: IpRestriction { target: IpTarget::Off, allowed: Vec::new() },
            newer_ip_targets_block: false,
            over_limit: OverLimit::Cut,
            past_end: PastEnd::Empty,
            pages_of_nothing: 0,
            empty_days: EmptyDays::NullRow,
            future_rows: false,
            default_breaks: true,
            rows_lag_ms: 30 * 60_000,
            leavers_listed: true,
            number_touches_rows: false,
            flags: Flags::Numbers,
            clock: ClockForm::Clock,
            unknown_members: false,
            without_optional: false,
            ratios: Ratios::Numbers,
            segments_without_id: false,
            bare_monthly_rows: false,
        }
    }
}
