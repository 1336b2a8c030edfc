//! Who waits to receive: one at a time.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyBool;

use super::state::{Protocol, Receive, Wanted};
use crate::python::cpython::{call, names};

/// The error for a second reader, with a `dialect` in the words that programs know from aiohttp.
pub fn concurrent(dialect: bool) -> PyErr {
    PyRuntimeError::new_err(if dialect {
        "Concurrent call to receive() is not allowed"
    } else {
        "another task is already waiting in receive()"
    })
}

/// The same, as the users of the connection know it.
#[cold]
pub fn refused(protocol: &Bound<'_, Protocol>, wanted: Wanted, dialect: bool) -> PyErr {
    if !protocol.borrow().endpoint.hands_out_only_data() {
        return concurrent(dialect);
    }
    let py = protocol.py();
    let streams = PyBool::new(py, wanted.is_part()).to_owned();
    let error = call::method(protocol, names::_concurrent(py), [streams.as_any()]);
    error.map_or_else(|failed| failed, PyErr::from_value)
}

/// Whether a task waits to receive. One that is cancelled, but has not run since, does not.
#[cold]
pub fn has_reader(protocol: &Bound<'_, Protocol>) -> PyResult<bool> {
    let py = protocol.py();
    let future = {
        let me = protocol.borrow();
        let future = me.future.as_ref().map(|future| future.clone_ref(py));
        match (&me.reader, future) {
            (Some(_), Some(future)) => future,
            (reader, _) => return Ok(reader.is_some()),
        }
    };
    let gone = call::method(future.bind(py), names::cancelled(py), [])?.is_truthy()?;
    if gone {
        let left = {
            let mut me = protocol.borrow_mut();
            (me.reader.take(), me.future.take())
        };
        drop(left);
    }
    Ok(!gone)
}

/// `reader` waits no longer.
pub fn stop_reading(protocol: &Bound<'_, Protocol>, reader: &Bound<'_, Receive>) {
    let left = {
        let mut me = protocol.borrow_mut();
        if !me.reader.as_ref().is_some_and(|current| current.is(reader)) {
            return;
        }
        // The future is cancelled, or belongs to a task that will not come back.
        (me.reader.take(), me.future.take())
    };
    drop(left);
}
