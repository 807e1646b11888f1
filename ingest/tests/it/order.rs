//! The order of checks: of two things that are wrong, the earlier one is answered.

use std::time::Duration;

use crate::support::client::{Request, Wire};
use crate::support::fakes::{Mood, START};
use crate::support::sample::updated;
use crate::support::serving::{settings, start, start_with};

#[actix_web::test]
async fn of_two_faults_the_earlier_check_answers() {
    let burst = std::num::NonZeroU32::new(1).unwrap();
    let serving = start_with(renkei_ingest::settings::Settings { rate_burst: burst, ..settings() }).await;
    serving.assert_alive().await;
    serving.log.set(Mood::Unavailable);
    let large = || Request::signed("").set("content-length", "1048577");
    let forged = |request: Request| request.set("webhook-signature", "v1,AAAA");
    let typed = |request: Request| request.set("content-type", "text/plain");
    let cases = [
        ("route before method", Request::signed(updated()).path("/x").method("GET"), 404),
        ("method before size", large().method("PUT"), 405),
        ("method before connection", Request::signed(updated()).path("/webhooks/roumumate/nobody").method("GET"), 405),
        ("size before type", typed(large()), 413),
        ("size before connection", large().path("/webhooks/roumumate/nobody"), 413),
        ("type before connection", typed(Request::signed(updated()).path("/webhooks/roumumate/nobody")), 415),
        ("type before signature", typed(forged(Request::signed(updated()))), 415),
        ("connection before signature", forged(Request::signed(updated()).path("/webhooks/roumumate/nobody")), 404),
        (
            "end of the connection before signature",
            forged(Request::signed(updated()).path("/webhooks/roumumate/gone")),
            410,
        ),
        ("signature before time", forged(Request::signed_as("m", START - 5000, updated())), 401),
        ("time before rate", Request::signed_as("m", START - 5000, updated()), 401),
        ("signature before parsing", forged(Request::signed("{")), 401),
        ("rate before parsing", Request::signed("{"), 429),
        ("rate before the log", Request::signed(updated()), 429),
    ];
    for (what, request, status) in cases {
        let mut wire = Wire::open(serving.address).await;
        // Of a body that was only announced nothing is sent.
        wire.write(&request.bytes()).await;
        assert_eq!(wire.read().await.unwrap().status, status, "{what}");
    }
    assert_eq!(serving.counted("verify", "no_match").await, 2.0, "a forged stale delivery is counted as forged");
    serving.clock.advance(Duration::from_secs(1));
    assert_eq!(serving.send(&Request::signed("{")).await.status, 400, "parsing before the log");
    serving.clock.advance(Duration::from_secs(1));
    assert_eq!(serving.send(&Request::signed(updated())).await.status, 503);
    assert_eq!(serving.log.appends().len(), 1);
}

#[actix_web::test]
async fn an_ended_connection_is_410_and_an_unknown_one_404() {
    let serving = start().await;
    let answer = serving.send(&Request::signed(updated()).path("/webhooks/roumumate/gone")).await;
    assert_eq!((answer.status, answer.code().as_str()), (410, "webhook.disconnected"));
    assert_eq!(serving.counted("verify", "disconnected").await, 1.0);
    let answer = serving.send(&Request::signed(updated()).path("/webhooks/roumumate/nobody")).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "webhook.unknown_connection"));
}

#[actix_web::test]
async fn a_connection_has_200_at_once_and_100_a_second() {
    let serving = start().await;
    let mut wire = Wire::open(serving.address).await;
    let request = Request::signed(updated());
    let mut statuses = Vec::new();
    for _ in 0..201 {
        statuses.push(wire.send(&request).await.unwrap().status);
    }
    assert!(statuses[..200].iter().all(|status| *status == 202));
    let answer = wire.send(&request).await.unwrap();
    assert_eq!((statuses[200], answer.status, answer.code().as_str()), (429, 429, "webhook.rate_limited"));
    assert_eq!(answer.header("retry-after"), Some("1"));

    // Forged deliveries take no place of the real sender.
    serving.clock.advance(Duration::from_millis(500));
    for _ in 0..100 {
        let forged = request.clone().set("webhook-signature", "v1,AAAA");
        assert_eq!(wire.send(&forged).await.unwrap().status, 401);
    }
    for _ in 0..50 {
        assert_eq!(wire.send(&request).await.unwrap().status, 202);
    }
    assert_eq!(wire.send(&request).await.unwrap().status, 429);
    assert_eq!(serving.counted("rate", "rate_limited").await, 3.0);
}
