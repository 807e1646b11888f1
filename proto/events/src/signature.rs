//! Standard Webhooks, scheme `v1`: HMAC-SHA256 over `{webhook-id}.{webhook-timestamp}.{body}`.
//!
//! [`verify`] is the only way to a [`VerifiedDelivery`], so code that takes one can not be handed a body that nobody
//! checked. Time is a parameter; nothing here reads a clock.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};
use zeroize::Zeroizing;

/// Header with the id of the delivery; the same on every resend.
pub const ID_HEADER: &str = "webhook-id";
/// Header with the time of this attempt, in whole Unix seconds.
pub const TIMESTAMP_HEADER: &str = "webhook-timestamp";
/// Header with one or more `version,base64` entries, separated by blanks.
pub const SIGNATURE_HEADER: &str = "webhook-signature";

/// The longest `webhook-signature`, in bytes.
pub const LONGEST_SIGNATURE_HEADER: usize = 4 * 1024;
/// The most entries in `webhook-signature`.
pub const MOST_ENTRIES: usize = 10;
/// The longest `webhook-id`, in bytes. Event ids are made of it.
pub const LONGEST_ID: usize = 256;

const PREFIX: &str = "whsec_";
const SHORTEST_KEY: usize = 24;
/// The longest key, which is also the block of SHA-256: a key of up to one block is padded with zeros by HMAC anyway.
const LONGEST_KEY: usize = 64;
const LONGEST_TIMESTAMP: usize = 12;

/// Why a text is not a webhook secret. Says nothing of the text itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretFault {
    /// It does not start with `whsec_`.
    #[error("does not start with \"whsec_\"")]
    Prefix,
    /// What follows is not standard base64 with padding.
    #[error("is not standard base64 with padding after \"whsec_\"")]
    Base64,
    /// The key has fewer than 24 or more than 64 bytes.
    #[error("must hold 24 to 64 bytes after base64 decoding")]
    Length,
}

/// A shared secret of one connection, `whsec_…`. `Debug` never shows it; memory is wiped on drop.
#[derive(Clone)]
pub struct WebhookSecret {
    key: Zeroizing<[u8; LONGEST_KEY]>,
    length: usize,
}

impl WebhookSecret {
    /// Reads `whsec_` and standard, padded base64 of 24 to 64 bytes.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, SecretFault> {
        let encoded = text.strip_prefix(PREFIX).ok_or(SecretFault::Prefix)?;
        let decoded = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| SecretFault::Base64)?);
        Self::from_key(&decoded)
    }

    /// Makes a secret of raw key bytes, which must come from a secure random source.
    ///
    /// # Errors
    /// When there are fewer than 24 or more than 64.
    pub fn from_key(bytes: &[u8]) -> Result<Self, SecretFault> {
        if !(SHORTEST_KEY..=LONGEST_KEY).contains(&bytes.len()) {
            return Err(SecretFault::Length);
        }
        let mut key = Zeroizing::new([0; LONGEST_KEY]);
        key[..bytes.len()].copy_from_slice(bytes);
        Ok(Self { key, length: bytes.len() })
    }

    /// The text form, for sealing it and for showing it once. Never for logs.
    #[must_use]
    pub fn expose(&self) -> Zeroizing<String> {
        let encoded = Zeroizing::new(STANDARD.encode(&self.key[..self.length]));
        let mut text = Zeroizing::new(String::with_capacity(PREFIX.len() + encoded.len()));
        text.push_str(PREFIX);
        text.push_str(&encoded);
        text
    }

    fn mac(&self, id: &str, timestamp: &str, body: &[u8]) -> [u8; 32] {
        let mut mac = <Hmac<Sha256> as hmac::Mac>::new((&*self.key).into());
        mac.update(id.as_bytes());
        mac.update(b".");
        mac.update(timestamp.as_bytes());
        mac.update(b".");
        mac.update(body);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(redacted)")
    }
}

/// Signs a delivery: the value of `webhook-signature`, `v1,` and base64.
#[must_use]
pub fn sign(secret: &WebhookSecret, id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    format!("v1,{}", STANDARD.encode(secret.mac(id, &timestamp_seconds.to_string(), body)))
}

/// A secret with the time when it stops counting. Rotation keeps two or more of them for a while.
#[derive(Debug, Clone)]
pub struct ActiveSecret {
    /// The secret.
    pub secret: WebhookSecret,
    /// From then on it verifies nothing; `None` is "until removed".
    pub expires_at: Option<Timestamp>,
}

impl ActiveSecret {
    /// A secret without an end.
    #[must_use]
    pub fn lasting(secret: WebhookSecret) -> Self {
        Self { secret, expires_at: None }
    }

    fn is_live(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|end| now < end)
    }
}

/// How far the time of an attempt may lie from ours, in whole seconds; the bounds themselves pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tolerance {
    /// Oldest.
    pub past_seconds: i64,
    /// Furthest ahead. Smaller than the past, because a delivery dated ahead can be replayed until its time is over.
    pub future_seconds: i64,
}

impl Default for Tolerance {
    fn default() -> Self {
        Self { past_seconds: 300, future_seconds: 60 }
    }
}

/// Why a delivery was not verified. Callers see one answer for all of them; metrics count each by its [`Rejection::code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Rejection {
    /// One of the three headers is missing or empty.
    #[error("a signature header is missing")]
    HeaderMissing,
    /// One of the three headers stands twice.
    #[error("a signature header is repeated")]
    HeaderRepeated,
    /// One of the three headers has bytes outside of printable ASCII.
    #[error("a signature header is not ascii")]
    HeaderNotAscii,
    /// A header is longer than its limit.
    #[error("a signature header is too long")]
    HeaderTooLong,
    /// More entries than allowed in `webhook-signature`.
    #[error("too many signatures")]
    TooManySignatures,
    /// The id has a full stop (it would move bytes between the signed parts) or a blank.
    #[error("the webhook id has a character that is not allowed")]
    IdMalformed,
    /// Not a decimal number of seconds without sign, fraction or leading zero.
    #[error("the webhook timestamp is malformed")]
    TimestampMalformed,
    /// No secret is configured, or all are past their expiry.
    #[error("the connection has no live secret")]
    NoLiveSecret,
    /// No entry fits any live secret.
    #[error("no signature matches")]
    NoMatch,
    /// Signed by us, but too long ago: a replay, or a slow clock.
    #[error("the webhook timestamp is too old")]
    TooOld,
    /// Signed by us, but dated ahead.
    #[error("the webhook timestamp is in the future")]
    InFuture,
}

impl Rejection {
    /// Every cause, for tables and tests.
    pub const ALL: [Rejection; 11] = [
        Rejection::HeaderMissing,
        Rejection::HeaderRepeated,
        Rejection::HeaderNotAscii,
        Rejection::HeaderTooLong,
        Rejection::TooManySignatures,
        Rejection::IdMalformed,
        Rejection::TimestampMalformed,
        Rejection::NoLiveSecret,
        Rejection::NoMatch,
        Rejection::TooOld,
        Rejection::InFuture,
    ];

    /// The stable name of the cause, as it stands in metrics and logs.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Rejection::HeaderMissing => "header_missing",
            Rejection::HeaderRepeated => "header_repeated",
            Rejection::HeaderNotAscii => "header_not_ascii",
            Rejection::HeaderTooLong => "header_too_long",
            Rejection::TooManySignatures => "too_many_signatures",
            Rejection::IdMalformed => "id_malformed",
            Rejection::TimestampMalformed => "timestamp_malformed",
            Rejection::NoLiveSecret => "no_live_secret",
            Rejection::NoMatch => "no_match",
            Rejection::TooOld => "timestamp_too_old",
            Rejection::InFuture => "timestamp_in_future",
        }
    }
}

/// One of the three headers, as it came.
#[derive(Clone, Copy, Default)]
enum Header<'a> {
    #[default]
    Missing,
    Once(&'a [u8]),
    Repeated,
}

impl std::fmt::Debug for Header<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Header::Missing => f.write_str("Missing"),
            Header::Once(value) => write!(f, "Once({} bytes)", value.len()),
            Header::Repeated => f.write_str("Repeated"),
        }
    }
}

impl<'a> Header<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = match self {
            Header::Missing => Header::Once(value),
            Header::Once(_) | Header::Repeated => Header::Repeated,
        };
    }

    fn text(self, longest: usize) -> Result<&'a str, Rejection> {
        let bytes = match self {
            Header::Missing => return Err(Rejection::HeaderMissing),
            Header::Repeated => return Err(Rejection::HeaderRepeated),
            Header::Once(bytes) => bytes,
        };
        if bytes.is_empty() {
            return Err(Rejection::HeaderMissing);
        }
        if bytes.len() > longest {
            return Err(Rejection::HeaderTooLong);
        }
        if !bytes.iter().all(|byte| matches!(byte, b' '..=b'~')) {
            return Err(Rejection::HeaderNotAscii);
        }
        std::str::from_utf8(bytes).map_err(|_| Rejection::HeaderNotAscii)
    }
}

/// The three headers of a request, not yet believed.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignatureHeaders<'a> {
    id: Header<'a>,
    timestamp: Header<'a>,
    signature: Header<'a>,
}

impl<'a> SignatureHeaders<'a> {
    /// Picks the three out of all headers of a request, in whatever case their names are written.
    pub fn pick(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut picked = Self::default();
        for (name, value) in headers {
            if name.eq_ignore_ascii_case(ID_HEADER) {
                picked.id.add(value);
            } else if name.eq_ignore_ascii_case(TIMESTAMP_HEADER) {
                picked.timestamp.add(value);
            } else if name.eq_ignore_ascii_case(SIGNATURE_HEADER) {
                picked.signature.add(value);
            }
        }
        picked
    }
}

/// A delivery whose signature and time were checked. Only [`verify`] makes one.
#[derive(Clone, Copy)]
pub struct VerifiedDelivery<'a> {
    webhook_id: &'a str,
    attempted_at: Timestamp,
    body: &'a [u8],
}

impl std::fmt::Debug for VerifiedDelivery<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { webhook_id, attempted_at, body } = self;
        let mut shown = f.debug_struct("VerifiedDelivery");
        shown.field("webhook_id", webhook_id).field("attempted_at", attempted_at);
        shown.field("body.bytes", &body.len()).finish()
    }
}

impl<'a> VerifiedDelivery<'a> {
    /// The id of the delivery: 1 to 256 printable ASCII characters, no blank, no full stop.
    #[must_use]
    pub fn webhook_id(&self) -> &'a str {
        self.webhook_id
    }

    /// When the sender made this attempt.
    #[must_use]
    pub fn attempted_at(&self) -> Timestamp {
        self.attempted_at
    }

    /// The body, byte for byte as it was signed.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        self.body
    }
}

/// Verifies a delivery against all live secrets: the form of the headers, then the signature, then the time.
///
/// # Errors
/// The first cause found, in that order.
pub fn verify<'a>(
    secrets: &[ActiveSecret],
    headers: &SignatureHeaders<'a>,
    body: &'a [u8],
    now: Timestamp,
    tolerance: Tolerance,
) -> Result<VerifiedDelivery<'a>, Rejection> {
    let webhook_id = headers.id.text(LONGEST_ID)?;
    let timestamp = headers.timestamp.text(LONGEST_SIGNATURE_HEADER)?;
    let signature = headers.signature.text(LONGEST_SIGNATURE_HEADER)?;
    if webhook_id.contains(['.', ' ']) {
        return Err(Rejection::IdMalformed);
    }
    let attempted_at = read_timestamp(timestamp)?;
    let entries: Vec<&str> = signature.split(' ').filter(|entry| !entry.is_empty()).collect();
    if entries.len() > MOST_ENTRIES {
        return Err(Rejection::TooManySignatures);
    }

    let mut live = false;
    let mut matched = Choice::from(0);
    // Every entry against every secret, with no early end: how long it takes says nothing about which one fitted.
    for active in secrets.iter().filter(|active| active.is_live(now)) {
        live = true;
        let expected = STANDARD.encode(active.secret.mac(webhook_id, timestamp, body));
        for entry in &entries {
            if let Some(("v1", given)) = entry.split_once(',') {
                matched |= expected.as_bytes().ct_eq(given.as_bytes());
            }
        }
    }
    if !live {
        return Err(Rejection::NoLiveSecret);
    }
    if !bool::from(matched) {
        return Err(Rejection::NoMatch);
    }

    let age = now.as_second() - attempted_at.as_second();
    if age > tolerance.past_seconds {
        return Err(Rejection::TooOld);
    }
    if -age > tolerance.future_seconds {
        return Err(Rejection::InFuture);
    }
    Ok(VerifiedDelivery { webhook_id, attempted_at, body })
}

fn read_timestamp(text: &str) -> Result<Timestamp, Rejection> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let leading_zero = text.len() > 1 && text.starts_with('0');
    if !digits || leading_zero || text.len() > LONGEST_TIMESTAMP {
        return Err(Rejection::TimestampMalformed);
    }
    let seconds = text.parse().map_err(|_| Rejection::TimestampMalformed)?;
    Timestamp::from_second(seconds).map_err(|_| Rejection::TimestampMalformed)
}
