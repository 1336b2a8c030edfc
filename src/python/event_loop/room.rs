//! Waiting until the transport has room for more.

use pyo3::prelude::*;
use pyo3::types::PyIterator;

use super::state::Protocol;
use super::{send, transport};
use crate::python::cpython::slots::Poll;

/// Wait until the transport has room, or go on with that: what `waiting` is has been handed to `keep`
/// before.
///
/// # Errors
/// The transport is gone.
pub fn wait(
    protocol: &Bound<'_, Protocol>,
    waiting: Option<Py<PyIterator>>,
    keep: impl FnOnce(Py<PyIterator>),
) -> PyResult<Poll> {
    let py = protocol.py();
    let mut waiting = match waiting {
        Some(waiting) => Some(waiting),
        None => future_iterator(protocol)?,
    };
    while let Some(iterator) = waiting {
        if let Some(future) = iterator.bind(py).clone().next() {
            keep(iterator);
            return Ok(Poll::Pending(future?.unbind()));
        }
        waiting = future_iterator(protocol)?;
    }
    if protocol.borrow().is_lost() {
        return Err(send::not_open(protocol, "more"));
    }
    Ok(Poll::Ready(py.None()))
}

fn future_iterator(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyIterator>>> {
    let py = protocol.py();
    match transport::wait_writable(protocol)? {
        Some(future) => Ok(Some(future.bind(py).try_iter()?.unbind())),
        None => Ok(None),
    }
}
