//! Senders of signed webhooks.

use std::time::Duration;

use renkei_events::signature::WebhookSecret;
use renkei_runtime::clock::{Clock as _, SystemClock};
use renkei_sandbox::send;
use serde_json::Value;

use super::{Watch, block, runtime, unix_now};

/// One sending, with its own connections.
#[derive(Clone)]
pub struct Sender {
    client: reqwest::Client,
    pub url: String,
    pub secret: WebhookSecret,
}

/// What came of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status; `None` when no whole answer came.
    pub status: Option<u16>,
    /// How long it took.
    pub took: Duration,
    /// Whether the connection was refused or never made: nobody has read the request.
    pub refused: bool,
    /// The answer's body, or what went wrong.
    pub text: String,
}

impl Sender {
    pub fn new(url: String, secret: &str) -> Self {
        // The client needs a crypto provider, which the runtime installs.
        runtime();
        Self { client: send::client().unwrap(), url, secret: WebhookSecret::parse(secret).unwrap() }
    }

    /// Posts once.
    pub async fn post(&self, webhook_id: &str, body: Vec<u8>) -> Answer {
        let watch = Watch::start();
        let sent = send::deliver(&self.client, &self.url, &self.secret, webhook_id, unix_now(), body).await;
        let took = watch.elapsed();
        match sent {
            Ok(answer) => Answer { status: Some(answer.status), took, refused: false, text: answer.body },
            Err(error) => {
                let text = format!("{error}: {:?}", std::error::Error::source(&error).map(ToString::to_string));
                let refused = format!("{error:?}").contains("ConnectError") || text.contains("onnect");
                Answer { status: None, took, refused, text }
            }
        }
    }

    /// Posts records as one delivery, again while it is answered 429 or 503 or not at all; gives what was answered last.
    pub async fn deliver(&self, webhook_id: &str, kind: &str, records: &[Value]) -> Answer {
        let timestamp = SystemClock::real().wall().to_string();
        let body = send::body(kind, &timestamp, records);
        for attempt in 0_u64..200 {
            let answer = self.post(webhook_id, body.clone()).await;
            if !matches!(answer.status, None | Some(429 | 503)) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100 + 20 * attempt.min(45))).await;
        }
        panic!("a delivery was never accepted: {webhook_id}");
    }

    /// As [`Sender::deliver`], and it must be accepted.
    #[track_caller]
    pub fn send(&self, webhook_id: &str, records: &[Value]) {
        let answer = block(self.deliver(webhook_id, "employee.updated", records));
        assert_eq!(answer.status, Some(202), "{webhook_id}: {}", answer.text);
    }
}
