//! One delivery, from its first header to its answer.
//!
//! The order is fixed: route and method, size, content type, connection, signature, time, rate, envelope, log. Nothing is
//! looked up for a caller who has not signed but whether the connection exists, and nothing is written before the log.

mod body;
mod complaints;
mod envelope;
pub(crate) mod media;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use renkei_events::event::{Change, EmployeeEvent};
use renkei_events::signature::{Rejection, SignatureHeaders, VerifiedDelivery, verify};
use renkei_events::topic::Topic;
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_runtime::clock::Clock;

pub use body::HeldBytes;
pub use complaints::Complaints;
pub use envelope::{MOST_RECORDS, read as read_envelope};

use crate::connections::{Connections, IngestConnection, Lookup};
use crate::health::Health;
use crate::metrics::Metrics;
use crate::rate::Limits;
use crate::refusal::{OwnFault, Refusal, Stage};
use crate::settings::{LARGEST_BODY, Settings};
use crate::tally::Tally;
use crate::trace::{Randomness, continue_trace};

/// Everything that a delivery needs on its way.
pub struct Gate {
    /// Bounds.
    pub settings: Settings,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// What paths stand for.
    pub connections: Arc<dyn Connections>,
    /// Where events go.
    pub log: Arc<dyn LogWriter>,
    /// Deliveries per connection.
    pub limits: Limits,
    /// Bytes of bodies held.
    pub held: HeldBytes,
    /// What is counted.
    pub metrics: Metrics,
    /// Told when the log acknowledged.
    pub health: Arc<Health>,
    /// For trace ids.
    pub random: Arc<Randomness>,
    /// Which deliveries pass their signature.
    pub tally: Tally,
    /// What went wrong on our side, as log lines.
    pub complaints: Complaints,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gate").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// The routes of this module.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/webhooks/{source}/{connection_id}")
            .route(web::post().to(receive))
            .default_service(web::to(|gate: web::Data<Gate>| async move { refuse(&gate, &Refusal::Method) })),
    );
}

/// The answer for any other path.
pub async fn no_route(gate: web::Data<Gate>) -> HttpResponse {
    refuse(&gate, &Refusal::NoRoute)
}

fn refuse(gate: &Gate, refusal: &Refusal) -> HttpResponse {
    gate.metrics.refused(refusal);
    refusal.response()
}

/// Counts a request while it is worked on, also when its caller goes away.
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    fn enter(metrics: &'a Metrics) -> Self {
        metrics.in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

async fn receive(request: HttpRequest, payload: web::Payload, gate: web::Data<Gate>) -> HttpResponse {
    let _in_flight = InFlight::enter(&gate.metrics);
    let begun = gate.clock.monotonic();
    let held = match take_body(&gate, &request, payload).await {
        Ok(held) => held,
        Err(refusal) => return refuse(&gate, &refusal),
    };
    gate.metrics.spent(Stage::Receive, gate.clock.monotonic().saturating_sub(begun));
    gate.metrics.body(held.bytes().len());

    let (source, id) = (request.match_info().query("source"), request.match_info().query("connection_id"));
    let connection = match gate.connections.get(source, id) {
        Lookup::Live(connection) => connection,
        Lookup::Unknown => return refuse(&gate, &Refusal::UnknownConnection),
        Lookup::NotLoaded => return refuse(&gate, &OwnFault::ConnectionsUnknown.into()),
        Lookup::Disconnected(connection) => {
            gate.metrics.connection(connection.id.as_str(), "refused");
            return refuse(&gate, &Refusal::Disconnected);
        }
    };
    let outcome = tokio::select! {
        outcome = accept(&gate, &connection, &request, held.bytes()) => outcome,
        // Whatever hangs, the sender hears of it before it gives up by itself.
        () = gate.clock.sleep(gate.settings.answer_time) => Err(OwnFault::LogDeadline.into()),
    };
    conclude(&gate, &connection, outcome)
}

/// Size, content type, and the body itself.
async fn take_body<'g>(
    gate: &'g Gate,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<body::Held<'g>, Refusal> {
    if body::announced(request.headers()).is_some_and(|length| length > LARGEST_BODY as u64) {
        return Err(Refusal::TooLarge);
    }
    if !media::is_plain_json(request.headers()) {
        return Err(Refusal::MediaType);
    }
    body::read(gate, payload).await
}

/// From the whole body to the log's acknowledgement; how many records were accepted.
async fn accept(
    gate: &Gate,
    connection: &IngestConnection,
    request: &HttpRequest,
    body: &[u8],
) -> Result<usize, Refusal> {
    let begun = gate.clock.monotonic();
    let headers = request.headers().iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
    let headers = SignatureHeaders::pick(headers);
    // The sender stamps with its own clock, so this is the real time, however fast ours runs.
    let verified = verify(&connection.secrets, &headers, body, gate.clock.wall(), gate.settings.tolerance);
    let verified = verified.map_err(|rejection| match rejection {
        Rejection::NoLiveSecret | Rejection::NoMatch if connection.unreadable_secrets => {
            OwnFault::SecretsUnreadable.into()
        }
        _ => Refusal::Unverified(rejection),
    })?;
    gate.metrics.spent(Stage::Verify, gate.clock.monotonic().saturating_sub(begun));

    gate.limits.take(&connection.id).map_err(|after_seconds| Refusal::RateLimited { after_seconds })?;
    let incoming = request.headers().get("traceparent").and_then(|value| value.to_str().ok());
    let trace = continue_trace(incoming, &*gate.random);
    produce(gate, connection, verified, &trace).await
}

/// Takes only what was verified.
async fn produce(
    gate: &Gate,
    connection: &IngestConnection,
    delivery: VerifiedDelivery<'_>,
    trace: &str,
) -> Result<usize, Refusal> {
    let begun = gate.clock.monotonic();
    let events = read_envelope(delivery, &connection.id, gate.clock.now().timestamp())?;
    let parsed = gate.clock.monotonic();
    gate.metrics.spent(Stage::Parse, parsed.saturating_sub(begun));

    let records: Result<Vec<NewRecord>, Refusal> = events.iter().map(|event| record(event, trace)).collect();
    let appended = gate.log.append(records?, gate.settings.produce_time).await;
    gate.metrics.spent(Stage::Produce, gate.clock.monotonic().saturating_sub(parsed));
    appended.map_err(|error| log_fault(gate, &error))?;
    gate.health.log_reached();
    for event in &events {
        gate.metrics.record(match event.change {
            Change::Invalid => "invalid",
            Change::Deleted => "deleted",
            Change::Created | Change::Updated | Change::StatusChanged => "state",
        });
    }
    tracing::debug!(
        connection.id = %connection.id,
        webhook.id = delivery.webhook_id(),
        records = events.len(),
        "delivery is on the log"
    );
    Ok(events.len())
}

fn record(event: &EmployeeEvent, trace: &str) -> Result<NewRecord, Refusal> {
    let value = event.value().map_err(|_| OwnFault::Internal)?;
    Ok(NewRecord { topic: Topic::Employee, key: event.key(), headers: event.headers(trace), value })
}

fn log_fault(gate: &Gate, error: &LogError) -> Refusal {
    if let Some(suppressed) = gate.complaints.admit(gate.clock.monotonic()) {
        tracing::warn!(error = %error, suppressed, "log does not take deliveries, senders are told 503");
    }
    let fault = match error {
        LogError::Deadline => OwnFault::LogDeadline,
        LogError::Full => OwnFault::LogFull,
        LogError::Refused(_) => OwnFault::LogRefused,
        LogError::Unavailable(_) | LogError::Setup(_) => OwnFault::LogUnavailable,
    };
    fault.into()
}

/// Counts, logs and answers.
fn conclude(gate: &Gate, connection: &IngestConnection, outcome: Result<usize, Refusal>) -> HttpResponse {
    let id = connection.id.as_str();
    match &outcome {
        Ok(_) => gate.tally.passed(&connection.id),
        Err(Refusal::Unverified(_)) => gate.tally.refused(&connection.id),
        Err(_) => {}
    }
    match outcome {
        Ok(accepted) => {
            gate.metrics.accepted();
            gate.metrics.connection(id, "accepted");
            HttpResponse::Accepted()
                .insert_header((header::CONTENT_TYPE, "application/json"))
                .body(format!("{{\"accepted\":{accepted}}}"))
        }
        Err(refusal) => {
            let (outcome, stage, reason) = match &refusal {
                Refusal::Own(_) => ("failed", refusal.stage().name(), refusal.reason()),
                _ => ("refused", refusal.stage().name(), refusal.reason()),
            };
            gate.metrics.connection(id, outcome);
            tracing::debug!(connection.id = id, outcome, stage, reason, "delivery is not accepted");
            refuse(gate, &refusal)
        }
    }
}
