//! What leaves: whether a frame may, and what waits while the transport has no room.

use std::collections::TryReserveError;
use std::time::{Duration, Instant};

use super::Endpoint;
use super::due::Due;
use super::flow::Writing;
use super::item::Make;
use crate::close::State;
use crate::registry::Opcode;

impl<M> Endpoint<M> {
    /// Whether a frame can be sent.
    #[must_use]
    #[inline]
    pub fn is_open(&self) -> bool {
        self.ending.phase.is_open()
    }

    /// Ask to send a frame with `size` bytes of payload, which is counted; the caller then writes it,
    /// before anything else happens. `false` if none can be sent any more.
    #[must_use]
    #[inline]
    pub fn permit(&mut self, opcode: Opcode, size: usize) -> bool {
        let open = self.is_open();
        if open {
            self.counts.sent(opcode.is_control(), size);
        }
        open
    }

    /// Take note of a ping that is about to be sent, to measure its round trip. If it is `awaited`,
    /// somebody is to be told that ([`Due::PONGS`]).
    ///
    /// # Errors
    /// There is no memory for that.
    pub fn pinging(
        &mut self,
        payload: &[u8],
        now: Instant,
        awaited: bool,
    ) -> Result<(), TryReserveError> {
        self.pings.sent(payload, now, awaited)
    }

    /// An awaited ping could not be sent. Returns how many before it are awaited and have not been told.
    pub fn forget_ping(&mut self, payload: &[u8]) -> Option<usize> {
        self.pings.forget(payload)
    }

    /// The round trip of the next awaited ping, in the order in which they were sent, if it was answered.
    pub fn take_round_trip(&mut self) -> Option<Duration> {
        self.pings.take_answered()
    }

    /// The transport has more to write than it wants to hold.
    pub fn pause_writing(&mut self) {
        if !self.flow.is_writing_paused() {
            self.flow.writing = Writing::Paused(None);
        }
    }

    /// The transport has room again: the newest ping is answered, and senders go on.
    pub fn resume_writing<K: Make<Content = M>>(&mut self, make: &mut K) {
        let writing = std::mem::take(&mut self.flow.writing);
        if let Writing::Paused(Some(payload)) = writing
            && self.core.close_state() == State::Open
        {
            self.owe_pong(&payload, make);
        }
        self.owe_thing(Due::ROOM);
    }

    /// Whether who sends should wait.
    #[must_use]
    #[inline]
    pub fn is_writing_paused(&self) -> bool {
        self.flow.is_writing_paused()
    }
    /// The payload of a compressed message, or `None` if it is to be sent as it is: with `wanted`, its
    /// size does not matter, without it none is compressed.
    pub fn compress(&mut self, payload: &[u8], wanted: Option<bool>) -> Option<Vec<u8>> {
        let compression = self.compression.as_mut()?;
        let large = payload.len() >= compression.min_size;
        if wanted.unwrap_or(large) { compression.deflater.deflate(payload) } else { None }
    }

    /// The message that [`compress`](Self::compress) has made was sent, or could not be: then none may
    /// refer to it.
    pub fn compressed(&mut self, plain: usize, compressed: usize, sent: bool) {
        if sent {
            self.counts.plain += plain as u64;
            self.counts.compressed += compressed as u64;
        } else {
            self.forget_compressed();
        }
    }

    /// Let what is sent next refer to nothing before it.
    pub(super) fn forget_compressed(&mut self) {
        if let Some(compression) = &mut self.compression {
            compression.deflater.forget();
        }
    }
}
