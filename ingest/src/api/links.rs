//! 連携 of attendance: a source's key, 自動同期, and whether the source takes the key.

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use jiff::civil::Date;
use renkei_attendance::window::{self, Brought, Window};
use renkei_events::ids::ConnectionId;
use renkei_runtime::clock::Millis;
use renkei_store::db::Tx;
use renkei_store::link_checks::{self, Check, CheckState, Kept, Wish};
use renkei_store::links::{self, AttendanceSource, Link, Statement};
use renkei_store::{jobs, runs};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::{Body, name, still_as_read};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, Time, resource, within};
use crate::setup;

/// What has to be ticked before a link is made, with the words that stand beside the box.
const STATEMENTS: [(&str, &str); 4] = [
    ("attendance_on", "クラウドログのタイムシート設定で「勤怠の使用」をONにしています。"),
    ("leave_on", "クラウドログのタイムシート設定で「休暇の使用」をONにしています。"),
    ("no_attendance_management", "クラウドログの勤怠管理機能は使っていません。"),
    ("builtin_sync_off", "クラウドログ標準の外部連携の自動同期は「使用しない」にしています。"),
];

/// What somebody should know before a link is made.
const NOTES: [(&str, &str); 3] = [
    (
        "imported_by_hand",
        "クラウドログに勤怠を登録する公開の方法は確認できていません。毎朝、ご担当者の方にファイルを取り込んでいただきます。",
    ),
    ("forty_days", "41日以上前の修正は自動では連携されません。期間を指定して同期してください。"),
    (
        "initial_values",
        "手入力が必要な日には、クラウドログの初期値が表示されていることがあります。内容をご確認ください。",
    ),
];

/// A link. The key is in no answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkView {
    /// Its id.
    id: String,
    /// 連携名.
    name: String,
    /// hrmos, kingoftime or kinkakuji.
    source: String,
    /// The company of the source's login URL.
    company: String,
    /// When the key was issued.
    key_issued: String,
    /// When it ends, where the source ends keys by itself.
    key_ends: Option<String>,
    /// 自動同期.
    auto: bool,
    /// What was ticked, by whom and when.
    stated: Vec<StatementView>,
    /// When it was made.
    created: Time,
    /// When the next window begins, or this one goes on.
    next: Option<Time>,
    /// What is wrong with the source: a code of `/docs/errors/`.
    trouble: Option<String>,
    /// Since when.
    trouble_since: Option<Time>,
    /// The days that no window brought because the last one failed, and no manual run since: one brings them.
    missed: Option<MissedDays>,
    /// The version of the settings, as in `ETag`.
    settings_version: i64,
}

/// Days that are missing.
#[derive(Debug, Serialize, ToSchema)]
pub struct MissedDays {
    /// The first, `YYYY-MM-DD`.
    first_day: String,
    /// The last.
    last_day: String,
}

/// From the day on which the last window that came to its end was due, without what a manual run brought, and no more than one
/// can bring.
async fn missed(api: &Api, link: &Link) -> Result<Option<MissedDays>, ApiError> {
    if !link.failed {
        return Ok(None);
    }
    let today = setup::today_in_tokyo(api.clock.now());
    let first = Window::due(today).first().to_string();
    let runs = runs::brought_by_hand(&api.store.db, &link.id, &first).await?;
    let brought: Vec<Brought> = runs
        .into_iter()
        .filter_map(|run| {
            let (first, last) = run.days?;
            let on = setup::today_in_tokyo(run.started);
            Some(Brought { first: first.parse().ok()?, last: last.parse().ok()?, on })
        })
        .collect();
    let missing = window::missing(today, link.complete, &brought);
    Ok(missing.map(|(first, last)| MissedDays { first_day: first.to_string(), last_day: last.to_string() }))
}

/// Something that was ticked.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementView {
    /// Its name.
    what: String,
    /// Who ticked it.
    who: String,
    /// When.
    at: Time,
}

/// A link to be made. It is there when the source has taken the key.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLink {
    /// Letters, digits, `-`, `_`; at most 64.
    id: String,
    /// 連携名.
    name: String,
    /// hrmos, kingoftime or kinkakuji.
    source: String,
    /// The company of the login URL, or the login URL itself; only with HRMOS勤怠.
    company: Option<String>,
    /// API KEY, or the access token of KING OF TIME and 勤革時.
    #[schema(value_type = String)]
    api_key: SecretString,
    /// When the key was issued, `YYYY-MM-DD`; today if left out.
    key_issued: Option<String>,
    /// 自動同期; on if left out.
    auto: Option<bool>,
    /// What is ticked: all of attendance_on, leave_on, no_attendance_management, builtin_sync_off.
    stated: Vec<String>,
}

/// A new key, or another company, of a link. The old one stays when the source does not take it.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// The company of the login URL, or the login URL itself; as before if left out.
    company: Option<String>,
    /// API KEY, or the access token; as before if left out, where the company is another one.
    #[schema(value_type = Option<String>)]
    api_key: Option<SecretString>,
    /// When the key was issued, `YYYY-MM-DD`; today if left out.
    key_issued: Option<String>,
}

/// What changes about a link; what is left out stays.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LinkPatch {
    /// 連携名.
    name: Option<String>,
    /// 自動同期. Off stops the windows of 05:00 only; on starts with the next one.
    auto: Option<bool>,
}

/// Whether a source takes a key.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckView {
    /// Its id.
    id: String,
    /// The link that is made or changed by it.
    link: String,
    /// wanted, accepted or refused.
    state: &'static str,
    /// Why it was refused: a code of `/docs/errors/`.
    code: Option<String>,
}

/// What a form for links needs to know.
#[derive(Debug, Serialize, ToSchema)]
pub struct LinkOptions {
    /// The sources, in the order in which they are offered.
    sources: Vec<SourceOption>,
    /// Our own addresses, for an IP restriction at the source.
    egress_addresses: Vec<String>,
    /// What has to be ticked.
    statements: Vec<StatementOption>,
    /// What somebody should know beforehand, to be shown beside the form.
    notes: Vec<NoteOption>,
}

/// Something to be known.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteOption {
    /// Its name.
    id: &'static str,
    /// The words.
    text: &'static str,
}

/// A source.
#[derive(Debug, Serialize, ToSchema)]
pub struct SourceOption {
    /// As in `source`.
    id: &'static str,
    /// What people call it.
    label: &'static str,
    /// Whether links to it can be made in this version (otherwise 準備中).
    available: bool,
}

/// Something to be ticked.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementOption {
    /// As in `stated`.
    id: &'static str,
    /// The words beside the box.
    text: &'static str,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/links").route(web::get().to(list_links)).route(web::post().to(create_link)),
        resource("/links/{id}")
            .route(web::get().to(get_link))
            .route(web::patch().to(change_link))
            .route(web::delete().to(delete_link)),
        resource("/links/{id}/key").route(web::put().to(put_link_key)),
        resource("/link-checks/{id}").route(web::get().to(get_link_check)),
        resource("/link-options").route(web::get().to(get_link_options)),
    ]
}

pub(super) fn etag(link: &Link) -> String {
    format!("\"{}\"", link.settings_version)
}

async fn view(api: &Api, link: &Link) -> Result<LinkView, ApiError> {
    let now = api.store.now().await?;
    let next = jobs::find(&api.store.db, &links::window_job(&link.id), now).await?;
    let (trouble, since) = link.trouble.clone().unzip();
    let stated =
        link.stated.iter().map(|one| StatementView { what: one.what.clone(), who: one.who.clone(), at: one.at.into() });
    Ok(LinkView {
        id: link.id.clone(),
        name: link.name.clone(),
        source: link.source.as_str().to_owned(),
        company: link.company.clone(),
        key_issued: link.key_issued.to_string(),
        key_ends: link.source.key_ends(link.key_issued).map(|day| day.to_string()),
        auto: link.auto,
        stated: stated.collect(),
        created: link.created.into(),
        next: next.filter(|_| link.auto).map(|job| job.due.into()),
        trouble,
        trouble_since: since.map(Time::from),
        missed: missed(api, link).await?,
        settings_version: link.settings_version,
    })
}

/// A link of the caller's tenant; another tenant's is as good as none.
pub(super) async fn own_link(api: &Api, caller: &TenantCaller, id: &str) -> Result<Link, ApiError> {
    ConnectionId::new(id).map_err(|_| ApiError::NotFound)?;
    links::find_own(&api.store, &api.store.db, caller.tenant.as_str(), id).await?.ok_or(ApiError::NotFound)
}

/// Begins a change of a link, if it still is what the caller saw.
pub(super) async fn begin_change(
    api: &Api,
    caller: &TenantCaller,
    id: &str,
    request: &HttpRequest,
) -> Result<(Tx, Link, Millis), ApiError> {
    own_link(api, caller, id).await?;
    let tx = api.store.begin().await?;
    links::lock_tenant(&tx, caller.tenant.as_str()).await?;
    let found = links::find_own(&api.store, &tx, caller.tenant.as_str(), id).await?;
    let link = found.ok_or(ApiError::NotFound)?;
    still_as_read(request, &etag(&link))?;
    let now = api.store.now_in(&tx).await?;
    Ok((tx, link, now))
}

fn key(pointer: &str, text: &SecretString) -> Result<(), ApiError> {
    let text = text.expose_secret();
    if text.is_empty() || text.len() > 1000 || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err(ApiError::invalid(pointer, "must have 1 to 1000 printable characters without blanks"));
    }
    Ok(())
}

fn issued(api: &Api, text: Option<&str>) -> Result<String, ApiError> {
    let today = setup::today_in_tokyo(api.clock.now());
    let Some(text) = text else { return Ok(today.to_string()) };
    match text.parse::<Date>() {
        Ok(day) if day <= today => Ok(day.to_string()),
        _ => Err(ApiError::invalid("/key_issued", "must be a date such as 2026-04-01, and not lie ahead")),
    }
}

fn company(text: &str) -> Result<String, ApiError> {
    setup::hrmos_company(text).ok_or_else(|| {
        ApiError::invalid("/company", "is neither a company nor a login URL such as https://ieyasu.co/company/login")
    })
}

/// HRMOS勤怠's companies have a place of their own each; the others know a company by its token.
fn company_of(source: AttendanceSource, text: Option<&str>) -> Result<String, ApiError> {
    match (source, text) {
        (AttendanceSource::Hrmos, text) => company(text.unwrap_or_default()),
        (AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji, None | Some("")) => Ok(String::new()),
        (AttendanceSource::Kingoftime | AttendanceSource::Kinkakuji, Some(_)) => {
            Err(ApiError::invalid("/company", "this source has none"))
        }
    }
}

/// The tenant's links, in the order of their creation.
#[utoipa::path(get, path = "/api/v1/links", tag = "tenant", responses((status = 200, body = Vec<LinkView>)))]
pub(super) async fn list_links(caller: TenantCaller, api: web::Data<Api>) -> Answer {
    let views = within(&api, async {
        let mut views = Vec::new();
        for link in links::of_tenant(&api.store, &api.store.db, caller.tenant.as_str()).await? {
            views.push(view(&api, &link).await?);
        }
        Ok(views)
    });
    Ok(HttpResponse::Ok().json(views.await?))
}

/// Leaves a link to be made; a worker asks the source whether it takes the key, and nothing is kept when it does not.
#[utoipa::path(post, path = "/api/v1/links", tag = "tenant", request_body = NewLink,
    responses((status = 202, body = CheckView), (status = 409)))]
pub(super) async fn create_link(caller: TenantCaller, api: web::Data<Api>, body: Body<NewLink>) -> Answer {
    let wanted = body.0;
    ConnectionId::new(wanted.id.clone()).map_err(|fault| ApiError::invalid("/id", fault.to_string()))?;
    name("/name", &wanted.name)?;
    let source = AttendanceSource::parse(&wanted.source)
        .ok_or_else(|| ApiError::invalid("/source", "is not a known source; known: hrmos, kingoftime, kinkakuji"))?;
    let company = company_of(source, wanted.company.as_deref())?;
    key("/api_key", &wanted.api_key)?;
    let key_issued = issued(&api, wanted.key_issued.as_deref())?;
    if let Some((missing, _)) = STATEMENTS.iter().find(|(what, _)| !wanted.stated.iter().any(|stated| stated == what)) {
        return Err(ApiError::invalid("/stated", format!("{missing} has to be ticked")));
    }
    let scoped = Scoped::new(&api, &caller);
    let check = within(&api, async {
        let tx = api.store.begin().await?;
        let now = api.store.now_in(&tx).await?;
        let own = links::find(&api.store, &tx, &wanted.id).await?;
        if own.is_some() || links::is_anothers(&tx, caller.tenant.as_str(), &wanted.id).await? {
            return Err(ApiError::conflict("this id is taken"));
        }
        let stated = STATEMENTS.iter().map(|(what, _)| Statement {
            what: (*what).to_owned(),
            who: caller.actor.clone(),
            at: now,
        });
        let new = link_checks::NewLink {
            name: wanted.name.clone(),
            auto: wanted.auto.unwrap_or(true),
            stated: stated.collect(),
        };
        let wish = Wish {
            source,
            company: company.clone(),
            key: wanted.api_key.clone(),
            key_issued: key_issued.clone(),
            new: Some(new),
            kept: None,
        };
        let id = uuid::Uuid::now_v7().to_string();
        link_checks::want(&api.store, &tx, &id, caller.tenant.as_str(), &wanted.id, &wish, now).await?;
        scoped.audit(&tx, "link.create", &wanted.id, now).await?;
        tx.commit().await?;
        api.store.hint();
        own_check(&api, &caller, &id).await
    });
    Ok(HttpResponse::Accepted().json(check.await?))
}

async fn own_check(api: &Api, caller: &TenantCaller, id: &str) -> Result<CheckView, ApiError> {
    let found = link_checks::find(&api.store, &api.store.db, id).await?;
    let Check { id, link, state, .. } =
        found.filter(|check| check.tenant == caller.tenant.as_str()).ok_or(ApiError::NotFound)?;
    let (state, code) = match state {
        CheckState::Wanted => ("wanted", None),
        CheckState::Accepted => ("accepted", None),
        CheckState::Refused(code) => ("refused", Some(code)),
    };
    Ok(CheckView { id, link, state, code })
}

/// Whether the source takes the key.
#[utoipa::path(get, path = "/api/v1/link-checks/{id}", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = CheckView)))]
pub(super) async fn get_link_check(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    Ok(HttpResponse::Ok().json(within(&api, own_check(&api, &caller, &id)).await?))
}

/// What a form for links needs to know.
#[utoipa::path(get, path = "/api/v1/link-options", tag = "tenant", responses((status = 200, body = LinkOptions)))]
pub(super) async fn get_link_options(_: TenantCaller, api: web::Data<Api>) -> Answer {
    let sources = AttendanceSource::ALL.into_iter().map(|source| SourceOption {
        id: source.as_str(),
        label: source.label(),
        available: true,
    });
    let sources = sources.chain([SourceOption { id: "jobcan", label: "ジョブカン", available: false }]);
    let statements = STATEMENTS.iter().map(|(id, text)| StatementOption { id, text });
    Ok(HttpResponse::Ok().json(LinkOptions {
        sources: sources.collect(),
        egress_addresses: api.egress_addresses.clone(),
        statements: statements.collect(),
        notes: NOTES.into_iter().map(|(id, text)| NoteOption { id, text }).collect(),
    }))
}

async fn answer(api: &Api, link: &Link) -> Answer {
    Ok(HttpResponse::Ok().insert_header((ETAG, etag(link))).json(view(api, link).await?))
}

/// One link, with the version of its settings as `ETag`.
#[utoipa::path(get, path = "/api/v1/links/{id}", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = LinkView)))]
pub(super) async fn get_link(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        answer(&api, &link).await
    })
    .await
}

/// Changes 連携名 and 自動同期.
#[utoipa::path(patch, path = "/api/v1/links/{id}", tag = "tenant",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    request_body = LinkPatch, responses((status = 200, body = LinkView)))]
pub(super) async fn change_link(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body<LinkPatch>,
) -> Answer {
    let patch = body.0;
    if let Some(called) = &patch.name {
        name("/name", called)?;
    }
    within(&api, async {
        let (tx, mut link, now) = begin_change(&api, &caller, &id, &request).await?;
        if let Some(called) = patch.name.clone() {
            link.name = called;
        }
        if patch.auto == Some(true) && !link.auto {
            links::switched_on(&tx, &link, now).await?;
        }
        link.auto = patch.auto.unwrap_or(link.auto);
        links::put(&api.store, &tx, &link).await?;
        Scoped::new(&api, &caller).audit(&tx, "link.change", &id, now).await?;
        tx.commit().await?;
        let link = own_link(&api, &caller, &id).await?;
        answer(&api, &link).await
    })
    .await
}

/// Leaves a new key, or another company, to be checked; the old one stays when the source does not take it.
#[utoipa::path(put, path = "/api/v1/links/{id}/key", tag = "tenant", params(("id" = String, Path)),
    request_body = NewKey, responses((status = 202, body = CheckView)))]
pub(super) async fn put_link_key(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<NewKey>,
) -> Answer {
    let link = within(&api, own_link(&api, &caller, &id)).await?;
    let wanted = body.0;
    let kept = match (&wanted.api_key, &wanted.company) {
        (None, _) => Some(Kept::Key),
        (Some(_), None) => Some(Kept::Company),
        (Some(_), Some(_)) => None,
    };
    let (api_key, key_issued) = match wanted.api_key {
        Some(api_key) => {
            key("/api_key", &api_key)?;
            (api_key, issued(&api, wanted.key_issued.as_deref())?)
        }
        // The same key may open another company.
        None if wanted.company.is_none() => return Err(ApiError::invalid("/api_key", "is missing")),
        None if wanted.key_issued.is_some() => {
            return Err(ApiError::invalid("/key_issued", "goes with a new key only"));
        }
        None => (link.key.clone(), link.key_issued.to_string()),
    };
    let company = match wanted.company.as_deref() {
        Some(text) => company_of(link.source, Some(text))?,
        None => link.company.clone(),
    };
    let check = within(&api, async {
        let tx = api.store.begin().await?;
        let now = api.store.now_in(&tx).await?;
        let wish = Wish { source: link.source, company, key: api_key, key_issued, new: None, kept };
        let check = uuid::Uuid::now_v7().to_string();
        link_checks::want(&api.store, &tx, &check, caller.tenant.as_str(), &link.id, &wish, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "link.key", &link.id, now).await?;
        tx.commit().await?;
        api.store.hint();
        own_check(&api, &caller, &check).await
    });
    Ok(HttpResponse::Accepted().json(check.await?))
}

/// Takes a link away with its key. What it brought stays in the book; a run of it has to end first.
#[utoipa::path(delete, path = "/api/v1/links/{id}", tag = "tenant", params(("id" = String, Path)),
    responses((status = 204), (status = 409)))]
pub(super) async fn delete_link(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        let open =
            runs::open_ones(&tx, caller.tenant.as_str(), &[runs::RunKind::Window, runs::RunKind::Manual]).await?;
        if open.iter().any(|run| run.subject == link.id) {
            return Err(ApiError::conflict("a run of this link is under way; cancel it first"));
        }
        let now = api.store.now_in(&tx).await?;
        links::remove(&tx, &link.id, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "link.remove", &link.id, now).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
