//! The base framing protocol: one frame's header, parsed and built (RFC 6455 §5.2).

use crate::error::ProtocolError;
use crate::mask::{self, Key};
use crate::registry::Opcode;

/// The largest payload of a control frame (§5.5).
pub const MAX_CONTROL_PAYLOAD: usize = 125;

/// The largest control frame of a client: header, masking key and payload.
pub const MAX_CONTROL_FRAME: usize = 2 + 4 + MAX_CONTROL_PAYLOAD;

/// The largest header: two bytes, a 64-bit length and a masking key.
pub const MAX_HEADER: usize = 14;

/// In place of a length: it follows in two bytes.
const TWO_BYTES: u8 = 126;
/// In place of a length: it follows in eight bytes.
const EIGHT_BYTES: u8 = 127;

/// Everything of a frame but its payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The last fragment of its message.
    pub fin: bool,
    /// RSV1 to RSV3, RSV1 being the highest of the three bits.
    pub rsv: u8,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key, if the payload is masked.
    pub key: Option<Key>,
    /// The payload's length in bytes.
    pub length: u64,
}

impl Header {
    /// A final frame without reserved bits.
    #[must_use]
    pub fn new(opcode: Opcode, length: usize, key: Option<Key>) -> Self {
        Self { fin: true, rsv: 0, opcode, key, length: length as u64 }
    }

    /// Parse the header at the start of `input`.
    ///
    /// Returns the header and its own length, or `None` while `input` is too short. What is wrong
    /// is said as soon as the bytes that show it are there, so a bad frame is refused before its
    /// payload is read.
    ///
    /// # Errors
    /// A reserved opcode, a control frame that is fragmented or too long, or a length that is not
    /// minimal or overflows. Reserved bits and masking depend on the connection, which checks them.
    #[inline]
    pub fn parse(input: &[u8]) -> Result<Option<(Self, usize)>, ProtocolError> {
        let &[first, second, ref rest @ ..] = input else {
            return Ok(None);
        };
        let opcode =
            Opcode::from_u8(first & 0x0F).ok_or(ProtocolError::ReservedOpcode(first & 0x0F))?;
        let fin = first & 0x80 != 0;
        let short = second & 0x7F;
        if opcode.is_control() {
            if !fin {
                return Err(ProtocolError::FragmentedControl(opcode));
            }
            if short as usize > MAX_CONTROL_PAYLOAD {
                return Err(ProtocolError::ControlTooLong(opcode));
            }
        }
        let (length, rest) = match short {
            TWO_BYTES => {
                let Some((bytes, rest)) = rest.split_first_chunk::<2>() else {
                    return Ok(None);
                };
                let length = u64::from(u16::from_be_bytes(*bytes));
                if length < 126 {
                    return Err(ProtocolError::NonMinimalLength(length));
                }
                (length, rest)
            }
            EIGHT_BYTES => {
                let Some((bytes, rest)) = rest.split_first_chunk::<8>() else {
                    return Ok(None);
                };
                let length = u64::from_be_bytes(*bytes);
                if length >> 63 != 0 {
                    return Err(ProtocolError::LengthOverflow(length));
                }
                if u16::try_from(length).is_ok() {
                    return Err(ProtocolError::NonMinimalLength(length));
                }
                (length, rest)
            }
            _ => (u64::from(short), rest),
        };
        let (key, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let Some((bytes, rest)) = rest.split_first_chunk::<4>() else {
                return Ok(None);
            };
            (Some(*bytes), rest)
        };
        let header = Self { fin, rsv: first >> 4 & 0x7, opcode, key, length };
        Ok(Some((header, input.len() - rest.len())))
    }

    /// How many bytes [`write`](Self::write) writes.
    #[must_use]
    #[inline]
    pub const fn encoded_len(&self) -> usize {
        let length = match self.length {
            0..=125 => 0,
            126..=0xFFFF => 2,
            _ => 8,
        };
        2 + length + if self.key.is_some() { 4 } else { 0 }
    }

    /// Write the header at the start of `out` and return its length.
    ///
    /// # Panics
    /// If `out` is shorter than [`encoded_len`](Self::encoded_len).
    #[inline]
    pub fn write(&self, out: &mut [u8]) -> usize {
        out[0] = u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode as u8;
        let masked = u8::from(self.key.is_some()) << 7;
        #[expect(clippy::cast_possible_truncation, reason = "each arm bounds the length it casts")]
        let end = match self.length {
            0..=125 => {
                out[1] = masked | self.length as u8;
                2
            }
            126..=0xFFFF => {
                out[1] = masked | TWO_BYTES;
                out[2..4].copy_from_slice(&(self.length as u16).to_be_bytes());
                4
            }
            _ => {
                out[1] = masked | EIGHT_BYTES;
                out[2..10].copy_from_slice(&self.length.to_be_bytes());
                10
            }
        };
        match self.key {
            Some(key) => {
                out[end..end + 4].copy_from_slice(&key);
                end + 4
            }
            None => end,
        }
    }
}

/// Build a whole frame at the start of `out`: header, then payload, masked in the same pass.
///
/// # Panics
/// If `out` is not exactly `header.encoded_len() + payload.len()` bytes, or `header.length` is not
/// the payload's.
#[inline]
pub fn write_frame(header: &Header, payload: &[u8], out: &mut [u8]) {
    assert_eq!(header.length, payload.len() as u64, "header and payload disagree");
    let (head, body) = out.split_at_mut(header.encoded_len());
    header.write(head);
    match header.key {
        Some(key) => mask::copy(body, payload, key),
        None => body.copy_from_slice(payload),
    }
}

/// Append a whole frame to `out`.
pub fn append_frame(header: &Header, payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + header.encoded_len() + payload.len(), 0);
    write_frame(header, payload, &mut out[start..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(input: &[u8]) -> Result<Option<(Header, usize)>, ProtocolError> {
        Header::parse(input)
    }

    #[test]
    fn rfc_examples() {
        // §5.7
        let mut out = Vec::new();
        append_frame(&Header::new(Opcode::Text, 5, None), b"Hello", &mut out);
        assert_eq!(out, b"\x81\x05Hello");
        out.clear();
        let key = [0x37, 0xfa, 0x21, 0x3d];
        append_frame(&Header::new(Opcode::Text, 5, Some(key)), b"Hello", &mut out);
        assert_eq!(out, b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58");
        out.clear();
        append_frame(&Header::new(Opcode::Binary, 256, None), &[0; 256], &mut out);
        assert_eq!(out[..4], [0x82, 0x7E, 0x01, 0x00]);
        out.clear();
        append_frame(&Header::new(Opcode::Binary, 65536, None), &vec![0; 65536], &mut out);
        assert_eq!(out[..10], [0x82, 0x7F, 0, 0, 0, 0, 0, 1, 0, 0]);
    }

    #[test]
    fn lengths_must_be_minimal() {
        for length in [0u16, 125] {
            let [a, b] = length.to_be_bytes();
            assert_eq!(
                parse(&[0x82, 126, a, b]),
                Err(ProtocolError::NonMinimalLength(length.into()))
            );
        }
        for length in [0u64, 125, 126, 65535] {
            let mut input = vec![0x82, 127];
            input.extend(length.to_be_bytes());
            assert_eq!(parse(&input), Err(ProtocolError::NonMinimalLength(length)));
        }
    }

    #[test]
    fn length_may_not_overflow() {
        let mut input = vec![0x82, 127];
        input.extend((1u64 << 63).to_be_bytes());
        assert_eq!(parse(&input), Err(ProtocolError::LengthOverflow(1 << 63)));
        let mut input = vec![0x82, 127];
        input.extend((u64::MAX >> 1).to_be_bytes());
        assert!(matches!(parse(&input), Ok(Some((header, 10))) if header.length == u64::MAX >> 1));
    }

    #[test]
    fn control_frames_are_short_and_whole() {
        for opcode in [Opcode::Close, Opcode::Ping, Opcode::Pong] {
            let number = opcode as u8;
            assert_eq!(parse(&[number, 0]), Err(ProtocolError::FragmentedControl(opcode)));
            assert_eq!(parse(&[0x80 | number, 126]), Err(ProtocolError::ControlTooLong(opcode)));
            assert!(parse(&[0x80 | number, 125]).is_ok());
        }
    }

    #[test]
    fn opcodes_are_those_of_the_rfc() {
        for number in 0..16 {
            let parsed = parse(&[0x80 | number, 0]);
            match Opcode::from_u8(number) {
                Some(opcode) => assert!(matches!(parsed, Ok(Some((h, 2))) if h.opcode == opcode)),
                None => assert_eq!(parsed, Err(ProtocolError::ReservedOpcode(number))),
            }
        }
    }

    fn any_header() -> impl Strategy<Value = Header> {
        let data = (any::<bool>(), 0..3u8, 0..=u64::MAX >> 1);
        let control = (Just(true), 8..11u8, 0..=125u64);
        let small = (any::<bool>(), 0..3u8, 0..200_000u64);
        (prop_oneof![data, control, small], 0..8u8, any::<Option<Key>>()).prop_filter_map(
            "opcode",
            |((fin, opcode, length), rsv, key)| {
                Opcode::from_u8(opcode).map(|opcode| Header { fin, rsv, opcode, key, length })
            },
        )
    }

    proptest! {
        #[test]
        fn header_round_trips(header in any_header()) {
            let mut out = [0; MAX_HEADER];
            let written = header.write(&mut out);
            prop_assert_eq!(written, header.encoded_len());
            prop_assert_eq!(parse(&out[..written]), Ok(Some((header, written))));
            for cut in 0..written {
                prop_assert_eq!(parse(&out[..cut]), Ok(None));
            }
        }
    }
}
