//! The automation switch (連携の自動化), and whether it would work.

use std::time::Duration;

use actix_web::{HttpResponse, Resource, web};
use renkei_runtime::clock::Millis;
use renkei_store::{accounts, connections as stored, feeds, switch, uploads};

use super::caller::TenantCaller;
use super::connections::{ConnectionView, answer};
use super::problem::ApiError;
use super::scoped::{Scoped, refuse_ended};
use super::verification::VerificationView;
use super::{Answer, Api, resource, within, within_time};
use crate::setup::if_it_opens;

/// Switching off waits until no write is on its way, which takes longer than the store.
const SWITCH_OFF_TIME: Duration = switch::ON_THE_WIRE_WITHIN.saturating_add(Duration::from_secs(10));

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/connections/{id}/activate").route(web::post().to(activate)),
        resource("/connections/{id}/pause").route(web::post().to(pause)),
        resource("/connections/{id}/disconnect").route(web::post().to(disconnect)),
        resource("/connections/{id}/verify").route(web::post().to(verify)),
    ]
}

/// Switches a connection on, for the first time or again. A worker verifies it first, but for one that a person paused.
#[utoipa::path(post, path = "/api/v1/connections/{id}/activate", tag = "tenant", params(("id" = String, Path)),
    responses((status = 202, body = ConnectionView), (status = 409)))]
pub(super) async fn activate(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    let connection = within(&api, async {
        let own = scoped.connection(&id).await?;
        refuse_ended(&own)?;
        let now = Millis::from(api.clock.wall());
        let mut missing = Vec::new();
        let known = match &own.account {
            Some(account) => if_it_opens(accounts::credentials(&api.store, &api.store.db, account).await)?.flatten(),
            None => None,
        };
        if known.is_none_or(|(_, credentials)| credentials.is_none()) {
            missing.push("credentials");
        }
        let secrets = stored::secret_marks(&api.store.db, &own.id).await?;
        let signs = secrets.iter().any(|secret| secret.expires.is_none_or(|end| end > now));
        // Whoever was on before is switched on again whatever became of the secrets: what waits has to go out.
        if own.activated.is_none() && !signs && !comes_otherwise(&api, &own.id).await? {
            missing.push("webhook_secret");
        }
        if !missing.is_empty() {
            let reason = format!("the connection has no {}", missing.join(" and no "));
            return Err(ApiError::Conflict { reason, missing });
        }
        Ok(switch::activate(&api.store, &own.id, &caller.actor).await?)
    });
    Ok(HttpResponse::Accepted().json(ConnectionView::from(&connection.await?)))
}

/// Whether people of a connection come in another way than by webhook: from a feed, or from files.
async fn comes_otherwise(api: &Api, id: &str) -> Result<bool, ApiError> {
    let feed = if_it_opens(feeds::find(&api.store, &api.store.db, id).await)?.flatten();
    Ok(feed.is_some() || uploads::any_ended(&api.store.db, id).await?)
}

/// Switches a connection off. When this is answered, no write of it starts any more.
#[utoipa::path(post, path = "/api/v1/connections/{id}/pause", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = ConnectionView), (status = 409)))]
pub(super) async fn pause(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    let connection = within_time(&api, SWITCH_OFF_TIME, async {
        let own = scoped.connection(&id).await?;
        refuse_ended(&own)?;
        Ok(switch::pause(&api.store, api.clock.as_ref(), &own.id, &caller.actor).await?)
    });
    Ok(answer(&connection.await?))
}

/// 連携解除: ends a connection for good and deletes its credentials and secrets. The history stays.
#[utoipa::path(post, path = "/api/v1/connections/{id}/disconnect", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = ConnectionView)))]
pub(super) async fn disconnect(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    let connection = within_time(&api, SWITCH_OFF_TIME, async {
        let own = scoped.connection(&id).await?;
        Ok(switch::disconnect(&api.store, api.clock.as_ref(), &own.id, &caller.actor).await?)
    });
    Ok(answer(&connection.await?))
}

/// Asks whether the connection would work. A worker tries and answers; `GET` of the connection shows it.
#[utoipa::path(post, path = "/api/v1/connections/{id}/verify", tag = "tenant", params(("id" = String, Path)),
    responses((status = 202, body = VerificationView), (status = 409)))]
pub(super) async fn verify(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    let connection = within(&api, async {
        let own = scoped.connection(&id).await?;
        refuse_ended(&own)?;
        Ok(switch::want_verification(&api.store, &own.id, &caller.actor).await?)
    });
    Ok(HttpResponse::Accepted().json(VerificationView::from(&connection.await?)))
}
