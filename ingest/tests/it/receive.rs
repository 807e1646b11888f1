//! Route, method, size, type and the reading of the body.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::{Request, Wire};
use crate::support::sample::{self, updated};
use crate::support::serving::{settings, start, start_with};

const MIB: usize = 1024 * 1024;

#[actix_web::test]
async fn a_signed_delivery_is_accepted_with_202() {
    let serving = start().await;
    let answer = serving.send(&Request::signed(updated())).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json(), json!({"accepted": 1}));
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(serving.log.appends().len(), 1);
    assert_eq!(serving.counted("produce", "accepted").await, 1.0);
}

#[actix_web::test]
async fn another_method_is_405_with_allow_and_produces_nothing() {
    let serving = start().await;
    for method in ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let mut wire = Wire::open(serving.address).await;
        wire.write(&Request::signed(updated()).method(method).bytes()).await;
        if method == "HEAD" {
            let mut head = [0; 12];
            use tokio::io::AsyncReadExt as _;
            wire.stream.read_exact(&mut head).await.unwrap();
            assert_eq!(&head, b"HTTP/1.1 405");
            continue;
        }
        let answer = wire.read().await.unwrap();
        assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")), "{method}");
        assert_eq!(answer.code(), "webhook.method_not_allowed");
    }
    assert!(serving.log.appends().is_empty());
    assert_eq!(serving.counted("receive", "method_not_allowed").await, 8.0);
}

#[actix_web::test]
async fn another_path_is_404() {
    let serving = start().await;
    let long = format!("/webhooks/roumumate/{}", "a".repeat(5000));
    let unknown = [
        "/webhooks/roumumate/nobody",
        "/webhooks/roumumate/ACME",
        "/webhooks/smarthr/acme",
        "/webhooks/roumumate/acme%00",
        "/webhooks/roumumate/%E4%BC%9A",
        "/webhooks/roumumate/..%2Facme",
        long.as_str(),
    ];
    for path in unknown {
        let answer = serving.send(&Request::signed(updated()).path(path)).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "webhook.unknown_connection"), "{path}");
    }
    let no_route =
        ["/", "/webhooks", "/webhooks/roumumate", "/webhooks/roumumate/acme/", "/webhooks/roumumate/acme/x", "/x"];
    for path in no_route {
        let answer = serving.send(&Request::signed(updated()).path(path)).await;
        assert_eq!((answer.status, answer.code().as_str()), (404, "webhook.no_route"), "{path}");
    }
    assert!(serving.log.appends().is_empty());
}

// --- size ----------------------------------------------------------------------------------------------------------

/// A good delivery of exactly this many bytes.
fn sized(bytes: usize) -> String {
    let body = updated();
    let padding = bytes - body.len();
    format!("{}{body}", " ".repeat(padding))
}

#[actix_web::test]
async fn exactly_1_mib_is_taken_and_a_byte_more_is_not() {
    let serving = start().await;
    for chunked in [false, true] {
        let take = |bytes: usize| {
            let request = Request::signed(sized(bytes));
            if chunked { request.chunked() } else { request }
        };
        assert_eq!(serving.send(&take(MIB)).await.status, 202, "chunked: {chunked}");
        for bytes in [MIB + 1, MIB + 100_000, 2 * MIB + 1024] {
            let answer = serving.send(&take(bytes)).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (413, "webhook.too_large"),
                "{bytes}, chunked: {chunked}"
            );
        }
    }
    assert_eq!(serving.log.appends().len(), 2);
    serving.assert_alive().await;
}

#[actix_web::test]
async fn an_announced_length_over_1_mib_is_refused_before_any_of_it_comes() {
    let serving = start().await;
    for length in ["1048577", "99999999999999"] {
        let request = Request::signed("").set("content-length", length);
        let mut wire = Wire::open(serving.address).await;
        wire.write(&request.head()).await;
        assert_eq!(wire.read().await.unwrap().status, 413, "{length}");
    }
}

#[actix_web::test]
async fn damaged_lengths_and_chunks_are_400_and_never_5xx() {
    let serving = start().await;
    let heads: [&[u8]; 8] = [
        b"content-length: abc\r\n\r\n",
        b"content-length: -1\r\n\r\n",
        b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"content-length: 99999999999999999999999999\r\n\r\n",
        b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n",
        b"transfer-encoding: gzip\r\n\r\nhello",
        b"transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\nhello",
    ];
    for head in heads {
        let mut wire = Wire::open(serving.address).await;
        wire.write(b"POST /webhooks/roumumate/acme HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n").await;
        wire.write(head).await;
        let answer = wire.read().await.expect("an answer");
        assert_eq!(answer.status, 400, "{:?}", String::from_utf8_lossy(head));
    }
    serving.assert_alive().await;
}

#[actix_web::test]
async fn a_body_that_breaks_off_leaves_the_server_alive() {
    let serving = start().await;
    for chunked in [false, true] {
        let request = if chunked { Request::signed(updated()).chunked() } else { Request::signed(updated()) };
        let bytes = request.bytes();
        let mut wire = Wire::open(serving.address).await;
        wire.write(&bytes[..bytes.len() - 20]).await;
        drop(wire);
    }
    serving.assert_alive().await;
    assert_eq!(serving.log.appends().len(), 1);
}

#[actix_web::test]
async fn many_or_long_headers_are_refused_without_5xx() {
    let serving = start().await;
    let mut many = Request::signed(updated());
    for n in 0..2000 {
        many = many.add(&format!("x-{n}"), "y");
    }
    let long = Request::signed(updated()).add("x-long", "y".repeat(300_000));
    for request in [many, long] {
        let mut wire = Wire::open(serving.address).await;
        if let Some(answer) = wire.send(&request).await {
            assert!(matches!(answer.status, 400 | 431), "{answer:?}");
        }
    }
    serving.assert_alive().await;
}

#[actix_web::test]
async fn what_all_requests_hold_together_is_bounded() {
    let serving = start_with(renkei_ingest::settings::Settings { held_bytes: 1_500_000, ..settings() }).await;
    let first = Request::signed(sized(MIB));
    let mut held = Wire::open(serving.address).await;
    let bytes = first.bytes();
    held.write(&bytes[..bytes.len() - 1]).await;
    serving.until_metric("renkei_ingest_held_bytes", |value| value >= 1_000_000.0).await;
    let answer = serving.send(&first).await;
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("5")));
    assert_eq!(serving.counted("receive", "overloaded").await, 1.0);
    held.write(&bytes[bytes.len() - 1..]).await;
    assert_eq!(held.read().await.unwrap().status, 202);
    assert_eq!(serving.send(&first).await.status, 202, "and what was held is given back");
    serving.until_metric("renkei_ingest_held_bytes", |value| value == 0.0).await;
}

// --- type ----------------------------------------------------------------------------------------------------------

#[actix_web::test]
async fn only_plain_json_is_taken() {
    let serving = start().await;
    let good = [
        "application/json",
        "Application/JSON",
        "application/json; charset=utf-8",
        "application/json;charset=\"UTF-8\"",
        "application/json ; version=1",
    ];
    for kind in good {
        assert_eq!(serving.send(&Request::signed(updated()).set("content-type", kind)).await.status, 202, "{kind}");
    }
    let bad = [
        "",
        "text/plain",
        "text/json",
        "application/jsonp",
        "application/problem+json",
        "application/x-www-form-urlencoded",
        "application/json; charset=shift_jis",
        "application/json; charset=utf-16",
        "application/json, text/plain",
        "json",
        "multipart/form-data; boundary=x",
        "application/json\u{e9}",
    ];
    for kind in bad {
        let answer = serving.send(&Request::signed(updated()).set("content-type", kind)).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "webhook.media_type"), "{kind}");
    }
    let without = Request::signed(updated()).without("content-type");
    assert_eq!(serving.send(&without).await.status, 415);
    assert_eq!(serving.send(&Request::signed(updated()).add("content-type", "application/json")).await.status, 415);
}

#[actix_web::test]
async fn an_encoded_body_is_never_unpacked() {
    let serving = start().await;
    // 10 MB of zeros would come out of a body like this.
    let bomb: Vec<u8> =
        [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3].into_iter().chain(std::iter::repeat_n(0, 10_000)).collect();
    for encoding in ["gzip", "br", "deflate", "zstd", "identity", "gzip, gzip", "x"] {
        let answer = serving.send(&Request::signed(bomb.clone()).add("content-encoding", encoding)).await;
        assert_eq!((answer.status, answer.code().as_str()), (415, "webhook.media_type"), "{encoding}");
    }
    serving.assert_alive().await;
}

// --- time ----------------------------------------------------------------------------------------------------------

#[actix_web::test]
async fn a_body_that_trickles_is_408_when_its_time_is_over() {
    let body_time = Duration::from_millis(400);
    let serving = start_with(renkei_ingest::settings::Settings { body_time, ..settings() }).await;
    for chunked in [false, true] {
        let request = if chunked { Request::signed(updated()).chunked() } else { Request::signed(updated()) };
        let mut wire = Wire::open(serving.address).await;
        #[expect(clippy::disallowed_methods, reason = "a test measures real time")]
        let begun = Instant::now();
        wire.write(&request.head()).await;
        let reading = async {
            let answer = wire.read().await.unwrap();
            (answer, begun.elapsed())
        };
        let (answer, took) = reading.await;
        assert_eq!((answer.status, answer.code().as_str()), (408, "webhook.too_slow"));
        assert!(took >= body_time && took < Duration::from_secs(5), "{took:?}");
    }
    // One byte at a time does not make it longer.
    let mut wire = Wire::open(serving.address).await;
    let request = Request::signed(updated());
    wire.write(&request.head()).await;
    for byte in request.body.chunks(1).take(8) {
        wire.write(byte).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    assert_eq!(wire.read().await.unwrap().status, 408);
    assert_eq!(serving.counted("receive", "too_slow").await, 3.0);
    assert!(serving.log.appends().is_empty());
}

#[actix_web::test]
async fn the_times_of_the_contract_are_the_defaults() {
    let settings = renkei_ingest::settings::Settings::default();
    assert_eq!(settings.body_time, Duration::from_secs(10));
    assert_eq!(settings.produce_time, Duration::from_secs(4));
    assert!(settings.produce_time < settings.answer_time && settings.answer_time < Duration::from_secs(5));
    assert!(settings.refresh + settings.refresh_time < Duration::from_secs(5));
    assert_eq!((settings.rate_per_second.get(), settings.rate_burst.get()), (100, 200));
    assert_eq!((settings.tolerance.past_seconds, settings.tolerance.future_seconds), (300, 60));
    assert_eq!(settings.log_patience, Duration::from_secs(30));
    assert_eq!(settings.drain, Duration::from_secs(30));
}

#[actix_web::test]
async fn one_connection_serves_many_deliveries() {
    let serving = start().await;
    let mut wire = Wire::open(serving.address).await;
    for n in 0..20 {
        let request = Request::signed_as(&format!("msg_{n}"), crate::support::fakes::START, sample::updated());
        assert_eq!(wire.send(&request).await.unwrap().status, 202);
        // A refusal in between does not end the connection either, when its body was read.
        let forged = request.set("webhook-signature", "v1,AAAA");
        assert_eq!(wire.send(&forged).await.unwrap().status, 401);
    }
    assert_eq!(serving.log.appends().len(), 20);
}
