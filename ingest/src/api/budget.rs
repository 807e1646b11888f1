//! 更新枠: which slots of an account are taken, by what, and when each is free.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::{HttpResponse, Resource, web};
use renkei_store::calls::{self, UPDATE_SLOTS};
use renkei_store::connections;
use renkei_store::outlook::{Blocked, Outlook, READS_AN_HOUR, WaitsFor};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};

/// The budget of an account.
#[derive(Debug, Serialize, ToSchema)]
pub struct BudgetView {
    /// The account.
    account: String,
    /// How many slots there are.
    slots: usize,
    /// Those that are taken.
    taken: Vec<SlotView>,
    /// When a hire that comes now could leave.
    next_create: Time,
    /// When a change that comes now could leave.
    next_update: Time,
    /// Why the changes that wait do not leave now: token, pause, open_tasks, hour, slots, interval, room_for_hires,
    /// quarter_hour or retry; null: none waits, or they leave now.
    updates_wait_for: Option<&'static str>,
    /// Update calls are held back.
    blocked: Option<BlockedView>,
    /// Token fetches are held back, and there is no token.
    token: Option<BlockedView>,
    /// Calls of the last hour by kind.
    calls_last_hour: BTreeMap<&'static str, i64>,
    /// Tokens and reads of the last hour.
    reads_used: i64,
    /// How many of them an hour has.
    reads: i64,
    /// The tenant's connections that use it.
    connections: Vec<String>,
}

/// Calls that are held back.
#[derive(Debug, Serialize, ToSchema)]
pub struct BlockedView {
    /// Until then.
    until: Time,
    /// Why, as a code: kaonavi.slots_taken_elsewhere, kaonavi.tokens_used_up, kaonavi.unavailable, …
    code: Option<String>,
}

impl From<Blocked> for BlockedView {
    fn from(blocked: Blocked) -> Self {
        Self { until: blocked.until.into(), code: blocked.code }
    }
}

/// A slot that is taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct SlotView {
    /// create, update or repair.
    kind: &'static str,
    /// When it was taken.
    since: Time,
    /// When it is free, as far as is known.
    frees: Time,
    /// Whose people it carries; those of other tenants are "other".
    connections: BTreeSet<String>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/accounts/{id}/budget").route(web::get().to(get_budget))]
}

/// The budget of an account that one of the tenant's connections uses.
#[utoipa::path(get, path = "/api/v1/accounts/{id}/budget", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = BudgetView)))]
pub(super) async fn get_budget(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let view = within(&api, async {
        let own = Scoped::new(&api, &caller).connections(None).await?;
        let using = own.iter().filter(|one| one.account.as_deref() == Some(id.as_str()));
        let own_connections: Vec<String> = using.map(|one| one.id.clone()).collect();
        if own_connections.is_empty() {
            return Err(ApiError::NotFound);
        }
        let now = api.store.now().await?;
        let taken = calls::taken_by(&api.store.db, &id, now).await?;
        // Whose changes wait tells nobody anything; that they wait does, whosever they are.
        let all = connections::of_account(&api.store, &api.store.db, &id).await?;
        let outlook = Outlook::of(&api.store.db, &id, &all, now).await?;
        let name = |of: String| if own.iter().any(|one| one.id == of) { of } else { "other".to_owned() };
        let taken = taken.into_iter().map(|(slot, carried)| SlotView {
            kind: slot.kind.as_str(),
            since: slot.reserved.into(),
            frees: slot.frees.into(),
            connections: carried.into_iter().map(name).collect(),
        });
        Ok(BudgetView {
            account: id.to_string(),
            slots: UPDATE_SLOTS,
            taken: taken.collect(),
            next_create: outlook.next_create.into(),
            next_update: outlook.next_update.into(),
            updates_wait_for: outlook.updates_wait_for.map(WaitsFor::as_str),
            reads_used: outlook.reads(),
            reads: READS_AN_HOUR,
            blocked: outlook.blocked.map(BlockedView::from),
            token: outlook.token.map(BlockedView::from),
            calls_last_hour: outlook.hour.into_iter().map(|(kind, count)| (kind.as_str(), count)).collect(),
            connections: own_connections,
        })
    });
    Ok(HttpResponse::Ok().json(view.await?))
}
