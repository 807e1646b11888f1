//! Changes of members: `PATCH /members`; and before them the calls that search for a bad record.

use std::ops::ControlFlow;

use renkei_store::accounts::Lease;
use renkei_store::batches::{self, Repair};
use renkei_store::employees::{self, Going, Op};
use renkei_store::outlook::OPEN_TASKS;

use super::dry_run;
use super::held::{Held, Hour};
use super::send::{judge_rows, reserve_and_send};
use crate::context::{Context, NextWake};
use crate::error::Result;
use crate::members::budget::Want;
use crate::members::repair::Search;

/// One step.
///
/// # Errors
/// When the store fails, or the lease was lost.
pub async fn step(context: &Context, lease: &Lease) -> Result<NextWake> {
    let held = Held::lock(context, lease).await?;
    let going = held.going(Op::Update);
    let account = held.account.id.clone();
    let repairs = batches::repairs(&held.tx, &account).await?;
    let (ready, later) = employees::due_summary(&held.tx, &account, &going, Op::Update, held.now).await?;
    if (repairs.is_empty() && ready == 0) || going.is_empty() {
        return Ok(later.map_or(NextWake::Woken, NextWake::At));
    }
    if held.token().is_none() || !held.knows_enough() {
        return Ok(NextWake::Woken);
    }
    if held.doc.blocked_until > held.now {
        return Ok(NextWake::At(held.doc.blocked_until));
    }
    let open = batches::open_lightly(&held.tx, &account).await?;
    let tried = dry_run::task_until(&held).await?;
    // Tasks run one after the other, and a hire's must not queue behind many.
    if let Err(next) = held.room(&open, tried, OPEN_TASKS) {
        return Ok(next.map_or(NextWake::Woken, NextWake::At));
    }
    if held.hour().await?.updates >= Hour::UPDATES {
        return Ok(NextWake::At(held.now + std::time::Duration::from_secs(60)));
    }
    let idle = repairs.into_iter().find(|repair| !open.iter().any(|batch| batch.repair == Some(repair.id)));
    if let Some(repair) = idle {
        return search(context, lease, held, repair).await;
    }
    if ready == 0 {
        return Ok(later.map_or(NextWake::Woken, NextWake::At));
    }
    updates(context, lease, held, &going).await
}

async fn updates(context: &Context, lease: &Lease, held: Held, going: &Going) -> Result<NextWake> {
    if let Err(at) = held.budget().await?.ask(Want::Patch, held.now) {
        return Ok(NextWake::At(at));
    }
    let mut held = match dry_run::before_a_change(context, lease, held).await? {
        ControlFlow::Break(wake) => return Ok(wake),
        ControlFlow::Continue(held) => held,
    };
    let account = held.account.id.clone();
    let most =
        held.connections.iter().map(|connection| connection.settings.batch_size).min().unwrap_or(200).max(1) as usize;
    let most = most.min(context.batch_size);
    let rows = employees::due(&context.store, &held.tx, &account, going, Op::Update, held.now, most).await?;
    let judged = judge_rows(context, &mut held, rows, Op::Update, most).await?;
    if judged.rows.is_empty() {
        held.commit(context).await?;
        return Ok(NextWake::Now);
    }
    reserve_and_send(context, lease, held, judged, Op::Update, None).await
}

/// The next call of a search. People who are not to be sent any more leave it.
async fn search(context: &Context, lease: &Lease, mut held: Held, repair: Repair) -> Result<NextWake> {
    let account = held.account.id.clone();
    let Ok(mut search) = serde_json::from_str::<Search>(&repair.doc) else {
        batches::delete_repair(&held.tx, &account, repair.id).await?;
        held.commit(context).await?;
        return Ok(NextWake::Now);
    };
    if let Err(at) = held.budget().await?.ask(Want::Repair, held.now) {
        return Ok(NextWake::At(at));
    }
    // A test whose call is not open any more and left no result is made again.
    search.repeat();
    let Some(test) = search.next_test() else {
        batches::delete_repair(&held.tx, &account, repair.id).await?;
        held.commit(context).await?;
        return Ok(NextWake::Now);
    };
    let members = test.members();
    let active = held.active();
    let (on, off): (Vec<_>, Vec<_>) = members.into_iter().partition(|key| active.contains(&key.connection));
    for key in off {
        // Its switch is off: it waits as any other change does.
        employees::make_due(&held.tx, &key, repair.op, held.now, 0, held.now).await?;
        search.drop_person(&key);
    }
    let rows = employees::lock_full(&context.store, &held.tx, &on).await?;
    let judged = judge_rows(context, &mut held, rows, repair.op, usize::MAX).await?;
    let staying: Vec<_> = judged.rows.iter().map(|(row, _)| row.key.clone()).collect();
    for key in on.iter().filter(|key| !staying.contains(key)) {
        search.drop_person(key);
    }
    if staying.is_empty() || staying.len() < on.len() {
        // Who is left is chosen anew, so that halves stay halves.
        for key in &staying {
            employees::note(&context.store, &held.tx, key, "in_search", "").await?;
        }
        save(&held, &repair, &mut search).await?;
        held.commit(context).await?;
        return Ok(NextWake::Now);
    }
    let doc = serde_json::to_string(&search).unwrap_or_default();
    batches::put_repair(&held.tx, &account, &Repair { doc, ..repair.clone() }).await?;
    reserve_and_send(context, lease, held, judged, repair.op, Some(repair.id)).await
}

/// Writes a search back, or ends it when nobody is left.
///
/// # Errors
/// When the store does not answer.
pub async fn save(held: &Held, repair: &Repair, search: &mut Search) -> Result<()> {
    if search.is_over() {
        batches::delete_repair(&held.tx, &held.account.id, repair.id).await?;
    } else {
        let doc = serde_json::to_string(&search).unwrap_or_default();
        batches::put_repair(&held.tx, &held.account.id, &Repair { doc, ..repair.clone() }).await?;
    }
    Ok(())
}
