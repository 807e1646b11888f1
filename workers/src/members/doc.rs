//! What delivery remembers of an account between steps.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

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
    /// Kinds of calls that go unanswered: since when, and when one last did.
    pub unanswered: BTreeMap<String, (Millis, Millis)>,
}

/// A call that failed is made again within half an hour. When none failed for longer than this, nobody wants one any more.
const STILL: Duration = Duration::from_secs(3600);

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

    /// Notes whether カオナビ answered a call of this kind in a way that is of use.
    pub fn heard(&mut self, kind: &str, answered: bool, now: Millis) {
        if answered {
            self.unanswered.remove(kind);
            return;
        }
        let still = self.unanswered.get(kind).filter(|(_, last)| now.since(*last) < STILL).map(|(since, _)| *since);
        self.unanswered.insert(kind.to_owned(), (still.unwrap_or(now), now));
    }

    /// Since when some kind of call has been failing without a single answer, if that still goes on.
    #[must_use]
    pub fn trouble_since(&self, now: Millis) -> Option<Millis> {
        let still = self.unanswered.values().filter(|(_, last)| now.since(*last) < STILL);
        still.map(|(since, _)| *since).min()
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
