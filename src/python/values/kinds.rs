//! What kind a message is, as Python has it.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

use crate::endpoint::Kind;

/// The names of an enumeration's members, in the order of the kinds. Parts of messages are not handed
/// out as messages.
const NAMES: [&str; Kind::COUNT] = [
    "TEXT",
    "BINARY",
    "CLOSE",
    "PING",
    "PONG",
    "CLOSING",
    "CLOSED",
    "ERROR",
    "CONTINUATION",
    "CONTINUATION",
];

/// The members of an enumeration, by kind.
pub type Members = [Py<PyAny>; Kind::COUNT];

/// The members of `msg_type`, an enumeration with upper-case names.
pub fn members_of(msg_type: &Bound<'_, PyAny>) -> PyResult<Members> {
    let mut members = Vec::with_capacity(Kind::COUNT);
    for name in NAMES {
        members.push(msg_type.getattr(name)?.unbind());
    }
    members.try_into().map_err(|_| PyTypeError::new_err("too few members"))
}

/// The member of `wsclient.MsgType`.
#[inline]
pub fn member(py: Python<'_>, kind: Kind) -> PyResult<Py<PyAny>> {
    static MEMBERS: PyOnceLock<Members> = PyOnceLock::new();
    let members = MEMBERS
        .get_or_try_init(py, || members_of(&py.import("wsclient.types")?.getattr("MsgType")?))?;
    Ok(members[kind as usize].clone_ref(py))
}

/// The `extra` of messages that have none.
#[inline]
pub fn no_extra(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static EMPTY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let empty =
        EMPTY.get_or_try_init(py, || PyResult::Ok(PyString::new(py, "").into_any().unbind()));
    empty.map(|empty| empty.clone_ref(py))
}
