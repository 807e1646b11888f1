//! Hires: `POST /members`.

use renkei_store::accounts::Lease;
use renkei_store::batches;
use renkei_store::employees::{self, Op};

use super::dry_run;
use super::held::{Held, Hour};
use super::send::{judge_rows, reserve_and_send};
use crate::context::{Context, NextWake};
use crate::error::Result;
use crate::members::budget::Want;

/// More than this many waiting hires may share one call of up to [`LARGEST_POST`].
const MANY: usize = 200;
/// The most hires in one call.
const LARGEST_POST: usize = 1000;
/// A POST starts only while fewer tasks than this are open.
const OPEN_TASKS: usize = 5;

/// One step.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease) -> Result<NextWake> {
    let mut held = Held::lock(context, lease).await?;
    let going = held.going(Op::Create);
    let account = held.account.id.clone();
    let (ready, later) = employees::due_summary(&held.tx, &account, &going, Op::Create, held.now).await?;
    let ready = usize::try_from(ready).unwrap_or(0);
    if ready == 0 {
        return Ok(later.map_or(NextWake::Woken, NextWake::At));
    }
    if held.token().is_none() || !held.knows_enough() {
        // The lanes for the token and for reads run for it, and wake this one.
        return Ok(NextWake::Woken);
    }
    if held.doc.blocked_until > held.now {
        return Ok(NextWake::At(held.doc.blocked_until));
    }
    let open = batches::open_lightly(&held.tx, &account).await?;
    // One at a time is without exception; else a hire has no need to wait for what is only tried.
    let tried = if held.is_single() { dry_run::task_until(&held).await? } else { None };
    if let Err(next) = held.room(&open, tried, OPEN_TASKS) {
        return Ok(next.map_or(NextWake::Woken, NextWake::At));
    }
    let (updates, _) =
        employees::due_summary(&held.tx, &account, &held.going(Op::Update), Op::Update, held.now).await?;
    let budget = held.budget().await?;
    if let Err(at) = budget.ask(Want::Post { updates_wait: updates > 0 }, held.now) {
        return Ok(NextWake::At(at));
    }
    if held.hour().await?.updates >= Hour::UPDATES {
        return Ok(NextWake::At(held.now + std::time::Duration::from_secs(60)));
    }
    let settings = held.connections.iter().map(|connection| connection.settings.batch_size).min().unwrap_or(200);
    let settings = settings.min(u32::try_from(context.batch_size).unwrap_or(u32::MAX));
    let most = if ready > MANY { LARGEST_POST } else { settings as usize }.max(1);
    let rows = employees::due(&context.store, &held.tx, &account, &going, Op::Create, held.now, most).await?;
    let judged = judge_rows(context, &mut held, rows, Op::Create, most).await?;
    if judged.rows.is_empty() {
        held.commit(context).await?;
        return Ok(NextWake::Now);
    }
    reserve_and_send(context, lease, held, judged, Op::Create, None).await
}
