//! クラウドログ's member list, as an administrator exports it there.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse, Resource, web};
use futures::StreamExt as _;
use jiff::ToSpan as _;
use jiff::civil::Date;
use renkei_attendance::codes::Code as MemberCode;
use renkei_attendance::matching::{AtSource, Matching};
use renkei_attendance::members::{self as list, List, Member, Refusal};
use renkei_attendance::window::MOST_DAYS;
use renkei_events::codes::Code;
use renkei_store::attendance::members::{self, ListInfo, ListedMember};
use renkei_store::attendance::shared_codes;
use renkei_store::db::Sql;
use renkei_store::links::{self, Link};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::csv::{announced, too_large};
use super::member_format::format_of;
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, MANY_PEOPLE_TIME, Time, resource, within, within_time};
use crate::setup;

/// A list of 50,000 members with all its other columns fits.
const LARGEST: u64 = 32 * 1024 * 1024;
/// How long a list may take to come.
const FILE_TIME: Duration = Duration::from_secs(60);
/// How many rows or codes of each kind are named.
const NAMED: usize = 200;

/// The list that is in use.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberListView {
    /// When it was uploaded; null: there is none, and no file of attendance is made.
    made: Option<Time>,
    /// By whom.
    by: Option<String>,
    /// How many codes it has.
    members: i64,
    /// Whether a new export is needed because there is none, or it is over 30 days old. Of codes that are missing in it
    /// `/links/{id}/matching` tells.
    new_list_wanted: bool,
}

impl MemberListView {
    fn new(info: Option<ListInfo>, today: Date) -> Self {
        let new_list_wanted = is_old_or_missing(info.as_ref(), today);
        let members = info.as_ref().map_or(0, |info| info.members);
        let (made, by) = info.map(|info| (info.made.into(), info.actor)).unzip();
        Self { made, by, members, new_list_wanted }
    }
}

/// Whether there is no list, or one that is too old.
pub(super) fn is_old_or_missing(info: Option<&ListInfo>, today: Date) -> bool {
    info.is_none_or(|info| list::is_old(setup::today_in_tokyo(info.made), today))
}

/// A row of the list that was not taken.
#[derive(Debug, Serialize, ToSchema)]
pub struct RowFault {
    /// The line; the header is line 1.
    line: u64,
    /// The column; null: the row as such.
    column: Option<String>,
    /// What it is: cell_count, open_quote, no_code, encoding, date, period_reversed or active.
    kind: &'static str,
    /// The same for people.
    text_ja: &'static str,
}

/// What came of an upload. No name and no other value of a row is repeated; of each list 200 at most are named.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberListReport {
    /// How many members were taken.
    members: usize,
    /// utf8 or cp932.
    #[schema(value_type = String)]
    encoding: list::Encoding,
    /// Columns that the list does not have.
    #[schema(value_type = Vec<String>)]
    missing_columns: Vec<list::Column>,
    /// Rows that were not taken.
    faults: Vec<RowFault>,
    /// Codes that several lines have: they match nobody.
    doubles: Vec<String>,
    /// Codes of the attendance source that the list does not have.
    only_source: Vec<String>,
    /// Codes of the list of which the source has no days.
    only_destination: Vec<String>,
    /// Codes that differ in width, case, blanks or zeros in front only: at the source, and in the list.
    near: Vec<NearCodes>,
    /// Whether the list was most likely saved in a spreadsheet, which drops zeros in front or makes powers of ten of long numbers:
    /// then the export is needed as it came.
    saved_in_spreadsheet: bool,
}

/// Codes that look alike and are not the same.
#[derive(Debug, Serialize, ToSchema)]
pub struct NearCodes {
    /// As the source has them.
    source: Vec<String>,
    /// As the list has them.
    destination: Vec<String>,
}

impl NearCodes {
    pub(super) fn new(source: Vec<String>, destination: Vec<String>) -> Self {
        Self { source, destination }
    }
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/crowdlog/members").route(web::get().to(get_member_list)).route(web::put().to(put_member_list))]
}

/// The member list that is in use.
#[utoipa::path(get, path = "/api/v1/crowdlog/members", tag = "tenant", responses((status = 200, body = MemberListView)))]
pub(super) async fn get_member_list(caller: TenantCaller, api: web::Data<Api>) -> Answer {
    let info = within(&api, async { Ok(members::info(&api.store.db, caller.tenant.as_str()).await?) });
    Ok(HttpResponse::Ok().json(MemberListView::new(info.await?, setup::today_in_tokyo(api.clock.now()))))
}

/// Puts クラウドログ's member list in the place of the one before. Five columns are read (社員コード, 名前, 開始日, 終了日, 有効／無効, or as
/// `/crowdlog/format` calls them); what
/// else stands in it is never kept. All days of the window are decided about anew.
#[utoipa::path(put, path = "/api/v1/crowdlog/members", tag = "tenant",
    request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = MemberListReport)))]
pub(super) async fn put_member_list(
    caller: TenantCaller,
    api: web::Data<Api>,
    request: HttpRequest,
    payload: web::Payload,
) -> Answer {
    announced(request.headers(), LARGEST)?;
    let bytes = received(&api, payload).await?;
    let today = setup::today_in_tokyo(api.clock.now());
    let (format, _) = within(&api, format_of(&api.store.db, caller.tenant.as_str())).await?;
    let read = tokio::task::spawn_blocking(move || list::read(&bytes, &format, today)).await;
    let list = read.map_err(|_| ApiError::Unavailable)?.map_err(refused)?;
    let scoped = Scoped::new(&api, &caller);
    let tenant = caller.tenant.as_str();
    let report = within_time(&api, MANY_PEOPLE_TIME, async {
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, tenant).await?;
        let now = api.store.now_in(&tx).await?;
        members::replace(&api.store, &tx, tenant, &by_code(&list.members), &caller.actor, now).await?;
        let mut people = Vec::new();
        for link in links::of_tenant(&api.store, &tx, tenant).await? {
            links::want_decision(&api.store, &tx, &link.id, now).await?;
            people.extend(people_of(&tx, &link, today).await?);
        }
        scoped.audit(&tx, "crowdlog.members", tenant, now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(report(&list, &people))
    });
    Ok(HttpResponse::Ok().json(report.await?))
}

/// Whom a link brought a day of in the last 40 days, and who shares a code.
pub(super) async fn people_of(sql: &impl Sql, link: &Link, today: Date) -> Result<Vec<AtSource>, ApiError> {
    let first = today.saturating_sub(MOST_DAYS.days()).to_string();
    let people = shared_codes::people_with_book(sql, link, (&first, &today.to_string())).await?;
    Ok(AtSource::from_stored(&link.id, people))
}

/// The members of the list that is in use, one for each line.
pub(super) async fn listed_members(sql: &impl Sql, tenant: &str) -> Result<Vec<Member>, ApiError> {
    let listed = members::all(sql, tenant).await?;
    let lines = listed.iter().flat_map(|one| {
        let days = (one.first.as_deref(), one.last.as_deref());
        Member::from_stored(&one.code, &one.own_text, days, one.active, &one.lines)
    });
    Ok(lines.collect())
}

async fn received(api: &Api, mut payload: web::Payload) -> Result<Vec<u8>, ApiError> {
    let cut_off =
        || ApiError::File { code: Code::CsvCutOff, detail: "the file did not come whole".to_owned(), pointer: None };
    let mut too_late = api.clock.sleep(FILE_TIME);
    let mut bytes: Vec<u8> = Vec::new();
    loop {
        let piece = tokio::select! {
            piece = payload.next() => piece,
            () = &mut too_late => return Err(cut_off()),
        };
        match piece {
            None => return Ok(bytes),
            Some(Ok(piece)) if (bytes.len() + piece.len()) as u64 > LARGEST => return Err(too_large(LARGEST)),
            Some(Ok(piece)) => bytes.extend_from_slice(&piece),
            Some(Err(_)) => return Err(cut_off()),
        }
    }
}

fn refused(refusal: Refusal) -> ApiError {
    let code = match refusal {
        Refusal::NotText => Code::CsvNotText,
        Refusal::Empty => Code::CsvEmpty,
        Refusal::NoCodeColumn(_) => Code::CsvHeaderUnknown,
        Refusal::ColumnTwice(_) => Code::CsvColumnTwice,
        Refusal::TooManyRows(_) => Code::CsvTooManyRows,
    };
    ApiError::File { code, detail: refusal.to_string(), pointer: None }
}

/// Each code once, with the lines where it stands.
fn by_code(members: &[Member]) -> Vec<ListedMember> {
    let mut listed: BTreeMap<&MemberCode, ListedMember> = BTreeMap::new();
    for member in members {
        let fresh = || ListedMember {
            code: member.code.to_string(),
            own_text: member.own_text.clone(),
            name: member.name.as_ref().map(|name| name.expose().to_owned()),
            first: member.first.map(|day| day.to_string()),
            last: member.last.map(|day| day.to_string()),
            active: member.active,
            lines: Vec::new(),
        };
        listed.entry(&member.code).or_insert_with(fresh).lines.push(member.line);
    }
    listed.into_values().collect()
}

fn report(list: &List, people: &[AtSource]) -> MemberListReport {
    let matching = Matching::new(people, &list.members);
    let texts = |codes: &[MemberCode]| codes.iter().take(NAMED).map(MemberCode::to_string).collect::<Vec<_>>();
    let doubles = matching.doubles_at_destination.iter().take(NAMED).map(|double| double.code.to_string());
    let near =
        matching.near.iter().take(NAMED).map(|near| NearCodes::new(texts(&near.source), texts(&near.destination)));
    let faults = list.faults.iter().take(NAMED).map(|fault| RowFault {
        line: fault.line,
        column: fault.column.clone(),
        kind: fault.kind.code(),
        text_ja: fault.kind.ja(),
    });
    MemberListReport {
        members: list.members.len(),
        encoding: list.encoding,
        missing_columns: list.missing.clone(),
        faults: faults.collect(),
        doubles: doubles.collect(),
        only_source: texts(&matching.only_source),
        only_destination: texts(&matching.only_destination),
        near: near.collect(),
        saved_in_spreadsheet: list::advice(list, list.made, &matching)
            .iter()
            .any(|advice| matches!(advice, list::Advice::SavedInExcel { .. })),
    }
}
