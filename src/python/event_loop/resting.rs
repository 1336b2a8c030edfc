//! Connections whose gathered frames are written when the task that a message has woken sleeps.

use std::cell::Cell;
use std::collections::TryReserveError;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::prelude::*;

use super::state::Protocol;
use crate::python::cpython::{call, names};

thread_local! {
    static CONNECTIONS: Cell<Vec<Py<Protocol>>> = const { Cell::new(Vec::new()) };
}

/// How many there are, of all threads: whether to look is asked at every message.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Let this be one of them.
pub fn add(slf: &Bound<'_, Protocol>) -> Result<(), TryReserveError> {
    let mut connections = CONNECTIONS.take();
    let room = connections.try_reserve(1);
    if room.is_ok() {
        connections.push(slf.clone().unbind());
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
    CONNECTIONS.set(connections);
    room
}

/// The task sleeps again: have all of this thread written.
#[inline]
pub fn write(py: Python<'_>) -> PyResult<()> {
    if COUNT.load(Ordering::Relaxed) == 0 { Ok(()) } else { write_each(py) }
}

#[cold]
fn write_each(py: Python<'_>) -> PyResult<()> {
    let connections = CONNECTIONS.take();
    COUNT.fetch_sub(connections.len(), Ordering::Relaxed);
    let mut result = Ok(());
    for connection in connections {
        // As the event loop would call it.
        let written = call::method(connection.bind(py), names::_write_gathered(py), []);
        result = result.and(written.map(drop));
    }
    result
}
