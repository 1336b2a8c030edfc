//! What the binding needs of Python itself, looked up once.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

pyo3::import_exception!(asyncio, CancelledError);
pyo3::import_exception!(wsclient.exceptions, ClientConnectionResetError);
pyo3::import_exception!(wsclient.exceptions, ServerDisconnectedError);
pyo3::import_exception!(wsclient.exceptions, WebSocketError);

/// The types that `receive()` returns messages of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
    Closing,
    Closed,
    Error,
}

impl Kind {
    /// The members of `wsclient.MsgType`, in the order of the variants.
    const NAMES: [&str; 8] = [
        "text", "binary", "close", "ping", "pong", "closing", "closed", "error",
    ];

    /// The member of `wsclient.MsgType`.
    #[inline]
    pub fn member(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        static MEMBERS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
        let members = MEMBERS.get_or_try_init(py, || {
            let msg_type = py.import("wsclient.types")?.getattr("MsgType")?;
            Self::NAMES
                .iter()
                .map(|name| Ok(msg_type.getattr(*name)?.unbind()))
                .collect()
        });
        Ok(members.map_err(|error: PyErr| error)?[self as usize].clone_ref(py))
    }

    /// Whether a message of this kind ends an `async for`.
    pub fn ends_iteration(self) -> bool {
        matches!(self, Self::Close | Self::Closing | Self::Closed)
    }
}

/// `asyncio.current_task(event_loop) is not None`.
#[inline]
pub fn in_task(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    static CURRENT_TASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let current_task = CURRENT_TASK.import(event_loop.py(), "asyncio", "current_task")?;
    Ok(!current_task.call1((event_loop,))?.is_none())
}

/// The `extra` of messages that have none.
pub fn no_extra(py: Python<'_>) -> Py<PyAny> {
    PyString::intern(py, "").clone().into_any().unbind()
}
