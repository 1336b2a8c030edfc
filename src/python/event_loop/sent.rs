//! `Sent`: what `send_str()` and its like return, an awaitable for backpressure.

use std::sync::Arc;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyIterator;

use super::awaitable::{Awaitable, awaitable};
use super::state::Protocol;
use super::thread::Home;
use super::{batch, room, send, unawaited};
use crate::python::cpython::slots::{self, Poll};
use crate::python::values::outgoing::{Messages, Outgoing};
use crate::registry::Opcode;

/// What `send_str()` and its like return. The frame is written already; awaiting this waits until
/// the transport has room for more, and not awaiting it is fine.
///
/// Called in another thread than the event loop's, they write nothing: awaiting this does.
#[pyclass(module = "wsclient._core")]
pub struct Sent {
    /// `None` if there was room.
    protocol: Option<Py<Protocol>>,
    /// Asked, likewise, before the connection is looked at.
    home: Option<Arc<Home>>,
    waiting: Option<Py<PyIterator>>,
    frame: Frame,
}

/// Whether the frame is written.
enum Frame {
    Written,
    /// It waits behind others that the transport has no room for, in the call with this number.
    Queued(u64),
    /// The same of a batch, of which some are written; whoever awaits it may take back the rest.
    Batch(u64),
    /// It will be, by whoever awaits it.
    Due(Box<Due>),
    /// It never will be.
    Dropped,
}

/// What is to be sent when the loop's thread runs it.
struct Due {
    /// The WebSocket, kept until then.
    response: Py<PyAny>,
    what: What,
}

enum What {
    One(Outgoing),
    Many(Messages),
    /// The same, not looked at yet: the method is a coroutine, in whatever thread it is called.
    Iterable(Py<PyAny>),
}

impl What {
    /// Send it; returns what became of the frame.
    fn send(self, protocol: &Bound<'_, Protocol>, home: &Home) -> PyResult<(Opcode, Frame)> {
        let py = protocol.py();
        let opcode = match &self {
            Self::One(message) => message.opcode(),
            Self::Many(_) | Self::Iterable(_) => Opcode::Text,
        };
        send::check_home(home, protocol, opcode)?;
        let messages = match self {
            Self::One(message) => {
                let payload = message.payload(py)?;
                if opcode.is_control() {
                    send::send_control(protocol, opcode, payload)?;
                } else {
                    send::send_compressed(protocol, opcode, payload, message.compress())?;
                }
                return Ok((opcode, Sent::last_of(protocol)));
            }
            Self::Many(messages) => messages,
            Self::Iterable(messages) => Messages::of(messages.bind(py))?,
        };
        let call = batch::send_many(protocol, messages)?;
        Ok((opcode, call.map_or(Frame::Written, Frame::Batch)))
    }

    fn method(&self) -> &'static str {
        match self {
            Self::One(message) => unawaited::send_method(message.opcode()).0,
            Self::Many(_) | Self::Iterable(_) => "send_many",
        }
    }
}

impl Sent {
    /// What `send_*()` returns in another thread than the event loop's. The arguments are checked.
    #[cold]
    pub fn elsewhere(
        response: &Bound<'_, PyAny>,
        protocol: &Py<Protocol>,
        home: &Arc<Home>,
        message: Outgoing,
    ) -> PyResult<Py<Self>> {
        Self::due(response, protocol, home, What::One(message))
    }

    /// What `send_many()` returns there.
    #[cold]
    pub fn batch_elsewhere(
        response: &Bound<'_, PyAny>,
        protocol: &Py<Protocol>,
        home: &Arc<Home>,
        messages: Messages,
    ) -> PyResult<Py<Self>> {
        Self::due(response, protocol, home, What::Many(messages))
    }

    /// What `send_many()` returns where it is a coroutine.
    pub fn deferred_batch(
        response: &Bound<'_, PyAny>,
        protocol: &Py<Protocol>,
        home: &Arc<Home>,
        messages: &Bound<'_, PyAny>,
    ) -> PyResult<Py<Self>> {
        Self::due(response, protocol, home, What::Iterable(messages.clone().unbind()))
    }

    fn due(
        response: &Bound<'_, PyAny>,
        protocol: &Py<Protocol>,
        home: &Arc<Home>,
        what: What,
    ) -> PyResult<Py<Self>> {
        let py = response.py();
        let blank = Self {
            protocol: Some(protocol.clone_ref(py)),
            home: Some(home.clone()),
            waiting: None,
            frame: Frame::Dropped,
        };
        let sent = Py::new(py, blank)?;
        let due = Due { response: response.clone().unbind(), what };
        sent.bind(py).borrow_mut().frame = Frame::Due(Box::new(due));
        Ok(sent)
    }

    /// What `send_many()` returns when it has written what there is room for.
    pub fn after_batch(slf: &Bound<'_, Protocol>, call: Option<u64>) -> PyResult<Py<Self>> {
        let Some(call) = call else {
            return Self::after_write(slf, Opcode::Text);
        };
        let py = slf.py();
        let (protocol, home) = (Some(slf.clone().unbind()), Some(slf.borrow().home.clone()));
        let sent = Self { protocol, home, waiting: None, frame: Frame::Batch(call) };
        // Likewise: what is to be written will be.
        Py::new(py, sent).or_else(|_| Self::done(py))
    }

    /// What has become of the frame that was sent last.
    fn last_of(slf: &Bound<'_, Protocol>) -> Frame {
        slf.borrow().transport.backlog.last().map_or(Frame::Written, Frame::Queued)
    }

    /// Write the frame if that is still to be done.
    fn write_due(
        slf: &Bound<'_, Self>,
        protocol: &Bound<'_, Protocol>,
        home: &Home,
    ) -> PyResult<()> {
        if !matches!(slf.borrow().frame, Frame::Due(_) | Frame::Dropped) {
            return Ok(());
        }
        let frame = std::mem::replace(&mut slf.borrow_mut().frame, Frame::Dropped);
        let Frame::Due(due) = frame else {
            return Err(PyRuntimeError::new_err("cannot reuse a send that failed or was closed"));
        };
        let Due { response, what } = *due;
        let (opcode, frame) = what.send(protocol, home)?;
        drop(response);
        // As in `after_write`.
        let turn = room::turn(protocol, opcode).unwrap_or_default();
        let mut me = slf.borrow_mut();
        me.frame = frame;
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
        let (protocol, home) = (Some(slf.clone().unbind()), Some(slf.borrow().home.clone()));
        let frame = Self::last_of(slf);
        Py::new(slf.py(), Self { protocol, home, waiting, frame })
    }

    /// The object that serves all sends that need not wait: it has no state.
    #[inline]
    pub fn done(py: Python<'_>) -> PyResult<Py<Self>> {
        static DONE: PyOnceLock<Py<Sent>> = PyOnceLock::new();
        let done = DONE.get_or_try_init(py, || {
            Py::new(py, Self { protocol: None, home: None, waiting: None, frame: Frame::Written })
        })?;
        Ok(done.clone_ref(py))
    }
}

impl slots::Awaitable for Sent {
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        // Only looked at: it may be the object that serves everybody, on other threads too.
        let held = {
            let me = slf.borrow();
            me.protocol.as_ref().map(|held| held.clone_ref(py)).zip(me.home.clone())
        };
        let Some((protocol, home)) = held else {
            return Ok(Poll::Ready(py.None()));
        };
        let protocol = protocol.bind(py);
        Self::write_due(slf, protocol, &home)?;
        if cfg!(Py_GIL_DISABLED) {
            home.check(py, "send")?;
        }
        let waiting = slf.borrow_mut().waiting.take();
        let poll =
            room::wait(protocol, waiting, |waiting| slf.borrow_mut().waiting = Some(waiting))?;
        if let Poll::Ready(_) = poll
            && let Frame::Queued(call) | Frame::Batch(call) = slf.borrow().frame
        {
            batch::check_sent(protocol, call)?;
        }
        Ok(poll)
    }
}

impl Awaitable for Sent {
    /// Without the frame, if it is not written; of a batch, without the rest.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            // Only looked at, as in `poll`.
            let me = slf.borrow();
            if me.protocol.is_none() && matches!(me.frame, Frame::Written) {
                return Ok(());
            }
        }
        let left = {
            let mut me = slf.borrow_mut();
            let due = matches!(me.frame, Frame::Due(_) | Frame::Batch(_));
            let frame = due.then(|| std::mem::replace(&mut me.frame, Frame::Dropped));
            (me.waiting.take(), frame)
        };
        if let (_, Some(Frame::Batch(call))) = left {
            let protocol = slf.borrow().protocol.as_ref().map(|held| held.clone_ref(slf.py()));
            if let Some(protocol) = protocol {
                batch::take_back(protocol.bind(slf.py()), call);
            }
        }
        drop(left);
        Ok(())
    }

    /// Where nobody has to await it, nobody minds what it is sent.
    fn is_unawaited(_: &Bound<'_, Self>) -> bool {
        false
    }

    fn method(&self) -> &'static str {
        match &self.frame {
            Frame::Due(due) => due.what.method(),
            Frame::Batch(_) => "send_many",
            Frame::Written | Frame::Queued(_) | Frame::Dropped => "send",
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
            Frame::Queued(_) | Frame::Batch(_) => "<Sent: written as there is room>",
        }
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        if let Frame::Due(due) = &self.frame {
            visit.call(&due.response)?;
            match &due.what {
                What::One(message) => message.traverse(&visit)?,
                What::Many(messages) => {
                    messages.all.iter().try_for_each(|message| message.traverse(&visit))?;
                }
                What::Iterable(messages) => visit.call(messages)?,
            }
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
            let elsewhere = !matches!(due.what, What::Iterable(_));
            unawaited::warn(due.what.method(), elsewhere);
        }
    }
}
