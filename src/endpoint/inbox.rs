//! Messages that have arrived and not been taken.

use std::mem;

use super::due::Due;
use super::item::{Item, Kind};
use super::queue::Queue;
use super::waiting::{NoMemory, Sized, Waiting};

/// Above this many bytes, reading pauses.
pub const HIGH_WATER: usize = 512 * 1024;
/// At or below this many bytes, reading goes on.
const LOW_WATER: usize = HIGH_WATER / 4;
/// How many bytes more are kept when reading goes on to the end all the same. What waits to be
/// parsed is less by far, but if it is compressed, it can become a thousand times as much.
const END: usize = 16 * 1024 * 1024;

/// A queue that knows how much memory it holds.
#[derive(Debug)]
pub struct Inbox<M> {
    /// None, if there is a policy.
    items: Waiting<M>,
    /// Where they wait instead, if old ones make room for new ones.
    policy: Option<Box<Queue<M>>>,
    /// Whether more than their bytes can make it full.
    watched: bool,
    /// When so many messages wait, reading pauses.
    high: usize,
    /// When so many or fewer do, it goes on.
    low: usize,
    /// The most bytes that there have been.
    high_water: usize,
    /// Above this many bytes, nothing more is kept.
    end: usize,
    /// Messages that came when that was so.
    pub missed: u64,
}

impl<M> Default for Inbox<M> {
    fn default() -> Self {
        Self {
            items: Waiting::default(),
            policy: None,
            watched: false,
            high: usize::MAX,
            low: usize::MAX,
            high_water: 0,
            end: usize::MAX,
            missed: 0,
        }
    }
}

impl<M> Inbox<M> {
    /// Keep the newest `max_size` messages from now on.
    pub fn set_policy(&mut self, max_size: usize, keyed: bool) {
        let earlier = mem::take(&mut self.items);
        self.policy = Some(Box::new(Queue::new(max_size, keyed, earlier)));
        self.watched = true;
    }

    /// Be full with `high` messages, and low with `low`, if there is no policy.
    pub fn set_bound(&mut self, high: usize, low: usize) {
        (self.high, self.low) = (high, low);
        self.watched = true;
    }

    /// The policy.
    pub fn policy(&self) -> Option<&Queue<M>> {
        self.policy.as_deref()
    }

    /// The policy, to be asked for what is fresh.
    pub fn policy_mut(&mut self) -> Option<&mut Queue<M>> {
        self.policy.as_deref_mut()
    }

    /// Add a message with a payload of `size` bytes.
    ///
    /// # Errors
    /// There is no memory for it.
    #[expect(clippy::inline_always, reason = "one of its callers has every message")]
    #[inline(always)]
    pub fn push(&mut self, kind: Kind, content: M, size: usize) -> Result<(), NoMemory> {
        match &mut self.policy {
            None => self.items.push(Item { kind, content }, size),
            Some(policy) => policy.push(kind, content, size),
        }
    }

    /// Take the next message.
    #[inline]
    pub fn pop(&mut self) -> Option<Item<M>> {
        let first = match &mut self.policy {
            None => self.items.pop(),
            Some(policy) => policy.pop(),
        };
        first.map(|(item, _)| item)
    }

    /// Take all messages, with `only` up to the first that is not of this kind, and put them behind what
    /// `into` has, each with the bytes that it took.
    ///
    /// # Errors
    /// There is no memory for all of them; those that are not in `into` still wait.
    pub fn pop_many(
        &mut self,
        only: Option<Kind>,
        into: &mut Vec<Sized<M>>,
    ) -> Result<(), NoMemory> {
        let Some(policy) = &mut self.policy else {
            let count = only.map_or(usize::MAX, |kind| {
                self.items.items().take_while(|item| item.kind == kind).count()
            });
            return self.items.pop_many(count, into);
        };
        while policy.next().is_some_and(|item| only.is_none_or(|kind| item.kind == kind)) {
            into.try_reserve(1).map_err(|_| NoMemory)?;
            into.extend(policy.pop());
        }
        Ok(())
    }

    /// What the next message is.
    #[inline]
    pub fn next_kind(&self) -> Option<Kind> {
        let next = match &self.policy {
            None => self.items.first().map(|(item, _)| item),
            Some(policy) => policy.next(),
        };
        next.map(|item| item.kind)
    }

    /// The next message without a policy, and the size of its payload in bytes.
    pub fn first(&self) -> Option<(&Item<M>, usize)> {
        self.items.first()
    }

    /// How many wait without a policy.
    #[inline]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Let a message that was popped be the first again.
    ///
    /// # Errors
    /// There is no memory for it.
    #[cold]
    pub fn put_back(&mut self, item: Item<M>) -> Result<(), NoMemory> {
        match &mut self.policy {
            None => self.items.put_back(item),
            Some(policy) => policy.put_back(item),
        }
    }

    /// Take the next part of a message, if that is what comes next.
    #[cold]
    pub fn pop_part(&mut self) -> Option<Item<M>> {
        if self.begins_with_part() { self.pop() } else { None }
    }

    /// Whether a part of a message comes next. With a policy there are none.
    pub fn begins_with_part(&self) -> bool {
        self.items.items().next().is_some_and(|item| item.kind.is_part())
    }

    /// What is due for what waits.
    #[inline]
    pub fn due(&self) -> Due {
        let wake = if self.is_ready() { Due::WAKE } else { Due::NOTHING };
        match &self.policy {
            Some(policy) if policy.has_fresh() => wake.and(Due::KEYS),
            _ => wake,
        }
    }

    /// Whether there is a message to take.
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.items.len() > 0 || self.policy.as_ref().is_some_and(|policy| policy.is_ready())
    }

    /// Whether nothing waits, not even for its key.
    pub fn is_empty(&self) -> bool {
        !self.is_ready() && !self.policy.as_ref().is_some_and(|policy| policy.has_unplaced())
    }

    /// How many bytes wait.
    #[inline]
    fn bytes(&self) -> usize {
        self.items.bytes() + self.policy.as_ref().map_or(0, |policy| policy.bytes())
    }

    /// Note how full it is; to be called when it has been filled, and before it is emptied.
    #[inline]
    pub fn mark(&mut self) {
        self.high_water = self.high_water.max(self.bytes());
    }

    /// The most bytes of memory that messages have taken while they waited.
    pub fn high_water(&self) -> usize {
        self.high_water
    }

    /// Whether [`is_full`](Self::is_full) is worth asking.
    #[inline]
    pub fn may_be_full(&self) -> bool {
        self.watched || self.items.bytes() > HIGH_WATER
    }

    /// Whether reading is to pause, if it may be full. The bytes of a single message never fill it:
    /// pausing for each message of more than `HIGH_WATER` would cost a reader that keeps up two system
    /// calls a message.
    pub fn is_full(&self) -> bool {
        let count = self.items.len();
        match &self.policy {
            None => count >= self.high || count > 1 && self.items.bytes() > HIGH_WATER,
            Some(policy) => policy.is_full(),
        }
    }

    /// Whether reading can go on.
    pub fn is_low(&self) -> bool {
        match &self.policy {
            None => {
                let count = self.items.len();
                count <= self.low && (count <= 1 || self.items.bytes() <= LOW_WATER)
            }
            Some(policy) => policy.is_low(),
        }
    }

    /// Keep no more than `END` bytes more from now on.
    pub fn set_end(&mut self) {
        self.end = self.end.min(self.bytes() + END);
    }

    /// Whether the next message is one too many.
    pub fn is_overfull(&self) -> bool {
        self.bytes() > self.end
    }

    /// Messages that nobody will get.
    pub fn dropped(&self) -> u64 {
        self.missed + self.policy.as_ref().map_or(0, |policy| policy.dropped)
    }

    /// All that waits, in no order.
    pub fn items(&self) -> impl Iterator<Item = &Item<M>> {
        let others = self.policy.iter().flat_map(|policy| policy.items());
        self.items.items().chain(others)
    }
}
