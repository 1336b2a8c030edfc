//! The warning for an awaitable that was never awaited, as a coroutine gives it.

use std::ffi::CString;

use pyo3::exceptions::PyRuntimeWarning;
use pyo3::prelude::*;
use pyo3::types::PyString;

use super::thread::INSTEAD;
use crate::python::cpython::call;
use crate::registry::Opcode;

/// The method's name as a coroutine's `__qualname__` has it.
pub fn qualname(method: &str) -> String {
    let class = if matches!(method, "recv" | "send") {
        "ClientConnection"
    } else {
        "ClientWebSocketResponse"
    };
    format!("{class}.{method}")
}

/// The method that sends frames of this kind, and their opcode.
#[inline]
pub fn send_method(opcode: Opcode) -> (&'static str, Opcode) {
    let method = match opcode {
        Opcode::Text => "send_str",
        Opcode::Binary => "send_bytes",
        Opcode::Ping => "ping",
        Opcode::Pong => "pong",
        Opcode::Continuation | Opcode::Close => "send",
    };
    (method, opcode)
}

/// Warn that what `method` returned is dropped unawaited: for destructors, from which nothing can be
/// raised.
///
/// `elsewhere` is whether it was called in another thread than the event loop's.
#[cold]
pub fn warn(method: &str, elsewhere: bool) {
    // Fails while Python shuts down.
    Python::try_attach(|py| {
        // The destructor may run while an exception is on its way.
        let pending = PyErr::take(py);
        if let Err(error) = issue(py, method, elsewhere) {
            let name = PyString::new(py, &qualname(method));
            call::unraisable(py, error, Some(&name));
        }
        if let Some(pending) = pending {
            pending.restore(py);
        }
    });
}

fn issue(py: Python<'_>, method: &str, elsewhere: bool) -> PyResult<()> {
    let mut text = format!("coroutine '{}' was never awaited", qualname(method));
    if elsewhere {
        text += ": called in another thread than the event loop's, it has done nothing; ";
        text += INSTEAD;
    }
    PyErr::warn(py, &py.get_type::<PyRuntimeWarning>(), &CString::new(text)?, 1)
}
