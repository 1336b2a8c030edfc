//! `Cork`: what is sent in a block leaves together.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::prelude::*;

use super::output;
use super::state::Protocol;
use super::thread::{Home, Place};
use crate::python::cpython::{call, names};

/// What `cork()` returns.
#[pyclass(frozen, module = "wsclient._core")]
pub struct Cork {
    connection: Py<Protocol>,
    home: Arc<Home>,
    /// How many blocks it is entered for.
    entered: AtomicUsize,
}

impl Cork {
    pub fn of(connection: Py<Protocol>, home: Arc<Home>) -> Self {
        Self { connection, home, entered: AtomicUsize::new(0) }
    }
}

#[pymethods]
impl Cork {
    fn __enter__(&self, py: Python<'_>) -> PyResult<()> {
        self.home.check(py, "cork")?;
        self.entered.fetch_add(1, Ordering::Relaxed);
        self.connection.bind(py).borrow_mut().transport.backlog.corks += 1;
        Ok(())
    }

    /// Write what is gathered, unless this is inside another block. Where the block has raised, that is
    /// what is told.
    fn __exit__(
        slf: &Bound<'_, Self>,
        exc_type: &Bound<'_, PyAny>,
        _exc: &Bound<'_, PyAny>,
        _traceback: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let (py, me) = (slf.py(), slf.get());
        match me.home.place(py) {
            Ok(Place::Here) => {}
            Ok(Place::Elsewhere) => {
                // The garbage collector may have closed the coroutine, in any thread.
                let again = slf.getattr(names::_leave(py))?;
                let event_loop = me.home.event_loop(py);
                call::method(&event_loop, names::call_soon_threadsafe(py), [&again])?;
                return Ok(());
            }
            Ok(Place::LoopClosed) | Err(_) => return Ok(()),
        }
        match me.leave(py) {
            Err(error) if exc_type.is_none() || !error.is_instance_of::<PyException>(py) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }

    /// Leave a block, in the event loop's thread.
    #[pyo3(name = "_leave")]
    fn leave(&self, py: Python<'_>) -> PyResult<()> {
        let left = |entered: usize| entered.checked_sub(1);
        if self.entered.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err() {
            return Err(PyRuntimeError::new_err("cannot leave a cork() that was not entered"));
        }
        let connection = self.connection.bind(py);
        let outermost = {
            let backlog = &mut connection.borrow_mut().transport.backlog;
            backlog.corks -= 1;
            backlog.corks == 0
        };
        if outermost { output::flush(connection) } else { Ok(()) }
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.connection)
    }
}
