//! The methods of `WebSocketBase` that send.

use pyo3::prelude::*;

use super::event_loop::cork::Cork;
use super::event_loop::pings;
use super::event_loop::sent::Sent;
use super::websocket::WebSocketBase;
use crate::registry::Opcode;

#[pymethods]
impl WebSocketBase {
    /// Send a text message.
    ///
    /// The frame is written when this is called. Awaiting the result waits, if need be, until the
    /// transport has room for more. In another thread than the event loop's nothing is written
    /// before the loop runs the result: `asyncio.run_coroutine_threadsafe(ws.send_str(data), loop)`.
    ///
    /// Args:
    ///     data: The text.
    ///     compress: `None` compresses the message if the connection does; 0 sends it as it is;
    ///         9 to 15 compresses it though it is small, with the connection's window.
    ///
    /// Returns:
    ///     An awaitable that need not be awaited in the event loop's thread.
    ///
    /// Raises:
    ///     TypeError: `data` is not `str`.
    ///     ValueError: `compress` is another number.
    ///     UnicodeEncodeError: `data` has lone surrogates.
    ///     ClientConnectionResetError: The connection is closed or closing, or its loop is closed.
    ///
    /// Example:
    ///     >>> await ws.send_str("hello")
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.send_str`.
    #[pyo3(signature = (data, compress = None))]
    pub(super) fn send_str(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        slf.get().0.send_text(slf, data, compress)
    }

    /// Send a binary message.
    ///
    /// Args:
    ///     data: `bytes`, `bytearray` or `memoryview`.
    ///     compress: As for `send_str`.
    ///
    /// Returns:
    ///     An awaitable that need not be awaited, as for `send_str`.
    ///
    /// Raises:
    ///     TypeError: `data` is none of these.
    ///     ValueError: `compress` is neither 0 nor 9 to 15.
    ///     ClientConnectionResetError: The connection is closed or closing.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.send_bytes`.
    #[pyo3(signature = (data, compress = None))]
    pub(super) fn send_bytes(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        slf.get().0.send_binary(slf, data, compress)
    }

    /// Send several messages, one frame each, in few writes: many of them cost a fraction of as many
    /// calls of `send_str`.
    ///
    /// All are looked at before any is written. They are written when this is called, as far as the
    /// transport has room. The rest follows as it has more, before whatever is sent after; awaiting the
    /// result waits for that. If that await is cancelled, what is not written then is not sent; each
    /// message goes out whole or not at all.
    ///
    /// Args:
    ///     messages: An iterable of `str`, sent as text, and of `bytes`, `bytearray` or `memoryview`,
    ///         sent as binary.
    ///
    /// Returns:
    ///     An awaitable that need not be awaited, as for `send_str`.
    ///
    /// Raises:
    ///     TypeError: `messages`, or one of them, is something else. None has been sent; this and the
    ///         next name the message by its index.
    ///     UnicodeEncodeError: One has lone surrogates.
    ///     ClientConnectionResetError: The connection is closed or closing, or its loop is closed.
    ///
    /// Example:
    ///     >>> await ws.send_many(json.dumps(order) for order in orders)
    fn send_many(slf: &Bound<'_, Self>, messages: &Bound<'_, PyAny>) -> PyResult<Py<Sent>> {
        slf.get().0.send_many(slf, messages)
    }

    /// Gather what is sent inside a `with` block, and write it as one.
    ///
    /// Messages, pings and pongs keep their order. They are written when the block ends, also by an
    /// exception; when 64 KiB have come together; before a close frame or the answer to a ping; and, if
    /// the block awaits something that takes the event loop a turn, in that turn, or at once if it was a
    /// message that woke the task: nobody waits for the answer to a message that has not left. So the
    /// block may be around a whole `async for`. What other tasks send on this WebSocket meanwhile is
    /// gathered with it. A block inside another ends nothing.
    ///
    /// Returns:
    ///     A context manager, to be entered in the event loop's thread.
    ///
    /// Raises:
    ///     RuntimeError: It is entered in another thread.
    ///     ClientConnectionResetError: At the end of the block: what was sent in it could not be
    ///         written. An exception of the block itself goes before.
    ///
    /// Example:
    ///     >>> with ws.cork():
    ///     ...     for order in orders:
    ///     ...         ws.send_json(order)
    fn cork(&self, py: Python<'_>) -> Cork {
        Cork::of(self.0.connection.clone_ref(py), self.0.home.clone())
    }

    /// Send a ping (RFC 6455 §5.5.2); its pong updates `latency`.
    ///
    /// Args:
    ///     message: At most 125 bytes, or text of at most 125 bytes of UTF-8.
    ///
    /// Returns:
    ///     An awaitable that need not be awaited, as for `send_str`.
    ///
    /// Raises:
    ///     TypeError: `message` is neither text nor bytes.
    ///     ValueError: `message` is too long.
    ///     ClientConnectionResetError: The connection is closed or closing.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.ping`.
    #[pyo3(signature = (message = None))]
    fn ping(slf: &Bound<'_, Self>, message: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        slf.get().0.send_control(slf, Opcode::Ping, message)
    }

    /// Send a pong (RFC 6455 §5.5.3), in answer to a ping if `autoping` is false, or unasked for.
    ///
    /// Args:
    ///     message: As for `ping`.
    ///
    /// Returns:
    ///     An awaitable that need not be awaited, as for `send_str`.
    ///
    /// Raises:
    ///     TypeError, ValueError, ClientConnectionResetError: As for `ping`.
    ///
    /// Mirrors `aiohttp.ClientWebSocketResponse.pong`.
    #[pyo3(signature = (message = None))]
    fn pong(slf: &Bound<'_, Self>, message: Option<&Bound<'_, PyAny>>) -> PyResult<Py<PyAny>> {
        slf.get().0.send_control(slf, Opcode::Pong, message)
    }

    /// Send a ping (RFC 6455 §5.5.2) whose round trip can be awaited.
    ///
    /// A pong answers the pings before its own as well (§5.5.3). It is seen when it is read: not
    /// while reading is paused.
    ///
    /// Args:
    ///     message: As for `ping`; four random bytes if `None`.
    ///
    /// Returns:
    ///     A future of the seconds until the pong came. If the connection ends first, it raises a
    ///     `ClientConnectionResetError`, whose cause is what `exception` returns. It need not be
    ///     awaited, and may be cancelled.
    ///
    /// Raises:
    ///     TypeError: `message` is neither text nor bytes.
    ///     ValueError: `message` is too long, or that of a ping whose round trip is not over.
    ///     ClientConnectionResetError: The connection is closed or closing, or its loop is closed.
    ///     RuntimeError: The caller is in another thread than the event loop's.
    ///
    /// Example:
    ///     >>> seconds = await ws.round_trip()
    ///
    /// Mirrors `websockets.asyncio.client.ClientConnection.ping`.
    #[pyo3(signature = (message = None))]
    fn round_trip(
        &self,
        py: Python<'_>,
        message: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<PyAny>> {
        pings::round_trip(self.0.connection.bind(py), message)
    }
}
