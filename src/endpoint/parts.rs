//! A message that is received in parts, as its fragments arrive (RFC 6455 §5.4).
//!
//! It is the next message that whoever receives would get whole. If it waits already it stays whole;
//! else its parts wait like messages, before all that comes after it. Whoever receives something else
//! instead of its next part has left it, and gets nothing of it: its rest is discarded as it arrives.

use super::Endpoint;
use super::due::Due;
use super::item::{Item, Kind, Make};
use super::streaming::Stage;
use crate::assembler::Part;
use crate::registry::Opcode;

impl<M> Endpoint<M> {
    /// What keeps messages from being received in parts, if something does.
    #[must_use]
    pub fn streaming_obstacle(&self) -> Option<&'static str> {
        if self.inbox.policy().is_some() {
            Some("with a queue that drops messages")
        } else if !self.settings.autoping {
            Some("without autoping: pings would come between the parts")
        } else {
            None
        }
    }

    /// Whether somebody receives a message in parts.
    #[must_use]
    #[inline]
    pub fn is_streaming(&self) -> bool {
        self.streaming.stage != Stage::Off
    }

    /// The number of the message that is received in parts, if it has more than have been taken; else 0.
    #[must_use]
    pub fn streamed(&self) -> u64 {
        if self.streaming.stage == Stage::Begun { self.streaming.number } else { 0 }
    }

    /// Somebody wants the next part of a message: of a new one if this `begins`.
    ///
    /// Returns whether there can be one: not if what was begun has been left.
    pub fn want_part<K: Make<Content = M>>(&mut self, begins: bool, make: &mut K) -> bool {
        let begun = self.streaming.stage == Stage::Begun;
        if !begins {
            return begun;
        }
        if begun {
            self.leave_parts();
        }
        if !self.has_message() {
            self.streaming.stage = Stage::Wanted;
            self.begin_parts(make);
        }
        true
    }

    fn begin_parts<K: Make<Content = M>>(&mut self, make: &mut K) {
        match self.core.begin_parts() {
            Ok(Some(part)) => self.push_part(&part, make),
            Ok(None) => {}
            Err(_) => self.run_out_of_memory(make),
        }
    }

    /// The next part, or what comes instead: a whole message, if none was begun, or the end.
    pub fn take_part(&mut self) -> Option<Item<M>> {
        let item = self.take();
        self.streaming.before = self.streaming.stage;
        match item.as_ref().map(|item| item.kind) {
            Some(Kind::Part) => {
                self.streaming.number += u64::from(self.streaming.before == Stage::Wanted);
                self.streaming.stage = Stage::Begun;
            }
            Some(Kind::LastPart | Kind::Text | Kind::Binary) => self.streaming.stage = Stage::Off,
            _ => {}
        }
        item
    }

    /// Whoever wanted a part waits for it no longer. Unless one was taken, the message comes whole after
    /// all: it is for whoever receives next.
    #[cold]
    pub fn want_no_part<K: Make<Content = M>>(&mut self, make: &mut K) {
        if self.streaming.stage != Stage::Wanted {
            return;
        }
        self.streaming.stage = Stage::Off;
        if !self.inbox.begins_with_part() {
            self.core.end_parts();
        } else if self.rejoin(make).is_none() {
            self.run_out_of_memory(make);
        }
    }

    /// Make the parts that wait one again, the beginning of a message or all of it. `None` without memory.
    fn rejoin<K: Make<Content = M>>(&mut self, make: &mut K) -> Option<()> {
        let (mut payload, mut last, mut fits) = (Vec::new(), false, true);
        while let Some(part) = self.inbox.pop_part() {
            fits = fits && make.unmake(&part.content, &mut payload).is_some();
            last = part.kind == Kind::LastPart;
        }
        if !fits {
            return None;
        }
        self.parse_if_low();
        if !last && !self.core.is_inside_parts() {
            // Its rest has come, and was discarded.
            return Some(());
        }
        if !last {
            self.counts.bytes_received -= payload.len() as u64;
            return self.core.rejoin(payload).ok();
        }
        let (kind, content) = match self.streaming.opcode {
            Opcode::Text => (Kind::Text, make.text(&payload)?),
            _ => (Kind::Binary, make.bytes(Kind::Binary, &payload)?),
        };
        self.inbox.put_back(Item { kind, content }).ok()
    }

    /// Nobody wants the rest of the message that is received in parts.
    #[cold]
    pub fn leave_parts(&mut self) {
        if !self.is_streaming() {
            return;
        }
        let mut last = None;
        while let Some(part) = self.inbox.pop_part() {
            last = Some(part.kind);
        }
        self.core.end_parts();
        self.streaming.discards = last != Some(Kind::LastPart) && self.core.is_inside_parts();
        self.streaming.stage = Stage::Off;
        self.parse_if_low();
    }

    /// Parts that waited have gone: there may be room for what is held back.
    fn parse_if_low(&mut self) {
        if !self.flow.held.is_empty() && self.inbox.is_low() {
            self.owe_thing(Due::PARSE);
        }
    }

    /// A part has arrived.
    pub(super) fn part<K: Make<Content = M>>(&mut self, part: &Part, make: &mut K) {
        if self.ending.discards {
            if part.last {
                self.discard();
            }
        } else if self.streaming.discards {
            make.part_arrived(part.opcode, &part.payload, part.last);
            self.counts.received_part(part.payload.len(), part.last);
            self.streaming.discards = !part.last;
            // The next may be wanted already.
            if part.last && self.is_streaming() {
                self.begin_parts(make);
            }
        } else {
            self.push_part(part, make);
        }
    }

    fn push_part<K: Make<Content = M>>(&mut self, part: &Part, make: &mut K) {
        let Part { opcode, payload, last } = part;
        self.streaming.opcode = *opcode;
        make.part_arrived(*opcode, payload, *last);
        let content = match opcode {
            Opcode::Text => make.text(payload),
            _ => make.bytes(Kind::Binary, payload),
        };
        if content.is_some() {
            self.counts.received_part(payload.len(), *last);
        }
        let kind = if *last { Kind::LastPart } else { Kind::Part };
        self.push(kind, content, payload.len(), make);
    }
}
