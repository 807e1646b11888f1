//! A connection whose setting says so stops when one of its records is rejected, by us or by カオナビ.

use std::collections::BTreeMap;

use renkei_runtime::clock::Millis;
use renkei_store::Store;
use renkei_store::activity::{self, Entry};
use renkei_store::connections::{self, Connection, ConnectionState};
use renkei_store::db::Tx;

use crate::error::Result;

/// Connections that are to stop, each with the code of the first record that was rejected.
#[derive(Debug, Default)]
pub struct Stops(BTreeMap<String, String>);

impl Stops {
    /// Notes that somebody of a connection is set aside for `code`.
    pub fn note(&mut self, connection: &Connection, code: &str) {
        if connection.state == ConnectionState::Active && connection.settings.on_rejected.stops(code) {
            self.0.entry(connection.id.clone()).or_insert_with(|| code.to_owned());
        }
    }

    /// Whether a connection is to stop.
    #[must_use]
    pub fn has(&self, connection: &str) -> bool {
        self.0.contains_key(connection)
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Switches them off; the caller holds their accounts' locks.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn switch_off(&self, store: &Store, tx: &Tx, now: Millis) -> Result<()> {
        let mut entries = Vec::new();
        for (connection, code) in &self.0 {
            let halted = ConnectionState::Halted;
            // What カオナビ said stands with the person whom it is about.
            connections::switch_off(store, tx, connection, halted, Some(code), None, now).await?;
            tracing::warn!(connection.id = %connection, error.code = %code, "a record was rejected, connection halted");
            entries.push(Entry {
                at: now,
                connection: connection.clone(),
                employee: None,
                kind: "halted".to_owned(),
                code: Some(code.clone()),
                detail: None,
            });
        }
        Ok(activity::add(store, tx, &entries).await?)
    }
}
