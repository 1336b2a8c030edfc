//! An open WebSocket: what it does about what happens, without I/O, clock or Python.
//!
//! What happens is told by calls: bytes arrive ([`Endpoint::read`]), somebody takes a message, sends,
//! closes or pauses, the transport has room or is gone, a timer fires. What is to be done about it
//! stands in a set ([`Endpoint::due`]), which whoever does the I/O looks at after each call, and carries
//! out when the endpoint is not at work. Nothing here waits, and no call runs foreign code but that of
//! [`Make`], which makes messages of bytes.
//!
//! ```
//! use std::time::Instant;
//! use wsclient::close::CloseFrame;
//! use wsclient::endpoint::{Due, Endpoint, Kind, Make, Settings};
//!
//! struct Texts;
//!
//! impl Make for Texts {
//!     type Content = String;
//!     fn text(&mut self, payload: &[u8]) -> Option<String> {
//!         String::from_utf8(payload.to_vec()).ok()
//!     }
//!     fn bytes(&mut self, _: Kind, payload: &[u8]) -> Option<String> {
//!         Some(format!("{} bytes", payload.len()))
//!     }
//!     fn unmake(&self, content: &String, payload: &mut Vec<u8>) -> Option<()> {
//!         payload.extend_from_slice(content.as_bytes());
//!         Some(())
//!     }
//!     fn close(&mut self, frame: &CloseFrame) -> Option<String> {
//!         Some(frame.reason.clone())
//!     }
//!     fn notice(&mut self) -> String {
//!         String::new()
//!     }
//!     fn begin(&mut self, _: usize) -> bool {
//!         false // Large messages are gathered by the core.
//!     }
//!     fn append(&mut self, _: &[u8]) {}
//!     fn finish(&mut self) -> String {
//!         String::new()
//!     }
//!     fn forget(&mut self) {}
//!     fn now(&mut self) -> Instant {
//!         Instant::now()
//!     }
//! }
//!
//! let mut endpoint = Endpoint::new(Settings::default());
//! endpoint.read(b"\x81\x05Hello\x89\x00", &mut Texts);
//! assert!(endpoint.due().has(Due::WAKE.and(Due::WRITE))); // a message, and a pong
//! assert_eq!(endpoint.take().map(|item| item.content), Some("Hello".to_owned()));
//! assert_eq!(endpoint.take_frames().len(), 6);
//! ```

mod close;
mod compression;
mod counts;
mod due;
mod ending;
mod flow;
mod fragments;
pub mod histogram;
mod inbox;
mod item;
mod outgoing;
mod parts;
mod pings;
mod queue;
mod receive;
mod send;
mod streaming;
mod take;
mod waiting;

pub use compression::Compression;
pub use counts::{Row, add};
pub use due::Due;
pub use ending::{Fate, LINGER, Phase};
pub use item::{Item, Kind, Make};
pub use pings::Pings;
pub use waiting::{NoMemory, Sized};

use counts::Counts;
use ending::Ending;
use flow::Flow;
use inbox::Inbox;
use outgoing::Outgoing;
use streaming::Streaming;

use crate::close::CloseFrame;
use crate::connection::{Connection, UNLIMITED};
use crate::deflate::Inflater;

/// How a connection behaves.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub struct Settings {
    /// The largest message to take, in bytes.
    pub max_message_size: u64,
    /// The largest payload of a data frame to take, in bytes.
    pub max_frame_size: u64,
    /// Answer the peer's close frame.
    pub autoclose: bool,
    /// Answer pings, and keep pongs to oneself.
    pub autoping: bool,
    /// Hand out the peer's close frame as a message, with `autoclose` too, and without it let the next
    /// who wants a message answer: aiohttp's order. Otherwise the frame is handed out only without
    /// `autoclose`, and the answer is left to [`Endpoint::close`].
    pub shows_close: bool,
    /// Hand out data and nothing else, `websockets`' way: the end is known when the transport is gone,
    /// the peer's close frame is answered at once and as it came, and what arrives after this side's is
    /// data still.
    pub only_data: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_message_size: UNLIMITED,
            max_frame_size: UNLIMITED,
            autoclose: true,
            autoping: true,
            shows_close: false,
            only_data: false,
        }
    }
}

/// An open WebSocket, whose messages hold an `M`.
#[derive(Debug)]
pub struct Endpoint<M> {
    core: Connection,
    settings: Settings,
    inbox: Inbox<M>,
    /// The size of a message that is arriving, of which [`Make`] has the place.
    gathering: Option<usize>,
    streaming: Streaming,
    flow: Flow,
    ending: Ending,
    pings: Pings,
    compression: Option<Box<Compression>>,
    counts: Counts,
    /// The message that is being sent in fragments.
    outgoing: Option<Outgoing>,
    /// Whole messages that are to be written after it.
    held: Vec<u8>,
    /// Frames to be written.
    owed: Vec<u8>,
    due: Due,
}

impl<M> Endpoint<M> {
    /// An open WebSocket.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut core = Connection::new(settings.max_message_size);
        core.limit_frames(settings.max_frame_size);
        Self {
            core,
            settings,
            inbox: Inbox::default(),
            gathering: None,
            streaming: Streaming::default(),
            flow: Flow::default(),
            ending: Ending::default(),
            pings: Pings::default(),
            compression: None,
            counts: Counts::default(),
            outgoing: None,
            held: Vec::new(),
            owed: Vec::new(),
            due: Due::NOTHING,
        }
    }

    /// Use permessage-deflate from now on, as it was negotiated (RFC 7692): to take compressed messages,
    /// and to send them if there is a `compression`.
    pub fn use_deflate(&mut self, inflater: Inflater, compression: Option<Compression>) {
        self.core.inflate_with(inflater);
        self.compression = compression.map(Box::new);
    }

    /// Keep the `max_size` newest messages instead of pausing reading. With `keyed`, one takes the place
    /// of the one before with the same key, and keys are asked for ([`Due::KEYS`]).
    pub fn keep_newest(&mut self, max_size: usize, keyed: bool) {
        self.inbox.set_policy(max_size, keyed);
    }

    /// Pause reading when `high` messages wait, and let it go on when `low` or fewer do, as for too
    /// many bytes.
    pub fn bound_messages(&mut self, high: usize, low: usize) {
        self.inbox.set_bound(high, low);
    }

    /// The transport comes with its reading paused.
    pub fn begin_paused(&mut self) {
        self.flow.begin_paused();
        self.owe_thing(Due::READING);
    }

    /// What is to be done.
    #[must_use]
    #[inline]
    pub fn due(&self) -> Due {
        self.due
    }

    /// Whether `thing` was to be done; it is the caller's to do now.
    #[inline]
    pub fn take_due(&mut self, thing: Due) -> bool {
        let due = self.due.has(thing);
        self.due = self.due.without(thing);
        due
    }

    /// Let `thing` be done: what was taken could not be.
    #[inline]
    pub fn owe_thing(&mut self, thing: Due) {
        self.due = self.due.and(thing);
    }

    /// Frames to be written, masked; none of them is a fragment.
    pub fn take_frames(&mut self) -> Vec<u8> {
        self.due = self.due.without(Due::WRITE);
        std::mem::take(&mut self.owed)
    }

    /// How far the end has come.
    #[must_use]
    #[inline]
    pub fn phase(&self) -> Phase {
        self.ending.phase
    }

    /// How the connection has ended, once that is known.
    #[must_use]
    pub fn fate(&self) -> Option<&Fate> {
        self.ending.fate.as_ref()
    }

    /// Whether data is handed out and nothing else ([`Settings::only_data`]).
    #[must_use]
    pub fn hands_out_only_data(&self) -> bool {
        self.settings.only_data
    }

    /// The close frame that this side has sent, or has coming out, and whether the peer's was there
    /// before.
    #[must_use]
    pub fn sent_close(&self) -> Option<&(CloseFrame, bool)> {
        self.ending.sent.as_ref()
    }

    /// Whether this side was asked to close.
    #[must_use]
    pub fn is_called(&self) -> bool {
        self.ending.called
    }

    /// The pings under way, and what their round trips took.
    #[must_use]
    pub fn pings(&self) -> &Pings {
        &self.pings
    }

    /// How messages that are sent are compressed.
    #[must_use]
    pub fn compression(&self) -> Option<&Compression> {
        self.compression.as_deref()
    }

    /// Messages that nobody will get, as newer ones took their place or too many came at the end.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inbox.dropped()
    }

    /// What has come and gone, in numbers.
    #[must_use]
    pub fn row(&self) -> Row {
        let (ours, core) = (&self.counts, self.core.counts());
        [
            ours.messages_received,
            ours.bytes_received,
            core.data_frames + core.control_frames,
            core.control_frames,
            core.inflated,
            core.compressed,
            ours.messages_sent,
            ours.bytes_sent,
            ours.messages_sent + ours.fragments_sent + ours.control_sent + core.close_sent,
            ours.control_sent + core.close_sent,
            ours.plain,
            ours.compressed,
            ours.pauses,
            self.inbox.high_water() as u64,
        ]
    }
}

#[cfg(test)]
mod tests;
