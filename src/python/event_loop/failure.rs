//! What goes wrong, as users are told it.

use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::state::Protocol;
use crate::endpoint::Fate;
use crate::error::ProtocolError;
use crate::python::cpython::{call, memory, names};
use crate::python::values::errors;

/// What went wrong, if something did. How the peer broke the protocol is made an exception here, as none
/// can be made while it is found.
pub fn exception(slf: &Bound<'_, Protocol>) -> Option<Py<PyAny>> {
    let py = slf.py();
    let (violation, dialect) = {
        let me = slf.borrow();
        let known = |held: &Option<Py<PyAny>>| held.as_ref().map(|held| held.clone_ref(py));
        match me.endpoint.fate() {
            Some(Fate::Closed(_)) => return None,
            None | Some(Fate::GivenUp(_)) => return known(&me.failures.known),
            Some(Fate::Violation(error)) => match known(&me.failures.violation) {
                Some(known) => return Some(known),
                None => (error.clone(), me.dialect(py)),
            },
        }
    };
    let exception = match (&violation, dialect) {
        (ProtocolError::OutOfMemory, _) => memory::exception(py, &violation.to_string()).unbind(),
        (_, Some(dialect)) => dialect.get().violation(py, &violation).into_value(py).into_any(),
        (_, None) => errors::web_socket_error(py, &violation).into_value(py).into_any(),
    };
    // Python code may have asked, too, meanwhile.
    let mut me = slf.borrow_mut();
    Some(me.failures.violation.get_or_insert(exception).clone_ref(py))
}

/// How the connection ended, where nothing but data is handed out: as its users know that. Whoever
/// `iterates` may only be at the end.
#[cold]
pub fn ended(slf: &Bound<'_, Protocol>, iterates: bool) -> PyErr {
    let iterates = PyBool::new(slf.py(), iterates).to_owned();
    let error = call::method(slf, names::_end(slf.py()), [iterates.as_any()]);
    error.map_or_else(|failed| failed, PyErr::from_value)
}

/// Something was to be sent, but the connection has ended or is about to.
#[cold]
pub fn not_open(slf: &Bound<'_, Protocol>, doing: &str) -> PyErr {
    // Not while it is borrowed: where an exception is made, Python code may run.
    let (why, dialect) = {
        let me = slf.borrow();
        (why_not_open(&me), me.dialect(slf.py()))
    };
    errors::not_open(slf.py(), doing, &why, dialect.as_ref())
}

/// What has become of a connection that is not open, as errors say it.
pub fn why_not_open(me: &Protocol) -> String {
    match me.endpoint.fate() {
        Some(fate) => {
            let (code, reason) = (fate.code(), fate.reason());
            if reason.is_empty() {
                format!("closed with code {code}")
            } else {
                format!("closed with code {code} ({reason})")
            }
        }
        None if me.endpoint.is_called() && !me.is_lost() => {
            "closing, close() was called".to_owned()
        }
        None => "lost".to_owned(),
    }
}

/// Let `exception` be what went wrong.
pub fn set_known(slf: &Bound<'_, Protocol>, exception: Py<PyAny>) {
    let earlier = slf.borrow_mut().failures.known.replace(exception);
    drop(earlier);
}

/// Fail the connection at once.
pub fn fail(slf: &Bound<'_, Protocol>, exception: Py<PyAny>, reason: String) {
    set_known(slf, exception);
    let mut me = slf.borrow_mut();
    let (endpoint, mut making) = me.at_work(slf.py());
    endpoint.fail_now(reason, &mut making);
}

/// The transport can no longer do its part, for this reason: the connection is to be dropped.
#[cold]
pub fn by_transport(slf: &Bound<'_, Protocol>, cause: PyErr) {
    explain(slf, Some(cause));
    slf.borrow_mut().endpoint.abort();
}

/// If nothing is known of the end yet, this is what there is to know: the transport's own words, or that
/// it has none.
pub fn explain(slf: &Bound<'_, Protocol>, cause: Option<PyErr>) {
    let py = slf.py();
    if slf.borrow().is_explained() {
        return;
    }
    let dialect = slf.borrow().dialect(py);
    set_known(slf, errors::lost(py, cause, dialect.as_ref()));
}

/// A frame has left in part, and its rest is lost: what follows would be taken for it. The connection is
/// to be dropped, unless the transport has ended it already.
#[cold]
pub fn cut_off(slf: &Bound<'_, Protocol>, error: &PyErr) {
    let py = slf.py();
    let transport = {
        let me = slf.borrow();
        let transport = me.transport.object.as_ref().filter(|_| !me.is_lost());
        transport.map(|transport| transport.clone_ref(py))
    };
    let closing = |transport: Py<PyAny>| {
        call::method(transport.bind(py), names::is_closing(py), [])?.is_truthy()
    };
    if transport.is_some_and(|transport| !closing(transport).unwrap_or(false)) {
        let exception = error.value(py).clone().into_any().unbind();
        fail(slf, exception, "a frame could be sent in part only".to_owned());
    }
}
