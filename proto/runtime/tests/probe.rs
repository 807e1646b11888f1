//! Probes, metrics and the orderly end.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use prometheus::{IntCounter, Registry};
use renkei_runtime::probe;
use renkei_runtime::shutdown;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn readiness_follows_its_source_and_liveness_does_not() {
    let registry = Registry::new();
    let counter = IntCounter::new("renkei_test_total", "Test.").unwrap();
    registry.register(Box::new(counter.clone())).unwrap();
    counter.inc_by(3);
    let draining = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&draining);
    let readiness = move || if seen.load(Ordering::SeqCst) { vec!["draining", "log"] } else { vec![] };
    let listener = probe::listen(SocketAddr::from(([127, 0, 0, 1], 0)), "RENKEI_INTERNAL_LISTEN").unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, ended) = shutdown::channel();
    let server = tokio::spawn(probe::serve(listener, Arc::new(readiness), registry, ended));

    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));
    assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
    let metrics = get(address, "/metrics").await;
    assert!(metrics.contains("renkei_test_total 3") && metrics.contains("text/plain"), "{metrics}");
    assert!(get(address, "/other").await.starts_with("HTTP/1.1 404"));

    draining.store(true, Ordering::SeqCst);
    let answer = get(address, "/readyz").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("not ready: draining, log"), "{answer}");
    assert!(get(address, "/livez").await.starts_with("HTTP/1.1 200"));

    trigger.pull();
    tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn a_port_in_use_is_one_line_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let line = probe::listen(address, "RENKEI_LISTEN").unwrap_err().to_string();
    assert!(line.contains(&address.to_string()) && line.contains("RENKEI_LISTEN") && !line.contains('\n'), "{line}");
}

#[tokio::test]
async fn the_end_reaches_every_holder_also_when_the_trigger_is_dropped() {
    let (trigger, ended) = shutdown::channel();
    let other = ended.clone();
    assert!(!ended.is_requested());
    trigger.pull();
    other.requested().await;
    assert!(ended.is_requested() && other.is_requested());

    let (trigger, ended) = shutdown::channel();
    drop(trigger);
    ended.requested().await;
    assert!(ended.is_requested());
}
