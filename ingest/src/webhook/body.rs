//! Reading a body: bounded in size, in time, and in what all requests together hold.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::error::PayloadError;
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use actix_web::web;
use futures::StreamExt as _;

use super::Gate;
use crate::refusal::{OwnFault, Refusal};
use crate::settings::LARGEST_BODY;

/// How many bytes of bodies are held over all requests. Slow senders can hold memory for as long as a body may take; this
/// bounds how much.
#[derive(Debug)]
pub struct HeldBytes {
    most: usize,
    now: AtomicUsize,
}

impl HeldBytes {
    /// Nothing held yet.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { most, now: AtomicUsize::new(0) }
    }

    fn take(&self, bytes: usize) -> bool {
        let before = self.now.fetch_add(bytes, Ordering::SeqCst);
        if before.saturating_add(bytes) <= self.most {
            return true;
        }
        self.give_back(bytes);
        false
    }

    fn give_back(&self, bytes: usize) {
        self.now.fetch_sub(bytes, Ordering::SeqCst);
    }
}

/// A body in memory, counted until it is dropped.
pub(super) struct Held<'g> {
    gate: &'g Gate,
    bytes: Vec<u8>,
}

impl Held<'_> {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Refusal> {
        if self.bytes.len() + piece.len() > LARGEST_BODY {
            return Err(Refusal::TooLarge);
        }
        if !self.gate.held.take(piece.len()) {
            return Err(OwnFault::Overloaded.into());
        }
        // Exactly: a buffer that doubles would hold more than what is counted.
        self.bytes.reserve_exact(piece.len());
        self.bytes.extend_from_slice(piece);
        self.report(piece.len(), true);
        Ok(())
    }

    fn report(&self, bytes: usize, more: bool) {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        self.gate.metrics.held_bytes.add(if more { bytes } else { -bytes });
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.gate.held.give_back(self.bytes.len());
        self.report(self.bytes.len(), false);
    }
}

/// The length that the headers announce.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Reads all of a body.
pub(super) async fn read<'g>(gate: &'g Gate, mut payload: web::Payload) -> Result<Held<'g>, Refusal> {
    let mut held = Held { gate, bytes: Vec::new() };
    let mut too_late = gate.clock.sleep(gate.settings.body_time);
    loop {
        let piece = tokio::select! {
            piece = payload.next() => piece,
            () = &mut too_late => return Err(Refusal::TooSlow),
        };
        match piece {
            None => return Ok(held),
            Some(Ok(piece)) => held.add(&piece)?,
            Some(Err(PayloadError::Overflow)) => return Err(Refusal::TooLarge),
            Some(Err(_)) => return Err(Refusal::CutOff),
        }
    }
}
