//! Runs: sweeps that found something, first loads, windows and manual runs, with what came of them.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, Resource, web};
use renkei_store::runs::{self, Run, RunKind, RunState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::TenantCaller;
use super::input::Query;
use super::page::{Limit, Listing, Page};
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunView {
    /// Its number.
    id: i64,
    /// sweep, first_load, window or manual.
    #[schema(value_type = String)]
    kind: RunKind,
    /// The connection that it was about.
    connection: String,
    /// `system`, or who started it.
    executor: String,
    /// waiting, running, awaiting_import, ok, warned, failed or cancelled.
    #[schema(value_type = String)]
    state: RunState,
    /// Why it failed, or what it warns of: a code of `/docs/errors/`.
    code: Option<String>,
    /// 同期開始日時.
    started: Time,
    /// 同期終了日時.
    ended: Option<Time>,
    /// First day of the period, for attendance.
    first_day: Option<String>,
    /// Last day of the period, for attendance.
    last_day: Option<String>,
    /// What was counted, such as seen, new, already_known, calls, duration_ms.
    counts: BTreeMap<String, i64>,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        let (first_day, last_day) = run.days.unzip();
        Self {
            id: run.id,
            kind: run.kind,
            connection: run.subject,
            executor: run.executor,
            state: run.state,
            code: run.code,
            started: run.started.into(),
            ended: run.ended.map(Time::from),
            first_day,
            last_day,
            counts: run.counts,
        }
    }
}

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Of this connection only.
    connection: Option<String>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/runs").route(web::get().to(list_runs))]
}

/// Runs of the last 90 days, newest first. A sweep that found nothing is none: it only moves `checked` of the feed.
#[utoipa::path(get, path = "/api/v1/runs", tag = "tenant", params(RunQuery),
    responses((status = 200, body = Page<RunView>)))]
pub(super) async fn list_runs(caller: TenantCaller, api: web::Data<Api>, query: Query<RunQuery>) -> Answer {
    let listing = Listing::new(&api.store, "runs", caller.tenant.as_str(), query.0.limit, query.0.cursor);
    let before = listing.after()?.unwrap_or(i64::MAX);
    let rows = within(&api, async {
        let mut subjects = Vec::new();
        if let Some(id) = query.0.connection.as_deref() {
            subjects.push(Scoped::new(&api, &caller).connection(id).await?.id.clone());
        }
        let subjects: Vec<&str> = subjects.iter().map(String::as_str).collect();
        Ok(runs::page(&api.store.db, caller.tenant.as_str(), &subjects, before, listing.most()).await?)
    });
    let page = listing.page(rows.await?, |run| run.id, RunView::from)?;
    Ok(HttpResponse::Ok().json(page))
}
