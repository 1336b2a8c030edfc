//! What becomes of messages that nobody takes in time, where the user would rather have new ones.

use std::collections::VecDeque;
use std::mem;

use super::item::{Item, Kind};
use super::waiting::{NoMemory, OVERHEAD, Sized, Waiting};

/// Above this many bytes that wait for their keys, reading pauses.
const FRESH: usize = 512 * 1024;
/// Above this many messages that are never dropped, reading pauses; at or below a quarter it goes on.
const KEPT: usize = 1024;

/// A bounded queue of messages.
///
/// Those that it may drop or replace have numbers, in the order in which they came: dropping and taking
/// them removes the first, so that the place of each follows from its number.
#[derive(Debug)]
pub struct Queue<M> {
    max_size: usize,
    items: Waiting<M>,
    /// How many messages there have been in `items`; the last one's number is one less.
    pushed: u64,
    /// Those that are never dropped, as they tell of the connection's end or of pings, each with the
    /// number of the message in `items` that it comes before.
    kept: VecDeque<(u64, Item<M>)>,
    /// Messages have keys, and replace those with the same. Which key a message has is asked for when
    /// the endpoint is not at work, so each waits for that in `fresh`.
    keyed: bool,
    fresh: Vec<Sized<M>>,
    fresh_bytes: usize,
    /// Keys are being asked for.
    asking: bool,
    /// Messages that nobody will get.
    pub dropped: u64,
}

impl<M> Queue<M> {
    /// A queue of at most `max_size` messages, and of `earlier` ones.
    pub fn new(max_size: usize, keyed: bool, earlier: Waiting<M>) -> Self {
        Self {
            max_size,
            pushed: earlier.len() as u64,
            items: earlier,
            kept: VecDeque::new(),
            keyed,
            fresh: Vec::new(),
            fresh_bytes: 0,
            asking: false,
            dropped: 0,
        }
    }

    /// Add a message with a payload of `size` bytes.
    ///
    /// # Errors
    /// There is no memory for it.
    #[cold]
    #[inline(never)]
    pub fn push(&mut self, kind: Kind, content: M, size: usize) -> Result<(), NoMemory> {
        let item = Item { kind, content };
        if !self.keyed {
            return self.push_placed((item, size)).map(drop);
        }
        self.fresh.try_reserve(1).map_err(|_| NoMemory)?;
        self.fresh_bytes += size;
        self.fresh.push((item, size));
        Ok(())
    }

    /// What has arrived since the keys were asked for last; `None` if there is nothing, or if who asks
    /// goes on: what came meanwhile is for later.
    pub fn take_fresh(&mut self) -> Option<Vec<Sized<M>>> {
        if self.asking || self.fresh.is_empty() {
            return None;
        }
        self.asking = true;
        self.fresh_bytes = 0;
        Some(mem::take(&mut self.fresh))
    }

    /// What [`take_fresh`](Self::take_fresh) gave has its place.
    pub fn end_asking(&mut self) {
        self.asking = false;
    }

    /// Put a message in the place of the one with the number `instead`, if that is still here, or
    /// behind all others; returns its own number then.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn place(
        &mut self,
        sized: Sized<M>,
        instead: Option<u64>,
    ) -> Result<Option<u64>, NoMemory> {
        match instead.and_then(|number| self.index_of(number)) {
            Some(index) => {
                self.dropped += 1;
                self.items.exchange(index, sized);
                Ok(None)
            }
            None => self.push_placed(sized).map(Some),
        }
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.first_number())?).ok();
        index.filter(|index| *index < self.items.len())
    }

    /// The number of the first message that has one, or of the next one to come.
    pub fn first_number(&self) -> u64 {
        self.pushed - self.items.len() as u64
    }

    /// Add a message behind all others, and drop the oldest if there are more than the bound; returns
    /// its number.
    fn push_placed(&mut self, (item, size): Sized<M>) -> Result<u64, NoMemory> {
        let number = self.pushed;
        if !item.kind.is_data() {
            self.kept.try_reserve(1).map_err(|_| NoMemory)?;
            self.kept.push_back((number, item));
            return Ok(number);
        }
        self.items.push(item, size)?;
        self.pushed += 1;
        if self.items.len() > self.max_size {
            self.items.pop();
            self.dropped += 1;
        }
        Ok(number)
    }

    /// Take the next message, and what it takes.
    #[cold]
    pub fn pop(&mut self) -> Option<Sized<M>> {
        if self.next_kept().is_some() {
            return self.kept.pop_front().map(|(_, item)| (item, OVERHEAD));
        }
        self.items.pop()
    }

    /// The next message.
    #[cold]
    pub fn next(&self) -> Option<&Item<M>> {
        self.next_kept().or_else(|| self.items.first().map(|(item, _)| item))
    }

    /// The same, if it is one that is never dropped.
    fn next_kept(&self) -> Option<&Item<M>> {
        let first = self.first_number();
        self.kept.front().filter(|(before, _)| *before <= first).map(|(_, item)| item)
    }

    /// Let a message that was popped be the first again.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn put_back(&mut self, item: Item<M>) -> Result<(), NoMemory> {
        if item.kind.is_data() {
            return self.items.put_back(item);
        }
        self.kept.try_reserve(1).map_err(|_| NoMemory)?;
        // A message before it that is put back next has the number below.
        self.kept.push_front((self.first_number(), item));
        Ok(())
    }

    /// Whether there is a message to take.
    pub fn is_ready(&self) -> bool {
        self.items.len() + self.kept.len() > 0
    }

    /// Whether messages wait for their keys, or are being given their places.
    pub fn has_unplaced(&self) -> bool {
        self.asking || self.has_fresh()
    }

    /// Whether messages wait for their keys.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Whether reading is to pause: what is decompressed from one read may be large, and pings that are
    /// not answered for the user are not dropped.
    pub fn is_full(&self) -> bool {
        self.fresh_bytes > FRESH || self.kept.len() > KEPT
    }

    /// Whether it can go on.
    pub fn is_low(&self) -> bool {
        self.kept.len() <= KEPT / 4
    }

    /// How many messages have numbers.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// How many bytes wait, for their keys or to be taken.
    pub fn bytes(&self) -> usize {
        let others = self.fresh.len() + self.kept.len();
        self.items.bytes() + self.fresh_bytes + others * OVERHEAD
    }

    /// All that waits, in no order.
    pub fn items(&self) -> impl Iterator<Item = &Item<M>> {
        let others = self.fresh.iter().map(|(item, _)| item);
        self.items.items().chain(self.kept.iter().map(|(_, item)| item)).chain(others)
    }
}
