//! Messages that are handed out in parts, frame by frame (§5.4).

use std::collections::TryReserveError;

use super::{Connection, Event};
use crate::assembler::{Part, Parts};
use crate::error::ProtocolError;
use crate::registry::Opcode;

impl Connection {
    /// Hand out the next message as [`Event::Part`]s, one for each of its frames; or what is left of
    /// the one under way. Returns the part that is what came with its frames before, if it has any.
    ///
    /// A message of one large frame may be announced by [`Event::Large`] all the same, and comes whole.
    ///
    /// # Errors
    /// There is no memory for that part: the connection has failed.
    pub fn begin_parts(&mut self) -> Result<Option<Part>, ProtocolError> {
        if self.parts != Parts::Whole {
            return Ok(None);
        }
        self.set_parts(Parts::Wanted);
        let inside = self.frame.is_some_and(|frame| !frame.opcode.is_control());
        let part = self.assembler.part(inside).inspect_err(|_| self.ignore_input())?;
        Ok(part.filter(|(_, payload)| !payload.is_empty()).map(|part| self.part(part, false)))
    }

    /// Hand out messages whole again, but not the one of which a part is out.
    pub fn end_parts(&mut self) {
        if self.parts == Parts::Wanted {
            self.set_parts(Parts::Whole);
        }
    }

    /// Take back all that is out of the message under way: it is to be handed out whole.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn rejoin(&mut self, parts: Vec<u8>) -> Result<(), TryReserveError> {
        self.set_parts(Parts::Whole);
        self.assembler.rejoin(parts)
    }

    pub(super) fn set_parts(&mut self, parts: Parts) {
        self.parts = parts;
        self.special = self.inflating || parts != Parts::Whole;
    }

    /// Whether a part of the message under way is out, and not the last.
    #[must_use]
    pub fn is_inside_parts(&self) -> bool {
        self.parts == Parts::Begun
    }

    #[cold]
    pub(super) fn part_piece<'a>(
        &mut self,
        piece: &[u8],
        remaining: u64,
        last: bool,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        match &mut self.inflater {
            Some(inflater) if self.inflating => self.assembler.inflate(inflater, piece, last)?,
            _ => self.assembler.push(piece, remaining)?,
        }
        if remaining > 0 {
            return Ok(None);
        }
        let part =
            if last { Some(self.assembler.finish()?) } else { self.assembler.part(false)? };
        Ok(part.map(|part| Event::Part(self.part(part, last))))
    }

    /// The part that is these bytes.
    fn part(&mut self, (opcode, payload): (Opcode, Vec<u8>), last: bool) -> Part {
        if self.inflating {
            self.counts.inflated += payload.len() as u64;
            self.inflating = !last;
        }
        self.set_parts(if last { Parts::Whole } else { Parts::Begun });
        Part { opcode, payload, last }
    }
}
