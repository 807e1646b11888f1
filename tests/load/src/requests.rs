//! Requests as bytes, signed beforehand: the sender must cost as little as can be.

use jiff::Timestamp;
use renkei_events::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret, sign};
use serde_json::json;

use crate::events;
use crate::stage::CONNECTION;

/// How many different requests take turns.
pub const IN_ROTATION: usize = 2_000;

/// The size of each body, in bytes.
pub const BODY_BYTES: usize = 1_037;

/// Signs all of them for now.
pub fn signed(secret: &WebhookSecret, now: Timestamp) -> Vec<Vec<u8>> {
    (0..IN_ROTATION).map(|number| request(secret, number, now)).collect()
}

fn request(secret: &WebhookSecret, number: usize, now: Timestamp) -> Vec<u8> {
    let body = body(number, now);
    let id = format!("msg_load{number:08}");
    let signature = sign(secret, &id, now.as_second(), &body);
    let mut request = format!(
        "POST /webhooks/roumumate/{CONNECTION} HTTP/1.1\r\n\
         host: 127.0.0.1\r\n\
         user-agent: renkei-load\r\n\
         content-type: application/json\r\n\
         content-length: {}\r\n\
         {ID_HEADER}: {id}\r\n\
         {TIMESTAMP_HEADER}: {}\r\n\
         {SIGNATURE_HEADER}: {signature}\r\n\r\n",
        body.len(),
        now.as_second(),
    )
    .into_bytes();
    request.extend_from_slice(&body);
    request
}

/// A delivery of one record. What is missing to the full size stands in a key that ingest does not know, as sources add
/// fields of their own.
fn body(number: usize, now: Timestamp) -> Vec<u8> {
    let with = |memo: &str| {
        let mut employee = events::record(number, 0, now);
        employee["memo"] = memo.into();
        let delivery = json!({
            "type": "employee.updated",
            "timestamp": now.to_string(),
            "data": { "employee": employee },
        });
        delivery.to_string().into_bytes()
    };
    let missing = BODY_BYTES.saturating_sub(with("").len());
    with(&"x".repeat(missing))
}

#[cfg(test)]
mod tests {
    use renkei_events::signature::{ActiveSecret, SignatureHeaders, Tolerance, verify};

    use super::*;

    #[test]
    fn every_body_has_the_size_that_is_told() {
        let now = "2026-04-01T00:00:00.123456Z".parse().unwrap();
        for number in [0, 7, IN_ROTATION - 1] {
            assert_eq!(body(number, now).len(), BODY_BYTES);
        }
    }

    #[test]
    fn every_request_is_signed() {
        let now = "2026-04-01T00:00:00Z".parse().unwrap();
        let secret = WebhookSecret::from_key(&[7; 32]).unwrap();
        let request = request(&secret, 5, now);
        let text = String::from_utf8(request).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers = SignatureHeaders::pick(headers.map(|(name, value)| (name, value.as_bytes())));
        let secrets = [ActiveSecret::lasting(secret)];
        assert!(verify(&secrets, &headers, body.as_bytes(), now, Tolerance::default()).is_ok());
    }
}
