//! The methods of `WebSocketBase` that receive.

use pyo3::prelude::*;

use super::event_loop::reader;
use super::event_loop::state::{Receive, Wanted};
use super::event_loop::take;
use super::websocket::WebSocketBase;

#[pymethods]
impl WebSocketBase {
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
    /// In a subclass that overrides `receive`, this and the batches below return what one call of that
    /// does; `super().receive_many()` does not call it, and nor do `receive_nowait` and
    /// `receive_streaming`.
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

    /// Wait for a text message and return its text and those of all text messages that have arrived, in
    /// order: a batch as of `receive_many`, without a `Message` for each.
    ///
    /// It ends before a message of another type, which is the next to be received.
    ///
    /// Args:
    ///     timeout: Seconds to wait, as for `receive`.
    ///
    /// Returns:
    ///     A list of at least one text; of `bytes` if the connection was made with `decode_text=False`.
    ///
    /// Raises:
    ///     WSMessageTypeError: The next message is not text, or the connection has ended, as for
    ///         `receive_str`.
    ///     TimeoutError, ValueError, RuntimeError: As for `receive`.
    ///
    /// Example:
    ///     >>> for text in await ws.receive_many_str():
    ///     ...     handle(text)
    #[pyo3(signature = (*, timeout = None))]
    fn receive_many_str(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<Receive>> {
        slf.get().0.receive(slf, Wanted::Texts, timeout)
    }

    /// Wait for a binary message and return its bytes and those of all binary messages that have
    /// arrived, in order, as `receive_many_str` does with texts.
    ///
    /// Args:
    ///     timeout: Seconds to wait, as for `receive`.
    ///
    /// Returns:
    ///     A list of at least one `bytes`.
    ///
    /// Raises:
    ///     WSMessageTypeError: The next message is not binary, or the connection has ended, as for
    ///         `receive_str`.
    ///     TimeoutError, ValueError, RuntimeError: As for `receive`.
    #[pyo3(signature = (*, timeout = None))]
    fn receive_many_bytes(slf: &Bound<'_, Self>, timeout: Option<f64>) -> PyResult<Py<Receive>> {
        slf.get().0.receive(slf, Wanted::Binaries, timeout)
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
}
