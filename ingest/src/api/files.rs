//! Files for クラウドログ's import: to be downloaded, imported by a person, and marked.

use std::collections::BTreeSet;

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, Resource, web};
use renkei_attendance::codes::Code as MemberCode;
use renkei_attendance::files::{self as made, Content, FileRow};
use renkei_attendance::imported::{self, MarkFault, Marking, Standing};
use renkei_attendance::protection::{Fingerprint, Protection};
use renkei_attendance::settings::LinkSettings;
use renkei_events::codes::Code;
use renkei_store::attendance::book;
use renkei_store::attendance::files::{self, FileInfo, FileState};
use renkei_store::attendance::protections::{self, ListedDays};
use renkei_store::db::Sql;
use renkei_store::error::StoreError;
use renkei_store::links::{self, Link};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::caller::TenantCaller;
use super::input::{Body, Query};
use super::links::own_link;
use super::page::{Limit, Listing, Page};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, MANY_PEOPLE_TIME, Time, resource, within, within_time};
use crate::setup;

/// A file, without what stands in it.
#[derive(Debug, Serialize, ToSchema)]
pub struct FileView {
    /// Its number.
    id: i64,
    /// Its name.
    name: String,
    /// Which of how many.
    part: i64,
    /// How many there are.
    parts: i64,
    /// How many rows it has, the header not counted.
    rows: i64,
    /// open (it waits to be imported), imported, or superseded (a newer file holds its rows).
    state: &'static str,
    /// The run after which it was made.
    run: i64,
    /// When.
    made: Time,
    /// When it was marked.
    marked: Option<Time>,
    /// By whom.
    marked_by: Option<String>,
}

impl From<FileInfo> for FileView {
    fn from(file: FileInfo) -> Self {
        let (marked, marked_by) = file.marked.unzip();
        Self {
            id: file.id,
            name: file.name,
            part: file.part.0,
            parts: file.part.1,
            rows: file.rows,
            state: file.state.as_str(),
            run: file.run,
            made: file.made.into(),
            marked: marked.map(Time::from),
            marked_by,
        }
    }
}

/// Which files.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct FileQuery {
    /// 1 to 200; 50 if left out.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200)]
    limit: Option<Limit>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// What クラウドログ said of an imported file.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MarkWish {
    /// Numbers of rows that it refused, as it counts them: the header is row 1. Empty: it took all.
    refused_rows: BTreeSet<u32>,
}

/// What was marked.
#[derive(Debug, Serialize, ToSchema)]
pub struct Marked {
    /// Rows that クラウドログ is known to hold now.
    taken: usize,
    /// Rows that go into the next file.
    refused: usize,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/links/{id}/files").route(web::get().to(list_files)),
        resource("/links/{id}/files.zip").route(web::get().to(download_files)),
        resource("/links/{id}/files/{file_id}").route(web::get().to(download_file)),
        resource("/links/{id}/files/{file_id}/mark").route(web::post().to(mark_file)),
    ]
}

/// The link's files, newest first.
#[utoipa::path(get, path = "/api/v1/links/{id}/files", tag = "tenant", params(("id" = String, Path), FileQuery),
    responses((status = 200, body = Page<FileView>)))]
pub(super) async fn list_files(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    query: Query<FileQuery>,
) -> Answer {
    let owner = format!("{}/{id}", caller.tenant);
    let listing = Listing::new(&api.store, "files", &owner, query.0.limit, query.0.cursor);
    let before = listing.after()?.unwrap_or(i64::MAX);
    let rows = within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        Ok(files::page(&api.store.db, &link.id, before, listing.most()).await?)
    });
    Ok(HttpResponse::Ok().json(listing.page(rows.await?, |file| file.id, FileView::from)?))
}

/// One file, as it is to be imported. One that is older than a change of the protected days is not handed out, and made anew.
#[utoipa::path(get, path = "/api/v1/links/{id}/files/{file_id}", tag = "tenant",
    params(("id" = String, Path), ("file_id" = i64, Path)),
    responses((status = 200, content_type = "text/csv", body = String), (status = 409)))]
pub(super) async fn download_file(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (id, number) = path.into_inner();
    let (file, bytes) = within(&api, async {
        let link = own_link(&api, &caller, &id).await?;
        let file = own_file(&api.store.db, &link, &number).await?;
        let bytes = content(&api, &caller, &link, &file).await?;
        Scoped::new(&api, &caller).audit_alone("file.download", &format!("{id}/{number}")).await?;
        Ok((file, bytes))
    })
    .await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "text/csv")).insert_header((CONTENT_DISPOSITION, attachment(&file.name)));
    Ok(answer.body(bytes))
}

/// All files that wait to be imported, in one ZIP.
#[utoipa::path(get, path = "/api/v1/links/{id}/files.zip", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, content_type = "application/zip", body = Vec<u8>), (status = 409)))]
pub(super) async fn download_files(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let today = setup::today_in_tokyo(api.clock.now());
    let zip = within_time(&api, MANY_PEOPLE_TIME, async {
        let link = own_link(&api, &caller, &id).await?;
        let mut all = Vec::new();
        for file in files::open(&api.store.db, &link.id).await? {
            let bytes = content(&api, &caller, &link, &file).await?;
            all.push(made::File {
                name: file.name,
                part: 1,
                parts: 1,
                rows: Vec::new(),
                protection: Fingerprint::from_stored(file.protection),
                bytes,
            });
        }
        if all.is_empty() {
            return Err(ApiError::conflict("no file waits to be imported"));
        }
        Scoped::new(&api, &caller).audit_alone("file.download", &link.id).await?;
        made::archive(&all, today).map_err(|error| {
            tracing::error!(link.id = %link.id, error = %error, "files can not be put into one");
            ApiError::Unavailable
        })
    })
    .await?;
    let mut answer = HttpResponse::Ok();
    answer
        .insert_header((CONTENT_TYPE, "application/zip"))
        .insert_header((CONTENT_DISPOSITION, attachment(&format!("{today}_{id}.zip"))));
    Ok(answer.body(zip))
}

/// Names are our own: dates, ids and numbers.
pub(super) fn attachment(name: &str) -> String {
    format!("attachment; filename=\"{name}\"")
}

async fn own_file(sql: &impl Sql, link: &Link, number: &str) -> Result<FileInfo, ApiError> {
    let number: i64 = number.parse().map_err(|_| ApiError::NotFound)?;
    files::find(sql, &link.id, number).await?.ok_or(ApiError::NotFound)
}

/// What stands in a file, if it may still be handed out (I10).
async fn content(api: &Api, caller: &TenantCaller, link: &Link, file: &FileInfo) -> Result<Vec<u8>, ApiError> {
    let outdated =
        |detail: &str| ApiError::File { code: Code::AttendanceFileOutdated, detail: detail.to_owned(), pointer: None };
    match file.state {
        FileState::Open => {}
        FileState::Superseded => return Err(ApiError::conflict("a newer file holds the rows of this one")),
        FileState::Imported => return Err(ApiError::conflict("the file was imported")),
    }
    let today = setup::today_in_tokyo(api.clock.now());
    let made_with = Fingerprint::from_stored(file.protection.clone());
    let settings = LinkSettings::from_stored(&link.settings);
    if !protection(api, link, settings).await?.allows(&made_with, today) {
        // Time alone may have closed a month: then nobody has asked for a new file yet. Whoever tries again and again asks for one
        // decision.
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, &link.tenant).await?;
        let now = api.store.now_in(&tx).await?;
        links::want_decision(&api.store, &tx, &link.id, now).await?;
        Scoped::new(api, caller).audit(&tx, "file.outdated", &format!("{}/{}", link.id, file.id), now).await?;
        tx.commit().await?;
        api.store.hint();
        return Err(outdated("the protected days changed after the file was made; a new one is made now"));
    }
    let bytes = files::content(&api.store, &api.store.db, file).await?;
    bytes.ok_or_else(|| ApiError::conflict("the file is not kept any more"))
}

pub(super) async fn protection(api: &Api, link: &Link, settings: LinkSettings) -> Result<Protection, ApiError> {
    let listed = protections::of_link(&api.store.db, &link.id).await?;
    let protection = Protection::from_stored(settings.closing, listed.iter().map(ListedDays::days));
    Ok(protection.map_err(|fault| StoreError::Corrupt(fault.to_string()))?)
}

/// 取込済み: marks a file as imported, all of its rows or all but those that クラウドログ refused, which go into the next file.
#[utoipa::path(post, path = "/api/v1/links/{id}/files/{file_id}/mark", tag = "tenant",
    params(("id" = String, Path), ("file_id" = i64, Path)), request_body = MarkWish,
    responses((status = 200, body = Marked), (status = 409)))]
pub(super) async fn mark_file(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
    body: Body<MarkWish>,
) -> Answer {
    let (id, number) = path.into_inner();
    let refused = body.0.refused_rows;
    let marking = if refused.is_empty() { Marking::All } else { Marking::AllBut(refused) };
    let marked = within_time(&api, MANY_PEOPLE_TIME, async {
        let link = own_link(&api, &caller, &id).await?;
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        let file = own_file(&tx, &link, &number).await?;
        let rows = rows(&tx, &file).await?;
        let standing = match file.state {
            FileState::Open => Standing::Open,
            FileState::Imported => Standing::Imported,
            FileState::Superseded => Standing::Superseded,
        };
        let imported = imported::mark(standing, &rows, &marking).map_err(|fault| match fault {
            MarkFault::NoSuchRows(_) => ApiError::invalid("/refused_rows", fault.to_string()),
            MarkFault::Superseded | MarkFault::AlreadyMarked => ApiError::conflict(fault.to_string()),
        })?;
        let now = api.store.now_in(&tx).await?;
        if !files::mark(&tx, file.id, &caller.actor, now).await? {
            return Err(ApiError::conflict("the file is marked already"));
        }
        let days: Vec<String> = imported.held.iter().map(|held| held.day.to_string()).collect();
        let held: Vec<(&str, &str, &str)> = imported
            .held
            .iter()
            .zip(&days)
            .map(|(held, day)| (held.code.as_str(), day.as_str(), held.content.as_str()))
            .collect();
        book::imported(&tx, caller.tenant.as_str(), &held).await?;
        links::want_decision(&api.store, &tx, &link.id, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "file.mark", &format!("{id}/{number}"), now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(Marked { taken: imported.held.len(), refused: imported.refused.len() })
    });
    Ok(HttpResponse::Ok().json(marked.await?))
}

async fn rows(sql: &impl Sql, file: &FileInfo) -> Result<Vec<FileRow>, ApiError> {
    let rows = files::rows(sql, file.id).await?.into_iter().filter_map(|row| {
        Some(FileRow {
            number: u32::try_from(row.number).ok()?,
            code: MemberCode::new(&row.code).ok()?,
            day: row.day.parse().ok()?,
            content: Content::from_stored(row.content),
        })
    });
    Ok(rows.collect())
}
