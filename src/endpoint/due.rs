//! What I/O has to do now.

/// A set of things to do, empty after almost every call.
///
/// Each stays in the set until it is taken ([`Endpoint::take_due`](super::Endpoint::take_due)), so that
/// what fails or is interrupted is not forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Due(u16);

impl Due {
    /// Nothing.
    pub const NOTHING: Self = Self(0);
    /// Whoever waits for a message is to be told that there is one, or the end.
    pub const WAKE: Self = Self(1);
    /// Keys of messages are to be asked for; see [`take_fresh`](super::Endpoint::take_fresh).
    pub const KEYS: Self = Self(1 << 1);
    /// Bytes that were held back can be parsed; see [`parse_held`](super::Endpoint::parse_held).
    pub const PARSE: Self = Self(1 << 2);
    /// Frames are to be written; see [`take_frames`](super::Endpoint::take_frames).
    pub const WRITE: Self = Self(1 << 3);
    /// Reading is to pause or to go on; see [`take_reading`](super::Endpoint::take_reading).
    pub const READING: Self = Self(1 << 4);
    /// The transport is to be dropped.
    pub const ABORT: Self = Self(1 << 5);
    /// [`expired`](super::Endpoint::expired) is to be called after [`LINGER`](super::LINGER) from now,
    /// and not for an earlier such request.
    pub const TIMER: Self = Self(1 << 6);
    /// Whoever waits to send can go on, or never can.
    pub const ROOM: Self = Self(1 << 7);
    /// The transport is gone: nothing waits for anything of it any more.
    pub const GONE: Self = Self(1 << 8);
    /// Whoever awaits the pongs of pings is to be told of some; see
    /// [`take_round_trip`](super::Endpoint::take_round_trip).
    pub const PONGS: Self = Self(1 << 9);
    /// Whoever waits for the end of a message in fragments is to be told that it has come, and what was
    /// held back is written; or that nothing can be sent any more.
    pub const TURN: Self = Self(1 << 10);

    /// Both.
    #[must_use]
    #[inline]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This without `other`.
    #[must_use]
    #[inline]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether some of `other` is in it.
    #[must_use]
    #[inline]
    pub const fn has_any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of `other` is in it.
    #[must_use]
    #[inline]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}
