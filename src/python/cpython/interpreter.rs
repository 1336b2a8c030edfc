//! The interpreter, and who holds its objects.

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Refuse to be imported by another interpreter than the process's first: classes and much else are
/// kept once for the process. CPython asks for that itself only of interpreters with their own GIL.
///
/// # Errors
/// `ImportError`.
pub fn refuse_subinterpreter() -> PyResult<()> {
    // SAFETY: the thread is attached, as the module is being imported.
    if unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() } {
        return Ok(());
    }
    let text = "wsclient works in the main interpreter only, not in a subinterpreter";
    Err(PyImportError::new_err(text))
}

/// Whether nobody else holds the object, so that it can be made another.
#[inline]
pub fn is_only_reference<T>(object: &Py<T>) -> bool {
    // Without the GIL, a count of one proves nothing.
    // SAFETY: the object is alive, as `object` holds it.
    cfg!(not(Py_GIL_DISABLED)) && unsafe { ffi::Py_REFCNT(object.as_ptr()) } == 1
}
