//! `WebSocketBase`: what `ClientWebSocketResponse` inherits, so that receiving and sending run no
//! Python frame of this package. Its methods that send stand in `sends.rs`.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::calls::Handle;
use super::cpython::{call, names};
use super::event_loop::reader;
use super::event_loop::state::{Protocol, Receive, Wanted};
use super::event_loop::take;
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

    /// Wait for the next message and return it.
    ///
    /// Pings, pongs and the closing handshake are handled without being returned, unless
    /// `autoping` or `autoclose` is false. After the connection has ended, each call returns
    /// `Message(closed, code, reason)`. Only one task may wait here at a time. A cancelled or
    /// timed-out call loses no message.
    ///
    /// Args:
    ///     timeout: Seconds to wait, infinity for no limit; `receive_timeout` of the connection if
    ///         `None`.
    ///
    /// Returns:
    ///     A `Message` whose `tp` is text, binary, closing, closed or error (and close, ping, pong
    ///     if asked for).
    ///
    /// Raises:
    ///     TimeoutError: No message came in time.
    ///     ValueError: `timeout` is not a number.
    ///     RuntimeError: Another task is already waiting, or the event loop is closed.
    ///
    /// Example:
    ///     >>> msg = await ws.receive()
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.receive`.
    #[pyo3(signature = (timeout = None))]
    pub(super) fn receive(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<Receive>> {
        // aiohttp's 0 is no limit.
        let handle = &slf.get().0;
        let timeout = timeout.filter(|seconds| !(*seconds <= 0.0 && handle.dialect));
        handle.receive(slf, Wanted::One, timeout)
    }

    /// Wait for a message and return all that have arrived, in order.
    ///
    /// Args:
    ///     timeout: Seconds to wait, infinity for no limit; `receive_timeout` of the connection if
    ///         `None`.
    ///
    /// Returns:
    ///     A list of at least one `Message`.
    ///
    /// Raises:
    ///     TimeoutError: No message came in time.
    ///     ValueError: `timeout` is not a number.
    ///     RuntimeError: Another task is already waiting, or the event loop is closed.
    ///
    /// Example:
    ///     >>> latest = (await ws.receive_many())[-1]
    #[pyo3(signature = (timeout = None))]
    fn receive_many(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<Receive>> {
        slf.get().0.receive(slf, Wanted::All, timeout)
    }

    /// Return the next message if it has arrived already.
    ///
    /// Returns:
    ///     A `Message`, or `None` if there is none yet.
    ///
    /// Raises:
    ///     RuntimeError: A task is waiting in `receive()`.
    fn receive_nowait(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.0.home.check(py, "receive")?;
        let connection = self.0.connection.bind(py);
        if reader::has_reader(connection)? {
            return Err(reader::concurrent(self.0.dialect));
        }
        connection.borrow_mut().endpoint.leave_parts();
        take::take_one(connection)
    }

    /// Wait for a text message and return its text.
    ///
    /// Args:
    ///     timeout: Seconds to wait, as for `receive`.
    ///
    /// Returns:
    ///     The text; as `bytes` if the connection was made with `decode_text=False`.
    ///
    /// Raises:
    ///     WSMessageTypeError: The next message is not text, or the connection has ended: the error
    ///         says how, and what `exception` returns is its cause.
    ///     TimeoutError, ValueError, RuntimeError: As for `receive`.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.receive_str`.
    #[pyo3(signature = (*, timeout = None))]
    pub(super) fn receive_str(
        slf: &Bound<'_, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        slf.get().0.receive(slf, Wanted::Text, timeout)
    }

    /// Wait for a binary message and return its bytes.
    ///
    /// Args:
    ///     timeout: Seconds to wait, as for `receive`.
    ///
    /// Raises:
    ///     WSMessageTypeError: The next message is not binary, or the connection has ended, as for
    ///         `receive_str`.
    ///     TimeoutError, ValueError, RuntimeError: As for `receive`.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.receive_bytes`.
    #[pyo3(signature = (*, timeout = None))]
    pub(super) fn receive_bytes(
        slf: &Bound<'_, Self>,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        slf.get().0.receive(slf, Wanted::Binary, timeout)
    }

    /// Wait for a text message and return what its JSON says.
    ///
    /// Args:
    ///     loads: What parses the text; `json.loads` by default. It runs in the task that awaits.
    ///     timeout: Seconds to wait, as for `receive`.
    ///
    /// Raises:
    ///     WSMessageTypeError: The next message is not text, or the connection has ended, as for
    ///         `receive_str`.
    ///     TimeoutError, RuntimeError: As for `receive`.
    ///     ValueError: The text is not JSON (or what `loads` raises); or as for `receive`.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.receive_json`.
    #[pyo3(signature = (*, loads = None, timeout = None))]
    pub(super) fn receive_json(
        slf: &Bound<'_, Self>,
        loads: Option<Py<PyAny>>,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        slf.get().0.receive_json(slf, loads, timeout)
    }

    /// Wait for a part of a message and return its data: `str` or `bytes`. What comes instead is
    /// returned as a `Message`.
    ///
    /// Args:
    ///     begins: Whether it is to be the first of the next message.
    ///     timeout: As for `receive`.
    ///
    /// Raises:
    ///     TimeoutError, ValueError: As for `receive`.
    ///     RuntimeError: As for `receive`; or something else has been received since the part before.
    #[pyo3(signature = (begins, timeout))]
    fn _receive_part(
        slf: &Bound<'_, Self>,
        begins: bool,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        slf.get().0.receive_part(slf, begins, timeout)
    }

    fn __aiter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    /// The next message; close, closing and closed end the iteration.
    fn __anext__(slf: &Bound<'_, Self>) -> PyResult<Py<Receive>> {
        slf.get().0.receive(slf, Wanted::Next, None)
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
        Ok(self.look(py)?.endpoint.pings().latency.map(|latency| latency.as_secs_f64()))
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
                    let to_come = connection.transport.to_come(py);
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
