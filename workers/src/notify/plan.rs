//! What is to be done about episodes, from what is open now and what is known: a pure function.
//!
//! An episode gathers for 60 s, then its first mail goes out; later mails go out an hour after the one before at the
//! earliest. A mail is made only when something is open that this episode has not told yet. So when everything is over by the
//! end of the gathering there is no mail at all: nobody has to do anything any more, and the activity shows what was. The
//! episode stays open then; what comes back within its life is told at once.
//!
//! An episode ends when nothing of it was open for 60 minutes. An administrator who acts ends it earlier; then the next failure
//! begins a new one, in which those who were told before and have not failed again are not told again.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::episodes::{Episode, Item, Past, Trouble};

/// How long an episode gathers before its first mail.
pub const GATHERING: Duration = Duration::from_secs(60);
/// From one mail of an episode to the next, at least.
pub const BETWEEN: Duration = Duration::from_secs(3600);
/// An episode of which nothing was open for so long is over.
pub const OVER: Duration = Duration::from_secs(3600);

/// What is open now: for each trouble its items with the time since when they are in it.
pub type OpenItems = BTreeMap<Trouble, BTreeMap<Item, Millis>>;

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Open an episode.
    Open {
        /// Of what.
        trouble: Trouble,
        /// What is new.
        items: Vec<Item>,
        /// What was told before.
        before: Vec<Item>,
    },
    /// Add what is new to an open episode.
    Add {
        /// Which.
        episode: i64,
        /// What.
        items: Vec<Item>,
    },
    /// Something of it is open.
    Seen {
        /// Which.
        episode: i64,
    },
    /// Make a mail.
    Tell {
        /// Of which episode.
        episode: i64,
        /// Which mail of it, from 1.
        digest: i64,
        /// About whom.
        items: Vec<Item>,
    },
    /// End an episode.
    Close {
        /// Which.
        episode: i64,
    },
}

/// Plans. `past` has the last episode of each open trouble that has no open episode.
#[must_use]
pub fn plan(open: &OpenItems, known: &[Episode], past: &BTreeMap<Trouble, Past>, now: Millis) -> Vec<Action> {
    let mut actions = Vec::new();
    for episode in known {
        match open.get(&episode.trouble).filter(|items| !items.is_empty()) {
            Some(items) => go_on(episode, items, now, &mut actions),
            None if now.since(episode.seen) >= OVER => actions.push(Action::Close { episode: episode.id }),
            None => {}
        }
    }
    let open_already: BTreeSet<&Trouble> = known.iter().map(|episode| &episode.trouble).collect();
    for (trouble, items) in open.iter().filter(|(trouble, _)| !open_already.contains(trouble)) {
        let told = |item: &Item, since: Millis| {
            past.get(trouble).is_some_and(|past| since <= past.closed && past.told.contains(item))
        };
        let (before, new): (Vec<_>, Vec<_>) = items.iter().partition(|(item, since)| told(item, **since));
        if !new.is_empty() {
            let names = |items: Vec<(&Item, &Millis)>| items.into_iter().map(|(item, _)| item.clone()).collect();
            actions.push(Action::Open { trouble: trouble.clone(), items: names(new), before: names(before) });
        }
    }
    actions
}

fn go_on(episode: &Episode, open: &BTreeMap<Item, Millis>, now: Millis, actions: &mut Vec<Action>) {
    actions.push(Action::Seen { episode: episode.id });
    let unknown: Vec<Item> = open.keys().filter(|item| !episode.items.contains_key(*item)).cloned().collect();
    if !unknown.is_empty() {
        actions.push(Action::Add { episode: episode.id, items: unknown });
    }
    let due = match episode.last_digest {
        Some(last) => last + BETWEEN,
        None => episode.opened + GATHERING,
    };
    let untold =
        |item: &&Item| !matches!(episode.items.get(*item), Some(Some(_))) || broken::is(Broken::DigestWithoutNews);
    let items: Vec<Item> = open.keys().filter(untold).cloned().collect();
    if now >= due && !items.is_empty() {
        actions.push(Action::Tell { episode: episode.id, digest: episode.digests + 1, items });
    }
}
