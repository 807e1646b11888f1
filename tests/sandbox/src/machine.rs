//! What servers and transports know of a simulated system.

use std::sync::Arc;
use std::time::Duration;

use renkei_runtime::clock::Millis;
use tokio::sync::Mutex;

use crate::wire::{SimRequest, SimResponse};

/// The largest body that a machine takes unless it says otherwise.
const USUAL_BODY: usize = 1024 * 1024;

/// A system outside that answers calls. It has no clock of its own: what happens by itself is caught up with at the next
/// call.
pub trait Machine: Send {
    /// Answers a request that arrives at `now`.
    fn handle(&mut self, now: Millis, request: SimRequest) -> SimResponse;

    /// The largest body that is taken, in bytes. Of a larger one `limit + 1` bytes are handed in.
    fn max_body(&self) -> usize {
        USUAL_BODY
    }

    /// How late a request that is at the server's door now shall reach the machine, on the injected clock.
    fn arrival_delay(&mut self, _request: &SimRequest) -> Duration {
        Duration::ZERO
    }
}

/// A machine as servers and transports share it. `Arc<Mutex<M>>` of any machine becomes one by itself.
pub type SharedMachine = Arc<Mutex<dyn Machine>>;
