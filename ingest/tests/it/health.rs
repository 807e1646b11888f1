//! Readiness follows the log and the end; liveness follows nothing.

use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::serving::start;

#[actix_web::test]
async fn a_short_outage_of_the_log_takes_no_replica_away_a_long_one_does() {
    let serving = start().await;
    serving.until("/readyz", 200).await;
    serving.log.reachable.store(false, Ordering::SeqCst);
    serving.until_metric("renkei_ingest_log_reachable", |value| value == 0.0).await;
    serving.clock.advance(Duration::from_secs(28));
    assert_eq!(serving.ask("/readyz").await.status, 200, "28 s are a short outage");
    serving.clock.advance(Duration::from_secs(2));
    let answer = serving.ask("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(String::from_utf8(answer.body).unwrap().contains("log not reachable"));
    assert_eq!(serving.ask("/livez").await.status, 200, "a restart would mend nothing");
    serving.log.reachable.store(true, Ordering::SeqCst);
    serving.until("/readyz", 200).await;
    assert_eq!(serving.metric("renkei_ingest_log_reachable").await, 1.0);
}

#[actix_web::test]
async fn an_acknowledged_delivery_shows_that_the_log_is_there() {
    let serving = start().await;
    serving.until("/readyz", 200).await;
    serving.log.reachable.store(false, Ordering::SeqCst);
    serving.until_metric("renkei_ingest_log_reachable", |value| value == 0.0).await;
    serving.clock.advance(Duration::from_secs(40));
    assert_eq!(serving.ask("/readyz").await.status, 503);
    serving.assert_alive().await;
    assert_eq!(serving.ask("/readyz").await.status, 200);
}
