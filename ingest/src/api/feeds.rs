//! 定期確認: where a connection's source can be asked every quarter hour for what changed.

use std::time::Duration;

use actix_web::{HttpResponse, Resource, web};
use renkei_runtime::clock::Millis;
use renkei_store::feeds::{self, Feed};
use renkei_store::jobs;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::Body;
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};
use crate::setup;

/// The longest overlap, in minutes.
const LONGEST_OVERLAP: u32 = 24 * 60;

/// Where the source is asked. The token is in no answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct FeedView {
    /// The address of the employee feed.
    url: String,
    /// How far before the newest known change is asked again, in minutes.
    overlap_minutes: u64,
    /// 最終確認: when a sweep last came to its end.
    checked: Option<Time>,
    /// What was changed at the source up to then is known.
    known_until: Option<String>,
    /// How many sweeps came to their end.
    sweeps: i64,
    /// When the next sweep begins, or this one goes on.
    next: Option<Time>,
    /// What is wrong: a code of `/docs/errors/`.
    trouble: Option<String>,
    /// Since when.
    trouble_since: Option<Time>,
    /// How many sweeps in a row found changes over ten minutes old that no webhook had brought.
    missed_sweeps: i64,
    /// How many changes that were.
    missed_changes: i64,
    /// Since when.
    missed_since: Option<Time>,
}

/// A feed to be set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewFeed {
    /// The address of the employee feed, without a query.
    url: String,
    /// The Bearer token that the source wants.
    #[schema(value_type = String)]
    token: SecretString,
    /// How far before the newest known change is asked again; 5 minutes if left out, 1440 at most.
    overlap_minutes: Option<u32>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/connections/{id}/feed")
            .route(web::get().to(get_feed))
            .route(web::put().to(put_feed))
            .route(web::delete().to(delete_feed)),
    ]
}

fn view(feed: &Feed, next: Option<Millis>) -> FeedView {
    let (code, since) = feed.trouble.clone().unzip();
    FeedView {
        url: feed.url.clone(),
        overlap_minutes: feed.overlap.as_secs() / 60,
        checked: feed.checked.map(Time::from),
        known_until: feed.watermark.map(|at| at.to_string()),
        sweeps: feed.sweeps,
        next: next.map(Time::from),
        trouble: code,
        trouble_since: since.map(Time::from),
        missed_sweeps: feed.missed.sweeps,
        missed_changes: feed.missed.changes,
        missed_since: feed.missed.since.map(Time::from),
    }
}

async fn read(api: &Api, id: &str) -> Result<FeedView, ApiError> {
    let feed = feeds::find(&api.store, &api.store.db, id).await?.ok_or(ApiError::NotFound)?;
    let now = api.store.now().await?;
    let planned = jobs::find(&api.store.db, &feeds::sweep_job(id), now).await?;
    Ok(view(&feed, planned.map(|job| job.due)))
}

/// The employee feed of a connection.
#[utoipa::path(get, path = "/api/v1/connections/{id}/feed", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = FeedView)))]
pub(super) async fn get_feed(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let feed = within(&api, async {
        Scoped::new(&api, &caller).connection(&id).await?;
        read(&api, &id).await
    });
    Ok(HttpResponse::Ok().json(feed.await?))
}

/// Sets the employee feed up, or changes it. A connection that was never on reads everybody once, as a baseline; from its
/// activation on, the source is asked every quarter hour for what changed.
#[utoipa::path(put, path = "/api/v1/connections/{id}/feed", tag = "tenant", params(("id" = String, Path)),
    request_body = NewFeed, responses((status = 200, body = FeedView), (status = 409)))]
pub(super) async fn put_feed(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<NewFeed>,
) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    within(&api, scoped.connection(&id)).await?;
    let NewFeed { url, token, overlap_minutes } = body.0;
    let url = setup::feed_url(&api.outside, &url).map_err(|reason| ApiError::invalid("/url", reason))?;
    setup::bearer_token(token.expose_secret()).map_err(|reason| ApiError::invalid("/token", reason))?;
    let overlap = overlap_minutes.unwrap_or(setup::FEED_OVERLAP_MINUTES);
    if overlap > LONGEST_OVERLAP {
        return Err(ApiError::invalid("/overlap_minutes", "must be from 0 to 1440"));
    }
    let feed = within(&api, async {
        let (tx, own, now) = scoped.change(&id, false).await?;
        let overlap = Duration::from_secs(u64::from(overlap) * 60);
        setup::set_feed(&api.store, &tx, &own, &url, &token, overlap, now).await?;
        scoped.audit(&tx, "connection.feed", &id, now).await?;
        tx.commit().await?;
        api.store.hint();
        read(&api, &id).await
    });
    Ok(HttpResponse::Ok().json(feed.await?))
}

/// Takes the employee feed away: its token is deleted and the source is asked no more.
#[utoipa::path(delete, path = "/api/v1/connections/{id}/feed", tag = "tenant", params(("id" = String, Path)),
    responses((status = 204)))]
pub(super) async fn delete_feed(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let scoped = Scoped::new(&api, &caller);
    within(&api, async {
        let (tx, _, now) = scoped.change(&id, false).await?;
        if !feeds::remove(&tx, &id).await? {
            return Err(ApiError::NotFound);
        }
        scoped.audit(&tx, "connection.feed_removed", &id, now).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
