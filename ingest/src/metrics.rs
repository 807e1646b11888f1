//! What is counted. Labels are stages, reasons and connection ids, never anything of a person.

use std::time::Duration;

use prometheus::{Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::refusal::{Refusal, Stage};

/// The families of ingest.
#[derive(Debug, Clone)]
pub struct Metrics {
    deliveries: IntCounterVec,
    by_connection: IntCounterVec,
    records: IntCounterVec,
    stage_seconds: HistogramVec,
    body_bytes: Histogram,
    /// Requests that are being worked on.
    pub in_flight: IntGauge,
    /// Bytes of bodies that are held.
    pub held_bytes: IntGauge,
    /// Age of the connections that requests are judged by.
    pub connections_age: Gauge,
    /// Times that the connections could not be read.
    pub connections_failures: IntCounter,
    /// Whether the log answered the last question.
    pub log_reachable: IntGauge,
    /// Whether this replica takes no new work.
    pub draining: IntGauge,
}

/// Bounds of the stages, in seconds.
const SECONDS: &[f64] =
    &[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Bounds of bodies, in bytes.
const BYTES: &[f64] = &[512.0, 1024.0, 4096.0, 16_384.0, 65_536.0, 262_144.0, 1_048_576.0];

impl Metrics {
    /// Makes and registers the families.
    ///
    /// # Errors
    /// When one is registered already.
    pub fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            deliveries: IntCounterVec::new(
                Opts::new("renkei_ingest_deliveries_total", "Requests by the stage where they ended and why."),
                &["stage", "reason"],
            )?,
            by_connection: IntCounterVec::new(
                Opts::new("renkei_ingest_connection_deliveries_total", "Requests to known connections by outcome."),
                &["connection", "outcome"],
            )?,
            records: IntCounterVec::new(
                Opts::new("renkei_ingest_records_total", "Employee records accepted, by kind."),
                &["kind"],
            )?,
            stage_seconds: HistogramVec::new(
                HistogramOpts::new("renkei_ingest_stage_seconds", "Time spent in a stage.").buckets(SECONDS.to_vec()),
                &["stage"],
            )?,
            body_bytes: Histogram::with_opts(
                HistogramOpts::new("renkei_ingest_body_bytes", "Size of bodies read.").buckets(BYTES.to_vec()),
            )?,
            in_flight: IntGauge::new("renkei_ingest_in_flight", "Requests being worked on.")?,
            held_bytes: IntGauge::new("renkei_ingest_held_bytes", "Bytes of request bodies held in memory.")?,
            connections_age: Gauge::new(
                "renkei_ingest_connections_age_seconds",
                "Age of the connection settings that requests are judged by.",
            )?,
            connections_failures: IntCounter::new(
                "renkei_ingest_connections_failures_total",
                "Times that the connection settings could not be read.",
            )?,
            log_reachable: IntGauge::new("renkei_ingest_log_reachable", "1 while the log answers.")?,
            draining: IntGauge::new("renkei_ingest_draining", "1 after the end was asked for.")?,
        };
        registry.register(Box::new(metrics.deliveries.clone()))?;
        registry.register(Box::new(metrics.by_connection.clone()))?;
        registry.register(Box::new(metrics.records.clone()))?;
        registry.register(Box::new(metrics.stage_seconds.clone()))?;
        registry.register(Box::new(metrics.body_bytes.clone()))?;
        registry.register(Box::new(metrics.in_flight.clone()))?;
        registry.register(Box::new(metrics.held_bytes.clone()))?;
        registry.register(Box::new(metrics.connections_age.clone()))?;
        registry.register(Box::new(metrics.connections_failures.clone()))?;
        registry.register(Box::new(metrics.log_reachable.clone()))?;
        registry.register(Box::new(metrics.draining.clone()))?;
        Ok(metrics)
    }

    /// A request that was refused.
    pub fn refused(&self, refusal: &Refusal) {
        self.deliveries.with_label_values(&[refusal.stage().name(), refusal.reason()]).inc();
    }

    /// A delivery that was accepted.
    pub fn accepted(&self) {
        self.deliveries.with_label_values(&[Stage::Produce.name(), "accepted"]).inc();
    }

    /// The outcome of a request to a known connection: `accepted`, `refused` (its side) or `failed` (ours).
    pub fn connection(&self, connection: &str, outcome: &str) {
        self.by_connection.with_label_values(&[connection, outcome]).inc();
    }

    /// A record that was accepted: `state`, `deleted` or `invalid`.
    pub fn record(&self, kind: &str) {
        self.records.with_label_values(&[kind]).inc();
    }

    /// Time spent in a stage.
    pub fn spent(&self, stage: Stage, time: Duration) {
        self.stage_seconds.with_label_values(&[stage.name()]).observe(time.as_secs_f64());
    }

    /// The size of a body.
    pub fn body(&self, bytes: usize) {
        // A size of at most 1 MiB is exact in a float.
        self.body_bytes.observe(bytes as f64);
    }
}
