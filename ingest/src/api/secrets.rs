//! What may sign a connection's webhooks. A secret is shown once, when Renkei made it, and never again.

use actix_web::{HttpResponse, Resource, web};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use renkei_events::ids::ConnectionId;
use renkei_events::signature::WebhookSecret;
use renkei_runtime::clock::Millis;
use renkei_store::connections::{self, SecretMark, StoredSecret};
use renkei_store::seal::fresh_key;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::Body;
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};

/// Most secrets of a connection.
const MOST: usize = 10;

/// A webhook secret, without the secret.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretView {
    /// Names it among the connection's secrets.
    id: String,
    /// When it ends, if ever.
    expires: Option<Time>,
}

/// The webhook secrets of a connection.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretsView {
    /// All of them.
    items: Vec<SecretView>,
}

/// A secret that was set.
#[derive(Debug, Serialize, ToSchema)]
pub struct SecretSet {
    /// Names it among the connection's secrets.
    id: String,
    /// When it ends, if ever.
    expires: Option<Time>,
    /// The secret, only if Renkei made it; it is shown this once.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

/// A secret to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecret {
    /// Names it; a secret with this name is replaced.
    id: String,
    /// `whsec_…`; left out: Renkei makes one.
    #[schema(value_type = Option<String>)]
    secret: Option<SecretString>,
    /// When it ends; left out: never.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires: Option<jiff::Timestamp>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/connections/{id}/webhook-secrets")
            .route(web::get().to(list_webhook_secrets))
            .route(web::put().to(put_webhook_secret)),
        resource("/connections/{id}/webhook-secrets/{secret_id}").route(web::delete().to(delete_webhook_secret)),
    ]
}

/// Which webhook secrets there are.
#[utoipa::path(get, path = "/api/v1/connections/{id}/webhook-secrets", tag = "tenant",
    params(("id" = String, Path)), responses((status = 200, body = SecretsView)))]
pub(super) async fn list_webhook_secrets(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    let secrets = within(&api, async {
        let own = scoped.connection(&id).await?;
        Ok(connections::secret_marks(&api.store.db, &own.id).await?)
    });
    let view = |secret: SecretMark| SecretView { id: secret.id, expires: secret.expires.map(Time::from) };
    Ok(HttpResponse::Ok().json(SecretsView { items: secrets.await?.into_iter().map(view).collect() }))
}

/// Sets one webhook secret, beside those that there are.
#[utoipa::path(put, path = "/api/v1/connections/{id}/webhook-secrets", tag = "tenant",
    params(("id" = String, Path)), request_body = NewSecret, responses((status = 200, body = SecretSet), (status = 409)))]
pub(super) async fn put_webhook_secret(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<NewSecret>,
) -> Answer {
    let NewSecret { id: called, secret: given, expires } = body.0;
    ConnectionId::new(called.clone()).map_err(|fault| ApiError::invalid("/id", fault.to_string()))?;
    if let Some(secret) = &given {
        WebhookSecret::parse(secret.expose_secret())
            .map_err(|fault| ApiError::invalid("/secret", fault.to_string()))?;
    }
    let made = given.is_none();
    let secret =
        given.unwrap_or_else(|| SecretString::from(format!("whsec_{}", STANDARD.encode(fresh_key().as_slice()))));
    let scoped = Scoped::new(&api, &caller);
    let new = StoredSecret { id: called.clone(), secret: secret.clone(), expires: expires.map(Millis::from) };
    within(&api, async {
        let (tx, own, now) = scoped.change(&id, false).await?;
        let known = connections::secret_marks(&tx, &own.id).await?;
        if known.iter().filter(|secret| secret.id != new.id).count() >= MOST {
            return Err(ApiError::conflict("a connection has 10 webhook secrets at most; delete one first"));
        }
        connections::put_secret(&api.store, &tx, &own.id, &new).await?;
        scoped.audit(&tx, "webhook_secret.set", &format!("{id}/{called}"), now).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(HttpResponse::Ok().json(SecretSet {
        id: called.clone(),
        expires: new.expires.map(Time::from),
        secret: made.then(|| secret.expose_secret().to_owned()),
    }))
}

/// Deletes a webhook secret.
#[utoipa::path(delete, path = "/api/v1/connections/{id}/webhook-secrets/{secret_id}", tag = "tenant",
    params(("id" = String, Path), ("secret_id" = String, Path)), responses((status = 204)))]
pub(super) async fn delete_webhook_secret(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (id, called) = path.into_inner();
    let scoped = Scoped::new(&api, &caller);
    within(&api, async {
        let (tx, own, now) = scoped.change(&id, false).await?;
        if !connections::delete_secret(&tx, &own.id, &called).await? {
            return Err(ApiError::NotFound);
        }
        scoped.audit(&tx, "webhook_secret.delete", &format!("{id}/{called}"), now).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
