//! `Buffer`: what waits to be received, for programs that know aiohttp's queue and empty it themselves.

use std::sync::Arc;

use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;

use super::state::Protocol;
use super::take;
use super::thread::Home;

/// The messages that wait, each with the size of its payload in bytes, as a `collections.deque` would
/// have them.
///
/// Args:
///     connection: Has them; not one that keeps the newest only.
#[pyclass(frozen, module = "wsclient._core")]
pub struct Buffer {
    connection: Py<Protocol>,
    home: Arc<Home>,
}

impl Buffer {
    /// The first message, which goes on waiting, and its size.
    fn first(&self, py: Python<'_>, index: isize) -> PyResult<(Py<PyAny>, usize)> {
        self.home.check(py, "receive")?;
        let first = if index == 0 { take::peek(self.connection.bind(py))? } else { None };
        first.ok_or_else(|| PyIndexError::new_err("only the first message can be seen"))
    }
}

#[pymethods]
impl Buffer {
    #[new]
    fn new(connection: Bound<'_, Protocol>) -> Self {
        let home = connection.borrow().home.clone();
        Self { connection: connection.unbind(), home }
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.home.check_without_gil(py)?;
        Ok(self.connection.bind(py).borrow().endpoint.waiting())
    }

    fn __getitem__(&self, py: Python<'_>, index: isize) -> PyResult<(Py<PyAny>, usize)> {
        self.first(py, index)
    }

    /// Let the first message have another size, of which this connection makes nothing.
    fn __setitem__(
        &self,
        py: Python<'_>,
        index: isize,
        value: (Bound<'_, PyAny>, usize),
    ) -> PyResult<()> {
        let (first, _) = self.first(py, index)?;
        if value.0.eq(first)? {
            return Ok(());
        }
        Err(PyValueError::new_err("a message that waits cannot be replaced by another"))
    }

    /// Take the first message.
    ///
    /// Raises:
    ///     IndexError: There is none.
    fn popleft(&self, py: Python<'_>) -> PyResult<(Py<PyAny>, usize)> {
        self.home.check(py, "receive")?;
        let connection = self.connection.bind(py);
        let size = connection.borrow().endpoint.first().map(|(_, size)| size);
        let taken = match size {
            Some(size) => take::take_one(connection)?.map(|message| (message, size)),
            None => None,
        };
        taken.ok_or_else(|| PyIndexError::new_err("no message waits"))
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.connection)
    }
}
