//! Waiting until the transport has room for more.

use pyo3::prelude::*;
use pyo3::types::PyIterator;

use super::state::Protocol;
use super::{failure, transport};
use crate::python::cpython::slots::Poll;
use crate::registry::Opcode;

/// Wait until the transport has room, or go on with that: what `waiting` is has been handed to `keep`
/// before, or has to be waited for first.
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
            let future = future?.unbind();
            keep(iterator);
            return Ok(Poll::Pending(future));
        }
        waiting = future_iterator(protocol)?;
    }
    if protocol.borrow().is_lost() {
        return Err(failure::not_open(protocol, "more"));
    }
    Ok(Poll::Ready(py.None()))
}

/// What whoever has sent a frame of this kind waits for first: its turn, if the frame is held back.
pub fn turn(protocol: &Bound<'_, Protocol>, opcode: Opcode) -> PyResult<Option<Py<PyIterator>>> {
    if !protocol.borrow().endpoint.holds(opcode) {
        return Ok(None);
    }
    let turn = transport::wait_turn(protocol)?;
    turn.bind(protocol.py()).try_iter().map(|iterator| Some(iterator.unbind()))
}

fn future_iterator(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyIterator>>> {
    let py = protocol.py();
    match transport::wait_writable(protocol)? {
        Some(future) => Ok(Some(future.bind(py).try_iter()?.unbind())),
        None => Ok(None),
    }
}
