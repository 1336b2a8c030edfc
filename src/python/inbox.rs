//! Messages that have arrived and not been taken.

use std::collections::VecDeque;

use pyo3::{PyTraverseError, PyVisit};

use super::message::Item;
use super::policy::Policy;

/// Above this many bytes, reading pauses.
const HIGH_WATER: usize = 512 * 1024;
/// At or below this many bytes, reading goes on.
const LOW_WATER: usize = HIGH_WATER / 4;
/// How many bytes more are kept when reading goes on to the end all the same. What waits to be
/// parsed is less by far, but if it is compressed, it can become a thousand times as much.
const END: usize = 16 * 1024 * 1024;
/// How many messages may wait beside those that a policy bounds.
const KEPT: usize = 1024;
/// What a message costs beside its payload, so that empty ones fill the inbox too.
const OVERHEAD: usize = 64;

/// A queue that knows how much memory it holds.
pub struct Inbox {
    items: VecDeque<(Item, usize)>,
    /// INVARIANT: the sum of the sizes in `items`.
    bytes: usize,
    /// The most bytes that there have been.
    high_water: usize,
    /// Above this many bytes, messages are to be dropped.
    end: usize,
    /// Instead of backpressure.
    pub policy: Option<Box<Policy>>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0, high_water: 0, end: usize::MAX, policy: None }
    }
}

impl Inbox {
    /// Add a message with a payload of `size` bytes.
    #[inline]
    pub fn push(&mut self, item: Item, size: usize) {
        if self.policy.is_some() {
            return self.push_by_policy(item, size);
        }
        self.append(item, size);
    }

    #[inline]
    pub fn append(&mut self, item: Item, size: usize) {
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

    /// Whether there is a message to take.
    #[inline]
    pub fn is_ready(&self) -> bool {
        !self.items.is_empty()
    }

    /// Whether the policy has something to do.
    #[inline]
    pub fn has_fresh(&self) -> bool {
        self.policy.as_ref().is_some_and(|policy| policy.has_fresh())
    }

    pub fn is_empty(&self) -> bool {
        self.items.is_empty() && !self.has_fresh()
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

    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Let a message come before all others.
    pub fn move_to_front(&mut self, index: usize) {
        for index in (0..index).rev() {
            self.items.swap(index, index + 1);
        }
    }

    /// Put a message in the place of another.
    pub fn exchange(&mut self, index: usize, item: Item, size: usize) {
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
    fn is_full_despite(&self, policy: &Policy) -> bool {
        policy.fresh_bytes() > HIGH_WATER
            || self.items.len() > policy.max_size().saturating_add(KEPT)
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
        match &self.policy {
            None => self.bytes <= LOW_WATER || self.items.len() <= 1,
            Some(policy) => self.items.len() <= policy.max_size(),
        }
    }

    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.items.iter().map(|(item, _)| item)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let fresh = self.policy.iter().flat_map(|policy| policy.fresh());
        for item in self.items().chain(fresh) {
            visit.call(&item.data)?;
            visit.call(&item.extra)?;
        }
        self.policy.as_ref().map_or(Ok(()), |policy| policy.traverse(visit))
    }
}
