//! What kind a message is, as Python has it.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::endpoint::Kind;

/// The members of `wsclient.MsgType`, in the order of the kinds.
pub const NAMES: [&str; Kind::COUNT] =
    ["text", "binary", "close", "ping", "pong", "closing", "closed", "error"];

/// The member of `wsclient.MsgType`.
#[inline]
pub fn member(py: Python<'_>, kind: Kind) -> PyResult<Py<PyAny>> {
    static MEMBERS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
    let members = MEMBERS.get_or_try_init(py, || {
        let msg_type = py.import("wsclient.types")?.getattr("MsgType")?;
        NAMES.iter().map(|name| Ok(msg_type.getattr(*name)?.unbind())).collect()
    });
    Ok(members.map_err(|error: PyErr| error)?[kind as usize].clone_ref(py))
}

/// Which kind a member of `wsclient.MsgType` stands for.
pub fn of(member: &Bound<'_, PyAny>) -> PyResult<Option<Kind>> {
    for kind in Kind::ALL {
        if self::member(member.py(), kind)?.is(member) {
            return Ok(Some(kind));
        }
    }
    Ok(None)
}

/// The `extra` of messages that have none.
#[inline]
pub fn no_extra(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static EMPTY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let empty =
        EMPTY.get_or_try_init(py, || PyResult::Ok(PyString::new(py, "").into_any().unbind()));
    empty.map(|empty| empty.clone_ref(py))
}
