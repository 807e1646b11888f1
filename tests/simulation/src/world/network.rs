//! The network between workers and カオナビ.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use renkei_runtime::http::{OutRequest, OutResponse, Transport, TransportError};
use renkei_sandbox::kaonavi::transport::SimTransport;

use super::clock::SimClock;

/// A call on its way.
pub(super) type Wire = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The network: what was sent arrives, whatever became of the sender.
pub(super) struct Network {
    pub(super) kaonavi: Arc<SimTransport>,
    pub(super) clock: Arc<SimClock>,
    pub(super) wires: Arc<Mutex<Vec<Wire>>>,
    pub(super) poison: Arc<Mutex<Option<String>>>,
}

#[async_trait::async_trait]
impl Transport for Network {
    async fn send(&self, request: OutRequest) -> Result<OutResponse, TransportError> {
        let poison = self.poison.lock().unwrap().clone();
        let body = request.body.as_deref().unwrap_or_default();
        if poison.is_some_and(|poison| String::from_utf8_lossy(body).contains(&poison)) {
            let (_, body) = tokio::sync::mpsc::channel(1);
            return Ok(OutResponse { status: 500, body });
        }
        let (tell, told) = tokio::sync::oneshot::channel();
        let kaonavi = Arc::clone(&self.kaonavi);
        self.wires.lock().unwrap().push(Box::pin(async move {
            // Nobody listens when the sender is dead.
            let _ = tell.send(kaonavi.send(request).await);
        }));
        let mut told = std::pin::pin!(told);
        let answer = poll_fn(|cx| {
            let polled = told.as_mut().poll(cx);
            if polled.is_pending() {
                self.clock.parked.store(true, Ordering::SeqCst);
            }
            polled
        });
        answer.await.unwrap_or_else(|_| Err(TransportError::NoAnswer("the world ended".to_owned())))
    }
}
