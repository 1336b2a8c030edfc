//! Events of the core, turned into messages that wait and frames that are owed.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::gathering::Gathering;
use super::message::Item;
use super::protocol::Protocol;
use super::runtime::Kind;
use super::{call, keys};
use crate::close::State;
use crate::connection::Event;
use crate::frame::{self, Header, Opcode};

impl Protocol {
    /// Parse `input` as far as the inbox has room; the rest waits in `flow.unparsed`.
    ///
    /// Runs no Python code, so it may be called on the shared read buffer.
    pub(super) fn ingest(&mut self, py: Python<'_>, input: &[u8]) {
        self.parse(py, input);
        self.inbox.mark();
    }

    #[inline]
    fn parse(&mut self, py: Python<'_>, mut input: &[u8]) {
        while !input.is_empty() {
            if (self.inbox.is_full() || self.flow.holds()) && !self.flow.to_the_end {
                self.flow.hold(input);
                return;
            }
            if let Some(gathering) = &mut self.gathering {
                gathering.append(self.core.gather(&mut input));
                self.finish_gathering(py);
                continue;
            }
            match self.core.next_event(&mut input) {
                Ok(Some(event)) => self.handle(py, event),
                Ok(None) => return,
                Err(error) => {
                    self.ending.violation = Some(error);
                    return;
                }
            }
        }
    }

    /// Queue the large message, if it is here whole.
    pub(super) fn finish_gathering(&mut self, py: Python<'_>) {
        if let Some(whole) = self.gathering.take_if(|gathering| gathering.is_whole())
            && !self.ending.called
        {
            let (data, size) = whole.finish();
            self.push_data(py, Kind::Binary, data, size);
        }
    }

    #[inline]
    fn handle(&mut self, py: Python<'_>, event: Event<'_>) {
        match event {
            Event::Close(frame) => self.peer_closed(py, &frame),
            // What else comes after this side's close frame is for nobody.
            _ if self.ending.called || self.inbox.is_overfull() => {}
            Event::Text(payload) => {
                // SAFETY: the core has validated it.
                match unsafe { self.options.text(py, &payload) } {
                    Ok(text) => self.push_data(py, Kind::Text, text.unbind(), payload.len()),
                    // Memory has run out.
                    Err(error) => call::unraisable(py, error, None),
                }
            }
            Event::Binary(payload) => {
                let data = PyBytes::new(py, &payload).into_any().unbind();
                self.push_data(py, Kind::Binary, data, payload.len());
            }
            Event::Large(size) => self.gathering = Gathering::new(py, size),
            Event::Ping(payload) if self.options.autoping => self.answer_ping(&payload),
            Event::Ping(payload) => self.push_bytes(py, Kind::Ping, &payload),
            Event::Pong(payload) => {
                self.pings.answered(&payload);
                if !self.options.autoping {
                    self.push_bytes(py, Kind::Pong, &payload);
                }
            }
        }
    }

    #[inline]
    fn push_data(&mut self, py: Python<'_>, kind: Kind, data: Py<PyAny>, size: usize) {
        self.counts.received(size);
        let mut item = Item::new(kind, data);
        item.extra = self.read_at.as_ref().map(|read_at| read_at.clone_ref(py));
        self.inbox.push(item, size);
    }

    fn push_bytes(&mut self, py: Python<'_>, kind: Kind, payload: &[u8]) {
        let data = PyBytes::new(py, payload).into_any().unbind();
        self.inbox.push(Item::new(kind, data), payload.len());
    }

    /// §5.5.3. A peer that sends pings and does not read gets the newest one answered, once it
    /// reads again; the others would pile up.
    fn answer_ping(&mut self, payload: &[u8]) {
        if self.core.close_state() != State::Open || self.ending.lost {
            return;
        }
        if self.flow.write_paused {
            self.flow.owe_pong(payload);
        } else {
            self.owe(Opcode::Pong, payload);
        }
    }

    /// Queue a control frame for `settle` to write.
    pub(super) fn owe(&mut self, opcode: Opcode, payload: &[u8]) {
        match keys::draw() {
            Ok(key) => {
                let header = Header::new(opcode, payload.len(), Some(key));
                frame::append_frame(&header, payload, &mut self.owed);
                self.counts.sent(true, 0);
            }
            Err(_) => self.ending.abort = true,
        }
    }
}
