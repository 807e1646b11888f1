//! Which deliveries pass their signature, counted in memory and told to the store now and then: a request never waits for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use renkei_events::ids::ConnectionId;
use renkei_store::webhook_health::Seen;

/// Counts by connection; only known connections are counted, so it is as bounded as they are.
#[derive(Debug, Default)]
pub struct Tally {
    counts: Mutex<HashMap<ConnectionId, (u64, u64)>>,
}

impl Tally {
    /// A delivery passed its signature.
    pub fn passed(&self, connection: &ConnectionId) {
        self.change(connection, |(accepted, refused)| {
            *accepted += 1;
            // What did not pass before one that did is no sign of trouble.
            *refused = 0;
        });
    }

    /// The signature of a delivery did not pass.
    pub fn refused(&self, connection: &ConnectionId) {
        self.change(connection, |(_, refused)| *refused += 1);
    }

    fn change(&self, connection: &ConnectionId, change: impl FnOnce(&mut (u64, u64))) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(connection) {
            Some(known) => change(known),
            None => change(counts.entry(connection.clone()).or_default()),
        }
    }

    /// What was counted since the last call.
    #[must_use]
    pub fn take(&self) -> Vec<Seen> {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        let seen = |(connection, (accepted, refused)): (ConnectionId, (u64, u64))| Seen {
            connection: connection.to_string(),
            accepted,
            refused,
        };
        counts.into_iter().map(seen).collect()
    }

    /// Counts again what could not be told.
    pub fn put_back(&self, seen: &[Seen]) {
        for one in seen {
            let Ok(connection) = ConnectionId::new(one.connection.clone()) else { continue };
            self.change(&connection, |(accepted, refused)| {
                // Something passed meanwhile: the older ones do not count any more.
                *refused += if *accepted > 0 { 0 } else { one.refused };
                *accepted += one.accepted;
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> ConnectionId {
        ConnectionId::new(text).unwrap()
    }

    fn seen(accepted: u64, refused: u64) -> Seen {
        Seen { connection: "c1".to_owned(), accepted, refused }
    }

    #[test]
    fn only_what_was_refused_since_the_last_that_passed_counts() {
        let tally = Tally::default();
        tally.refused(&id("c1"));
        tally.passed(&id("c1"));
        assert_eq!(tally.take(), [seen(1, 0)]);
        tally.passed(&id("c1"));
        tally.refused(&id("c1"));
        tally.refused(&id("c1"));
        assert_eq!(tally.take(), [seen(1, 2)]);
        assert_eq!(tally.take(), []);
    }

    #[test]
    fn what_could_not_be_told_is_told_later() {
        let tally = Tally::default();
        tally.refused(&id("c1"));
        let first = tally.take();
        tally.refused(&id("c1"));
        tally.put_back(&first);
        let second = tally.take();
        assert_eq!(second, [seen(0, 2)]);
        tally.passed(&id("c1"));
        tally.put_back(&second);
        assert_eq!(tally.take(), [seen(1, 0)]);
    }
}
