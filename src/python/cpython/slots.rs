//! Slots of the awaitables that PyO3 cannot fill, or fills at a cost that shows.
//!
//! A task resumes its coroutine through `am_send` where the type has it, and `am_send` returns a
//! value where `__next__` has to raise it in a `StopIteration`. On CPython 3.11, 256-byte echo on
//! uvloop, the two slots of `Receive` save 1,400 of 15,800 instructions a round trip. `am_await` is
//! here because PyO3's costs 60 instructions to return its argument, twice a round trip.

use std::ffi::c_ulong;
use std::ptr;

use pyo3::ffi::{self, PyObject, PySendResult};
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::PyType;

use super::{call, completion, entry, flags};

/// What resuming an awaitable came to.
pub enum Poll {
    /// What the `await` returns.
    Ready(Py<PyAny>),
    /// The future to wait for.
    Pending(Py<PyAny>),
}

/// A class whose instances are awaited.
pub trait Awaitable: PyTypeInfo {
    /// Run on from the start, or from where the last future was yielded.
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll>;
}

/// CPython's flag for types with `am_send`; PyO3 does not export it.
const HAVE_AM_SEND: c_ulong = 1 << 21;

/// Fill the slots of a class of this module; called before it has instances.
pub fn install<T: Awaitable>(py: Python<'_>) {
    let class = T::type_object_raw(py);
    // SAFETY: `class` is a heap type of this module, which nobody uses yet. Heap types embed the
    // async methods that `tp_as_async` points to. The functions have the slots' signatures.
    unsafe {
        (*class).tp_iternext = Some(next::<T>);
        if let Some(methods) = (*class).tp_as_async.as_mut() {
            methods.am_await = Some(itself);
            methods.am_send = Some(send::<T>);
            flags::change(class, |flags| flags | HAVE_AM_SEND);
        }
        ffi::PyType_Modified(class);
    }
}

/// `awaitable.__await__()`.
unsafe extern "C" fn itself(slf: *mut PyObject) -> *mut PyObject {
    // SAFETY: CPython calls the slot with a live object, attached to the thread.
    unsafe { ffi::Py_NewRef(slf) }
}

/// `PyIter_Send(awaitable, ...)`: what is sent is always `None`, and ignored as `__next__` would.
unsafe extern "C" fn send<T: Awaitable>(
    slf: *mut PyObject,
    _value: *mut PyObject,
    result: *mut *mut PyObject,
) -> PySendResult {
    let (outcome, object) = entry::enter((PySendResult::PYGEN_ERROR, ptr::null_mut()), |py| {
        // SAFETY: CPython calls the slot with an instance of `T`, attached to the thread.
        Ok(match unsafe { poll::<T>(py, slf) }? {
            Poll::Ready(value) => (PySendResult::PYGEN_RETURN, value.into_ptr()),
            Poll::Pending(future) => (PySendResult::PYGEN_NEXT, future.into_ptr()),
        })
    });
    // SAFETY: the caller passes a place for the result.
    unsafe { *result = object };
    outcome
}

/// `next(awaitable)`, which CPython 3.12 and later use where 3.11 uses `am_send`.
unsafe extern "C" fn next<T: Awaitable>(slf: *mut PyObject) -> *mut PyObject {
    entry::enter(ptr::null_mut(), |py| {
        // SAFETY: as in `send`.
        match unsafe { poll::<T>(py, slf) }? {
            Poll::Pending(future) => Ok(future.into_ptr()),
            Poll::Ready(value) => completion::set(value.into_bound(py)).map(|()| ptr::null_mut()),
        }
    })
}

/// # Safety
/// `slf` points to a live instance of `T`.
unsafe fn poll<T: Awaitable>(py: Python<'_>, slf: *mut PyObject) -> PyResult<Poll> {
    // SAFETY: the caller's promise.
    let awaitable = unsafe { Bound::ref_from_ptr(py, &slf).cast_unchecked::<T>() };
    T::poll(awaitable)
}

/// The exception that `throw(exc, value, traceback)` means.
pub fn thrown(
    exc: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
    traceback: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyErr> {
    let instance = match (exc.cast::<PyType>(), value) {
        (Ok(_), Some(value)) if value.is_instance(exc)? => value.clone(),
        (Ok(class), Some(value)) if !value.is_none() => call::function(class, [value])?,
        (Ok(class), _) => call::function(class, [])?,
        (Err(_), _) => exc.clone(),
    };
    if let Some(traceback) = traceback.filter(|traceback| !traceback.is_none()) {
        instance.setattr("__traceback__", traceback)?;
    }
    Ok(PyErr::from_value(instance))
}
