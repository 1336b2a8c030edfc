//! What arrives: bytes to events, events to messages that wait and frames that are owed.

use std::mem;

use super::due::Due;
use super::ending::Phase;
use super::flow::{Turn, Writing};
use super::item::{Item, Kind, Make};
use super::queue::Sized;
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
        let rest = self.parse(input, make);
        if !rest.is_empty() {
            self.hold(rest, make);
        }
        self.inbox.mark();
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
            self.core.gathered(length);
            self.finish_gathering(make);
        }
    }

    /// Parse what was held back, as far as there is room now ([`Due::PARSE`]).
    #[cold]
    pub fn parse_held<K: Make<Content = M>>(&mut self, make: &mut K) {
        self.turn(Turn::Drain);
        let mut held = mem::take(&mut self.flow.held);
        let rest = self.parse(&held, make).len();
        self.inbox.mark();
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
            if self.has_no_room() {
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

    /// Whether what comes next has to be held back.
    #[inline]
    fn has_no_room(&self) -> bool {
        let reading = self.flow.reading;
        reading.holds_back() || self.inbox.is_full() && reading.heeds_inbox()
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
            Event::Close(frame) => self.peer_closed(frame, make),
            _ if self.ending.discards => self.discard(&event),
            Event::Text(payload) => {
                let content = make.text(&payload);
                self.push_data(Kind::Text, content, payload.len(), make);
            }
            Event::Binary(payload) => {
                let content = make.bytes(Kind::Binary, &payload);
                self.push_data(Kind::Binary, content, payload.len(), make);
            }
            // Its rest does not come any more.
            Event::Large(_) if self.ending.phase == Phase::Gone => {}
            Event::Large(size) => self.gathering = make.begin(size).then_some(size),
            Event::Ping(payload) if self.settings.autoping => self.answer_ping(&payload, make),
            Event::Ping(payload) => self.push_bytes(Kind::Ping, &payload, make),
            Event::Pong(payload) => {
                self.pings.answered(&payload, || make.now());
                if !self.settings.autoping {
                    self.push_bytes(Kind::Pong, &payload, make);
                }
            }
        }
    }

    /// Messages that come after this side closes are for nobody; those that are too many are missed.
    #[cold]
    fn discard(&mut self, event: &Event<'_>) {
        let missed = matches!(event, Event::Text(_) | Event::Binary(_));
        self.inbox.dropped += u64::from(missed && !self.ending.called);
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
        match self.inbox.push(Item { kind, content }, size) {
            Ok(due) => self.owe_thing(due),
            Err(_) => self.run_out_of_memory(make),
        }
        if self.inbox.is_overfull() {
            // What came after it would come after a hole.
            self.ending.discards = true;
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
        let pushed = content.map(|content| self.inbox.push(Item { kind, content }, size));
        match pushed {
            Some(Ok(due)) => self.owe_thing(due),
            Some(Err(_)) | None => self.run_out_of_memory(make),
        }
    }

    /// §5.5.3. While writing is paused, only the newest ping is to be answered. Reading goes on
    /// meanwhile: if the peer waits to be read before it reads, nobody else would end that.
    fn answer_ping<K: Make<Content = M>>(&mut self, payload: &[u8], make: &mut K) {
        if self.core.close_state() != State::Open {
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

    /// Whether a message can be taken, or the end be told.
    #[must_use]
    #[inline]
    pub fn has_message(&self) -> bool {
        self.inbox.is_ready() || self.ending.phase == Phase::Gone
    }

    /// The next message; `None` if there is none, after which nothing waits for the end any more.
    #[inline]
    pub fn take(&mut self) -> Option<Item<M>> {
        let item = self.take_queued();
        if item.as_ref().is_none_or(|item| item.kind.is_end()) {
            self.taken_to_the_end(item.as_ref());
        }
        item
    }

    /// The same, for a batch: an error in it is not the end before the batch is answered.
    #[inline]
    pub fn take_queued(&mut self) -> Option<Item<M>> {
        let item = self.inbox.pop();
        if self.flow.reading.holds_back() && self.inbox.is_low() {
            self.owe_thing(Due::PARSE);
        }
        item
    }

    /// Let a message that was taken be the first again.
    #[cold]
    pub fn put_back<K: Make<Content = M>>(&mut self, item: Item<M>, make: &mut K) {
        match self.inbox.put_back(item) {
            Ok(()) => self.owe_thing(Due::WAKE),
            Err(_) => self.run_out_of_memory(make),
        }
    }

    /// Whether nothing that arrived is left to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inbox.is_empty() && self.flow.held.is_empty()
    }

    /// All that waits to be taken, in no order.
    pub fn items(&self) -> impl Iterator<Item = &Item<M>> {
        self.inbox.items()
    }

    /// Messages that wait for their keys, if nobody asks for keys already ([`Due::KEYS`]). Each is to
    /// be given its [`place`](Self::place), and then [`end_asking`](Self::end_asking) to be called.
    pub fn take_fresh(&mut self) -> Option<Vec<Sized<M>>> {
        self.inbox.take_fresh()
    }

    /// Put a message in the place of the one with the number `instead`, if that still waits, or behind
    /// all others; returns its own number then, or an error if there was no memory for it.
    pub fn place<K: Make<Content = M>>(
        &mut self,
        sized: Sized<M>,
        instead: Option<u64>,
        make: &mut K,
    ) -> Result<Option<u64>, ProtocolError> {
        let placed = self.inbox.place(sized, instead);
        if placed.is_err() {
            self.run_out_of_memory(make);
        }
        self.owe_thing(Due::WAKE);
        Ok(placed?)
    }

    /// All that [`take_fresh`](Self::take_fresh) gave has its place.
    pub fn end_asking(&mut self) {
        self.inbox.end_asking();
        if !self.flow.held.is_empty() {
            self.owe_thing(Due::PARSE);
        }
    }

    /// The number of the first message that has one and waits, and how many do.
    #[must_use]
    pub fn numbers(&self) -> (u64, usize) {
        (self.inbox.first_number(), self.inbox.len())
    }

    /// The user wants reading to pause, or to go on.
    pub fn pause_reading(&mut self, pause: bool) {
        self.turn(if pause { Turn::Pause } else { Turn::Resume });
    }

    /// Whether reading is paused from this side, by backpressure or by the user.
    #[must_use]
    pub fn is_reading_paused(&self) -> bool {
        self.flow.reading.is_paused()
    }

    /// Whether what arrives can still yield messages.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.core.is_reading()
    }

    /// Whether reading is to pause, if the transport is to be told ([`Due::READING`]).
    pub fn take_reading(&mut self) -> Option<bool> {
        let due = self.take_due(Due::READING) && self.ending.phase != Phase::Gone;
        let paused = if due { self.flow.tell() } else { None };
        self.counts.pauses += u64::from(paused == Some(true));
        paused
    }
}
