//! A client's side of one WebSocket connection, without I/O: bytes in, events out.

use std::borrow::Cow;
use std::mem;

use crate::assembler::{Assembler, Part, Parts};
use crate::close::{CloseFrame, State, Step};
use crate::deflate::{Inflater, RSV1};
use crate::error::ProtocolError;
use crate::frame::{self, Header, MAX_CONTROL_FRAME, MAX_CONTROL_PAYLOAD, MAX_HEADER};
use crate::mask::Key;
use crate::registry::Opcode;

/// A message size that no limit was set for; frame lengths stay below 2^63 anyway (§5.2).
pub const UNLIMITED: u64 = u64::MAX >> 1;

/// What arrived. A payload borrows from the input if it lies there whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message, known to be UTF-8.
    Text(Cow<'a, [u8]>),
    /// A whole binary message.
    Binary(Cow<'a, [u8]>),
    /// A ping, to be answered with a pong of the same payload (§5.5.3).
    Ping(Cow<'a, [u8]>),
    /// A pong.
    Pong(Cow<'a, [u8]>),
    /// The peer's close frame; it sends nothing more.
    Close(CloseFrame),
    /// A binary message of one frame and this many bytes has begun, and is not here whole. Who has
    /// a place for it may gather it there with [`Connection::gather`]; otherwise it comes as
    /// [`Event::Binary`].
    Large(usize),
    /// A part of a message that is handed out in parts ([`Connection::begin_parts`]).
    Part(Part),
}

/// The size from which a message is announced by [`Event::Large`]: below, gathering it in the
/// connection costs less than the caller's doing so.
pub const LARGE: u64 = 64 * 1024;

/// The frame under way.
#[derive(Debug, Clone, Copy)]
struct Frame {
    opcode: Opcode,
    fin: bool,
    /// Payload bytes still to come.
    remaining: u64,
}

/// A header that came in pieces.
#[derive(Debug, Default)]
struct PartialHeader {
    bytes: [u8; MAX_HEADER],
    /// INVARIANT: at most `MAX_HEADER`.
    len: usize,
}

impl PartialHeader {
    fn push(&mut self, piece: &[u8]) {
        self.bytes[self.len..self.len + piece.len()].copy_from_slice(piece);
        self.len += piece.len();
    }

    fn filled(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// What has come and gone, in frames.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// Frames of messages whose headers have come.
    pub data_frames: u64,
    /// Close frames, pings and pongs that are whole.
    pub control_frames: u64,
    /// Payload bytes of compressed messages, as they came.
    pub compressed: u64,
    /// The same, decompressed.
    pub inflated: u64,
    /// Close frames that this side has sent: one at most.
    pub close_sent: u64,
}

/// The receiving state machine and the closing handshake of a client.
///
/// ```
/// use wsclient::connection::{Connection, Event};
///
/// let mut connection = Connection::new(1 << 20);
/// let mut input: &[u8] = b"\x81\x05Hello\x89\x00";
/// let mut events = Vec::new();
/// while let Some(event) = connection.next_event(&mut input)? {
///     events.push(format!("{event:?}"));
/// }
/// assert_eq!(events.len(), 2);
/// # Ok::<(), wsclient::error::ProtocolError>(())
/// ```
#[derive(Debug)]
pub struct Connection {
    close: State,
    /// Nothing more is read: the peer's close frame arrived (§5.5.1), it broke the protocol
    /// (§7.1.7), or this side has given it up.
    deaf: bool,
    frame: Option<Frame>,
    header: PartialHeader,
    /// The payload of a control frame that came in pieces.
    control: Vec<u8>,
    assembler: Assembler,
    /// Present if permessage-deflate was negotiated (RFC 7692).
    inflater: Option<Box<Inflater>>,
    /// The message under way is compressed.
    inflating: bool,
    parts: Parts,
    /// Either is so: one question for each piece of most messages.
    special: bool,
    counts: Counts,
}

impl Connection {
    /// An open connection that refuses messages larger than `max_message_size` bytes
    /// ([`UNLIMITED`] for no limit).
    #[must_use]
    pub fn new(max_message_size: u64) -> Self {
        Self {
            close: State::Open,
            deaf: false,
            frame: None,
            header: PartialHeader::default(),
            control: Vec::new(),
            assembler: Assembler::new(max_message_size.min(UNLIMITED)),
            inflater: None,
            inflating: false,
            parts: Parts::Whole,
            special: false,
            counts: Counts::default(),
        }
    }

    /// Refuse data frames with payloads larger than `max_frame_size` bytes, too, compressed and
    /// decompressed.
    pub fn limit_frames(&mut self, max_frame_size: u64) {
        self.assembler.limit_frames(max_frame_size);
    }

    /// Take compressed messages too: permessage-deflate was negotiated.
    pub fn inflate_with(&mut self, inflater: Inflater) {
        self.inflater = Some(Box::new(inflater));
    }

    /// How far the closing handshake has come.
    #[must_use]
    #[inline]
    pub fn close_state(&self) -> State {
        self.close
    }

    /// What has come and gone so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Whether input can still yield events.
    #[must_use]
    #[inline]
    pub fn is_reading(&self) -> bool {
        !self.deaf
    }

    /// Take bytes from the front of `input` until something has arrived whole.
    ///
    /// Returns `None` when `input` is used up. Call it until then, or keep what is left of `input`
    /// for later. After the peer's close frame and after an error all input is ignored.
    ///
    /// # Errors
    /// The peer broke the protocol, or memory has run out: the connection has failed (§7.1.7).
    #[expect(clippy::inline_always, reason = "one of its callers has every message")]
    #[inline(always)]
    pub fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if self.deaf {
            *input = &[];
            return Ok(None);
        }
        if let Some(message) = self.whole_message(input) {
            return Ok(Some(message));
        }
        self.read(input).inspect_err(|_| self.ignore_input())
    }

    /// Note that the transport is gone: no close frame can be sent. Input that came before can
    /// still be read.
    pub fn abandon(&mut self) {
        self.close = State::Closed;
    }

    /// Ignore all further input.
    pub fn ignore_input(&mut self) {
        self.deaf = true;
        self.inflater = None;
    }

    /// Note that this side closes, and build the masked frame that says so: to end the connection,
    /// to answer the peer's close frame, or to tell it of an error ([`CloseFrame::for_error`]).
    /// Appends it to `out`, unless this side's close frame is already out.
    ///
    /// # Errors
    /// There is no memory for it: nothing has changed.
    pub fn close(
        &mut self,
        close: &CloseFrame,
        key: Key,
        out: &mut Vec<u8>,
    ) -> Result<(), ProtocolError> {
        let Some(state) = self.close.after(Step::Send) else {
            return Ok(());
        };
        out.try_reserve(MAX_CONTROL_FRAME)?;
        let payload = close.payload()?;
        let header = Header::new(Opcode::Close, payload.len(), Some(key));
        frame::append_frame(&header, &payload, out);
        self.close = state;
        self.counts.close_sent += 1;
        Ok(())
    }

    #[inline(never)] // So that `next_event` is inlined.
    fn read<'a>(&mut self, input: &mut &'a [u8]) -> Result<Option<Event<'a>>, ProtocolError> {
        loop {
            let frame = match self.frame {
                Some(frame) => frame,
                None => match self.next_frame(input)? {
                    Some(frame) => {
                        if frame.remaining >= LARGE
                            && let Some(length) = self.announce(frame, input.len())
                        {
                            return Ok(Some(Event::Large(length)));
                        }
                        frame
                    }
                    None => return Ok(None),
                },
            };
            let available = usize::try_from(frame.remaining)
                .map_or(input.len(), |remaining| remaining.min(input.len()));
            let (piece, rest) = input.split_at(available);
            *input = rest;
            let remaining = frame.remaining - piece.len() as u64;
            self.frame = (remaining > 0).then_some(Frame { remaining, ..frame });
            let event = if frame.opcode.is_control() {
                self.control_piece(frame.opcode, piece, remaining)?
            } else {
                self.data_piece(frame, piece, remaining)?
            };
            if event.is_some() || remaining > 0 {
                return Ok(event);
            }
        }
    }

    /// The next frame's header, from `input` and what earlier input began; `None` if it is cut.
    #[inline]
    fn next_frame(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, ProtocolError> {
        let earlier = self.header.len;
        let parsed = if earlier == 0 {
            check_bits(input, self.inflater.is_some())?;
            Header::parse(input)?
        } else {
            let wanted = (MAX_HEADER - earlier).min(input.len());
            self.header.push(&input[..wanted]);
            check_bits(self.header.filled(), self.inflater.is_some())?;
            Header::parse(self.header.filled())?
        };
        let Some((header, length)) = parsed else {
            if earlier == 0 {
                self.header.push(input);
            }
            *input = &[];
            return Ok(None);
        };
        self.header.len = 0;
        *input = &input[length - earlier..];
        if !header.opcode.is_control() {
            self.counts.data_frames += 1;
            if header.rsv != 0 || self.inflating {
                (self.inflating, self.special) = (true, true);
                self.counts.compressed += header.length;
                self.assembler.begin_compressed_frame(&header)?;
            } else {
                self.assembler.begin_frame(&header)?;
            }
        }
        Ok(Some(Frame { opcode: header.opcode, fin: header.fin, remaining: header.length }))
    }

    #[inline]
    fn data_piece<'a>(
        &mut self,
        frame: Frame,
        piece: &'a [u8],
        remaining: u64,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let last = frame.fin && remaining == 0;
        if self.special {
            return if self.parts == Parts::Whole {
                self.compressed_piece(piece, last)
            } else {
                self.part_piece(piece, remaining, last)
            };
        }
        if last && let Some(opcode) = self.assembler.single_frame(piece)? {
            return Ok(Some(data_event(opcode, piece.into())));
        }
        self.assembler.push(piece, remaining)?;
        if !last {
            return Ok(None);
        }
        let (opcode, payload) = self.assembler.finish()?;
        Ok(Some(data_event(opcode, payload.into())))
    }

    #[inline(never)] // Else all pieces would look up what decompresses for the thread.
    fn compressed_piece<'a>(
        &mut self,
        piece: &[u8],
        last: bool,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if let Some(inflater) = &mut self.inflater {
            self.assembler.inflate(inflater, piece, last)?;
        }
        if !last {
            return Ok(None);
        }
        (self.inflating, self.special) = (false, false);
        let (opcode, payload) = self.assembler.finish()?;
        self.counts.inflated += payload.len() as u64;
        Ok(Some(data_event(opcode, payload.into())))
    }

    fn control_piece<'a>(
        &mut self,
        opcode: Opcode,
        piece: &'a [u8],
        remaining: u64,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let payload = if self.control.is_empty() && remaining == 0 {
            Cow::Borrowed(piece)
        } else {
            self.control.try_reserve_exact(MAX_CONTROL_PAYLOAD - self.control.len())?;
            self.control.extend_from_slice(piece);
            if remaining > 0 {
                return Ok(None);
            }
            Cow::Owned(mem::take(&mut self.control))
        };
        self.counts.control_frames += 1;
        Ok(Some(match opcode {
            Opcode::Ping => Event::Ping(payload),
            Opcode::Pong => Event::Pong(payload),
            _ => {
                let close = CloseFrame::parse(&payload)?;
                self.close = self.close.after(Step::Receive).unwrap_or(State::Closed);
                self.ignore_input();
                Event::Close(close)
            }
        }))
    }
}

/// What the first two bytes of a header must not say to a client: no extension gives the reserved
/// bits a meaning (§5.2), and a server does not mask (§5.1). With permessage-deflate, RSV1 on the
/// first frame of a message says that the message is compressed (RFC 7692 §6).
#[inline]
fn check_bits(header: &[u8], deflate: bool) -> Result<(), ProtocolError> {
    let Some(first) = header.first() else {
        return Ok(());
    };
    let reserved = first >> 4 & 0x7;
    if reserved != 0 && !(deflate && reserved == RSV1 && matches!(first & 0xF, 0x1 | 0x2)) {
        return Err(ProtocolError::ReservedBits(reserved));
    }
    match header.get(1) {
        Some(second) if second & 0x80 != 0 => Err(ProtocolError::Masked),
        _ => Ok(()),
    }
}

fn data_event(opcode: Opcode, payload: Cow<'_, [u8]>) -> Event<'_> {
    match opcode {
        Opcode::Text => Event::Text(payload),
        _ => Event::Binary(payload),
    }
}

mod large;
mod parts;
mod whole;

#[cfg(test)]
mod compressed;

#[cfg(test)]
mod tests;
