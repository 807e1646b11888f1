//! The simulator over HTTP: the API under `/api/v2.0`, the operator's API under `/admin/`, a page for people at `/`.

use std::net::TcpListener;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, web};
use renkei_runtime::clock::Clock;
use serde_json::json;

use super::machine::Shared;
use super::{admin, page};
use crate::error::SandboxError;
use crate::http::{arrived, serve_with};
use crate::wire::SimRequest;

/// The largest body of the operator's API.
const ADMIN_BODY: usize = 64 * 1024 * 1024;

struct State {
    kaonavi: Shared,
    clock: Arc<dyn Clock>,
}

/// Serves `kaonavi` on `listener` until the server is stopped. Signals are the caller's.
///
/// # Errors
/// [`SandboxError::Io`] when the listener can not be used.
pub fn serve(listener: TcpListener, kaonavi: Shared, clock: Arc<dyn Clock>) -> Result<Server, SandboxError> {
    let state = Data::new(State { kaonavi: kaonavi.clone(), clock: clock.clone() });
    serve_with(listener, kaonavi, clock, "/api/{rest:.*}", move |config| {
        config
            .app_data(state.clone())
            .route("/", web::get().to(people))
            .service(web::resource("/admin/{rest:.*}").to(operator));
    })
}

async fn operator(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let Some(arriving) = arrived(&request, payload, ADMIN_BODY).await else {
        return HttpResponse::BadRequest().finish();
    };
    let mut kaonavi = state.kaonavi.lock().await;
    let (status, body) = match admin::handle(&mut kaonavi, state.clock.now(), &arriving) {
        Ok(answer) => answer,
        Err(error) => (error.status(), json!({ "error": error.to_string() })),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    HttpResponse::build(status).json(body)
}

async fn people(request: HttpRequest, state: Data<State>) -> HttpResponse {
    let asked = SimRequest::new("GET", &format!("/?{}", request.query_string()));
    let html = {
        let mut kaonavi = state.kaonavi.lock().await;
        page::render(&mut kaonavi, state.clock.now(), &asked)
    };
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header(("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'"))
        .insert_header(("X-Content-Type-Options", "nosniff"))
        .body(html)
}
