//! Errors as Python knows them.

use std::io;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::call;
use super::closing::Ending;
use super::dialect::Dialect;
use super::runtime::{ClientConnectionResetError, ServerDisconnectedError, WebSocketError};
use crate::error::ProtocolError;

/// The peer broke the protocol.
pub fn web_socket_error(error: &ProtocolError) -> PyErr {
    WebSocketError::new_err((error.close_code(), error.to_string()))
}

/// The transport went without a closing handshake, for the reason that the transport gives.
pub fn lost(py: Python<'_>, cause: Option<Py<PyAny>>, dialect: Option<&Py<Dialect>>) -> Py<PyAny> {
    let Some(cause) = cause else {
        let message = "server closed the connection without a close frame";
        let error = match dialect {
            Some(dialect) => dialect.get().disconnected(py, message),
            None => ServerDisconnectedError::new_err(message),
        };
        return error.into_value(py).into_any();
    };
    let cause = PyErr::from_value(cause.into_bound(py));
    let text = format!("connection lost: {cause}");
    let error = reset(py, text, dialect);
    error.set_cause(py, Some(cause));
    error.into_value(py).into_any()
}

/// The `OSError` that Python's own socket would raise.
pub fn from_system(py: Python<'_>, error: &io::Error) -> PyResult<Py<PyAny>> {
    let number = error.raw_os_error().unwrap_or_default().into_pyobject(py)?;
    let text = call::method(py.import("os")?.as_any(), "strerror", [&number])?;
    call::function(&py.get_type::<PyOSError>(), [&number, &text]).map(Bound::unbind)
}

/// Something was to be sent, but the connection has ended or is about to.
#[cold]
pub fn not_open(
    py: Python<'_>,
    doing: &str,
    ending: &Ending,
    dialect: Option<&Py<Dialect>>,
) -> PyErr {
    let why = match &ending.fate {
        Some((code, reason)) if reason.is_empty() => format!("closed with code {code}"),
        Some((code, reason)) => format!("closed with code {code} ({reason})"),
        None if ending.called && !ending.lost => "closing, close() was called".to_owned(),
        None => "lost".to_owned(),
    };
    reset(py, format!("cannot send {doing}: the connection is {why}"), dialect)
}

fn reset(py: Python<'_>, text: String, dialect: Option<&Py<Dialect>>) -> PyErr {
    match dialect {
        Some(dialect) => dialect.get().reset(py, text),
        None => ClientConnectionResetError::new_err(text),
    }
}
