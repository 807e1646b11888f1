//! What a person can tell a connection from the shell: pause, resume, disconnect, release; and what they can ask.

pub mod status;

use renkei_store::activity::{self, Entry};
use renkei_store::employees::{self, RowState};
use renkei_store::error::StoreError;
use renkei_store::switch::SwitchError;
use renkei_store::{Store, accounts, connections};

pub use renkei_store::switch::{disconnect, pause, resume};

/// Why a command can not be done.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The switch does not turn.
    #[error(transparent)]
    Switch(#[from] SwitchError),
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
