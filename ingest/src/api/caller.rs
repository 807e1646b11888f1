//! Who calls: a token is asked for before anything else, and the handler's own type says whose it must be.

use std::future::{Ready, ready};

use actix_web::body::MessageBody;
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::header::AUTHORIZATION;
use actix_web::middleware::Next;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use renkei_events::ids::TenantId;
use renkei_runtime::config::is_mail_address;
use renkei_store::connections;
use renkei_store::tokens::{self, Token};
use secrecy::SecretString;

use super::problem::ApiError;
use super::{Api, within};

/// With which a token of the platform says for which tenant it acts.
pub const TENANT_HEADER: &str = "Renkei-Tenant";

/// What the token says, and the tenant that is meant.
#[derive(Debug, Clone)]
struct Caller {
    platform: bool,
    tenant: Option<TenantId>,
    actor: String,
    mail: Option<String>,
}

/// Somebody who may act for one tenant: by its own token, or by the platform's with the tenant named.
#[derive(Debug, Clone)]
pub struct TenantCaller {
    /// The tenant. Everything that is read or changed is its.
    pub tenant: TenantId,
    /// For the audit.
    pub actor: String,
    /// The caller's mail address, if the token is named after it.
    pub mail: Option<String>,
}

/// The operator of the installation.
#[derive(Debug, Clone)]
pub struct PlatformCaller {
    /// For the audit.
    pub actor: String,
}

/// Either: with a tenant it is about that tenant, without one about the platform.
#[derive(Debug, Clone)]
pub struct AnyCaller {
    /// `None` only for a token of the platform that named no tenant.
    pub tenant: Option<TenantId>,
    /// For the audit.
    pub actor: String,
}

impl AnyCaller {
    /// The tenant's id, if it is about one.
    #[must_use]
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_ref().map(TenantId::as_str)
    }
}

/// Lets nobody through without a good token, and no token more often than it may call.
///
/// # Errors
/// As problem details.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let Some(api) = request.app_data::<web::Data<Api>>().cloned() else { return Err(ApiError::Unavailable.into()) };
    let caller = identify(&api, request.request()).await?;
    request.extensions_mut().insert(caller);
    next.call(request).await
}

async fn identify(api: &Api, request: &HttpRequest) -> Result<Caller, ApiError> {
    let plain = bearer(request).ok_or(ApiError::Unauthorized)?;
    let token = within(api, async {
        let now = api.store.now().await?;
        Ok(tokens::find(&api.store, &plain, now).await?)
    });
    let token = token.await?.ok_or(ApiError::Unauthorized)?;
    api.limits.take(&token.id).map_err(|after_seconds| ApiError::RateLimited { after_seconds })?;
    let named = request.headers().get(TENANT_HEADER).map(|value| value.to_str().unwrap_or_default());
    let tenant = match (&token.tenant, named) {
        (Some(own), None) => Some(own.clone()),
        (Some(own), Some(named)) if own == named => Some(own.clone()),
        // The same whether there is such a tenant or not.
        (Some(_), Some(_)) => return Err(ApiError::Forbidden("the token belongs to another tenant")),
        (None, Some(named)) => Some(known_tenant(api, named).await?),
        (None, None) => None,
    };
    let tenant = tenant.map(TenantId::new).transpose().map_err(|_| ApiError::Unavailable)?;
    let Token { id, tenant: owner, name, .. } = token;
    let mail = Some(name).filter(|name| is_mail_address(name));
    Ok(Caller { platform: owner.is_none(), tenant, actor: format!("token:{id}"), mail })
}

fn bearer(request: &HttpRequest) -> Option<SecretString> {
    let mut values = request.headers().get_all(AUTHORIZATION);
    let (value, None) = (values.next()?.to_str().ok()?, values.next()) else { return None };
    let (scheme, token) = value.split_once(' ')?;
    let sound = scheme.eq_ignore_ascii_case("bearer") && token.len() <= 200;
    sound.then(|| SecretString::from(token.trim().to_owned()))
}

async fn known_tenant(api: &Api, named: &str) -> Result<String, ApiError> {
    let id = TenantId::new(named).map_err(|_| ApiError::TenantNeeded)?;
    let known = within(api, async { Ok(connections::tenant_name(&api.store.db, id.as_str()).await?) }).await?;
    known.map(|_| named.to_owned()).ok_or(ApiError::NotFound)
}

fn caller(request: &HttpRequest) -> Result<Caller, ApiError> {
    request.extensions().get::<Caller>().cloned().ok_or(ApiError::Unauthorized)
}

impl FromRequest for TenantCaller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(caller(request).and_then(|Caller { tenant, actor, mail, .. }| {
            let tenant = tenant.ok_or(ApiError::TenantNeeded)?;
            Ok(Self { tenant, actor, mail })
        }))
    }
}

impl FromRequest for PlatformCaller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(caller(request).and_then(|caller| {
            let refused = ApiError::Forbidden("this needs a token of the platform");
            if caller.platform { Ok(Self { actor: caller.actor }) } else { Err(refused) }
        }))
    }
}

impl FromRequest for AnyCaller {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        ready(caller(request).map(|Caller { tenant, actor, .. }| Self { tenant, actor }))
    }
}
