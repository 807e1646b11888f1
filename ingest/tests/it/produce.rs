//! The log: 202 only after its acknowledgement, 503 for whatever is our side, and always in time.

use std::time::{Duration, Instant};

use crate::support::client::Request;
use crate::support::fakes::Mood;
use crate::support::sample::{many, person, updated};
use crate::support::serving::{settings, start, start_with};

#[actix_web::test]
async fn i1_202_comes_after_the_acknowledgement_and_not_before() {
    let serving = start().await;
    serving.log.set(Mood::After(Duration::from_millis(300)));
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let begun = Instant::now();
    assert_eq!(serving.send(&Request::signed(updated())).await.status, 202);
    assert!(begun.elapsed() >= Duration::from_millis(300));
    assert_eq!(serving.log.appends().len(), 1);
}

#[actix_web::test]
async fn our_own_faults_are_503_with_retry_after_and_never_4xx() {
    let serving = start().await;
    let cases = [
        (Mood::Unavailable, "log_unavailable"),
        (Mood::Deadline, "log_deadline"),
        (Mood::Full, "log_full"),
        (Mood::Refused, "log_refused"),
    ];
    let mut bodies = Vec::new();
    for (mood, reason) in cases {
        serving.log.set(mood);
        let answer = serving.send(&Request::signed(updated())).await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "webhook.unavailable"), "{mood:?}");
        assert_eq!(answer.header("retry-after"), Some("5"));
        assert_eq!(serving.counted("produce", reason).await, 1.0, "{mood:?}");
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "callers learn nothing of our inside");
    assert!(serving.log.appends().is_empty());
    serving.log.set(Mood::Acknowledge);
    serving.assert_alive().await;
}

#[actix_web::test]
async fn the_log_has_four_seconds() {
    let serving = start().await;
    serving.assert_alive().await;
    assert_eq!(serving.log.deadlines(), [Duration::from_secs(4)]);
}

#[actix_web::test]
async fn a_log_that_breaks_its_promise_is_not_waited_for() {
    let serving = start().await;
    serving.log.set(Mood::Hang);
    #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
    let begun = Instant::now();
    let request = Request::signed(updated());
    let answers = futures::future::join_all((0..20).map(|_| serving.send(&request))).await;
    let took = begun.elapsed();
    assert!(answers.iter().all(|answer| answer.status == 503));
    assert!(took >= Duration::from_secs(4) && took < Duration::from_secs(5), "{took:?}");
    assert_eq!(serving.counted("produce", "log_deadline").await, 20.0);
    serving.log.set(Mood::Acknowledge);
    serving.assert_alive().await;
}

#[actix_web::test]
async fn all_records_of_a_delivery_are_appended_in_one_go() {
    let serving = start().await;
    let people: Vec<_> = (0..500).map(person).collect();
    let answer = serving.send(&Request::signed(many(&people))).await;
    assert_eq!((answer.status, answer.json()["accepted"].as_u64()), (202, Some(500)));
    let appends = serving.log.appends();
    assert_eq!(appends.len(), 1);
    let keys: Vec<_> = appends[0].iter().map(|record| record.key.clone()).collect();
    assert_eq!(keys, (0..500).map(|n| format!("acme/rm_{n:05}")).collect::<Vec<_>>(), "in the order of the delivery");
    assert_eq!(serving.metric("renkei_ingest_records_total{kind=\"state\"}").await, 500.0);
}

#[actix_web::test]
async fn outcomes_are_counted_for_known_connections_only() {
    let serving = start().await;
    serving.assert_alive().await;
    serving.send(&Request::signed(updated()).set("webhook-signature", "v1,AAAA")).await;
    serving.send(&Request::signed(updated()).path("/webhooks/roumumate/nobody")).await;
    serving.log.set(Mood::Full);
    serving.send(&Request::signed(updated())).await;
    for outcome in ["accepted", "refused", "failed"] {
        let line = format!("renkei_ingest_connection_deliveries_total{{connection=\"acme\",outcome=\"{outcome}\"}}");
        assert_eq!(serving.metric(&line).await, 1.0, "{outcome}");
    }
    let text = String::from_utf8(serving.ask("/metrics").await.body).unwrap();
    assert!(!text.contains("nobody"), "what callers make up is no label");
    for stage in ["receive", "verify", "parse", "produce"] {
        assert!(text.contains(&format!("renkei_ingest_stage_seconds_count{{stage=\"{stage}\"}}")), "{stage}");
    }
}

#[actix_web::test]
async fn the_senders_trace_goes_on() {
    let serving = start().await;
    let request =
        Request::signed(updated()).add("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    serving.send(&request).await;
    serving.assert_alive().await;
    let traces = serving.log.appends().into_iter().flatten().filter_map(|record| {
        record.headers.into_iter().find(|(name, _)| name == "traceparent").map(|(_, value)| value)
    });
    assert_eq!(
        traces.collect::<Vec<_>>(),
        [
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0123456789abcdef-01",
            "00-0123456789abcdef0123456789abcdef-0123456789abcdef-00",
        ]
    );
}

#[actix_web::test]
async fn a_caller_that_goes_away_stops_nothing() {
    let serving = start_with(settings()).await;
    serving.log.set(Mood::After(Duration::from_millis(200)));
    for _ in 0..10 {
        let mut wire = crate::support::client::Wire::open(serving.address).await;
        wire.write(&Request::signed(updated()).bytes()).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        drop(wire);
    }
    serving.assert_alive().await;
    serving.until_metric("renkei_ingest_in_flight", |value| value == 0.0).await;
    serving.until_metric("renkei_ingest_held_bytes", |value| value == 0.0).await;
}
