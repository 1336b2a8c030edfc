//! A message that is sent in fragments (RFC 6455 §5.4). Until its last has left, no other data frame may:
//! those wait here.

use std::collections::TryReserveError;
use std::mem;

use super::Endpoint;
use super::due::Due;
use super::item::Make;
use super::outgoing::Outgoing;
use crate::close::CloseFrame;
use crate::frame::{self, Header};
use crate::registry::{Opcode, code};
use crate::utf8::InvalidUtf8;

impl<M> Endpoint<M> {
    /// Begin a message that is sent in fragments, where none is under way. `opcode` is that of text or
    /// binary; with `checks`, its payload is to be UTF-8.
    pub fn begin_message(&mut self, opcode: Opcode, checks: bool) {
        self.outgoing = Some(Outgoing::new(opcode, checks));
    }

    /// Whether such a message is under way.
    #[must_use]
    #[inline]
    pub fn is_in_message(&self) -> bool {
        self.outgoing.is_some()
    }

    /// Whether a frame of this kind is to be held back: between fragments only control frames may go.
    #[must_use]
    #[inline]
    pub fn holds(&self, opcode: Opcode) -> bool {
        self.outgoing.is_some() && matches!(opcode, Opcode::Text | Opcode::Binary)
    }

    /// Hold back a whole message that was [permitted](Self::permit).
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn hold_back(&mut self, header: &Header, payload: &[u8]) -> Result<(), TryReserveError> {
        self.held.try_reserve(header.encoded_len() + payload.len())?;
        frame::append_frame(header, payload, &mut self.held);
        Ok(())
    }

    /// How many bytes are held back.
    #[must_use]
    pub fn held_back(&self) -> usize {
        self.held.len()
    }

    /// Ask to send the next fragment, the last with `fin`. Returns the opcode of its frame, which the
    /// caller then writes; `None` if no message is under way, or no longer, as the connection is not open.
    ///
    /// # Errors
    /// It is not UTF-8, and should be.
    pub fn permit_fragment(
        &mut self,
        payload: &[u8],
        fin: bool,
    ) -> Result<Option<Opcode>, InvalidUtf8> {
        self.outgoing.as_mut().map(|outgoing| outgoing.next(payload, fin)).transpose()
    }

    /// The fragment was written, and is counted. After the last, what was held back follows.
    pub fn fragment_written<K: Make<Content = M>>(&mut self, size: usize, fin: bool, make: &mut K) {
        self.counts.sent_fragment(fin, size);
        if fin {
            self.end_message(make);
        } else if let Some(outgoing) = &mut self.outgoing {
            outgoing.begun();
        }
    }

    /// The message under way cannot be finished. No frame takes back what has left of it, so that is the
    /// end of the connection, unless nothing has. `waits` is as for [`close`](Self::close).
    pub fn break_off<K: Make<Content = M>>(&mut self, waits: bool, make: &mut K) {
        match &self.outgoing {
            Some(outgoing) if outgoing.has_begun() => {
                let reason = "a message broke off between its fragments".to_owned();
                self.close(&CloseFrame { code: Some(code::INTERNAL_ERROR), reason }, waits, make);
                // Nobody may wait for the peer's answer.
                self.owe_thing(Due::TIMER);
            }
            Some(_) => self.end_message(make),
            None => {}
        }
    }

    /// Others have their turn.
    fn end_message<K: Make<Content = M>>(&mut self, make: &mut K) {
        if self.outgoing.take().is_none() {
            return;
        }
        self.owe_thing(Due::TURN);
        // What is owed already are control frames, which may as well come after.
        mem::swap(&mut self.owed, &mut self.held);
        if self.owed.try_reserve(self.held.len()).is_err() {
            return self.run_out_of_memory(make);
        }
        self.owed.append(&mut self.held);
        if !self.owed.is_empty() {
            self.owe_thing(Due::WRITE);
        }
    }

    /// Nothing more is sent: what was held back never will be.
    pub(super) fn drop_message(&mut self) {
        self.held = Vec::new();
        if self.outgoing.take().is_some() {
            self.owe_thing(Due::TURN);
        }
    }
}
