//! librdkafka's own messages, at a bearable rate.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::config::RDKafkaLogLevel as Level;
use rdkafka::error::KafkaError;
use renkei_runtime::clock::Clock;

/// With its brokers away the client writes many lines a second; one of a kind in this time is enough.
const QUIET: Duration = Duration::from_secs(10);

/// How many kinds are told apart.
const MOST_KINDS: usize = 256;

/// Turns the client's messages into log lines.
#[derive(Debug)]
pub(super) struct Reporter {
    role: &'static str,
    clock: Arc<dyn Clock>,
    limit: Mutex<Limit>,
}

/// What was let through, by kind.
#[derive(Debug, Default)]
struct Limit {
    kinds: HashMap<String, Kind>,
}

#[derive(Debug)]
struct Kind {
    last: Duration,
    suppressed: u64,
}

impl Reporter {
    pub(super) fn new(role: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { role, clock, limit: Mutex::default() }
    }

    /// A line of the client's log.
    pub(super) fn line(&self, level: Level, kind: &str, message: &str) {
        let Some(suppressed) = self.admit(kind) else { return };
        let role = self.role;
        match level {
            Level::Emerg | Level::Alert | Level::Critical | Level::Error => {
                tracing::error!(
                    kafka.client = role,
                    kafka.kind = kind,
                    kafka.suppressed = suppressed,
                    kafka.message = message,
                    "kafka client reports an error"
                );
            }
            Level::Warning => {
                tracing::warn!(
                    kafka.client = role,
                    kafka.kind = kind,
                    kafka.suppressed = suppressed,
                    kafka.message = message,
                    "kafka client warns"
                );
            }
            Level::Notice | Level::Info => {
                tracing::info!(
                    kafka.client = role,
                    kafka.kind = kind,
                    kafka.suppressed = suppressed,
                    kafka.message = message,
                    "kafka client says"
                );
            }
            Level::Debug => {
                tracing::debug!(
                    kafka.client = role,
                    kafka.kind = kind,
                    kafka.suppressed = suppressed,
                    kafka.message = message,
                    "kafka client says"
                );
            }
        }
    }

    /// An error that belongs to no call.
    pub(super) fn error(&self, error: &KafkaError, reason: &str) {
        let kind = error.rdkafka_error_code().map_or_else(|| "unknown".to_owned(), |code| format!("{code:?}"));
        let Some(suppressed) = self.admit(&kind) else { return };
        tracing::warn!(
            kafka.client = self.role,
            kafka.kind = kind,
            kafka.suppressed = suppressed,
            kafka.message = reason,
            "kafka client lost something and goes on trying"
        );
    }

    fn admit(&self, kind: &str) -> Option<u64> {
        self.limit.lock().unwrap_or_else(PoisonError::into_inner).admit(self.clock.monotonic(), kind)
    }
}

impl Limit {
    /// How many lines of this kind were left out since the last that was let through; `None` if this one is left out too.
    fn admit(&mut self, now: Duration, kind: &str) -> Option<u64> {
        if let Some(known) = self.kinds.get_mut(kind) {
            if now.saturating_sub(known.last) < QUIET {
                known.suppressed += 1;
                return None;
            }
            known.last = now;
            return Some(std::mem::take(&mut known.suppressed));
        }
        // librdkafka has some dozens of kinds; a stranger among them must not make this grow without end.
        if self.kinds.len() >= MOST_KINDS {
            self.kinds.clear();
        }
        self.kinds.insert(kind.to_owned(), Kind { last: now, suppressed: 0 });
        Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_of_a_kind_in_ten_seconds_and_the_rest_is_counted() {
        let mut limit = Limit::default();
        let at = Duration::from_millis;
        assert_eq!(limit.admit(at(0), "FAIL"), Some(0));
        for ms in 1..10_000 {
            assert_eq!(limit.admit(at(ms), "FAIL"), None);
        }
        assert_eq!(limit.admit(at(5_000), "REBALANCE"), Some(0), "another kind has its own turn");
        assert_eq!(limit.admit(at(10_000), "FAIL"), Some(9_999));
        assert_eq!(limit.admit(at(20_000), "FAIL"), Some(0));
    }

    #[test]
    fn strange_kinds_do_not_pile_up() {
        let mut limit = Limit::default();
        for number in 0..10_000 {
            limit.admit(Duration::ZERO, &number.to_string());
        }
        assert!(limit.kinds.len() <= MOST_KINDS);
    }
}
