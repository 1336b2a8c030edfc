//! Sending: one buffer for each frame, written at once, and an awaitable for backpressure.

use std::borrow::Cow;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{
    PyOverflowError, PyRuntimeError, PyStopIteration, PyTypeError, PyValueError,
};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyIterator, PyMemoryView, PyString};

use super::direct::Failed;
use super::protocol::Protocol;
use super::response::WebSocketBase;
use super::slots::{Awaitable, Poll, thrown};
use super::socket::Socket;
use super::thread::{self, Place};
use super::{call, closing, direct, error, flow, keys, memory, names, unawaited};
use crate::close;
use crate::frame::{self, Header, MAX_CONTROL_PAYLOAD, Opcode};

/// Write one frame and return what `send_*()` returns.
#[inline]
pub fn send(slf: &Bound<'_, Protocol>, opcode: Opcode, payload: &[u8]) -> PyResult<Py<Sent>> {
    let socket = ready(slf, opcode, payload.len())?;
    send_frame(slf, socket, opcode, 0, payload)
}

/// Check that a frame for `size` bytes can be sent now, and count it. Returns the socket to send it to
/// past the transport, if there is one.
#[inline]
pub fn ready(slf: &Bound<'_, Protocol>, opcode: Opcode, size: usize) -> PyResult<Option<Socket>> {
    let mut me = slf.borrow_mut();
    if !me.is_open() {
        drop(me);
        return Err(error::not_open(slf, &format!("a {opcode} frame")));
    }
    me.counts.sent(opcode.is_control(), size);
    Ok(me.flow.socket)
}

/// The part of [`send`] after [`ready`], for a frame with the reserved bits `rsv`.
pub fn send_frame(
    slf: &Bound<'_, Protocol>,
    socket: Option<Socket>,
    opcode: Opcode,
    rsv: u8,
    payload: &[u8],
) -> PyResult<Py<Sent>> {
    let py = slf.py();
    let key = keys::draw()?;
    let header = Header { rsv, ..Header::new(opcode, payload.len(), Some(key)) };
    if let Some(socket) = socket
        && flow::is_drained(slf)?
    {
        match direct::send_frame(py, socket, &header, payload, key) {
            Ok(None) => {}
            Ok(Some(rest)) => write_checked(slf, opcode, rest.bind(py))?,
            Err(Failed { error, cut }) => {
                return Err(if cut { closing::cut_off(slf, error)? } else { error });
            }
        }
        return Sent::after_write(slf);
    }
    let frame = PyBytes::new_with(py, header.encoded_len() + payload.len(), |out| {
        frame::write_frame(&header, payload, out);
        Ok(())
    })?;
    write_checked(slf, opcode, &frame)?;
    Sent::after_write(slf)
}

/// Give a frame to the transport, which may find, or have found, that it cannot write any more: who
/// sends in a loop that never waits would not be told by the event loop.
fn write_checked(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    frame: &Bound<'_, PyBytes>,
) -> PyResult<()> {
    let py = slf.py();
    write(slf, frame)?;
    let is_closing = slf.borrow().flow.is_closing.as_ref().map(|ask| ask.clone_ref(py));
    if let Some(is_closing) = is_closing
        && call::builtin(is_closing.bind(py), None)?.is_truthy()?
    {
        slf.borrow_mut().flow.severed = true;
        return Err(error::not_open(slf, &format!("a {opcode} frame")));
    }
    Ok(())
}

/// Give whole frames to the transport; with no transport, they are dropped.
pub fn write(slf: &Bound<'_, Protocol>, frames: &Bound<'_, PyBytes>) -> PyResult<()> {
    let py = slf.py();
    let write = {
        let mut me = slf.borrow_mut();
        me.flow.queued = true;
        me.flow.write.as_ref().map(|write| write.clone_ref(py).into_bound(py))
    };
    match write {
        Some(write) => match call::function(&write, [frames]) {
            Ok(_) => Ok(()),
            // It may have sent a part.
            Err(error) => Err(closing::cut_off(slf, error)?),
        },
        None => Ok(()),
    }
}

/// The bytes of a binary message.
pub fn binary<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().into());
    }
    // Copied, because its owner may change or shrink it while it is read.
    if data.is_instance_of::<PyByteArray>() {
        let buffer = PyBuffer::<u8>::get(data)?;
        let mut copy = memory::zeroed(data.py(), buffer.len_bytes())?;
        buffer.copy_to_slice(data.py(), &mut copy)?;
        return Ok(copy.into());
    }
    if data.is_instance_of::<PyMemoryView>() {
        let bytes = call::method(data, names::tobytes(data.py()), [])?;
        return memory::copy(data.py(), bytes.cast::<PyBytes>()?.as_bytes()).map(Cow::from);
    }
    Err(expected("data", "bytes, bytearray or memoryview", data))
}

/// The text of a text message, as UTF-8.
pub fn text<'a>(data: &'a Bound<'_, PyAny>) -> PyResult<&'a str> {
    data.cast::<PyString>().map_err(|_| expected("data", "str", data))?.to_str()
}

/// The payload of a ping or pong, or a close reason: `str` or what [`binary`] takes.
pub fn control_payload<'a>(message: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    if let Ok(text) = message.cast::<PyString>() {
        return Ok(text.to_str()?.as_bytes().into());
    }
    binary(message).map_err(|error| {
        if error.is_instance_of::<PyTypeError>(message.py()) {
            expected("message", "str, bytes, bytearray or memoryview", message)
        } else {
            error
        }
    })
}

/// A close code; an integer that is none is refused like a code that must not be sent.
pub fn close_code(code: &Bound<'_, PyAny>) -> PyResult<u16> {
    code.extract().map_err(|error: PyErr| {
        if error.is_instance_of::<PyOverflowError>(code.py()) {
            PyValueError::new_err(close::not_sendable(code))
        } else {
            error
        }
    })
}

fn expected(name: &str, types: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let found = found.get_type();
    PyTypeError::new_err(format!("{name} must be {types}, not {found}"))
}

/// The payload of a ping or pong, which must be short.
pub fn ping_payload<'a>(
    opcode: Opcode,
    message: Option<&'a Bound<'_, PyAny>>,
) -> PyResult<Cow<'a, [u8]>> {
    let payload = message.map_or(Ok(Cow::default()), control_payload)?;
    if payload.len() > MAX_CONTROL_PAYLOAD {
        let size = payload.len();
        return Err(PyValueError::new_err(format!(
            "{opcode} message is {size} bytes long, expected at most {MAX_CONTROL_PAYLOAD}"
        )));
    }
    Ok(payload)
}

/// Send a ping or a pong.
pub fn control(slf: &Bound<'_, Protocol>, opcode: Opcode, payload: &[u8]) -> PyResult<Py<Sent>> {
    if opcode == Opcode::Ping && slf.borrow().is_open() {
        let known = slf.borrow_mut().pings.sent(payload);
        known.map_err(|_| memory::exhausted(slf.py()))?;
    }
    send(slf, opcode, payload)
}

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
    response: Py<WebSocketBase>,
    opcode: Opcode,
    payload: Vec<u8>,
    compress: Option<Py<PyAny>>,
}

impl Due {
    fn send(&self, py: Python<'_>) -> PyResult<()> {
        let response = self.response.bind(py);
        if response.get().home.place(py)? == Place::Elsewhere {
            return Err(thread::elsewhere("send"));
        }
        let compress = self.compress.as_ref().map(|compress| compress.bind(py));
        let sent = if self.opcode.is_control() {
            WebSocketBase::send_control(response, self.opcode, &self.payload)
        } else {
            WebSocketBase::send_data(response, self.opcode, &self.payload, compress)
        };
        sent.map(drop)
    }

    fn method(&self) -> &'static str {
        match self.opcode {
            Opcode::Text => "send_str",
            Opcode::Binary => "send_bytes",
            Opcode::Ping => "ping",
            Opcode::Pong => "pong",
            Opcode::Continuation | Opcode::Close => "send",
        }
    }
}

impl Sent {
    /// What `send_*()` returns in another thread than the event loop's. The arguments are checked.
    #[cold]
    pub fn elsewhere(
        response: &Bound<'_, WebSocketBase>,
        protocol: &Py<Protocol>,
        opcode: Opcode,
        payload: &[u8],
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Self>> {
        let py = response.py();
        let blank =
            Self { protocol: Some(protocol.clone_ref(py)), waiting: None, frame: Frame::Dropped };
        let sent = Py::new(py, blank)?;
        sent.bind(py).borrow_mut().frame = Frame::Due(Box::new(Due {
            response: response.clone().unbind(),
            opcode,
            payload: memory::copy(py, payload)?,
            compress: compress.map(|compress| compress.clone().unbind()),
        }));
        Ok(sent)
    }

    /// Write the frame if that is still to be done.
    fn write_due(slf: &Bound<'_, Self>) -> PyResult<()> {
        if matches!(slf.borrow().frame, Frame::Written) {
            return Ok(());
        }
        let frame = std::mem::replace(&mut slf.borrow_mut().frame, Frame::Dropped);
        let Frame::Due(due) = frame else {
            return Err(PyRuntimeError::new_err("cannot reuse a send that failed or was closed"));
        };
        due.send(slf.py())?;
        slf.borrow_mut().frame = Frame::Written;
        Ok(())
    }

    /// Be done, without the frame if it is not written.
    fn leave(slf: &Bound<'_, Self>) {
        let left = {
            let mut me = slf.borrow_mut();
            let due = matches!(me.frame, Frame::Due(_));
            let frame = due.then(|| std::mem::replace(&mut me.frame, Frame::Dropped));
            (me.waiting.take(), frame)
        };
        drop(left);
    }

    fn method(&self) -> &'static str {
        match &self.frame {
            Frame::Due(due) => due.method(),
            Frame::Written | Frame::Dropped => "send",
        }
    }

    fn after_write(slf: &Bound<'_, Protocol>) -> PyResult<Py<Self>> {
        let py = slf.py();
        // The frame is written: without memory nobody waits, but nobody is told that it failed either.
        if slf.borrow().flow.write_paused
            && let Ok(sent) = Py::new(py, Self::written(Some(slf.clone().unbind())))
        {
            return Ok(sent);
        }
        Self::done(py)
    }

    /// The object that serves all sends that need not wait: it has no state.
    #[inline]
    pub fn done(py: Python<'_>) -> PyResult<Py<Self>> {
        static DONE: PyOnceLock<Py<Sent>> = PyOnceLock::new();
        let done = DONE.get_or_try_init(py, || Py::new(py, Self::written(None)))?;
        Ok(done.clone_ref(py))
    }

    fn written(protocol: Option<Py<Protocol>>) -> Self {
        Self { protocol, waiting: None, frame: Frame::Written }
    }
}

impl Awaitable for Sent {
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        // Only looked at: it may be the object that serves everybody, on other threads too.
        let Some(protocol) = slf.borrow().protocol.as_ref().map(|held| held.clone_ref(py)) else {
            return Ok(Poll::Ready(py.None()));
        };
        Self::write_due(slf)?;
        let waiting = slf.borrow_mut().waiting.take();
        let protocol = protocol.bind(py);
        let mut waiting = match waiting {
            Some(waiting) => Some(waiting),
            None => future_iterator(protocol)?,
        };
        while let Some(iterator) = waiting {
            if let Some(future) = iterator.bind(py).clone().next() {
                slf.borrow_mut().waiting = Some(iterator);
                return Ok(Poll::Pending(future?.unbind()));
            }
            waiting = future_iterator(protocol)?;
        }
        if protocol.borrow().ending.lost {
            return Err(error::not_open(protocol, "more"));
        }
        Ok(Poll::Ready(py.None()))
    }
}

#[pymethods]
impl Sent {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// Replaced by `slots::next`, which does the same.
    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        match Self::poll(slf)? {
            Poll::Ready(value) => Err(PyStopIteration::new_err((value,))),
            Poll::Pending(future) => Ok(future),
        }
    }

    fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = value;
        Self::__next__(slf)
    }

    #[pyo3(signature = (exc, value = None, traceback = None))]
    fn throw(
        slf: &Bound<'_, Self>,
        exc: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Self::leave(slf);
        Err(thrown(exc, value, traceback)?)
    }

    fn close(slf: &Bound<'_, Self>) {
        Self::leave(slf);
    }

    fn __repr__(&self) -> &'static str {
        match &self.frame {
            Frame::Due(_) => "<Sent: to be written when it is awaited>",
            Frame::Dropped => "<Sent: not written>",
            Frame::Written if self.protocol.is_none() => "<Sent: written>",
            Frame::Written => "<Sent: written, waits for room>",
        }
    }

    #[getter]
    fn __name__(&self) -> &'static str {
        self.method()
    }

    #[getter]
    fn __qualname__(&self) -> String {
        unawaited::qualname(self.method())
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        if let Frame::Due(due) = &self.frame {
            visit.call(&due.response)?;
            visit.call(&due.compress)?;
        }
        visit.call(&self.protocol)?;
        visit.call(&self.waiting)
    }

    /// What is due stays, to warn: the WebSocket breaks a cycle that goes through it.
    fn __clear__(&mut self) {
        self.protocol = None;
        self.waiting = None;
    }
}

impl Drop for Sent {
    fn drop(&mut self) {
        if let Frame::Due(due) = &self.frame {
            unawaited::warn(due.method(), true);
        }
    }
}

fn future_iterator(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyIterator>>> {
    let py = protocol.py();
    match flow::wait_writable(protocol)? {
        Some(future) => Ok(Some(future.bind(py).try_iter()?.unbind())),
        None => Ok(None),
    }
}
