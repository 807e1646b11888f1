//! Runs: sweeps that found something, first loads, windows and manual runs, with what came of them.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, Resource, web};
use renkei_attendance::window::Window;
use renkei_store::links::{self, AttendanceSource};
use renkei_store::runs::captions::Captions;
use renkei_store::runs::{self, Run, RunKind, RunState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::TenantCaller;
use super::input::{Body, Query, date};
use super::links::own_link;
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};
use crate::setup;

/// Who starts what is on the calendar, and how people call that.
const SYSTEM: &str = "system";
const SYSTEM_JA: &str = "システム";

/// A run.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunView {
    /// Its number.
    id: i64,
    /// sweep, first_load, window or manual.
    #[schema(value_type = String)]
    kind: RunKind,
    /// The connection or link that it was about.
    connection: String,
    /// 連携名, as it is now; null: it was taken away.
    name: Option<String>,
    /// What the connection or link reads from, such as hrmos, kingoftime or kinkakuji.
    source: Option<String>,
    /// 勤怠サービス: what people call the source, for attendance.
    service: Option<&'static str>,
    /// `system`, or who started it.
    executor: String,
    /// 実行者 as people say it: システム, or the name of the token; null: the token is not the tenant's own.
    executor_name: Option<String>,
    /// waiting, running, awaiting_import, ok, warned, failed or cancelled.
    #[schema(value_type = String)]
    state: RunState,
    /// How many warnings it has, whether its files are imported or not; null: its days were not decided about yet.
    warnings: Option<i64>,
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
    /// Of a run of attendance that did not come to its end: the first day that was not read.
    first_day_not_read: Option<String>,
    /// What was counted, such as seen, new, already_known, calls, duration_ms.
    counts: BTreeMap<String, i64>,
}

impl RunView {
    fn new(captions: &Captions, run: Run) -> Self {
        let first_day_not_read = run.unread_from().map(|day| day.to_string());
        let subject = captions.subject(&run).cloned();
        let attendance = matches!(run.kind, RunKind::Window | RunKind::Manual);
        let service = subject.as_ref().filter(|_| attendance).and_then(|known| AttendanceSource::parse(&known.source));
        let executor_name = match run.executor.as_str() {
            SYSTEM => Some(SYSTEM_JA.to_owned()),
            _ => captions.token(&run).map(str::to_owned),
        };
        let (name, source) = subject.map(|known| (known.name, known.source)).unzip();
        let (first_day, last_day) = run.days.unzip();
        Self {
            id: run.id,
            kind: run.kind,
            connection: run.subject,
            name,
            source,
            service: service.map(AttendanceSource::label),
            executor: run.executor,
            executor_name,
            state: run.state,
            warnings: run.counts.get("warnings").copied(),
            code: run.code,
            started: run.started.into(),
            ended: run.ended.map(Time::from),
            first_day,
            last_day,
            first_day_not_read,
            counts: run.counts,
        }
    }
}

async fn view(api: &Api, run: Run) -> Result<RunView, ApiError> {
    let captions = Captions::of(&api.store.db, &run.tenant, std::slice::from_ref(&run)).await?;
    Ok(RunView::new(&captions, run))
}

/// Which runs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Of this connection or link only.
    connection: Option<String>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/runs").route(web::get().to(list_runs)),
        resource("/runs/{id}").route(web::get().to(get_run)),
        resource("/runs/{id}/cancel").route(web::post().to(cancel_run)),
        resource("/links/{id}/runs").route(web::post().to(start_run)),
    ]
}

/// The days of a manual run.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRun {
    /// First day, `YYYY-MM-DD`.
    first_day: String,
    /// Last day, not after today; 40 days at most.
    last_day: String,
}

/// A manual run that is about to begin.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunPlanned {
    /// The link.
    link: String,
    /// First day.
    first_day: String,
    /// Last day.
    last_day: String,
}

pub(super) async fn own_run(api: &Api, caller: &TenantCaller, id: &str) -> Result<Run, ApiError> {
    let id = id.parse().map_err(|_| ApiError::NotFound)?;
    let found = runs::find(&api.store.db, id).await?;
    found.filter(|run| run.tenant == caller.tenant.as_str()).ok_or(ApiError::NotFound)
}

/// One run, with how far it is (`counts.day` of `counts.days`).
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = RunView)))]
pub(super) async fn get_run(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let run = within(&api, async { view(&api, own_run(&api, &caller, &id).await?).await });
    Ok(HttpResponse::Ok().json(run.await?))
}

/// Starts a manual run. It is refused while another one of the company runs or waits.
#[utoipa::path(post, path = "/api/v1/links/{id}/runs", tag = "tenant", params(("id" = String, Path)),
    request_body = NewRun, responses((status = 202, body = RunPlanned), (status = 409)))]
pub(super) async fn start_run(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<NewRun>,
) -> Answer {
    let link = within(&api, own_link(&api, &caller, &id)).await?;
    let (first, last) = (date("/first_day", &body.0.first_day)?, date("/last_day", &body.0.last_day)?);
    let today = setup::today_in_tokyo(api.clock.now());
    Window::chosen(first, last, today).map_err(|fault| ApiError::invalid("/last_day", fault.to_string()))?;
    within(&api, async {
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        let open = runs::open_ones(&tx, caller.tenant.as_str(), &[RunKind::Window, RunKind::Manual]).await?;
        if let Some(run) = open.first() {
            return Err(ApiError::conflict(under_way(run)));
        }
        if let Some((waiting, executor)) = links::manual_waiting(&tx, caller.tenant.as_str()).await? {
            let detail = format!("a run of link {waiting} is about to start, wanted by {executor}");
            return Err(ApiError::conflict(detail));
        }
        let now = api.store.now_in(&tx).await?;
        links::plan_manual(&tx, &link, (first, last), &caller.actor, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "run.start", &link.id, now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(())
    })
    .await?;
    let planned = RunPlanned { link: link.id, first_day: first.to_string(), last_day: last.to_string() };
    Ok(HttpResponse::Accepted().json(planned))
}

fn under_way(run: &Run) -> String {
    let progress = match (run.counts.get("day"), run.counts.get("days")) {
        (Some(day), Some(days)) => format!("day {day} of {days}"),
        _ => "not begun".to_owned(),
    };
    format!("a run of link {} is under way, started by {}: {progress}", run.subject, run.executor)
}

/// Cancels a run that has not ended. What it has read stays in the book.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = RunView), (status = 409)))]
pub(super) async fn cancel_run(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let run = within(&api, async {
        let run = own_run(&api, &caller, &id).await?;
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        let now = api.store.now_in(&tx).await?;
        if !links::cancel_run(&api.store, &tx, &run, now).await? {
            return Err(ApiError::conflict("the run has ended"));
        }
        Scoped::new(&api, &caller).audit(&tx, "run.cancel", &id, now).await?;
        tx.commit().await?;
        api.store.hint();
        view(&api, own_run(&api, &caller, &id).await?).await
    });
    Ok(HttpResponse::Ok().json(run.await?))
}

/// Runs of the last 90 days, newest first. A sweep that found nothing is none: it only moves `checked` of the feed.
#[utoipa::path(get, path = "/api/v1/runs", tag = "tenant", params(RunQuery),
    responses((status = 200, body = Page<RunView>)))]
pub(super) async fn list_runs(caller: TenantCaller, api: web::Data<Api>, query: Query<RunQuery>) -> Answer {
    let listing = Listing::new(&api.store, "runs", caller.tenant.as_str(), query.0.limit, query.0.cursor);
    let before = listing.after()?.unwrap_or(i64::MAX);
    let rows = within(&api, async {
        let subject = query.0.connection.as_deref();
        if let Some(id) = subject {
            match own_link(&api, &caller, id).await {
                Err(ApiError::NotFound) => Scoped::new(&api, &caller).connection(id).await.map(drop)?,
                link => link.map(drop)?,
            }
        }
        let tenant = caller.tenant.as_str();
        let rows = runs::page(&api.store.db, tenant, subject.as_slice(), before, listing.most()).await?;
        Ok((Captions::of(&api.store.db, tenant, &rows).await?, rows))
    });
    let (captions, rows) = rows.await?;
    let page = listing.page(rows, |run| run.id, |run| RunView::new(&captions, run))?;
    Ok(HttpResponse::Ok().json(page))
}
