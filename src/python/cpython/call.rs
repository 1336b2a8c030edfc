//! The way out of the binding into Python code.
//!
//! Up to 3.13, CPython ends a daemon thread that wants the GIL back while Python shuts down: with
//! `pthread_exit`, whose unwinding would run through the binding's frames, without the GIL, into a
//! `catch_unwind` that aborts the process. From 3.14 on such a thread waits for ever, and here it
//! does on all versions: whatever may run Python code for long is called from here, by pointers to
//! functions that may unwind, and under a guard that parks the thread.
//!
//! Clippy refuses PyO3's calls elsewhere. What is left to them runs C code, or Python code only in
//! finalizers and the like, which give the GIL up in the middle once in a blue moon.

use std::ffi::c_int;
use std::{mem, ptr};

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyString, PyTuple};

/// Parks the thread when it is dropped, which only an unwind does.
#[cfg(not(Py_3_14))]
struct Park;

#[cfg(not(Py_3_14))]
impl Drop for Park {
    #[cold]
    fn drop(&mut self) {
        loop {
            std::thread::park();
        }
    }
}

/// Run `call`, which calls a function of C that may unwind, and is nothing but that call.
#[inline]
pub fn guarded<T>(call: impl FnOnce() -> T) -> T {
    #[cfg(not(Py_3_14))]
    let park = Park;
    let result = call();
    #[cfg(not(Py_3_14))]
    mem::forget(park);
    result
}

/// Define a guarded call of a function of C, which PyO3 declares as one that never unwinds.
macro_rules! unwinding {
    ($name:ident($($arg:ident: $type:ty),*) $(-> $result:ty)? = $function:path) => {
        /// # Safety
        /// The thread is attached; else as for the function of C.
        #[inline]
        unsafe fn $name($($arg: $type),*) $(-> $result)? {
            type Declared = unsafe extern "C" fn($($type),*) $(-> $result)?;
            type Unwinding = unsafe extern "C-unwind" fn($($type),*) $(-> $result)?;
            static FUNCTION: Declared = $function;
            // SAFETY: both are called alike, and the caller vouches for the rest. Volatile, because a
            // compiler that sees which function this is would go by its declaration.
            unsafe {
                let function = ptr::read_volatile(&raw const FUNCTION);
                let function = mem::transmute::<Declared, Unwinding>(function);
                guarded(|| function($($arg),*))
            }
        }
    };
}

unwinding!(vectorcall(
    function: *mut PyObject, args: *const *mut PyObject, count: usize, names: *mut PyObject
) -> *mut PyObject = ffi::PyObject_Vectorcall);
unwinding!(vectorcall_method(
    name: *mut PyObject, args: *const *mut PyObject, count: usize, names: *mut PyObject
) -> *mut PyObject = ffi::PyObject_VectorcallMethod);
unwinding!(get_item(
    object: *mut PyObject, key: *mut PyObject
) -> *mut PyObject = ffi::PyDict_GetItemWithError);
unwinding!(put_item(
    object: *mut PyObject, key: *mut PyObject, value: *mut PyObject
) -> c_int = ffi::PyDict_SetItem);
unwinding!(get_iter(object: *mut PyObject) -> *mut PyObject = ffi::PyObject_GetIter);
unwinding!(iter_next(iterator: *mut PyObject) -> *mut PyObject = ffi::PyIter_Next);
unwinding!(write_unraisable(object: *mut PyObject) = ffi::PyErr_WriteUnraisable);

/// As many arguments as anything here is called with.
const MOST: usize = 3;

/// Arguments, and a place before them.
#[inline]
fn places<const N: usize>(args: [&Bound<'_, PyAny>; N]) -> [*mut PyObject; MOST + 1] {
    const { assert!(N <= MOST) };
    let mut places = [ptr::null_mut(); MOST + 1];
    for (place, arg) in places[1..].iter_mut().zip(args) {
        *place = arg.as_ptr();
    }
    places
}

/// `function(*args)`
#[inline]
pub fn function<'py, const N: usize>(
    function: &Bound<'py, PyAny>,
    args: [&Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    let places = places(args);
    // The place before the first is the callee's to use, for a method's `self`.
    let count = N | ffi::PY_VECTORCALL_ARGUMENTS_OFFSET;
    // SAFETY: the thread is attached, all are live objects, and there is that place. The result is a
    // new reference.
    unsafe {
        let first = places.as_ptr().add(1);
        let result = vectorcall(function.as_ptr(), first, count, ptr::null_mut());
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}

/// `object.name(*args)`
pub fn method<'py, const N: usize>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
    args: [&Bound<'py, PyAny>; N],
) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    let mut places = places(args);
    places[0] = object.as_ptr();
    // SAFETY: the thread is attached, all are live objects, the first of them the method's. The
    // result is a new reference.
    unsafe {
        let result = vectorcall_method(name.as_ptr(), places.as_ptr(), N + 1, ptr::null_mut());
        Bound::from_owned_ptr_or_err(py, result)
    }
}

/// `function(**dict(zip(names, args)))`
pub fn with_names<'py, const N: usize>(
    function: &Bound<'py, PyAny>,
    args: [&Bound<'py, PyAny>; N],
    names: &Bound<'py, PyTuple>,
) -> PyResult<Bound<'py, PyAny>> {
    debug_assert_eq!(names.len(), N, "a name for each argument");
    let args = args.map(Bound::as_ptr);
    // SAFETY: the thread is attached, all are live objects, and there are as many names. The result
    // is a new reference.
    unsafe {
        let result = vectorcall(function.as_ptr(), args.as_ptr(), 0, names.as_ptr());
        Bound::from_owned_ptr_or_err(function.py(), result)
    }
}

/// `function(argument)`, or `function()`: if it is one in C, without what comes between a call and the
/// code of it.
#[inline]
pub fn builtin<'py>(
    function: &Bound<'py, PyAny>,
    argument: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the type is checked, and such an object has a definition and its `self`.
    unsafe {
        if ffi::PyCFunction_CheckExact(function.as_ptr()) != 0 {
            let object = function.as_ptr().cast::<ffi::PyCFunctionObject>();
            if let Some(result) = at_once((*object).m_ml, (*object).m_self, argument) {
                return Bound::from_owned_ptr_or_err(function.py(), result);
            }
        }
    }
    match argument {
        Some(argument) => self::function(function, [argument]),
        None => self::function(function, []),
    }
}

/// `descriptor(object, argument)`, for a method as it stands in its class; the same way.
#[inline]
pub fn descriptor<'py>(
    descriptor: &Bound<'py, PyAny>,
    object: &Bound<'py, PyAny>,
    argument: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: the types are checked: it is a method in C, and `object` of the class that it is for.
    unsafe {
        if ptr::eq(ffi::Py_TYPE(descriptor.as_ptr()), &raw const ffi::PyMethodDescr_Type) {
            let method = descriptor.as_ptr().cast::<ffi::PyMethodDescrObject>();
            if ptr::eq(ffi::Py_TYPE(object.as_ptr()), (*method).d_common.d_type)
                && let Some(result) = at_once((*method).d_method, object.as_ptr(), Some(argument))
            {
                return Bound::from_owned_ptr_or_err(descriptor.py(), result);
            }
        }
    }
    function(descriptor, [object, argument])
}

/// Call a function in C, if it wants what there is; returns a new reference, or null with an exception
/// set.
///
/// # Safety
/// The thread is attached, and it is a definition for objects like `slf`.
#[inline]
unsafe fn at_once(
    definition: *mut ffi::PyMethodDef,
    slf: *mut PyObject,
    argument: Option<&Bound<'_, PyAny>>,
) -> Option<*mut PyObject> {
    type Unwinding = unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject) -> *mut PyObject;
    let flags = if argument.is_some() { ffi::METH_O } else { ffi::METH_NOARGS };
    // SAFETY: the caller's promise. The flags say which member of the union is set, and such a function
    // takes its `self` and one argument, null if it wants none. The types of the pointers differ in
    // unwinding alone.
    unsafe {
        if (*definition).ml_flags != flags {
            return None;
        }
        let method = (*definition).ml_meth.PyCFunction;
        let method = mem::transmute::<ffi::PyCFunction, Unwinding>(method);
        let argument = argument.map_or(ptr::null_mut(), Bound::as_ptr);
        Some(guarded(|| method(slf, argument)))
    }
}

/// `dict.get(key)`: a key may be the user's, with `__hash__` and `__eq__`.
pub fn item<'py>(
    dict: &Bound<'py, PyDict>,
    key: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = dict.py();
    // SAFETY: the thread is attached, and both are live objects. The result is borrowed from the
    // dictionary, which nobody changes before it is held.
    let found = unsafe {
        let found = get_item(dict.as_ptr(), key.as_ptr());
        Bound::from_borrowed_ptr_or_opt(py, found)
    };
    match (found, PyErr::take(py)) {
        (None, Some(error)) => Err(error),
        (found, _) => Ok(found),
    }
}

/// `dict[key] = value`
pub fn set_item(
    dict: &Bound<'_, PyDict>,
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    // SAFETY: the thread is attached, and all are live objects.
    match unsafe { put_item(dict.as_ptr(), key.as_ptr(), value.as_ptr()) } {
        0 => Ok(()),
        _ => Err(PyErr::fetch(dict.py())),
    }
}

/// `iter(object)`
pub fn iter<'py>(object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    // SAFETY: the thread is attached, and the object is alive. The result is a new reference to an
    // iterator, or null with an exception set.
    unsafe {
        let iterator = get_iter(object.as_ptr());
        Bound::from_owned_ptr_or_err(object.py(), iterator).map(|found| found.cast_into_unchecked())
    }
}

/// `next(iterator)`, `None` at its end.
pub fn next<'py>(iterator: &Bound<'py, PyIterator>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = iterator.py();
    // SAFETY: as in `iter`; at the end it is null with no exception set.
    let found = unsafe { Bound::from_owned_ptr_or_opt(py, iter_next(iterator.as_ptr())) };
    match found {
        Some(found) => Ok(Some(found)),
        None => PyErr::take(py).map_or(Ok(None), Err),
    }
}

/// Tell `sys.unraisablehook` of an error that nobody can be raised to.
#[cold]
pub fn unraisable(py: Python<'_>, error: PyErr, object: Option<&Bound<'_, PyAny>>) {
    error.restore(py);
    // SAFETY: the thread is attached, an exception is set, and the object is alive or null.
    unsafe { write_unraisable(object.map_or(ptr::null_mut(), Bound::as_ptr)) };
}
