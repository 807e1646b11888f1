//! Who may send: connection, signature, time, and what a caller learns.

use renkei_events::signature::{Rejection, WebhookSecret, sign};
use renkei_ingest::connections::IngestState;

use crate::support::client::Request;
use crate::support::fakes::START;
use crate::support::sample::{OTHER_SECRET, SECRET, connection, updated};
use crate::support::serving::start;

/// A request for every cause of rejection.
fn unverified() -> Vec<(Rejection, Request)> {
    let good = || Request::signed(updated());
    let other = sign(&WebhookSecret::parse(OTHER_SECRET).unwrap(), "msg_1", START, updated().as_bytes());
    let mut altered = good();
    altered.body[10] ^= 1;
    let thousand = format!("{}v1,AAAA", "v1,AAAA ".repeat(999));
    vec![
        (Rejection::HeaderMissing, good().without("webhook-id")),
        (Rejection::HeaderMissing, good().without("webhook-timestamp")),
        (Rejection::HeaderMissing, good().without("webhook-signature")),
        (Rejection::HeaderMissing, good().set("webhook-signature", "")),
        (Rejection::HeaderRepeated, good().add("webhook-id", "msg_1")),
        (Rejection::HeaderRepeated, good().add("Webhook-Timestamp", START.to_string())),
        (Rejection::HeaderRepeated, good().add("WEBHOOK-SIGNATURE", "v1,AAAA")),
        (Rejection::HeaderNotAscii, good().set("webhook-id", "msg_\u{e9}")),
        (Rejection::HeaderTooLong, good().set("webhook-signature", "v1,".repeat(1400))),
        (Rejection::HeaderTooLong, good().set("webhook-signature", thousand)),
        (Rejection::TooManySignatures, good().set("webhook-signature", "v1,AAAA ".repeat(11))),
        (Rejection::IdMalformed, good().set("webhook-id", "msg.1")),
        (Rejection::TimestampMalformed, good().set("webhook-timestamp", "+1775001600")),
        (Rejection::TimestampMalformed, good().set("webhook-timestamp", "1775001600.5")),
        (Rejection::NoMatch, good().set("webhook-signature", "v1,AAAA")),
        (Rejection::NoMatch, good().set("webhook-signature", other)),
        (Rejection::NoMatch, good().set("webhook-id", "msg_2")),
        (Rejection::NoMatch, good().set("webhook-timestamp", "1775001601")),
        (Rejection::NoMatch, altered),
        (Rejection::NoLiveSecret, good().path("/webhooks/roumumate/bare")),
        (Rejection::TooOld, Request::signed_as("msg_1", START - 301, updated())),
        (Rejection::TooOld, Request::signed_as("msg_1", START - 600, updated())),
        (Rejection::InFuture, Request::signed_as("msg_1", START + 61, updated())),
        (Rejection::InFuture, Request::signed_as("msg_1", START + 299, updated())),
        (Rejection::InFuture, Request::signed_as("msg_1", START + 600, updated())),
    ]
}

#[actix_web::test]
async fn every_cause_gets_the_same_401_and_its_own_count() {
    let serving = start().await;
    let mut bodies = Vec::new();
    for (cause, request) in unverified() {
        let before = serving.counted("verify", cause.code()).await;
        let answer = serving.send(&request).await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "source.signature_invalid"), "{cause:?}");
        assert_eq!(serving.counted("verify", cause.code()).await, before + 1.0, "{cause:?}");
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "one body for all causes");
    for cause in Rejection::ALL {
        assert!(serving.counted("verify", cause.code()).await > 0.0, "{cause:?} has a request in the table");
    }
    assert!(serving.log.appends().is_empty());
}

#[actix_web::test]
async fn a_secret_that_we_can_not_read_is_our_fault_and_not_the_senders() {
    let serving = start().await;
    let shut = |request: Request| request.path("/webhooks/roumumate/shut");
    let answer = serving.send(&shut(Request::signed(updated()))).await;
    assert_eq!((answer.status, serving.counted("verify", "secrets_unreadable").await), (503, 1.0));
    // What no secret could make right stays the sender's.
    let late = shut(Request::signed(updated()).set("webhook-timestamp", "yesterday"));
    assert_eq!(serving.send(&late).await.status, 401);
    let signature = sign(&WebhookSecret::parse(OTHER_SECRET).unwrap(), "msg_1", START, updated().as_bytes());
    let other = shut(Request::signed(updated()).set("webhook-signature", signature));
    assert_eq!(serving.send(&other).await.status, 202, "the connection's other secret goes on");
}

#[actix_web::test]
async fn a_delivery_is_fresh_for_300_seconds_behind_and_60_ahead() {
    let serving = start().await;
    for (offset, status) in [(0, 202), (-300, 202), (-301, 401), (60, 202), (61, 401)] {
        let request = Request::signed_as("msg_1", START + offset, updated());
        assert_eq!(serving.send(&request).await.status, status, "{offset} s");
    }
}

#[actix_web::test]
async fn a_captured_delivery_is_refused_once_its_time_is_over() {
    let serving = start().await;
    let captured = Request::signed(updated());
    assert_eq!(serving.send(&captured).await.status, 202);
    assert_eq!(serving.send(&captured).await.status, 202, "a resend within the window is taken, workers know it");
    serving.clock.set_wall(START + 301);
    assert_eq!(serving.send(&captured).await.status, 401);
    let renewed = captured.set("webhook-timestamp", (START + 301).to_string());
    assert_eq!(serving.send(&renewed).await.status, 401, "nor with a new time on it");
}

#[actix_web::test]
async fn the_same_signed_request_twice_has_the_same_key_and_event_id() {
    let serving = start().await;
    let request = Request::signed(updated());
    for _ in 0..2 {
        assert_eq!(serving.send(&request).await.status, 202);
    }
    let records: Vec<_> = serving.log.appends().into_iter().flatten().collect();
    assert_eq!(records.len(), 2);
    assert_eq!((&records[0].key, &records[0].value), (&records[1].key, &records[1].value));
    assert_eq!(records[0].headers, records[1].headers);
}

#[actix_web::test]
async fn with_two_live_secrets_either_signs_and_a_revoked_one_does_not() {
    let serving = start().await;
    let by = |secret: &str| {
        let signature = sign(&WebhookSecret::parse(secret).unwrap(), "msg_1", START, updated().as_bytes());
        Request::signed(updated()).set("webhook-signature", signature)
    };
    serving.source.change(vec![connection("acme", IngestState::Live, &[SECRET, OTHER_SECRET])]);
    until_reread(&serving).await;
    assert_eq!(serving.send(&by(SECRET)).await.status, 202);
    assert_eq!(serving.send(&by(OTHER_SECRET)).await.status, 202);
    let both = format!("v1,AAAA {}", String::from_utf8(by(SECRET).headers[3].1.clone()).unwrap());
    assert_eq!(serving.send(&by(SECRET).set("webhook-signature", both)).await.status, 202);

    serving.source.change(vec![connection("acme", IngestState::Live, &[OTHER_SECRET])]);
    until_reread(&serving).await;
    assert_eq!(serving.send(&by(SECRET)).await.status, 401);
    assert_eq!(serving.send(&by(OTHER_SECRET)).await.status, 202);
}

#[actix_web::test]
async fn a_secret_ends_at_its_expiry() {
    let serving = start().await;
    let mut rotating = connection("acme", IngestState::Live, &[SECRET, OTHER_SECRET]);
    rotating.secrets[0].expires_at = Some(jiff::Timestamp::from_second(START + 100).unwrap());
    serving.source.change(vec![rotating]);
    until_reread(&serving).await;
    serving.clock.set_wall(START + 99);
    assert_eq!(serving.send(&Request::signed(updated())).await.status, 202);
    serving.clock.set_wall(START + 100);
    assert_eq!(serving.send(&Request::signed(updated())).await.status, 401);
}

/// Waits until the connections were read at least once more from the start.
async fn until_reread(serving: &crate::support::serving::Serving) {
    use std::sync::atomic::Ordering;
    let seen = serving.source.reads.load(Ordering::SeqCst);
    while serving.source.reads.load(Ordering::SeqCst) < seen + 2 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
