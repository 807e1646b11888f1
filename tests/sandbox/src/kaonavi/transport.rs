//! カオナビ where the network would be.

use std::sync::Arc;

use async_trait::async_trait;
use renkei_runtime::clock::Clock;
use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};

use super::machine::Shared;
use crate::transport::Hosts;
pub use crate::transport::{Latency, Trip, no_latency, seeded_latency};

/// A [`Transport`] whose only host is カオナビ.
#[derive(Debug)]
pub struct SimTransport {
    hosts: Hosts,
    origin: String,
}

impl SimTransport {
    /// A transport that answers URLs under `origin` (`http://kaonavi.test`, no path). `clock` is カオナビ's own: where hosts'
    /// clocks differ or jump, it must be the one that does neither.
    #[must_use]
    pub fn new(kaonavi: Shared, clock: Arc<dyn Clock>, origin: &str, latency: Latency) -> Self {
        Self { hosts: Hosts::new(clock, latency).with(origin, kaonavi), origin: origin.to_owned() }
    }

    /// While set, every call fails as a refused connection does: nothing arrives.
    pub fn set_unreachable(&self, unreachable: bool) {
        self.hosts.cut(&self.origin, unreachable);
    }

    /// Changes the ways from the next call on.
    pub fn set_latency(&self, latency: Latency) {
        self.hosts.set_latency(latency);
    }
}

#[async_trait]
impl Transport for SimTransport {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        self.hosts.send(request).await
    }
}
