//! What CPython is told of a type by its flags.

use std::ffi::c_ulong;

use pyo3::ffi::PyTypeObject;

/// Set or clear flags of a type.
///
/// # Safety
/// The type is alive and nobody else uses it yet, and the flags are true of it.
pub unsafe fn change(class: *mut PyTypeObject, change: impl FnOnce(c_ulong) -> c_ulong) {
    // SAFETY: the caller's promise.
    let flags = unsafe { &mut (*class).tp_flags };
    #[cfg(Py_GIL_DISABLED)]
    let flags = flags.get_mut();
    *flags = change(*flags);
}
