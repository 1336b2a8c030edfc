//! Large binary messages of one frame, which whoever has a place for them gathers there.

use super::{Connection, Frame};
use crate::assembler::Parts;

impl Connection {
    /// The length of `frame`'s payload, if the frame is all of a binary message and more than the
    /// `available` bytes.
    #[cold]
    pub(super) fn announce(&mut self, frame: Frame, available: usize) -> Option<usize> {
        let length = usize::try_from(frame.remaining).ok()?;
        let alone = self.assembler.is_whole_binary(frame.remaining) && !self.is_inside_parts();
        if !frame.fin || length <= available || !alone {
            return None;
        }
        self.frame = Some(frame);
        Some(length)
    }

    /// Take the bytes of the message that [`Event::Large`](super::Event::Large) announced from the
    /// front of `input`.
    /// They are all there when their lengths add up to the message's; then `next_event` goes on.
    #[inline]
    pub fn gather<'a>(&mut self, input: &mut &'a [u8]) -> &'a [u8] {
        if self.deaf {
            *input = &[];
        }
        let wanted =
            usize::try_from(self.missing()).map_or(input.len(), |wanted| wanted.min(input.len()));
        let (piece, rest) = input.split_at(wanted);
        *input = rest;
        self.gathered(piece.len());
        piece
    }

    /// The same for `length` bytes that the caller has read to where they belong.
    #[inline]
    pub fn gathered(&mut self, length: usize) {
        if let Some(frame) = &mut self.frame {
            frame.remaining = frame.remaining.saturating_sub(length as u64);
            if frame.remaining == 0 {
                self.frame = None;
                self.assembler.gathered();
                self.set_parts(Parts::Whole);
            }
        }
    }

    /// How many bytes of that message are still to come.
    #[must_use]
    #[inline]
    pub fn missing(&self) -> u64 {
        self.frame.map_or(0, |frame| frame.remaining)
    }
}
