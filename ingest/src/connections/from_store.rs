//! Connections from the store.

use async_trait::async_trait;
use renkei_events::ids::ConnectionId;
use renkei_events::signature::{ActiveSecret, WebhookSecret};
use renkei_store::Store;
use renkei_store::connections::{self, StoredSecret};
use renkei_store::webhook_health::{self, Seen};
use secrecy::ExposeSecret as _;

use super::{ConnectionSource, IngestConnection, IngestState, Source, SourceError};

/// Reads the connections of a store.
#[derive(Debug, Clone)]
pub struct StoreConnections(pub Store);

#[async_trait]
impl ConnectionSource for StoreConnections {
    async fn ingest_connections(&self) -> Result<Vec<IngestConnection>, SourceError> {
        let stored = connections::for_ingest(&self.0).await.map_err(|error| SourceError(error.to_string()))?;
        Ok(stored.into_iter().filter_map(read).collect())
    }

    async fn report(&self, seen: &[Seen]) -> Result<(), SourceError> {
        webhook_health::report(&self.0, seen).await.map_err(|error| SourceError(error.to_string()))
    }
}

/// One that this version can not serve is left out, so that it stops no other.
fn read(stored: connections::IngestConnection) -> Option<IngestConnection> {
    let id = ConnectionId::new(stored.id).ok()?;
    let source = Source::from_name(&stored.source)?;
    let state = if stored.live { IngestState::Live } else { IngestState::Disconnected };
    let count = stored.secrets.len();
    let secrets: Vec<_> = stored.secrets.into_iter().filter_map(|secret| read_secret(&id, &secret)).collect();
    let unreadable_secrets = stored.sealed_shut || secrets.len() < count;
    Some(IngestConnection { id, source, state, secrets, unreadable_secrets })
}

fn read_secret(connection: &ConnectionId, stored: &StoredSecret) -> Option<ActiveSecret> {
    match WebhookSecret::parse(stored.secret.expose_secret()) {
        Ok(secret) => Some(ActiveSecret { secret, expires_at: stored.expires.map(|at| at.timestamp()) }),
        Err(fault) => {
            // Refused when it was entered, so this is rare; the connection's other secrets go on.
            tracing::error!(connection.id = %connection, secret.id = %stored.id, error = %fault, "webhook secret is unusable");
            None
        }
    }
}
