//! What serves all connections, looked up and made with the first.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::sent::Sent;
use super::thread;
use crate::endpoint::Kind;
use crate::python::cpython::{future, tasks};
use crate::python::values::{errors, kinds};

/// Do that, so that nothing of it is wanted when memory has run out, or when Python is ending and imports
/// nothing more.
pub fn prepare(event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
    static PREPARED: PyOnceLock<()> = PyOnceLock::new();
    let py = event_loop.py();
    let prepared = PREPARED.get_or_try_init(py, || {
        errors::prepare(py);
        kinds::member(py, Kind::Text)?;
        kinds::no_extra(py)?;
        future::finished(py)?;
        tasks::in_task(event_loop)?;
        thread::prepare(py)?;
        Sent::done(py)?;
        future::prepare(py)
    });
    prepared.copied()
}
