//! Standard Webhooks v1: published vectors, the places where libraries differ, and what must never pass.

#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use proptest::prelude::*;
use renkei_events::signature::{
    ActiveSecret, LONGEST_SIGNATURE_HEADER, MOST_ENTRIES, Rejection, SecretFault, SignatureHeaders, Tolerance,
    WebhookSecret, sign, verify,
};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

#[derive(Deserialize)]
struct Vector {
    name: String,
    secret: String,
    webhook_id: String,
    webhook_timestamp: i64,
    body: String,
    body_bytes: usize,
    body_sha256: String,
    signature: String,
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("vectors/standard_webhooks.json")).unwrap()
}

fn vector(name: &str) -> Vector {
    vectors().into_iter().find(|vector| vector.name == name).unwrap()
}

fn secret(text: &str) -> ActiveSecret {
    ActiveSecret::lasting(WebhookSecret::parse(text).unwrap())
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// One attempt, each part of it free to be bent.
struct Attempt {
    secrets: Vec<ActiveSecret>,
    headers: Vec<(&'static str, Vec<u8>)>,
    body: Vec<u8>,
    now: Timestamp,
}

impl Attempt {
    fn of(vector: &Vector) -> Self {
        Self {
            secrets: vec![secret(&vector.secret)],
            headers: vec![
                ("webhook-id", vector.webhook_id.clone().into_bytes()),
                ("webhook-timestamp", vector.webhook_timestamp.to_string().into_bytes()),
                ("webhook-signature", vector.signature.clone().into_bytes()),
            ],
            body: vector.body.clone().into_bytes(),
            now: at(vector.webhook_timestamp),
        }
    }

    fn set(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        let value = value.into();
        self.headers.iter_mut().filter(|(known, _)| *known == name).for_each(|header| header.1.clone_from(&value));
        self
    }

    /// Signs again, as the true sender would with this id and time text.
    fn signed_as(self, id: &str, timestamp: &str) -> Self {
        // The signature is made over the texts as they stand, also when they are no number.
        let key = vector("ascii").secret;
        let signature = sign_text(&key, id, timestamp, &self.body);
        self.set("webhook-id", id).set("webhook-timestamp", timestamp).set("webhook-signature", signature)
    }

    fn run(&self) -> Result<(), Rejection> {
        let headers = self.headers.iter().map(|(name, value)| (*name, value.as_slice()));
        let headers = SignatureHeaders::pick(headers);
        verify(&self.secrets, &headers, &self.body, self.now, Tolerance::default()).map(|verified| {
            assert_eq!(verified.body(), self.body);
        })
    }
}

/// A second, independent way to the same signature: plain HMAC by its definition, over texts of any form.
fn sign_text(secret: &str, id: &str, timestamp: &str, body: &[u8]) -> String {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    let mut key = engine.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    key.resize(64, 0);
    let pad = |with: u8| key.iter().map(|byte| byte ^ with).collect::<Vec<u8>>();
    let inner =
        Sha256::new().chain_update(pad(0x36)).chain_update(format!("{id}.{timestamp}.")).chain_update(body).finalize();
    let outer = Sha256::new().chain_update(pad(0x5c)).chain_update(inner).finalize();
    format!("v1,{}", engine.encode(outer))
}

#[test]
fn every_published_vector_is_made_and_verified() {
    let vectors = vectors();
    assert_eq!(vectors.len(), 8);
    for vector in vectors {
        assert_eq!(vector.body.len(), vector.body_bytes, "{}", vector.name);
        let digest: String = Sha256::digest(&vector.body).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, vector.body_sha256, "{}", vector.name);
        let made = sign(
            &WebhookSecret::parse(&vector.secret).unwrap(),
            &vector.webhook_id,
            vector.webhook_timestamp,
            vector.body.as_bytes(),
        );
        assert_eq!(made, vector.signature, "{}", vector.name);
        assert_eq!(Attempt::of(&vector).run(), Ok(()), "{}", vector.name);
    }
}

#[test]
fn a_verified_delivery_carries_id_time_and_exact_body() {
    let vector = vector("japanese");
    let attempt = Attempt::of(&vector);
    let headers = SignatureHeaders::pick(attempt.headers.iter().map(|(name, value)| (*name, value.as_slice())));
    let verified = verify(&attempt.secrets, &headers, &attempt.body, attempt.now, Tolerance::default()).unwrap();
    assert_eq!(verified.webhook_id(), "msg_e0012_0007");
    assert_eq!(verified.attempted_at(), at(1_775_001_600));
    assert_eq!(verified.body(), vector.body.as_bytes());
}

#[test]
fn header_names_are_found_in_any_case() {
    let mut attempt = Attempt::of(&vector("ascii"));
    attempt.headers[0].0 = "Webhook-Id";
    attempt.headers[1].0 = "WEBHOOK-TIMESTAMP";
    attempt.headers[2].0 = "Webhook-Signature";
    assert_eq!(attempt.run(), Ok(()));
}

// --- secrets -------------------------------------------------------------------------------------------------------

#[test]
fn secrets_are_read_strictly() {
    use SecretFault::{Base64, Length, Prefix};
    let key = |length: usize| {
        use base64::Engine as _;
        format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(vec![0xfb; length]))
    };
    let cases: Vec<(&str, String, Option<SecretFault>)> = vec![
        ("empty key", "whsec_".into(), Some(Length)),
        ("nothing", String::new(), Some(Prefix)),
        ("no prefix", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(), Some(Prefix)),
        ("prefix in another case", "WHSEC_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(), Some(Prefix)),
        ("a secret key of the asymmetric scheme", "whsk_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(), Some(Prefix)),
        ("no padding", "whsec_8v46/oIk7o7wh8N0DCknsCeO/MINQk+XOrL7nWM66Ds".into(), Some(Base64)),
        ("url-safe alphabet", "whsec_8v46_oIk7o7wh8N0DCknsCeO_MINQk-XOrL7nWM66Ds=".into(), Some(Base64)),
        ("a line end after it", "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD\n".into(), Some(Base64)),
        ("a blank before it", " whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD".into(), Some(Prefix)),
        (
            "bits left over in the last character",
            "whsec_8v46/oIk7o7wh8N0DCknsCeO/MINQk+XOrL7nWM66Dt=".into(),
            Some(Base64),
        ),
        ("23 bytes", key(23), Some(Length)),
        ("24 bytes", key(24), None),
        ("64 bytes", key(64), None),
        ("65 bytes", key(65), Some(Length)),
    ];
    for (what, text, fault) in cases {
        assert_eq!(WebhookSecret::parse(&text).err(), fault, "{what}");
    }
}

#[test]
fn a_secret_never_shows_itself_and_can_be_exposed_on_purpose() {
    let text = vector("ascii").secret;
    let active = secret(&text);
    assert_eq!(format!("{:?}", active.secret), "WebhookSecret(redacted)");
    assert!(!format!("{active:?}").contains("8v46"));
    assert_eq!(active.secret.expose().as_str(), text);
    for fault in [SecretFault::Prefix, SecretFault::Base64, SecretFault::Length] {
        assert!(!fault.to_string().contains("8v46"));
    }
}

// --- where libraries differ ----------------------------------------------------------------------------------------

#[test]
fn signature_entries_are_read_leniently_but_matched_strictly() {
    let vector = vector("ascii");
    let good = vector.signature.as_str();
    let bare = good.strip_prefix("v1,").unwrap();
    let v1a = "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";
    let cases = [
        ("an entry without a comma before a good one is skipped", format!("v1 {good}"), Ok(())),
        ("an entry of another version before a good one is skipped", format!("{v1a} {good}"), Ok(())),
        ("a wrong entry before a good one is skipped", format!("v1,AAAA {good}"), Ok(())),
        ("two blanks between entries pass", format!("v1,AAAA  {good}"), Ok(())),
        ("upper case V1 fails", format!("V1,{bare}"), Err(Rejection::NoMatch)),
        ("the right mac under another version fails", format!("v1a,{bare}"), Err(Rejection::NoMatch)),
        ("v2 only fails", format!("v2,{bare}"), Err(Rejection::NoMatch)),
        ("an entry without version fails", bare.to_owned(), Err(Rejection::NoMatch)),
        ("cut to 43 characters fails", format!("v1,{}", &bare[..43]), Err(Rejection::NoMatch)),
        ("one character more fails", format!("{good}="), Err(Rejection::NoMatch)),
        ("a second comma fails", format!("v1,,{bare}"), Err(Rejection::NoMatch)),
        ("commas do not separate entries", format!("v1,AAAA,{good}"), Err(Rejection::NoMatch)),
        ("a tab does not separate entries", format!("v1,AAAA\t{good}"), Err(Rejection::HeaderNotAscii)),
        ("empty mac fails", "v1,".to_owned(), Err(Rejection::NoMatch)),
        ("only blanks fail", "   ".to_owned(), Err(Rejection::NoMatch)),
    ];
    for (what, header, expected) in cases {
        assert_eq!(Attempt::of(&vector).set("webhook-signature", header).run(), expected, "{what}");
    }
}

#[test]
fn a_timestamp_is_digits_only() {
    let malformed = Err(Rejection::TimestampMalformed);
    let cases = [
        ("1775001600", Ok(())),
        ("+1775001600", malformed),
        ("-1775001600", malformed),
        ("01775001600", malformed),
        ("1775001600.5", malformed),
        ("1775001600.0", malformed),
        ("1,775,001,600", malformed),
        ("1775001600 ", malformed),
        (" 1775001600", malformed),
        ("1.775e9", malformed),
        ("0x69cc5c00", malformed),
        ("2026-04-01T00:00:00Z", malformed),
        ("1775001600000", malformed),
        ("999999999999", malformed),
        ("99999999999999999999999999", malformed),
        ("0", Err(Rejection::TooOld)),
    ];
    for (text, expected) in cases {
        // Signed over the very text, so that nothing but its form decides.
        let attempt = Attempt::of(&vector("ascii")).signed_as("msg_1", text);
        assert_eq!(attempt.run(), expected, "{text:?}");
    }
}

#[test]
fn the_signature_is_over_bytes_whatever_they_are() {
    for body in [&b"\xff\xfe\x00\x80"[..], b"", b"\xf0\x9f", b"{\"a\":\xc3\x28}"] {
        let mut attempt = Attempt::of(&vector("ascii"));
        attempt.body = body.to_vec();
        assert_eq!(attempt.signed_as("msg_1", "1775001600").run(), Ok(()), "{body:?}");
    }
}

// --- what must never pass ------------------------------------------------------------------------------------------

#[test]
fn signatures_of_two_attempts_can_not_be_swapped() {
    let (first, second) = (vector("ascii"), vector("ascii-ts-plus-1"));
    assert_eq!(Attempt::of(&first).set("webhook-signature", &*second.signature).run(), Err(Rejection::NoMatch));
    assert_eq!(Attempt::of(&second).set("webhook-signature", &*first.signature).run(), Err(Rejection::NoMatch));
}

#[test]
fn an_equal_document_in_other_bytes_does_not_pass() {
    let (plain, escaped) = (vector("japanese"), vector("japanese-escaped"));
    assert_eq!(Attempt::of(&escaped).set("webhook-signature", &*plain.signature).run(), Err(Rejection::NoMatch));
    assert_eq!(Attempt::of(&plain).set("webhook-signature", &*escaped.signature).run(), Err(Rejection::NoMatch));
}

#[test]
fn a_dropped_final_line_end_does_not_pass() {
    let mut attempt = Attempt::of(&vector("pretty-lf"));
    assert_eq!(attempt.body.pop(), Some(b'\n'));
    assert_eq!(attempt.run(), Err(Rejection::NoMatch));
}

#[test]
fn the_signature_of_another_key_does_not_pass() {
    let (with_a, with_b) = (vector("ascii"), vector("ascii-key-b"));
    assert_eq!(Attempt::of(&with_a).set("webhook-signature", &*with_b.signature).run(), Err(Rejection::NoMatch));
}

#[test]
fn a_character_moved_from_the_id_to_the_time_does_not_pass() {
    let attempt =
        Attempt::of(&vector("ascii")).set("webhook-id", "msg_e0001_000").set("webhook-timestamp", "11775001600");
    assert_eq!(attempt.run(), Err(Rejection::NoMatch));
}

#[test]
fn a_full_stop_can_not_move_bytes_between_the_parts() {
    // The same signed bytes, cut at another full stop.
    let attempt = Attempt::of(&vector("ascii")).signed_as("msg.1", "1775001600");
    assert_eq!(attempt.run(), Err(Rejection::IdMalformed));
    let shifted = Attempt::of(&vector("ascii")).signed_as("msg", "1.1775001600");
    assert_eq!(shifted.run(), Err(Rejection::TimestampMalformed));
}

#[test]
fn headers_must_be_there_once_short_and_ascii() {
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        let base = || Attempt::of(&vector("ascii"));
        let mut missing = base();
        missing.headers.retain(|(known, _)| *known != name);
        assert_eq!(missing.run(), Err(Rejection::HeaderMissing), "{name}");
        assert_eq!(base().set(name, "").run(), Err(Rejection::HeaderMissing), "{name}");
        let mut repeated = base();
        let again = repeated.headers.iter().find(|(known, _)| *known == name).unwrap().clone();
        repeated.headers.push(again);
        assert_eq!(repeated.run(), Err(Rejection::HeaderRepeated), "{name}");
        for bytes in [&b"msg_\xe9"[..], "従業員".as_bytes(), b"a\x00b", b"a\x7fb"] {
            assert_eq!(base().set(name, bytes).run(), Err(Rejection::HeaderNotAscii), "{name} {bytes:?}");
        }
        let long = vec![b'1'; LONGEST_SIGNATURE_HEADER + 1];
        assert_eq!(base().set(name, long).run(), Err(Rejection::HeaderTooLong), "{name}");
    }
}

#[test]
fn an_id_of_256_characters_passes_and_of_257_does_not() {
    let id = "m".repeat(256);
    assert_eq!(Attempt::of(&vector("ascii")).signed_as(&id, "1775001600").run(), Ok(()));
    let id = "m".repeat(257);
    assert_eq!(Attempt::of(&vector("ascii")).signed_as(&id, "1775001600").run(), Err(Rejection::HeaderTooLong));
}

#[test]
fn ten_entries_pass_and_eleven_do_not() {
    let vector = vector("ascii");
    let with = |others: usize| format!("{}{}", "v1,AAAA ".repeat(others), vector.signature);
    assert_eq!(Attempt::of(&vector).set("webhook-signature", with(MOST_ENTRIES - 1)).run(), Ok(()));
    let eleven = Attempt::of(&vector).set("webhook-signature", with(MOST_ENTRIES));
    assert_eq!(eleven.run(), Err(Rejection::TooManySignatures));
    let thousand = Attempt::of(&vector).set("webhook-signature", with(1000));
    assert_eq!(thousand.run(), Err(Rejection::HeaderTooLong));
}

#[test]
fn a_header_of_exactly_4_kib_passes() {
    let vector = vector("ascii");
    let filler = LONGEST_SIGNATURE_HEADER - vector.signature.len() - 1;
    let header = format!("{} {}", "x".repeat(filler), vector.signature);
    assert_eq!(header.len(), LONGEST_SIGNATURE_HEADER);
    assert_eq!(Attempt::of(&vector).set("webhook-signature", header).run(), Ok(()));
}

// --- time ----------------------------------------------------------------------------------------------------------

#[test]
fn age_is_counted_in_whole_seconds_and_tighter_ahead_than_behind() {
    let sent = 1_775_001_600_000;
    let cases = [
        (0, Ok(())),
        (300_000, Ok(())),
        (300_999, Ok(())),
        (301_000, Err(Rejection::TooOld)),
        (600_000, Err(Rejection::TooOld)),
        (-60_000, Ok(())),
        (-60_001, Err(Rejection::InFuture)),
        (-61_000, Err(Rejection::InFuture)),
        (-299_000, Err(Rejection::InFuture)),
    ];
    for (later_ms, expected) in cases {
        let mut attempt = Attempt::of(&vector("ascii"));
        attempt.now = Timestamp::from_millisecond(sent + later_ms).unwrap();
        assert_eq!(attempt.run(), expected, "{later_ms} ms after the attempt");
    }
}

#[test]
fn a_forged_delivery_with_a_stale_time_is_counted_as_forged() {
    let mut attempt = Attempt::of(&vector("ascii")).set("webhook-signature", "v1,AAAA");
    attempt.now = at(1_775_001_600 + 10_000);
    assert_eq!(attempt.run(), Err(Rejection::NoMatch));
}

// --- rotation ------------------------------------------------------------------------------------------------------

#[test]
fn while_rotating_either_key_is_enough() {
    let (with_a, with_b) = (vector("ascii"), vector("ascii-key-b"));
    let both = format!("{} {}", with_b.signature, with_a.signature);
    for key in [&with_a.secret, &with_b.secret] {
        let mut attempt = Attempt::of(&with_a).set("webhook-signature", both.clone());
        attempt.secrets = vec![secret(key)];
        assert_eq!(attempt.run(), Ok(()));
    }
    for sent in [&with_a, &with_b] {
        let mut attempt = Attempt::of(sent);
        attempt.secrets = vec![secret(&with_a.secret), secret(&with_b.secret)];
        assert_eq!(attempt.run(), Ok(()));
    }
}

#[test]
fn an_expired_secret_verifies_nothing() {
    let vector = vector("ascii");
    let now = at(vector.webhook_timestamp);
    let second = jiff::SignedDuration::from_secs(1);
    let mut attempt = Attempt::of(&vector);
    attempt.secrets[0].expires_at = Some(now + second);
    assert_eq!(attempt.run(), Ok(()), "a second before its end");
    attempt.secrets[0].expires_at = Some(now);
    assert_eq!(attempt.run(), Err(Rejection::NoLiveSecret), "at its end");
    attempt.secrets.push(secret(&other_key()));
    assert_eq!(attempt.run(), Err(Rejection::NoMatch), "with another that lives on");
    attempt.secrets.clear();
    assert_eq!(attempt.run(), Err(Rejection::NoLiveSecret), "without any");
}

fn other_key() -> String {
    vector("ascii-key-b").secret
}

#[test]
fn every_cause_has_its_own_name() {
    let names: std::collections::BTreeSet<_> = Rejection::ALL.iter().map(|cause| cause.code()).collect();
    assert_eq!(names.len(), Rejection::ALL.len());
}

// --- anything ------------------------------------------------------------------------------------------------------

proptest! {
    #[test]
    fn whatever_comes_never_panics_and_never_passes(
        id in proptest::collection::vec(any::<u8>(), 0..40),
        timestamp in "[0-9+. -]{0,16}",
        signature in proptest::collection::vec(any::<u8>(), 0..120),
        body in proptest::collection::vec(any::<u8>(), 0..80),
    ) {
        let attempt = Attempt::of(&vector("ascii"))
            .set("webhook-id", id)
            .set("webhook-timestamp", timestamp)
            .set("webhook-signature", signature);
        let attempt = Attempt { body, ..attempt };
        prop_assert!(attempt.run().is_err());
    }

    #[test]
    fn what_is_signed_verifies_and_one_changed_bit_does_not(
        key in proptest::collection::vec(any::<u8>(), 24..=64),
        id in "[!-\\-/-~]{1,40}",
        second in 1_000_000_000_i64..4_000_000_000,
        body in proptest::collection::vec(any::<u8>(), 1..200),
        bit in any::<proptest::sample::Index>(),
    ) {
        let secret = WebhookSecret::from_key(&key).unwrap();
        let signature = sign(&secret, &id, second, &body);
        let text = second.to_string();
        let run = |body: &[u8]| {
            let headers = SignatureHeaders::pick([
                ("webhook-id", id.as_bytes()),
                ("webhook-timestamp", text.as_bytes()),
                ("webhook-signature", signature.as_bytes()),
            ]);
            verify(&[ActiveSecret::lasting(secret.clone())], &headers, body, at(second), Tolerance::default()).map(drop)
        };
        prop_assert_eq!(run(&body), Ok(()));
        let mut bent = body.clone();
        let at_bit = bit.index(bent.len() * 8);
        bent[at_bit / 8] ^= 1 << (at_bit % 8);
        prop_assert_eq!(run(&bent), Err(Rejection::NoMatch));
        prop_assert!(WebhookSecret::parse(&secret.expose()).is_ok());
    }
}
