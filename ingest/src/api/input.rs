//! Bodies and queries, read strictly: what is not known is refused, with the place where it stands.

use actix_web::dev::Payload;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap, IF_MATCH};
use actix_web::{FromRequest, HttpRequest, web};
use futures::StreamExt as _;
use futures::future::LocalBoxFuture;
use jiff::civil::Date;
use renkei_runtime::clock::Clock;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use serde_path_to_error::{Path, Segment};

use super::Api;
use super::problem::ApiError;
use crate::settings::LARGEST_BODY;
use crate::webhook::media::is_plain_json;

/// How long a body may take to come.
const BODY_TIME: std::time::Duration = std::time::Duration::from_secs(10);

/// A body.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Body<T> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let api = request.app_data::<web::Data<Api>>().cloned().ok_or(ApiError::Unavailable)?;
            let bytes = take(&request, payload, api.clock.as_ref()).await?;
            must_be_an_object(&bytes)?;
            let mut reader = serde_json::Deserializer::from_slice(&bytes);
            let value =
                serde_path_to_error::deserialize(&mut reader).map_err(|error| fault(error.path(), error.inner()))?;
            reader.end().map_err(|error| fault_of_json(&error))?;
            Ok(Self(value))
        })
    }
}

/// The length of a body as it is announced.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

async fn take(request: &HttpRequest, mut payload: Payload, clock: &dyn Clock) -> Result<Vec<u8>, ApiError> {
    if announced_length(request.headers()).is_some_and(|length| length > LARGEST_BODY as u64) {
        return Err(ApiError::BodyTooLarge);
    }
    if !is_plain_json(request.headers()) {
        return Err(ApiError::MediaType);
    }
    let mut bytes = Vec::new();
    let mut too_late = clock.sleep(BODY_TIME);
    loop {
        let piece = tokio::select! {
            piece = payload.next() => piece,
            () = &mut too_late => return Err(ApiError::NotJson("the body did not come within 10 seconds".to_owned())),
        };
        match piece {
            None => return Ok(bytes),
            Some(Ok(piece)) if bytes.len() + piece.len() <= LARGEST_BODY => bytes.extend_from_slice(&piece),
            Some(Ok(_)) => return Err(ApiError::BodyTooLarge),
            Some(Err(_)) => return Err(ApiError::NotJson("the body is not complete".to_owned())),
        }
    }
}

/// A list would be taken for the fields in their order.
fn must_be_an_object(bytes: &[u8]) -> Result<(), ApiError> {
    if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{') {
        return Ok(());
    }
    serde_json::from_slice::<serde::de::IgnoredAny>(bytes).map_err(|error| fault_of_json(&error))?;
    Err(ApiError::WrongType { pointer: String::new(), expected: "an object".to_owned() })
}

impl<T: DeserializeOwned + 'static> FromRequest for Query<T> {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _payload: &mut Payload) -> Self::Future {
        std::future::ready(read_query(request.query_string()).map(Self))
    }
}

fn read_query<T: DeserializeOwned>(text: &str) -> Result<T, ApiError> {
    let pairs = web::Query::<Vec<(String, String)>>::from_query(text);
    let pairs = pairs.map_err(|_| ApiError::invalid("", "the query can not be read"))?.into_inner();
    let mut map = Map::new();
    for (name, value) in pairs {
        if value.chars().any(char::is_control) {
            return Err(ApiError::invalid(&format!("/{name}"), "has a control character"));
        }
        if map.insert(name.clone(), Value::String(value)).is_some() {
            return Err(ApiError::invalid(&format!("/{name}"), "stands twice"));
        }
    }
    serde_path_to_error::deserialize(Value::Object(map)).map_err(|error| fault(error.path(), error.inner()))
}

fn fault_of_json(error: &serde_json::Error) -> ApiError {
    ApiError::NotJson(format!("the body is not JSON at line {}, column {}", error.line(), error.column()))
}

/// Sorts a message of serde. Values are not repeated: one may be a secret that stands in the wrong place.
fn fault(path: &Path, error: &serde_json::Error) -> ApiError {
    if error.is_syntax() || error.is_eof() || error.is_io() {
        return fault_of_json(error);
    }
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(text, _)| text);
    let mut pointer = pointer(path);
    let named = message.split('`').nth(1).unwrap_or_default();
    let expected = message.split_once("expected ").map(|(_, text)| text);
    if message.starts_with("unknown field") {
        push(&mut pointer, named);
        let expected = expected.map(|names| format!("; known: {names}")).unwrap_or_default();
        return ApiError::UnknownField { pointer, name: named.to_owned(), expected };
    }
    if message.starts_with("missing field") {
        push(&mut pointer, named);
        return ApiError::InvalidValue { pointer, reason: "is missing".to_owned() };
    }
    match (message.starts_with("invalid type"), expected) {
        (true, Some(expected)) => ApiError::WrongType { pointer, expected: expected.to_owned() },
        (_, Some(expected)) => ApiError::InvalidValue { pointer, reason: format!("must be {expected}") },
        (_, None) if message.starts_with("duplicate field") => ApiError::invalid(&pointer, "stands twice"),
        // Our own words, from `try_from`.
        (_, None) => ApiError::InvalidValue { pointer, reason: message.to_owned() },
    }
}

fn push(pointer: &mut String, name: &str) {
    let last = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
    if !pointer.ends_with(&last) {
        pointer.push_str(&last);
    }
}

fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => pointer.push_str(&format!("/{}", key.replace('~', "~0").replace('/', "~1"))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// `true` or `false` of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flag {
    /// Yes.
    True,
    /// No.
    False,
}

/// Whether a flag is given and true.
#[must_use]
pub fn is_set(flag: Option<Flag>) -> bool {
    flag == Some(Flag::True)
}

/// A name as people give it: 1 to 200 characters and none that control.
///
/// # Errors
/// [`ApiError::InvalidValue`] at `pointer`.
pub fn name(pointer: &str, text: &str) -> Result<(), ApiError> {
    let sound = !text.trim().is_empty() && text.chars().count() <= 200 && !text.chars().any(char::is_control);
    if sound { Ok(()) } else { Err(ApiError::invalid(pointer, "must have 1 to 200 characters, none of control")) }
}

/// A day of the calendar, `YYYY-MM-DD`.
///
/// # Errors
/// [`ApiError::InvalidValue`] at `pointer`.
pub fn date(pointer: &str, text: &str) -> Result<Date, ApiError> {
    text.parse().map_err(|_| ApiError::invalid(pointer, "must be a date such as 2026-04-01"))
}

/// Whether what is to be changed still is what the caller saw, as `If-Match` says; `*` is anything.
///
/// # Errors
/// [`ApiError::PreconditionRequired`] and [`ApiError::PreconditionFailed`].
pub fn still_as_read(request: &HttpRequest, tag: &str) -> Result<(), ApiError> {
    let wanted = request.headers().get(IF_MATCH).ok_or(ApiError::PreconditionRequired)?;
    if wanted == "*" || *wanted == *tag { Ok(()) } else { Err(ApiError::PreconditionFailed) }
}
