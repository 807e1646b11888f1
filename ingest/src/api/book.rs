//! The attendance book, and 手入力が必要な日.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, Resource, web};
use jiff::civil::Date;
use renkei_events::codes::Code;
use renkei_store::attendance::book::{self, BookDay};
use renkei_store::attendance::handwork::{self, Item};
use renkei_store::links;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::activity::MASK;
use super::caller::TenantCaller;
use super::input::{Flag, Query, date, is_set};
use super::links::own_link;
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, MANY_PEOPLE_TIME, Time, resource, within, within_time};

/// How much of a day's history is shown.
const BEFORE: u32 = 100;
/// How many items of handwork are read at once for a file.
const CHUNK: u32 = 500;

/// One person's day.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayView {
    /// 社員コード.
    code: String,
    /// `YYYY-MM-DD`.
    day: String,
    /// new (not decided), pending (goes into a file), done, handwork, skipped, protected or unmatched.
    state: &'static str,
    /// Why: a code of `/docs/errors/`.
    why: Option<String>,
    /// Why, in Japanese.
    why_ja: Option<&'static str>,
    /// The run that last changed it.
    run: i64,
    /// When that was.
    changed: Time,
    /// Whether クラウドログ is known to hold a row of it.
    held: bool,
    /// What the source says, as JSON text; masked as `•••` unless it is revealed.
    value: String,
}

impl DayView {
    fn of(day: BookDay, reveal: bool) -> Self {
        let listed = day.why.as_deref().and_then(Code::parse);
        Self {
            code: day.told.code,
            day: day.told.day,
            state: day.state.as_str(),
            why_ja: listed.map(Code::title_ja),
            why: day.why,
            run: day.told.run,
            changed: day.changed.into(),
            held: day.held.is_some(),
            value: if reveal { String::from_utf8_lossy(&day.told.value).into_owned() } else { MASK.to_owned() },
        }
    }
}

/// What a day was before.
#[derive(Debug, Serialize, ToSchema)]
pub struct DayBefore {
    /// The link that brought it.
    link: String,
    /// The run that brought it.
    run: i64,
    /// Since when it was so.
    since: Time,
    /// What the source said, as JSON text; masked as `•••` unless it is revealed.
    value: String,
}

/// Which day.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// 社員コード.
    code: String,
    /// The day, `YYYY-MM-DD`.
    day: String,
    /// Show what the source said; that is written into the audit.
    #[param(value_type = Option<bool>)]
    reveal: Option<Flag>,
}

/// Which days.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct DayQuery {
    /// Of this 社員コード only.
    code: Option<String>,
    /// From this day, `YYYY-MM-DD`.
    from: Option<String>,
    /// To this day.
    to: Option<String>,
    /// Show what the source says; that is written into the audit.
    #[param(value_type = Option<bool>)]
    reveal: Option<Flag>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Something that a person has to type into クラウドログ.
#[derive(Debug, Serialize, ToSchema)]
pub struct HandworkView {
    /// Its number.
    id: i64,
    /// 社員コード.
    code: String,
    /// 年月日.
    day: String,
    /// 理由: a code of `/docs/errors/`.
    reason: String,
    /// 理由, in Japanese.
    reason_ja: Option<&'static str>,
    /// 値: what is to be typed.
    value: String,
    /// Since when.
    made: Time,
    /// When it was ticked off.
    done: Option<Time>,
    /// By whom.
    done_by: Option<String>,
}

impl From<Item> for HandworkView {
    fn from(item: Item) -> Self {
        let (done, done_by) = item.done.unzip();
        Self {
            id: item.id,
            code: item.code,
            day: item.day,
            reason_ja: Code::parse(&item.reason).map(Code::title_ja),
            reason: item.reason,
            value: item.value,
            made: item.made.into(),
            done: done.map(Time::from),
            done_by,
        }
    }
}

/// Which items.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HandworkQuery {
    /// Those that were ticked off instead.
    #[param(value_type = Option<bool>)]
    done: Option<Flag>,
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/links/{id}/days").route(web::get().to(list_days)),
        resource("/links/{id}/history").route(web::get().to(day_history)),
        resource("/links/{id}/handwork").route(web::get().to(list_handwork)),
        resource("/links/{id}/handwork.csv").route(web::get().to(download_handwork)),
        resource("/links/{id}/handwork/{handwork_id}/done").route(web::post().to(tick_handwork)),
    ]
}

fn day(pointer: &str, text: Option<&str>, usual: Date) -> Result<String, ApiError> {
    Ok(text.map_or(Ok(usual), |text| date(pointer, text))?.to_string())
}

/// What one person's day was before, newest first, with the runs that brought it; the last 100.
#[utoipa::path(get, path = "/api/v1/links/{id}/history", tag = "tenant", params(("id" = String, Path), HistoryQuery),
    responses((status = 200, body = Vec<DayBefore>)))]
pub(super) async fn day_history(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    query: Query<HistoryQuery>,
) -> Answer {
    let HistoryQuery { code, day, reveal } = query.0;
    let day = date("/day", &day)?.to_string();
    let reveal = is_set(reveal);
    let before = within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        if reveal {
            Scoped::new(&api, &caller).audit_alone("days.reveal", &link.id).await?;
        }
        Ok(book::history(&api.store, &api.store.db, &link.tenant, (&code, &day), BEFORE).await?)
    });
    let shown = |value: Vec<u8>| if reveal { String::from_utf8_lossy(&value).into_owned() } else { MASK.to_owned() };
    let views = before.await?.into_iter().map(|old| DayBefore {
        link: old.link,
        run: old.run,
        since: old.since.into(),
        value: shown(old.value),
    });
    Ok(HttpResponse::Ok().json(views.collect::<Vec<_>>()))
}

/// The days that a link brought, by day and 社員コード, with what became of them.
#[utoipa::path(get, path = "/api/v1/links/{id}/days", tag = "tenant", params(("id" = String, Path), DayQuery),
    responses((status = 200, body = Page<DayView>)))]
pub(super) async fn list_days(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    query: Query<DayQuery>,
) -> Answer {
    let DayQuery { code, from, to, reveal, limit, cursor } = query.0;
    let from = day("/from", from.as_deref(), Date::constant(2000, 1, 1))?;
    let to = day("/to", to.as_deref(), Date::constant(9999, 12, 31))?;
    let owner = format!("{}/{id}", caller.tenant);
    let listing = Listing::new(&api.store, "days", &owner, limit, cursor);
    let after: (String, String) = listing.after()?.unwrap_or_default();
    let reveal = is_set(reveal);
    let rows = within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        if reveal {
            Scoped::new(&api, &caller).audit_alone("days.reveal", &link.id).await?;
        }
        let after = (after.0.as_str(), after.1.as_str());
        let store = &api.store;
        Ok(book::search(store, &store.db, &link.id, code.as_deref(), (&from, &to), after, listing.most()).await?)
    });
    let position = |day: &BookDay| (day.told.day.clone(), day.told.code.clone());
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, position, |day| DayView::of(day, reveal))?))
}

/// 手入力が必要な日: what no file can bring.
#[utoipa::path(get, path = "/api/v1/links/{id}/handwork", tag = "tenant", params(("id" = String, Path), HandworkQuery),
    responses((status = 200, body = Page<HandworkView>)))]
pub(super) async fn list_handwork(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    query: Query<HandworkQuery>,
) -> Answer {
    let HandworkQuery { done, limit, cursor } = query.0;
    let owner = format!("{}/{id}", caller.tenant);
    let listing = Listing::new(&api.store, "handwork", &owner, limit, cursor);
    let after = listing.after()?.unwrap_or(0);
    let rows = within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        let store = &api.store;
        Ok(handwork::page(store, &store.db, &link.id, is_set(done), after, listing.most()).await?)
    });
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, |item| item.id, HandworkView::from)?))
}

/// The same as a file for a spreadsheet: 社員コード, 年月日, 理由, 値. A value that a spreadsheet would take for a formula stands behind
/// an apostrophe.
#[utoipa::path(get, path = "/api/v1/links/{id}/handwork.csv", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, content_type = "text/csv", body = String)))]
pub(super) async fn download_handwork(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let text = within_time(&api, MANY_PEOPLE_TIME, async {
        let link = own_link(&api, &caller, &id).await?;
        let mut text = "\u{feff}社員コード,年月日,理由,値\r\n".to_owned();
        let mut after = 0;
        loop {
            let items = handwork::page(&api.store, &api.store.db, &link.id, false, after, CHUNK).await?;
            let Some(last) = items.last() else { break };
            after = last.id;
            for item in items {
                let reason = match Code::parse(&item.reason) {
                    Some(code) => code.title_ja(),
                    None => item.reason.as_str(),
                };
                let cells = [item.code.as_str(), item.day.as_str(), reason, item.value.as_str()].map(cell);
                text.push_str(&cells.join(","));
                text.push_str("\r\n");
            }
        }
        Ok(text)
    })
    .await?;
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, "text/csv"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"handwork_{id}.csv\"")));
    Ok(answer.body(text))
}

fn cell(text: &str) -> String {
    let safe = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() };
    if safe.contains([',', '"', '\n', '\r']) { format!("\"{}\"", safe.replace('"', "\"\"")) } else { safe }
}

/// Ticks an item off: it was typed.
#[utoipa::path(post, path = "/api/v1/links/{id}/handwork/{handwork_id}/done", tag = "tenant",
    params(("id" = String, Path), ("handwork_id" = i64, Path)), responses((status = 204)))]
pub(super) async fn tick_handwork(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (id, number) = path.into_inner();
    let item: i64 = number.parse().map_err(|_| ApiError::NotFound)?;
    within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        let now = api.store.now_in(&tx).await?;
        if !handwork::tick(&tx, &link.id, item, &caller.actor, now).await? {
            return Err(ApiError::NotFound);
        }
        Scoped::new(&api, &caller).audit(&tx, "handwork.done", &format!("{id}/{number}"), now).await?;
        Ok(tx.commit().await?)
    })
    .await?;
    Ok(HttpResponse::NoContent().finish())
}
