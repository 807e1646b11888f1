//! 活動ログ.

use actix_web::{HttpResponse, Resource, web};
use renkei_events::codes::Code;
use renkei_store::activity::{self, About, Entry};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::caller::TenantCaller;
use super::input::Query;
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};

/// What stands in the place of a personal value.
pub const MASK: &str = "•••";

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActivityView {
    /// When.
    at: Time,
    /// Where.
    connection: String,
    /// Who, if it is about one person.
    employee_id: Option<String>,
    /// Such as created, updated, parked, paused.
    kind: String,
    /// A code of `/docs/errors/`.
    code: Option<String>,
    /// Field → [old, new], or a message; masked as `•••` unless it is revealed.
    detail: Option<Value>,
}

impl ActivityView {
    /// An entry, with its personal values only if `reveal`.
    pub(super) fn of(entry: Entry, reveal: bool) -> Self {
        let detail = entry.detail.map(|text| match serde_json::from_str(&text) {
            Ok(Value::Object(fields)) => Value::Object(fields),
            _ => Value::String(text),
        });
        Self {
            at: entry.at.into(),
            connection: entry.connection,
            employee_id: entry.employee,
            kind: entry.kind,
            code: entry.code,
            detail: if reveal { detail } else { detail.map(mask) },
        }
    }
}

/// Keeps the names of fields and nothing of their values.
fn mask(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, mask(value))).collect(),
        Value::Array(items) => items.into_iter().map(mask).collect(),
        Value::Null => Value::Null,
        _ => Value::String(MASK.to_owned()),
    }
}

/// Which entries.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ActivityQuery {
    /// Of this connection only.
    connection: Option<String>,
    /// What happened for this reason only: a code of `/docs/errors/`.
    code: Option<String>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/activity").route(web::get().to(list_activity))]
}

/// What happened, newest first. Personal values are masked; a person's timeline can reveal them.
#[utoipa::path(get, path = "/api/v1/activity", tag = "tenant", params(ActivityQuery),
    responses((status = 200, body = Page<ActivityView>)))]
pub(super) async fn list_activity(caller: TenantCaller, api: web::Data<Api>, query: Query<ActivityQuery>) -> Answer {
    let ActivityQuery { connection, code, limit, cursor } = query.0;
    // A misspelt code would look as if nothing had happened.
    if code.as_deref().is_some_and(|wanted| Code::parse(wanted).is_none()) {
        return Err(ApiError::invalid("/code", "is not a code"));
    }
    let listing = Listing::new(&api.store, "activity", caller.tenant.as_str(), limit, cursor);
    let before = listing.after()?.unwrap_or(i64::MAX);
    let rows = within(&api, async {
        let own = Scoped::new(&api, &caller).connections(connection.as_deref()).await?;
        let about = About { code: code.as_deref(), ..About::default() };
        Ok(activity::page(&api.store, &own, about, before, listing.most()).await?)
    });
    let page = listing.page(rows.await?, |(id, _)| *id, |(_, entry)| ActivityView::of(entry, false))?;
    Ok(HttpResponse::Ok().json(page))
}
