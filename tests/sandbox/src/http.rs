//! A machine over HTTP.

use std::any::Any;
use std::net::TcpListener;
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data, Payload, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use futures::StreamExt as _;
use renkei_runtime::clock::Clock;

use crate::error::SandboxError;
use crate::machine::SharedMachine;
use crate::wire::{Answer, SimRequest, SimResponse};

/// What is still read of a body that is over the limit, so that the caller gets to see the refusal.
const DRAINED: usize = 512 * 1024 * 1024;
/// Into how many pieces a slow body is cut.
const SLOW_PIECES: usize = 20;
/// Every path.
const EVERYTHING: &str = "/{rest:.*}";

struct State {
    machine: SharedMachine,
    clock: Arc<dyn Clock>,
}

/// The socket beneath a request, so that it can be cut.
struct Wire(std::net::TcpStream);

/// Serves `machine` on `listener`, whatever the path, until the server is stopped. Signals are the caller's.
///
/// # Errors
/// [`SandboxError::Io`] when the listener can not be used.
pub fn serve(listener: TcpListener, machine: SharedMachine, clock: Arc<dyn Clock>) -> Result<Server, SandboxError> {
    serve_with(listener, machine, clock, EVERYTHING, |_| {})
}

/// Serves `machine` under `paths` (a pattern of actix-web, such as `/api/{rest:.*}`) and what `others` adds beside it;
/// the others come first.
///
/// # Errors
/// [`SandboxError::Io`] when the listener can not be used.
pub fn serve_with(
    listener: TcpListener,
    machine: SharedMachine,
    clock: Arc<dyn Clock>,
    paths: &'static str,
    others: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<Server, SandboxError> {
    let state = Data::new(State { machine, clock });
    let server = HttpServer::new(move || {
        App::new().app_data(state.clone()).configure(others.clone()).service(web::resource(paths).to(answer))
    })
    .on_connect(remember_wire)
    .workers(2)
    .backlog(4096)
    .max_connections(20_000)
    .keep_alive(Duration::from_secs(75))
    .shutdown_timeout(1)
    .disable_signals()
    .listen(listener)
    .map_err(|error| SandboxError::io("listen", error))?;
    Ok(server.run())
}

fn remember_wire(connection: &dyn Any, data: &mut Extensions) {
    if let Some(stream) = connection.downcast_ref::<actix_web::rt::net::TcpStream>()
        && let Ok(twin) = stream.as_fd().try_clone_to_owned()
    {
        data.insert(Wire(std::net::TcpStream::from(twin)));
    }
}

/// The request as the state machine wants it, its body cut off one byte behind `limit`. `None` when the caller broke off.
pub(crate) async fn arrived(request: &HttpRequest, mut payload: Payload, limit: usize) -> Option<SimRequest> {
    let mut body = Vec::new();
    let mut read = 0_usize;
    while let Some(piece) = payload.next().await {
        let piece = piece.ok()?;
        read += piece.len();
        let room = (limit + 1).saturating_sub(body.len());
        body.extend_from_slice(&piece[..piece.len().min(room)]);
        if read > limit.saturating_add(DRAINED) {
            break;
        }
    }
    let headers = request.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Some(SimRequest {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        query: request.query_string().to_owned(),
        headers: headers.collect(),
        body,
    })
}

async fn answer(request: HttpRequest, payload: Payload, state: Data<State>) -> HttpResponse {
    let limit = state.machine.lock().await.max_body();
    let Some(arriving) = arrived(&request, payload, limit).await else {
        return HttpResponse::BadRequest().finish();
    };
    let late = state.machine.lock().await.arrival_delay(&arriving);
    sleep(&*state.clock, late).await;
    let response = {
        let mut machine = state.machine.lock().await;
        machine.handle(state.clock.now(), arriving)
    };
    match response {
        SimResponse::Answer(answer) => {
            sleep(&*state.clock, answer.delay).await;
            answered(answer, &state.clock)
        }
        SimResponse::Reset { delay } => {
            sleep(&*state.clock, delay).await;
            if let Some(wire) = request.conn_data::<Wire>() {
                // Failing means that the caller has gone already.
                let _ = wire.0.shutdown(std::net::Shutdown::Both);
            }
            HttpResponse::InternalServerError().force_close().finish()
        }
    }
}

async fn sleep(clock: &dyn Clock, virtual_length: Duration) {
    if !virtual_length.is_zero() {
        clock.sleep(clock.shrunk(virtual_length)).await;
    }
}

fn answered(answer: Answer, clock: &Arc<dyn Clock>) -> HttpResponse {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut builder = HttpResponse::build(status);
    for (name, value) in answer.headers_out(clock.now()) {
        builder.append_header((name, value));
    }
    if answer.body_over.is_zero() {
        return builder.body(answer.body);
    }
    let pause = clock.shrunk(answer.body_over) / u32::try_from(SLOW_PIECES).unwrap_or(1);
    let size = answer.body.len().div_ceil(SLOW_PIECES).max(1);
    let pieces: Vec<Bytes> = answer.body.chunks(size).map(Bytes::copy_from_slice).collect();
    let clock = clock.clone();
    let body = futures::stream::iter(pieces).then(move |piece| {
        let wait = clock.sleep(pause);
        async move {
            wait.await;
            Ok::<_, std::io::Error>(piece)
        }
    });
    builder.streaming(body)
}
