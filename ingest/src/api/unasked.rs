//! What a call brings although its operation takes nothing of the kind: refused as every unknown field is, because whoever
//! sends it believes that it does something.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::middleware::Next;
use actix_web::web;

use super::input::announced_length;
use super::openapi::{self, Takes};
use super::problem::ApiError;

/// `{}`, which many clients send with every POST.
const EMPTY_OBJECT: u64 = 2;

/// Refuses a query or a body that the operation does not know. Those that take one read it strictly themselves.
///
/// # Errors
/// As problem details.
pub async fn refuse(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let takes = request.match_pattern().and_then(|pattern| openapi::takes(&pattern, request.method().as_str()));
    if let Some(takes) = takes {
        check(takes, &request)?;
    }
    next.call(request).await
}

fn check(takes: Takes, request: &ServiceRequest) -> Result<(), ApiError> {
    if !takes.query && !request.query_string().is_empty() {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(request.query_string());
        let name = pairs.ok().and_then(|pairs| pairs.into_inner().into_iter().next()).map(|(name, _)| name);
        let name = name.unwrap_or_default();
        let expected = "; this call takes no parameters".to_owned();
        return Err(ApiError::UnknownField { pointer: format!("/{name}"), name, expected });
    }
    let length = announced_length(request.headers()).unwrap_or(0);
    if !takes.body && (length > EMPTY_OBJECT || request.headers().contains_key(TRANSFER_ENCODING)) {
        return Err(ApiError::invalid("", "this call takes no body"));
    }
    Ok(())
}
