//! Told: mails to those in charge of personnel when something needs a person.
//!
//! A step looks at what is open now ([`open_items`]), decides what follows ([`plan`]), writes episodes and mails down, and hands
//! at most one mail to the mail server ([`send`]). One process at a time does so, under a lease; two would only do the same
//! work for nothing, because an episode's mail can be made once and taken by one.

mod anew;
pub mod letters;
pub mod morning;
pub mod open_items;
pub mod plan;
pub mod send;
pub mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use renkei_runtime::clock::Millis;
use renkei_store::activity::{self, Entry};
use renkei_store::db::Tx;
use renkei_store::episodes::{self, BEFORE, Episode, Item, Trouble};
use renkei_store::{Store, leases, links, outbox};

use self::open_items::Scan;
use self::plan::Action;
use self::send::Mailer;
use crate::context::{Context, NextWake};
use crate::error::Result;

/// How often is looked (on the store's clock).
const EVERY: Duration = Duration::from_secs(5);
/// With very many people in need of attention a look is dear, so it is made less often.
const MANY: usize = 5_000;
const SELDOM: Duration = Duration::from_secs(30);
/// However fast the clock runs, not more often than this (real time).
const AT_MOST: Duration = Duration::from_millis(250);
/// The lease's name.
const LEASE: &str = "notify";
/// Longer than a step can take, its call included (real time).
const LEASE_LENGTH: Duration = Duration::from_secs(90);
/// When nobody looked for so long (on the store's clock), what was open then counts as open until now: whoever was held or parked may
/// just be judged anew, and would be told once more as a new episode.
const UNLOOKED: Duration = Duration::from_secs(3000);

/// How mails leave this installation.
pub struct Post {
    /// Hands mails over; `None`: mail is off.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// The domain of Message-IDs.
    pub domain: String,
    /// Who is told when a connection names nobody.
    pub fallback_to: Vec<String>,
    /// Where people look, without a slash at its end.
    pub public_url: Option<String>,
    /// The episodes of which it was said that nobody is there to be told.
    unheard: Mutex<BTreeSet<i64>>,
    /// The last day on which the mails of the morning were all seen to.
    morning: Mutex<Option<jiff::civil::Date>>,
}

impl Post {
    /// Without a mailer mail is off: episodes are kept, and nothing counts as told.
    #[must_use]
    pub fn new(
        mailer: Option<Arc<dyn Mailer>>,
        domain: String,
        fallback_to: Vec<String>,
        public_url: Option<String>,
    ) -> Self {
        Self { mailer, domain, fallback_to, public_url, unheard: Mutex::default(), morning: Mutex::default() }
    }

    fn is_morning_over(&self, day: jiff::civil::Date) -> bool {
        *self.morning.lock().unwrap_or_else(PoisonError::into_inner) == Some(day)
    }

    fn end_morning(&self, day: jiff::civil::Date) {
        *self.morning.lock().unwrap_or_else(PoisonError::into_inner) = Some(day);
    }

    /// Whether this is the first time that nobody could be told about the episode.
    fn is_first_unheard(&self, episode: i64) -> bool {
        self.unheard.lock().unwrap_or_else(PoisonError::into_inner).insert(episode)
    }
}

/// One step of the role.
///
/// # Errors
/// When the store does not answer.
pub async fn step(context: &Context, post: &Post, owner: &str) -> Result<NextWake> {
    let now = context.store.now().await?;
    let often = EVERY.max(context.clock.stretched(AT_MOST));
    if !may_look(context, owner, now).await? {
        return Ok(NextWake::At(now + often));
    }
    let scan = open_items::scan(&context.store, now).await?;
    keep_episodes(context, post, &scan, now).await?;
    morning::see_to_links(context, post, now).await?;
    if send::one(context, post, &scan, now).await? {
        return Ok(NextWake::Now);
    }
    Ok(NextWake::At(now + if scan.people > MANY { often.max(SELDOM) } else { often }))
}

/// Takes the lease, or renews it. After a long time without anybody it is written down at once, with the lease, that what was open
/// counts as open until now: a look that comes to nothing must not be the first one.
async fn may_look(context: &Context, owner: &str, now: Millis) -> Result<bool> {
    let tx = context.store.begin().await?;
    let unlooked = leases::free_since(&tx, LEASE, now).await?;
    if leases::claim(&tx, LEASE, owner, now, context.clock.stretched(LEASE_LENGTH)).await?.is_none() {
        return Ok(false);
    }
    if unlooked.is_some_and(|since| now.since(since) >= UNLOOKED) {
        episodes::all_seen(&tx, now).await?;
    }
    tx.commit().await?;
    Ok(true)
}

async fn keep_episodes(context: &Context, post: &Post, scan: &Scan, now: Millis) -> Result<()> {
    let store = &context.store;
    let known = episodes::open_ones(&store.db).await?;
    let mut past = BTreeMap::new();
    for trouble in scan.open.keys().filter(|trouble| known.iter().all(|episode| episode.trouble != **trouble)) {
        if let Some(found) = episodes::past(&store.db, trouble).await? {
            past.insert(trouble.clone(), found);
        }
    }
    let mut seen = Vec::new();
    for action in plan::plan(&scan.open, &known, &past, now) {
        match action {
            Action::Open { trouble, items, before } => {
                let Some(tx) = begin_about(store, &trouble).await? else { continue };
                let items = episodes::still_there(&tx, items).await?;
                let before = episodes::still_there(&tx, before).await?;
                if items.is_empty() {
                    continue;
                }
                let id = episodes::open(&tx, &trouble, now).await?;
                episodes::add_items(&tx, id, &items, None, now).await?;
                episodes::add_items(&tx, id, &before, Some(BEFORE), now).await?;
                tx.commit().await?;
                tracing::info!(episode.id = id, error.code = %trouble.code, episode.items = items.len(), "episode opened");
            }
            Action::Add { episode, items } => {
                let Some(episode) = known.iter().find(|known| known.id == episode) else { continue };
                let Some(tx) = begin_in(store, episode).await? else { continue };
                let items = episodes::still_there(&tx, items).await?;
                episodes::add_items(&tx, episode.id, &items, None, now).await?;
                tx.commit().await?;
            }
            Action::Seen { episode } => seen.push(episode),
            Action::Tell { episode, digest, items } => {
                if let Some(episode) = known.iter().find(|known| known.id == episode) {
                    tell(context, post, scan, episode, (digest, items), now).await?;
                }
            }
            Action::Close { episode } => {
                let closed = known.iter().find(|known| known.id == episode);
                let entries = closed.map(|closed| recovered(scan, closed, now)).unwrap_or_default();
                let tx = store.begin().await?;
                if !episodes::try_hold(&tx, episode).await? {
                    continue;
                }
                episodes::close(&tx, episode, now).await?;
                activity::add(store, &tx, &entries).await?;
                tx.commit().await?;
                tracing::info!(episode.id = episode, "episode closed");
            }
        }
    }
    if !seen.is_empty() {
        let tx = store.begin().await?;
        episodes::seen(&tx, &seen, now).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// A transaction about a trouble, with its company's lock: nobody is deleted between what is read there and what is written of it.
/// `None` while somebody else has the lock: the next look comes back to it, and nobody of another company waits.
async fn begin_about(store: &Store, trouble: &Trouble) -> Result<Option<Tx>> {
    let tx = store.begin().await?;
    Ok(links::try_lock_tenant(&tx, &trouble.tenant).await?.then_some(tx))
}

/// The same about an open episode, in which nobody gets another id meanwhile.
async fn begin_in(store: &Store, episode: &Episode) -> Result<Option<Tx>> {
    let Some(tx) = begin_about(store, &episode.trouble).await? else { return Ok(None) };
    Ok(episodes::try_hold(&tx, episode.id).await?.then_some(tx))
}

/// What the activity shows of an episode that is over: in each of its connections that the trouble has passed. No mail says so.
fn recovered(scan: &Scan, episode: &Episode, now: Millis) -> Vec<Entry> {
    let connections: BTreeSet<&String> = episode.items.keys().map(|item| &item.connection).collect();
    let known = connections.into_iter().filter(|id| scan.connections.contains_key(*id));
    let entry = |connection: &String| Entry {
        at: now,
        connection: connection.clone(),
        employee: None,
        kind: "recovered".to_owned(),
        code: Some(episode.trouble.code.as_str().to_owned()),
        detail: None,
    };
    known.map(entry).collect()
}

/// Makes a mail: in one transaction it is put on its way and its items are marked as told.
async fn tell(
    context: &Context,
    post: &Post,
    scan: &Scan,
    episode: &Episode,
    (digest, items): (i64, Vec<Item>),
    now: Millis,
) -> Result<()> {
    if post.mailer.is_none() {
        return Ok(());
    }
    let store = &context.store;
    if letters::recipients(scan, &items, &post.fallback_to).is_empty() {
        if post.is_first_unheard(episode.id) {
            let code = episode.trouble.code;
            tracing::warn!(episode.id = episode.id, error.code = %code,
                "nobody is told by mail: neither the connection nor RENKEI_MAIL_FALLBACK_TO names a recipient");
        }
        return Ok(());
    }
    let Some(tx) = begin_in(store, episode).await? else { return Ok(()) };
    let items = episodes::still_there(&tx, items).await?;
    let to = letters::recipients(scan, &items, &post.fallback_to);
    if to.is_empty() {
        return Ok(());
    }
    let url = post.public_url.as_deref();
    let letter = letters::letter(store, &tx, scan, &episode.trouble, digest, &items, url).await?;
    let mail = outbox::Mail { to, subject: letter.subject(), text: letter.text(), html: letter.html() };
    let message_id = outbox::message_id(store, episode.id, digest, &post.domain);
    // What was found new in this very step has to be there before it can be marked.
    episodes::add_items(&tx, episode.id, &items, None, now).await?;
    if episodes::tell(&tx, episode.id, digest, &items, now).await? {
        outbox::enqueue(store, &tx, &message_id, (episode.id, digest), &mail, now).await?;
        tx.commit().await?;
        tracing::info!(episode.id = episode.id, error.code = %episode.trouble.code, mail.digest = digest,
            mail.items = items.len(), "mail made");
    }
    Ok(())
}
