//! The REST API: `/api/v1`, Bearer tokens, problem details, OpenAPI.
//!
//! Who calls is found out before anything else ([`caller`]); a tenant's handler gets at rows only through its tenant
//! ([`scoped`]). Nothing here calls out: what needs the outside is left in the store as a wish, and a worker answers it.

pub mod activity;
pub mod attention;
pub mod audit;
pub mod book;
pub mod budget;
pub mod caller;
pub mod connections;
pub mod credentials;
pub mod crowdlog;
pub mod csv;
pub mod dry_runs;
pub mod employees;
pub mod feeds;
pub mod files;
pub mod forgetting;
pub mod input;
pub mod link_settings;
pub mod links;
pub mod matching;
pub mod member_format;
pub mod openapi;
pub mod page;
pub mod previews;
pub mod problem;
pub mod runs;
pub mod scoped;
pub mod secrets;
pub mod settings;
pub mod switch;
pub mod system;
pub mod tenants;
pub mod test_file;
pub mod tokens;
pub mod unasked;
pub mod verification;

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::middleware::{DefaultHeaders, from_fn};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use renkei_runtime::clock::{Clock, Millis};
use renkei_runtime::config::OutsideConfig;
use renkei_store::Store;
use serde::Serialize;
use tokio::sync::Semaphore;
use utoipa::ToSchema;

use crate::rate::Limits;
use problem::ApiError;

/// How long the store may take for one call.
const STORE_TIME: Duration = Duration::from_secs(5);
/// Calls of one token in a second, and at once.
const CALLS_A_SECOND: NonZeroU32 = const { NonZeroU32::new(50).unwrap() };
const CALLS_AT_ONCE: NonZeroU32 = const { NonZeroU32::new(100).unwrap() };

/// Files that are worked on at once; each may hold 50,000 records.
const UPLOADS_AT_ONCE: usize = 2;

/// What the handlers work with.
#[derive(Debug)]
pub struct Api {
    /// The state.
    pub store: Store,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where credentials may be sent.
    pub outside: OutsideConfig,
    /// Calls per token.
    pub limits: Limits<String>,
    /// How many files are worked on at once.
    pub uploads: Semaphore,
    /// Our own addresses, for IP restrictions at sources.
    pub egress_addresses: Vec<String>,
}

impl Api {
    /// The API over a store.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, outside: OutsideConfig) -> Self {
        let limits = Limits::per_second(CALLS_A_SECOND, CALLS_AT_ONCE, Arc::clone(&clock));
        Self { store, clock, outside, limits, uploads: Semaphore::new(UPLOADS_AT_ONCE), egress_addresses: Vec::new() }
    }
}

/// How long something about many people may take: they are done some at a time.
pub const MANY_PEOPLE_TIME: Duration = Duration::from_secs(60);

/// What a handler answers.
pub type Answer = Result<HttpResponse, ApiError>;

/// Runs `work` as long as the store may take.
///
/// # Errors
/// Those of `work`, and [`ApiError::Unavailable`] when it takes longer.
pub async fn within<T>(api: &Api, work: impl Future<Output = Result<T, ApiError>>) -> Result<T, ApiError> {
    within_time(api, STORE_TIME, work).await
}

/// The same with another length.
///
/// # Errors
/// As [`within`].
pub async fn within_time<T>(
    api: &Api,
    longest: Duration,
    work: impl Future<Output = Result<T, ApiError>>,
) -> Result<T, ApiError> {
    tokio::select! {
        done = work => done,
        () = api.clock.sleep(longest) => Err(ApiError::Unavailable),
    }
}

/// A time in RFC 3339, UTC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Time(String);

impl From<Millis> for Time {
    fn from(at: Millis) -> Self {
        Self(at.timestamp().to_string())
    }
}

/// The routes of the API.
pub fn routes(config: &mut web::ServiceConfig) {
    config.route("/api/openapi.json", web::get().to(openapi::serve));
    let scope = web::scope("/api/v1")
        .wrap(from_fn(unasked::refuse))
        // Around it: who may not call learns nothing of what a call takes.
        .wrap(from_fn(caller::authenticate))
        // Some answers show a secret once; none of them may be kept on the way.
        .wrap(DefaultHeaders::new().add((CACHE_CONTROL, "no-store")))
        .default_service(web::to(no_route));
    let scope = [
        tenants::resources(),
        connections::resources(),
        settings::resources(),
        secrets::resources(),
        credentials::resources(),
        feeds::resources(),
        links::resources(),
        link_settings::resources(),
        crowdlog::resources(),
        member_format::resources(),
        matching::resources(),
        test_file::resources(),
        forgetting::resources(),
        files::resources(),
        book::resources(),
        runs::resources(),
        switch::resources(),
        previews::resources(),
        employees::resources(),
        dry_runs::resources(),
        csv::resources(),
        activity::resources(),
        attention::resources(),
        tokens::resources(),
        audit::resources(),
        system::resources(),
        budget::resources(),
    ]
    .into_iter()
    .flatten()
    .fold(scope, |scope, resource| scope.service(resource));
    config.service(scope);
    config.service(web::scope("/api").default_service(web::to(no_route)));
}

/// A path of the API, which tells other methods what it takes.
fn resource(path: &str) -> Resource {
    web::resource(path.to_owned()).default_service(web::to(no_method))
}

async fn no_route() -> Answer {
    Err(ApiError::NotFound)
}

async fn no_method(request: HttpRequest) -> Answer {
    let allow = request.match_pattern().map(|pattern| openapi::methods(&pattern)).unwrap_or_default();
    Err(ApiError::MethodNotAllowed { allow })
}
