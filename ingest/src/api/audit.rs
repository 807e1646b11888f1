//! Who looked at or changed what.

use actix_web::{HttpResponse, Resource, web};
use renkei_store::audit::{self, AuditEntry};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::AnyCaller;
use super::input::Query;
use super::page::{Listing, Page};
use super::tenants::Paging;
use super::{Answer, Api, Time, resource, within};

/// Something that somebody did.
#[derive(Debug, Serialize, ToSchema)]
pub struct AuditView {
    /// When.
    at: Time,
    /// `token:{id}` or `command`.
    actor: String,
    /// Such as connection.pause or attention.reveal.
    action: String,
    /// What it was done to.
    target: String,
    /// How many people, for which reason, and the like; no values.
    detail: Option<String>,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            at: entry.at.into(),
            actor: entry.actor,
            action: entry.action,
            target: entry.target,
            detail: entry.detail,
        }
    }
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/audit").route(web::get().to(list_audit))]
}

/// What was done for the tenant, newest first; the platform's own, unless it names a tenant.
#[utoipa::path(get, path = "/api/v1/audit", tag = "either", params(Paging),
    responses((status = 200, body = Page<AuditView>)))]
pub(super) async fn list_audit(caller: AnyCaller, api: web::Data<Api>, query: Query<Paging>) -> Answer {
    let owner = caller.tenant().unwrap_or_default();
    let listing = Listing::new(&api.store, "audit", owner, query.0.limit, query.0.cursor);
    let before = listing.after()?.unwrap_or(i64::MAX);
    let rows = within(&api, async { Ok(audit::page(&api.store, caller.tenant(), before, listing.most()).await?) });
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, |entry| entry.id, AuditView::from)?))
}
