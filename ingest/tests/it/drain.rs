//! The end: not ready, no new work, what is in flight is finished, the log is flushed.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use renkei_ingest::server::ServeError;
use tokio::net::TcpStream;

use crate::support::client::{Request, Wire};
use crate::support::fakes::{Mood, START};
use crate::support::sample::updated;
use crate::support::serving::{settings, start, start_with};

#[actix_web::test]
async fn requests_in_flight_are_finished_and_none_is_cut() {
    let serving = start().await;
    serving.until("/readyz", 200).await;
    serving.log.set(Mood::After(Duration::from_secs(2)));
    let mut wires = Vec::new();
    for n in 0..64 {
        let mut wire = Wire::open(serving.address).await;
        wire.write(&Request::signed_as(&format!("msg_{n}"), START, updated()).bytes()).await;
        wires.push(wire);
    }
    serving.until_metric("renkei_ingest_in_flight", |value| value == 64.0).await;
    // One that sits idle must not hold up the end.
    let mut idle = Wire::open(serving.address).await;
    serving.trigger.pull();
    serving.until("/readyz", 503).await;
    let answer = serving.ask("/readyz").await;
    assert!(String::from_utf8(answer.body).unwrap().contains("draining"));
    assert_eq!(serving.ask("/livez").await.status, 200);
    // No new connection is taken while draining.
    while TcpStream::connect(serving.address).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for mut wire in wires {
        let answer = wire.read().await.expect("not cut");
        assert_eq!((answer.status, answer.header("connection")), (202, Some("close")));
    }
    assert!(idle.read().await.is_none());
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let begun = Instant::now();
    serving.ended.await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(serving.log.appends().len(), 64);
    assert_eq!(serving.log.flushes.load(Ordering::SeqCst), 1);
}

#[actix_web::test]
async fn a_body_that_is_still_coming_is_waited_for() {
    let serving = start().await;
    let bytes = Request::signed(updated()).bytes();
    let mut wire = Wire::open(serving.address).await;
    wire.write(&bytes[..bytes.len() - 50]).await;
    serving.until_metric("renkei_ingest_in_flight", |value| value == 1.0).await;
    serving.trigger.pull();
    tokio::time::sleep(Duration::from_millis(300)).await;
    wire.write(&bytes[bytes.len() - 50..]).await;
    assert_eq!(wire.read().await.expect("not cut").status, 202);
    serving.ended.await.unwrap().unwrap();
}

#[actix_web::test]
async fn the_drain_has_an_end() {
    let drain = Duration::from_secs(1);
    let serving = start_with(renkei_ingest::settings::Settings { drain, ..settings() }).await;
    let mut wire = Wire::open(serving.address).await;
    wire.write(&Request::signed(updated()).head()).await;
    serving.until_metric("renkei_ingest_in_flight", |value| value == 1.0).await;
    serving.trigger.pull();
    tokio::time::timeout(Duration::from_secs(5), serving.ended).await.expect("an end").unwrap().unwrap();
}

#[actix_web::test]
async fn which_deliveries_passed_their_signature_is_told_at_the_end() {
    let serving = start().await;
    serving.assert_alive().await;
    let mut forged = Request::signed(updated());
    forged.body.push(b' ');
    for _ in 0..3 {
        assert_eq!(serving.send(&forged).await.status, 401);
    }
    assert_eq!(*serving.source.reported.lock().unwrap(), [], "no request waits for it");
    let source = serving.source.clone();
    serving.trigger.pull();
    serving.ended.await.unwrap().unwrap();
    let reported = source.reported.lock().unwrap().clone();
    assert_eq!(reported.len(), 1);
    assert_eq!((reported[0].accepted, reported[0].refused), (1, 3));
}

#[actix_web::test]
async fn what_the_log_did_not_acknowledge_is_said() {
    let serving = start().await;
    serving.log.unflushed.store(3, Ordering::SeqCst);
    serving.trigger.pull();
    let ended = serving.ended.await.unwrap();
    let Err(fault @ ServeError::Unflushed(3)) = ended else { panic!("{ended:?}") };
    assert!(fault.to_string().contains("3 records"), "{fault}");
}
