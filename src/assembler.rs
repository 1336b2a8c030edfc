//! Frames to messages (RFC 6455 §5.4), with the size limit and the UTF-8 check.

use std::collections::TryReserveError;
use std::mem;

use crate::deflate::Inflater;
use crate::error::ProtocolError;
use crate::frame::Header;
use crate::memory;
use crate::registry::Opcode;
use crate::utf8::{self, InvalidUtf8, Utf8Validator};

/// How much a header's promise alone may allocate; beyond it, memory follows the bytes.
const TRUSTED: usize = 256 * 1024;

/// A part of a message; of text whole characters, known to be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The message's: text or binary.
    pub opcode: Opcode,
    /// What has come since the part before.
    pub payload: Vec<u8>,
    /// Whether the message ends with it.
    pub last: bool,
}

/// Whether messages are handed out whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// They are.
    Whole,
    /// The next is not, or the one that is under way.
    Wanted,
    /// A part of the one under way has been handed out.
    Begun,
}

/// Gathers the fragments of one message at a time.
#[derive(Debug)]
pub struct Assembler {
    /// INVARIANT: text or binary while a message is under way, else `None`.
    opcode: Option<Opcode>,
    payload: Vec<u8>,
    /// Where in `payload` the frame under way begins.
    frame_start: usize,
    /// Bytes of the message that have been handed out in parts.
    parted: u64,
    utf8: Utf8Validator,
    /// Payload bytes that the message's headers have announced.
    announced: u64,
    limit: u64,
    frame_limit: u64,
    /// The lower of the two.
    least_limit: u64,
}

impl Assembler {
    /// An assembler that refuses messages larger than `limit` bytes.
    #[must_use]
    pub fn new(limit: u64) -> Self {
        Self {
            opcode: None,
            payload: Vec::new(),
            frame_start: 0,
            parted: 0,
            utf8: Utf8Validator::new(),
            announced: 0,
            limit,
            frame_limit: u64::MAX,
            least_limit: limit,
        }
    }

    /// Refuse frames larger than `limit` bytes, too.
    pub fn limit_frames(&mut self, limit: u64) {
        self.frame_limit = limit;
        self.least_limit = self.limit.min(limit);
    }

    /// Take note of a data frame's header, before its payload.
    ///
    /// # Errors
    /// A continuation of nothing, a new message inside a message, or a frame or a message over its
    /// limit.
    #[inline]
    pub fn begin_frame(&mut self, header: &Header) -> Result<(), ProtocolError> {
        match (self.opcode, header.opcode) {
            (None, Opcode::Continuation) => return Err(ProtocolError::NothingToContinue),
            (None, opcode) => {
                self.opcode = Some(opcode);
                self.announced = 0;
            }
            (Some(_), Opcode::Continuation) => self.frame_start = self.payload.len(),
            (Some(_), opcode) => return Err(ProtocolError::Interleaved(opcode)),
        }
        // Both terms are below 2^63, so the sum cannot wrap.
        self.announced += header.length;
        if self.announced > self.least_limit {
            return self.check_sizes(header.length);
        }
        Ok(())
    }

    #[cold]
    fn check_sizes(&self, frame: u64) -> Result<(), ProtocolError> {
        self.check_frame(frame)?;
        let (size, limit) = (self.announced, self.limit);
        if size > limit { Err(ProtocolError::MessageTooBig { size, limit }) } else { Ok(()) }
    }

    /// Take note of the header of a compressed message's frame. What it announces says nothing of
    /// the message's size: that is for [`inflate`](Self::inflate) to bound.
    ///
    /// # Errors
    /// A continuation of nothing, a new message inside a message, or a frame over its limit.
    pub fn begin_compressed_frame(&mut self, header: &Header) -> Result<(), ProtocolError> {
        self.begin_frame(&Header { length: 0, ..*header })?;
        self.check_frame(header.length)
    }

    fn check_frame(&self, size: u64) -> Result<(), ProtocolError> {
        let limit = self.frame_limit;
        if size > limit { Err(ProtocolError::FrameTooBig { size, limit }) } else { Ok(()) }
    }

    /// The whole payload of a message of one frame, checked where it stands: nothing is copied.
    /// `None` if the message has earlier fragments.
    ///
    /// # Errors
    /// Text that is not UTF-8.
    #[inline]
    pub fn single_frame(&mut self, payload: &[u8]) -> Result<Option<Opcode>, ProtocolError> {
        let Some(opcode) = self.opcode else {
            return Ok(None);
        };
        if self.announced != payload.len() as u64 || !self.payload.is_empty() {
            return Ok(None);
        }
        if opcode == Opcode::Text {
            // An earlier fragment without bytes leaves the validator at its start.
            utf8::validate(payload)?;
        }
        self.opcode = None;
        Ok(Some(opcode))
    }

    /// Whether no message is under way, and one of `length` bytes in a single frame is within its limits.
    #[must_use]
    #[inline]
    pub fn takes_whole(&self, length: usize) -> bool {
        self.opcode.is_none() && length as u64 <= self.least_limit
    }

    /// Whether the frame under way, with a payload of `length` bytes, is all of a binary message.
    #[must_use]
    pub fn is_whole_binary(&self, length: u64) -> bool {
        self.opcode == Some(Opcode::Binary) && self.announced == length && self.payload.is_empty()
    }

    /// The message under way was gathered elsewhere.
    pub fn gathered(&mut self) {
        self.opcode = None;
    }

    /// Keep a piece of a frame's payload, of which `remaining` bytes are still to come.
    ///
    /// # Errors
    /// Text that can no longer become UTF-8, or no memory for the piece.
    pub fn push(&mut self, piece: &[u8], remaining: u64) -> Result<(), ProtocolError> {
        if self.opcode == Some(Opcode::Text) {
            self.utf8.feed(piece)?;
        }
        let promised = usize::try_from(remaining).map_or(TRUSTED, |bytes| bytes.min(TRUSTED));
        self.payload.try_reserve(piece.len() + promised)?;
        self.payload.extend_from_slice(piece);
        Ok(())
    }

    /// Keep what a piece of a compressed message's payload yields, `last` being the message's last.
    ///
    /// # Errors
    /// A frame or a message over its limit, text that can no longer become UTF-8, data that is not
    /// DEFLATE's, or no memory.
    pub fn inflate(
        &mut self,
        inflater: &mut Inflater,
        piece: &[u8],
        last: bool,
    ) -> Result<(), ProtocolError> {
        let text = self.opcode == Some(Opcode::Text);
        let check = |stretch: &[u8]| {
            if text {
                self.utf8.feed(stretch)?;
            }
            Ok(())
        };
        let start = self.frame_start as u64;
        let frame = start.saturating_add(self.frame_limit);
        let most = frame.min(self.limit - self.parted);
        let exceeded = |error| match error {
            ProtocolError::MessageTooBig { size, .. } if size > frame => {
                ProtocolError::FrameTooBig { size: size - start, limit: self.frame_limit }
            }
            ProtocolError::MessageTooBig { size, .. } => {
                ProtocolError::MessageTooBig { size: size + self.parted, limit: self.limit }
            }
            other => other,
        };
        inflater.inflate(piece, last, most, &mut self.payload, check).map_err(exceeded)
    }

    /// Hand out what is gathered of the message under way: all of it, or with `inside` what is before
    /// the frame under way; of text whole characters only. `None` if no message is under way.
    ///
    /// # Errors
    /// There is no memory for what is left: nothing has changed.
    pub fn part(&mut self, inside: bool) -> Result<Option<(Opcode, Vec<u8>)>, ProtocolError> {
        let Some(opcode) = self.opcode else {
            return Ok(None);
        };
        let mut end = if inside { self.frame_start } else { self.payload.len() };
        if opcode == Opcode::Text {
            end = end.min(self.payload.len() - self.utf8.unfinished());
            while self.payload.get(end).is_some_and(|byte| is_continuation(*byte)) {
                end -= 1;
            }
        }
        let rest = memory::copied(&self.payload[end..])?;
        let mut part = mem::replace(&mut self.payload, rest);
        part.truncate(end);
        self.frame_start -= end.min(self.frame_start);
        self.parted += end as u64;
        Ok(Some((opcode, part)))
    }

    /// Take back what has been handed out of it in parts: the message is to be handed out whole.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn rejoin(&mut self, mut parts: Vec<u8>) -> Result<(), TryReserveError> {
        parts.try_reserve(self.payload.len())?;
        self.frame_start += parts.len();
        self.parted -= parts.len() as u64;
        parts.extend_from_slice(&self.payload);
        self.payload = parts;
        Ok(())
    }

    /// Hand out the message whose last frame is complete, or what is left of it.
    ///
    /// # Errors
    /// Text that ends inside a character, or no message at all.
    pub fn finish(&mut self) -> Result<(Opcode, Vec<u8>), ProtocolError> {
        let opcode = self.opcode.take().ok_or(ProtocolError::NothingToContinue)?;
        self.utf8.finish()?;
        self.utf8 = Utf8Validator::new();
        (self.frame_start, self.parted) = (0, 0);
        Ok((opcode, mem::take(&mut self.payload)))
    }
}

/// Whether a byte of UTF-8 is not the first of its character.
fn is_continuation(byte: u8) -> bool {
    byte & 0xC0 == 0x80
}

impl From<InvalidUtf8> for ProtocolError {
    fn from(InvalidUtf8(offset): InvalidUtf8) -> Self {
        Self::InvalidUtf8(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(opcode: Opcode, fin: bool, length: u64) -> Header {
        Header { fin, rsv: 0, opcode, key: None, length }
    }

    #[test]
    fn the_limit_is_inclusive_and_sums_fragments() -> Result<(), ProtocolError> {
        let mut assembler = Assembler::new(10);
        assembler.begin_frame(&header(Opcode::Binary, false, 4))?;
        assembler.push(&[0; 4], 0)?;
        assembler.begin_frame(&header(Opcode::Continuation, false, 6))?;
        assembler.push(&[0; 6], 0)?;
        assert_eq!(
            assembler.begin_frame(&header(Opcode::Continuation, true, 1)),
            Err(ProtocolError::MessageTooBig { size: 11, limit: 10 })
        );
        Ok(())
    }

    #[test]
    fn a_header_alone_allocates_little() -> Result<(), ProtocolError> {
        let mut assembler = Assembler::new(u64::MAX >> 1);
        assembler.begin_frame(&header(Opcode::Binary, true, u64::MAX >> 1))?;
        assembler.push(b"x", (u64::MAX >> 1) - 1)?;
        assert!(assembler.payload.capacity() < 2 * 256 * 1024);
        Ok(())
    }

    #[test]
    fn frames_keep_their_order() -> Result<(), ProtocolError> {
        let mut assembler = Assembler::new(100);
        let continuation = header(Opcode::Continuation, true, 0);
        assert_eq!(assembler.begin_frame(&continuation), Err(ProtocolError::NothingToContinue));
        assembler.begin_frame(&header(Opcode::Text, false, 0))?;
        assert_eq!(
            assembler.begin_frame(&header(Opcode::Binary, true, 0)),
            Err(ProtocolError::Interleaved(Opcode::Binary))
        );
        Ok(())
    }
}
