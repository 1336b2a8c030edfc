//! What waits: taken one by one or all at once, given its place by its key, held back by a pause.

use super::Endpoint;
use super::due::Due;
use super::ending::Phase;
use super::flow::Turn;
use super::item::{Item, Kind, Make};
use super::waiting::{NoMemory, Sized};

impl<M> Endpoint<M> {
    /// Whether a message can be taken, or the end be told.
    #[must_use]
    #[inline]
    pub fn has_message(&self) -> bool {
        self.inbox.is_ready() || self.ending.tells
    }

    /// Whether the end is told where there is no message.
    #[must_use]
    pub fn tells_end(&self) -> bool {
        self.ending.tells
    }

    /// Whether a message can be taken.
    #[must_use]
    #[inline]
    pub fn is_ready(&self) -> bool {
        self.inbox.is_ready()
    }

    /// The next message; `None` if there is none, after which nothing waits for the end any more.
    #[inline]
    pub fn take(&mut self) -> Option<Item<M>> {
        let item = self.inbox.pop();
        if !self.flow.held.is_empty() && self.inbox.is_low() {
            self.owe_thing(Due::PARSE);
        }
        if item.as_ref().is_none_or(|item| item.kind.is_end()) {
            self.taken_to_the_end(item.as_ref());
        }
        item
    }

    /// Take all that waits, each with the bytes that it took, and put it behind what `into` has: an error
    /// in it is not the end before the batch is answered. With `only`, one of another kind ends it, and stays.
    ///
    /// # Errors
    /// There is no memory for all of it; what is not in `into` still waits.
    pub fn take_queued(
        &mut self,
        only: Option<Kind>,
        into: &mut Vec<Sized<M>>,
    ) -> Result<(), NoMemory> {
        self.inbox.pop_many(only, into)?;
        if !self.flow.held.is_empty() && self.inbox.is_low() {
            self.owe_thing(Due::PARSE);
        }
        Ok(())
    }

    /// Whether [`take_queued`](Self::take_queued) would take any.
    #[must_use]
    pub fn has_queued(&self, only: Option<Kind>) -> bool {
        only.map_or_else(|| self.inbox.is_ready(), |kind| self.inbox.next_kind() == Some(kind))
    }

    /// The message that is next to be taken, and the size of its payload in bytes; not where a policy has
    /// them.
    #[must_use]
    pub fn first(&self) -> Option<(&Item<M>, usize)> {
        self.inbox.first()
    }

    /// How many messages can be taken; those that a policy has are not counted.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.inbox.len()
    }

    /// Let a message that was taken be the first again; returns whether there was memory for that.
    #[cold]
    pub fn put_back<K: Make<Content = M>>(&mut self, item: Item<M>, make: &mut K) -> bool {
        if item.kind.is_part() {
            self.streaming.stage = self.streaming.before;
        }
        let kept = self.inbox.put_back(item).is_ok();
        if !kept {
            self.run_out_of_memory(make);
        }
        self.owe_thing(self.inbox.due());
        kept
    }

    /// Whether nothing that arrived is left to take.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inbox.is_empty() && self.flow.held.is_empty()
    }

    /// All that waits to be taken, in no order.
    pub fn items(&self) -> impl Iterator<Item = &Item<M>> {
        self.inbox.items()
    }

    /// Messages that wait for their keys, if nobody asks for keys already ([`Due::KEYS`]). Each is to
    /// be given its [`place`](Self::place), and then [`end_asking`](Self::end_asking) to be called.
    pub fn take_fresh(&mut self) -> Option<Vec<Sized<M>>> {
        self.inbox.policy_mut()?.take_fresh()
    }

    /// Put a message in the place of the one with the number `instead`, if that still waits, or behind
    /// all others; returns its own number then.
    ///
    /// # Errors
    /// There was no memory for it: the connection has failed.
    pub fn place<K: Make<Content = M>>(
        &mut self,
        sized: Sized<M>,
        instead: Option<u64>,
        make: &mut K,
    ) -> Result<Option<u64>, NoMemory> {
        let placed = match self.inbox.policy_mut() {
            Some(policy) => policy.place(sized, instead),
            None => self.inbox.push(sized.0.kind, sized.0.content, sized.1).map(|()| None),
        };
        if placed.is_err() {
            self.run_out_of_memory(make);
        }
        self.owe_thing(self.inbox.due());
        placed
    }

    /// All that [`take_fresh`](Self::take_fresh) gave has its place.
    pub fn end_asking(&mut self) {
        if let Some(policy) = self.inbox.policy_mut() {
            policy.end_asking();
        }
        if !self.flow.held.is_empty() {
            self.owe_thing(Due::PARSE);
        }
    }

    /// The number of the first message that has one and waits, and how many do.
    #[must_use]
    pub fn numbers(&self) -> (u64, usize) {
        self.inbox.policy().map_or((0, 0), |policy| (policy.first_number(), policy.len()))
    }

    /// The user wants reading to pause, or to go on.
    pub fn pause_reading(&mut self, pause: bool) {
        self.turn(if pause { Turn::Pause } else { Turn::Resume });
    }

    /// Whether reading is paused from this side, by backpressure or by the user.
    #[must_use]
    pub fn is_reading_paused(&self) -> bool {
        self.flow.reading.is_paused()
    }

    /// Whether what arrives can still yield messages.
    #[must_use]
    pub fn is_reading(&self) -> bool {
        self.core.is_reading()
    }

    /// Whether reading is to pause, if the transport is to be told ([`Due::READING`]).
    pub fn take_reading(&mut self) -> Option<bool> {
        let due = self.take_due(Due::READING) && self.ending.phase != Phase::Gone;
        let paused = if due { self.flow.tell() } else { None };
        self.counts.pauses += u64::from(paused == Some(true));
        paused
    }

    /// The transport does not know what [`take_reading`](Self::take_reading) has said last.
    #[cold]
    pub fn reading_untold(&mut self) {
        self.counts.pauses -= u64::from(self.flow.untold());
        self.owe_thing(Due::READING);
    }
}
