//! A sender of signed webhooks, as ロウムメイト would be one.

use std::time::Duration;

use renkei_events::signature::{ID_HEADER, SIGNATURE_HEADER, TIMESTAMP_HEADER, WebhookSecret, sign};
use serde_json::{Value, json};

use crate::error::SandboxError;

/// How long a receiver may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// What the receiver answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// HTTP status.
    pub status: u16,
    /// The body, as text.
    pub body: String,
}

/// The body of a delivery with these records: `data.employee` for one, `data.employees` for more.
#[must_use]
pub fn body(kind: &str, timestamp: &str, records: &[Value]) -> Vec<u8> {
    let data = match records {
        [one] => json!({ "employee": one }),
        many => json!({ "employees": many }),
    };
    json!({ "type": kind, "timestamp": timestamp, "data": data }).to_string().into_bytes()
}

/// A client for deliveries. TLS needs a crypto provider installed at the start of the process.
///
/// # Errors
/// When the client can not be built.
pub fn client() -> Result<reqwest::Client, SandboxError> {
    let none = reqwest::redirect::Policy::none();
    Ok(reqwest::Client::builder().redirect(none).no_proxy().timeout(DEADLINE).build()?)
}

/// Signs `body` and posts it once. Redirects are not followed.
///
/// # Errors
/// [`SandboxError::NoAnswer`] when no whole answer came.
pub async fn deliver(
    client: &reqwest::Client,
    url: &str,
    secret: &WebhookSecret,
    webhook_id: &str,
    timestamp_seconds: i64,
    body: Vec<u8>,
) -> Result<Delivered, SandboxError> {
    let signature = sign(secret, webhook_id, timestamp_seconds, &body);
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header(ID_HEADER, webhook_id)
        .header(TIMESTAMP_HEADER, timestamp_seconds.to_string())
        .header(SIGNATURE_HEADER, signature)
        .body(body);
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    Ok(Delivered { status, body: answer.text().await? })
}
