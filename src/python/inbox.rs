//! Messages that have arrived and not been taken.

use std::collections::VecDeque;

use super::message::Item;

/// Above this many bytes, reading pauses.
const HIGH_WATER: usize = 512 * 1024;
/// At or below this many bytes, reading goes on.
const LOW_WATER: usize = HIGH_WATER / 4;
/// How many bytes more are kept when reading goes on to the end all the same. What waits to be
/// parsed is less by far, but if it is compressed, it can become a thousand times as much.
const END: usize = 16 * 1024 * 1024;
/// What a message costs beside its payload, so that empty ones fill the inbox too.
const OVERHEAD: usize = 64;

/// A queue that knows how much memory it holds.
pub struct Inbox {
    items: VecDeque<(Item, usize)>,
    /// INVARIANT: the sum of the sizes in `items`.
    bytes: usize,
    /// Above this many bytes, messages are to be dropped.
    end: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, end: usize::MAX }
    }
}

impl Inbox {
    /// Add a message with a payload of `size` bytes.
    #[inline]
    pub fn push(&mut self, item: Item, size: usize) {
        self.bytes += size + OVERHEAD;
        self.items.push_back((item, size + OVERHEAD));
    }

    #[inline]
    pub fn pop(&mut self) -> Option<Item> {
        let (item, size) = self.items.pop_front()?;
        self.bytes -= size;
        if self.items.is_empty() && self.items.capacity() > 64 {
            self.items = VecDeque::new();
        }
        Some(item)
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// A single message never fills it: pausing for each message of more than `HIGH_WATER` would
    /// cost a reader that keeps up two system calls a message.
    pub fn is_full(&self) -> bool {
        self.bytes > HIGH_WATER && self.items.len() > 1
    }

    /// Take no more than `END` bytes from now on.
    pub fn set_end(&mut self) {
        self.end = self.end.min(self.bytes + END);
    }

    #[inline]
    pub fn is_overfull(&self) -> bool {
        self.bytes > self.end
    }

    pub fn is_low(&self) -> bool {
        self.bytes <= LOW_WATER || self.items.len() <= 1
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().map(|(item, _)| item)
    }
}
