//! Connections: read anew within seconds, and still known while the store is away.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use renkei_ingest::connections::{ConnectionCache, Connections as _, IngestState, Lookup};
use renkei_ingest::server::{Parts, ServeError, Server};

use crate::support::client::Request;
use crate::support::fakes::{FakeLog, FakeSource, ManualClock};
use crate::support::sample::{SECRET, connection, connections, updated};
use crate::support::serving::{settings, start};

#[actix_web::test]
async fn a_new_an_ended_and_a_removed_connection_count_soon() {
    let serving = start().await;
    let to = |path: &str| Request::signed(updated()).path(path);
    assert_eq!(serving.send(&to("/webhooks/roumumate/later")).await.status, 404);
    serving.source.change(vec![
        connection("later", IngestState::Live, &[SECRET]),
        connection("acme", IngestState::Disconnected, &[]),
    ]);
    serving.until_answered(&to("/webhooks/roumumate/later"), 202).await;
    assert_eq!(serving.send(&to("/webhooks/roumumate/acme")).await.status, 410);
    assert_eq!(serving.send(&to("/webhooks/roumumate/gone")).await.status, 404);
}

#[actix_web::test]
async fn with_the_store_down_the_last_connections_go_on() {
    let serving = start().await;
    serving.source.down.store(true, Ordering::SeqCst);
    serving.until_metric("renkei_ingest_connections_failures_total", |value| value >= 3.0).await;
    serving.assert_alive().await;
    assert_eq!(serving.send(&Request::signed(updated()).path("/webhooks/roumumate/nobody")).await.status, 404);
    serving.clock.advance(Duration::from_secs(3600));
    // And their age is seen.
    serving.until_metric("renkei_ingest_connections_age_seconds", |value| value >= 3600.0).await;
    serving.assert_alive().await;
    assert_eq!(serving.ask("/readyz").await.status, 200, "no reason to take this replica away");
    serving.source.down.store(false, Ordering::SeqCst);
    serving.until_metric("renkei_ingest_connections_age_seconds", |value| value == 0.0).await;
}

#[actix_web::test]
async fn no_request_reads_the_store() {
    let slow = renkei_ingest::settings::Settings { refresh: Duration::from_secs(60), ..settings() };
    let serving = crate::support::serving::start_with(slow).await;
    for _ in 0..20 {
        serving.assert_alive().await;
        serving.send(&Request::signed(updated()).path("/webhooks/roumumate/nobody")).await;
    }
    assert_eq!(serving.source.reads.load(Ordering::SeqCst), 1, "only the one at the start");
}

#[actix_web::test]
async fn what_was_never_read_is_our_fault_and_not_the_callers() {
    let source = FakeSource::new(connections());
    source.down.store(true, Ordering::SeqCst);
    let cache = ConnectionCache::new(source.clone(), ManualClock::new(), &settings());
    assert!(cache.load().await.is_err());
    assert!(matches!(cache.get("roumumate", "acme"), Lookup::NotLoaded));
    source.down.store(false, Ordering::SeqCst);
    cache.load().await.unwrap();
    assert!(matches!(cache.get("roumumate", "acme"), Lookup::Live(_)));
    assert!(matches!(cache.get("other", "acme"), Lookup::Unknown));
}

#[actix_web::test]
async fn without_connections_there_is_no_start() {
    let source = FakeSource::new(vec![]);
    source.down.store(true, Ordering::SeqCst);
    let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let started = Server::bind(Parts {
        settings: settings(),
        listen: any,
        internal_listen: any,
        connections: source,
        log: FakeLog::new(),
        clock: ManualClock::new(),
        random: Arc::new(|| 1),
        api: None,
    });
    let Err(fault @ ServeError::Connections(_)) = started.await else { panic!("started without connections") };
    assert!(fault.to_string().contains("store is down") && fault.to_string().contains("RENKEI_STORE"), "{fault}");
}
