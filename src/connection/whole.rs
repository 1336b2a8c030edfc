//! The short way for a message that has come whole.

use super::{Connection, Event};
use crate::registry::Opcode;
use crate::utf8;

/// The first byte of a message in one frame (§5.2): FIN and the opcode.
const TEXT: u8 = 0x80 | Opcode::Text as u8;
const BINARY: u8 = 0x80 | Opcode::Binary as u8;

impl Connection {
    /// The message at the front of `input`, if all of it is there, in one frame without extensions: most
    /// are so, and this way they take half the instructions. Whatever else there is, and what is wrong
    /// with it, is for [`read`](Self::read) to say.
    #[inline]
    pub(super) fn whole_message<'a>(&mut self, input: &mut &'a [u8]) -> Option<Event<'a>> {
        if self.special || self.frame.is_some() || self.header.len != 0 {
            return None;
        }
        // §5.2: FIN, an opcode, no mask, and the length in its shortest form.
        let (first, length, rest) = match **input {
            [first, length @ ..=125, ref rest @ ..] => (first, usize::from(length), rest),
            [first, 126, high, low, ref rest @ ..] if high > 0 || low > 125 => {
                (first, usize::from(u16::from_be_bytes([high, low])), rest)
            }
            _ => return None,
        };
        let (payload, rest) = rest.split_at_checked(length)?;
        if !self.assembler.takes_whole(length) {
            return None;
        }
        let message = match first {
            TEXT if utf8::validate(payload).is_ok() => Event::Text(payload.into()),
            BINARY => Event::Binary(payload.into()),
            _ => return None,
        };
        self.counts.data_frames += 1;
        *input = rest;
        Some(message)
    }
}
