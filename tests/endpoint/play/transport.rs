//! The transport's sending side, and whether what it is given is a client's.

use std::collections::VecDeque;

use wsclient::frame::Header;
use wsclient::mask;
use wsclient::registry::Opcode;

/// asyncio's.
const HIGH_WATER: usize = 64 * 1024;
const LOW_WATER: usize = HIGH_WATER / 4;

/// A frame that may be written: opcode, payload and FIN.
pub type Permitted = (Opcode, Vec<u8>, bool);

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "facts that are independent")]
pub struct Transport {
    /// Bytes that the peer has not taken.
    pub buffered: usize,
    /// The peer takes everything at once.
    pub flows: bool,
    pub writing_paused: bool,
    /// Reading is paused, as far as it has been told.
    pub reading_paused: bool,
    /// One read was under way when it was told so.
    pub reads_once_more: bool,
    /// It closes when all is written, or has closed.
    pub closing: bool,
    /// It writes nothing more.
    pub cut: bool,
    /// It is to call `connection_lost` in the event loop's next turn.
    pub loses: bool,
    /// It has.
    pub lost: bool,
    /// Payloads of pongs, in order.
    pub pongs: VecDeque<Vec<u8>>,
    /// Data frames and pings of the user's that must be written next.
    pub permitted: VecDeque<Permitted>,
    /// The payload of the close frame.
    pub close: Option<Vec<u8>>,
    last_key: Option<[u8; 4]>,
    keys_repeated: u32,
}

impl Transport {
    pub fn new(reading_paused: bool) -> Self {
        Self { reading_paused, ..Self::default() }
    }

    /// Take frames; returns whether to pause writing.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.check(bytes);
        if self.cut || self.lost || self.flows {
            return false;
        }
        self.buffered += bytes.len();
        let pauses = self.buffered > HIGH_WATER && !self.writing_paused;
        self.writing_paused |= pauses;
        pauses
    }

    /// The peer takes bytes; returns whether writing can go on.
    pub fn drain(&mut self, size: usize) -> bool {
        self.buffered -= size.min(self.buffered);
        let resumes = self.writing_paused && self.buffered <= LOW_WATER;
        self.writing_paused &= !resumes;
        if self.closing && self.buffered == 0 {
            self.loses = true;
        }
        resumes
    }

    /// `transport.close()`.
    pub fn close(&mut self) {
        self.closing = true;
        if self.buffered == 0 {
            self.cut = true;
            self.loses = true;
        }
    }

    /// `transport.abort()`, or what a failure leads to.
    pub fn abort(&mut self) {
        self.buffered = 0;
        self.closing = true;
        self.cut = true;
        self.loses = true;
    }

    /// Whole frames, masked with new keys, at most one close frame and nothing after it.
    fn check(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let parsed = Header::parse(bytes);
            let Ok(Some((header, length))) = parsed else {
                unreachable!("written in part: {parsed:?}");
            };
            let Some(key) = header.key else { unreachable!("not masked: {header:?}") };
            // Equal by chance once in 2^32.
            self.keys_repeated += u32::from(self.last_key.replace(key) == Some(key));
            assert!(self.keys_repeated < 2, "keys are used again");
            let size = usize::try_from(header.length).unwrap_or(usize::MAX);
            assert!(size <= bytes.len() - length, "written in part");
            let mut payload = vec![0; size];
            mask::copy(&mut payload, &bytes[length..length + size], key);
            bytes = &bytes[length + size..];
            assert_eq!(header.rsv, 0);
            assert_eq!(self.close, None, "{header:?} after a close frame");
            match header.opcode {
                Opcode::Close => self.close = Some(payload),
                Opcode::Pong => self.pongs.push_back(payload),
                opcode => {
                    assert_eq!(self.permitted.pop_front(), Some((opcode, payload, header.fin)));
                }
            }
        }
    }
}
