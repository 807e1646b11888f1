//! scratch
#![allow(missing_docs)]
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rdkafka::ClientConfig;
use rdkafka::ClientContext;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, ProducerContext, ThreadedProducer};
use renkei_ingest::connections::from_store::StoreConnections;
use renkei_ingest::server;
use renkei_log::{LogError, LogWriter, NewRecord};
use renkei_runtime::clock::{Clock, SystemClock};
use renkei_runtime::config::{Config, Program};
use renkei_runtime::{shutdown, telemetry};
use renkei_store::Store;
use tokio::sync::Notify;

use crate::error::LoadError;

struct Append { open: AtomicUsize, settled: Notify }
struct Ctx;
impl ClientContext for Ctx {}
impl ProducerContext for Ctx {
    type DeliveryOpaque = Arc<Append>;
    fn delivery(&self, _: &DeliveryResult<'_>, a: Arc<Append>) {
        if a.open.fetch_sub(1, Ordering::AcqRel) == 1 { a.settled.notify_one(); }
    }
}
struct Log { p: ThreadedProducer<Ctx>, topic: String, headers: bool }

#[async_trait]
impl LogWriter for Log {
    async fn append(&self, records: Vec<NewRecord>, d: Duration) -> Result<(), LogError> {
        let append = Arc::new(Append { open: AtomicUsize::new(records.len()), settled: Notify::new() });
        for r in &records {
            let mut m = BaseRecord::with_opaque_to(&self.topic, Arc::clone(&append)).key(r.key.as_bytes()).payload(&r.value[..]);
            if self.headers {
                let h = OwnedHeaders::new_with_capacity(r.headers.len());
                m = m.headers(r.headers.iter().fold(h, |all, (key, value)| all.insert(Header { key, value: Some(value.as_bytes()) })));
            }
            self.p.send(m).map_err(|e| LogError::Unavailable(e.0.to_string()))?;
        }
        tokio::time::timeout(d, append.settled.notified()).await.map_err(|_| LogError::Deadline)
    }
    async fn reachable(&self) -> bool { true }
    async fn flush(&self, _: Duration) -> usize { 0 }
}

pub async fn serve() -> Result<(), LoadError> {
    let config = Config::from_process(Program::Ingest)?;
    telemetry::init(&config.telemetry)?;
    let shutdown = shutdown::on_signals().map_err(LoadError::io("listen for signals"))?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::real());
    let store = Store::from_config(&config, Arc::clone(&clock)).await?;
    let _ = renkei_log::open::writer(&config, &store, Arc::clone(&clock)).await?;
    let mut c = ClientConfig::new();
    let renkei_runtime::config::LogChoice::Kafka(b) = &config.log else { panic!() };
    c.set("bootstrap.servers", b.trim_start_matches("kafka://"));
    c.set("enable.idempotence", "true").set("acks", "all").set("compression.type", "lz4").set("linger.ms", "0");
    c.set("partitioner", "murmur2_random").set("message.max.bytes", "2097152");
    c.set("message.timeout.ms", "3500").set("request.timeout.ms", "3500").set("enable.metrics.push", "false");
    let extra = std::fs::read_to_string("/tmp/exp.conf").unwrap_or_default();
    let mut headers = true;
    for line in extra.lines() {
        if let Some((k, v)) = line.split_once('=') {
            if k == "headers" { headers = v == "1"; continue }
            c.set(k, v);
        }
    }
    eprintln!("{extra}");
    let p = c.create_with_context(Ctx).map_err(LoadError::Kafka)?;
    let topic = format!("{}renkei.employee.v1", config.kafka.topic_prefix);
    server::serve(&config, Arc::new(StoreConnections(store)), Arc::new(Log { p, topic, headers }), clock, shutdown).await?;
    Ok(())
}
