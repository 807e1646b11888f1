//! Whether カオナビ would take one person as they are now: asked with カオナビ's own dry run, which a worker makes.

use actix_web::{HttpResponse, Resource, web};
use renkei_events::codes::Code;
use renkei_store::dry_runs::{self, DryRun, Progress};
use renkei_store::employees::Op;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::activity::MASK;
use super::caller::TenantCaller;
use super::input::{Flag, Query, is_set};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};
use crate::pages;

/// A dry run of one person. While no worker has answered, there is no result.
#[derive(Debug, Serialize, ToSchema)]
pub struct DryRunView {
    /// The connection.
    connection: String,
    /// 従業員ID at the source.
    employee_id: String,
    /// wanted, asked or ended.
    state: &'static str,
    /// When it was asked for.
    made: Time,
    /// Whether the person would be registered (create) or changed (update).
    op: Option<&'static str>,
    /// accepted or rejected by カオナビ, not_sent because Renkei would not send the person, or no_answer.
    result: Option<&'static str>,
    /// Why: a code of `/docs/errors/`.
    code: Option<String>,
    /// Where it is written what to do.
    remedy: Option<String>,
    /// カオナビ's own words; masked as `•••` unless they are revealed.
    detail: Option<String>,
    /// When it ended.
    ended: Option<Time>,
}

impl DryRunView {
    fn of(run: DryRun, reveal: bool) -> Self {
        let view = Self {
            connection: run.key.connection,
            employee_id: run.key.employee,
            state: "wanted",
            made: run.made.into(),
            op: run.op.map(Op::as_str),
            result: None,
            code: None,
            remedy: None,
            detail: None,
            ended: None,
        };
        match run.progress {
            Progress::Wanted | Progress::Ready => view,
            Progress::Sent { .. } | Progress::Task { .. } => Self { state: "asked", ..view },
            Progress::Ended { end, code, detail, at } => Self {
                state: "ended",
                result: Some(end.as_str()),
                remedy: code.as_deref().and_then(Code::parse).map(pages::address),
                code,
                detail: detail.map(|text| if reveal { text } else { MASK.to_owned() }),
                ended: Some(at.into()),
                ..view
            },
        }
    }
}

/// What of a dry run.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DryRunQuery {
    /// Show カオナビ's own words; that is written into the audit.
    #[param(value_type = Option<bool>)]
    reveal: Option<Flag>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/employees/{connection}/{employee_id}/dry-run")
            .route(web::post().to(want_dry_run))
            .route(web::get().to(get_dry_run)),
    ]
}

/// Asks カオナビ with its own dry run whether it would take one person as they are now. A worker asks, in the place of a
/// change, once no change could leave instead or after two minutes. Only while the connection is active, one at a time.
#[utoipa::path(post, path = "/api/v1/employees/{connection}/{employee_id}/dry-run", tag = "tenant",
    params(("connection" = String, Path), ("employee_id" = String, Path)),
    responses((status = 202, body = DryRunView), (status = 409)))]
pub(super) async fn want_dry_run(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    let run = within(&api, async {
        let (own, row) = scoped.employee(&path.0, &path.1).await?;
        Ok(dry_runs::want(&api.store, &own, &row.key.employee, &caller.actor).await?)
    });
    Ok(HttpResponse::Accepted().json(DryRunView::of(run.await?, false)))
}

/// The last dry run of one person, for a day.
#[utoipa::path(get, path = "/api/v1/employees/{connection}/{employee_id}/dry-run", tag = "tenant",
    params(("connection" = String, Path), ("employee_id" = String, Path), DryRunQuery),
    responses((status = 200, body = DryRunView)))]
pub(super) async fn get_dry_run(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: Query<DryRunQuery>,
) -> Answer {
    let (reveal, scoped) = (is_set(query.0.reveal), Scoped::new(&api, &caller));
    let run = within(&api, async {
        let (_, row) = scoped.employee(&path.0, &path.1).await?;
        let now = api.store.now().await?;
        let run = dry_runs::find(&api.store, &api.store.db, &row.key, now).await?.ok_or(ApiError::NotFound)?;
        if reveal {
            scoped.audit_alone("dry_run.reveal", &format!("{}/{}", row.key.connection, row.key.employee)).await?;
        }
        Ok(run)
    });
    Ok(HttpResponse::Ok().json(DryRunView::of(run.await?, reveal)))
}
