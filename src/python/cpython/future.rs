//! The `asyncio.Future` that a reader waits for, handled below Python's calls and attributes.
//!
//! Each function does what the method or attribute of its name does, by a shorter way; together
//! they save 900 of 9,800 instructions of a 256-byte echo on uvloop (CPython 3.11).

use std::ffi::{CStr, c_int, c_void};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyTuple, PyType};

use super::{call, names};

struct Methods {
    class: Py<PyType>,
    /// The descriptor of `_asyncio_future_blocking`.
    blocking: Py<PyAny>,
    remove_done_callback: Py<PyAny>,
    /// The names of the arguments of `Future(loop=...)`.
    arguments: Py<PyTuple>,
}

fn methods(py: Python<'_>) -> PyResult<&'static Methods> {
    static METHODS: PyOnceLock<Methods> = PyOnceLock::new();
    METHODS.get_or_try_init(py, || {
        // The class in C, which a task in C knows; the one in Python behaves otherwise.
        let class = py.import("_asyncio")?.getattr("Future")?.cast_into::<PyType>()?;
        Ok(Methods {
            blocking: class.getattr("_asyncio_future_blocking")?.unbind(),
            remove_done_callback: class.getattr("remove_done_callback")?.unbind(),
            class: class.unbind(),
            arguments: PyTuple::new(py, ["loop"])?.unbind(),
        })
    })
}

/// Look up what is needed, before memory runs out.
pub fn prepare(py: Python<'_>) -> PyResult<()> {
    pyo3::intern!(py, "loop");
    methods(py).map(drop)
}

/// A future of `event_loop`.
pub fn new<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = event_loop.py();
    let methods = methods(py)?;
    // Not by a dictionary of arguments, for which there may be no memory.
    call::with_names(methods.class.bind(py), [event_loop], methods.arguments.bind(py))
}

/// Tell the task, as `Future.__await__` does, that the future it gets was awaited.
#[expect(clippy::inline_always, reason = "it is on the path of every message")]
#[inline(always)]
pub fn set_blocking(future: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    let blocking = methods(py)?.blocking.as_ptr();
    // SAFETY: all three are live objects. The slot checks that `future` is an instance of its
    // class, as it does when `setattr` calls it.
    let failed = unsafe {
        match (*ffi::Py_TYPE(blocking)).tp_descr_set {
            Some(set) => set(blocking, future.as_ptr(), ffi::Py_True()) != 0,
            None => true,
        }
    };
    if failed { Err(PyErr::fetch(py)) } else { Ok(()) }
}

/// The one callback of a future that has just one, with its context: that of a task in C. `None`
/// for any other callback.
///
/// `_callbacks` builds a list of tuples to say this. A future shows all that it holds to the
/// garbage collector, too.
#[inline]
pub fn only_callback<'py>(
    future: &Bound<'py, PyAny>,
) -> Option<(Bound<'py, PyAny>, Bound<'py, PyAny>)> {
    struct Held {
        callback: *mut PyObject,
        context: *mut PyObject,
        others: bool,
    }
    unsafe extern "C" fn visit(object: *mut PyObject, held: *mut c_void) -> c_int {
        // SAFETY: `tp_traverse` passes on what it was called with, and calls this with live
        // objects. The checks look at the types only.
        unsafe {
            let held = &mut *held.cast::<Held>();
            if ffi::PyCFunction_CheckExact(object) != 0 {
                held.callback = object;
            } else if ffi::PyContext_CheckExact(object) != 0 {
                held.context = object;
            } else if !held.context.is_null() {
                // The list of further callbacks is shown next, or there is none. From 3.14 on the task
                // that waits comes in its place: what comes after it, attributes of the future, takes
                // 160 instructions to look for.
                held.others = ffi::PyList_CheckExact(object) != 0;
                return 1;
            }
        }
        0
    }
    let mut held = Held { callback: ptr::null_mut(), context: ptr::null_mut(), others: false };
    // SAFETY: the future is alive, the slot is that of its class, and `visit` fits the slot and
    // runs no Python code.
    unsafe {
        let traverse = (*ffi::Py_TYPE(future.as_ptr())).tp_traverse?;
        traverse(future.as_ptr(), visit, (&raw mut held).cast());
    }
    if held.others || held.callback.is_null() || held.context.is_null() {
        return None;
    }
    let py = future.py();
    // SAFETY: the future held both a moment ago, and nothing has run since. `visit` has seen that the
    // callback is a function in C.
    unsafe {
        let callback = Bound::from_borrowed_ptr(py, held.callback);
        let context = Bound::from_borrowed_ptr(py, held.context);
        is_wakeup(&callback).then_some((callback, context))
    }
}

/// Whether a function in C is what a future calls to let a task go on.
///
/// # Safety
/// It is a `PyCFunction`.
#[inline]
unsafe fn is_wakeup(function: &Bound<'_, PyAny>) -> bool {
    /// What defines the functions of this kind, in a module that is never unloaded.
    static WAKEUP: AtomicPtr<ffi::PyMethodDef> = AtomicPtr::new(ptr::null_mut());
    // SAFETY: the caller's promise.
    let definition = unsafe { (*function.as_ptr().cast::<ffi::PyCFunctionObject>()).m_ml };
    if definition == WAKEUP.load(Ordering::Relaxed) {
        return true;
    }
    // SAFETY: the caller's promise.
    let is_one = unsafe { defines_wakeup(function) };
    if is_one {
        WAKEUP.store(definition, Ordering::Relaxed);
    }
    is_one
}

/// The same, for one that is not known: it belongs to a task, takes one argument, and is none of the
/// methods that anybody can get hold of.
///
/// # Safety
/// As for [`is_wakeup`].
#[cold]
unsafe fn defines_wakeup(function: &Bound<'_, PyAny>) -> bool {
    let py = function.py();
    // SAFETY: the caller's promise. It borrows its `self`, and its name has a terminating zero.
    let (task, flags, name) = unsafe {
        let object = function.as_ptr().cast::<ffi::PyCFunctionObject>();
        let definition = &*(*object).m_ml;
        let task = Bound::from_borrowed_ptr_or_opt(py, (*object).m_self);
        (task, definition.ml_flags, CStr::from_ptr(definition.ml_name))
    };
    let (Some(task), Ok(name)) = (task, name.to_str()) else {
        return false;
    };
    let Ok(class) = py.import("_asyncio").and_then(|module| module.getattr("Task")) else {
        return false;
    };
    flags == ffi::METH_O
        && task.is_instance(&class).unwrap_or(false)
        && !class.hasattr(name).unwrap_or(true)
}

/// Take the callback out, so that it is not called again.
#[inline]
pub fn remove_callback(future: &Bound<'_, PyAny>, callback: &Bound<'_, PyAny>) -> PyResult<()> {
    let remove = methods(future.py())?.remove_done_callback.bind(future.py());
    call::descriptor(remove, future, callback).map(drop)
}

/// Let the future forget the task that waited for it: from CPython 3.14 on a future knows who waits,
/// for `asyncio.print_call_graph()`, and would keep each task that a connection has woken.
#[cfg(Py_3_14)]
pub fn forget_waiter(future: &Bound<'_, PyAny>, callback: &Bound<'_, PyAny>) -> PyResult<()> {
    static DISCARD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = future.py();
    let discard = DISCARD.get_or_try_init(py, || {
        let asyncio = py.import("asyncio")?;
        PyResult::Ok(asyncio.getattr("future_discard_from_awaited_by")?.unbind())
    })?;
    // SAFETY: `only_callback` has seen that this is a function in C. It borrows its `self`.
    let waiter =
        unsafe { Bound::from_borrowed_ptr_or_opt(py, ffi::PyCFunction_GetSelf(callback.as_ptr())) };
    waiter.map_or(Ok(()), |waiter| call::function(discard.bind(py), [future, &waiter]).map(drop))
}

/// Let the loop run the callbacks in its next pass; a future that is cancelled has done so.
pub fn finish(future: &Bound<'_, PyAny>) -> PyResult<()> {
    finish_with(future, future.py().None().bind(future.py()))
}

/// The same with a result.
pub fn finish_with(future: &Bound<'_, PyAny>, result: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if !call::method(future, names::done(py), [])?.is_truthy()? {
        call::method(future, names::set_result(py), [result])?;
    }
    Ok(())
}

/// The same with an exception, which is not logged if nobody awaits the future.
pub fn fail(future: &Bound<'_, PyAny>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = future.py();
    if !call::method(future, names::done(py), [])?.is_truthy()? {
        call::method(future, names::set_exception(py), [exception])?;
        // It counts as retrieved.
        call::method(future, names::exception(py), [])?;
    }
    Ok(())
}

/// A future that has the result `None`.
pub fn finished(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    static FINISHED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    FINISHED.get_or_try_init(py, || {
        // It belongs to no loop, as it outlives them all; nothing is ever scheduled for it.
        let future = new(Bound::new(py, NoLoop)?.as_any())?;
        call::method(&future, names::set_result(py), [py.None().bind(py)])?;
        Ok(future.unbind())
    })
}

/// What a future asks of its loop when it is made.
#[pyclass(frozen)]
struct NoLoop;

#[pymethods]
impl NoLoop {
    fn get_debug(&self) -> bool {
        false
    }
}
