//! Frames that are written as one.

use std::cell::Cell;
use std::collections::TryReserveError;

use crate::frame::{self, Header};

/// Bytes that are written together: more than enough to pay for a system call, and what asyncio lets a
/// transport hold before it asks for a pause.
pub const SIZE: usize = 64 * 1024;

thread_local! {
    /// The buffer of the last piece, for the next one of whatever connection.
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// Whole frames, masked.
#[derive(Default)]
pub struct Piece {
    /// Zeros behind what is used: setting them for each frame would cost a third of building it.
    buffer: Vec<u8>,
    used: usize,
}

impl Piece {
    pub fn is_empty(&self) -> bool {
        self.used == 0
    }

    pub fn as_slice(&self) -> &[u8] {
        &self.buffer[..self.used]
    }

    /// Whether so many bytes more go into it.
    pub fn fits(&self, size: usize) -> bool {
        self.used == 0 || self.used + size <= SIZE
    }

    /// Make room for so many bytes more.
    #[inline]
    pub fn reserve(&mut self, size: usize) -> Result<(), TryReserveError> {
        let needed = self.used + size;
        if self.buffer.len() < needed { self.grow(needed) } else { Ok(()) }
    }

    #[cold]
    fn grow(&mut self, needed: usize) -> Result<(), TryReserveError> {
        if self.buffer.is_empty() {
            self.buffer = SPARE.take();
        }
        if self.buffer.len() < needed {
            self.buffer.try_reserve(needed - self.buffer.len())?;
            self.buffer.resize(self.buffer.capacity(), 0);
        }
        Ok(())
    }

    /// Append a frame.
    #[inline]
    pub fn push(&mut self, header: &Header, payload: &[u8]) -> Result<(), TryReserveError> {
        let size = header.encoded_len() + payload.len();
        self.reserve(size)?;
        frame::write_frame(header, payload, &mut self.buffer[self.used..self.used + size]);
        self.used += size;
        Ok(())
    }

    /// Append whole frames.
    pub fn push_frames(&mut self, frames: &[u8]) -> Result<(), TryReserveError> {
        self.reserve(frames.len())?;
        self.buffer[self.used..self.used + frames.len()].copy_from_slice(frames);
        self.used += frames.len();
        Ok(())
    }

    /// It is written; what it took is there for the next.
    pub fn finish(self) {
        if self.buffer.len() <= 2 * SIZE {
            SPARE.set(self.buffer);
        }
    }
}
