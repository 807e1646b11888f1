//! The delivery steps of one account.
//!
//! Five lanes, so that a slow call in one never holds up a hire in another: the token, hires, changes and repairs, the
//! polls of tasks, and the reads of layout and members. A step makes at most one call out. What it decides stands in the
//! store before the call is made; a process that dies anywhere leaves a state that the next one understands.

pub mod change;
pub mod create;
pub mod dry_run;
pub mod held;
pub mod landing;
pub mod outcome;
pub mod poll;
pub mod preview;
pub mod read;
pub mod reconcile;
pub mod send;
pub mod surroundings;
pub mod token;
pub mod verify;

use renkei_store::accounts::Lease;

use crate::context::{Context, NextWake};
use crate::error::Result;

/// One kind of step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// `POST /token`.
    Token,
    /// `POST /members` for hires.
    Create,
    /// `PATCH /members`, and calls in search of a bad record.
    Change,
    /// `GET /tasks/{id}`.
    Poll,
    /// `GET /member_layouts`, `GET /members`, and what follows from them.
    Read,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Lane; 5] = [Lane::Create, Lane::Token, Lane::Change, Lane::Poll, Lane::Read];

    /// For logs and figures.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Token => "token",
            Lane::Create => "create",
            Lane::Change => "change",
            Lane::Poll => "poll",
            Lane::Read => "read",
        }
    }
}

/// Runs one step of one lane. [`NextWake::Now`] means that it did something which other lanes may want to know.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease, lane: Lane) -> Result<NextWake> {
    match lane {
        Lane::Token => token::step(context, lease).await,
        Lane::Create => create::step(context, lease).await,
        Lane::Change => change::step(context, lease).await,
        Lane::Poll => poll::step(context, lease).await,
        Lane::Read => read::step(context, lease).await,
    }
}
