//! People: how far each has come, and what happened to one.

use actix_web::{HttpResponse, Resource, web};
use renkei_events::record::EmployeeRecord;
use renkei_store::activity::{self as stored, About};
use renkei_store::employees::{FullRow, Op, RowState};
use renkei_store::people::{self, People};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use super::activity::{ActivityView, MASK};
use super::caller::TenantCaller;
use super::input::{Flag, Query, is_set};
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};

/// What of a record is no personal value.
const SHOWN: [&str; 5] = ["employee_id", "employee_number", "employee_status", "data_entry_state", "updated_at"];

/// A person as far as delivery goes.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmployeeView {
    /// The connection.
    connection: String,
    /// 従業員ID at the source.
    employee_id: String,
    /// 社員番号.
    number: Option<String>,
    /// baseline, due, flying, synced, skipped, parked, held.
    state: &'static str,
    /// create or update.
    op: Option<&'static str>,
    /// Why skipped, parked or held: a code of `/docs/errors/`.
    reason: Option<String>,
    /// Since when it is due.
    due: Option<Time>,
    /// How often it failed in a way that may pass.
    attempts: i64,
    /// When its newest event came.
    received: Time,
    /// When its state last changed.
    changed: Time,
}

impl From<&FullRow> for EmployeeView {
    fn from(row: &FullRow) -> Self {
        Self {
            connection: row.key.connection.clone(),
            employee_id: row.key.employee.clone(),
            number: row.number.clone(),
            state: row.state.as_str(),
            op: row.op.map(Op::as_str),
            reason: row.reason.clone(),
            due: row.due.map(Time::from),
            attempts: row.attempts,
            received: row.received.into(),
            changed: row.changed.into(),
        }
    }
}

/// A person with the newest record.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmployeeDetail {
    #[serde(flatten)]
    employee: EmployeeView,
    /// The newest record; personal values are masked as `•••`.
    #[schema(value_type = Option<Object>)]
    record: Option<Map<String, Value>>,
}

/// Which people.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EmployeesQuery {
    /// Of this connection only.
    connection: Option<String>,
    /// With this 社員番号, exactly.
    number: Option<String>,
    /// In this state.
    state: Option<String>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What of a timeline.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct TimelineQuery {
    /// Show personal values; that is written into the audit.
    #[param(value_type = Option<bool>)]
    reveal: Option<Flag>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/employees").route(web::get().to(list_employees)),
        resource("/employees/{connection}/{employee_id}")
            .route(web::get().to(get_employee))
            .route(web::delete().to(super::forgetting::forget_employee)),
        resource("/employees/{connection}/{employee_id}/timeline").route(web::get().to(get_timeline)),
    ]
}

/// The tenant's people.
#[utoipa::path(get, path = "/api/v1/employees", tag = "tenant", params(EmployeesQuery),
    responses((status = 200, body = Page<EmployeeView>)))]
pub(super) async fn list_employees(caller: TenantCaller, api: web::Data<Api>, query: Query<EmployeesQuery>) -> Answer {
    let EmployeesQuery { connection, number, state, limit, cursor } = query.0;
    if state.as_deref().is_some_and(|wanted| RowState::ALL.iter().all(|known| known.as_str() != wanted)) {
        return Err(ApiError::invalid("/state", "must be baseline, due, flying, synced, skipped, parked or held"));
    }
    let listing = Listing::new(&api.store, "employees", caller.tenant.as_str(), limit, cursor);
    let after: (String, String) = listing.after()?.unwrap_or_default();
    let rows = within(&api, async {
        let own = Scoped::new(&api, &caller).connections(connection.as_deref()).await?;
        let states: Vec<&str> = state.as_deref().into_iter().collect();
        let wanted = People { states: &states, number: number.as_deref(), ..People::default() };
        Ok(people::page(&api.store, &own, wanted, (&after.0, &after.1), listing.most()).await?)
    });
    let position = |row: &FullRow| (row.key.connection.clone(), row.key.employee.clone());
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, position, |row| EmployeeView::from(&row))?))
}

/// One person.
#[utoipa::path(get, path = "/api/v1/employees/{connection}/{employee_id}", tag = "tenant",
    params(("connection" = String, Path), ("employee_id" = String, Path)),
    responses((status = 200, body = EmployeeDetail)))]
pub(super) async fn get_employee(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (_, row) = within(&api, Scoped::new(&api, &caller).employee(&path.0, &path.1)).await?;
    let record = row.record.as_ref().map(masked);
    Ok(HttpResponse::Ok().json(EmployeeDetail { employee: (&row).into(), record }))
}

fn masked(record: &EmployeeRecord) -> Map<String, Value> {
    let Ok(Value::Object(fields)) = serde_json::to_value(record) else { return Map::new() };
    let mask = |(name, value): (String, Value)| {
        let shown = SHOWN.contains(&name.as_str()) || value.is_null();
        (name, if shown { value } else { Value::String(MASK.to_owned()) })
    };
    fields.into_iter().map(mask).collect()
}

/// What happened to one person, newest first, with old and new values.
#[utoipa::path(get, path = "/api/v1/employees/{connection}/{employee_id}/timeline", tag = "tenant",
    params(("connection" = String, Path), ("employee_id" = String, Path), TimelineQuery),
    responses((status = 200, body = Page<ActivityView>)))]
pub(super) async fn get_timeline(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: Query<TimelineQuery>,
) -> Answer {
    let (connection, employee) = path.into_inner();
    let owner = format!("{}|{connection}|{employee}", caller.tenant.as_str());
    let listing = Listing::new(&api.store, "timeline", &owner, query.0.limit, query.0.cursor);
    let (before, reveal) = (listing.after()?.unwrap_or(i64::MAX), is_set(query.0.reveal));
    let scoped = Scoped::new(&api, &caller);
    let rows = within(&api, async {
        let (own, _) = scoped.employee(&connection, &employee).await?;
        if reveal {
            scoped.audit_alone("timeline.reveal", &format!("{connection}/{employee}")).await?;
        }
        let own = std::slice::from_ref(&own);
        let about = About { employee: Some(&employee), ..About::default() };
        Ok(stored::page(&api.store, own, about, before, listing.most()).await?)
    });
    let page = listing.page(rows.await?, |(id, _)| *id, |(_, entry)| ActivityView::of(entry, reveal))?;
    Ok(HttpResponse::Ok().json(page))
}
