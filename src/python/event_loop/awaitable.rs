//! What is awaited here behaves as a coroutine does.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

use crate::python::cpython::slots::{self, Poll, thrown};

/// An awaitable that tasks drive as they drive a coroutine; see [`awaitable!`].
pub trait Awaitable: slots::Awaitable {
    /// Wait for nothing more.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()>;

    /// Whether nobody has awaited it yet, though somebody should.
    fn is_unawaited(slf: &Bound<'_, Self>) -> bool;

    /// The name of the method that has returned it.
    fn method(&self) -> &'static str;
}

/// `next(awaitable)`, which `slots::install` replaces by what does the same.
pub fn next<T: Awaitable>(slf: &Bound<'_, T>) -> PyResult<Py<PyAny>> {
    match T::poll(slf)? {
        Poll::Ready(value) => Err(pyo3::exceptions::PyStopIteration::new_err((value,))),
        Poll::Pending(future) => Ok(future),
    }
}

/// `awaitable.send(value)`.
pub fn send<T: Awaitable>(slf: &Bound<'_, T>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
    if !value.is_none() && T::is_unawaited(slf) {
        let text = "can't send non-None value to a just-started coroutine";
        return Err(PyTypeError::new_err(text));
    }
    next(slf)
}

/// `awaitable.throw(exc, value, traceback)`.
pub fn throw<T: Awaitable>(
    slf: &Bound<'_, T>,
    exc: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
    traceback: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    T::leave(slf)?;
    Err(thrown(exc, value, traceback)?)
}

/// Give a class that is [`Awaitable`] the methods of a coroutine, beside others of its own.
macro_rules! awaitable {
    (impl $class:ident { $($own:tt)* }) => {
        #[pymethods]
        impl $class {
            fn __await__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __iter__(slf: Py<Self>) -> Py<Self> {
                slf
            }

            fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
                $crate::python::event_loop::awaitable::next(slf)
            }

            fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
                $crate::python::event_loop::awaitable::send(slf, value)
            }

            #[pyo3(signature = (exc, value = None, traceback = None))]
            fn throw(
                slf: &Bound<'_, Self>,
                exc: &Bound<'_, PyAny>,
                value: Option<&Bound<'_, PyAny>>,
                traceback: Option<&Bound<'_, PyAny>>,
            ) -> PyResult<()> {
                $crate::python::event_loop::awaitable::throw(slf, exc, value, traceback)
            }

            fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
                $crate::python::event_loop::awaitable::Awaitable::leave(slf)
            }

            #[getter]
            fn __name__(&self) -> &'static str {
                $crate::python::event_loop::awaitable::Awaitable::method(self)
            }

            #[getter]
            fn __qualname__(&self) -> String {
                $crate::python::event_loop::unawaited::qualname(
                    $crate::python::event_loop::awaitable::Awaitable::method(self),
                )
            }

            $($own)*
        }
    };
}

pub(crate) use awaitable;
