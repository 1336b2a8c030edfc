//! Short ways into methods on the path of every message.
//!
//! PyO3 sorts arguments for all that a signature allows, 110 instructions a call. A call that is
//! written the usual way (`ws.receive()`, `ws.send_bytes(data)`) takes the short way; every other
//! goes on to PyO3's, which has the signature, the defaults and the errors.

use std::array;
use std::ptr;
use std::sync::OnceLock;

use pyo3::ffi::{self, Py_ssize_t, PyCFunctionFastWithKeywords, PyObject};
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::PyType;

use super::entry;

/// A method of this calling convention.
pub type Method = PyCFunctionFastWithKeywords;

/// Define the function that a method's calls come to first, and where all but the usual ones go.
macro_rules! short {
    ($name:ident, $long:ident, |$slf:ident, $args:pat_param| $usual:expr) => {
        static $long: std::sync::OnceLock<$crate::python::cpython::fastcall::Method> =
            std::sync::OnceLock::new();

        unsafe extern "C" fn $name(
            slf: *mut pyo3::ffi::PyObject,
            args: *const *mut pyo3::ffi::PyObject,
            nargs: pyo3::ffi::Py_ssize_t,
            kwnames: *mut pyo3::ffi::PyObject,
        ) -> *mut pyo3::ffi::PyObject {
            // SAFETY: CPython calls it as a method of the class that it is installed in.
            unsafe {
                $crate::python::cpython::fastcall::call(
                    slf,
                    args,
                    nargs,
                    kwnames,
                    &$long,
                    |$slf, $args| $usual,
                )
            }
        }
    };
}

pub(crate) use short;

/// Let calls of the method `name` come to `short` first, and keep in `long` where they went; called
/// before the class has instances.
pub fn shorten(
    class: &Bound<'_, PyType>,
    name: &str,
    short: Method,
    long: &'static OnceLock<Method>,
) -> PyResult<()> {
    let descriptor = class.getattr(name)?;
    // SAFETY: the type is checked. The definition is PyO3's for this class of this module, which
    // nobody else uses yet; its flags say which member of the union is set, and they stay true.
    unsafe {
        if !ptr::eq(ffi::Py_TYPE(descriptor.as_ptr()), &raw const ffi::PyMethodDescr_Type) {
            return Ok(());
        }
        let descriptor = descriptor.as_ptr().cast::<ffi::PyMethodDescrObject>();
        let method = (*descriptor).d_method;
        if (*method).ml_flags == ffi::METH_FASTCALL | ffi::METH_KEYWORDS {
            let _ = long.set((*method).ml_meth.PyCFunctionFastWithKeywords);
            (*method).ml_meth.PyCFunctionFastWithKeywords = short;
        }
    }
    Ok(())
}

/// Do what is usual if there are `N` positional arguments and nothing else, or go the long way.
///
/// # Safety
/// The arguments are those of a method call that CPython makes for an instance of `C`.
#[inline]
pub unsafe fn call<C: PyTypeInfo, const N: usize, T>(
    slf: *mut PyObject,
    args: *const *mut PyObject,
    nargs: Py_ssize_t,
    kwnames: *mut PyObject,
    long: &OnceLock<Method>,
    usual: impl FnOnce(&Bound<'_, C>, [&Bound<'_, PyAny>; N]) -> PyResult<Py<T>>,
) -> *mut PyObject {
    if usize::try_from(nargs) != Ok(N) || !kwnames.is_null() {
        // SAFETY: the caller's arguments, passed on.
        return long
            .get()
            .map_or(ptr::null_mut(), |long| unsafe { long(slf, args, nargs, kwnames) });
    }
    entry::enter(ptr::null_mut(), |py| {
        // SAFETY: CPython has checked the class of `slf`, and passes `nargs` live objects.
        let (slf, args) = unsafe {
            let slf = Bound::ref_from_ptr(py, &slf).cast_unchecked::<C>();
            (slf, array::from_fn(|index| Bound::ref_from_ptr(py, &*args.add(index))))
        };
        usual(slf, args).map(Py::into_ptr)
    })
}
