//! `Sent`: what `send_str()` and its like return, an awaitable for backpressure.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyIterator;

use super::awaitable::{Awaitable, awaitable};
use super::state::Protocol;
use super::{room, send, unawaited};
use crate::python::cpython::memory;
use crate::python::cpython::slots::{self, Poll};
use crate::registry::Opcode;

/// What `send_str()` and its like return. The frame is written already; awaiting this waits until
/// the transport has room for more, and not awaiting it is fine.
///
/// Called in another thread than the event loop's, they write nothing: awaiting this does.
#[pyclass(module = "wsclient._core")]
pub struct Sent {
    /// `None` if there was room.
    protocol: Option<Py<Protocol>>,
    waiting: Option<Py<PyIterator>>,
    frame: Frame,
}

/// Whether the frame is written.
enum Frame {
    Written,
    /// It will be, by whoever awaits it.
    Due(Box<Due>),
    /// It never will be.
    Dropped,
}

/// What is to be sent when the loop's thread runs it.
struct Due {
    /// The WebSocket, kept until then.
    response: Py<PyAny>,
    opcode: Opcode,
    payload: Vec<u8>,
    /// Whether it is to be compressed, if somebody has said so.
    compress: Option<bool>,
}

impl Due {
    fn send(&self, protocol: &Bound<'_, Protocol>) -> PyResult<()> {
        send::check_place(protocol, self.opcode)?;
        if self.opcode.is_control() {
            send::send_control(protocol, self.opcode, &self.payload)
        } else {
            send::send_compressed(protocol, self.opcode, &self.payload, self.compress)
        }
    }

    fn method(&self) -> &'static str {
        unawaited::send_method(self.opcode).0
    }
}

impl Sent {
    /// What `send_*()` returns in another thread than the event loop's. The arguments are checked.
    #[cold]
    pub fn elsewhere(
        response: &Bound<'_, PyAny>,
        protocol: &Py<Protocol>,
        opcode: Opcode,
        payload: &[u8],
        compress: Option<bool>,
    ) -> PyResult<Py<Self>> {
        let py = response.py();
        let blank =
            Self { protocol: Some(protocol.clone_ref(py)), waiting: None, frame: Frame::Dropped };
        let sent = Py::new(py, blank)?;
        sent.bind(py).borrow_mut().frame = Frame::Due(Box::new(Due {
            response: response.clone().unbind(),
            opcode,
            payload: memory::copy(py, payload)?,
            compress,
        }));
        Ok(sent)
    }

    /// Write the frame if that is still to be done.
    fn write_due(slf: &Bound<'_, Self>, protocol: &Bound<'_, Protocol>) -> PyResult<()> {
        if matches!(slf.borrow().frame, Frame::Written) {
            return Ok(());
        }
        let frame = std::mem::replace(&mut slf.borrow_mut().frame, Frame::Dropped);
        let Frame::Due(due) = frame else {
            return Err(PyRuntimeError::new_err("cannot reuse a send that failed or was closed"));
        };
        due.send(protocol)?;
        // As in `after_write`.
        let turn = room::turn(protocol, due.opcode).unwrap_or_default();
        let mut me = slf.borrow_mut();
        me.frame = Frame::Written;
        me.waiting = turn;
        Ok(())
    }

    /// What `send_*()` returns when its frame is written, or held back.
    #[inline]
    pub fn after_write(slf: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<Py<Self>> {
        let waits = {
            let me = slf.borrow();
            me.endpoint.is_writing_paused() || me.endpoint.holds(opcode)
        };
        // The frame is written: without memory nobody waits, but nobody is told that it failed either.
        if waits && let Ok(sent) = Self::waiting(slf, opcode) {
            return Ok(sent);
        }
        Self::done(slf.py())
    }

    #[cold]
    fn waiting(slf: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<Py<Self>> {
        let waiting = room::turn(slf, opcode)?;
        let protocol = Some(slf.clone().unbind());
        Py::new(slf.py(), Self { protocol, waiting, frame: Frame::Written })
    }

    /// The object that serves all sends that need not wait: it has no state.
    #[inline]
    pub fn done(py: Python<'_>) -> PyResult<Py<Self>> {
        static DONE: PyOnceLock<Py<Sent>> = PyOnceLock::new();
        let done = DONE.get_or_try_init(py, || {
            Py::new(py, Self { protocol: None, waiting: None, frame: Frame::Written })
        })?;
        Ok(done.clone_ref(py))
    }
}

impl slots::Awaitable for Sent {
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        // Only looked at: it may be the object that serves everybody, on other threads too.
        let Some(protocol) = slf.borrow().protocol.as_ref().map(|held| held.clone_ref(py)) else {
            return Ok(Poll::Ready(py.None()));
        };
        let protocol = protocol.bind(py);
        Self::write_due(slf, protocol)?;
        let waiting = slf.borrow_mut().waiting.take();
        room::wait(protocol, waiting, |waiting| slf.borrow_mut().waiting = Some(waiting))
    }
}

impl Awaitable for Sent {
    /// Without the frame, if it is not written.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()> {
        let left = {
            let mut me = slf.borrow_mut();
            let due = matches!(me.frame, Frame::Due(_));
            let frame = due.then(|| std::mem::replace(&mut me.frame, Frame::Dropped));
            (me.waiting.take(), frame)
        };
        drop(left);
        Ok(())
    }

    /// Where nobody has to await it, nobody minds what it is sent.
    fn is_unawaited(_: &Bound<'_, Self>) -> bool {
        false
    }

    fn method(&self) -> &'static str {
        match &self.frame {
            Frame::Due(due) => due.method(),
            Frame::Written | Frame::Dropped => "send",
        }
    }
}

awaitable!(impl Sent {
    fn __repr__(&self) -> &'static str {
        match &self.frame {
            Frame::Due(_) => "<Sent: to be written when it is awaited>",
            Frame::Dropped => "<Sent: not written>",
            Frame::Written if self.protocol.is_none() => "<Sent: written>",
            Frame::Written => "<Sent: written, waits for room>",
        }
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        if let Frame::Due(due) = &self.frame {
            visit.call(&due.response)?;
        }
        visit.call(&self.protocol)?;
        visit.call(&self.waiting)
    }

    /// What is due stays, to warn: the WebSocket breaks a cycle that goes through it.
    fn __clear__(&mut self) {
        self.protocol = None;
        self.waiting = None;
    }
});

impl Drop for Sent {
    fn drop(&mut self) {
        if let Frame::Due(due) = &self.frame {
            unawaited::warn(due.method(), true);
        }
    }
}
