//! Who gets the update slots of an account, and when.
//!
//! カオナビ takes five update calls in any rolling minute, and each call carries many people, so calls are what is scarce. A
//! hire must not wait behind updates: every PATCH and every repair first proves that hires could still leave every `G`
//! after it (the headroom test). Pure functions over the slots that are taken; the reservation itself is a transaction.

use std::time::Duration;

use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;

use crate::calls::{Slot, UPDATE_SLOTS};

/// The longest time between two POSTs while hires wait.
pub const G: Duration = Duration::from_millis(20_500);

/// The shortest time between two PATCHes.
pub const P: Duration = Duration::from_secs(15);

/// How long a future call is assumed to hold its slot: its answer within a second, and a minute.
pub const HOLD: Duration = Duration::from_secs(61);

/// What the slots are wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// A POST of hires.
    Post {
        /// Whether an update waits that could be sent now.
        updates_wait: bool,
    },
    /// A PATCH of updates.
    Patch,
    /// A call in search of a bad record.
    Repair,
}

/// The taken slots of one account and its last calls.
#[derive(Debug, Clone, Default)]
pub struct Budget {
    /// Taken slots.
    pub slots: Vec<Slot>,
    /// When the last POST was reserved.
    pub last_post: Option<Millis>,
    /// When the last PATCH was reserved.
    pub last_patch: Option<Millis>,
}

fn slots() -> usize {
    UPDATE_SLOTS + usize::from(broken::is(Broken::SixSlots))
}

impl Budget {
    /// Whether `want` may be reserved at `now`.
    ///
    /// # Errors
    /// When to ask again (earlier if an answer comes in).
    pub fn ask(&self, want: Want, now: Millis) -> Result<(), Millis> {
        if self.allows(want, now) { Ok(()) } else { Err(self.next_chance(want, now)) }
    }

    fn taken_at(&self, now: Millis) -> usize {
        self.slots.iter().filter(|slot| slot.frees > now).count()
    }

    fn allows(&self, want: Want, now: Millis) -> bool {
        if self.taken_at(now) >= slots() {
            return false;
        }
        let post_may_follow = self.last_post.map_or(now, |last| now.max(last + G));
        match want {
            Want::Post { updates_wait } => {
                let regular = self
                    .last_post
                    .is_none_or(|last| now >= last + if broken::is(Broken::HiresWait) { G * 2 } else { G });
                regular || (!updates_wait && self.headroom(now, now + G))
            }
            Want::Patch => self.last_patch.is_none_or(|last| now >= last + P) && self.headroom(now, post_may_follow),
            Want::Repair => self.headroom(now, post_may_follow),
        }
    }

    /// Counts a call at `now` and POSTs at `first`, `first + G`, … as long as the call holds its slot: there must never be
    /// more than five slots taken when one of them starts.
    fn headroom(&self, now: Millis, first: Millis) -> bool {
        let train = u32::try_from(HOLD.as_millis().div_ceil(G.as_millis())).unwrap_or(3);
        let mut starts = vec![now];
        starts.extend((0..train).map(|index| first + G * index));
        let mut spans: Vec<(Millis, Millis)> = self
            .slots
            .iter()
            .filter(|slot| slot.frees > now)
            .map(|slot| (slot.reserved, if slot.answered { slot.frees } else { now + HOLD }))
            .collect();
        spans.extend(starts.iter().map(|start| (*start, *start + HOLD)));
        starts.iter().all(|start| spans.iter().filter(|(from, to)| from <= start && start < to).count() <= slots())
    }

    /// The first moment after `now` at which the answer may change by the passing of time alone.
    fn next_chance(&self, want: Want, now: Millis) -> Millis {
        let mut moments: Vec<Millis> = Vec::new();
        moments.extend(self.last_post.map(|last| last + G));
        moments.extend(self.last_patch.map(|last| last + P));
        for slot in &self.slots {
            moments.push(slot.frees);
            for index in 1..=3 {
                moments.push(slot.frees - G * index);
            }
        }
        moments.retain(|moment| *moment > now);
        moments.sort_unstable();
        let found = moments.iter().find(|moment| self.allows(want, **moment));
        found.or(moments.first()).copied().unwrap_or(now + Duration::from_secs(1))
    }
}
