//! What arrives: bytes to events, events to messages that wait and frames that are owed.

use std::mem;

use super::due::Due;
use super::ending::Phase;
use super::flow::{Turn, Writing};
use super::item::{Kind, Make};
use super::{Endpoint, Fate};
use crate::close::{CloseFrame, State};
use crate::connection::Event;
use crate::error::ProtocolError;
use crate::frame::{self, Header, MAX_CONTROL_FRAME};
use crate::registry::Opcode;
use crate::{keys, memory};

impl<M> Endpoint<M> {
    /// Bytes have arrived. They are parsed as far as the inbox has room; the rest is held back, and
    /// reading is to pause.
    pub fn read<K: Make<Content = M>>(&mut self, input: &[u8], make: &mut K) {
        let before = self.counts.messages_received;
        let rest = self.parse(input, make);
        if !rest.is_empty() {
            self.hold(rest, make);
        }
        self.announce(before);
    }

    /// If there are more messages than `before`, note how many, and let those be told who wait for them.
    /// Once for all: it would cost each of many in one read four instructions.
    #[inline]
    fn announce(&mut self, before: u64) {
        if self.counts.messages_received != before {
            self.inbox.mark();
            self.owe_thing(self.inbox.due());
        }
    }

    /// Whether a message is arriving that [`Make`] has the place of.
    #[must_use]
    #[inline]
    pub fn is_gathering(&self) -> bool {
        self.gathering.is_some()
    }

    /// The same as [`read`](Self::read) for the next `length` bytes of that message, which are at their
    /// place already.
    #[inline]
    pub fn gathered<K: Make<Content = M>>(&mut self, length: usize, make: &mut K) {
        if self.gathering.is_some() {
            let before = self.counts.messages_received;
            self.core.gathered(length);
            self.finish_gathering(make);
            self.announce(before);
        }
    }

    /// Parse what was held back, as far as there is room now ([`Due::PARSE`]).
    #[cold]
    pub fn parse_held<K: Make<Content = M>>(&mut self, make: &mut K) {
        self.turn(Turn::Drain);
        let before = self.counts.messages_received;
        let mut held = mem::take(&mut self.flow.held);
        let rest = self.parse(&held, make).len();
        self.announce(before);
        if rest > 0 {
            held.drain(..held.len() - rest);
            self.flow.held = held;
            self.turn(Turn::Fill);
        }
    }

    /// Parse `input`; returns what the inbox has no room for.
    #[inline]
    fn parse<'a, K: Make<Content = M>>(&mut self, mut input: &'a [u8], make: &mut K) -> &'a [u8] {
        while !input.is_empty() {
            // Whatever is full: this has its place already. So nothing is ever held that belongs to a
            // large message under way, and what the socket has next is what it lacks.
            if self.gathering.is_some() {
                make.append(self.core.gather(&mut input));
                self.finish_gathering(make);
                continue;
            }
            if (!self.flow.held.is_empty() || self.inbox.may_be_full()) && self.has_no_room() {
                return input;
            }
            match self.core.next_event(&mut input) {
                Ok(Some(event)) => self.handle(event, make),
                Ok(None) => break,
                Err(error) => {
                    self.violated(error, make);
                    break;
                }
            }
        }
        &[]
    }

    /// Whether what comes next has to be held back. To the end nothing is, but what is too much: it is
    /// discarded with all that follows, which would come after a hole.
    #[cold]
    fn has_no_room(&mut self) -> bool {
        if !self.flow.held.is_empty() {
            return true;
        }
        if !self.inbox.is_full() {
            return false;
        }
        let holds = self.flow.reading.heeds_inbox();
        self.ending.discards |= !holds && self.inbox.is_overfull();
        holds
    }

    /// Keep `rest` until the inbox has room. Without memory for that it has to be parsed now, and is
    /// the last that is read.
    #[cold]
    fn hold<K: Make<Content = M>>(&mut self, rest: &[u8], make: &mut K) {
        if self.flow.hold(rest).is_ok() {
            self.turn(Turn::Fill);
        } else {
            self.read_to_the_end(make);
            self.parse(rest, make);
            self.run_out_of_memory(make);
        }
    }

    /// Read on, whatever had paused reading, and parse what was held back.
    pub(super) fn read_to_the_end<K: Make<Content = M>>(&mut self, make: &mut K) {
        self.pause_no_more();
        if self.take_due(Due::PARSE) {
            self.parse_held(make);
        }
    }

    /// From now on nothing pauses reading: the connection ends, and its end is to be read.
    pub(super) fn pause_no_more(&mut self) {
        self.inbox.set_end();
        self.turn(Turn::End);
        if !self.flow.held.is_empty() {
            self.owe_thing(Due::PARSE);
        }
    }

    pub(super) fn turn(&mut self, turn: Turn) {
        if self.flow.turn(turn) {
            self.owe_thing(Due::READING);
        }
    }

    /// Queue the message that was gathered, if it is whole.
    fn finish_gathering<K: Make<Content = M>>(&mut self, make: &mut K) {
        if let Some(size) = self.gathering.take_if(|_| self.core.missing() == 0) {
            let content = Some(make.finish());
            if !self.ending.discards {
                self.push_data(Kind::Binary, content, size, make);
            }
        }
    }

    #[inline]
    fn handle<K: Make<Content = M>>(&mut self, event: Event<'_>, make: &mut K) {
        match event {
            Event::Text(payload) => {
                if self.ending.discards {
                    return self.discard();
                }
                make.arrived(Opcode::Text, &payload);
                let content = make.text(&payload);
                self.push_data(Kind::Text, content, payload.len(), make);
            }
            Event::Binary(payload) => {
                if self.ending.discards {
                    return self.discard();
                }
                make.arrived(Opcode::Binary, &payload);
                let content = make.bytes(Kind::Binary, &payload);
                self.push_data(Kind::Binary, content, payload.len(), make);
            }
            other => self.handle_rare(other, make),
        }
    }

    #[inline(never)] // What is in it would take the registers of what every message needs.
    fn handle_rare<K: Make<Content = M>>(&mut self, event: Event<'_>, make: &mut K) {
        match event {
            Event::Close(frame) => {
                make.close_arrived(&frame);
                self.peer_closed(frame, make);
            }
            Event::Part(part) => self.part(&part, make),
            // §5.5.2 asks for pongs up to the peer's close frame. After this side's own they would meet a
            // peer that has answered it and left: its system resets the connection for that, and what
            // was still on its way is lost, the close frame with it.
            _ if self.ending.discards => {}
            // Its rest does not come any more.
            Event::Large(_) if self.ending.phase == Phase::Gone => {}
            Event::Large(size) => self.gathering = make.begin(size).then_some(size),
            Event::Ping(payload) => {
                make.arrived(Opcode::Ping, &payload);
                if self.settings.autoping {
                    self.answer_ping(&payload, make);
                } else {
                    self.push_bytes(Kind::Ping, &payload, make);
                }
            }
            Event::Pong(payload) => {
                make.arrived(Opcode::Pong, &payload);
                if self.pings.answered(&payload, || make.now()) {
                    self.owe_thing(Due::PONGS);
                }
                if !self.settings.autoping {
                    self.push_bytes(Kind::Pong, &payload, make);
                }
            }
            Event::Text(_) | Event::Binary(_) => {}
        }
    }

    /// Messages that come after this side closes are for nobody; those that are too many are missed.
    #[cold]
    pub(super) fn discard(&mut self) {
        self.inbox.missed += u64::from(!self.ending.called);
    }

    #[expect(clippy::inline_always, reason = "one of its callers has every message")]
    #[inline(always)]
    fn push_data<K: Make<Content = M>>(
        &mut self,
        kind: Kind,
        content: Option<M>,
        size: usize,
        make: &mut K,
    ) {
        let Some(content) = content else {
            return self.run_out_of_memory(make);
        };
        self.counts.received(size);
        if self.inbox.push(kind, content, size).is_err() {
            self.run_out_of_memory(make);
        }
    }

    fn push_bytes<K: Make<Content = M>>(&mut self, kind: Kind, payload: &[u8], make: &mut K) {
        let content = make.bytes(kind, payload);
        self.push(kind, content, payload.len(), make);
    }

    /// Let a message wait to be taken that tells of the connection.
    #[inline(never)]
    pub(super) fn push<K: Make<Content = M>>(
        &mut self,
        kind: Kind,
        content: Option<M>,
        size: usize,
        make: &mut K,
    ) {
        let pushed = content.map(|content| self.inbox.push(kind, content, size));
        if let Some(Ok(())) = pushed {
            self.inbox.mark();
            self.owe_thing(self.inbox.due());
        } else {
            self.run_out_of_memory(make);
        }
    }

    /// §5.5.3. While writing is paused, only the newest ping is to be answered. Reading goes on
    /// meanwhile: if the peer waits to be read before it reads, nobody else would end that.
    fn answer_ping<K: Make<Content = M>>(&mut self, payload: &[u8], make: &mut K) {
        if !matches!(self.core.close_state(), State::Open | State::CloseSent) {
            return;
        }
        if let Writing::Paused(newest) = &mut self.flow.writing {
            match memory::copied(payload) {
                Ok(copy) => *newest = Some(copy),
                Err(_) => self.run_out_of_memory(make),
            }
        } else {
            self.owe_pong(payload, make);
        }
    }

    /// Answer a ping.
    pub(super) fn owe_pong<K: Make<Content = M>>(&mut self, payload: &[u8], make: &mut K) {
        if self.owed.try_reserve(MAX_CONTROL_FRAME).is_err() {
            return self.run_out_of_memory(make);
        }
        match keys::draw() {
            Ok(key) => {
                let header = Header::new(Opcode::Pong, payload.len(), Some(key));
                frame::append_frame(&header, payload, &mut self.owed);
                make.answers(payload);
                self.counts.sent(true, 0);
                self.owe_thing(Due::WRITE);
            }
            Err(_) => self.abort(),
        }
    }

    /// The peer broke the protocol, or memory has run out: fail the connection (§7.1.7), and say so
    /// after what came before.
    #[cold]
    fn violated<K: Make<Content = M>>(&mut self, error: ProtocolError, make: &mut K) {
        if error == ProtocolError::OutOfMemory {
            return self.run_out_of_memory(make);
        }
        // The code and what went wrong (§7.4).
        let answer = CloseFrame::for_error(&error);
        self.end_by_peer(Fate::Violation(error), answer, make);
    }

    /// A part of what has come is lost: read no more, and drop the connection. Nobody is told by a
    /// close frame, as the peer has done nothing wrong.
    #[cold]
    pub fn run_out_of_memory<K: Make<Content = M>>(&mut self, make: &mut K) {
        self.give_up(Fate::Violation(ProtocolError::OutOfMemory), make);
    }

    /// Take nothing more in, and no rest of what has begun.
    pub(super) fn ignore_input<K: Make<Content = M>>(&mut self, make: &mut K) {
        self.core.ignore_input();
        self.gathering = None;
        make.forget();
    }
}
