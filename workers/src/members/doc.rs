//! What delivery remembers of an account between steps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::clock::Millis;
use serde::{Deserialize, Serialize};

/// One item of カオナビ's member layout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutItem {
    /// The label on カオナビ's screens.
    pub name: String,
    /// Whether a member can not be created without it.
    pub required: bool,
    /// `string`, `date`, `enum`, …
    pub kind: String,
    /// In code points, for texts.
    pub max_length: Option<u32>,
    /// The choices of an `enum`.
    pub choices: Vec<String>,
    /// Whether the API can not write it.
    pub read_only: bool,
}

/// カオナビ's member layout: item key (`name`, …, `custom:{id}`) → item.
pub type Layout = BTreeMap<String, LayoutItem>;

/// What came of trying whether a call is permitted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// When.
    pub at: Millis,
    /// Whether it is.
    pub permitted: bool,
}

/// The account's memory, kept as JSON in its row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountDoc {
    /// When the last POST of hires was reserved.
    pub last_post: Option<Millis>,
    /// When the last PATCH of updates was reserved.
    pub last_patch: Option<Millis>,
    /// No update call before this time.
    pub blocked_until: Millis,
    /// Why, as a code, where there is one.
    pub blocked_by: Option<String>,
    /// One open task at a time until then: カオナビ said that two are in each other's way.
    pub single_until: Millis,
    /// Update calls that failed in a row without reaching a task.
    pub failures: u32,
    /// The layout and when it was read.
    pub layout: Option<Layout>,
    /// When.
    pub layout_read: Option<Millis>,
    /// The codes of 所属; read only while a connection maps 所属.
    pub departments: Option<BTreeSet<String>>,
    /// When.
    pub departments_read: Option<Millis>,
    /// カオナビ does not permit reading them: 所属 is left alone.
    pub departments_denied: bool,
    /// Since when.
    pub departments_denied_since: Option<Millis>,
    /// When people whom a condition on days from today left out are judged again.
    pub next_day: Option<Millis>,
    /// When the last whole read of member codes began.
    pub codes_read: Option<Millis>,
    /// A read that began before this time is too old.
    pub read_wanted: Option<Millis>,
    /// When the codes are read next without any reason.
    pub daily_read: Option<Millis>,
    /// Reads and token fetches that failed in a row.
    pub read_failures: u32,
    /// When a read last failed.
    pub read_failed: Option<Millis>,
    /// カオナビ refused the credentials: no token is asked for until somebody wants a connection on again.
    pub credentials_refused: bool,
    /// No read before this time.
    pub read_blocked_until: Millis,
    /// No token fetch before this time.
    pub token_blocked_until: Millis,
    /// Why, as a code.
    pub token_blocked_by: Option<String>,
    /// A 401 came although the token looked good; the next one, with a fresh token, is final.
    pub unauthorized_once: bool,
    /// No try whether a call is permitted before this time.
    pub try_blocked_until: Millis,
    /// Whether カオナビ permits changes (`update`) and registrations (`create`), when that was last tried.
    pub tried: BTreeMap<String, Tried>,
    /// When an update call last made a task.
    pub last_success: Option<Millis>,
    /// Of the tasks whose end is known, the one whose call was reserved last: when it was reserved and when it ended.
    pub last_final: Option<(Millis, Millis)>,
    /// Kinds of calls that come to nothing: since when, and when one last did. Refused for quota they stand under
    /// `{kind}/quota`.
    pub unanswered: BTreeMap<String, (Millis, Millis)>,
}

/// What came of a call, as far as it tells whether calls of its kind are of any use now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// An answer that says something: also a refusal of its records, or one that halts.
    Answer,
    /// No answer, or a refusal that says nothing about what was sent: it is made again.
    Nothing,
    /// A limit on calls was met.
    Quota,
}

/// A call that failed is made again within half an hour, a token fetch within an hour and its deadline, as five are all that
/// an hour has. When none failed for longer than this, nobody wants one any more.
const STILL: Duration = Duration::from_secs(4000);
/// A few failures within less than this, after which nobody asks any more, are no trouble that lasts.
const SPREAD: Duration = Duration::from_secs(1800);

/// Ends the name of a kind of call that was refused for quota.
const QUOTA: &str = "/quota";

impl AccountDoc {
    /// Reads the stored text. One that is not understood (older version) counts as empty: everything in it is found out
    /// again, and the slots stand in the log of calls.
    #[must_use]
    pub fn read(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// The text to store.
    #[must_use]
    pub fn text(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    /// Notes what came of a call of this kind: `update`, `read`, `departments`, `poll`, `task` or `token`.
    pub fn heard(&mut self, kind: &str, heard: Heard, now: Millis) {
        let kind = match heard {
            Heard::Answer => {
                self.unanswered.remove(kind);
                self.unanswered.remove(&format!("{kind}{QUOTA}"));
                return;
            }
            Heard::Nothing => kind.to_owned(),
            Heard::Quota => format!("{kind}{QUOTA}"),
        };
        let still = self.unanswered.get(&kind).filter(|(_, last)| now.since(*last) < STILL).map(|(since, _)| *since);
        self.unanswered.insert(kind, (still.unwrap_or(now), now));
    }

    /// What has been failing for a while without a single answer between, and since when.
    #[must_use]
    pub fn troubles(&self, now: Millis) -> BTreeMap<Code, Millis> {
        let mut troubles: BTreeMap<Code, Millis> = BTreeMap::new();
        let lasts = |since: Millis, last: Millis| now.since(last) < STILL && last.since(since) > SPREAD;
        for (kind, (since, _)) in self.unanswered.iter().filter(|(_, (since, last))| lasts(*since, *last)) {
            let code = match kind.strip_suffix(QUOTA) {
                Some("update") => Code::KaonaviSlotsTakenElsewhere,
                Some("token") => Code::KaonaviTokensUsedUp,
                _ => Code::KaonaviUnavailable,
            };
            let earliest = troubles.entry(code).or_insert(*since);
            *earliest = (*earliest).min(*since);
        }
        troubles
    }

    /// Holds update calls back until then.
    pub fn block(&mut self, until: Millis, why: Option<Code>) {
        self.blocked_until = until;
        self.blocked_by = why.map(|code| code.as_str().to_owned());
    }

    /// Holds token fetches back until then.
    pub fn block_tokens(&mut self, until: Millis, why: Code) {
        self.token_blocked_until = until;
        self.token_blocked_by = Some(why.as_str().to_owned());
    }

    /// Wants the member codes read, by a read that begins from now on.
    pub fn want_read(&mut self, now: Millis) {
        self.read_wanted = Some(self.read_wanted.map_or(now, |wanted| wanted.max(now)));
    }

    /// Whether a whole read of the codes is owed at `now`.
    #[must_use]
    pub fn read_owed(&self, now: Millis) -> bool {
        let wanted = self.read_wanted.is_some_and(|wanted| self.codes_read.is_none_or(|read| read < wanted));
        wanted || self.daily_read.is_some_and(|daily| now >= daily)
    }

    /// Sets the next daily read: at night on the Asia/Tokyo clock, spread over five hours by the account's name.
    pub fn plan_daily_read(&mut self, account: &str, now: Millis) {
        let tokyo = 9 * 3_600_000;
        let day = 86_400_000;
        let midnight = (now.0 + tokyo).div_euclid(day) * day - tokyo + day;
        let spread = account.bytes().fold(0_i64, |sum, byte| (sum * 31 + i64::from(byte)) % (5 * 3600));
        self.daily_read = Some(Millis(midnight) + Duration::from_secs(u64::try_from(spread).unwrap_or(0)));
    }
}
