//! The way from CPython into functions that PyO3 does not wrap.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::ffi;
use pyo3::panic::PanicException;
use pyo3::prelude::*;

/// Run `body`; if it fails, leave its exception set and return `failed`, which says so.
///
/// A panic becomes an exception, as in what PyO3 wraps: it must not unwind into C. CPython has the
/// thread attached already; that PyO3 takes note of it fails only while Python shuts down.
#[inline]
pub fn enter<T: Copy>(failed: T, body: impl FnOnce(Python<'_>) -> PyResult<T>) -> T {
    let entered = Python::try_attach(|py| {
        let error = match catch_unwind(AssertUnwindSafe(|| body(py))) {
            Ok(Ok(value)) => return value,
            Ok(Err(error)) => error,
            Err(payload) => panicked(&*payload),
        };
        error.restore(py);
        failed
    });
    entered.unwrap_or_else(|| shutting_down(failed))
}

#[cold]
fn shutting_down<T>(failed: T) -> T {
    // SAFETY: the thread is attached, as a slot or method of ours was called.
    unsafe { ffi::PyErr_SetString(ffi::PyExc_RuntimeError, c"Python is shutting down".as_ptr()) };
    failed
}

#[cold]
fn panicked(payload: &(dyn Any + Send)) -> PyErr {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    PanicException::new_err(text.unwrap_or("panic in wsclient").to_owned())
}
