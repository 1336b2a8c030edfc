//! What ends a connection: what a peer can do wrong, each with the close code that answers it, and
//! memory that has run out.

use std::collections::TryReserveError;
use std::fmt;

use crate::registry::{Opcode, code};

/// Why a connection reads nothing more: a breach of RFC 6455 by the peer, or [`Self::OutOfMemory`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtocolError {
    /// Reserved bits that no negotiated extension gives a meaning (§5.2).
    ReservedBits(u8),
    /// An opcode that RFC 6455 does not define (§5.2, §11.8).
    ReservedOpcode(u8),
    /// A masked frame from a server (§5.1).
    Masked,
    /// A control frame without FIN (§5.5).
    FragmentedControl(Opcode),
    /// A control frame whose payload is longer than 125 bytes (§5.5).
    ControlTooLong(Opcode),
    /// A length that fits a shorter encoding (§5.2).
    NonMinimalLength(u64),
    /// A 64-bit length with its most significant bit set (§5.2).
    LengthOverflow(u64),
    /// A continuation frame with no message to continue (§5.4).
    NothingToContinue,
    /// A new data frame inside a fragmented message (§5.4).
    Interleaved(Opcode),
    /// Text that is not UTF-8 (§8.1), by the offset of the first bad sequence in its message.
    InvalidUtf8(u64),
    /// A close payload of one byte (§5.5.1).
    TruncatedClose,
    /// A close code that must not be sent (§7.4).
    InvalidCloseCode(u16),
    /// A close reason that is not UTF-8 (§5.5.1).
    InvalidCloseReason,
    /// A compressed message that cannot be decompressed (RFC 7692 §7.2.2).
    InvalidDeflate,
    /// A message larger than the limit; `size` is what the frame headers so far announce, or what
    /// has been decompressed.
    MessageTooBig {
        /// Bytes announced.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// A data frame larger than the limit; `size` is what its header announces, or what has been
    /// decompressed of it.
    FrameTooBig {
        /// Bytes announced.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// There is no memory for what has arrived, of which a part is lost: no fault of the peer's.
    OutOfMemory,
}

impl ProtocolError {
    /// The close code that tells the peer what it did (§7.4.1); 1006, which is never sent, for what
    /// it did not do.
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self {
            Self::InvalidUtf8(_) | Self::InvalidCloseReason | Self::InvalidDeflate => {
                code::INVALID_TEXT
            }
            Self::MessageTooBig { .. } | Self::FrameTooBig { .. } => code::MESSAGE_TOO_BIG,
            Self::OutOfMemory => code::ABNORMAL,
            _ => code::PROTOCOL_ERROR,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits(bits) => {
                write!(f, "reserved bits {bits:03b} set, which no negotiated extension uses here")
            }
            Self::ReservedOpcode(opcode) => write!(f, "reserved opcode {opcode:#x}"),
            Self::Masked => f.write_str("masked frame from a server"),
            Self::FragmentedControl(opcode) => write!(f, "fragmented {opcode} frame"),
            Self::ControlTooLong(opcode) => {
                write!(f, "{opcode} frame with a payload over 125 bytes")
            }
            Self::NonMinimalLength(length) => {
                write!(f, "payload length {length} is not encoded in the fewest bytes")
            }
            Self::LengthOverflow(length) => {
                write!(f, "payload length {length:#x} has its most significant bit set")
            }
            Self::NothingToContinue => f.write_str("continuation frame, but no message was begun"),
            Self::Interleaved(opcode) => {
                write!(f, "{opcode} frame inside a fragmented message, expected a continuation")
            }
            Self::InvalidUtf8(offset) => write!(f, "text is not UTF-8 at byte {offset}"),
            Self::TruncatedClose => {
                f.write_str("close frame with a payload of 1 byte, expected 0 or at least 2")
            }
            Self::InvalidCloseCode(code) => write!(f, "close code {code} must not be sent"),
            Self::InvalidCloseReason => f.write_str("close reason is not UTF-8"),
            Self::InvalidDeflate => f.write_str("compressed message is not valid DEFLATE data"),
            Self::MessageTooBig { size, limit } => {
                write!(f, "message of at least {size} bytes exceeds the limit of {limit} bytes")
            }
            Self::FrameTooBig { size, limit } => {
                write!(f, "frame of at least {size} bytes exceeds the limit of {limit} bytes")
            }
            Self::OutOfMemory => f.write_str("no memory for what the server has sent"),
        }
    }
}

impl std::error::Error for ProtocolError {}

impl From<TryReserveError> for ProtocolError {
    #[cold]
    fn from(_: TryReserveError) -> Self {
        Self::OutOfMemory
    }
}
