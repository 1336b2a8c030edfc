//! `WebSocketBase`: what `ClientWebSocketResponse` inherits, so that receiving and sending run no
//! Python frame of this package. Its methods that receive and send stand in `receives.rs` and `sends.rs`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::calls::Handle;
use super::cpython::{call, names};
use super::event_loop::reader;
use super::event_loop::state::Protocol;
use super::event_loop::thread::Place;
use super::event_loop::{failure, settle};
use crate::endpoint::Fate;
use crate::registry::code;

/// The part of `ClientWebSocketResponse` on the path of every message.
#[pyclass(subclass, frozen, module = "wsclient._core")]
pub struct WebSocketBase(pub(super) Handle);

impl WebSocketBase {
    /// The connection, to look at.
    fn look<'py>(&self, py: Python<'py>) -> PyResult<PyRef<'py, Protocol>> {
        self.0.home.check_without_gil(py)?;
        Ok(self.0.connection.bind(py).borrow())
    }
}

#[pymethods]
impl WebSocketBase {
    /// Subclasses may take further arguments in `__init__`. With `defers`, what sends does nothing
    /// before it is awaited.
    #[new]
    #[pyo3(signature = (connection, *args, receive_timeout = None, **kwargs))]
    fn new(
        connection: Py<Protocol>,
        args: &Bound<'_, PyTuple>,
        receive_timeout: Option<f64>,
        kwargs: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Self> {
        // Not a parameter, as constructors of subclasses do not have it.
        let defers = kwargs.map(|kwargs| kwargs.contains("defers")).transpose()?.unwrap_or(false);
        Handle::new(args.py(), connection, receive_timeout, defers).map(Self)
    }

    /// Read no more from the server until `resume_reading()`; what has arrived can still be
    /// received. TCP then slows the server down.
    fn pause_reading(&self, py: Python<'_>) -> PyResult<()> {
        self.0.home.check(py, "pause reading")?;
        let connection = self.0.connection.bind(py);
        connection.borrow_mut().endpoint.pause_reading(true);
        settle::settle(connection)
    }

    /// Undo `pause_reading()`.
    fn resume_reading(&self, py: Python<'_>) -> PyResult<()> {
        self.0.home.check(py, "resume reading")?;
        let connection = self.0.connection.bind(py);
        connection.borrow_mut().endpoint.pause_reading(false);
        settle::settle(connection)
    }

    /// `True` if `close()` has been called or the connection has ended, and nothing that arrived
    /// before is left to receive; or if its event loop is closed, and in the child of a fork, whose
    /// parent has the connection.
    #[getter]
    fn closed(&self, py: Python<'_>) -> PyResult<bool> {
        if self.0.home.is_copy() {
            return Ok(true);
        }
        let closed = self.look(py)?.endpoint.is_closed();
        Ok(closed || self.0.home.is_closed(py)?)
    }

    /// The close code (RFC 6455 §7.1.5): the peer's, 1005 if it sent none, 1006 if the connection
    /// was lost, the code of the error if it was failed. `None` while it is open.
    #[getter]
    fn close_code(&self, py: Python<'_>) -> PyResult<Option<u16>> {
        let known = self.look(py)?.endpoint.close_code();
        let lost = known.is_none() && self.0.home.is_closed(py)?;
        Ok(if lost { Some(code::ABNORMAL) } else { known })
    }

    /// The peer's close reason (RFC 6455 §7.1.6), or what went wrong; `None` while it is open.
    #[getter]
    fn close_reason(&self, py: Python<'_>) -> PyResult<Option<String>> {
        let reason = self.look(py)?.endpoint.fate().map(Fate::reason);
        let lost = reason.is_none() && self.close_code(py)?.is_some();
        Ok(if lost { Some(String::new()) } else { reason })
    }

    /// What went wrong, or `None`.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.exception`.
    fn exception(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.0.home.check_without_gil(py)?;
        Ok(failure::exception(self.0.connection.bind(py)))
    }

    /// The window that messages are compressed with, in bits, 9 to 15; 0 if they are sent as they
    /// are.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.compress`.
    #[getter]
    fn compress(&self, py: Python<'_>) -> PyResult<u8> {
        let connection = self.look(py)?;
        let compression = connection.endpoint.compression();
        Ok(compression.map_or(0, |compression| compression.deflater.window_bits()))
    }

    /// Whether each message is compressed by itself, without reference to earlier ones.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.client_notakeover`.
    #[getter]
    fn client_notakeover(&self, py: Python<'_>) -> PyResult<bool> {
        let connection = self.look(py)?;
        let compression = connection.endpoint.compression();
        Ok(compression.is_some_and(|compression| !compression.deflater.takeover()))
    }

    /// The round trip of the last ping that was answered, in seconds; `None` before the first.
    ///
    /// Mirrors `websockets.asyncio.client.ClientConnection.latency`.
    #[getter]
    fn latency(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        Ok(self.look(py)?.endpoint.pings().latency().map(|latency| latency.as_secs_f64()))
    }

    /// How many pings have been answered within how many seconds: upper bounds, each a fifth above
    /// the one before, with the number of round trips between the two.
    ///
    /// Example:
    ///     >>> ws.latency_histogram
    ///     {0.000224: 1, 0.000256: 17, 0.00032: 2}
    #[getter]
    fn latency_histogram<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let histogram = PyDict::new(py);
        for (bound, count) in self.look(py)?.endpoint.pings().ranges() {
            histogram.set_item(bound, count)?;
        }
        Ok(histogram)
    }

    /// Messages that nobody will get, because the queue's policy dropped them for newer ones, or more
    /// came before the connection's end than are kept.
    #[getter]
    fn dropped(&self, py: Python<'_>) -> PyResult<u64> {
        Ok(self.look(py)?.endpoint.dropped())
    }

    /// Bytes that were sent and that the transport has not yet handed to the system, or that wait for
    /// the end of `send_fragments()`.
    #[getter]
    fn buffered_amount(&self, py: Python<'_>) -> PyResult<usize> {
        let (transport, held) = {
            let connection = self.look(py)?;
            match &connection.transport.object {
                Some(transport) if !connection.is_lost() => {
                    let to_come = connection.transport.to_come();
                    (transport.clone_ref(py), connection.endpoint.held_back() + to_come)
                }
                _ => return Ok(0),
            }
        };
        let size = call::method(transport.bind(py), names::get_write_buffer_size(py), [])?;
        Ok(size.extract::<usize>()? + held)
    }

    /// Information about the transport, such as `peername` or `ssl_object`.
    ///
    /// Args:
    ///     name: What to look up.
    ///     default: What to return if the transport does not know it, or is gone.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.get_extra_info`.
    #[pyo3(signature = (name, default = None))]
    fn get_extra_info(
        &self,
        py: Python<'_>,
        name: &str,
        default: Option<Py<PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        let transport = {
            let connection = self.look(py)?;
            let transport = connection.transport.object.as_ref().filter(|_| !connection.is_lost());
            transport.map(|transport| transport.clone_ref(py))
        };
        let default = default.unwrap_or_else(|| py.None());
        match transport {
            Some(transport) => {
                let (name, default) = (PyString::new(py, name), default.bind(py));
                call::method(transport.bind(py), names::get_extra_info(py), [&name, default])
                    .map(Bound::unbind)
            }
            None => Ok(default),
        }
    }

    /// Whether a task waits in `receive()`.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse._waiting`.
    #[getter]
    fn _waiting(&self, py: Python<'_>) -> PyResult<bool> {
        self.0.home.check_without_gil(py)?;
        reader::has_reader(self.0.connection.bind(py))
    }

    /// The asyncio protocol below.
    #[getter]
    fn _connection(&self, py: Python<'_>) -> PyResult<Py<Protocol>> {
        self.0.home.check_without_gil(py)?;
        Ok(self.0.connection.clone_ref(py))
    }

    /// Refuse another thread than the event loop's, and a closed loop.
    ///
    /// Args:
    ///     doing: What the error names.
    ///
    /// Raises:
    ///     RuntimeError: The caller is in another thread, or the loop is closed.
    fn _check_thread(&self, py: Python<'_>, doing: &str) -> PyResult<()> {
        self.0.home.check(py, doing)
    }

    /// Whether this is a copy of the parent process's WebSocket, in the child of a fork.
    #[getter]
    fn _is_copy(&self) -> bool {
        self.0.home.is_copy()
    }

    /// Whether the caller is in the thread of the event loop, which is open.
    ///
    /// Raises:
    ///     RuntimeError: It is in the child of a fork.
    #[getter]
    fn _at_home(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.0.home.place(py)? == Place::Here)
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        // Its home is the connection's, which shows it.
        visit.call(&self.0.connection)
    }
}
