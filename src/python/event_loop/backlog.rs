//! What is to be written together, and what waits for the transport to have room.

use std::collections::{TryReserveError, VecDeque};
use std::mem;

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::piece::{self, Piece};
use crate::frame::MAX_HEADER;
use crate::python::values::outgoing::Outgoing;

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
    /// Messages of `send_many()` that there is no room for yet, and what was sent after them. While any
    /// wait, writing is paused, or they are being written.
    waiting: VecDeque<Outgoing>,
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
        self.corks == 0 && self.piece.is_empty() && self.waiting.is_empty()
    }

    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Bytes of all that is here.
    pub fn size(&self, py: Python<'_>) -> usize {
        self.piece.as_slice().len()
            + self.waiting.iter().map(|message| message.len(py)).sum::<usize>()
    }

    /// Let a call's messages wait behind all others, or leave them where they are; returns its number.
    ///
    /// # Errors
    /// There is no memory for that.
    pub fn wait(&mut self, messages: &mut Vec<Outgoing>) -> Result<u64, TryReserveError> {
        self.calls.try_reserve(1)?;
        let count = messages.len();
        if self.waiting.is_empty() {
            self.waiting = mem::take(messages).into();
        } else {
            self.waiting.try_reserve(count)?;
            self.waiting.extend(messages.drain(..));
        }
        self.last += 1;
        self.calls.push_back((self.last, count));
        Ok(self.last)
    }

    /// The same for a call with one message, which is a copy.
    pub fn push(&mut self, message: Outgoing) -> Result<(), TryReserveError> {
        self.calls.try_reserve(1)?;
        self.waiting.try_reserve(1)?;
        self.last += 1;
        self.calls.push_back((self.last, 1));
        self.waiting.push_back(message);
        Ok(())
    }

    /// Which messages go into the next piece: none, if the next is one for itself.
    pub fn next(&self, py: Python<'_>) -> Next {
        let mut next = Next { count: 0, size: 0 };
        let free = piece::SIZE.saturating_sub(self.piece.as_slice().len());
        for message in self.waiting.iter().take(MOST) {
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
        mem::take(&mut self.waiting)
    }

    /// Put them back, but for the first `count`, which go to `taken`, where there is room for them.
    pub fn put_back(
        &mut self,
        mut waiting: VecDeque<Outgoing>,
        count: usize,
        taken: &mut VecDeque<Outgoing>,
    ) {
        if count == waiting.len() {
            mem::swap(taken, &mut waiting);
        } else {
            taken.extend(waiting.drain(..count));
        }
        self.waiting = waiting;
        let mut left = count;
        while let Some((_, messages)) = self.calls.front_mut() {
            let sent = left.min(*messages);
            (*messages, left) = (*messages - sent, left - sent);
            if *messages > 0 {
                break;
            }
            self.calls.pop_front();
        }
    }

    /// The number of the last call, if any of its messages wait.
    pub fn last(&self) -> Option<u64> {
        self.calls.back().map(|(call, _)| *call)
    }

    /// A call takes back what waits of its messages; they are to be dropped when the connection is not
    /// borrowed.
    pub fn take_back(&mut self, call: u64) -> impl Sized + use<> {
        let mut taken = Vec::new();
        let Some(place) = self.calls.iter().position(|(of, _)| *of == call) else {
            return taken;
        };
        let start = self.calls.iter().take(place).map(|(_, messages)| messages).sum::<usize>();
        let count = self.calls[place].1;
        // Without memory they are sent after all.
        if taken.try_reserve_exact(count).is_ok() {
            taken.extend(self.waiting.drain(start..start + count));
            self.calls.remove(place);
        }
        taken
    }

    /// Nothing of this will be sent any more; likewise.
    pub fn lose(&mut self) -> impl Sized + use<> {
        (mem::take(&mut self.piece), self.lose_waiting())
    }

    /// Nothing that waits will be; likewise.
    pub fn lose_waiting(&mut self) -> impl Sized + use<> {
        self.lost = self.lost.or(self.calls.front().map(|(call, _)| *call));
        self.calls.clear();
        mem::take(&mut self.waiting)
    }

    /// Whether messages of this call were lost.
    pub fn has_lost(&self, call: u64) -> bool {
        self.lost.is_some_and(|first| first <= call)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.waiting.iter().try_for_each(|message| message.traverse(visit))
    }
}
