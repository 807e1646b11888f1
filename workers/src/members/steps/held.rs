//! An account under its row lock: what every step starts from.

use std::time::Duration;

use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::Millis;
use renkei_store::accounts::{self, Account, Lease};
use renkei_store::batches::OpenBatch;
use renkei_store::calls::{self, CallKind};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::db::Tx;
use renkei_store::employees::{Going, Op};
use renkei_store::outlook::{self, is_running, next_over};
use renkei_store::surge;
use secrecy::SecretString;

use crate::clients::kaonavi::Kaonavi;
use crate::context::Context;
use crate::error::Result;
use crate::members::budget::Budget;
use crate::members::doc::AccountDoc;

/// A token that ends sooner than this is not used for a new call.
const TOKEN_MARGIN: Duration = Duration::from_secs(10);
/// A token that ends sooner than this is replaced when a call is due.
const TOKEN_REFRESH: Duration = Duration::from_secs(300);

/// The brake never holds as few changed members as this.
const FEW: i64 = 50;
/// Nor less than this share of カオナビ's members.
const SHARE_PERCENT: i64 = 30;

/// The locked account, its memory and its connections.
pub struct Held {
    /// The transaction that holds the lock.
    pub tx: Tx,
    /// The row.
    pub account: Account,
    /// Its memory; written back by [`Held::commit`].
    pub doc: AccountDoc,
    /// All its connections.
    pub connections: Vec<Connection>,
    /// The store's time.
    pub now: Millis,
}

impl Held {
    /// Locks the account.
    ///
    /// # Errors
    /// When the lease was lost or the store does not answer.
    pub async fn lock(context: &Context, lease: &Lease) -> Result<Self> {
        let tx = context.store.begin().await?;
        let account = accounts::lock(&context.store, &tx, lease).await?;
        let now = context.store.now_in(&tx).await?;
        let connections = connections::of_account(&context.store, &tx, &account.id).await?;
        let doc = AccountDoc::read(&account.doc);
        Ok(Self { tx, account, doc, connections, now })
    }

    /// Writes account and memory back and commits.
    ///
    /// # Errors
    /// When the store does not confirm.
    pub async fn commit(mut self, context: &Context) -> Result<()> {
        self.account.doc = self.doc.text();
        accounts::save(&context.store, &self.tx, &self.account).await?;
        self.tx.commit().await?;
        Ok(())
    }

    /// The connections whose switch is on.
    #[must_use]
    pub fn active(&self) -> Vec<String> {
        let active = self.connections.iter().filter(|connection| connection.state == ConnectionState::Active);
        active.map(|connection| connection.id.clone()).collect()
    }

    /// Whose changes may go out now: of a connection that keeps to quarter hours what was due before this one.
    #[must_use]
    pub fn going(&self, op: Op) -> Going {
        let mut going = Going::of(&self.connections, op, self.now);
        if broken::is(Broken::PauseLeaks) && op == Op::Update {
            let paused = self.connections.iter().filter(|connection| connection.state == ConnectionState::Paused);
            going.at_once.extend(paused.map(|connection| connection.id.clone()));
        }
        going
    }

    /// Whether enough is known of カオナビ to judge anybody.
    #[must_use]
    pub fn knows_enough(&self) -> bool {
        let departments = self.doc.departments.is_some() || self.doc.departments_denied || !self.maps_departments();
        self.doc.layout.is_some() && departments
    }

    /// When the settings of a connection that is on were last changed: what カオナビ offers is read once more since then, as
    /// somebody may have added there what the settings name.
    #[must_use]
    pub fn settings_saved(&self) -> Option<Millis> {
        let on = self.connections.iter().filter(|connection| connection.state == ConnectionState::Active);
        on.map(|connection| connection.settings_saved).max()
    }

    /// Whether the layout was read before the settings were last changed.
    #[must_use]
    pub fn layout_is_old(&self) -> bool {
        self.doc.layout_read < self.settings_saved()
    }

    /// Whether a connection that is on, or is to be, maps 所属, or has one as a constant.
    #[must_use]
    pub fn maps_departments(&self) -> bool {
        let on = |connection: &&Connection| {
            connection.state == ConnectionState::Active
                || connection.wanted.or(connection.verify_wanted).or(connection.preview_wanted).is_some()
        };
        self.connections.iter().filter(on).any(|connection| connection.settings.names_departments())
    }

    /// Whether too many changes of members, and too many hires, came together in a connection.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn too_many(&self, connection: &Connection) -> Result<TooMany> {
        let since = self.now - surge::TOGETHER;
        let settings = &connection.settings;
        let mut found = TooMany::default();
        if settings.brake && surge::count(&self.tx, &connection.id, Op::Update, since, FEW + 1).await? > FEW {
            let members = surge::members(&self.tx, &self.account.id).await?;
            let most = FEW.max(members * SHARE_PERCENT / 100);
            found.updates = surge::count(&self.tx, &connection.id, Op::Update, since, most + 1).await? > most;
        }
        if let Some(ceiling) = settings.ceiling.map(i64::from) {
            found.creates = surge::count(&self.tx, &connection.id, Op::Create, since, ceiling + 1).await? > ceiling;
        }
        Ok(found)
    }

    /// The connections that somebody wants switched on.
    #[must_use]
    pub fn wanted(&self) -> Vec<&Connection> {
        self.connections.iter().filter(|connection| connection.wanted.is_some()).collect()
    }

    /// The connection with this id.
    #[must_use]
    pub fn connection(&self, id: &str) -> Option<&Connection> {
        self.connections.iter().find(|connection| connection.id == id)
    }

    /// A token that is good for a call now.
    #[must_use]
    pub fn token(&self) -> Option<SecretString> {
        let (token, expires) = self.account.token.as_ref()?;
        (*expires > self.now + TOKEN_MARGIN).then(|| token.clone())
    }

    /// From when on the token should be replaced before the next call.
    #[must_use]
    pub fn token_old_from(&self) -> Millis {
        self.account.token.as_ref().map_or(Millis(0), |(_, expires)| *expires - TOKEN_REFRESH)
    }

    /// The client of the account's API.
    #[must_use]
    pub fn client(&self, context: &Context) -> Kaonavi {
        Kaonavi::new(std::sync::Arc::clone(&context.transport), &self.account.base_url)
    }

    /// The account's budget of update calls.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn budget(&self) -> Result<Budget> {
        let slots = calls::taken(&self.tx, &self.account.id, self.now).await?;
        Ok(Budget { slots, last_post: self.doc.last_post, last_patch: self.doc.last_patch })
    }

    /// Whether only one task may be open at a time.
    #[must_use]
    pub fn is_single(&self) -> bool {
        self.doc.single_until > self.now
    }

    /// Whether another task may be started beside these batches: only while fewer than `most` are open. A dry run, too, counts as
    /// one if it is said until when it may be `tried`.
    ///
    /// # Errors
    /// When there is no room: the time at which there may be, if time alone can bring it. A task that ends wakes by itself.
    pub fn room(
        &self,
        open: &[OpenBatch],
        tried: Option<Millis>,
        most: usize,
    ) -> std::result::Result<(), Option<Millis>> {
        let running = open.iter().filter(|batch| is_running(batch, self.now)).count() + usize::from(tried.is_some());
        let most = if self.is_single() { 1 } else { most };
        if running < most {
            return Ok(());
        }
        Err(next_over(open, self.now).into_iter().chain(tried).min())
    }

    /// Calls of the last hour by use: updates, tokens and reads, polls.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn hour(&self) -> Result<Hour> {
        let since = self.now - Duration::from_secs(3600);
        let mut hour = Hour::default();
        for (kind, count) in calls::counts_since(&self.tx, &self.account.id, since).await? {
            match kind {
                CallKind::Create | CallKind::Update | CallKind::Repair => hour.updates += count,
                CallKind::Token | CallKind::Read => hour.reads += count,
                CallKind::Poll => hour.polls += count,
            }
        }
        Ok(hour)
    }
}

/// What brake and ceiling say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TooMany {
    /// The brake holds changes of members.
    pub updates: bool,
    /// The ceiling holds hires.
    pub creates: bool,
}

/// How many calls of the hour are used: カオナビ takes 3,000, of which 300 are kept for updates and 200 for tokens and reads.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hour {
    /// Update calls.
    pub updates: i64,
    /// Tokens, layouts, members.
    pub reads: i64,
    /// Polls of tasks.
    pub polls: i64,
}

impl Hour {
    /// Update calls kept free in an hour.
    pub const UPDATES: i64 = outlook::UPDATES_AN_HOUR;
    /// Tokens and reads kept free in an hour.
    pub const READS: i64 = outlook::READS_AN_HOUR;
    /// Polls at most.
    pub const POLLS: i64 = 2500;
    /// Above this many polls the pauses between polls double.
    pub const MANY_POLLS: i64 = 2000;
}
