//! Messages that have arrived and not been taken.

use std::collections::{TryReserveError, VecDeque};

use super::due::Due;
use super::item::Item;
use super::queue::Queue;

/// Above this many bytes, reading pauses.
pub const HIGH_WATER: usize = 512 * 1024;
/// At or below this many bytes, reading goes on.
const LOW_WATER: usize = HIGH_WATER / 4;
/// How many bytes more are kept when reading goes on to the end all the same. What waits to be
/// parsed is less by far, but if it is compressed, it can become a thousand times as much.
const END: usize = 16 * 1024 * 1024;
/// Above this many messages beside those that a policy bounds, reading pauses; at or below a quarter
/// it goes on.
const KEPT: usize = 1024;
/// What a message costs beside its payload, so that empty ones fill the inbox too.
const OVERHEAD: usize = 64;

/// A queue that knows how much memory it holds.
#[derive(Debug)]
pub struct Inbox<M> {
    /// With a policy, those that it may drop or replace.
    items: VecDeque<(Item<M>, usize)>,
    /// INVARIANT: the sum of the sizes of what waits.
    bytes: usize,
    /// The most bytes that there have been.
    high_water: usize,
    /// Above this many bytes, nothing more is kept.
    end: usize,
    /// Messages that nobody will get.
    pub dropped: u64,
    /// Instead of backpressure.
    pub policy: Option<Box<Queue<M>>>,
}

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            high_water: 0,
            end: usize::MAX,
            dropped: 0,
            policy: None,
        }
    }
}

impl<M> Inbox<M> {
    /// Add a message with a payload of `size` bytes; returns what is due for it.
    ///
    /// # Errors
    /// There is no memory for it.
    #[expect(clippy::inline_always, reason = "one of its callers has every message")]
    #[inline(always)]
    pub fn push(&mut self, item: Item<M>, size: usize) -> Result<Due, TryReserveError> {
        if self.policy.is_some() {
            return self.push_by_policy(item, size);
        }
        if self.items.len() == self.items.capacity() {
            self.grow()?;
        }
        self.bytes += size + OVERHEAD;
        self.items.push_back((item, size + OVERHEAD));
        Ok(Due::WAKE)
    }

    #[cold]
    pub fn grow(&mut self) -> Result<(), TryReserveError> {
        self.items.try_reserve(1)
    }

    /// Add a message behind all others, whatever the policy.
    #[cold]
    pub fn append(&mut self, item: Item<M>, size: usize) -> Result<(), TryReserveError> {
        self.grow()?;
        self.bytes += size + OVERHEAD;
        self.items.push_back((item, size + OVERHEAD));
        Ok(())
    }

    /// Take the next message.
    #[inline]
    pub fn pop(&mut self) -> Option<Item<M>> {
        if self.policy.is_some()
            && let Some((item, size)) = self.pop_kept()
        {
            self.bytes -= size + OVERHEAD;
            return Some(item);
        }
        self.pop_item()
    }

    /// Take the next message of those that a policy may drop.
    #[inline]
    pub fn pop_item(&mut self) -> Option<Item<M>> {
        let (item, size) = self.items.pop_front()?;
        self.bytes -= size;
        if self.items.is_empty() && self.items.capacity() > 64 {
            self.items = VecDeque::new();
        }
        Some(item)
    }

    /// Let a message that was popped be the first again of those that a policy may drop.
    pub fn put_back_item(&mut self, item: Item<M>) -> Result<(), TryReserveError> {
        self.items.try_reserve(1)?;
        // Its size was forgotten, and no longer matters.
        self.bytes += OVERHEAD;
        self.items.push_front((item, OVERHEAD));
        Ok(())
    }

    /// Take note of a message that waits with the policy.
    pub fn count(&mut self, size: usize) {
        self.bytes += size + OVERHEAD;
    }

    /// Take note of `count` messages of `bytes` in all that wait there no more.
    pub fn discount(&mut self, count: usize, bytes: usize) {
        self.bytes -= bytes + count * OVERHEAD;
    }

    /// Whether there is a message to take.
    #[inline]
    pub fn is_ready(&self) -> bool {
        !self.items.is_empty() || self.kept() > 0
    }

    /// Messages beside `items`.
    #[inline]
    fn kept(&self) -> usize {
        self.policy.as_ref().map_or(0, |policy| policy.kept())
    }

    /// Whether nothing waits, not even for its key.
    pub fn is_empty(&self) -> bool {
        !self.is_ready() && !self.policy.as_ref().is_some_and(|policy| policy.has_unplaced())
    }

    /// Note how full it is; to be called when it has been filled, and before it is emptied.
    #[inline]
    pub fn mark(&mut self) {
        self.high_water = self.high_water.max(self.bytes);
    }

    /// The most bytes of memory that messages have taken while they waited.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// How many messages wait that a policy may drop or replace.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Put a message in the place of another of `items`.
    pub fn exchange(&mut self, index: usize, item: Item<M>, size: usize) {
        let new = (item, size + OVERHEAD);
        self.bytes = self.bytes + new.1 - self.items[index].1;
        self.items[index] = new;
    }

    /// A single message never fills it: pausing for each message of more than `HIGH_WATER` would
    /// cost a reader that keeps up two system calls a message.
    #[inline]
    pub fn is_full(&self) -> bool {
        match &self.policy {
            None => self.bytes > HIGH_WATER && self.items.len() > 1,
            Some(policy) => self.is_full_despite(policy),
        }
    }

    /// What is decompressed from one read may be large; pings that are not answered for the user
    /// are not dropped.
    #[cold]
    fn is_full_despite(&self, policy: &Queue<M>) -> bool {
        policy.fresh_bytes() > HIGH_WATER || policy.kept() > KEPT
    }

    pub fn is_low(&self) -> bool {
        match &self.policy {
            None => self.bytes <= LOW_WATER || self.items.len() <= 1,
            Some(policy) => policy.kept() <= KEPT / 4,
        }
    }

    /// Keep no more than `END` bytes more from now on.
    pub fn set_end(&mut self) {
        self.end = self.end.min(self.bytes + END);
    }

    /// Whether the next message is one too many.
    #[inline]
    pub fn is_overfull(&self) -> bool {
        self.bytes > self.end
    }

    /// All that waits, in no order.
    pub fn items(&self) -> impl Iterator<Item = &Item<M>> {
        let others = self.policy.iter().flat_map(|policy| policy.items());
        self.items.iter().map(|(item, _)| item).chain(others)
    }
}
