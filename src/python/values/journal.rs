//! `Journal`: what connections receive and send, for a thread that writes it to a file.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use pyo3::exceptions::PyMemoryError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::close::CloseFrame;
use crate::journal::{self, Amount, Parts, Tells, Waiting, Way};
use crate::python::cpython::memory;
use crate::registry::Opcode;

/// What waits to be written of what connections receive and send.
///
/// Args:
///     limit: How many bytes may wait; what comes beyond that is counted as lost.
///     sent: Take what is sent, too.
///     wake: Called, by whoever receives or sends, when something waits again after `take` has found
///         nothing; a function that runs no Python code.
#[pyclass(frozen, module = "wsclient._core")]
pub struct Journal(Arc<Shared>);

struct Shared {
    started: Instant,
    limit: usize,
    takes_sent: bool,
    wake: Py<PyAny>,
    state: Mutex<State>,
}

struct State {
    waiting: Waiting,
    connections: u32,
    /// Whoever writes is to be woken.
    sleeps: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A message is too large to wait.
    fn lose(&self, tells: Tells, size: usize) {
        self.state().waiting.lose(tells, size);
    }

    fn push(&self, py: Python<'_>, at: Instant, connection: u32, tells: Tells, payload: &[u8]) {
        let wakes = {
            let mut state = self.state();
            let at = at.saturating_duration_since(self.started);
            state.waiting.push(at, connection, tells, payload);
            !state.waiting.is_empty() && mem::take(&mut state.sleeps)
        };
        if wakes {
            #[expect(clippy::disallowed_methods, reason = "it runs no Python code")]
            let woken = self.wake.call0(py);
            drop(woken);
        }
    }
}

#[pymethods]
impl Journal {
    #[new]
    fn new(limit: usize, sent: bool, wake: Py<PyAny>) -> Self {
        let state = State { waiting: Waiting::new(limit), connections: 0, sleeps: false };
        let state = Mutex::new(state);
        Self(Arc::new(Shared { started: Instant::now(), limit, takes_sent: sent, wake, state }))
    }

    /// Take note of a connection that is open; `Protocol.record_in` takes its number.
    ///
    /// Args:
    ///     members: What its line says, as members of an object in JSON.
    fn open(&self, py: Python<'_>, members: &[u8]) -> u32 {
        let number = {
            let mut state = self.0.state();
            state.connections += 1;
            state.connections
        };
        self.0.push(py, Instant::now(), number, Tells::Open, members);
        number
    }

    /// Take the lines that have waited the longest, how many messages they are, and of how many bytes;
    /// `None` if nothing waits: then whoever has something calls `wake`. Lets other threads run meanwhile.
    fn take(&self, py: Python<'_>) -> PyResult<Option<(Py<PyBytes>, u64, u64)>> {
        let piece = {
            let mut state = self.0.state();
            let piece = state.waiting.take();
            state.sleeps = piece.is_none();
            piece
        };
        let Some(piece) = piece else {
            return Ok(None);
        };
        let mut out = Vec::new();
        let amount = py
            .detach(|| journal::lines(&piece, &mut out))
            .map_err(|_| PyMemoryError::new_err("no memory for what is recorded"))?;
        let lines = memory::bytes(py, &out)?.unbind();
        Ok(Some((lines, amount.messages, amount.bytes)))
    }

    /// Nothing is written any more.
    ///
    /// Args:
    ///     messages: How many that `take` has returned were not written.
    ///     size: How many bytes they have.
    fn give_up(&self, messages: u64, size: u64) {
        self.0.state().waiting.give_up(Amount { messages, bytes: size });
    }

    /// How many messages, and of how many bytes, had no room or could not be written.
    #[getter]
    fn lost(&self) -> (u64, u64) {
        let Amount { messages, bytes } = self.0.state().waiting.lost();
        (messages, bytes)
    }
}

/// A connection in a journal.
pub struct Record {
    journal: Arc<Shared>,
    number: u32,
    received: Parts,
    sent: Parts,
    /// What the parts of the message that is being sent are.
    sending: Tells,
    has_closed: bool,
}

impl Record {
    pub fn new(journal: &Journal, number: u32) -> Self {
        Self {
            journal: journal.0.clone(),
            number,
            received: Parts::default(),
            sent: Parts::default(),
            sending: Tells::Binary(Way::Out),
            has_closed: false,
        }
    }

    /// A whole message or a control frame has been received.
    pub fn arrived(&mut self, py: Python<'_>, at: Option<Instant>, opcode: Opcode, payload: &[u8]) {
        if !opcode.is_control() {
            // Its beginning, if that was taken for a part.
            self.received.clear();
        }
        let at = at.unwrap_or_else(Instant::now);
        self.journal.push(py, at, self.number, tells(opcode, Way::In), payload);
    }

    /// A part of a message has been received.
    pub fn part_arrived(
        &mut self,
        py: Python<'_>,
        at: Option<Instant>,
        opcode: Opcode,
        payload: &[u8],
        last: bool,
    ) {
        match self.received.add(payload, last, self.journal.limit) {
            Some(Ok(whole)) => self.arrived(py, at, opcode, &whole),
            Some(Err(size)) => self.journal.lose(tells(opcode, Way::In), size),
            None => {}
        }
    }

    /// The peer's close frame has been received.
    pub fn close_arrived(&mut self, py: Python<'_>, at: Option<Instant>, frame: &CloseFrame) {
        self.arrived(py, at, Opcode::Close, &journal::closing(frame));
    }

    /// A message is being sent.
    pub fn sends(&mut self, py: Python<'_>, opcode: Opcode, payload: &[u8]) {
        self.push_sent(py, tells(opcode, Way::Out), payload);
    }

    /// A part of a message is being sent; the first has the message's opcode.
    pub fn sends_part(&mut self, py: Python<'_>, opcode: Opcode, payload: &[u8], last: bool) {
        if opcode != Opcode::Continuation {
            self.sending = tells(opcode, Way::Out);
            self.sent.clear();
        }
        match self.sent.add(payload, last, self.journal.limit) {
            Some(Ok(whole)) => self.push_sent(py, self.sending, &whole),
            Some(Err(size)) if self.journal.takes_sent => self.journal.lose(self.sending, size),
            Some(Err(_)) | None => {}
        }
    }

    /// This side's close frame, if there is one, is being sent.
    pub fn sends_close(&mut self, py: Python<'_>, frame: Option<&CloseFrame>) {
        if let Some(frame) = frame.filter(|_| !self.has_closed) {
            self.has_closed = true;
            // Whatever else is left out: without it nobody could tell which side has ended it.
            let payload = journal::closing(frame);
            self.journal.push(py, Instant::now(), self.number, Tells::Close(Way::Out), &payload);
        }
    }

    /// The connection is gone, and this is its close code.
    pub fn ended(&self, py: Python<'_>, code: u16) {
        let frame = CloseFrame { code: Some(code), reason: String::new() };
        let payload = journal::closing(&frame);
        self.journal.push(py, Instant::now(), self.number, Tells::End, &payload);
    }

    fn push_sent(&self, py: Python<'_>, tells: Tells, payload: &[u8]) {
        if self.journal.takes_sent {
            self.journal.push(py, Instant::now(), self.number, tells, payload);
        }
    }
}

fn tells(opcode: Opcode, way: Way) -> Tells {
    match opcode {
        Opcode::Text => Tells::Text(way),
        Opcode::Continuation | Opcode::Binary => Tells::Binary(way),
        Opcode::Close => Tells::Close(way),
        Opcode::Ping => Tells::Ping(way),
        Opcode::Pong => Tells::Pong(way),
    }
}
