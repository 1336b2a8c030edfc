//! Errors as Python knows them.

use std::fmt::Write;
use std::io;

use pyo3::exceptions::{PyKeyboardInterrupt, PyMemoryError, PyOSError, PySystemExit};
use pyo3::prelude::*;

use super::dialect::Dialect;
use crate::error::ProtocolError;
use crate::python::cpython::{call, memory, names};
use crate::registry::Opcode;

pyo3::import_exception!(wsclient.exceptions, ClientConnectionResetError);
pyo3::import_exception!(wsclient.exceptions, ServerDisconnectedError);
pyo3::import_exception!(wsclient.exceptions, WebSocketError);

/// Look up the classes, while that can be done.
pub fn prepare(py: Python<'_>) {
    py.get_type::<ClientConnectionResetError>();
    py.get_type::<ServerDisconnectedError>();
    py.get_type::<WebSocketError>();
}

/// There is no masking key.
#[cold]
pub fn no_entropy(error: getrandom::Error) -> PyErr {
    PyOSError::new_err(format!("no entropy for a masking key: {error}"))
}

/// The peer broke the protocol, or memory has run out.
pub fn web_socket_error(py: Python<'_>, error: &ProtocolError) -> PyErr {
    if *error == ProtocolError::OutOfMemory {
        return memory::exhausted(py);
    }
    let class = py.get_type::<WebSocketError>();
    memory::error_with_code(&class, error.close_code(), &error.to_string())
}

/// Whether an exception of Python code that this calls is not for the event loop's exception handler,
/// but for whoever runs the loop: as asyncio tells them apart.
pub fn ends_the_loop(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py) || error.is_instance_of::<PySystemExit>(py)
}

/// The transport went without a closing handshake, for the reason that the transport gives.
pub fn lost(py: Python<'_>, cause: Option<PyErr>, dialect: Option<&Py<Dialect>>) -> Py<PyAny> {
    let Some(cause) = cause else {
        let message = "server closed the connection without a close frame";
        let error = match dialect {
            Some(dialect) => dialect.get().disconnected(py, message),
            None => memory::error(&py.get_type::<ServerDisconnectedError>(), message),
        };
        return error.into_value(py).into_any();
    };
    if cause.is_instance_of::<PyMemoryError>(py) {
        return cause.into_value(py).into_any();
    }
    // Not by `format!`, which panics if the cause cannot say what it is, for want of memory.
    let mut text = String::from("connection lost: ");
    let _ = write!(text, "{cause}");
    let error = reset(py, &text, dialect);
    error.set_cause(py, Some(cause));
    error.into_value(py).into_any()
}

/// The `OSError` that Python's own socket would raise.
pub fn from_system(py: Python<'_>, error: &io::Error) -> PyResult<PyErr> {
    let number = memory::int(py, error.raw_os_error().unwrap_or_default().into())?;
    let text = call::method(py.import(names::os(py))?.as_any(), names::strerror(py), [&number])?;
    call::function(&py.get_type::<PyOSError>(), [&number, &text]).map(PyErr::from_value)
}

/// Something was to be sent, but the connection has ended or is about to.
#[cold]
pub fn not_open(py: Python<'_>, doing: &str, why: &str, dialect: Option<&Py<Dialect>>) -> PyErr {
    reset(py, &format!("cannot send {doing}: the connection is {why}"), dialect)
}

/// The connection has ended before the pong came, for this reason and the `cause` that is known.
pub fn unanswered(
    py: Python<'_>,
    why: &str,
    cause: Option<Py<PyAny>>,
    dialect: Option<&Py<Dialect>>,
) -> Py<PyAny> {
    let error = reset(py, &format!("the ping was not answered: the connection was {why}"), dialect);
    error.set_cause(py, cause.map(|cause| PyErr::from_value(cause.into_bound(py))));
    error.into_value(py).into_any()
}

/// Something was to be sent, but the connection's event loop is closed.
#[cold]
pub fn loop_closed(py: Python<'_>, opcode: Opcode, dialect: Option<&Py<Dialect>>) -> PyErr {
    reset(py, &format!("cannot send a {opcode} frame: its event loop is closed"), dialect)
}

fn reset(py: Python<'_>, text: &str, dialect: Option<&Py<Dialect>>) -> PyErr {
    match dialect {
        Some(dialect) => dialect.get().reset(py, text),
        None => memory::error(&py.get_type::<ClientConnectionResetError>(), text),
    }
}
