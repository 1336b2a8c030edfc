//! permessage-deflate: messages compressed with DEFLATE (RFC 7692 §7).
//!
//! What the opening handshake agreed on comes in as parameters; here it is carried out. Compressor
//! and decompressor are large (380 and 48 KB), so none is made before the first message needs it,
//! and those that keep nothing from one message to the next share one of each for a thread.

use std::cell::RefCell;
use std::hint;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::error::ProtocolError;

/// The reserved bit of a message's first frame that says that the message is compressed (§6).
pub const RSV1: u8 = 0b100;

/// The end of an empty stored block, which ends every compressed message and is not sent (§7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// What a compressed message is expected to grow to, for the first allocation.
const RATIO: usize = 8;
/// The bounds of that guess, in bytes.
const FIRST: (usize, usize) = (1024, 256 * 1024);

/// The largest window, which reads what was compressed with any: a smaller one would save nothing
/// here, and would refuse a distance or not by how the bytes were cut.
const MAX_WINDOW_BITS: u8 = 15;

/// More than the states take, in bytes.
const DECOMPRESS_SIZE: usize = 64 * 1024;
const COMPRESS_SIZE: usize = 512 * 1024;

thread_local! {
    static SPARE_DECOMPRESS: RefCell<Option<Decompress>> = const { RefCell::new(None) };
    static SPARE_COMPRESS: RefCell<Option<(Settings, Compress)>> = const { RefCell::new(None) };
}

/// The receiving side.
#[derive(Debug)]
pub struct Inflater {
    /// Whether messages may refer to earlier ones (§7.1.1)?
    takeover: bool,
    state: Option<Decompress>,
    /// INVARIANT: this message has had bytes since the last block with BFINAL, if it had one.
    inside: bool,
}

impl Inflater {
    /// For a peer that uses context takeover, or does not.
    #[must_use]
    pub fn new(takeover: bool) -> Self {
        Self { takeover, state: None, inside: false }
    }

    /// Append to `out` what a piece of a message's payload yields (§7.2.2), `last` being its last.
    ///
    /// Hands every stretch of output to `check` as soon as it is there. However much the piece
    /// would yield, `out` grows to `limit` and one byte.
    ///
    /// # Errors
    /// A message over the limit, what `check` says, data that is not DEFLATE's, or no memory.
    pub fn inflate(
        &mut self,
        piece: &[u8],
        last: bool,
        limit: u64,
        out: &mut Vec<u8>,
        mut check: impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        if !piece.is_empty() {
            self.run(piece, limit, out, &mut check)?;
        }
        if last {
            // Without bytes there is no block to end: an empty payload is an empty message, and
            // after BFINAL the peer may have left out the block that §7.2.1 wants at the end.
            if self.inside {
                self.run(&TAIL, limit, out, &mut check)?;
            }
            self.inside = false;
            if !self.takeover {
                SPARE_DECOMPRESS.set(self.state.take());
            }
        }
        Ok(())
    }

    fn run(
        &mut self,
        mut input: &[u8],
        limit: u64,
        out: &mut Vec<u8>,
        check: &mut impl FnMut(&[u8]) -> Result<(), ProtocolError>,
    ) -> Result<(), ProtocolError> {
        let state = match &mut self.state {
            Some(state) => state,
            none => none.insert(decompress()?),
        };
        while !input.is_empty() || out.len() == out.capacity() {
            if out.len() == out.capacity() {
                grow(out, input.len(), limit)?;
            }
            let start = out.len();
            let read = state.total_in();
            let status = state.decompress_vec(input, out, FlushDecompress::Sync);
            let read = state.total_in() - read;
            input = rest(input, read);
            // In this order, so that the verdict does not depend on how the bytes were cut.
            check(&out[start..])?;
            if out.len() as u64 > limit {
                return Err(ProtocolError::MessageTooBig { size: out.len() as u64, limit });
            }
            match status {
                // §7.2.3.4: the next block begins a stream of its own.
                Ok(Status::StreamEnd) => {
                    state.reset(false);
                    self.inside = false;
                }
                Ok(_) => self.inside |= read > 0,
                Err(_) => return Err(ProtocolError::InvalidDeflate),
            }
        }
        Ok(())
    }
}

fn decompress() -> Result<Decompress, ProtocolError> {
    if let Some(mut spare) = SPARE_DECOMPRESS.take() {
        spare.reset(false);
        return Ok(spare);
    }
    if !has_memory(DECOMPRESS_SIZE) {
        return Err(ProtocolError::OutOfMemory);
    }
    Ok(Decompress::new_with_window_bits(false, MAX_WINDOW_BITS))
}

/// Whether there are as many bytes of memory: where there are not, zlib-rs panics.
fn has_memory(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let found = room.try_reserve_exact(bytes).is_ok();
    // Else the compiler may take it for found.
    hint::black_box(&room);
    found
}

/// Make room in `out`, which is full: for as much again, but not beyond `limit` and one byte.
fn grow(out: &mut Vec<u8>, input: usize, limit: u64) -> Result<(), ProtocolError> {
    let guess = input.saturating_mul(RATIO).clamp(FIRST.0, FIRST.1);
    let allowed = limit.saturating_sub(out.len() as u64).saturating_add(1);
    let allowed = usize::try_from(allowed).unwrap_or(usize::MAX);
    out.try_reserve_exact(out.len().max(guess).min(allowed))?;
    Ok(())
}

/// `bytes` without the first `used`.
fn rest(bytes: &[u8], used: u64) -> &[u8] {
    usize::try_from(used).ok().and_then(|used| bytes.get(used..)).unwrap_or_default()
}

/// How to compress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Settings {
    level: u32,
    window_bits: u8,
}

/// The sending side.
#[derive(Debug)]
pub struct Deflater {
    settings: Settings,
    takeover: bool,
    state: Option<Compress>,
}

impl Deflater {
    /// A compressor with `level` 0 to 9 and a window of `window_bits`, 9 to 15. With context
    /// takeover messages may refer to earlier ones; to do without is this side's to choose, whatever
    /// was agreed (§7.1.1.2).
    ///
    /// `None` for a window that zlib cannot compress with, which 8 is too.
    #[must_use]
    pub fn new(level: u32, window_bits: u8, takeover: bool) -> Option<Self> {
        let possible = level <= 9 && (9..=15).contains(&window_bits);
        let settings = Settings { level, window_bits };
        possible.then_some(Self { settings, takeover, state: None })
    }

    /// The window that messages are compressed with.
    #[must_use]
    pub fn window_bits(&self) -> u8 {
        self.settings.window_bits
    }

    /// Whether messages may refer to earlier ones.
    #[must_use]
    pub fn takeover(&self) -> bool {
        self.takeover
    }

    /// The payload of a frame with RSV1 that says `message` (§7.2.1).
    ///
    /// What this returns has to be sent; if it is not, call [`forget`](Self::forget). `None` if it
    /// cannot be compressed, or there is no memory: a message can always go out as it is.
    pub fn deflate(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        if message.is_empty() {
            // §7.2.3.6: an empty block but for the tail. zlib would have nothing to flush.
            let mut block = Vec::new();
            block.try_reserve_exact(1).ok()?;
            block.push(0x00);
            return Some(block);
        }
        let state = match &mut self.state {
            Some(state) => state,
            none => none.insert(compress(self.settings)?),
        };
        let payload = deflate(state, message);
        if payload.is_none() {
            self.state = None;
        } else if !self.takeover {
            SPARE_COMPRESS.set(self.state.take().map(|state| (self.settings, state)));
        }
        payload
    }

    /// Refer to no message before: the peer has not got the last.
    pub fn forget(&mut self) {
        self.state = None;
    }
}

fn compress(settings: Settings) -> Option<Compress> {
    match SPARE_COMPRESS.take() {
        Some((of, mut spare)) if of == settings => {
            spare.reset();
            Some(spare)
        }
        _ => has_memory(COMPRESS_SIZE).then(|| {
            let level = Compression::new(settings.level);
            Compress::new_with_window_bits(level, false, settings.window_bits)
        }),
    }
}

fn deflate(state: &mut Compress, mut message: &[u8]) -> Option<Vec<u8>> {
    // The fixed code of level 1 needs nine bits for a byte at worst.
    let mut payload = Vec::new();
    payload.try_reserve_exact(message.len() + message.len() / 8 + 64).ok()?;
    loop {
        let read = state.total_in();
        state.compress_vec(message, &mut payload, FlushCompress::Sync).ok()?;
        message = rest(message, state.total_in() - read);
        // With room left, all is flushed.
        if message.is_empty() && payload.len() < payload.capacity() {
            break;
        }
        payload.try_reserve(payload.len().max(64)).ok()?;
    }
    payload.truncate(payload.strip_suffix(&TAIL)?.len());
    Some(payload)
}

#[cfg(test)]
mod tests;
