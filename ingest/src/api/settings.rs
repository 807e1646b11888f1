//! 連携項目 and 連携対象者: two views of the settings, changed under `If-Match`.

use std::collections::{BTreeMap, BTreeSet};

use actix_web::http::header::ETAG;
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use renkei_store::connections::{self, Connection};
use renkei_store::owned::OwnConnection;
use renkei_store::settings::{CustomField, Filter, Settings};
use renkei_store::{accounts, employees};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::input::{Body, still_as_read};
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, resource, within};
use crate::setup;

/// 連携項目: what of a person goes over, and as what.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mapping {
    /// Between 姓 and 名.
    pub name_joiner: String,
    /// The 性別 labels that the source has, those that arrived among them; left out: as before. All have to be in `gender` before
    /// the first activation.
    #[serde(default)]
    pub gender_labels: Option<BTreeSet<String>>,
    /// The source's 性別 → カオナビ's choice; null: do not send.
    pub gender: BTreeMap<String, Option<String>>,
    /// Whether the mail address goes over.
    pub mail: bool,
    /// Whether 退職日 goes over when somebody becomes 退職.
    pub retired_date: bool,
    /// The source's department code → カオナビ's; null: 所属 does not go over.
    pub departments: Option<BTreeMap<String, String>>,
    /// Custom items of カオナビ, `custom:{id}` → what fills them (`from`, and `choices`).
    #[schema(value_type = BTreeMap<String, Object>)]
    pub custom: BTreeMap<String, CustomField>,
    /// Values that a new member gets: `mail`, `custom:412`, …
    pub constants: BTreeMap<String, String>,
    /// Fields that are cleared when the source has no value any more.
    pub clear_when_empty: BTreeSet<String>,
    /// Whether hiragana in readings becomes katakana.
    pub hiragana_to_katakana: bool,
}

impl From<&Connection> for Mapping {
    fn from(connection: &Connection) -> Self {
        let settings = connection.settings.clone();
        Self {
            name_joiner: settings.name_joiner,
            gender_labels: Some(connection.gender_labels()),
            gender: settings.gender,
            mail: settings.mail,
            retired_date: settings.retired_date,
            departments: settings.departments,
            custom: settings.custom,
            constants: settings.constants,
            clear_when_empty: settings.clear_when_empty,
            hiragana_to_katakana: settings.hiragana_to_katakana,
        }
    }
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/connections/{id}/mapping").route(web::get().to(get_mapping)).route(web::put().to(put_mapping)),
        resource("/connections/{id}/filter").route(web::get().to(get_filter)).route(web::put().to(put_filter)),
    ]
}

/// The version of a connection's settings.
pub(super) fn etag(connection: &Connection) -> String {
    format!("\"{}\"", connection.settings_version)
}

/// Changes the settings of a connection, if they still are what the caller saw.
pub(super) async fn change_settings(
    api: &Api,
    caller: &TenantCaller,
    id: &str,
    request: &HttpRequest,
    action: &str,
    change: impl FnOnce(&mut Connection) -> Result<(), ApiError>,
) -> Result<OwnConnection, ApiError> {
    let scoped = Scoped::new(api, caller);
    within(api, async {
        let (tx, own, now) = scoped.change(id, false).await?;
        still_as_read(request, &etag(&own))?;
        let mut connection: Connection = (*own).clone();
        change(&mut connection)?;
        connections::put(&tx, &connection, now).await?;
        if connection.settings != own.settings {
            employees::judge_again(&tx, id, now).await?;
        }
        if let Some(account) = &connection.account {
            accounts::wake(&tx, account, now).await?;
        }
        scoped.audit(&tx, action, id, now).await?;
        tx.commit().await?;
        api.store.hint();
        scoped.connection(id).await
    })
    .await
}

/// 連携項目.
#[utoipa::path(get, path = "/api/v1/connections/{id}/mapping", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = Mapping)))]
pub(super) async fn get_mapping(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let own = within(&api, Scoped::new(&api, &caller).connection(&id)).await?;
    Ok(mapping(&own))
}

fn mapping(own: &OwnConnection) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, etag(own))).json(Mapping::from(&**own))
}

/// Replaces 連携項目.
#[utoipa::path(put, path = "/api/v1/connections/{id}/mapping", tag = "tenant",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    request_body = Mapping, responses((status = 200, body = Mapping)))]
pub(super) async fn put_mapping(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body<Mapping>,
) -> Answer {
    let wanted = body.0;
    let own = change_settings(&api, &caller, &id, &request, "connection.mapping", |connection| {
        setup::clearable(&wanted.clear_when_empty)
            .map_err(|reason| ApiError::InvalidValue { pointer: "/clear_when_empty".to_owned(), reason })?;
        if let Some(unknown) = wanted.custom.keys().find(|item| !setup::is_custom(item)) {
            let reason = format!("{unknown} is not a custom item; write custom: and its number");
            return Err(ApiError::InvalidValue { pointer: "/custom".to_owned(), reason });
        }
        connection.settings = Settings {
            name_joiner: wanted.name_joiner,
            gender_labels: match wanted.gender_labels {
                // What is listed only because it arrived is listed anyhow.
                Some(labels) => {
                    let own = |label: &String| {
                        connection.settings.gender_labels.contains(label) || !connection.gender_seen.contains(label)
                    };
                    labels.into_iter().filter(own).collect()
                }
                None => connection.settings.gender_labels.clone(),
            },
            gender: wanted.gender,
            mail: wanted.mail,
            retired_date: wanted.retired_date,
            departments: wanted.departments,
            custom: wanted.custom,
            constants: wanted.constants,
            clear_when_empty: wanted.clear_when_empty,
            hiragana_to_katakana: wanted.hiragana_to_katakana,
            ..connection.settings.clone()
        };
        Ok(())
    });
    Ok(mapping(&own.await?))
}

/// 連携対象者.
#[utoipa::path(get, path = "/api/v1/connections/{id}/filter", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = FilterForm)))]
pub(super) async fn get_filter(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let own = within(&api, Scoped::new(&api, &caller).connection(&id)).await?;
    Ok(filter(&own))
}

fn filter(own: &OwnConnection) -> HttpResponse {
    HttpResponse::Ok().insert_header((ETAG, etag(own))).json(&own.settings.filter)
}

/// Replaces 連携対象者.
#[utoipa::path(put, path = "/api/v1/connections/{id}/filter", tag = "tenant",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    request_body = FilterForm, responses((status = 200, body = FilterForm)))]
pub(super) async fn put_filter(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body<Filter>,
) -> Answer {
    let own = change_settings(&api, &caller, &id, &request, "connection.filter", |connection| {
        connection.settings.filter = body.0;
        Ok(())
    });
    Ok(filter(&own.await?))
}

/// How a filter is written: 連携対象者, conditions that must all hold.
#[derive(Debug, ToSchema)]
#[schema(as = Filter)]
#[expect(dead_code, reason = "it only describes the store's own type")]
pub struct FilterForm {
    /// 雇用形態, any of; empty: no condition.
    #[schema(required = false)]
    employment_types: Vec<String>,
    /// 従業員ステータス, any of; empty: no condition.
    #[schema(required = false)]
    statuses: Vec<String>,
    /// 部署 by the source's code, any of; empty: no condition.
    #[schema(required = false)]
    departments: Vec<String>,
    /// 社員番号, any of; empty: no condition.
    #[schema(required = false)]
    employee_numbers: Vec<String>,
    /// 入社日.
    #[schema(required = false)]
    hire_date: HireDateForm,
}

/// Conditions on 入社日.
#[derive(Debug, ToSchema)]
#[schema(as = HireDate)]
#[expect(dead_code, reason = "it only describes the store's own type")]
pub struct HireDateForm {
    /// On this day or later.
    #[schema(value_type = Option<String>, format = Date)]
    on_or_after: Option<String>,
    /// On this day or earlier.
    #[schema(value_type = Option<String>, format = Date)]
    on_or_before: Option<String>,
    /// Around the day of judging in Asia/Tokyo.
    within: Option<WithinForm>,
}

/// From so many days before today to so many days after.
#[derive(Debug, ToSchema)]
#[schema(as = Within)]
#[expect(dead_code, reason = "it only describes the store's own type")]
pub struct WithinForm {
    /// Days before today.
    days_before: u32,
    /// Days after today.
    days_after: u32,
}
