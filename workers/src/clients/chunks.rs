//! A large answer as a reader, so that it is decoded while it comes in and never held whole.

use std::io::{Error, Read, Result};

use renkei_runtime::http::{Chunk, TransportError};
use tokio::sync::mpsc::Receiver;

/// The chunks of an answer, to be read where blocking is allowed.
pub(super) struct Chunks {
    body: Receiver<Chunk>,
    chunk: Vec<u8>,
    at: usize,
    total: usize,
    most: usize,
    /// Why reading ended before the answer did.
    pub(super) fault: Option<TransportError>,
}

impl Chunks {
    /// Reads `most` bytes at most.
    pub(super) fn new(body: Receiver<Chunk>, most: usize) -> Self {
        Self { body, chunk: Vec::new(), at: 0, total: 0, most, fault: None }
    }
}

impl Read for Chunks {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.at == self.chunk.len() {
            match self.body.blocking_recv() {
                None => return Ok(0),
                Some(Ok(chunk)) => {
                    self.total += chunk.len();
                    (self.chunk, self.at) = (chunk, 0);
                    if self.total > self.most {
                        self.fault = Some(TransportError::TooLarge);
                        return Err(Error::other("too large"));
                    }
                }
                Some(Err(fault)) => {
                    self.fault = Some(fault);
                    return Err(Error::other("cut off"));
                }
            }
        }
        let length = into.len().min(self.chunk.len() - self.at);
        into[..length].copy_from_slice(&self.chunk[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}
