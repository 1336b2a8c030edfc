//! Backpressure, both ways: who has paused reading, and who waits for room to write.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::direct::Socket;
use super::protocol::Protocol;
use super::settle::settle;
use super::{call, future};
use crate::close::State;
use crate::frame::Opcode;

/// Reasons to pause reading; it goes on when none is left.
pub mod pause {
    /// The inbox is full.
    pub const INBOX: u8 = 1;
    /// A pong is owed to a peer that does not read.
    pub const PONG: u8 = 2;
    /// The user asked for it.
    pub const USER: u8 = 4;
}

/// The state of both directions.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not one state")]
pub struct Flow {
    /// What lets a transport read again: their own `resume_reading` is not always enough.
    pub resume_reading: Option<Py<PyAny>>,
    /// The transport's bound `write`, `None` when it is gone.
    pub write: Option<Py<PyAny>>,
    /// The socket of a transport that can be passed by; see `direct`.
    pub socket: Option<Socket>,
    /// The transport may have something queued that has to go out first.
    pub queued: bool,
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
    pub fn hold(&mut self, input: &[u8]) {
        self.unparsed.extend_from_slice(input);
        self.pause(pause::INBOX);
    }

    pub fn holds(&self) -> bool {
        self.reasons & pause::INBOX != 0
    }

    pub fn owe_pong(&mut self, payload: &[u8]) {
        self.owed_pong = Some(payload.to_vec());
        self.pause(pause::PONG);
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.resume_reading)?;
        visit.call(&self.write)?;
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
            let unparsed = std::mem::take(&mut self.flow.unparsed);
            self.ingest(py, &unparsed);
        }
    }
}

/// Tell the transport if reading is to pause or go on.
pub fn apply(slf: &Bound<'_, Protocol>) -> PyResult<()> {
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
            me.restart_idle_time(py);
            me.flow.resume_reading.as_ref().map(|resume| resume.clone_ref(py))
        };
        (resume, me.transport.as_ref().map(|transport| transport.clone_ref(py)))
    };
    match (resume, transport) {
        (Some(resume), Some(transport)) => {
            call::function(resume.bind(py), [transport.bind(py)]).map(drop)
        }
        (None, Some(transport)) => call::method(transport.bind(py), "pause_reading", []).map(drop),
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
    let size = call::method(transport.bind(slf.py()), "get_write_buffer_size", [])?;
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
        if let Some(payload) = me.flow.owed_pong.take() {
            if me.core.close_state() == State::Open {
                me.owe(Opcode::Pong, &payload);
            }
            me.flow.resume(pause::PONG);
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
    let waiter = call::method(event_loop.bind(py), "create_future", [])?.unbind();
    slf.borrow_mut().flow.waiters.push(waiter.clone_ref(py));
    Ok(Some(waiter))
}

/// The transport is gone: whoever waits for it is told.
pub fn end(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let (waiters, write) = {
        let mut me = slf.borrow_mut();
        me.flow.socket = None;
        (std::mem::take(&mut me.flow.waiters), me.flow.write.take())
    };
    drop(write);
    release(slf.py(), waiters)
}

/// Finish futures that nobody has finished or cancelled yet.
pub fn release(py: Python<'_>, futures: Vec<Py<PyAny>>) -> PyResult<()> {
    futures.iter().try_for_each(|future| future::finish(future.bind(py)))
}
