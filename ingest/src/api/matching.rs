//! Who is who: 社員コード of a link and of クラウドログ, now and as a run saw them, and what a run could not bring into the book.

use actix_web::{HttpResponse, Resource, web};
use renkei_attendance::codes::Code as MemberCode;
use renkei_attendance::matching::Matching;
use renkei_events::codes::Code;
use renkei_store::attendance::members;
use renkei_store::attendance::notes::{self, Note};
use renkei_store::attendance::run_lists::{self, Lists, Named};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::TenantCaller;
use super::crowdlog::{NearCodes, is_old_or_missing, listed_members, people_of};
use super::input::Query;
use super::links::own_link;
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::runs::own_run;
use super::{Answer, Api, MANY_PEOPLE_TIME, Time, resource, within, within_time};
use crate::setup;

/// How many codes of each kind are named.
const NAMED: usize = 200;

/// Codes that belong to nobody, for one reason.
#[derive(Debug, Serialize, ToSchema)]
pub struct Codes {
    /// How many there are.
    total: usize,
    /// The first 200 of them; of a run the first 1,000.
    codes: Vec<String>,
}

impl Codes {
    fn of<'c>(codes: impl ExactSizeIterator<Item = &'c MemberCode>) -> Self {
        Self { total: codes.len(), codes: codes.take(NAMED).map(MemberCode::to_string).collect() }
    }
}

impl From<Named> for Codes {
    fn from(named: Named) -> Self {
        Self { total: usize::try_from(named.total).unwrap_or_default(), codes: named.codes }
    }
}

/// How the codes of a link's days, those of the last 40 days, compare with クラウドログ's member list.
#[derive(Debug, Serialize, ToSchema)]
pub struct MatchingView {
    /// When the member list was uploaded; null: there is none, and nobody is matched.
    list_made: Option<Time>,
    /// Whether a new export is needed, with inactive members: the list is over 30 days old, or the link has codes that it does
    /// not have.
    new_list_wanted: bool,
    /// How many codes are on both sides.
    matched: usize,
    /// 連携元のみ.
    only_source: Codes,
    /// クラウドログのみ.
    only_destination: Codes,
    /// Codes that differ in width, case, blanks or zeros in front only; 200 at most.
    near: Vec<NearCodes>,
    /// Codes of several people of the link. They match nobody.
    doubles_at_source: Codes,
    /// Codes that several lines of the list have. They match nobody.
    doubles_at_destination: Codes,
}

/// How the codes of a link compared with クラウドログ's member list when a run ended. Codes of people who were deleted since are
/// counted, and not named.
#[derive(Debug, Serialize, ToSchema)]
pub struct RunMatchingView {
    /// When the member list was uploaded; null: there was none, or the run did not come to its end, and nothing is listed.
    list_made: Option<Time>,
    /// How many codes were on both sides.
    matched: i64,
    /// 連携元のみ.
    only_source: Codes,
    /// クラウドログのみ.
    only_destination: Codes,
    /// How many groups of codes differed in width, case, blanks or zeros in front only.
    near_total: i64,
    /// The first of these, 1,000 codes of each side at most.
    near: Vec<NearCodes>,
    /// Codes of several people of the link.
    doubles_at_source: Codes,
    /// Codes that several lines of the list had.
    doubles_at_destination: Codes,
}

impl From<Option<Lists>> for RunMatchingView {
    fn from(lists: Option<Lists>) -> Self {
        let list_made = lists.as_ref().map(|lists| lists.list_made.into());
        let lists = lists.unwrap_or_default();
        Self {
            list_made,
            matched: lists.matched,
            only_source: lists.only_source.into(),
            only_destination: lists.only_destination.into(),
            near_total: lists.near_total,
            near: lists.near.into_iter().map(|near| NearCodes::new(near.source, near.destination)).collect(),
            doubles_at_source: lists.doubles_at_source.into(),
            doubles_at_destination: lists.doubles_at_destination.into(),
        }
    }
}

/// Something that a run could not bring.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoteView {
    /// Why: a code of `/docs/errors/`.
    reason: String,
    /// The same in Japanese.
    reason_ja: Option<&'static str>,
    /// 社員コード; of somebody without one the attendance service's own id.
    code: String,
    /// The other link, where two bring the same code.
    other_link: Option<String>,
}

impl From<Note> for NoteView {
    fn from(note: Note) -> Self {
        let Note { reason, code, detail } = note;
        let reason_ja = Code::parse(&reason).map(Code::title_ja);
        Self { reason, reason_ja, code, other_link: (!detail.is_empty()).then_some(detail) }
    }
}

/// Which notes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct NoteQuery {
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/links/{id}/matching").route(web::get().to(get_matching)),
        resource("/runs/{id}/matching").route(web::get().to(get_run_matching)),
        resource("/runs/{id}/notes").route(web::get().to(list_notes)),
    ]
}

/// Compares the 社員コード of a link with クラウドログ's member list, as both are now.
#[utoipa::path(get, path = "/api/v1/links/{id}/matching", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = MatchingView)))]
pub(super) async fn get_matching(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let today = setup::today_in_tokyo(api.clock.now());
    let view = within_time(&api, MANY_PEOPLE_TIME, async {
        let link = own_link(&api, &caller, &id).await?;
        let db = &api.store.db;
        let list = members::info(db, &link.tenant).await?;
        let listed = listed_members(db, &link.tenant).await?;
        let people = people_of(db, &link, today).await?;
        let matching = Matching::new(&people, &listed);
        let old = is_old_or_missing(list.as_ref(), today);
        let texts = |codes: &[MemberCode]| codes.iter().map(MemberCode::to_string).collect();
        let near = matching.near.iter().take(NAMED);
        Ok(MatchingView {
            list_made: list.map(|list| list.made.into()),
            new_list_wanted: old || !matching.only_source.is_empty() || !matching.near.is_empty(),
            matched: matching.matched().len(),
            only_source: Codes::of(matching.only_source.iter()),
            only_destination: Codes::of(matching.only_destination.iter()),
            near: near.map(|near| NearCodes::new(texts(&near.source), texts(&near.destination))).collect(),
            doubles_at_source: Codes::of(matching.doubles_at_source.iter().map(|double| &double.code)),
            doubles_at_destination: Codes::of(matching.doubles_at_destination.iter().map(|double| &double.code)),
        })
    });
    Ok(HttpResponse::Ok().json(view.await?))
}

/// The same as it was when a run ended. It stays as long as the run itself, whatever is uploaded since.
#[utoipa::path(get, path = "/api/v1/runs/{id}/matching", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = RunMatchingView)))]
pub(super) async fn get_run_matching(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let lists = within(&api, async {
        let run = own_run(&api, &caller, &id).await?;
        Ok::<_, ApiError>(run_lists::find(&api.store.db, run.id).await?)
    });
    Ok(HttpResponse::Ok().json(RunMatchingView::from(lists.await?)))
}

/// What a run could not bring into the book: people without a number, numbers of several people, and codes that another link
/// brings, too. The run's state is warned when there is anything.
#[utoipa::path(get, path = "/api/v1/runs/{id}/notes", tag = "tenant", params(("id" = String, Path), NoteQuery),
    responses((status = 200, body = Page<NoteView>)))]
pub(super) async fn list_notes(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    query: Query<NoteQuery>,
) -> Answer {
    let owner = format!("{}/{id}", caller.tenant);
    let listing = Listing::new(&api.store, "notes", &owner, query.0.limit, query.0.cursor);
    let after: (String, String) = listing.after()?.unwrap_or_default();
    let rows = within(&api, async {
        let run = own_run(&api, &caller, &id).await?;
        Ok::<_, ApiError>(notes::page(&api.store.db, run.id, (&after.0, &after.1), listing.most()).await?)
    });
    let position = |note: &Note| (note.reason.clone(), note.code.clone());
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, position, NoteView::from)?))
}
