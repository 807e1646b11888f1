//! 要対応 and 保留: who needs a person, why, and what a person says.

use actix_web::{HttpResponse, Resource, web};
use renkei_events::codes::Code;
use renkei_store::attention::{self, Whom};
use renkei_store::decisions::{self, Decision, DecisionError, Verdict, Who};
use renkei_store::employees::{FullRow, RowState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::activity::MASK;
use super::caller::TenantCaller;
use super::input::{Body, Flag, Query, is_set};
use super::page::{Limit, Listing, Page};
use super::previews::chosen;
use super::problem::ApiError;
use super::scoped::{Scoped, refuse_ended};
use super::{Answer, Api, MANY_PEOPLE_TIME, Time, resource, within, within_time};
use crate::pages;

/// Somebody who needs a person.
#[derive(Debug, Serialize, ToSchema)]
pub struct AttentionView {
    /// The connection.
    connection: String,
    /// 従業員ID at the source.
    employee_id: String,
    /// 社員番号.
    number: Option<String>,
    /// parked or held; another one of somebody who goes on being sent and should be looked at.
    state: &'static str,
    /// Why.
    code: Option<String>,
    /// Why, in Japanese.
    title_ja: Option<&'static str>,
    /// Why, in English.
    title_en: Option<&'static str>,
    /// Where it is written what to do.
    remedy: Option<String>,
    /// Since when.
    since: Time,
    /// カオナビ's own words; masked as `•••` unless they are revealed.
    detail: Option<String>,
}

impl AttentionView {
    fn of(row: FullRow, reveal: bool) -> Self {
        // Whoever is neither parked nor held goes on, and is shown for a warning.
        let stopped = matches!(row.state, RowState::Parked | RowState::Held);
        let (code, since) = match row.warning {
            Some(warning) if !stopped => (Some(warning), row.warned.unwrap_or(row.changed)),
            _ => (row.reason, row.changed),
        };
        let listed = code.as_deref().and_then(Code::parse);
        Self {
            connection: row.key.connection,
            employee_id: row.key.employee,
            number: row.number,
            state: row.state.as_str(),
            code,
            title_ja: listed.map(Code::title_ja),
            title_en: listed.map(Code::title_en),
            remedy: listed.map(pages::address),
            since: since.into(),
            detail: row.detail.map(|text| if reveal { text } else { MASK.to_owned() }),
        }
    }
}

/// Which of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AttentionQuery {
    /// Of this connection only.
    connection: Option<String>,
    /// With this code only.
    code: Option<String>,
    /// Show カオナビ's own words; that is written into the audit.
    #[param(value_type = Option<bool>)]
    reveal: Option<Flag>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Who is meant, in one of three ways: everybody of a connection, those with one code, or some by 従業員ID.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// The connection.
    connection: String,
    /// Everybody of the connection who is stopped, for whatever reason.
    #[serde(default)]
    all: bool,
    /// All who are stopped for this code.
    code: Option<String>,
    /// These, by 従業員ID; 500 at most.
    employees: Option<Vec<String>>,
}

/// How many it was done for.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// People.
    changed: u64,
}

impl Changed {
    /// So many people.
    #[must_use]
    pub fn people(changed: u64) -> Self {
        Self { changed }
    }
}

/// What a person decided about people who are held.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionWish {
    /// The connection.
    connection: String,
    /// What they wait for.
    code: String,
    /// release, decline, register_new, number_moved or take_over, as the code allows.
    decision: String,
    /// Everybody of the connection who waits for it.
    #[serde(default)]
    all: bool,
    /// These, by 従業員ID; 500 at most.
    employees: Option<Vec<String>>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/attention").route(web::get().to(list_attention)),
        resource("/attention/retry").route(web::post().to(retry_attention)),
        resource("/attention/dismiss").route(web::post().to(dismiss_attention)),
        resource("/attention/decide").route(web::post().to(decide_attention)),
    ]
}

/// Parked and held people, and those whom somebody should look at.
#[utoipa::path(get, path = "/api/v1/attention", tag = "tenant", params(AttentionQuery),
    responses((status = 200, body = Page<AttentionView>)))]
pub(super) async fn list_attention(caller: TenantCaller, api: web::Data<Api>, query: Query<AttentionQuery>) -> Answer {
    let AttentionQuery { connection, code, reveal, limit, cursor } = query.0;
    let listing = Listing::new(&api.store, "attention", caller.tenant.as_str(), limit, cursor);
    let after: (String, String) = listing.after()?.unwrap_or_default();
    let (reveal, scoped) = (is_set(reveal), Scoped::new(&api, &caller));
    let rows = within(&api, async {
        let own = scoped.connections(connection.as_deref()).await?;
        if reveal {
            scoped.audit_alone("attention.reveal", connection.as_deref().unwrap_or("all")).await?;
        }
        let after = (after.0.as_str(), after.1.as_str());
        Ok(attention::page(&api.store, &own, code.as_deref(), after, listing.most()).await?)
    });
    let position = |row: &FullRow| (row.key.connection.clone(), row.key.employee.clone());
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, position, |row| AttentionView::of(row, reveal))?))
}

/// Judges parked people again, with today's data and settings. Nothing old is sent again.
#[utoipa::path(post, path = "/api/v1/attention/retry", tag = "tenant", request_body = Choice,
    responses((status = 200, body = Changed), (status = 409)))]
pub(super) async fn retry_attention(caller: TenantCaller, api: web::Data<Api>, body: Body<Choice>) -> Answer {
    decide(&api, &caller, &body.0, true).await
}

/// Leaves parked and held people as they are until their record changes, and takes warnings back. A mass change that is held is
/// declined instead, with `/attention/decide`.
#[utoipa::path(post, path = "/api/v1/attention/dismiss", tag = "tenant", request_body = Choice,
    responses((status = 200, body = Changed), (status = 409)))]
pub(super) async fn dismiss_attention(caller: TenantCaller, api: web::Data<Api>, body: Body<Choice>) -> Answer {
    decide(&api, &caller, &body.0, false).await
}

/// Decides about held people, all or some of them. Of a mass change those who are left out of a release are declined, and can
/// still be released for 90 days; otherwise they stay held.
#[utoipa::path(post, path = "/api/v1/attention/decide", tag = "tenant", request_body = DecisionWish,
    responses((status = 200, body = Changed), (status = 409)))]
pub(super) async fn decide_attention(caller: TenantCaller, api: web::Data<Api>, body: Body<DecisionWish>) -> Answer {
    let wish = body.0;
    let code = Code::parse(&wish.code).ok_or_else(|| ApiError::invalid("/code", "is not a code"))?;
    let allowed: Vec<&str> = Decision::allowed(code).iter().map(|decision| decision.as_str()).collect();
    if allowed.is_empty() {
        return Err(ApiError::invalid("/code", "nothing is to be decided about it"));
    }
    let decision = Decision::parse(&wish.decision).filter(|decision| allowed.contains(&decision.as_str()));
    let decision =
        decision.ok_or_else(|| ApiError::invalid("/decision", format!("must be one of {}", allowed.join(", "))))?;
    let who = chosen(wish.all, wish.employees.as_deref())?;
    let scoped = Scoped::new(&api, &caller);
    let verdict = Verdict { reason: code, decision, who, actor: &caller.actor };
    let changed = within_time(&api, MANY_PEOPLE_TIME, async {
        let own = scoped.connection(&wish.connection).await?;
        refuse_ended(&own)?;
        decisions::decide(&api.store, &own, verdict).await.map_err(|error| match error {
            DecisionError::Store(error) => ApiError::from(error),
            error @ DecisionError::NotAllowed { .. } => ApiError::invalid("/decision", error.to_string()),
            error @ DecisionError::AnothersMembers { .. } => ApiError::conflict(error.to_string()),
        })
    });
    Ok(HttpResponse::Ok().json(Changed::people(changed.await?)))
}

async fn decide(api: &Api, caller: &TenantCaller, choice: &Choice, retry: bool) -> Answer {
    let whom = match (&choice.code, &choice.employees) {
        (Some(_), Some(_)) => return Err(ApiError::invalid("/employees", "give either code or employees")),
        (Some(_), None) | (None, Some(_)) if choice.all => {
            return Err(ApiError::invalid("/all", "leaves no room for code or employees"));
        }
        (Some(code), None) => {
            Code::parse(code).ok_or_else(|| ApiError::invalid("/code", "is not a code"))?;
            Whom::Code(Some(code))
        }
        (None, None) if !choice.all => {
            return Err(ApiError::invalid("/employees", "give code, employees or \"all\": true"));
        }
        (None, ids) => match chosen(choice.all, ids.as_deref())? {
            Who::All => Whom::Code(None),
            Who::Some(ids) => Whom::Employees(ids),
        },
    };
    let scoped = Scoped::new(api, caller);
    let changed = within_time(api, MANY_PEOPLE_TIME, async {
        let (tx, own, now) = scoped.change(&choice.connection, false).await?;
        let action = if retry { "attention.retry" } else { "attention.dismiss" };
        let changed = match retry {
            true => attention::retry(&api.store, &tx, &own, whom, now).await?,
            false => attention::dismiss(&api.store, &tx, &own, whom, now).await?,
        };
        let of = match whom {
            Whom::Code(code) => code.unwrap_or("all"),
            Whom::Employees(_) => "named",
        };
        let detail = format!("{of}: {changed} people");
        scoped.audit_in_detail(&tx, action, &own.id, Some(&detail), now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(changed)
    });
    Ok(HttpResponse::Ok().json(Changed { changed: changed.await? }))
}
