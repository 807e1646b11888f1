//! Probes and metrics on a port of their own.
//!
//! `/livez` says that the process can answer at all and nothing more: a restart mends nothing outside of it. `/readyz` asks
//! the process's [`Readiness`]. `/metrics` is the Prometheus text format.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::ContentType;
use actix_web::{App, HttpResponse, HttpServer, web};
use prometheus::{Encoder as _, Registry, TextEncoder};
use tokio::net::TcpSocket;

use crate::shutdown::Shutdown;

/// Whether the process shall be given work.
pub trait Readiness: Send + Sync {
    /// Why not, one short word group each; nothing when it is ready. Must answer at once.
    fn obstacles(&self) -> Vec<&'static str>;
}

impl<F: Fn() -> Vec<&'static str> + Send + Sync> Readiness for F {
    fn obstacles(&self) -> Vec<&'static str> {
        self()
    }
}

/// A port that can not be opened. Shown as one line.
#[derive(Debug, thiserror::Error)]
#[error("can not listen on {address}: {cause}; {}", advice(cause, name))]
pub struct ListenError {
    /// Where.
    pub address: SocketAddr,
    /// The variable that sets it.
    pub name: &'static str,
    /// Why not.
    pub cause: io::Error,
}

fn advice(cause: &io::Error, name: &str) -> String {
    match cause.kind() {
        io::ErrorKind::AddrInUse => format!("end what uses the port, or set {name} to another one"),
        io::ErrorKind::PermissionDenied => format!("set {name} to a port above 1023"),
        _ => format!("set {name} to an address of this machine"),
    }
}

/// Callers that may wait for the server's first look at them; more than a burst of all senders.
const BACKLOG: u32 = 2048;

/// Opens a port; `name` is the variable that sets it. To be called inside of a tokio runtime.
///
/// # Errors
/// Says where, why not and what to do.
pub fn listen(address: SocketAddr, name: &'static str) -> Result<TcpListener, ListenError> {
    let open = || {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A port of an ended process is free at once.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)?.into_std()
    };
    open().map_err(|cause| ListenError { address, name, cause })
}

/// Serves probes and metrics on `listener` until `ended`. It outlives the rest of the process's work, so that readiness can be
/// seen to fail while it drains.
///
/// # Errors
/// When the server can not be started.
pub async fn serve(
    listener: TcpListener,
    readiness: Arc<dyn Readiness>,
    registry: Registry,
    ended: Shutdown,
) -> io::Result<()> {
    let server = HttpServer::new(move || {
        let ready = Arc::clone(&readiness);
        let metrics = registry.clone();
        App::new()
            .route("/livez", web::get().to(|| async { HttpResponse::Ok().body("alive\n") }))
            .route("/readyz", web::get().to(move || std::future::ready(readyz(ready.as_ref()))))
            .route("/metrics", web::get().to(move || std::future::ready(exposition(&metrics))))
    })
    .workers(1)
    .disable_signals()
    .client_request_timeout(Duration::from_secs(5))
    .keep_alive(Duration::from_secs(30))
    .shutdown_timeout(1)
    .listen(listener)?
    .run();
    let handle = server.handle();
    tokio::spawn(async move {
        ended.requested().await;
        handle.stop(true).await;
    });
    server.await
}

fn readyz(readiness: &dyn Readiness) -> HttpResponse {
    let obstacles = readiness.obstacles();
    if obstacles.is_empty() {
        return HttpResponse::Ok().body("ready\n");
    }
    HttpResponse::ServiceUnavailable().body(format!("not ready: {}\n", obstacles.join(", ")))
}

fn exposition(registry: &Registry) -> HttpResponse {
    let mut text = Vec::new();
    let encoder = TextEncoder::new();
    match encoder.encode(&registry.gather(), &mut text) {
        Ok(()) => HttpResponse::Ok().insert_header(("content-type", encoder.format_type())).body(text),
        Err(error) => {
            tracing::error!(error = %error, "metrics can not be written");
            HttpResponse::InternalServerError().content_type(ContentType::plaintext()).finish()
        }
    }
}
