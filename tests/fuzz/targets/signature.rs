//! Whatever stands in the three headers, nothing is accepted that was not signed, and what was signed is accepted.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use renkei_events::signature::{ActiveSecret, SignatureHeaders, Tolerance, WebhookSecret, sign, verify};

const NOW: i64 = 1_700_000_000;

fuzz_target!(|bytes: &[u8]| {
    let secret = || WebhookSecret::from_key(&[7; 32]).expect("a key of 32 bytes");
    let secrets = [ActiveSecret::lasting(secret())];
    let now = Timestamp::from_second(NOW).expect("a time");
    let tolerance = Tolerance::default();

    // The headers as they come, cut out of the input at its line feeds.
    let mut parts = bytes.splitn(4, |byte| *byte == b'\n');
    let mut part = || parts.next().unwrap_or_default();
    let (id, timestamp, signature, body) = (part(), part(), part(), part());
    let headers = SignatureHeaders::pick([
        ("webhook-id", id),
        ("Webhook-Timestamp", timestamp),
        ("webhook-signature", signature),
    ]);
    if let Ok(delivery) = verify(&secrets, &headers, body, now, tolerance) {
        let expected = sign(&secret(), delivery.webhook_id(), delivery.attempted_at().as_second(), body);
        let given = std::str::from_utf8(signature).expect("an accepted header is text");
        assert!(given.split(' ').any(|entry| entry == expected));
    }

    // The same body, really signed, with the fuzzed header's text among the entries.
    let mut signed = sign(&secret(), "msg", NOW, body).into_bytes();
    let longest = 3_000.min(signature.len());
    let noise = signature[..longest].iter().filter(|byte| byte.is_ascii_graphic());
    signed.push(b' ');
    signed.extend(noise);
    let timestamp = NOW.to_string();
    let headers = SignatureHeaders::pick([
        ("webhook-id", &b"msg"[..]),
        ("webhook-timestamp", timestamp.as_bytes()),
        ("webhook-signature", &signed),
    ]);
    assert!(verify(&secrets, &headers, body, now, tolerance).is_ok());
});
