//! 更新枠: which slots of an account are taken, by what, and when each is free.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::{HttpResponse, Resource, web};
use renkei_store::calls::{self, UPDATE_SLOTS};
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
    /// Calls of the last hour by kind.
    calls_last_hour: BTreeMap<&'static str, i64>,
    /// The tenant's connections that use it.
    connections: Vec<String>,
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
        let connections: Vec<String> = using.map(|one| one.id.clone()).collect();
        if connections.is_empty() {
            return Err(ApiError::NotFound);
        }
        let now = api.store.now().await?;
        let taken = calls::taken_by(&api.store.db, &id, now).await?;
        let hour = calls::counts_since(&api.store.db, &id, now - Duration::from_secs(3600)).await?;
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
            calls_last_hour: hour.into_iter().map(|(kind, count)| (kind.as_str(), count)).collect(),
            connections,
        })
    });
    Ok(HttpResponse::Ok().json(view.await?))
}
