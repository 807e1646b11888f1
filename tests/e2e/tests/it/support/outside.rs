//! What is outside, simulated in this process and served over HTTP.

use std::net::TcpListener;
use std::sync::Arc;

use renkei_runtime::clock::{Clock, SystemClock};
use renkei_sandbox::http;
use renkei_sandbox::machine::SharedMachine;

use super::{block, runtime};

/// An outside system that is served until it is dropped.
pub struct Served {
    /// Where, without a slash at its end.
    pub origin: String,
    stop: Option<Box<dyn FnOnce() + Send>>,
}

impl Served {
    /// Serves a machine by the real time.
    pub fn start(machine: SharedMachine) -> Self {
        Self::by(machine, Arc::new(SystemClock::real()))
    }

    /// Serves a machine by a clock.
    pub fn by(machine: SharedMachine, clock: Arc<dyn Clock>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let inside = runtime().enter();
        let server = http::serve(listener, machine, clock).unwrap();
        let handle = server.handle();
        runtime().spawn(server);
        drop(inside);
        Self { origin, stop: Some(Box::new(move || block(handle.stop(false)))) }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            stop();
        }
    }
}
