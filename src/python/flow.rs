//! Backpressure, both ways: who has paused reading, and who waits for room to write.

use std::collections::TryReserveError;

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::protocol::Protocol;
use super::settle::settle;
use super::socket::Socket;
use super::{call, closing, future, names};
use crate::close::State;
use crate::frame::Opcode;
use crate::memory;

/// Reasons to pause reading; it goes on when none is left.
pub mod pause {
    /// The inbox is full.
    pub const INBOX: u8 = 1;
    /// The user asked for it.
    pub const USER: u8 = 2;
}

/// The state of both directions.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not one state")]
pub struct Flow {
    /// What lets a transport read again: their own `resume_reading` is not always enough.
    pub resume_reading: Option<Py<PyAny>>,
    /// The transport's bound `write`, `None` when it is gone.
    pub write: Option<Py<PyAny>>,
    /// The transport's bound `is_closing`, likewise.
    pub is_closing: Option<Py<PyAny>>,
    /// The socket of a transport that can be passed by; see `direct`.
    pub socket: Option<Socket>,
    /// What has that socket, as long as `socket` is used. Not shown to the garbage collector, which
    /// would finalize the socket of a forgotten connection, and with it free its number for another,
    /// before the connection is told.
    pub holder: Option<Py<PyAny>>,
    /// The transport may have something queued that has to go out first.
    pub queued: bool,
    /// The transport has begun to close, and writes nothing more.
    pub severed: bool,
    /// The transport has more to write than it wants to hold.
    pub write_paused: bool,
    /// Futures of senders that wait for room.
    waiters: Vec<Py<PyAny>>,
    /// The newest ping that came while `write_paused`.
    owed_pong: Option<Vec<u8>>,
    /// Bytes that were read when the inbox was full.
    pub unparsed: Vec<u8>,
    reasons: u8,
    /// The transport has been told to pause reading.
    told: bool,
    /// Nothing pauses reading any more: the connection ends, and its end is to be read.
    pub to_the_end: bool,
    /// `reasons` has changed since the transport was told.
    pub changed: bool,
}

impl Flow {
    pub fn new(resume_reading: Py<PyAny>) -> Self {
        Self { resume_reading: Some(resume_reading), ..Self::default() }
    }

    /// Take note that the transport comes paused.
    pub fn begin(&mut self) {
        self.told = true;
        self.changed = true;
    }

    pub fn pause(&mut self, reason: u8) {
        if !self.to_the_end {
            self.reasons |= reason;
            self.changed = true;
        }
    }

    pub fn resume(&mut self, reason: u8) {
        self.reasons &= !reason;
        self.changed = true;
    }

    pub fn is_paused(&self) -> bool {
        self.reasons != 0
    }

    /// Keep `input` until the inbox has room, and read no more until then.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn hold(&mut self, input: &[u8]) -> Result<(), TryReserveError> {
        self.unparsed.try_reserve(input.len())?;
        self.unparsed.extend_from_slice(input);
        self.pause(pause::INBOX);
        Ok(())
    }

    pub fn holds(&self) -> bool {
        self.reasons & pause::INBOX != 0
    }

    /// Answer this ping when there is room, and no earlier one. Reading goes on: if the peer waits to
    /// be read before it reads, nobody else would end that.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn owe_pong(&mut self, payload: &[u8]) -> Result<(), TryReserveError> {
        self.owed_pong = Some(memory::copied(payload)?);
        Ok(())
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.resume_reading)?;
        visit.call(&self.write)?;
        visit.call(&self.is_closing)?;
        self.waiters.iter().try_for_each(|waiter| visit.call(waiter))
    }
}

impl Protocol {
    /// Read on, whatever had paused reading, and parse what waited for room.
    pub(super) fn read_to_the_end(&mut self, py: Python<'_>) {
        self.flow.to_the_end = true;
        self.inbox.set_end();
        self.flow.reasons = 0;
        self.flow.changed = true;
        let unparsed = std::mem::take(&mut self.flow.unparsed);
        self.ingest(py, &unparsed);
    }

    /// Parse what waited for room.
    #[cold]
    pub(super) fn parse_held(&mut self, py: Python<'_>) {
        if self.flow.holds() {
            self.flow.resume(pause::INBOX);
            let mut unparsed = std::mem::take(&mut self.flow.unparsed);
            let rest = self.parse(py, &unparsed).len();
            self.inbox.mark();
            if rest > 0 {
                unparsed.drain(..unparsed.len() - rest);
                self.flow.unparsed = unparsed;
                self.flow.pause(pause::INBOX);
            }
        }
    }
}

/// Tell the transport if reading is to pause or go on. If it cannot, that is the connection's end:
/// what has been taken is the reader's all the same.
pub fn apply(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    match tell(slf) {
        Err(error) if error.is_instance_of::<PyException>(slf.py()) => {
            closing::fail_by(slf, error);
            closing::act(slf)
        }
        told => told,
    }
}

fn tell(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    let (resume, transport) = {
        let mut me = slf.borrow_mut();
        me.flow.changed = false;
        let wanted = me.flow.is_paused();
        if me.flow.told == wanted || me.ending.lost {
            return Ok(());
        }
        me.flow.told = wanted;
        me.counts.pauses += u64::from(wanted);
        let resume = if wanted {
            None
        } else {
            me.reads.note(py);
            me.flow.resume_reading.as_ref().map(|resume| resume.clone_ref(py))
        };
        (resume, me.transport.as_ref().map(|transport| transport.clone_ref(py)))
    };
    match (resume, transport) {
        (Some(resume), Some(transport)) => {
            call::function(resume.bind(py), [transport.bind(py)]).map(drop)
        }
        (None, Some(transport)) => {
            call::method(transport.bind(py), names::pause_reading(py), []).map(drop)
        }
        (_, None) => Ok(()),
    }
}

/// Whether the transport has nothing queued.
#[inline]
pub fn is_drained(slf: &Bound<'_, Protocol>) -> PyResult<bool> {
    if !slf.borrow().flow.queued {
        return Ok(true);
    }
    let transport = slf.borrow().transport.as_ref().map(|t| t.clone_ref(slf.py()));
    let Some(transport) = transport else {
        return Ok(false);
    };
    let py = slf.py();
    let size = call::method(transport.bind(py), names::get_write_buffer_size(py), [])?;
    let drained = !size.is_truthy()?;
    slf.borrow_mut().flow.queued = !drained;
    Ok(drained)
}

/// After messages were taken: parse what waited for room, and read on when all of it is parsed.
///
/// Wakes nobody: whoever takes messages is the reader.
#[inline]
pub fn refill(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    if slf.borrow().flow.holds() { fill(slf) } else { Ok(()) }
}

#[cold]
fn fill(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    {
        let mut me = slf.borrow_mut();
        if !me.inbox.is_low() {
            return Ok(());
        }
        me.parse_held(slf.py());
    }
    settle(slf)
}

/// The transport has room again: answer the newest ping, and let the senders go on.
pub fn resume_writing(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let waiters = {
        let mut me = slf.borrow_mut();
        me.flow.write_paused = false;
        if let Some(payload) = me.flow.owed_pong.take()
            && me.core.close_state() == State::Open
        {
            me.owe(Opcode::Pong, &payload);
        }
        std::mem::take(&mut me.flow.waiters)
    };
    release(slf.py(), waiters)?;
    settle(slf)
}

/// A future that is done when the transport has room or is gone; `None` if it has.
pub fn wait_writable(slf: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    let py = slf.py();
    let event_loop = {
        let me = slf.borrow();
        if !me.flow.write_paused || me.ending.lost {
            return Ok(None);
        }
        me.event_loop.clone_ref(py)
    };
    let waiter = call::method(event_loop.bind(py), names::create_future(py), [])?.unbind();
    slf.borrow_mut().flow.waiters.push(waiter.clone_ref(py));
    Ok(Some(waiter))
}

/// The transport is gone: whoever waits for it is told.
pub fn end(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let (waiters, held) = {
        let mut me = slf.borrow_mut();
        let flow = &mut me.flow;
        flow.socket = None;
        let held = (flow.holder.take(), flow.write.take(), flow.is_closing.take());
        (std::mem::take(&mut flow.waiters), held)
    };
    drop(held);
    release(slf.py(), waiters)
}

/// Finish futures that nobody has finished or cancelled yet.
pub fn release(py: Python<'_>, futures: Vec<Py<PyAny>>) -> PyResult<()> {
    futures.iter().try_for_each(|future| future::finish(future.bind(py)))
}
