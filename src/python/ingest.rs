//! Events of the core, turned into messages that wait and frames that are owed.

use pyo3::prelude::*;

use super::gathering::Gathering;
use super::message::Item;
use super::protocol::Protocol;
use super::runtime::Kind;
use super::{keys, memory};
use crate::close::State;
use crate::connection::Event;
use crate::error::ProtocolError;
use crate::frame::{self, Header, MAX_CONTROL_FRAME, Opcode};

impl Protocol {
    /// Parse `input` as far as the inbox has room; the rest waits in `flow.unparsed`.
    ///
    /// Runs no Python code, so it may be called on the shared read buffer.
    pub(super) fn ingest(&mut self, py: Python<'_>, input: &[u8]) {
        let rest = self.parse(py, input);
        if !rest.is_empty() {
            self.hold(py, rest);
        }
        self.inbox.mark();
    }

    /// Parse `input`; returns what the inbox has no room for.
    #[inline]
    pub(super) fn parse<'a>(&mut self, py: Python<'_>, mut input: &'a [u8]) -> &'a [u8] {
        while !input.is_empty() {
            // Whatever is full: this has its place already. So nothing is ever held that belongs to a
            // large message under way, and what the socket has next is what it lacks.
            if let Some(gathering) = &mut self.gathering {
                gathering.append(self.core.gather(&mut input));
                self.finish_gathering(py);
                continue;
            }
            if (self.inbox.is_full() || self.flow.holds()) && !self.flow.to_the_end {
                return input;
            }
            match self.core.next_event(&mut input) {
                Ok(Some(event)) => self.handle(py, event),
                Ok(None) => break,
                Err(error) => {
                    self.ending.violation = Some(error);
                    break;
                }
            }
        }
        &[]
    }

    /// Keep `rest` until the inbox has room. Without memory for that it has to be parsed now, and is
    /// the last that is read.
    #[cold]
    fn hold(&mut self, py: Python<'_>, rest: &[u8]) {
        if self.flow.hold(rest).is_err() {
            self.read_to_the_end(py);
            self.parse(py, rest);
            self.run_out_of_memory();
        }
    }

    /// A part of what has come is lost: read no more, and let `closing::refuse` say so after what
    /// came before.
    #[cold]
    pub(super) fn run_out_of_memory(&mut self) {
        self.ending.violation.get_or_insert(ProtocolError::OutOfMemory);
        self.ignore_input();
    }

    /// Take nothing more in, and no rest of what has begun.
    pub(super) fn ignore_input(&mut self) {
        self.core.ignore_input();
        self.gathering = None;
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
                    Err(_) => self.run_out_of_memory(),
                }
            }
            Event::Binary(payload) => match memory::bytes(py, &payload) {
                Ok(data) => {
                    self.push_data(py, Kind::Binary, data.into_any().unbind(), payload.len());
                }
                Err(_) => self.run_out_of_memory(),
            },
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

    #[expect(clippy::inline_always, reason = "one of its callers has every message")]
    #[inline(always)]
    fn push_data(&mut self, py: Python<'_>, kind: Kind, data: Py<PyAny>, size: usize) {
        self.counts.received(size);
        let mut item = Item::new(kind, data);
        item.extra = self.reads.at.as_ref().map(|at| at.clone_ref(py));
        if self.inbox.push(item, size).is_err() {
            self.run_out_of_memory();
        }
    }

    /// Let a message wait to be taken that tells of the connection.
    #[inline(never)]
    pub(super) fn queue(&mut self, item: Item, size: usize) {
        if self.inbox.push(item, size).is_err() {
            self.run_out_of_memory();
        }
    }

    fn push_bytes(&mut self, py: Python<'_>, kind: Kind, payload: &[u8]) {
        match memory::bytes(py, payload) {
            Ok(data) => self.queue(Item::new(kind, data.into_any().unbind()), payload.len()),
            Err(_) => self.run_out_of_memory(),
        }
    }

    /// §5.5.3. A peer that sends pings and does not read gets the newest one answered, once it
    /// reads again; the others would pile up.
    fn answer_ping(&mut self, payload: &[u8]) {
        if self.core.close_state() != State::Open || self.ending.lost {
            return;
        }
        if self.flow.write_paused {
            if self.flow.owe_pong(payload).is_err() {
                self.run_out_of_memory();
            }
        } else {
            self.owe(Opcode::Pong, payload);
        }
    }

    /// Queue a control frame for `settle` to write.
    pub(super) fn owe(&mut self, opcode: Opcode, payload: &[u8]) {
        if self.owed.try_reserve(MAX_CONTROL_FRAME).is_err() {
            return self.run_out_of_memory();
        }
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
