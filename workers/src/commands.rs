//! What a person can tell a connection from the shell: pause, resume, disconnect, release; and what they can ask.

pub mod status;

use renkei_events::codes::Code;
use renkei_store::audit::{self, COMMAND};
use renkei_store::decisions::{Decision, DecisionError, Verdict, Who, decide};
use renkei_store::employees::{self, RowState};
use renkei_store::error::StoreError;
use renkei_store::forgotten::{self, ForgetError, Gone, Person};
use renkei_store::switch::SwitchError;
use renkei_store::{Store, connections};

use crate::sweep::calendar;

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
    /// The person can not be deleted now.
    #[error(transparent)]
    Forget(#[from] ForgetError),
    /// Nobody has this id.
    #[error("nobody with id {employee} is known in connection {connection}")]
    Nobody {
        /// The connection.
        connection: String,
        /// 従業員ID.
        employee: String,
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

/// Deletes one person.
///
/// # Errors
/// When nobody has this id, and while the record is being sent or attendance is being read.
pub async fn forget(store: &Store, id: &str, employee: &str) -> Result<Gone> {
    let connection = connections::get(store, &store.db, id).await?;
    let tx = store.begin().await?;
    let now = store.now_in(&tx).await?;
    let person = Person { tenant: &connection.tenant, connection: id, employee };
    let gone = forgotten::forget_person(store, &tx, person, &calendar::today(now).to_string()).await?;
    let nobody = || CommandError::Nobody { connection: id.to_owned(), employee: employee.to_owned() };
    let gone = gone.ok_or_else(nobody)?;
    audit::of_connection(store, &tx, &connection, COMMAND, "person.delete", None, now).await?;
    tx.commit().await?;
    store.hint();
    Ok(gone)
}
