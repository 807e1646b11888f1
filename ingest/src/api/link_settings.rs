//! What is decided about a link: how days are read, what files look like, and what is closed or protected.

use std::collections::BTreeMap;

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use renkei_attendance::breaks::BreakMode;
use renkei_attendance::codes::Code as MemberCode;
use renkei_attendance::decide::PastMidnight;
use renkei_attendance::files::Layout;
use renkei_attendance::protection::Closing;
use renkei_attendance::reading::hrmos::Options;
use renkei_attendance::reading::kingoftime;
use renkei_attendance::segments::Segment;
use renkei_attendance::settings::LinkSettings;
use renkei_runtime::config::is_mail_address;
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::error::StoreError;
use renkei_store::links::{self, Link};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::{Body, date};
use super::links::{begin_change, etag, own_link};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};

/// Most people who are told.
const MOST_RECIPIENTS: usize = 50;
/// Most days that are listed for a link.
const MOST_LISTED: usize = 1000;

/// Settings of a link; what is left out of a change is as it is by default.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinkSettingsView {
    /// HRMOS勤怠, which of its times count: `time_source` (registered or stamped) and `infer_next_day`.
    #[schema(value_type = Object)]
    times: Options,
    /// KING OF TIME and 勤革時: `outing_as_break`, `gap_as_break`, `auto_break_at`, `rounding_minutes`, `differs_by_minutes`, and the
    /// company's names for half days of leave, `morning` and `afternoon`.
    #[schema(value_type = Object)]
    kingoftime: kingoftime::Options,
    /// 勤務区分: title of a work type → work, full_day, morning, afternoon, hourly, day_off or absence.
    #[schema(value_type = BTreeMap<String, String>)]
    work_types: BTreeMap<String, Segment>,
    /// Times past midnight: extended (25:30), or skip (left to a person).
    #[schema(value_type = String)]
    past_midnight: PastMidnight,
    /// Breaks: each, or merged into one.
    #[schema(value_type = String)]
    breaks: BreakMode,
    /// How files are written: `rows_per_file` (0: one file), `status`, `encoding`, `leave_columns`.
    #[schema(value_type = Object)]
    files: Layout,
    /// 締め管理: `kind` not_stated (no file is made), not_used, on (with `date`) or monthly (with `day`: 毎月n日に前月分を締める).
    #[schema(value_type = Object)]
    closing: Closing,
    /// Who is told by mail; nobody named: whom the installation names. 50 addresses at most.
    recipients: Vec<String>,
    /// Whether they want to be told every morning at 08:30 that files wait.
    daily_mail: bool,
}

impl Default for LinkSettingsView {
    fn default() -> Self {
        LinkSettings::default().into()
    }
}

impl From<LinkSettings> for LinkSettingsView {
    fn from(settings: LinkSettings) -> Self {
        let LinkSettings {
            times,
            kingoftime,
            work_types,
            past_midnight,
            breaks,
            files,
            closing,
            recipients,
            daily_mail,
        } = settings;
        Self { times, kingoftime, work_types, past_midnight, breaks, files, closing, recipients, daily_mail }
    }
}

impl From<LinkSettingsView> for LinkSettings {
    fn from(view: LinkSettingsView) -> Self {
        let LinkSettingsView {
            times,
            kingoftime,
            work_types,
            past_midnight,
            breaks,
            files,
            closing,
            recipients,
            daily_mail,
        } = view;
        Self { times, kingoftime, work_types, past_midnight, breaks, files, closing, recipients, daily_mail }
    }
}

/// Days that must not be written.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProtectionView {
    /// Its number.
    id: i64,
    /// 社員コード.
    code: String,
    /// The first day, `YYYY-MM-DD`.
    from: String,
    /// The last day.
    to: String,
    /// Who listed them.
    by: String,
    /// When.
    made: Time,
}

impl From<ListedDays> for ProtectionView {
    fn from(days: ListedDays) -> Self {
        let ListedDays { id, code, first, last, actor, made } = days;
        Self { id, code, from: first, to: last, by: actor, made: made.into() }
    }
}

/// Days to be listed.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProtection {
    /// 社員コード.
    code: String,
    /// The first day, `YYYY-MM-DD`.
    from: String,
    /// The last day.
    to: String,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/links/{id}/settings")
            .route(web::get().to(get_link_settings))
            .route(web::put().to(put_link_settings)),
        resource("/links/{id}/protections")
            .route(web::get().to(list_protections))
            .route(web::post().to(add_protection)),
        resource("/links/{id}/protections/{protection_id}").route(web::delete().to(remove_protection)),
    ]
}

fn answer(link: &Link) -> Answer {
    let settings: LinkSettings =
        serde_json::from_str(&link.settings).map_err(|error| ApiError::from(StoreError::from(error)))?;
    Ok(HttpResponse::Ok().insert_header((ETAG, etag(link))).json(LinkSettingsView::from(settings)))
}

/// The settings of a link, with their version as `ETag`.
#[utoipa::path(get, path = "/api/v1/links/{id}/settings", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = LinkSettingsView)))]
pub(super) async fn get_link_settings(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    answer(&within(&api, own_link(&api, &caller, &id)).await?)
}

/// Replaces the settings of a link. All days of the window are decided about anew.
#[utoipa::path(put, path = "/api/v1/links/{id}/settings", tag = "tenant",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    request_body = LinkSettingsView, responses((status = 200, body = LinkSettingsView)))]
pub(super) async fn put_link_settings(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body<LinkSettingsView>,
) -> Answer {
    let settings = LinkSettings::from(body.0);
    if settings.recipients.len() > MOST_RECIPIENTS {
        return Err(ApiError::invalid("/recipients", "50 addresses at most"));
    }
    if let Some(at) = settings.recipients.iter().position(|address| !is_mail_address(address)) {
        return Err(ApiError::invalid(&format!("/recipients/{at}"), "is not a mail address"));
    }
    let times = [settings.kingoftime.rounding_minutes, settings.kingoftime.differs_by_minutes];
    if !times.iter().all(|minutes| (0..=240).contains(minutes)) {
        return Err(ApiError::invalid("/kingoftime", "minutes of rounding and difference must be 0 to 240"));
    }
    if let Some(columns) = &settings.files.leave_columns
        && let Some(foreign) = columns.foreign_to(settings.files.encoding)
    {
        let detail = format!("{foreign} does not exist in the encoding of the files");
        return Err(ApiError::invalid("/files/leave_columns", detail));
    }
    let text = serde_json::to_string(&settings).map_err(|error| ApiError::from(StoreError::from(error)))?;
    let link = within(&api, async {
        let (tx, mut link, now) = begin_change(&api, &caller, &id, &request).await?;
        link.settings.clone_from(&text);
        links::put(&api.store, &tx, &link).await?;
        links::want_decision(&api.store, &tx, &link.id, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "link.settings", &id, now).await?;
        tx.commit().await?;
        api.store.hint();
        own_link(&api, &caller, &id).await
    });
    answer(&link.await?)
}

/// The days that are listed as not to be written, beside the closing date.
#[utoipa::path(get, path = "/api/v1/links/{id}/protections", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = Vec<ProtectionView>)))]
pub(super) async fn list_protections(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let listed = within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        Ok(protections::of_link(&api.store.db, &link.id).await?)
    });
    Ok(HttpResponse::Ok().json(listed.await?.into_iter().map(ProtectionView::from).collect::<Vec<_>>()))
}

/// Lists days of one 社員コード as not to be written. Files that are older are not handed out any more.
#[utoipa::path(post, path = "/api/v1/links/{id}/protections", tag = "tenant", params(("id" = String, Path)),
    request_body = NewProtection, responses((status = 201, body = ProtectionView), (status = 409)))]
pub(super) async fn add_protection(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<NewProtection>,
) -> Answer {
    let code = MemberCode::new(&body.0.code).map_err(|fault| ApiError::invalid("/code", fault.to_string()))?;
    if code.as_str().chars().count() > 100 || code.as_str().chars().any(char::is_control) {
        return Err(ApiError::invalid("/code", "must have 100 characters at most, and no control characters"));
    }
    let (from, to) = (date("/from", &body.0.from)?, date("/to", &body.0.to)?);
    if to < from {
        return Err(ApiError::invalid("/to", "is before the first day"));
    }
    let added = within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        if protections::of_link(&tx, &link.id).await?.len() >= MOST_LISTED {
            return Err(ApiError::conflict("a link has 1,000 listed periods at most; remove one first"));
        }
        let now = api.store.now_in(&tx).await?;
        let mut days = ListedDays {
            id: 0,
            code: code.to_string(),
            first: from.to_string(),
            last: to.to_string(),
            actor: caller.actor.clone(),
            made: now,
        };
        days.id = protections::add(&tx, &link.id, &days).await?;
        links::want_decision(&api.store, &tx, &link.id, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "link.protect", &link.id, now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(days)
    });
    Ok(HttpResponse::Created().json(ProtectionView::from(added.await?)))
}

/// Takes listed days off: they may be written again.
#[utoipa::path(delete, path = "/api/v1/links/{id}/protections/{protection_id}", tag = "tenant",
    params(("id" = String, Path), ("protection_id" = i64, Path)), responses((status = 204)))]
pub(super) async fn remove_protection(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (id, number) = path.into_inner();
    let number: i64 = number.parse().map_err(|_| ApiError::NotFound)?;
    within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        if !protections::remove(&tx, &link.id, number).await? {
            return Err(ApiError::NotFound);
        }
        let now = api.store.now_in(&tx).await?;
        links::want_decision(&api.store, &tx, &link.id, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "link.unprotect", &link.id, now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(())
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
