//! The automation switch (連携の自動化) as people turn it, from the shell or over the API: only the store is touched. Who did it
//! (`actor`) goes into the audit in the same transaction.

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_runtime::broken::{self, Broken};
use renkei_runtime::clock::{Clock, Millis};
use renkei_runtime::http::client::CONNECT_DEADLINE;

use crate::activity::{self, Entry};
use crate::audit;
use crate::connections::{self, Connection, ConnectionState};
use crate::db::Sql;
use crate::episodes::{self, Trouble};
use crate::error::StoreError;
use crate::{Store, accounts, calls, feeds};

/// A reserved call starts within this time (real, on the monotonic clock) or is dropped; its slot stays taken.
pub const START_WITHIN: Duration = Duration::from_secs(2);
/// This long after its reservation the first byte of a call has left or never will: it may start at the last moment and
/// then still has to connect. A pause that answers earlier promises too much, so it waits for this and not for
/// [`START_WITHIN`]; whatever else comes to stand between the last look at the clock and the wire belongs in here.
pub const ON_THE_WIRE_WITHIN: Duration = START_WITHIN.saturating_add(CONNECT_DEADLINE);

/// Why the switch does not turn.
#[derive(Debug, thiserror::Error)]
pub enum SwitchError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection's state does not allow it.
    #[error("connection {connection} is {state}: {hint}")]
    State {
        /// Which.
        connection: String,
        /// Where its switch stands.
        state: ConnectionState,
        /// What to do instead.
        hint: &'static str,
    },
}

type Result<T> = std::result::Result<T, SwitchError>;

/// Turns the switch off. When this answers, no write of the connection starts any more: every earlier reservation was
/// answered or is so old that its first byte has left or never will.
///
/// # Errors
/// When there is no such connection or the store does not answer.
pub async fn pause(store: &Store, clock: &dyn Clock, id: &str, actor: &str) -> Result<Connection> {
    switch_off(store, clock, id, actor, Off::Paused).await
}

/// 連携解除: turns the switch off and deletes credentials, token and webhook secrets. The history stays.
///
/// # Errors
/// As [`pause`].
pub async fn disconnect(store: &Store, clock: &dyn Clock, id: &str, actor: &str) -> Result<Connection> {
    let connection = switch_off(store, clock, id, actor, Off::Disconnected).await?;
    if let Some(account) = &connection.account {
        let tx = store.begin().await?;
        accounts::lock_for_command(&tx, account).await?;
        accounts::forget_credentials_if_unused(&tx, account).await?;
        tx.commit().await?;
    }
    let tx = store.begin().await?;
    feeds::forget(&tx, id).await?;
    tx.commit().await?;
    Ok(connection)
}

/// How a person switches off.
#[derive(Debug, Clone, Copy)]
enum Off {
    Paused,
    Disconnected,
}

async fn switch_off(store: &Store, clock: &dyn Clock, id: &str, actor: &str, off: Off) -> Result<Connection> {
    let (state, kind, action) = match off {
        Off::Paused => (ConnectionState::Paused, "paused", "connection.pause"),
        Off::Disconnected => (ConnectionState::Disconnected, "disconnected", "connection.disconnect"),
    };
    let account = connections::get(store, &store.db, id).await?.account;
    let tx = store.begin().await?;
    if let Some(account) = &account {
        // Reservations take the same lock: after this commit none is made for the connection.
        accounts::lock_for_command(&tx, account).await?;
    }
    let now = store.now_in(&tx).await?;
    connections::switch_off(store, &tx, id, state, None, None, now).await?;
    activity::add(store, &tx, &[entry(now, id, kind)]).await?;
    let connection = connections::get(store, &tx, id).await?;
    audit::of_connection(store, &tx, &connection, actor, action, None, now).await?;
    tx.commit().await?;
    if let Some(account) = account.as_ref().filter(|_| !broken::is(Broken::PauseDoesNotWait)) {
        // Not only until a call has started: it may still be connecting.
        let on_the_wire = clock.stretched(ON_THE_WIRE_WITHIN);
        loop {
            let since = now - on_the_wire;
            let over = store.now().await? > now + on_the_wire;
            if over || calls::unanswered_since(&store.db, account, since).await? == 0 {
                break;
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
    }
    Ok(connections::get(store, &store.db, id).await?)
}

/// Turns the switch on again. After a pause by a person it is on at once; after a halt a worker verifies first.
///
/// # Errors
/// When the connection was never active or is disconnected.
pub async fn resume(store: &Store, id: &str, actor: &str) -> Result<Connection> {
    turn_on(store, id, actor, false).await
}

/// Turns the switch on, also for the first time: then a worker verifies first.
///
/// # Errors
/// When the connection is disconnected.
pub async fn activate(store: &Store, id: &str, actor: &str) -> Result<Connection> {
    turn_on(store, id, actor, true).await
}

async fn turn_on(store: &Store, id: &str, actor: &str, first_time: bool) -> Result<Connection> {
    let account = connections::get(store, &store.db, id).await?.account;
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &account {
        accounts::wake(&tx, account, now).await?;
    }
    // As it is under the account's lock, not as it was before.
    let connection = connections::get(store, &tx, id).await?;
    let refuse = |hint| SwitchError::State { connection: id.to_owned(), state: connection.state, hint };
    match connection.state {
        ConnectionState::Active => {}
        ConnectionState::Paused if connection.activated.is_some() => {
            connections::switch_on(&tx, id, now, None).await?;
            activity::add(store, &tx, &[entry(now, id, "resumed")]).await?;
        }
        // Paused before it ever was active: a worker verifies it first, as for a halted one.
        ConnectionState::Halted | ConnectionState::Paused => {
            connections::want(&tx, id, now).await?;
            if let Some(code) = connection.state_code.as_deref().and_then(Code::parse) {
                episodes::acted(&tx, &Trouble::of(code, &connection), now).await?;
            }
        }
        ConnectionState::Draft if first_time => connections::want(&tx, id, now).await?,
        ConnectionState::Draft => {
            return Err(refuse("activate it with `state: active` in its file and `renkei-ingest apply`"));
        }
        ConnectionState::Disconnected => return Err(refuse("it was ended for good; give a new connection another id")),
    }
    audit::of_connection(store, &tx, &connection, actor, "connection.activate", None, now).await?;
    tx.commit().await?;
    store.hint();
    Ok(connections::get(store, &store.db, id).await?)
}

/// Asks a worker to try whether the connection would work; its answer stands in [`Connection::verification`].
///
/// # Errors
/// When the connection is disconnected.
pub async fn want_verification(store: &Store, id: &str, actor: &str) -> Result<Connection> {
    let connection = connections::get(store, &store.db, id).await?;
    if connection.state == ConnectionState::Disconnected {
        let hint = "it was ended for good; give a new connection another id";
        return Err(SwitchError::State { connection: id.to_owned(), state: connection.state, hint });
    }
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &connection.account {
        accounts::wake(&tx, account, now).await?;
    }
    let sql = "UPDATE connections SET verify_wanted_ms = COALESCE(verify_wanted_ms, $1) WHERE connection_id = $2";
    tx.exec(sql, vec![now.0.into(), id.into()]).await?;
    audit::of_connection(store, &tx, &connection, actor, "connection.verify", None, now).await?;
    tx.commit().await?;
    store.hint();
    Ok(connections::get(store, &store.db, id).await?)
}

fn entry(at: Millis, connection: &str, kind: &str) -> Entry {
    Entry { at, connection: connection.to_owned(), employee: None, kind: kind.to_owned(), code: None, detail: None }
}
