//! Tokens of the API: a tenant's own, or any for the platform.

use actix_web::{HttpResponse, Resource, web};
use renkei_runtime::clock::Millis;
use renkei_store::audit::{self, Deed};
use renkei_store::tokens::{self, Token};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::AnyCaller;
use super::input::{Body, Query, name};
use super::page::{Listing, Page};
use super::problem::ApiError;
use super::tenants::Paging;
use super::{Answer, Api, Time, resource, within};

/// A token, without the token.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    id: String,
    /// The tenant; null: the platform.
    tenant: Option<String>,
    /// What people call it.
    name: String,
    /// When it was made.
    created: Time,
    /// When it ends, if ever.
    expires: Option<Time>,
    /// When it was revoked.
    revoked: Option<Time>,
    /// When it was last used, to the minute.
    used: Option<Time>,
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        let time = |at: Option<Millis>| at.map(Time::from);
        Self {
            id: token.id,
            tenant: token.tenant,
            name: token.name,
            created: token.created.into(),
            expires: time(token.expires),
            revoked: time(token.revoked),
            used: time(token.used),
        }
    }
}

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// What people call it.
    name: String,
    /// When it ends; left out: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<jiff::Timestamp>,
}

/// A token that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct TokenMade {
    #[serde(flatten)]
    made: TokenView,
    /// The token; it is shown this once.
    token: String,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/tokens").route(web::get().to(list_tokens)).route(web::post().to(create_token)),
        resource("/tokens/{id}").route(web::delete().to(revoke_token)),
    ]
}

/// The tenant's tokens; everybody's for the platform, unless it names a tenant.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "either", params(Paging),
    responses((status = 200, body = Page<TokenView>)))]
pub(super) async fn list_tokens(caller: AnyCaller, api: web::Data<Api>, query: Query<Paging>) -> Answer {
    let owner = caller.tenant().unwrap_or_default();
    let listing = Listing::new(&api.store, "tokens", owner, query.0.limit, query.0.cursor);
    let after: String = listing.after()?.unwrap_or_default();
    let rows = within(&api, async { Ok(tokens::page(&api.store.db, caller.tenant(), &after, listing.most()).await?) });
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, |token| token.id.clone(), TokenView::from)?))
}

/// Makes a token of the tenant; of the platform, if it names no tenant.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "either", request_body = NewToken,
    responses((status = 201, body = TokenMade)))]
pub(super) async fn create_token(caller: AnyCaller, api: web::Data<Api>, body: Body<NewToken>) -> Answer {
    let NewToken { name: called, expires } = body.0;
    name("/name", &called)?;
    let made = within(&api, async {
        let tx = api.store.begin().await?;
        let now = api.store.now_in(&tx).await?;
        let expires = expires.map(Millis::from);
        if expires.is_some_and(|end| end <= now) {
            return Err(ApiError::invalid("/expires", "must lie ahead"));
        }
        let made = tokens::create(&api.store, &tx, caller.tenant(), &called, expires, now).await?;
        let (tenant, target) = (caller.tenant(), made.0.id.as_str());
        let deed = Deed { tenant, actor: &caller.actor, action: "token.create", target, detail: None };
        audit::add(&api.store, &tx, deed, now).await?;
        tx.commit().await?;
        Ok(made)
    });
    let (token, plain) = made.await?;
    Ok(HttpResponse::Created().json(TokenMade { made: token.into(), token: plain.expose_secret().to_owned() }))
}

/// Ends a token.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "either", params(("id" = String, Path)),
    responses((status = 204)))]
pub(super) async fn revoke_token(caller: AnyCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    if id.chars().any(char::is_control) {
        return Err(ApiError::NotFound);
    }
    within(&api, async {
        let tx = api.store.begin().await?;
        let now = api.store.now_in(&tx).await?;
        if !tokens::revoke(&tx, caller.tenant(), &id, now).await? {
            return Err(ApiError::NotFound);
        }
        let tenant = caller.tenant();
        let deed = Deed { tenant, actor: &caller.actor, action: "token.revoke", target: &id, detail: None };
        audit::add(&api.store, &tx, deed, now).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
