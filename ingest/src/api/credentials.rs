//! カオナビ's Consumer Key and Consumer Secret of a connection; they are in no answer.

use actix_web::{HttpResponse, Resource, web};
use renkei_store::accounts::{self, Credentials};
use renkei_store::connections::{self, Connection};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::Body;
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, resource, within};
use crate::setup;

/// Credentials to be set.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCredentials {
    /// Consumer Key.
    #[schema(value_type = String)]
    consumer_key: SecretString,
    /// Consumer Secret.
    #[schema(value_type = String)]
    consumer_secret: SecretString,
    /// Where カオナビ's API is; left out: the installation's.
    base_url: Option<String>,
}

/// Whose credentials are set.
#[derive(Debug, Serialize, ToSchema)]
pub struct CredentialsSet {
    /// The account.
    account: String,
    /// Where its API is.
    base_url: String,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/connections/{id}/credentials").route(web::put().to(put_credentials))]
}

/// Sets the credentials of カオナビ.
#[utoipa::path(put, path = "/api/v1/connections/{id}/credentials", tag = "tenant", params(("id" = String, Path)),
    request_body = NewCredentials, responses((status = 200, body = CredentialsSet), (status = 409)))]
pub(super) async fn put_credentials(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<NewCredentials>,
) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    // Whether there is such a connection comes first: nobody learns anything about keys by guessing ids.
    within(&api, scoped.connection(&id)).await?;
    let NewCredentials { consumer_key: key, consumer_secret: secret, base_url } = body.0;
    for (pointer, text) in [("/consumer_key", &key), ("/consumer_secret", &secret)] {
        let text = text.expose_secret();
        if text.is_empty() || text.len() > 1000 || !text.chars().all(|c| c.is_ascii_graphic()) {
            return Err(ApiError::invalid(pointer, "must have 1 to 1000 printable characters without blanks"));
        }
    }
    let base_url = setup::base_url(&api.outside, base_url.as_deref());
    let base_url = base_url.map_err(|reason| ApiError::InvalidValue { pointer: "/base_url".to_owned(), reason })?;
    let credentials = Credentials { key, secret };
    let account = within(&api, async {
        let (tx, own, now) = scoped.change(&id, true).await?;
        let adopted =
            setup::adopt(&api.store, &tx, &own.tenant, own.account.clone(), &base_url, &credentials, now).await?;
        let connection = Connection { account: Some(adopted.account.clone()), ..(*own).clone() };
        connections::put(&tx, &connection, now).await?;
        accounts::wake(&tx, &adopted.account, now).await?;
        scoped.audit(&tx, "connection.credentials", &id, now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(adopted.account)
    });
    Ok(HttpResponse::Ok().json(CredentialsSet { account: account.await?, base_url }))
}
