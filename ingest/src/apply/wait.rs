//! `apply --wait 60s`: waits until what was asked for is active, or says what is missing.

use std::time::Duration;

use renkei_runtime::clock::Clock;
use renkei_store::Store;
use renkei_store::connections::{self, ConnectionState};

use super::ApplyError;

/// Running ingest processes read the connections anew at least this often; only after that a first webhook is sure not to be
/// answered 404.
const KNOWN_TO_INGEST: Duration = Duration::from_secs(1);
/// How often the store is asked.
const EVERY: Duration = Duration::from_millis(100);

/// Waits at most `longest` (real time) until all of `ids` are active.
///
/// # Errors
/// [`ApplyError::NotActive`] names each connection that is not, with what is missing.
pub async fn until_active(
    store: &Store,
    clock: &dyn Clock,
    ids: &[String],
    longest: Duration,
) -> Result<(), ApplyError> {
    let started = clock.monotonic();
    loop {
        let mut waiting = Vec::new();
        let mut refused = false;
        for id in ids {
            let connection = connections::get(store, &store.db, id).await?;
            if connection.state == ConnectionState::Active {
                continue;
            }
            let missing = if !connection.problems.is_empty() {
                refused = true;
                connection.problems.join("; ")
            } else if connection.account.is_none() {
                refused = true;
                "no credentials of カオナビ were given (key `kaonavi`)".to_owned()
            } else if connection.wanted.is_some() {
                "no worker has verified it yet; is renkei-workers running?".to_owned()
            } else {
                refused = true;
                let code = connection.state_code.map(|code| format!(" ({code})")).unwrap_or_default();
                format!("it is {}{code}; switch it on with `renkei-workers resume {id}`", connection.state)
            };
            waiting.push(format!("connection {id} is not active: {missing}"));
        }
        if waiting.is_empty() {
            let waited = clock.monotonic().saturating_sub(started);
            clock.sleep(KNOWN_TO_INGEST.saturating_sub(waited)).await;
            return Ok(());
        }
        if refused || clock.monotonic().saturating_sub(started) >= longest {
            return Err(ApplyError::NotActive(waiting.join(" | ")));
        }
        clock.sleep(EVERY).await;
    }
}

/// Reads `60s`, `2m`, `500ms`, or plain seconds.
///
/// # Errors
/// When it is none of these.
pub fn duration(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let number: u64 = number.parse().map_err(|_| format!("{text} is not a length of time such as 60s"))?;
    match unit {
        "ms" => Ok(Duration::from_millis(number)),
        "" | "s" => Ok(Duration::from_secs(number)),
        "m" => Ok(Duration::from_secs(number * 60)),
        _ => Err(format!("{text} is not a length of time such as 60s, 500ms or 2m")),
    }
}
