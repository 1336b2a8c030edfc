//! A client's side of one WebSocket connection, without I/O: bytes in, events out.

use std::borrow::Cow;

use crate::assembler::Assembler;
use crate::close::{CloseFrame, State, Step};
use crate::deflate::{Inflater, RSV1};
use crate::error::ProtocolError;
use crate::frame::{self, Header, MAX_CONTROL_PAYLOAD, MAX_HEADER, Opcode};
use crate::mask::Key;

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

/// Bytes that came in pieces but are needed whole: a header or a control frame's payload.
#[derive(Debug)]
struct Partial<const N: usize> {
    bytes: [u8; N],
    /// INVARIANT: at most `N`.
    len: usize,
}

impl<const N: usize> Partial<N> {
    const fn new() -> Self {
        Self { bytes: [0; N], len: 0 }
    }

    fn push(&mut self, piece: &[u8]) {
        self.bytes[self.len..self.len + piece.len()].copy_from_slice(piece);
        self.len += piece.len();
    }

    fn filled(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
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
    header: Partial<MAX_HEADER>,
    control: Partial<MAX_CONTROL_PAYLOAD>,
    assembler: Assembler,
    /// Present if permessage-deflate was negotiated (RFC 7692).
    inflater: Option<Box<Inflater>>,
    /// The message under way is compressed.
    inflating: bool,
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
            header: Partial::new(),
            control: Partial::new(),
            assembler: Assembler::new(max_message_size.min(UNLIMITED)),
            inflater: None,
            inflating: false,
        }
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
    /// The peer broke the protocol: the connection has failed (§7.1.7).
    #[inline]
    pub fn next_event<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        if self.deaf {
            *input = &[];
            return Ok(None);
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
    /// `None` if this side's close frame is already out.
    pub fn close(&mut self, close: &CloseFrame, key: Key) -> Option<Vec<u8>> {
        self.close = self.close.after(Step::Send)?;
        let payload = close.payload();
        let mut out = Vec::new();
        let header = Header::new(Opcode::Close, payload.len(), Some(key));
        frame::append_frame(&header, &payload, &mut out);
        Some(out)
    }

    /// Take the bytes of the message that [`Event::Large`] announced from the front of `input`.
    /// They are all there when their lengths add up to the message's; then `next_event` goes on.
    #[inline]
    pub fn gather<'a>(&mut self, input: &mut &'a [u8]) -> &'a [u8] {
        let wanted = self.frame.map_or(0, |frame| frame.remaining);
        let wanted = usize::try_from(wanted).map_or(input.len(), |wanted| wanted.min(input.len()));
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
            }
        }
    }

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

    /// The length of `frame`'s payload, if the frame is all of a binary message and more than the
    /// `available` bytes.
    #[cold]
    fn announce(&mut self, frame: Frame, available: usize) -> Option<usize> {
        let length = usize::try_from(frame.remaining).ok()?;
        if !frame.fin || length <= available || !self.assembler.is_whole_binary(frame.remaining) {
            return None;
        }
        self.frame = Some(frame);
        Some(length)
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
            if header.rsv != 0 || self.inflating {
                self.inflating = true;
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
        if self.inflating {
            return self.compressed_piece(piece, last);
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
        self.inflating = false;
        let (opcode, payload) = self.assembler.finish()?;
        Ok(Some(data_event(opcode, payload.into())))
    }

    fn control_piece<'a>(
        &mut self,
        opcode: Opcode,
        piece: &'a [u8],
        remaining: u64,
    ) -> Result<Option<Event<'a>>, ProtocolError> {
        let payload = if self.control.len == 0 && remaining == 0 {
            Cow::Borrowed(piece)
        } else {
            self.control.push(piece);
            if remaining > 0 {
                return Ok(None);
            }
            let whole = self.control.filled().to_vec();
            self.control.len = 0;
            Cow::Owned(whole)
        };
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

#[cfg(test)]
mod compressed;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    type Outcome = (Vec<Event<'static>>, Option<ProtocolError>);

    fn feed(connection: &mut Connection, mut input: &[u8], outcome: &mut Outcome) {
        while outcome.1.is_none() {
            match connection.next_event(&mut input) {
                // Announced or not, depending on the chunks; the message itself must come.
                Ok(Some(Event::Large(_))) => {}
                Ok(Some(event)) => outcome.0.push(owned(event)),
                Ok(None) => break,
                Err(error) => outcome.1 = Some(error),
            }
        }
    }

    fn owned(event: Event<'_>) -> Event<'static> {
        match event {
            Event::Text(payload) => Event::Text(payload.into_owned().into()),
            Event::Binary(payload) => Event::Binary(payload.into_owned().into()),
            Event::Ping(payload) => Event::Ping(payload.into_owned().into()),
            Event::Pong(payload) => Event::Pong(payload.into_owned().into()),
            Event::Close(close) => Event::Close(close),
            Event::Large(length) => Event::Large(length),
        }
    }

    fn run(limit: u64, pieces: &[&[u8]]) -> Outcome {
        let mut connection = Connection::new(limit);
        let mut outcome = Outcome::default();
        for piece in pieces {
            feed(&mut connection, piece, &mut outcome);
        }
        outcome
    }

    fn frame(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
        let header = Header { fin, ..Header::new(opcode, payload.len(), None) };
        let mut out = Vec::new();
        frame::append_frame(&header, payload, &mut out);
        out
    }

    /// Mostly what a good server sends: whole and fragmented messages with control frames between;
    /// now and then stray bytes, which must be refused alike under any chunking.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let control =
            (prop_oneof![Just(Opcode::Ping), Just(Opcode::Pong)], vec(any::<u8>(), 0..126))
                .prop_map(|(opcode, payload)| frame(opcode, true, &payload));
        let message = (any::<bool>(), vec(any::<String>(), 1..4), vec(control.clone(), 0..3));
        let message = message.prop_map(|(text, parts, controls)| {
            let mut out = Vec::new();
            let mut controls = controls.into_iter();
            for (index, part) in parts.iter().enumerate() {
                let opcode = match (index, text) {
                    (0, true) => Opcode::Text,
                    (0, false) => Opcode::Binary,
                    _ => Opcode::Continuation,
                };
                out.extend(frame(opcode, index + 1 == parts.len(), part.as_bytes()));
                out.extend(controls.next().unwrap_or_default());
            }
            out
        });
        let long = (126..70_000usize).prop_map(|n| frame(Opcode::Binary, true, &vec![7; n]));
        let close = Just(frame(Opcode::Close, true, b"\x03\xe8bye"));
        let stray = vec(any::<u8>(), 1..6);
        let item = prop_oneof![6 => message, 3 => control, 1 => long, 1 => close, 1 => stray];
        vec(item, 0..8).prop_map(|items| items.concat())
    }

    proptest! {
        #[test]
        fn any_chunking_yields_the_same_events(
            stream in stream(), cuts in vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let limit = 60_000;
            let whole = run(limit, &[&stream]);
            let mut cuts: Vec<usize> = cuts.iter().map(|c| c.index(stream.len() + 1)).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> =
                cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(&run(limit, &pieces), &whole);
            let bytes: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&run(limit, &bytes), &whole);
        }

        #[test]
        fn garbage_never_panics(garbage in vec(any::<u8>(), 0..300)) {
            run(1000, &[&garbage]);
        }
    }

    #[test]
    fn fragments_with_a_ping_between() {
        let stream = [
            frame(Opcode::Text, false, b"Hel"),
            frame(Opcode::Ping, true, b"?"),
            frame(Opcode::Continuation, true, b"lo"),
        ]
        .concat();
        let expected =
            vec![Event::Ping(b"?".as_slice().into()), Event::Text(b"Hello".as_slice().into())];
        assert_eq!(run(UNLIMITED, &[&stream]), (expected, None));
    }

    #[test]
    fn bad_text_is_refused_inside_its_frame() {
        let stream = frame(Opcode::Text, true, b"ab\xffcdefgh");
        let (events, error) = run(UNLIMITED, &[&stream[..5]]);
        assert_eq!((events, error), (vec![], Some(ProtocolError::InvalidUtf8(2))));
    }

    #[test]
    fn reserved_bits_and_masks_are_refused_at_once() {
        for bits in 1..8u8 {
            let (_, error) = run(UNLIMITED, &[&[0x82 | bits << 4]]);
            assert_eq!(error, Some(ProtocolError::ReservedBits(bits)));
        }
        assert_eq!(run(UNLIMITED, &[&[0x82, 0x80 | 127]]).1, Some(ProtocolError::Masked));
    }

    #[test]
    fn the_header_alone_is_enough_to_refuse_a_size() {
        let header = &frame(Opcode::Binary, true, &[0; 101])[..2];
        let error = ProtocolError::MessageTooBig { size: 101, limit: 100 };
        assert_eq!(run(100, &[header]).1, Some(error));
        assert_eq!(run(101, &[header]).1, None);
    }

    #[test]
    fn a_large_message_is_gathered_by_the_caller() -> Result<(), ProtocolError> {
        let payload: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let stream =
            [frame(Opcode::Binary, true, &payload), frame(Opcode::Pong, true, b"after")].concat();
        for first in [10, 11, 5000, 100_000] {
            let mut connection = Connection::new(UNLIMITED);
            let mut gathered = Vec::new();
            let (mut input, rest) = stream.split_at(first);
            assert_eq!(connection.next_event(&mut input)?, Some(Event::Large(100_000)));
            gathered.extend_from_slice(connection.gather(&mut input));
            assert!(input.is_empty());
            // Some of it goes past the connection to its place.
            let (placed, mut rest) = rest.split_at((100_000 - gathered.len()) / 2);
            gathered.extend_from_slice(placed);
            connection.gathered(placed.len());
            gathered.extend_from_slice(connection.gather(&mut rest));
            assert_eq!(gathered, payload);
            let after = Event::Pong(b"after".as_slice().into());
            assert_eq!(connection.next_event(&mut rest)?, Some(after));
        }
        Ok(())
    }

    #[test]
    fn only_a_whole_binary_message_is_announced() {
        let long = vec![b'x'; 100_000];
        for (opcode, fin) in [(Opcode::Text, true), (Opcode::Binary, false)] {
            let mut connection = Connection::new(UNLIMITED);
            let stream = frame(opcode, fin, &long);
            assert_eq!(connection.next_event(&mut &stream[..5000]), Ok(None));
        }
        let mut connection = Connection::new(UNLIMITED);
        let mut whole: &[u8] = &frame(Opcode::Binary, true, &long);
        let expected = Event::Binary(long.as_slice().into());
        assert_eq!(connection.next_event(&mut whole), Ok(Some(expected)));
    }

    #[test]
    fn nothing_is_read_after_close_or_error() {
        let message = frame(Opcode::Binary, true, b"late");
        let (events, error) =
            run(UNLIMITED, &[&[frame(Opcode::Close, true, b""), message.clone()].concat()]);
        assert_eq!((events, error), (vec![Event::Close(CloseFrame::default())], None));

        let mut connection = Connection::new(UNLIMITED);
        let mut bad: &[u8] = &[0x83, 0x00];
        assert_eq!(connection.next_event(&mut bad), Err(ProtocolError::ReservedOpcode(3)));
        let mut input: &[u8] = &message;
        assert_eq!(connection.next_event(&mut input), Ok(None));
        assert!(input.is_empty());
        assert!(connection.close(&CloseFrame::default(), [0; 4]).is_some());
        connection.abandon();
        assert_eq!(connection.close(&CloseFrame::default(), [0; 4]), None);
    }

    #[test]
    fn messages_still_arrive_after_our_close_frame() {
        let mut connection = Connection::new(UNLIMITED);
        let close = CloseFrame { code: Some(1000), reason: String::new() };
        let out = connection.close(&close, [0; 4]);
        assert_eq!(out.as_deref(), Some(b"\x88\x82\0\0\0\0\x03\xe8".as_slice()));
        assert_eq!(connection.close(&close, [0; 4]), None);
        let stream = [frame(Opcode::Binary, true, b"x"), frame(Opcode::Close, true, b"")].concat();
        let mut outcome = Outcome::default();
        feed(&mut connection, &stream, &mut outcome);
        assert_eq!(outcome.0.len(), 2);
        assert_eq!(connection.close_state(), State::Closed);
    }
}
