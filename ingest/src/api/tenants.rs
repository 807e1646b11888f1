//! Companies: only the platform sees them all.

use actix_web::{HttpResponse, Resource, web};
use renkei_events::ids::TenantId;
use renkei_store::audit::{self, Deed};
use renkei_store::connections;
use renkei_store::tenants::{self, Tenant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::PlatformCaller;
use super::input::{Body, Query, name};
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::{Answer, Api, Time, resource, within};

/// A company.
#[derive(Debug, Serialize, ToSchema)]
pub struct TenantView {
    /// Its id.
    id: String,
    /// What people call it.
    name: String,
    /// When it was made.
    created: Time,
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self { id: tenant.id, name: tenant.name, created: tenant.created.into() }
    }
}

/// A list without conditions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    pub limit: Option<Limit>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// A new company.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTenant {
    /// Letters, digits, `-`, `_`; at most 64.
    id: String,
    /// What people call it; the id if left out.
    name: Option<String>,
}

/// What changes about a company.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TenantPatch {
    /// What people call it.
    name: String,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/tenants").route(web::get().to(list_tenants)).route(web::post().to(create_tenant)),
        resource("/tenants/{id}").route(web::get().to(get_tenant)).route(web::patch().to(rename_tenant)),
    ]
}

/// All companies.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "platform", params(Paging),
    responses((status = 200, body = Page<TenantView>)))]
pub(super) async fn list_tenants(_: PlatformCaller, api: web::Data<Api>, query: Query<Paging>) -> Answer {
    let listing = Listing::new(&api.store, "tenants", "", query.0.limit, query.0.cursor);
    let after: Option<String> = listing.after()?;
    let rows = within(&api, async {
        Ok(tenants::page(&api.store.db, after.as_deref().unwrap_or_default(), listing.most()).await?)
    });
    let page = listing.page(rows.await?, |tenant| tenant.id.clone(), TenantView::from)?;
    Ok(HttpResponse::Ok().json(page))
}

/// Makes a company.
#[utoipa::path(post, path = "/api/v1/tenants", tag = "platform", request_body = NewTenant,
    responses((status = 201, body = TenantView), (status = 409)))]
pub(super) async fn create_tenant(caller: PlatformCaller, api: web::Data<Api>, body: Body<NewTenant>) -> Answer {
    let NewTenant { id, name: called } = body.0;
    TenantId::new(id.clone()).map_err(|fault| ApiError::invalid("/id", fault.to_string()))?;
    let called = called.unwrap_or_else(|| id.clone());
    name("/name", &called)?;
    let made = put(&api, &caller, &id, &called, "tenant.create", false).await?;
    Ok(HttpResponse::Created().json(made))
}

/// One company.
#[utoipa::path(get, path = "/api/v1/tenants/{id}", tag = "platform", params(("id" = String, Path)),
    responses((status = 200, body = TenantView)))]
pub(super) async fn get_tenant(_: PlatformCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    TenantId::new(id.as_str()).map_err(|_| ApiError::NotFound)?;
    let found = within(&api, async { Ok(tenants::find(&api.store.db, &id).await?) }).await?;
    Ok(HttpResponse::Ok().json(TenantView::from(found.ok_or(ApiError::NotFound)?)))
}

/// Renames a company.
#[utoipa::path(patch, path = "/api/v1/tenants/{id}", tag = "platform", params(("id" = String, Path)),
    request_body = TenantPatch, responses((status = 200, body = TenantView)))]
pub(super) async fn rename_tenant(
    caller: PlatformCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<TenantPatch>,
) -> Answer {
    TenantId::new(id.as_str()).map_err(|_| ApiError::NotFound)?;
    name("/name", &body.0.name)?;
    Ok(HttpResponse::Ok().json(put(&api, &caller, &id, &body.0.name, "tenant.rename", true).await?))
}

async fn put(
    api: &Api,
    caller: &PlatformCaller,
    id: &str,
    name: &str,
    action: &str,
    known: bool,
) -> Result<TenantView, ApiError> {
    within(api, async {
        let tx = api.store.begin().await?;
        let now = api.store.now_in(&tx).await?;
        match tenants::find(&tx, id).await? {
            Some(_) if !known => return Err(ApiError::conflict("there is a tenant with this id")),
            None if known => return Err(ApiError::NotFound),
            _ => {}
        }
        connections::put_tenant(&tx, id, name, now).await?;
        let deed = Deed { tenant: None, actor: &caller.actor, action, target: id, detail: None };
        audit::add(&api.store, &tx, deed, now).await?;
        let made = tenants::find(&tx, id).await?.ok_or(ApiError::Unavailable)?;
        tx.commit().await?;
        Ok(made.into())
    })
    .await
}
