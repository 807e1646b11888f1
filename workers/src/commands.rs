//! What a person can tell a connection from the shell: pause, resume, disconnect, release; and what they can ask.

pub mod status;

use std::time::Duration;

use renkei_events::codes::Code;
use renkei_store::activity::{self, Entry};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::employees::{self, RowState};
use renkei_store::episodes::{self, Trouble};
use renkei_store::error::StoreError;
use renkei_store::{Store, accounts, calls};

use renkei_runtime::clock::Clock;

use crate::members::steps::send::ON_THE_WIRE_WITHIN;

/// Why a command can not be done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
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
    /// Nobody is held under that number.
    #[error("nobody with number {number} is held in connection {connection}; see `renkei-workers status`")]
    NobodyHeld {
        /// The connection.
        connection: String,
        /// The number.
        number: String,
    },
}

type Result<T> = std::result::Result<T, CommandError>;

/// Turns the switch off. When this answers, no write of the connection starts any more: every earlier reservation was
/// answered or is so old that its first byte has left or never will.
///
/// # Errors
/// When there is no such connection or the store does not answer.
pub async fn pause(store: &Store, clock: &dyn Clock, id: &str) -> Result<Connection> {
    switch_off(store, clock, id, ConnectionState::Paused, "paused").await
}

/// 連携解除: turns the switch off and deletes credentials, token and webhook secrets. The history stays.
///
/// # Errors
/// As [`pause`].
pub async fn disconnect(store: &Store, clock: &dyn Clock, id: &str) -> Result<Connection> {
    let connection = switch_off(store, clock, id, ConnectionState::Disconnected, "disconnected").await?;
    if let Some(account) = &connection.account {
        let tx = store.begin().await?;
        accounts::lock_for_command(&tx, account).await?;
        accounts::forget_credentials_if_unused(&tx, account).await?;
        tx.commit().await?;
    }
    Ok(connection)
}

async fn switch_off(
    store: &Store,
    clock: &dyn Clock,
    id: &str,
    state: ConnectionState,
    kind: &str,
) -> Result<Connection> {
    let account = connections::get(store, &store.db, id).await?.account;
    let tx = store.begin().await?;
    if let Some(account) = &account {
        // Reservations take the same lock: after this commit none is made for the connection.
        accounts::lock_for_command(&tx, account).await?;
    }
    let now = store.now_in(&tx).await?;
    connections::switch_off(store, &tx, id, state, None, None, now).await?;
    activity::add(store, &tx, &[entry(now, id, kind)]).await?;
    tx.commit().await?;
    if let Some(account) = &account {
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
pub async fn resume(store: &Store, id: &str) -> Result<Connection> {
    let connection = connections::get(store, &store.db, id).await?;
    let refuse = |hint| CommandError::State { connection: id.to_owned(), state: connection.state, hint };
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &connection.account {
        accounts::wake(&tx, account, now).await?;
    }
    match connection.state {
        ConnectionState::Active => {}
        ConnectionState::Paused if connection.activated.is_some() => {
            connections::answer_wish(&tx, id, &[], now).await?;
            activity::add(store, &tx, &[entry(now, id, "resumed")]).await?;
        }
        // Paused before it ever was active: a worker verifies it first, as for a halted one.
        ConnectionState::Halted | ConnectionState::Paused => {
            connections::want(&tx, id, now).await?;
            if let Some(code) = connection.state_code.as_deref().and_then(Code::parse) {
                episodes::acted(&tx, &Trouble::of(code, &connection), now).await?;
            }
        }
        ConnectionState::Draft => {
            return Err(refuse("activate it with `state: active` in its file and `renkei-ingest apply`"));
        }
        ConnectionState::Disconnected => return Err(refuse("it was ended for good; give a new connection another id")),
    }
    tx.commit().await?;
    store.hint();
    Ok(connections::get(store, &store.db, id).await?)
}

/// 別の人として登録する: a held person is registered although its number is close to another member's.
///
/// # Errors
/// When nobody is held under the number.
pub async fn release(store: &Store, id: &str, number: &str) -> Result<usize> {
    let connection = connections::get(store, &store.db, id).await?;
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    if let Some(account) = &connection.account {
        accounts::wake(&tx, account, now).await?;
    }
    let mut released = 0;
    for row in employees::with_number(store, &tx, id, number).await? {
        if row.state == RowState::Held {
            employees::release(&tx, &row.key, number, now).await?;
            if let Some(code) = row.reason.as_deref().and_then(Code::parse) {
                episodes::acted(&tx, &Trouble::of(code, &connection), now).await?;
            }
            let mut entry = entry(now, id, "released");
            entry.employee = Some(row.key.employee);
            activity::add(store, &tx, &[entry]).await?;
            released += 1;
        }
    }
    if released == 0 {
        return Err(CommandError::NobodyHeld { connection: id.to_owned(), number: number.to_owned() });
    }
    tx.commit().await?;
    store.hint();
    Ok(released)
}

fn entry(at: renkei_runtime::clock::Millis, connection: &str, kind: &str) -> Entry {
    Entry { at, connection: connection.to_owned(), employee: None, kind: kind.to_owned(), code: None, detail: None }
}
