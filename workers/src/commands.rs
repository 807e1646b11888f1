//! What a person can tell a connection from the shell: pause, resume, disconnect, release; and what they can ask.

pub mod status;

use renkei_events::codes::Code;
use renkei_store::audit::COMMAND;
use renkei_store::decisions::{Decision, DecisionError, Verdict, Who, decide};
use renkei_store::employees::{self, RowState};
use renkei_store::error::StoreError;
use renkei_store::switch::SwitchError;
use renkei_store::{Store, connections};

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
    /// A decision that can not be taken.
    #[error(transparent)]
    Decision(#[from] DecisionError),
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

/// 別の人として登録する, もう一度登録する, この番号で更新する: somebody who is held under a number is sent.
///
/// # Errors
/// When nobody is held under the number for a reason that can be released.
pub async fn release(store: &Store, id: &str, number: &str) -> Result<u64> {
    let connection = connections::get(store, &store.db, id).await?;
    let mut released = 0;
    for row in employees::with_number(store, &store.db, id, number).await? {
        let reason = row.reason.as_deref().filter(|_| row.state == RowState::Held).and_then(Code::parse);
        let Some(reason) = reason.filter(|reason| Decision::allowed(*reason).contains(&Decision::Release)) else {
            continue;
        };
        let who = [row.key.employee];
        released += decide(
            store,
            &connection,
            Verdict { reason, decision: Decision::Release, who: Who::Some(&who), actor: COMMAND },
        )
        .await?;
    }
    if released == 0 {
        return Err(CommandError::NobodyHeld { connection: id.to_owned(), number: number.to_owned() });
    }
    Ok(released)
}
