//! `ConnectionBase`: what the `ClientConnection` for users of `websockets` inherits, so that receiving
//! and sending run no Python frame of this package.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyMemoryView, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::calls::Handle;
use super::cpython::{call, names};
use super::event_loop::pings;
use super::event_loop::state::{Protocol, Receive, Wanted};
use crate::registry::Opcode;

/// The part of `wsclient.websockets.ClientConnection` on the path of every message.
///
/// Its methods are those of `websockets.asyncio.client.ClientConnection`.
#[pyclass(subclass, frozen, module = "wsclient._core")]
pub struct ConnectionBase(Handle);

/// What an `async for` over a connection goes through: not the connection itself, so that a subclass may
/// have an iteration of its own on top.
#[pyclass(frozen, module = "wsclient._core")]
pub struct Messages(Py<ConnectionBase>);

#[pymethods]
impl Messages {
    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// The next message's data; a normal end of the connection ends the iteration.
    fn __anext__(&self, py: Python<'_>) -> PyResult<Py<Receive>> {
        self.0.get().0.receive(self.0.bind(py), Wanted::NextData, None)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0)
    }
}

#[pymethods]
impl ConnectionBase {
    /// Subclasses may take further arguments in `__init__`.
    #[new]
    #[pyo3(signature = (connection, *_args, **_kwargs))]
    fn new(
        py: Python<'_>,
        connection: Py<Protocol>,
        _args: &Bound<'_, PyTuple>,
        _kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        Handle::new(py, connection, None, true).map(Self)
    }

    /// Wait for the next message and return its data.
    ///
    /// Args:
    ///     decode: `False` for `bytes`, `True` for `str`, whatever the message is; `None` for what
    ///         it is.
    ///
    /// Raises:
    ///     websockets.exceptions.ConnectionClosed: The connection has ended.
    ///     websockets.exceptions.ConcurrencyError: Another task is already waiting.
    ///
    /// Mirrors `websockets.asyncio.client.ClientConnection.recv`.
    #[pyo3(signature = (decode = None))]
    fn recv(slf: &Bound<'_, Self>, decode: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        match decode {
            None => slf.get().0.receive(slf, Wanted::Data, None).map(Py::into_any),
            Some(decode) => {
                call::method(slf, names::_recv_as(slf.py()), [decode]).map(Bound::unbind)
            }
        }
    }

    /// Messages as they come, to a normal end of the connection.
    fn __aiter__(slf: Py<Self>) -> Messages {
        Messages(slf)
    }

    /// Send a message.
    ///
    /// Args:
    ///     message: Text as `str`, binary as `bytes`, `bytearray` or `memoryview`; or an iterable or
    ///         asynchronous iterable of fragments.
    ///     text: Whether it goes as text; by default that follows from its type.
    ///
    /// Raises:
    ///     websockets.exceptions.ConnectionClosed: The connection has ended.
    ///     TypeError: `message` is nothing of these.
    ///
    /// Mirrors `websockets.asyncio.client.ClientConnection.send`.
    #[pyo3(signature = (message, *, text = None))]
    fn send(
        slf: &Bound<'_, Self>,
        message: &Bound<'_, PyAny>,
        text: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let handle = &slf.get().0;
        if text.is_none() {
            if message.is_instance_of::<PyString>() {
                return handle.defer(slf, ("send", Opcode::Text), message, None);
            }
            if is_bytes_like(message) {
                return handle.defer(slf, ("send", Opcode::Binary), message, None);
            }
        }
        let none = slf.py().None().into_bound(slf.py());
        let text = text.unwrap_or(&none);
        call::method(slf, names::_send_as(slf.py()), [message, text]).map(Bound::unbind)
    }

    /// Wait for a part of a message and return its data; a `Message` if there is none any more.
    ///
    /// Args:
    ///     begins: Whether it is to be the first of the next message.
    fn _receive_part(slf: &Bound<'_, Self>, begins: bool) -> PyResult<Py<Receive>> {
        slf.get().0.receive_part(slf, begins, None)
    }

    /// Send a ping; returns a future of the seconds until its pong.
    ///
    /// Args:
    ///     data: Its payload; `None` for one that no other ping has.
    ///
    /// Raises:
    ///     ValueError: A ping with the same payload waits for its pong.
    #[pyo3(signature = (data = None))]
    fn _round_trip(&self, py: Python<'_>, data: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        pings::round_trip(self.0.connection.bind(py), data)
    }

    /// The round trip of the last ping that was answered, in seconds; 0.0 before the first.
    ///
    /// Mirrors `websockets.asyncio.client.ClientConnection.latency`.
    #[getter]
    fn _latency(&self, py: Python<'_>) -> f64 {
        let connection = self.0.connection.bind(py).borrow();
        connection.endpoint.pings().latency().map_or(0.0, |latency| latency.as_secs_f64())
    }

    /// The asyncio protocol below.
    #[getter]
    fn _connection(&self, py: Python<'_>) -> Py<Protocol> {
        self.0.connection.clone_ref(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.0.connection)
    }
}

fn is_bytes_like(message: &Bound<'_, PyAny>) -> bool {
    message.is_instance_of::<PyBytes>()
        || message.is_instance_of::<PyByteArray>()
        || message.is_instance_of::<PyMemoryView>()
}
