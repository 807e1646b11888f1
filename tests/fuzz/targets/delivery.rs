//! Any body that is rightly signed is read into events or refused; every event can be written to the log and read back.

#![no_main]

use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;
use renkei_events::event::EmployeeEvent;
use renkei_events::ids::ConnectionId;
use renkei_events::signature::{ActiveSecret, SignatureHeaders, Tolerance, WebhookSecret, sign, verify};
use renkei_ingest::webhook::{MOST_RECORDS, read_envelope};

const NOW: i64 = 1_700_000_000;

fuzz_target!(|body: &[u8]| {
    let secret = || WebhookSecret::from_key(&[7; 32]).expect("a key of 32 bytes");
    let now = Timestamp::from_second(NOW).expect("a time");
    let connection = ConnectionId::new("fuzz").expect("an id");
    let signature = sign(&secret(), "msg", NOW, body);
    let timestamp = NOW.to_string();
    let headers = SignatureHeaders::pick([
        ("webhook-id", &b"msg"[..]),
        ("webhook-timestamp", timestamp.as_bytes()),
        ("webhook-signature", signature.as_bytes()),
    ]);
    let secrets = [ActiveSecret::lasting(secret())];
    let delivery = verify(&secrets, &headers, body, now, Tolerance::default()).expect("it is signed");
    let Ok(events) = read_envelope(delivery, &connection, now) else { return };
    assert!((1..=MOST_RECORDS).contains(&events.len()));
    for event in events {
        let value = event.value().expect("an event can be written");
        let again = EmployeeEvent::decode(&event.headers(""), &value).expect("and read back");
        assert_eq!(event, again);
    }
});
