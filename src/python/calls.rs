//! What a call of a WebSocket's method comes to: where the caller is decides.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::receive::{Receive, Wanted};
use super::response::WebSocketBase;
use super::send::{self, Sent};
use super::thread::{self, Place};
use super::{compress, error};
use crate::frame::Opcode;

impl WebSocketBase {
    /// Refuse another thread than the event loop's, and a closed loop.
    pub(super) fn check_thread(&self, py: Python<'_>, doing: &str) -> PyResult<()> {
        self.home.check(py, doing)
    }

    /// Send a data message.
    #[inline]
    pub(super) fn send_data(
        slf: &Bound<'_, Self>,
        opcode: Opcode,
        payload: &[u8],
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Sent>> {
        let me = slf.get();
        if !me.home.is_awake()
            && let Some(later) = Self::send_later(slf, opcode, payload, compress)?
        {
            return Ok(later);
        }
        let connection = me.connection.bind(slf.py());
        if me.compresses || compress.is_some() {
            compress::send(connection, opcode, payload, compress)
        } else {
            send::send(connection, opcode, payload)
        }
    }

    /// Send a ping or pong whose payload is checked.
    pub(super) fn send_control(
        slf: &Bound<'_, Self>,
        opcode: Opcode,
        payload: &[u8],
    ) -> PyResult<Py<Sent>> {
        match Self::send_later(slf, opcode, payload, None)? {
            Some(later) => Ok(later),
            None => send::control(slf.get().connection.bind(slf.py()), opcode, payload),
        }
    }

    /// What sends the frame later, if the caller is in another thread than the event loop's.
    fn send_later(
        slf: &Bound<'_, Self>,
        opcode: Opcode,
        payload: &[u8],
        compress: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Option<Py<Sent>>> {
        let me = slf.get();
        match me.home.place(slf.py())? {
            Place::Here => Ok(None),
            Place::Elsewhere => {
                compress.map(compress::is_wanted).transpose()?;
                Sent::elsewhere(slf, &me.connection, opcode, payload, compress).map(Some)
            }
            Place::LoopClosed => {
                let dialect = me.connection.bind(slf.py()).borrow().dialect(slf.py());
                Err(error::loop_closed(slf.py(), opcode, dialect.as_ref()))
            }
        }
    }

    /// What `receive()` and its like return.
    pub(super) fn receive_as(
        slf: &Bound<'_, Self>,
        wanted: Wanted,
        timeout: Option<f64>,
    ) -> PyResult<Py<Receive>> {
        let me = slf.get();
        let connection = me.connection.bind(slf.py());
        let timeout = match timeout {
            Some(seconds) => limit("timeout", seconds)?,
            None => me.receive_timeout,
        };
        if !me.home.is_awake() {
            match me.home.place(slf.py())? {
                Place::Here => {}
                Place::Elsewhere => return Receive::elsewhere(slf, connection, wanted, timeout),
                Place::LoopClosed => return Err(thread::loop_closed("receive")),
            }
        }
        Receive::of(slf, connection, wanted, timeout)
    }
}

/// How many seconds to wait; `None` for no limit.
pub fn limit(name: &str, seconds: f64) -> PyResult<Option<f64>> {
    if seconds.is_nan() {
        return Err(PyValueError::new_err(format!("{name} is nan, expected a number of seconds")));
    }
    Ok((seconds < f64::INFINITY).then_some(seconds))
}
