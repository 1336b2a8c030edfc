//! What becomes of messages that nobody takes in time, where the user would rather have new ones.

use std::collections::{TryReserveError, VecDeque};
use std::mem;

use super::due::Due;
use super::inbox::Inbox;
use super::item::Item;

/// A message and its size in bytes.
pub type Sized<M> = (Item<M>, usize);

/// A bound on the inbox, in messages, and how they make room.
///
/// The messages that count stand in the inbox, and have numbers in the order in which they came:
/// dropping and taking them removes the first, so that the place of each follows from its number.
#[derive(Debug)]
pub struct Queue<M> {
    max_size: usize,
    /// Messages have keys, and replace those with the same. Which key a message has is asked for when
    /// the endpoint is not at work, so each waits for that in `fresh`.
    keyed: bool,
    fresh: Vec<Sized<M>>,
    fresh_bytes: usize,
    /// Keys are being asked for.
    asking: bool,
    /// Messages that were ever put into the inbox; the last one's number is one less.
    pushed: u64,
    /// Those that are never dropped, as they tell of the connection's end or of pings, each with the
    /// number of the message in the inbox that it comes before.
    kept: VecDeque<(u64, Sized<M>)>,
}

impl<M> Queue<M> {
    /// A policy for an inbox that holds `pushed` messages already.
    fn new(max_size: usize, keyed: bool, pushed: usize) -> Self {
        Self {
            max_size,
            keyed,
            fresh: Vec::new(),
            fresh_bytes: 0,
            asking: false,
            pushed: pushed as u64,
            kept: VecDeque::new(),
        }
    }

    /// Whether messages wait for their keys.
    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    /// Whether messages wait for their keys, or are being given their places.
    pub fn has_unplaced(&self) -> bool {
        self.asking || self.has_fresh()
    }

    /// How many bytes wait for their keys.
    pub fn fresh_bytes(&self) -> usize {
        self.fresh_bytes
    }

    /// How many messages wait that are never dropped.
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// What waits here and not in the inbox.
    pub fn items(&self) -> impl Iterator<Item = &Item<M>> {
        let kept = self.kept.iter().map(|(_, sized)| sized);
        self.fresh.iter().chain(kept).map(|(item, _)| item)
    }
}

impl<M> Inbox<M> {
    /// Bound it from now on.
    pub fn set_policy(&mut self, max_size: usize, keyed: bool) {
        self.policy = Some(Box::new(Queue::new(max_size, keyed, self.len())));
    }

    /// Add a message where there is a policy.
    #[cold]
    pub fn push_by_policy(&mut self, item: Item<M>, size: usize) -> Result<Due, TryReserveError> {
        match &mut self.policy {
            Some(policy) if policy.keyed => {
                policy.fresh.try_reserve(1)?;
                policy.fresh_bytes += size;
                policy.fresh.push((item, size));
                self.count(size);
                Ok(Due::KEYS)
            }
            _ => self.push_bounded((item, size)).map(|_| Due::WAKE),
        }
    }

    /// What has arrived since the keys were asked for last; `None` if there is nothing, or if who asks
    /// goes on: what came meanwhile is for later.
    pub fn take_fresh(&mut self) -> Option<Vec<Sized<M>>> {
        let policy = self.policy.as_mut().filter(|policy| policy.has_fresh() && !policy.asking)?;
        policy.asking = true;
        let (fresh, bytes) = (mem::take(&mut policy.fresh), mem::take(&mut policy.fresh_bytes));
        self.discount(fresh.len(), bytes);
        Some(fresh)
    }

    /// What [`take_fresh`](Self::take_fresh) gave has its place.
    pub fn end_asking(&mut self) {
        if let Some(policy) = &mut self.policy {
            policy.asking = false;
        }
    }

    /// Put a message in the place of the one with the number `instead`, if that is still here, or
    /// behind all others; returns its own number then.
    pub fn place(
        &mut self,
        sized: Sized<M>,
        instead: Option<u64>,
    ) -> Result<Option<u64>, TryReserveError> {
        match instead.and_then(|number| self.index_of(number)) {
            Some(index) => {
                self.dropped += 1;
                self.exchange(index, sized.0, sized.1);
                Ok(None)
            }
            None => self.push_bounded(sized).map(Some),
        }
    }

    /// The number of the first message that a policy may drop, or of the next one to come.
    pub fn first_number(&self) -> u64 {
        self.policy.as_ref().map_or(0, |policy| policy.pushed - self.len() as u64)
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        let index = usize::try_from(number.checked_sub(self.first_number())?).ok();
        index.filter(|index| *index < self.len())
    }

    /// Add a message, and drop the oldest if there are more than the bound; returns its number.
    fn push_bounded(&mut self, (item, size): Sized<M>) -> Result<u64, TryReserveError> {
        self.grow()?;
        let Some(policy) = &mut self.policy else {
            return self.append(item, size).map(|()| 0);
        };
        let number = policy.pushed;
        if !item.kind.is_data() {
            policy.kept.try_reserve(1)?;
            policy.kept.push_back((number, (item, size)));
            self.count(size);
            return Ok(number);
        }
        policy.pushed += 1;
        let max_size = policy.max_size;
        self.append(item, size)?;
        if self.len() > max_size {
            self.dropped += 1;
            self.pop_item();
        }
        Ok(number)
    }

    /// Take the next message if it is one that is never dropped.
    #[cold]
    pub fn pop_kept(&mut self) -> Option<Sized<M>> {
        let first = self.first_number();
        let policy = self.policy.as_mut()?;
        policy.kept.front().filter(|(before, _)| *before <= first)?;
        policy.kept.pop_front().map(|(_, sized)| sized)
    }

    /// Let a message that was popped be the first again.
    ///
    /// # Errors
    /// There is no memory for it.
    #[cold]
    pub fn put_back(&mut self, item: Item<M>) -> Result<(), TryReserveError> {
        // A message before it that is put back next has the number below.
        let first = self.first_number();
        match &mut self.policy {
            Some(policy) if !item.kind.is_data() => {
                policy.kept.try_reserve(1)?;
                policy.kept.push_front((first, (item, 0)));
                self.count(0);
                Ok(())
            }
            _ => self.put_back_item(item),
        }
    }
}
