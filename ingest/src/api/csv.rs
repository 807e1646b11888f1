//! Employees by CSV, and how the columns of a connection's files are called.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderMap};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use futures::StreamExt as _;
use jiff::Timestamp;
use renkei_events::codes::Code;
use renkei_events::csv::{Columns, Constants, Field, LARGEST_FILE_BYTES, Refusal};
use renkei_events::record::{DataEntryState, EmployeeStatus};
use renkei_runtime::clock::Clock;
use renkei_store::owned::OwnConnection;
use renkei_store::uploads::Mode;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::{IntoParams, ToSchema};

use super::caller::TenantCaller;
use super::input::{Body, Query};
use super::problem::ApiError;
use super::scoped::{Scoped, refuse_ended};
use super::settings::{change_settings, etag};
use super::{Answer, Api, resource, within, within_time};
use crate::upload::{File, Options, Report, Uploader};
use crate::webhook::Gate;

/// How long a file may take to come.
const FILE_TIME: Duration = Duration::from_secs(120);
/// How long the rows of a file may take on their way to the log.
const TAKE_TIME: Duration = Duration::from_secs(300);
/// How long an upload waits for others that this process works on.
const TURN_TIME: Duration = Duration::from_secs(20);
/// How many pieces of a file wait to be read.
const PIECES: usize = 8;

/// What becomes of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum UploadMode {
    /// They are stored, and nothing of them is written to カオナビ.
    Baseline,
    /// They are stored; what カオナビ would get is previewed and goes out when somebody confirms it.
    SendDifferences,
    /// What differs from what is known goes out.
    Send,
}

impl From<UploadMode> for Mode {
    fn from(mode: UploadMode) -> Self {
        match mode {
            UploadMode::Baseline => Mode::Baseline,
            UploadMode::SendDifferences => Mode::SendDifferences,
            UploadMode::Send => Mode::Send,
        }
    }
}

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
enum YesNo {
    #[serde(rename = "true", alias = "1")]
    Yes,
    #[serde(rename = "false", alias = "0")]
    No,
}

/// What is decided with an upload.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ImportQuery {
    /// baseline, send_differences or send. Left out, the first upload of a connection is a baseline and later ones are sent;
    /// the first can not be sent unseen.
    #[param(value_type = Option<UploadMode>, inline)]
    mode: Option<UploadMode>,
    /// 従業員ステータス of people of whom neither the file nor anything before says it: 在籍, 休職, 内定, 応募者, 退職, or the code.
    employee_status: Option<String>,
    /// 状況 of such people: データ入力完了, データ入力中, 確認待ち, 招待中, 未招待, or the code.
    data_entry_state: Option<String>,
    /// Only tell what would come of it. Also as 1.
    #[param(value_type = Option<bool>)]
    dry_run: Option<YesNo>,
}

impl ImportQuery {
    fn options(self) -> Result<Options, ApiError> {
        Ok(Options {
            mode: self.mode.map(Mode::from),
            constants: Constants {
                employee_status: self.employee_status.map(|text| status(&text)).transpose()?,
                data_entry_state: self.data_entry_state.map(|text| state(&text)).transpose()?,
            },
            dry_run: self.dry_run == Some(YesNo::Yes),
        })
    }
}

fn status(text: &str) -> Result<EmployeeStatus, ApiError> {
    crate::upload::status(text).map_err(|reason| ApiError::invalid("/employee_status", reason))
}

fn state(text: &str) -> Result<DataEntryState, ApiError> {
    crate::upload::state(text).map_err(|reason| ApiError::invalid("/data_entry_state", reason))
}

/// How columns are called beside the usual names.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CsvColumns {
    /// Name in the file → field, such as employee_number; null: pass it over.
    #[schema(value_type = BTreeMap<String, Option<String>>)]
    columns: BTreeMap<String, Option<Field>>,
}

pub(super) fn resources() -> Vec<Resource> {
    vec![
        resource("/connections/{id}/employees/csv").route(web::post().to(import_employees)),
        resource("/connections/{id}/csv-columns")
            .route(web::get().to(get_csv_columns))
            .route(web::put().to(put_csv_columns)),
    ]
}

/// Takes a file of employees: at most 50,000 rows and 64 MiB. Good rows are taken, and the report names the others by line,
/// column and code. Rows that say what is known already change nothing, so a file may be sent again.
#[utoipa::path(post, path = "/api/v1/connections/{id}/employees/csv", tag = "tenant",
    params(("id" = String, Path), ImportQuery), request_body(content = String, content_type = "text/csv"),
    responses((status = 200, body = Report), (status = 409)))]
pub(super) async fn import_employees(
    caller: TenantCaller,
    api: web::Data<Api>,
    gate: web::Data<Gate>,
    id: web::Path<String>,
    query: Query<ImportQuery>,
    request: HttpRequest,
    payload: web::Payload,
) -> Answer {
    let options = query.0.options()?;
    let own = within(&api, Scoped::new(&api, &caller).connection(&id)).await?;
    refuse_ended(&own)?;
    announced(request.headers(), LARGEST_FILE_BYTES)?;
    // Each holds up to 50,000 records.
    let _turn = tokio::select! {
        turn = api.uploads.acquire() => turn.map_err(|_| ApiError::Unavailable)?,
        () = gate.clock.sleep(TURN_TIME) => return Err(ApiError::Unavailable),
    };
    let received_at = gate.clock.now().timestamp();
    let file = receive(payload, gate.clock.as_ref(), &own, received_at).await?;
    let uploader = Uploader { store: &api.store, log: gate.log.as_ref(), random: &*gate.random, actor: &caller.actor };
    let report = within_time(&api, TAKE_TIME, async { Ok(uploader.take(&own, file, &options, received_at).await?) });
    Ok(HttpResponse::Ok().json(report.await?))
}

/// Whether a file of at most `largest` bytes is announced.
///
/// # Errors
/// `csv.media_type` and `csv.too_large`.
pub(super) fn announced(headers: &HeaderMap, largest: u64) -> Result<(), ApiError> {
    if !is_csv(headers) {
        let detail = "the body must be text/csv without content encoding".to_owned();
        return Err(ApiError::File { code: Code::CsvMediaType, detail, pointer: None });
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > largest) { Err(too_large(largest)) } else { Ok(()) }
}

fn is_csv(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE);
    let (Some(value), None) = (values.next(), values.next()) else { return false };
    let kind = value.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/csv") && !headers.contains_key(CONTENT_ENCODING)
}

/// A file of over `largest` bytes.
pub(super) fn too_large(largest: u64) -> ApiError {
    let detail = format!("the file is over {} MiB", largest / 1024 / 1024);
    ApiError::File { code: Code::CsvTooLarge, detail, pointer: None }
}

/// Reads a file while it comes, in pieces: what is not needed of it is never kept.
async fn receive(
    mut payload: web::Payload,
    clock: &dyn Clock,
    own: &OwnConnection,
    received_at: Timestamp,
) -> Result<File, ApiError> {
    let columns = Columns::new(&own.settings.csv_columns);
    let (pieces, waiting) = mpsc::channel(PIECES);
    let reading = tokio::task::spawn_blocking(move || {
        File::read(Pieces { waiting, piece: web::Bytes::new() }, &columns, received_at)
    });
    let mut too_late = clock.sleep(FILE_TIME);
    let (mut length, mut pieces) = (0_u64, Some(pieces));
    loop {
        let piece = tokio::select! {
            piece = payload.next() => piece,
            () = &mut too_late => return Err(Refusal::CutOff.into()),
        };
        let piece = match piece {
            None => break,
            Some(Ok(piece)) => piece,
            Some(Err(PayloadError::Overflow)) => return Err(too_large(LARGEST_FILE_BYTES)),
            Some(Err(_)) => return Err(Refusal::CutOff.into()),
        };
        length += piece.len() as u64;
        if length > LARGEST_FILE_BYTES {
            return Err(too_large(LARGEST_FILE_BYTES));
        }
        // A file that was refused is still received to its end, or the caller would see a broken connection and no answer.
        let refused = match &pieces {
            Some(pieces) => pieces.send(piece).await.is_err(),
            None => false,
        };
        if refused {
            pieces = None;
        }
    }
    drop(pieces);
    Ok(reading.await.map_err(|_| ApiError::Unavailable)??)
}

/// The pieces of a body, as they come, for a reader that waits.
struct Pieces {
    waiting: mpsc::Receiver<web::Bytes>,
    piece: web::Bytes,
}

impl io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.waiting.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

/// How the columns of a connection's files are called.
#[utoipa::path(get, path = "/api/v1/connections/{id}/csv-columns", tag = "tenant", params(("id" = String, Path)),
    responses((status = 200, body = CsvColumns)))]
pub(super) async fn get_csv_columns(caller: TenantCaller, api: web::Data<Api>, id: web::Path<String>) -> Answer {
    let own = within(&api, Scoped::new(&api, &caller).connection(&id)).await?;
    Ok(columns(&own))
}

fn columns(own: &OwnConnection) -> HttpResponse {
    let columns = CsvColumns { columns: own.settings.csv_columns.clone() };
    HttpResponse::Ok().insert_header((ETAG, etag(own))).json(columns)
}

/// Replaces the names of columns beside the usual ones.
#[utoipa::path(put, path = "/api/v1/connections/{id}/csv-columns", tag = "tenant",
    params(("id" = String, Path), ("If-Match" = String, Header, description = "the ETag that was read")),
    request_body = CsvColumns, responses((status = 200, body = CsvColumns)))]
pub(super) async fn put_csv_columns(
    caller: TenantCaller,
    api: web::Data<Api>,
    id: web::Path<String>,
    request: HttpRequest,
    body: Body<CsvColumns>,
) -> Answer {
    let own = change_settings(&api, &caller, &id, &request, "connection.csv_columns", |connection| {
        crate::upload::sound_names(&body.0.columns).map_err(|reason| ApiError::invalid("/columns", reason))?;
        connection.settings.csv_columns = body.0.columns;
        Ok(())
    });
    Ok(columns(&own.await?))
}
