//! Sending: one buffer for each frame, written at once, and an awaitable for backpressure.

use std::borrow::Cow;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyStopIteration, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyIterator, PyMemoryView, PyString};

use super::direct::Socket;
use super::protocol::Protocol;
use super::slots::{Awaitable, Poll};
use super::{call, direct, error, flow, keys};
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
        return Err(error::not_open(
            slf.py(),
            &format!("a {opcode} frame"),
            &me.ending,
            me.options.dialect.as_ref(),
        ));
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
        if let Some(rest) = direct::send_frame(py, socket, &header, payload, key)? {
            write(slf, rest.bind(py))?;
        }
        return Sent::after_write(slf);
    }
    let frame = PyBytes::new_with(py, header.encoded_len() + payload.len(), |out| {
        frame::write_frame(&header, payload, out);
        Ok(())
    })?;
    write(slf, &frame)?;
    Sent::after_write(slf)
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
        Some(write) => call::function(&write, [frames]).map(drop),
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
        return PyBuffer::<u8>::get(data)?.to_vec(data.py()).map(Cow::from);
    }
    if data.is_instance_of::<PyMemoryView>() {
        let bytes = call::method(data, "tobytes", [])?;
        return Ok(bytes.cast::<PyBytes>()?.as_bytes().to_vec().into());
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

/// Send a ping or a pong.
pub fn control(
    slf: &Bound<'_, Protocol>,
    opcode: Opcode,
    message: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<Sent>> {
    let payload = message.map_or(Ok(Cow::default()), control_payload)?;
    if payload.len() > MAX_CONTROL_PAYLOAD {
        let size = payload.len();
        return Err(PyValueError::new_err(format!(
            "{opcode} message is {size} bytes long, expected at most {MAX_CONTROL_PAYLOAD}"
        )));
    }
    if opcode == Opcode::Ping && slf.borrow().is_open() {
        slf.borrow_mut().pings.sent(&payload);
    }
    send(slf, opcode, &payload)
}

/// What `send_str()` and its like return. The frame is written already; awaiting this waits until
/// the transport has room for more, and not awaiting it is fine.
#[pyclass(module = "wsclient._core")]
pub struct Sent {
    /// `None` if there was room.
    protocol: Option<Py<Protocol>>,
    waiting: Option<Py<PyIterator>>,
}

impl Sent {
    fn after_write(slf: &Bound<'_, Protocol>) -> PyResult<Py<Self>> {
        // One object serves all sends that need not wait: it has no state.
        static DONE: PyOnceLock<Py<Sent>> = PyOnceLock::new();
        let py = slf.py();
        if slf.borrow().flow.write_paused {
            return Py::new(py, Self { protocol: Some(slf.clone().unbind()), waiting: None });
        }
        let done =
            DONE.get_or_try_init(py, || Py::new(py, Self { protocol: None, waiting: None }))?;
        Ok(done.clone_ref(py))
    }
}

impl Awaitable for Sent {
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        // Only looked at: it may be the object that serves everybody, on other threads too.
        let Some(protocol) = slf.borrow().protocol.as_ref().map(|held| held.clone_ref(py)) else {
            return Ok(Poll::Ready(py.None()));
        };
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
        let me = protocol.borrow();
        if me.ending.lost {
            return Err(error::not_open(py, "more", &me.ending, me.options.dialect.as_ref()));
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
        &mut self,
        exc: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        self.waiting = None;
        Err(super::receive::thrown(exc, value, traceback)?)
    }

    fn close(&mut self) {
        self.waiting = None;
    }

    #[getter]
    fn __name__(&self) -> &'static str {
        "send"
    }

    #[getter]
    fn __qualname__(&self) -> &'static str {
        "ClientWebSocketResponse.send"
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.protocol)?;
        visit.call(&self.waiting)
    }

    fn __clear__(&mut self) {
        self.protocol = None;
        self.waiting = None;
    }
}

fn future_iterator(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyIterator>>> {
    let py = protocol.py();
    match flow::wait_writable(protocol)? {
        Some(future) => Ok(Some(future.bind(py).try_iter()?.unbind())),
        None => Ok(None),
    }
}
