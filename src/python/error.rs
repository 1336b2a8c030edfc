//! Errors as Python knows them.

use std::io;

use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

use super::closing::Ending;
use super::runtime::{ClientConnectionResetError, ServerDisconnectedError, WebSocketError};
use crate::error::ProtocolError;

/// The peer broke the protocol.
pub fn web_socket_error(error: &ProtocolError) -> PyErr {
    WebSocketError::new_err((error.close_code(), error.to_string()))
}

/// The transport went without a closing handshake, for the reason that the transport gives.
pub fn lost(py: Python<'_>, cause: Option<Py<PyAny>>) -> Py<PyAny> {
    let Some(cause) = cause else {
        let message = "server closed the connection without a close frame";
        return ServerDisconnectedError::new_err(message).into_value(py).into_any();
    };
    let cause = PyErr::from_value(cause.into_bound(py));
    let error = ClientConnectionResetError::new_err(format!("connection lost: {cause}"));
    error.set_cause(py, Some(cause));
    error.into_value(py).into_any()
}

/// The `OSError` that Python's own socket would raise.
pub fn from_system(py: Python<'_>, error: &io::Error) -> PyResult<Py<PyAny>> {
    let number = error.raw_os_error().unwrap_or_default();
    let text = py.import("os")?.call_method1("strerror", (number,))?;
    Ok(py.get_type::<PyOSError>().call1((number, text))?.unbind())
}

/// Something was to be sent, but the connection has ended or is about to.
#[cold]
pub fn not_open(doing: &str, ending: &Ending) -> PyErr {
    let why = match &ending.fate {
        Some((code, reason)) if reason.is_empty() => format!("closed with code {code}"),
        Some((code, reason)) => format!("closed with code {code} ({reason})"),
        None if ending.called && !ending.lost => "closing, close() was called".to_owned(),
        None => "lost".to_owned(),
    };
    ClientConnectionResetError::new_err(format!("cannot send {doing}: the connection is {why}"))
}
