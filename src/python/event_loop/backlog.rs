//! What is to be written together, and what waits for the transport to have room.

use std::collections::{TryReserveError, VecDeque};
use std::mem;

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::piece::{self, Piece};
use crate::frame::MAX_HEADER;
use crate::memory::Rare;
use crate::python::values::outgoing::{Messages, Outgoing};

/// Messages of a piece, at most: they are kept until it is written.
const MOST: usize = 1024;

/// Of one connection.
#[derive(Default)]
pub struct Backlog {
    /// How many `cork()` blocks it is in.
    pub corks: usize,
    /// Frames that are gathered, to be written as one.
    pub piece: Piece,
    /// Whether the event loop is to write them in its next turn.
    pub arranged: bool,
    queue: Rare<Queue>,
}

/// What there is no room for yet.
#[derive(Default)]
struct Queue {
    /// Messages of `send_many()`, and what was sent after them. While any wait, writing is paused, or they
    /// are being written.
    waiting: VecDeque<Outgoing>,
    /// Bytes of their payloads.
    size: usize,
    /// The calls that they are from, each with its number and how many they are.
    calls: VecDeque<(u64, usize)>,
    /// The number of the last call.
    last: u64,
    /// The first of the calls whose messages were not all sent, nor will be.
    lost: Option<u64>,
}

/// What goes into the next piece.
pub struct Next {
    /// How many messages.
    pub count: usize,
    /// Bytes of their frames at most, but for compression.
    pub size: usize,
}

impl Backlog {
    /// Whether whatever is sent can be written at once.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.corks == 0 && self.piece.is_empty() && !self.is_waiting()
    }

    #[inline]
    pub fn is_waiting(&self) -> bool {
        self.queue.get().is_some_and(|queue| !queue.waiting.is_empty())
    }

    /// Bytes of all that is here.
    pub fn size(&self) -> usize {
        self.piece.as_slice().len() + self.queue.get().map_or(0, |queue| queue.size)
    }

    /// Let a call's messages wait behind all others, or leave them where they are; returns its number.
    ///
    /// # Errors
    /// There is no memory for that.
    pub fn wait(&mut self, messages: &mut Messages) -> Result<u64, TryReserveError> {
        let queue = self.queue.wanted()?;
        queue.calls.try_reserve(1)?;
        let (count, size) = (messages.all.len(), messages.size);
        if queue.waiting.is_empty() {
            queue.waiting = mem::take(&mut messages.all).into();
        } else {
            queue.waiting.try_reserve(count)?;
            queue.waiting.extend(messages.all.drain(..));
        }
        Ok(queue.call(count, size))
    }

    /// The same for a call with one message, which is a copy.
    pub fn push(&mut self, py: Python<'_>, message: Outgoing) -> Result<(), TryReserveError> {
        let queue = self.queue.wanted()?;
        queue.calls.try_reserve(1)?;
        queue.waiting.try_reserve(1)?;
        let size = message.len(py);
        queue.waiting.push_back(message);
        queue.call(1, size);
        Ok(())
    }

    /// Which messages go into the next piece: none, if the next is one for itself.
    pub fn next(&self, py: Python<'_>) -> Next {
        let mut next = Next { count: 0, size: 0 };
        let free = piece::SIZE.saturating_sub(self.piece.as_slice().len());
        let waiting = self.queue.get().into_iter().flat_map(|queue| &queue.waiting);
        for message in waiting.take(MOST) {
            let size = next.size + message.len(py) + MAX_HEADER;
            if size > free {
                break;
            }
            next = Next { count: next.count + 1, size };
        }
        next
    }

    /// The messages that wait, to be put back.
    pub fn lend(&mut self) -> VecDeque<Outgoing> {
        self.queue.get_mut().map(|queue| mem::take(&mut queue.waiting)).unwrap_or_default()
    }

    /// Put them back, but for the first `count`, with payloads of `size` bytes, which go to `taken`, where
    /// there is room for them.
    pub fn put_back(
        &mut self,
        mut waiting: VecDeque<Outgoing>,
        count: usize,
        size: usize,
        taken: &mut VecDeque<Outgoing>,
    ) {
        let Some(queue) = self.queue.get_mut() else {
            return;
        };
        if count == waiting.len() {
            mem::swap(taken, &mut waiting);
        } else {
            taken.extend(waiting.drain(..count));
        }
        queue.waiting = waiting;
        queue.size -= size;
        let mut left = count;
        while let Some((_, messages)) = queue.calls.front_mut() {
            let sent = left.min(*messages);
            (*messages, left) = (*messages - sent, left - sent);
            if *messages > 0 {
                break;
            }
            queue.calls.pop_front();
        }
    }

    /// The number of the last call, if any of its messages wait.
    pub fn last(&self) -> Option<u64> {
        self.queue.get()?.calls.back().map(|(call, _)| *call)
    }

    /// A call takes back what waits of its messages; they are to be dropped when the connection is not
    /// borrowed.
    pub fn take_back(&mut self, py: Python<'_>, call: u64) -> impl Sized + use<> {
        let mut taken = Vec::new();
        let Some(queue) = self.queue.get_mut() else {
            return taken;
        };
        let Some(place) = queue.calls.iter().position(|(of, _)| *of == call) else {
            return taken;
        };
        let start = queue.calls.iter().take(place).map(|(_, messages)| messages).sum::<usize>();
        let count = queue.calls[place].1;
        // Without memory they are sent after all.
        if taken.try_reserve_exact(count).is_ok() {
            taken.extend(queue.waiting.drain(start..start + count));
            queue.size -= taken.iter().map(|message: &Outgoing| message.len(py)).sum::<usize>();
            queue.calls.remove(place);
        }
        taken
    }

    /// Nothing of this will be sent any more; likewise.
    pub fn lose(&mut self) -> impl Sized + use<> {
        (mem::take(&mut self.piece), self.lose_waiting())
    }

    /// Nothing that waits will be; likewise.
    pub fn lose_waiting(&mut self) -> impl Sized + use<> {
        let Some(queue) = self.queue.get_mut() else {
            return VecDeque::new();
        };
        queue.lost = queue.lost.or(queue.calls.front().map(|(call, _)| *call));
        queue.calls.clear();
        queue.size = 0;
        mem::take(&mut queue.waiting)
    }

    /// Whether messages of this call were lost.
    pub fn has_lost(&self, call: u64) -> bool {
        self.queue.get().and_then(|queue| queue.lost).is_some_and(|first| first <= call)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut waiting = self.queue.get().into_iter().flat_map(|queue| &queue.waiting);
        waiting.try_for_each(|message| message.traverse(visit))
    }
}

impl Queue {
    /// So many messages with payloads of that size are from a new call, which has this number.
    fn call(&mut self, count: usize, size: usize) -> u64 {
        self.size += size;
        self.last += 1;
        self.calls.push_back((self.last, count));
        self.last
    }
}
