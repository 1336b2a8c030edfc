//! Contexts (`contextvars.Context`).

use pyo3::ffi;
use pyo3::prelude::*;

use super::call;

/// A context that is entered until this is dropped.
pub struct Entered<'a, 'py>(&'a Bound<'py, PyAny>);

impl<'a, 'py> Entered<'a, 'py> {
    /// `None` if the context is already entered (or is no context at all).
    pub fn enter(context: &'a Bound<'py, PyAny>) -> Option<Self> {
        // SAFETY: the thread is attached, and CPython itself checks that this is a context.
        if unsafe { ffi::PyContext_Enter(context.as_ptr()) } == 0 {
            return Some(Self(context));
        }
        drop(PyErr::take(context.py()));
        None
    }
}

impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the thread is attached, and the context was entered by this thread in `enter`.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            // The callback left another context entered; only it can be at fault.
            if let Some(error) = PyErr::take(self.0.py()) {
                call::unraisable(self.0.py(), error, Some(self.0));
            }
        }
    }
}
