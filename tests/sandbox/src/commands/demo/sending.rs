//! Sending the company's webhooks, as a source would: several at once, again when asked to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, StreamExt as _};
use renkei_runtime::clock::{Clock, Millis, SystemClock};
use renkei_sandbox::SandboxError;
use renkei_sandbox::demo::Delivery;
use renkei_sandbox::send;

use super::parts::Parts;

/// How many requests are under way at once.
const AT_ONCE: usize = 4;
/// How often a request is sent at most.
const TRIES: u32 = 20;

/// What came of the sending.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// Requests that were made, repetitions after a refusal included.
    pub(super) requests: usize,
    /// Requests answered 202.
    pub(super) accepted: usize,
    /// Records in them.
    pub(super) records: usize,
    /// Answers by status.
    pub(super) statuses: BTreeMap<u16, usize>,
    /// When the first request with a number was answered 202, on カオナビ's clock.
    pub(super) accepted_at: BTreeMap<String, Millis>,
}

/// Sends all of it.
///
/// # Errors
/// When a request is refused for good.
pub(super) async fn send_all(parts: &Parts, deliveries: &[Delivery]) -> Result<Sent, SandboxError> {
    let client = send::client()?;
    let wall = SystemClock::real();
    let progress = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let results = stream::iter(deliveries)
        .map(|delivery| {
            let client = client.clone();
            let progress = Arc::clone(&progress);
            let wall = &wall;
            async move {
                let mut statuses = Vec::new();
                for attempt in 0..TRIES {
                    let now = wall.wall().as_second();
                    let body = delivery.body.clone();
                    let url = &parts.webhook_url;
                    let answer = send::deliver(&client, url, &parts.secret, &delivery.webhook_id, now, body).await?;
                    statuses.push(answer.status);
                    match answer.status {
                        202 => {
                            let done = progress.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
                            if done.is_multiple_of(50) {
                                println!("  {done} of {} webhooks accepted", deliveries.len());
                            }
                            return Ok((delivery, statuses, parts.clock.now()));
                        }
                        429 | 503 => tokio::time::sleep(Duration::from_millis(200) * (attempt + 1)).await,
                        other => {
                            return Err(SandboxError::BadInput(format!(
                                "a webhook was answered {other}: {}",
                                answer.body
                            )));
                        }
                    }
                }
                Err(SandboxError::BadInput("a webhook was not accepted after many tries".to_owned()))
            }
        })
        .buffered(AT_ONCE)
        .collect::<Vec<_>>()
        .await;
    let mut sent = Sent::default();
    for result in results {
        let (delivery, statuses, at) = result?;
        sent.requests += statuses.len();
        sent.accepted += 1;
        sent.records += delivery.records;
        for status in statuses {
            *sent.statuses.entry(status).or_default() += 1;
        }
        for code in &delivery.codes {
            sent.accepted_at.entry(code.clone()).or_insert(at);
        }
    }
    Ok(sent)
}
