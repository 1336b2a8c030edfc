//! Messages, as the endpoint knows them, and what makes them.

use std::time::Instant;

use crate::close::CloseFrame;
use crate::registry::Opcode;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A text message.
    Text,
    /// A binary message.
    Binary,
    /// The peer's close frame.
    Close,
    /// A ping that the user is to answer.
    Ping,
    /// A pong that the user wants to see.
    Pong,
    /// This side closes, while somebody was waiting for a message.
    Closing,
    /// The connection is over.
    Closed,
    /// It has failed.
    Error,
    /// A part of a message that somebody receives in parts, but not the last.
    Part,
    /// The last.
    LastPart,
}

impl Kind {
    /// How many there are.
    pub const COUNT: usize = 10;

    /// All of them, in order.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Text,
        Self::Binary,
        Self::Close,
        Self::Ping,
        Self::Pong,
        Self::Closing,
        Self::Closed,
        Self::Error,
        Self::Part,
        Self::LastPart,
    ];

    /// Whether the peer's application sent it: a queue's policy may drop only such messages.
    #[must_use]
    #[inline]
    pub const fn is_data(self) -> bool {
        matches!(self, Self::Text | Self::Binary)
    }

    /// Whether it is no whole message.
    #[must_use]
    pub const fn is_part(self) -> bool {
        matches!(self, Self::Part | Self::LastPart)
    }

    /// Whether it may be the last before the connection's end is to be answered.
    #[must_use]
    #[inline]
    pub const fn is_end(self) -> bool {
        matches!(self, Self::Error | Self::Close)
    }

    /// Whether it ends an iteration over messages.
    #[must_use]
    #[inline]
    pub const fn ends_iteration(self) -> bool {
        matches!(self, Self::Close | Self::Closing | Self::Closed)
    }
}

/// A message that waits to be taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item<M> {
    /// What it is.
    pub kind: Kind,
    /// What [`Make`] has made of it.
    pub content: M,
}

/// Makes messages of bytes. Where it gives `None`, there was no memory, and the connection fails.
///
/// It is called while the endpoint is at work, so it must not come back to it.
pub trait Make {
    /// What a message holds.
    type Content;

    /// A text message, or a part of one. `payload` is UTF-8, of whole characters.
    fn text(&mut self, payload: &[u8]) -> Option<Self::Content>;

    /// A binary message or a part of one, or a ping or a pong.
    fn bytes(&mut self, kind: Kind, payload: &[u8]) -> Option<Self::Content>;

    /// Append what one of these two was made of; `None` without memory for that.
    fn unmake(&self, content: &Self::Content, payload: &mut Vec<u8>) -> Option<()>;

    /// The peer's close frame.
    fn close(&mut self, frame: &CloseFrame) -> Option<Self::Content>;

    /// A message without bytes: [`Kind::Closing`] or [`Kind::Error`], of which [`Fate`](super::Fate)
    /// says all that there is to say.
    fn notice(&mut self) -> Self::Content;

    /// A binary message of `size` bytes has begun. Whether there is a place for it: where its bytes
    /// then go, until [`finish`](Make::finish) or [`forget`](Make::forget).
    fn begin(&mut self, size: usize) -> bool;

    /// The next bytes of that message, at most as many as it lacks.
    fn append(&mut self, piece: &[u8]);

    /// That message is whole.
    fn finish(&mut self) -> Self::Content;

    /// That message, if there is one, will never be whole.
    fn forget(&mut self);

    /// The time, asked for only if it is needed.
    fn now(&mut self) -> Instant;

    /// A message, a ping or a pong has arrived; told, as what follows, for whoever records it. Of a
    /// message that [`begin`](Make::begin) has a place for, [`finish`](Make::finish) tells.
    fn arrived(&mut self, opcode: Opcode, payload: &[u8]) {
        let _ = (opcode, payload);
    }

    /// A part of a message has arrived. The whole may follow, if nobody wants the parts after all.
    fn part_arrived(&mut self, opcode: Opcode, payload: &[u8], last: bool) {
        let _ = (opcode, payload, last);
    }

    /// The peer's close frame has arrived.
    fn close_arrived(&mut self, frame: &CloseFrame) {
        let _ = frame;
    }

    /// A ping with this payload is answered.
    fn answers(&mut self, payload: &[u8]) {
        let _ = payload;
    }
}
