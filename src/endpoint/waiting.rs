//! Messages in the order in which they came, and the memory that they take.

use std::collections::VecDeque;
use std::mem;

use super::item::Item;

/// What a message costs beside its payload, so that empty ones count, too.
pub const OVERHEAD: usize = 64;

/// There is no memory for a message. Smaller than what the standard library says, for each message that
/// there is memory for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoMemory;

/// A message and its size in bytes.
pub type Sized<M> = (Item<M>, usize);

/// Those messages.
#[derive(Debug)]
pub struct Waiting<M> {
    items: VecDeque<Sized<M>>,
    /// INVARIANT: the sum of the sizes of what waits, each with its `OVERHEAD`.
    bytes: usize,
}

impl<M> Default for Waiting<M> {
    fn default() -> Self {
        Self { items: VecDeque::new(), bytes: 0 }
    }
}

impl<M> Waiting<M> {
    /// Add a message with a payload of `size` bytes.
    ///
    /// # Errors
    /// There is no memory for it.
    #[expect(clippy::inline_always, reason = "one of its callers has every message")]
    #[inline(always)]
    pub fn push(&mut self, item: Item<M>, size: usize) -> Result<(), NoMemory> {
        if self.items.len() == self.items.capacity() {
            self.grow()?;
        }
        self.bytes += size + OVERHEAD;
        self.items.push_back((item, size + OVERHEAD));
        Ok(())
    }

    #[cold]
    fn grow(&mut self) -> Result<(), NoMemory> {
        self.items.try_reserve(1).map_err(|_| NoMemory)
    }

    /// Take the first, and what it takes.
    #[inline]
    pub fn pop(&mut self) -> Option<Sized<M>> {
        let first = self.items.pop_front()?;
        self.bytes -= first.1;
        self.shrink();
        Some(first)
    }

    /// Take the first `count`, or all if there are fewer, and put them behind what `into` has.
    ///
    /// # Errors
    /// There is no memory for it: none is taken.
    #[inline]
    pub fn pop_many(&mut self, count: usize, into: &mut Vec<Sized<M>>) -> Result<(), NoMemory> {
        if into.is_empty() && count >= self.items.len() {
            // Without looking at each.
            *into = mem::take(&mut self.items).into();
            self.bytes = 0;
            return Ok(());
        }
        let count = count.min(self.items.len());
        into.try_reserve(count).map_err(|_| NoMemory)?;
        let first = into.len();
        into.extend(self.items.drain(..count));
        self.bytes -= into[first..].iter().map(|(_, size)| size).sum::<usize>();
        self.shrink();
        Ok(())
    }

    /// Let go of the memory of many, when none are left.
    #[inline]
    fn shrink(&mut self) {
        if self.items.is_empty() && self.items.capacity() > 64 {
            self.items = VecDeque::new();
        }
    }

    /// The first, and the size of its payload in bytes.
    pub fn first(&self) -> Option<(&Item<M>, usize)> {
        self.items.front().map(|(item, size)| (item, size - OVERHEAD))
    }

    /// Let a message that was popped be the first again.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn put_back(&mut self, item: Item<M>) -> Result<(), NoMemory> {
        self.grow()?;
        // Its size was forgotten, and no longer matters.
        self.bytes += OVERHEAD;
        self.items.push_front((item, OVERHEAD));
        Ok(())
    }

    /// Put a message in the place of the one at `index`.
    ///
    /// # Panics
    /// If there is none.
    pub fn exchange(&mut self, index: usize, (item, size): Sized<M>) {
        let place = &mut self.items[index];
        self.bytes = self.bytes + size + OVERHEAD - place.1;
        *place = (item, size + OVERHEAD);
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// How many bytes they take.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// All of them.
    pub fn items(&self) -> impl Iterator<Item = &Item<M>> {
        self.items.iter().map(|(item, _)| item)
    }
}
