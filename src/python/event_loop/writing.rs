//! What this package's Python code sends on a connection, and waits for before it sends.

use pyo3::prelude::*;

use super::sent::Sent;
use super::settle::settle;
use super::state::Protocol;
use super::{failure, fragments, output, send, transport};
use crate::python::values::payload;
use crate::registry::Opcode;

#[pymethods]
impl Protocol {
    /// Wait for the end of a message that is being sent in fragments.
    ///
    /// Returns:
    ///     A future that is done when it has ended, or `None` if there is none.
    ///
    /// Raises:
    ///     ClientConnectionResetError: Nothing can be sent. The future may raise it, too.
    fn wait_turn(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        fragments::wait_turn(slf, Opcode::Continuation)
    }

    /// Begin a message that is sent in fragments (§5.4), unless one is under way.
    ///
    /// Args:
    ///     text: Whether it is text.
    ///     checks: Whether it has to be seen that it is UTF-8.
    ///
    /// Returns:
    ///     As `wait_turn`: a future if another is under way, `None` if this has begun.
    fn begin_message(
        slf: &Bound<'_, Self>,
        text: bool,
        checks: bool,
    ) -> PyResult<Option<Py<PyAny>>> {
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        fragments::begin(slf, opcode, checks)
    }

    /// Send the next fragment of the message that has begun.
    ///
    /// Args:
    ///     data: `bytes`, `bytearray` or `memoryview`.
    ///     fin: Whether it is the last.
    ///
    /// Returns:
    ///     An awaitable for room.
    #[pyo3(signature = (data, *, fin = false))]
    fn send_fragment(
        slf: &Bound<'_, Self>,
        data: &Bound<'_, PyAny>,
        fin: bool,
    ) -> PyResult<Py<Sent>> {
        fragments::send_next(slf, data, fin)
    }

    /// The message that has begun cannot be finished. If a part of it has left, the connection is
    /// closed with code 1011.
    fn break_off(slf: &Bound<'_, Self>) -> PyResult<()> {
        fragments::break_off(slf)
    }

    /// The event loop's callback: what was to be sent while the transport took something is written.
    fn _write_behind(slf: &Bound<'_, Self>) -> PyResult<()> {
        transport::write_behind(slf, Ok(())).inspect_err(|error| failure::cut_off(slf, error))?;
        settle(slf)
    }

    /// The event loop's callback: what is gathered is written.
    fn _write_gathered(slf: &Bound<'_, Self>) -> PyResult<()> {
        output::write_arranged(slf)
    }

    /// Send a whole data message, compressed if the connection does that.
    ///
    /// Args:
    ///     text: Whether it is text, whose bytes are not checked.
    ///     payload: Its bytes.
    ///
    /// Raises:
    ///     ClientConnectionResetError: The connection is closed or closing.
    fn send_message(slf: &Bound<'_, Self>, text: bool, payload: &Bound<'_, PyAny>) -> PyResult<()> {
        let opcode = if text { Opcode::Text } else { Opcode::Binary };
        let payload = payload::binary(payload)?;
        send::send_compressed(slf, opcode, &payload, None)
    }

    /// Send a pong.
    ///
    /// Args:
    ///     payload: At most 125 bytes.
    ///
    /// Raises:
    ///     ValueError: There are more.
    ///     ClientConnectionResetError: The connection is closed or closing.
    fn send_pong(slf: &Bound<'_, Self>, payload: &Bound<'_, PyAny>) -> PyResult<()> {
        let payload = payload::ping_payload(Opcode::Pong, Some(payload))?;
        send::send_control(slf, Opcode::Pong, &payload)
    }

    /// A future that is done when the transport has room or is gone, or `None` if it has.
    fn wait_writable(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        transport::wait_writable(slf)
    }
}
