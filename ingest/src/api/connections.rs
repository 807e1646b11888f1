//! 連携: listing, making, reading, and changing how one is delivered and who is told.

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use renkei_events::ids::ConnectionId;
use renkei_runtime::clock::Millis;
use renkei_runtime::config::is_mail_address;
use renkei_store::connections::{self, Connection};
use renkei_store::settings::{OnRejected, Timing};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::{Body, Query, name};
use super::page::{Listing, Page};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::settings::{change_settings, etag};
use super::tenants::Paging;
use super::verification::{ObstacleView, VerificationView};
use super::{Answer, Api, Time, resource, within};
use crate::connections::Source;
use crate::setup;

/// Most addresses that are told by mail.
const RECIPIENTS: usize = 50;

/// A connection. Secrets and credentials are in no answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ConnectionView {
    /// Its id; stands in the webhook's URL.
    id: String,
    /// What people call it.
    name: String,
    /// The sending system.
    source: String,
    /// Where webhooks are sent to.
    webhook_path: String,
    /// The account at カオナビ, once credentials are known.
    account: Option<String>,
    /// draft, active, paused, halted, disconnected.
    state: &'static str,
    /// Why it is halted.
    state_code: Option<String>,
    /// First activation.
    activated: Option<Time>,
    /// Since when somebody wants it on and no worker has answered.
    wanted: Option<Time>,
    /// What stood in the way when a worker last tried to switch it on.
    problems: Vec<ObstacleView>,
    /// When changes go out: on_arrival or quarter_hour.
    #[schema(value_type = String)]
    timing: Timing,
    /// Whether mass changes are held.
    brake: bool,
    /// How many hires may come in ten minutes before they are held; null: any number.
    ceiling: Option<u32>,
    /// What happens when a record is rejected: park or halt.
    #[schema(value_type = String)]
    on_rejected: OnRejected,
    /// How many people one call may carry.
    batch_size: u32,
    /// Whether カオナビ runs tasks strictly in order.
    fifo_tasks: bool,
    /// Who is told by mail.
    recipients: Vec<String>,
    /// Whether a mail may name people.
    names_in_mail: bool,
    /// The version of the settings, as in `ETag`.
    settings_version: i64,
    /// What the last verification found.
    verification: VerificationView,
}

impl From<&Connection> for ConnectionView {
    fn from(connection: &Connection) -> Self {
        let settings = &connection.settings;
        let time = |at: Option<Millis>| at.map(Time::from);
        Self {
            id: connection.id.clone(),
            name: connection.name.clone(),
            source: connection.source.clone(),
            webhook_path: format!("/webhooks/{}/{}", connection.source, connection.id),
            account: connection.account.clone(),
            state: connection.state.as_str(),
            state_code: connection.state_code.clone(),
            activated: time(connection.activated),
            wanted: time(connection.wanted),
            problems: connection.problems.iter().map(|line| ObstacleView::read(line)).collect(),
            timing: settings.timing,
            brake: settings.brake,
            ceiling: settings.ceiling,
            on_rejected: settings.on_rejected,
            batch_size: settings.batch_size,
            fifo_tasks: settings.fifo_tasks,
            recipients: settings.recipients.clone(),
            names_in_mail: settings.names_in_mail,
            settings_version: connection.settings_version,
            verification: connection.into(),
        }
    }
}

/// A new connection.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewConnection {
    /// Letters, digits, `-`, `_`; at most 64.
    id: String,
    /// What people call it; the id if left out.
    name: Option<String>,
    /// The sending system: roumumate.
    source: String,
}

/// What changes about a connection; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConnectionPatch {
    /// What people call it.
    name: Option<String>,
    /// When changes go out: on_arrival or quarter_hour.
    #[schema(value_type = Option<String>)]
    timing: Option<Timing>,
    /// Whether mass changes are held.
    brake: Option<bool>,
    /// How many hires may come in ten minutes before they are held; null: any number.
    #[serde(deserialize_with = "given")]
    #[schema(value_type = Option<u32>)]
    ceiling: Option<Option<u32>>,
    /// What happens when a record is rejected: park sets that person aside, halt switches the connection off as well.
    #[schema(value_type = Option<String>)]
    on_rejected: Option<OnRejected>,
    /// How many people one call may carry: 1 to 1000.
    batch_size: Option<u32>,
    /// Whether カオナビ runs tasks strictly in order.
    fifo_tasks: Option<bool>,
    /// Who is told by mail.
    recipients: Option<Vec<String>>,
    /// Whether a mail may name people.
    names_in_mail: Option<bool>,
}

/// Tells null from left out.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/connections").route(web::get().to(list_connections)).route(web::post().to(create_connection)),
        resource("/connections/{id}").route(web::get().to(get_connection)).route(web::patch().to(change_connection)),
    ]
}

/// The answer about one connection.
pub(super) fn answer(connection: &Connection) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, etag(connection))).json(ConnectionView::from(connection))
}

/// The tenant's connections.
#[utoipa::path(get, path = "/api/v1/connections", tag = "tenant", params(Paging),
    responses((status = 200, body = Page<ConnectionView>)))]
pub(super) async fn list_connections(caller: TenantCaller, api: web::Data<Api>, query: Query<Paging>) -> Answer {
    let listing = Listing::new(&api.store, "connections", caller.tenant.as_str(), query.0.limit, query.0.cursor);
    let after: String = listing.after()?.unwrap_or_default();
    let mut rows = within(&api, Scoped::new(&api, &caller).connections(None)).await?;
    rows.retain(|own| own.id > after);
    rows.sort_by(|one, other| one.id.cmp(&other.id));
    let page = listing.page(rows, |own| own.id.clone(), |own| ConnectionView::from(&*own))?;
    Ok(HttpResponse::Ok().json(page))
}

/// Makes a connection that is not switched on.
#[utoipa::path(post, path = "/api/v1/connections", tag = "tenant", request_body = NewConnection,
    responses((status = 201, body = ConnectionView), (status = 409)))]
pub(super) async fn create_connection(caller: TenantCaller, api: web::Data<Api>, body: Body<NewConnection>) -> Answer {
    let NewConnection { id, name: called, source } = body.0;
    ConnectionId::new(id.clone()).map_err(|fault| ApiError::invalid("/id", fault.to_string()))?;
    Source::from_name(&source)
        .ok_or_else(|| ApiError::invalid("/source", "is not a known source; known: roumumate"))?;
    let mut connection = Connection::draft(&id, caller.tenant.as_str(), &source);
    connection.name = called.unwrap_or_else(|| id.clone());
    connection.created_by.clone_from(&caller.mail);
    name("/name", &connection.name)?;
    let scoped = Scoped::new(&api, &caller);
    let made = within(&api, async {
        let tx = api.store.begin().await?;
        let now = api.store.now_in(&tx).await?;
        if !connections::insert(&tx, &connection, now).await? {
            return Err(ApiError::conflict("this id is taken"));
        }
        scoped.audit(&tx, "connection.create", &id, now).await?;
        tx.commit().await?;
        scoped.connection(&id).await
    });
    let made = made.await?;
    Ok(HttpResponse::Created().insert_header((ETAG, etag(&made))).json(ConnectionView::from(&*made)))
}

/// One connection, with the version of its settings as `ETag`.
#[utoipa::path(get, path = "/api/v1/connections/{id}", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = ConnectionView)))]
pub(super) async fn get_connection(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let own = within(&api, Scoped::new(&api, &caller).connection(&id)).await?;
    Ok(answer(&own))
}

/// Changes name, delivery and recipients.
#[utoipa::path(patch, path = "/api/v1/connections/{id}", tag = "tenant",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    request_body = ConnectionPatch, responses((status = 200, body = ConnectionView)))]
pub(super) async fn change_connection(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body<ConnectionPatch>,
) -> Answer {
    let changed =
        change_settings(&api, &caller, &id, &request, "connection.change", |connection| apply(body.0, connection));
    let own = changed.await?;
    Ok(answer(&own))
}

fn apply(patch: ConnectionPatch, connection: &mut Connection) -> Result<(), ApiError> {
    let settings = &mut connection.settings;
    if let Some(called) = patch.name {
        name("/name", &called)?;
        connection.name = called;
    }
    if let Some(size) = patch.batch_size {
        setup::batch_size(size).map_err(|reason| ApiError::invalid("/batch_size", reason))?;
        settings.batch_size = size;
    }
    if let Some(recipients) = patch.recipients {
        if recipients.len() > RECIPIENTS {
            return Err(ApiError::invalid("/recipients", "may be 50 at most"));
        }
        if let Some(at) = recipients.iter().position(|address| !is_mail_address(address)) {
            return Err(ApiError::invalid(&format!("/recipients/{at}"), "is no mail address"));
        }
        settings.recipients = recipients;
    }
    settings.timing = patch.timing.unwrap_or(settings.timing);
    settings.brake = patch.brake.unwrap_or(settings.brake);
    settings.ceiling = patch.ceiling.unwrap_or(settings.ceiling);
    settings.on_rejected = patch.on_rejected.unwrap_or(settings.on_rejected);
    settings.fifo_tasks = patch.fifo_tasks.unwrap_or(settings.fifo_tasks);
    settings.names_in_mail = patch.names_in_mail.unwrap_or(settings.names_in_mail);
    Ok(())
}
