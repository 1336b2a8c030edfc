//! Memory that may not be there, where PyO3 would panic and the standard library abort.

use pyo3::exceptions::PyMemoryError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyType};

use super::call;

/// `bytes` with this content.
#[inline]
pub fn bytes<'py>(py: Python<'py>, content: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: the thread is attached, and a slice is no longer than `Py_ssize_t` can say. The call
    // returns new `bytes`, or null with an exception set.
    unsafe {
        let length = content.len().cast_signed();
        let object = ffi::PyBytes_FromStringAndSize(content.as_ptr().cast(), length);
        Bound::from_owned_ptr_or_err(py, object).map(|bytes| bytes.cast_into_unchecked())
    }
}

/// `str` with this content.
pub fn string<'py>(py: Python<'py>, content: &str) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: as in `bytes`; a `str` is UTF-8.
    unsafe {
        let length = content.len().cast_signed();
        let object = ffi::PyUnicode_FromStringAndSize(content.as_ptr().cast(), length);
        Bound::from_owned_ptr_or_err(py, object).map(|string| string.cast_into_unchecked())
    }
}

/// `int` of this value.
pub fn int(py: Python<'_>, value: i64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: the thread is attached. The call returns a new reference, or null with an exception set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyLong_FromLongLong(value)) }
}

/// `float` of this value.
pub fn float(py: Python<'_>, value: f64) -> PyResult<Bound<'_, PyAny>> {
    // SAFETY: as in `int`.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyFloat_FromDouble(value)) }
}

/// A list of what `values` gives, up to the first error, which comes with it.
///
/// # Errors
/// There is no memory for it; none of the values has been asked for.
pub fn list_of<'py, E>(
    py: Python<'py>,
    values: &mut impl ExactSizeIterator<Item = Result<Py<PyAny>, E>>,
) -> PyResult<(Bound<'py, PyList>, Option<E>)> {
    let length = values.len().cast_signed();
    // SAFETY: as in `int`. It has room for as many items as it is made with; whoever looks at it
    // meanwhile sees those that are there.
    unsafe {
        let list = Bound::from_owned_ptr_or_err(py, ffi::PyList_New(length))?;
        let fields = list.as_ptr().cast::<ffi::PyVarObject>();
        (*fields).ob_size = 0;
        let list = list.cast_into_unchecked();
        for index in 0..length {
            match values.next() {
                Some(Ok(value)) => ffi::PyList_SET_ITEM(list.as_ptr(), index, value.into_ptr()),
                Some(Err(error)) => return Ok((list, Some(error))),
                None => break,
            }
            (*fields).ob_size = index + 1;
        }
        Ok((list, None))
    }
}

/// An empty `dict`.
pub fn dict(py: Python<'_>) -> PyResult<Bound<'_, PyDict>> {
    // SAFETY: as in `int`.
    unsafe {
        let object = ffi::PyDict_New();
        Bound::from_owned_ptr_or_err(py, object).map(|dict| dict.cast_into_unchecked())
    }
}

/// A copy of `content`.
pub fn copy(py: Python<'_>, content: &[u8]) -> PyResult<Vec<u8>> {
    crate::memory::copied(content).map_err(|_| exhausted(py))
}

/// As many zeros.
pub fn zeroed(py: Python<'_>, length: usize) -> PyResult<Vec<u8>> {
    let mut zeroed = Vec::new();
    zeroed.try_reserve_exact(length).map_err(|_| exhausted(py))?;
    zeroed.resize(length, 0);
    Ok(zeroed)
}

/// The `MemoryError` of what Rust has no memory for. CPython keeps some in reserve.
#[cold]
pub fn exhausted(py: Python<'_>) -> PyErr {
    // SAFETY: the thread is attached. The call sets the exception that is fetched.
    unsafe { ffi::PyErr_NoMemory() };
    PyErr::fetch(py)
}

/// An exception of this class with a text. Made at once: PyO3 would make it where it is raised, and
/// abort where that fails.
#[cold]
pub fn error(class: &Bound<'_, PyType>, text: &str) -> PyErr {
    let error = string(class.py(), text).and_then(|text| call::function(class, [&text]));
    error.map_or_else(|error| error, PyErr::from_value)
}

/// The same with a close code before the text.
#[cold]
pub fn error_with_code(class: &Bound<'_, PyType>, code: u16, text: &str) -> PyErr {
    let py = class.py();
    let make = || {
        let (code, text) = (int(py, code.into())?, string(py, text)?);
        call::function(class, [&code, &text])
    };
    make().map_or_else(|error| error, PyErr::from_value)
}

/// The same as an exception that says what there is no memory for, if there is some for that.
#[cold]
pub fn exception<'py>(py: Python<'py>, text: &str) -> Bound<'py, PyAny> {
    error(&py.get_type::<PyMemoryError>(), text).into_value(py).into_bound(py).into_any()
}
