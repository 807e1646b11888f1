//! Previews: what would be sent, shown before it is; and sending those whom a person confirmed.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, Resource, web};
use renkei_store::decisions::Who;
use renkei_store::previews::{self, ConfirmError, Item, Preview, Shown};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::activity::MASK;
use super::attention::Changed;
use super::caller::TenantCaller;
use super::input::{Body, Flag, Query, is_set};
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::scoped::{Scoped, refuse_ended};
use super::{Answer, Api, MANY_PEOPLE_TIME, Time, resource, within, within_time};

/// The most people that one call names.
const MOST_NAMED: usize = 500;

/// Whom a preview is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PreviewOf {
    /// Everybody who waits: due, skipped, parked or held.
    Waiting,
    /// People known from before the first activation.
    FirstLoad,
    /// Those whom `employees` names.
    People,
}

/// What to preview.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PreviewWish {
    /// Whom.
    of: PreviewOf,
    /// With `people`: by 従業員ID, 500 at most.
    employees: Option<Vec<String>>,
    /// With `waiting` and `first_load`: only people after this 従業員ID, the `rest_after` of the preview before.
    after: Option<String>,
}

/// One person of a preview.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewItem {
    /// 従業員ID at the source.
    employee_id: String,
    /// 社員番号.
    number: Option<String>,
    /// create, update, unchanged, skip, park or hold.
    action: String,
    /// Why not sent: a code of `/docs/errors/`.
    code: Option<String>,
    /// Field → old value, where it is known, and new one; masked as `•••` unless they are revealed.
    fields: BTreeMap<String, Change>,
}

/// Of one field.
#[derive(Debug, Serialize, ToSchema)]
pub struct Change {
    /// What カオナビ holds, if we know.
    old: Option<String>,
    /// What would be sent.
    new: String,
}

/// A preview. While a worker has not made it yet, there are neither counts nor people.
#[derive(Debug, Serialize, ToSchema)]
pub struct PreviewView {
    /// Its id.
    id: String,
    /// wanted or ready.
    state: &'static str,
    /// When it was asked for.
    made: Time,
    /// How many people by action.
    counts: BTreeMap<String, u64>,
    /// Set when the preview is full, at 20,000 people: there may be others, whom another preview with this as `after` shows.
    rest_after: Option<String>,
    /// The people, by 従業員ID.
    #[serde(flatten)]
    people: Page<PreviewItem>,
}

/// What of a preview.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PreviewQuery {
    /// Show values; that is written into the audit.
    #[param(value_type = Option<bool>)]
    reveal: Option<Flag>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Whom to send.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SyncWish {
    /// The preview that was looked at.
    preview: String,
    /// Everybody of it who would be registered or changed.
    #[serde(default)]
    all: bool,
    /// These of it, by 従業員ID; 500 at most.
    employees: Option<Vec<String>>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/connections/{id}/preview").route(web::post().to(want_preview)),
        resource("/connections/{id}/preview/{preview_id}").route(web::get().to(get_preview)),
        resource("/connections/{id}/sync").route(web::post().to(sync)),
    ]
}

/// The people that a call names, if it names some.
///
/// # Errors
/// Unless it names 1 to 500 of them, or everybody.
pub(super) fn chosen(all: bool, employees: Option<&[String]>) -> Result<Who<'_>, ApiError> {
    match (all, employees) {
        (true, None) => Ok(Who::All),
        (false, Some(ids)) if (1..=MOST_NAMED).contains(&ids.len()) => match ids.iter().position(|id| odd(id)) {
            Some(at) => Err(ApiError::invalid(&format!("/employees/{at}"), "has a control character")),
            None => Ok(Who::Some(ids)),
        },
        (false, Some(_)) => Err(ApiError::invalid("/employees", "must have 1 to 500 entries")),
        _ => Err(ApiError::invalid("/employees", "give either employees or \"all\": true")),
    }
}

fn odd(id: &str) -> bool {
    id.chars().any(char::is_control)
}

fn whom(wish: PreviewWish) -> Result<Shown, ApiError> {
    let PreviewWish { of, employees, after } = wish;
    if after.as_deref().is_some_and(odd) {
        return Err(ApiError::invalid("/after", "has a control character"));
    }
    Ok(match (of, employees, after) {
        (PreviewOf::Waiting, None, None) => Shown::Waiting,
        (PreviewOf::Waiting, None, Some(after)) => Shown::WaitingAfter(after),
        (PreviewOf::FirstLoad, None, None) => Shown::FirstLoad,
        (PreviewOf::FirstLoad, None, Some(after)) => Shown::FirstLoadAfter(after),
        (PreviewOf::People, ids, None) => {
            chosen(false, ids.as_deref())?;
            Shown::People(ids.unwrap_or_default())
        }
        (PreviewOf::People, _, Some(_)) => {
            return Err(ApiError::invalid("/after", "belongs to waiting and first_load only"));
        }
        _ => return Err(ApiError::invalid("/employees", "belongs to people only")),
    })
}

/// Asks for a preview. A worker makes it; nothing is sent by it.
#[utoipa::path(post, path = "/api/v1/connections/{id}/preview", tag = "tenant", params(("id" = String, Path)),
    request_body = PreviewWish, responses((status = 202, body = PreviewView), (status = 409)))]
pub(super) async fn want_preview(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<PreviewWish>,
) -> Answer {
    let shown = whom(body.0)?;
    let scoped = Scoped::new(&api, &caller);
    let preview = within(&api, async {
        let own = scoped.connection(&id).await?;
        refuse_ended(&own)?;
        if own.account.is_none() {
            let reason = "the connection has no credentials, so nobody knows what カオナビ holds".to_owned();
            return Err(ApiError::Conflict { reason, missing: vec!["credentials"] });
        }
        Ok(previews::want(&api.store, &own, &shown, &caller.actor).await?)
    });
    let listing = Listing::new(&api.store, "preview", caller.tenant.as_str(), None, None);
    Ok(HttpResponse::Accepted().json(view(preview.await?, &listing, false)?))
}

/// A preview, with its people in pages.
#[utoipa::path(get, path = "/api/v1/connections/{id}/preview/{preview_id}", tag = "tenant",
    params(("id" = String, Path), ("preview_id" = String, Path), PreviewQuery),
    responses((status = 200, body = PreviewView)))]
pub(super) async fn get_preview(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    query: Query<PreviewQuery>,
) -> Answer {
    let (id, preview_id) = path.into_inner();
    let PreviewQuery { reveal, limit, cursor } = query.0;
    let owner = format!("{}/{preview_id}", caller.tenant);
    let listing = Listing::new(&api.store, "preview", &owner, limit, cursor);
    let (reveal, scoped) = (is_set(reveal), Scoped::new(&api, &caller));
    let preview = within(&api, async {
        let preview = find(&scoped, &id, &preview_id).await?;
        if reveal {
            scoped.audit_alone("preview.reveal", &id).await?;
        }
        Ok(preview)
    });
    Ok(HttpResponse::Ok().json(view(preview.await?, &listing, reveal)?))
}

async fn find(scoped: &Scoped<'_>, id: &str, preview: &str) -> Result<Preview, ApiError> {
    let own = scoped.connection(id).await?;
    if preview.is_empty() || preview.len() > 64 || odd(preview) {
        return Err(ApiError::NotFound);
    }
    previews::find(scoped.store, &scoped.store.db, &own.id, preview).await?.ok_or(ApiError::NotFound)
}

fn view(preview: Preview, listing: &Listing<'_>, reveal: bool) -> Result<PreviewView, ApiError> {
    let state = if preview.items.is_some() { "ready" } else { "wanted" };
    let rest_after = preview.rest_after().map(str::to_owned);
    let mut items = preview.items.unwrap_or_default();
    let mut counts = BTreeMap::new();
    for item in &items {
        *counts.entry(item.action.clone()).or_default() += 1;
    }
    items.sort_by(|one, other| one.employee.cmp(&other.employee));
    let after: Option<String> = listing.after()?;
    let most = usize::try_from(listing.most()).unwrap_or(usize::MAX);
    let rest = items.into_iter().filter(|item| after.as_ref().is_none_or(|after| item.employee > *after));
    let people =
        listing.page(rest.take(most).collect(), |item: &Item| item.employee.clone(), |item| shown(item, reveal))?;
    Ok(PreviewView { id: preview.id, state, made: preview.made.into(), counts, rest_after, people })
}

fn shown(item: Item, reveal: bool) -> PreviewItem {
    let mask = |text: String| if reveal { text } else { MASK.to_owned() };
    let change = |(field, (old, new)): (String, (Option<String>, String))| {
        (field, Change { old: old.map(mask), new: mask(new) })
    };
    PreviewItem {
        employee_id: item.employee,
        number: item.number,
        action: item.action,
        code: item.code,
        fields: item.fields.into_iter().map(change).collect(),
    }
}

/// Sends the people of a preview whom a person confirmed: those whose record is still the one that was shown. Of a first load
/// only those who are missing are registered. Refused once the settings are others than those it was made with.
#[utoipa::path(post, path = "/api/v1/connections/{id}/sync", tag = "tenant", params(("id" = String, Path)),
    request_body = SyncWish, responses((status = 200, body = Changed), (status = 409)))]
pub(super) async fn sync(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<SyncWish>,
) -> Answer {
    let SyncWish { preview, all, employees } = body.0;
    let who = chosen(all, employees.as_deref())?;
    let scoped = Scoped::new(&api, &caller);
    let changed = within_time(&api, MANY_PEOPLE_TIME, async {
        let own = scoped.connection(&id).await?;
        refuse_ended(&own)?;
        let preview = find(&scoped, &id, &preview).await?;
        previews::confirm(&api.store, &own, &preview, who, &caller.actor).await.map_err(|error| match error {
            ConfirmError::Store(error) => ApiError::from(error),
            error @ (ConfirmError::NotMade | ConfirmError::SettingsChanged) => ApiError::conflict(error.to_string()),
        })
    });
    Ok(HttpResponse::Ok().json(Changed::people(changed.await?)))
}
