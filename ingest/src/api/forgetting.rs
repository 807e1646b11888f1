//! Deleting one person.

use actix_web::{HttpResponse, Resource, web};
use renkei_attendance::codes::Code as MemberCode;
use renkei_store::db::Tx;
use renkei_store::forgotten::{self, Gone, Person};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::TenantCaller;
use super::problem::ApiError;
use super::scoped::Scoped;
use super::{Answer, Api, MANY_PEOPLE_TIME, resource, within_time};
use crate::setup;

/// What was deleted. On the log records go by their age; カオナビ and クラウドログ are not touched.
#[derive(Debug, Serialize, ToSchema)]
pub struct Forgotten {
    /// Records of employees.
    records: u64,
    /// Entries of the history of changes.
    history: u64,
    /// Days of attendance, with what they were before.
    days: u64,
    /// Files of attendance in which the person stood; those that wait are made anew.
    files: u64,
    /// Items of 手入力が必要な日.
    handwork: u64,
    /// Lines of the lists of runs.
    lists: u64,
    /// Whether the 社員番号 is another person's by now, so that the days under it were left.
    number_in_use: bool,
}

impl From<Gone> for Forgotten {
    fn from(gone: Gone) -> Self {
        let Gone { records, history, days, files, handwork, lists, number_in_use } = gone;
        Self { records, history, days, files, handwork, lists, number_in_use }
    }
}

pub(super) fn resources() -> Vec<Resource> {
    vec![resource("/crowdlog/people/{code}").route(web::delete().to(forget_code))]
}

/// Deletes one person: the record, its history, what is parked or held, and the attendance under the same 社員番号. What was said
/// of the person before does not come back; what a source says later is taken.
#[utoipa::path(delete, path = "/api/v1/employees/{connection}/{employee_id}", tag = "tenant",
    params(("connection" = String, Path), ("employee_id" = String, Path)),
    responses((status = 200, body = Forgotten), (status = 409)))]
pub(super) async fn forget_employee(
    caller: TenantCaller,
    api: web::Data<Api>,
    path: web::Path<(String, String)>,
) -> Answer {
    let (connection, employee) = path.into_inner();
    let today = setup::today_in_tokyo(api.clock.now()).to_string();
    let gone = within_time(&api, MANY_PEOPLE_TIME, async {
        let scoped = Scoped::new(&api, &caller);
        scoped.connection(&connection).await?;
        let tx = api.store.begin().await?;
        let person = Person { tenant: caller.tenant.as_str(), connection: &connection, employee: &employee };
        let gone = forgotten::forget_person(&api.store, &tx, person, &today).await?.ok_or(ApiError::NotFound)?;
        end(&api, &scoped, tx, &connection).await?;
        Ok(gone)
    });
    Ok(HttpResponse::Ok().json(Forgotten::from(gone.await?)))
}

/// Deletes the attendance of one person by 社員コード, for companies that bring attendance alone.
#[utoipa::path(delete, path = "/api/v1/crowdlog/people/{code}", tag = "tenant", params(("code" = String, Path)),
    responses((status = 200, body = Forgotten), (status = 409)))]
pub(super) async fn forget_code(caller: TenantCaller, api: web::Data<Api>, code: web::Path<String>) -> Answer {
    let code = MemberCode::new(&code).map_err(|_| ApiError::NotFound)?;
    let today = setup::today_in_tokyo(api.clock.now()).to_string();
    let gone = within_time(&api, MANY_PEOPLE_TIME, async {
        let scoped = Scoped::new(&api, &caller);
        let tx = api.store.begin().await?;
        let tenant = caller.tenant.as_str();
        let gone = forgotten::forget_code(&api.store, &tx, tenant, code.as_str(), &today).await?;
        if gone == Gone::default() {
            return Err(ApiError::NotFound);
        }
        end(&api, &scoped, tx, tenant).await?;
        Ok(gone)
    });
    Ok(HttpResponse::Ok().json(Forgotten::from(gone.await?)))
}

/// The audit says that somebody was deleted, and not who.
async fn end(api: &Api, scoped: &Scoped<'_>, tx: Tx, target: &str) -> Result<(), ApiError> {
    let now = api.store.now_in(&tx).await?;
    scoped.audit(&tx, "person.delete", target, now).await?;
    tx.commit().await?;
    api.store.hint();
    Ok(())
}
