//! Two rows with which an administrator finds out whether クラウドログ takes times past midnight.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::{HttpResponse, Resource, web};
use jiff::civil::Date;
use renkei_attendance::codes::Code as MemberCode;
use renkei_attendance::files::{Naming, Row, Sample, trial};
use renkei_attendance::members::Member;
use renkei_attendance::settings::LinkSettings;
use renkei_store::attendance::book;
use renkei_store::links;
use serde::Deserialize;
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::crowdlog::listed_members;
use super::files::{attachment, protection};
use super::input::{Body, date};
use super::links::own_link;
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, MANY_PEOPLE_TIME, resource, within_time};
use crate::setup;

/// Whose days are to be tried with. What クラウドログ holds on them is overwritten by the import; the days themselves go into the
/// next file again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TestWish {
    /// 社員コード of a member of クラウドログ.
    code: String,
    /// The day that gets 09:00 to 18:00, `YYYY-MM-DD`.
    ordinary_day: String,
    /// The day that gets 22:00 to 25:30.
    past_midnight_day: String,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/links/{id}/test-file").route(web::post().to(make_test_file))]
}

/// Makes a file of two rows: an ordinary day, and one past midnight. If クラウドログ refuses row 3, set `past_midnight` of the link
/// to skip.
#[utoipa::path(post, path = "/api/v1/links/{id}/test-file", tag = "tenant", params(("id" = String, Path)),
    request_body = TestWish,
    responses((status = 200, content_type = "text/csv", body = String), (status = 409)))]
pub(super) async fn make_test_file(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    body: Body<TestWish>,
) -> Answer {
    let code = MemberCode::new(&body.0.code).map_err(|fault| ApiError::invalid("/code", fault.to_string()))?;
    let ordinary = date("/ordinary_day", &body.0.ordinary_day)?;
    let night = date("/past_midnight_day", &body.0.past_midnight_day)?;
    if ordinary == night {
        return Err(ApiError::invalid("/past_midnight_day", "is the same as the ordinary day"));
    }
    let today = setup::today_in_tokyo(api.clock.now());
    let file = within_time(&api, MANY_PEOPLE_TIME, async {
        let link = own_link(&api, &caller, &id).await?;
        let settings = LinkSettings::from_stored(&link.settings);
        let protection = protection(&api, &link, settings.clone()).await?;
        let stated = protection.stated(today).map_err(|fault| ApiError::conflict(fault.to_string()))?;
        let member = member(&api, &caller, &code).await?;
        for (day, pointer) in [(ordinary, "/ordinary_day"), (night, "/past_midnight_day")] {
            if !member.is_there_on(day) {
                return Err(ApiError::invalid(pointer, "the member is not there on this day"));
            }
        }
        let row = |day: Date, sample| {
            Row::sample(&member, day, sample, |row| api.store.keys.hash("attendance_row", &[row]))
                .map_err(|_| ApiError::Unavailable)
        };
        let naming = Naming { made: today, link: link.id.clone(), before: 0 };
        let rows = (row(ordinary, Sample::Ordinary)?, row(night, Sample::PastMidnight)?);
        let file = trial(&rows.0, &rows.1, &settings.files, &naming, &stated)
            .map_err(|fault| ApiError::conflict(fault.to_string()))?;
        let tx = api.store.begin().await?;
        links::lock_tenant(&tx, caller.tenant.as_str()).await?;
        let now = api.store.now_in(&tx).await?;
        let days = [ordinary.to_string(), night.to_string()];
        book::force_days(&tx, caller.tenant.as_str(), code.as_str(), [&days[0], &days[1]]).await?;
        links::want_decision(&api.store, &tx, &link.id, now).await?;
        Scoped::new(&api, &caller).audit(&tx, "file.test", &link.id, now).await?;
        tx.commit().await?;
        api.store.hint();
        Ok(file)
    })
    .await?;
    let mut answer = HttpResponse::Ok();
    answer.insert_header((CONTENT_TYPE, "text/csv")).insert_header((CONTENT_DISPOSITION, attachment(&file.name)));
    Ok(answer.body(file.bytes))
}

/// The member of this code and no other.
async fn member(api: &Api, caller: &TenantCaller, code: &MemberCode) -> Result<Member, ApiError> {
    let mut lines = listed_members(&api.store.db, caller.tenant.as_str()).await?;
    lines.retain(|member| member.code == *code);
    match (lines.pop(), lines.is_empty()) {
        (Some(member), true) => Ok(member),
        (Some(_), false) => Err(ApiError::invalid("/code", "several members have it")),
        (None, _) => Err(ApiError::invalid("/code", "is no member of クラウドログ, by the list that was uploaded")),
    }
}
