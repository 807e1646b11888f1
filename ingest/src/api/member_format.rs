//! How クラウドログ's member list is read, where a company's export is not as usual.

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use renkei_attendance::members::{Column, Encoding, Format, Headers};
use renkei_store::attendance::members;
use renkei_store::db::Sql;
use renkei_store::error::StoreError;
use renkei_store::links;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::{Body, still_as_read};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, resource, within};

/// The longest name of a column or word, in characters.
const LONGEST: usize = 100;
/// The most words for one state.
const MOST_WORDS: usize = 20;

/// How a member list is read; what is left out is as usual.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct MemberFormat {
    /// What its columns are called: `code` (社員コード), `name` (名前), `first` (開始日), `last` (終了日), `active` (有効／無効). Width, case and
    /// blanks make no difference.
    #[schema(value_type = Object)]
    headers: Headers,
    /// auto (by its header line), utf8 or cp932.
    #[schema(value_type = String)]
    encoding: Encoding,
    /// What 有効／無効 says of a member who is there.
    active: Vec<String>,
    /// What it says of one who is not.
    inactive: Vec<String>,
}

impl Default for MemberFormat {
    fn default() -> Self {
        let Format { headers, encoding, active, inactive, .. } = Format::default();
        Self { headers, encoding, active, inactive }
    }
}

impl MemberFormat {
    fn check(&self) -> Result<(), ApiError> {
        let sound = |text: &str| {
            !text.trim().is_empty() && text.chars().count() <= LONGEST && !text.chars().any(char::is_control)
        };
        let names = ["code", "name", "first", "last", "active"];
        for (column, name) in Column::ALL.into_iter().zip(names) {
            let text = self.headers.of(column);
            if !sound(text) {
                return Err(ApiError::invalid(&format!("/headers/{name}"), "must have 1 to 100 characters"));
            }
            if Column::ALL.into_iter().any(|other| other < column && self.headers.of(other) == text) {
                return Err(ApiError::invalid(&format!("/headers/{name}"), "is the name of another column, too"));
            }
        }
        for (words, pointer) in [(&self.active, "/active"), (&self.inactive, "/inactive")] {
            if words.is_empty() || words.len() > MOST_WORDS || !words.iter().all(|word| sound(word)) {
                return Err(ApiError::invalid(pointer, "must have 1 to 20 words of 1 to 100 characters"));
            }
        }
        if let Some(both) = self.active.iter().position(|word| self.inactive.contains(word)) {
            return Err(ApiError::invalid(&format!("/active/{both}"), "stands in inactive, too"));
        }
        Ok(())
    }
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/crowdlog/format").route(web::get().to(get_member_format)).route(web::put().to(put_member_format))]
}

/// How the tenant's lists are read.
pub(super) async fn format_of(sql: &impl Sql, tenant: &str) -> Result<(Format, i64), ApiError> {
    let (stored, version) = members::format(sql, tenant).await?;
    let format = match stored {
        Some(text) => serde_json::from_str(&text).map_err(StoreError::from)?,
        None => Format::default(),
    };
    Ok((format, version))
}

fn tag(version: i64) -> String {
    format!("\"f{version}\"")
}

fn answer((format, version): (Format, i64)) -> HttpResponse {
    let Format { headers, encoding, active, inactive, .. } = format;
    let view = MemberFormat { headers, encoding, active, inactive };
    HttpResponse::Ok().insert_header((ETAG, tag(version))).json(view)
}

/// How クラウドログ's member list is read, with its version as `ETag`.
#[utoipa::path(get, path = "/api/v1/crowdlog/format", tag = "tenant", responses((status = 200, body = MemberFormat)))]
pub(super) async fn get_member_format(caller: TenantCaller, api: web::Data<Api>) -> Answer {
    Ok(answer(within(&api, format_of(&api.store.db, caller.tenant.as_str())).await?))
}

/// Says how it is read from the next upload on.
#[utoipa::path(put, path = "/api/v1/crowdlog/format", tag = "tenant",
    params(("If-Match" = String, Header, description = "the ETag that was read")), request_body = MemberFormat,
    responses((status = 200, body = MemberFormat)))]
pub(super) async fn put_member_format(
    caller: TenantCaller,
    api: web::Data<Api>,
    request: HttpRequest,
    body: Body<MemberFormat>,
) -> Answer {
    body.0.check()?;
    let MemberFormat { headers, encoding, active, inactive } = body.0;
    let format = Format { headers, encoding, active, inactive, ..Format::default() };
    let text = serde_json::to_string(&format).map_err(|error| ApiError::from(StoreError::from(error)))?;
    let tenant = caller.tenant.as_str();
    let kept = within(&api, async {
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, tenant).await?;
        let (_, version) = format_of(&tx, tenant).await?;
        still_as_read(&request, &tag(version))?;
        members::set_format(&tx, tenant, &text).await?;
        let now = api.store.now_in(&tx).await?;
        Scoped::new(&api, &caller).audit(&tx, "crowdlog.format", tenant, now).await?;
        tx.commit().await?;
        format_of(&api.store.db, tenant).await
    });
    Ok(answer(kept.await?))
}
