//! How this package's Python code ends a connection (RFC 6455 §7).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::settle::settle;
use super::state::Protocol;
use super::{batch, failure, transport};
use crate::close::{self, CloseFrame};
use crate::python::values::payload;

#[pymethods]
impl Protocol {
    /// Fail the connection at once, with no closing handshake: one `error` message, then `closed`.
    ///
    /// Args:
    ///     exception: What the user is told.
    fn fail_with(slf: &Bound<'_, Self>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        let reason = exception.str()?.to_string();
        failure::fail(slf, exception.clone().unbind(), reason);
        settle(slf)
    }

    /// Let a task that waits to receive be told that this side is going to close.
    fn announce_close(slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let mut me = slf.borrow_mut();
            let (endpoint, mut making) = me.at_work(slf.py());
            endpoint.announce_close(&mut making);
        }
        settle(slf)
    }

    /// Drop what nobody has received; `receive()` tells of the end from now on, without waiting for it.
    fn dismiss(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.borrow_mut().endpoint.dismiss();
        settle(slf)
    }

    /// Begin the closing handshake (§7.1.2), or finish the one that the peer began.
    ///
    /// Args:
    ///     code: The close code to send.
    ///     message: The reason to send.
    ///
    /// Returns:
    ///     Whether a close frame was sent: `False` if one was before, or the connection is gone.
    ///
    /// Raises:
    ///     ValueError: The code must not be sent, or the reason is longer than 123 bytes or not
    ///         UTF-8.
    fn start_close(
        slf: &Bound<'_, Self>,
        code: &Bound<'_, PyAny>,
        message: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        let code = payload::close_code(code)?;
        let reason = payload::control_payload(message)?;
        let reason = str::from_utf8(&reason)
            .map_err(|_| PyValueError::new_err("close message is not UTF-8"))?
            .to_owned();
        let frame = CloseFrame { code: Some(code), reason };
        close::check(&frame).map_err(PyValueError::new_err)?;
        begin_close(slf, &frame)
    }

    /// The same with a close frame that has neither.
    fn start_bare_close(slf: &Bound<'_, Self>) -> PyResult<bool> {
        begin_close(slf, &CloseFrame::default())
    }

    /// The timer's callback: a step of the ending has taken long enough.
    fn _expired(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.borrow_mut().endpoint.expired();
        settle(slf)
    }

    /// A future that is done when the transport is gone, or `None` if it is.
    fn wait_lost(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        transport::wait_lost(slf)
    }

    /// Drop the connection, and what is not written yet, at once.
    ///
    /// Args:
    ///     exception: Why, if there is more to say than that this side wanted it.
    #[pyo3(signature = (exception = None))]
    fn abort(slf: &Bound<'_, Self>, exception: Option<Py<PyAny>>) -> PyResult<()> {
        if let Some(exception) = exception {
            failure::set_known(slf, exception);
        }
        slf.borrow_mut().endpoint.abort();
        settle(slf)
    }
}

fn begin_close(slf: &Bound<'_, Protocol>, frame: &CloseFrame) -> PyResult<bool> {
    batch::push(slf)?;
    let sent = {
        let mut me = slf.borrow_mut();
        let waits = me.reader.is_some();
        let (endpoint, mut making) = me.at_work(slf.py());
        endpoint.close(frame, waits, &mut making)
    };
    settle(slf)?;
    Ok(sent)
}
