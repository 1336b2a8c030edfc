//! How an awaitable returns a value to whoever resumes it by `__next__`.
//!
//! From CPython 3.12 on that is `await` itself: it takes no exception for `None`, and any other value
//! out of a `StopIteration`, which it drops at once. To call that class costs 1,000 instructions. So what
//! is raised there is of a class derived from it, made without a call, and a dead one's memory is kept
//! for the next.

use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::prelude::*;

#[cfg(all(Py_3_12, not(Py_GIL_DISABLED)))]
use recycled::raise;
#[cfg(all(Py_3_12, not(Py_GIL_DISABLED)))]
pub use recycled::{install, prepare};

#[cfg(not(all(Py_3_12, not(Py_GIL_DISABLED))))]
use raise_plain as raise;

/// Elsewhere, see to it that [`set`] finds memory: here nothing can be kept for it.
#[cfg(not(all(Py_3_12, not(Py_GIL_DISABLED))))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub fn prepare(_py: Python<'_>) -> PyResult<()> {
    Ok(())
}

/// Let the exception, or for `None` no exception, that returns this value be the one that is raised.
#[inline]
pub fn set(value: Bound<'_, PyAny>) -> PyResult<()> {
    if value.is_none() { Ok(()) } else { raise(value) }
}

/// There is nothing to make here: before 3.12 it is rare that a value is raised, and without the GIL an
/// object may not be made alive again by hand, as it belongs to a thread.
#[cfg(not(all(Py_3_12, not(Py_GIL_DISABLED))))]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere it may fail")]
pub fn install(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}

/// Raise the value in a `StopIteration` that Python makes.
fn raise_plain(value: Bound<'_, PyAny>) -> PyResult<()> {
    let is_taken_apart = {
        let value = value.as_ptr();
        // SAFETY: the value is alive.
        unsafe { ffi::PyTuple_Check(value) != 0 || ffi::PyExceptionInstance_Check(value) != 0 }
    };
    if is_taken_apart {
        return Err(PyStopIteration::new_err((value.unbind(),)));
    }
    let class = value.py().get_type::<PyStopIteration>();
    // SAFETY: both are live objects, and the class is that of an exception.
    unsafe { ffi::PyErr_SetObject(class.as_ptr(), value.as_ptr()) };
    Ok(())
}

#[cfg(all(Py_3_12, not(Py_GIL_DISABLED)))]
mod recycled {
    use std::cell::UnsafeCell;
    use std::ffi::{c_uint, c_void};
    use std::ptr;
    use std::sync::atomic::{AtomicPtr, Ordering};

    use pyo3::exceptions::PyStopIteration;
    use pyo3::ffi::{
        self, PyObject, PyStopIterationObject as Raised, PyType_Slot, PyType_Spec, PyTypeObject,
        destructor,
    };
    use pyo3::prelude::*;

    use crate::python::cpython::recycle;

    /// The derived class, null if values are raised the plain way.
    static CLASS: AtomicPtr<PyTypeObject> = AtomicPtr::new(ptr::null_mut());

    /// The memory of a dead instance, or null.
    ///
    /// INVARIANT: nobody points to the instance, the garbage collector does not track it, and all its
    /// fields are null but `args`. That is a tuple of one item, which is null, and which nobody else
    /// holds; it is not tracked either.
    struct Parked(UnsafeCell<*mut Raised>);

    // SAFETY: only its methods go in, which hold the GIL and let nobody else run meanwhile.
    unsafe impl Sync for Parked {}

    static PARKED: Parked = Parked(UnsafeCell::new(ptr::null_mut()));

    impl Parked {
        #[inline]
        fn is_empty(&self, _gil: Python<'_>) -> bool {
            // SAFETY: likewise.
            unsafe { (*self.0.get()).is_null() }
        }

        #[inline]
        fn replace(&self, _gil: Python<'_>, object: *mut Raised) -> *mut Raised {
            // SAFETY: see `Parked`.
            unsafe { ptr::replace(self.0.get(), object) }
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "flags have 32 bits at most")]
    const FLAGS: c_uint = (ffi::Py_TPFLAGS_DEFAULT | ffi::Py_TPFLAGS_IMMUTABLETYPE) as c_uint;

    /// Make the class; called before a value is returned.
    pub fn install(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        let base = py.get_type::<PyStopIteration>();
        // SAFETY: the class is alive.
        let size = unsafe { (*base.as_type_ptr()).tp_basicsize };
        if usize::try_from(size) != Ok(size_of::<Raised>()) {
            return Ok(());
        }
        let mut slots = [
            PyType_Slot { slot: ffi::Py_tp_dealloc, pfunc: dealloc as destructor as *mut c_void },
            PyType_Slot { slot: 0, pfunc: ptr::null_mut() },
        ];
        let mut spec = PyType_Spec {
            name: c"wsclient._core.StopIteration".as_ptr(),
            // Its base's.
            basicsize: 0,
            itemsize: 0,
            // Without subclasses, nobody inherits `dealloc`.
            flags: FLAGS,
            slots: slots.as_mut_ptr(),
        };
        // SAFETY: the specification is that of a class with the layout of its base, from which it
        // inherits all other slots, those for the garbage collector among them.
        let class = unsafe {
            let class = ffi::PyType_FromSpecWithBases(&raw mut spec, base.as_ptr());
            Bound::from_owned_ptr_or_err(py, class)?
        };
        // Where `pickle` looks for it.
        module.setattr("StopIteration", &class)?;
        CLASS.store(class.into_ptr().cast(), Ordering::Relaxed);
        Ok(())
    }

    /// Have something parked, so that [`raise`] needs no memory: without that, the value would be lost.
    #[inline]
    pub fn prepare(py: Python<'_>) -> PyResult<()> {
        if PARKED.is_empty(py) { park_blank(py) } else { Ok(()) }
    }

    #[cold]
    fn park_blank(py: Python<'_>) -> PyResult<()> {
        let class = CLASS.load(Ordering::Relaxed);
        if !class.is_null() {
            // SAFETY: the class is that of `install`. The instance is nobody else's, and is parked when it
            // is dropped.
            unsafe { ffi::Py_DECREF(blank(py, class)?.cast()) };
        }
        Ok(())
    }

    /// Raise the value, in what was parked if anything was.
    pub fn raise(value: Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        let class = CLASS.load(Ordering::Relaxed);
        if class.is_null() {
            return super::raise_plain(value);
        }
        let parked = PARKED.replace(py, ptr::null_mut());
        // SAFETY: the class is never dropped. What was parked is as `Parked` says, and so is what is
        // made new; its fields are set before the garbage collector or anybody else sees it.
        unsafe {
            let object = if parked.is_null() {
                blank(py, class)?
            } else {
                ffi::PyObject_Init(parked.cast(), class).cast::<Raised>()
            };
            let args = (*object).args;
            ffi::PyTuple_SET_ITEM(args, 0, ffi::Py_NewRef(value.as_ptr()));
            if !recycle::is_acyclic(&value) {
                ffi::PyObject_GC_Track(args.cast());
            }
            (*object).value = value.into_ptr();
            ffi::PyObject_GC_Track(object.cast());
            ffi::PyErr_SetRaisedException(object.cast());
        }
        Ok(())
    }

    /// A new instance whose fields are as those of one that was parked.
    ///
    /// # Safety
    /// It is the class that [`install`] has made.
    #[cold]
    unsafe fn blank(py: Python<'_>, class: *mut PyTypeObject) -> PyResult<*mut Raised> {
        // SAFETY: an instance has these fields and no others.
        unsafe {
            let args = Bound::from_owned_ptr_or_err(py, ffi::PyTuple_New(1))?;
            let object = ffi::PyObject_GC_New::<Raised>(class);
            if object.is_null() {
                return Err(PyErr::fetch(py));
            }
            let fields = size_of::<Raised>() - size_of::<PyObject>();
            ptr::write_bytes(object.cast::<PyObject>().add(1).cast::<u8>(), 0, fields);
            ffi::PyObject_GC_UnTrack(args.as_ptr().cast());
            (*object).args = args.into_ptr();
            Ok(object)
        }
    }

    /// `tp_dealloc` of the class.
    unsafe extern "C" fn dealloc(object: *mut PyObject) {
        // SAFETY: CPython calls the slot with an instance that nobody holds any more, attached to the
        // thread, even if PyO3 may not take note of that because Python shuts down. Instances of a
        // heap type hold a reference to it.
        unsafe {
            let class = ffi::Py_TYPE(object);
            ffi::PyObject_GC_UnTrack(object.cast());
            if !park(object.cast()) {
                let base = (*ffi::PyExc_StopIteration.cast::<PyTypeObject>()).tp_dealloc;
                if let Some(base) = base {
                    // As it finds it: some releases untrack it without asking whether it is tracked.
                    ffi::PyObject_GC_Track(object.cast());
                    base(object);
                }
            }
            ffi::Py_DECREF(class.cast());
        }
    }

    /// Drop the value and keep the rest, if that is what a new one has and there is room for it.
    ///
    /// # Safety
    /// The thread is attached, and nobody holds the instance, nor does the garbage collector track it.
    #[inline]
    unsafe fn park(object: *mut Raised) -> bool {
        // SAFETY: the caller's promise. A field is null or an object that the instance holds.
        unsafe {
            let args = (*object).args;
            let others = [
                (*object).dict,
                (*object).notes,
                (*object).traceback,
                (*object).context,
                (*object).cause,
            ];
            if !others.iter().all(|field| field.is_null())
                || args.is_null()
                || ffi::Py_REFCNT(args) != 1
                || ffi::PyTuple_CheckExact(args) == 0
                || ffi::PyTuple_GET_SIZE(args) != 1
            {
                return false;
            }
            ffi::PyObject_GC_UnTrack(args.cast());
            (*object).suppress_context = '\0';
            let item = ffi::PyTuple_GET_ITEM(args, 0);
            ffi::PyTuple_SET_ITEM(args, 0, ptr::null_mut());
            recycle::forget_hash(args);
            let value = ptr::replace(&raw mut (*object).value, ptr::null_mut());
            // Here finalizers may run, and drop other instances.
            ffi::Py_XDECREF(item);
            ffi::Py_XDECREF(value);
            let py = Python::assume_attached();
            let other = PARKED.replace(py, object);
            if !other.is_null() {
                PARKED.replace(py, other);
                return false;
            }
            true
        }
    }
}
