//! A stock of dead messages: one that is made from it costs 60 instructions to make and 80 to drop
//! instead of 220 and 300, and does not count towards the next garbage collection.
//!
//! What PyO3 allocates and frees otherwise stays its own affair; only the slot for the last moment
//! of a message is replaced.

use std::cell::UnsafeCell;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;

use super::message::Message;

/// As many as wait for their next use; more go back to Python's allocator.
const SIZE: usize = 64;

/// INVARIANT: the first `len` are memory of exact instances of `Message`, whose fields have been
/// dropped, that the garbage collector does not track and nobody else points to.
struct Stock {
    dead: [*mut PyObject; SIZE],
    len: usize,
}

/// Belongs to the thread that holds the GIL; not used without one.
struct Guarded(UnsafeCell<Stock>);

// SAFETY: only `pop` and `push` go in, which hold the GIL and let nobody else run meanwhile.
unsafe impl Sync for Guarded {}

static STOCK: Guarded = Guarded(UnsafeCell::new(Stock { dead: [ptr::null_mut(); SIZE], len: 0 }));

#[inline]
fn pop(_gil: Python<'_>) -> Option<*mut PyObject> {
    // SAFETY: see `Guarded`.
    let stock = unsafe { &mut *STOCK.0.get() };
    stock.len = stock.len.checked_sub(1)?;
    Some(stock.dead[stock.len])
}

/// Returns whether there was room.
#[inline]
fn push(_gil: Python<'_>, object: *mut PyObject) -> bool {
    // SAFETY: see `Guarded`.
    let stock = unsafe { &mut *STOCK.0.get() };
    let Some(place) = stock.dead.get_mut(stock.len) else {
        return false;
    };
    *place = object;
    stock.len += 1;
    true
}

/// Let messages that die go into stock; called before there are any.
pub fn install(py: Python<'_>) -> PyResult<()> {
    // Without the GIL an object may not be made alive again by hand: it belongs to a thread.
    if cfg!(not(Py_GIL_DISABLED)) {
        let none = || py.None();
        let sample = Bound::new(py, Message::new(none(), none(), none()))?;
        let offset = ptr::from_ref(sample.get()).addr() - sample.as_ptr().addr();
        OFFSET.store(offset, Ordering::Relaxed);
        // SAFETY: the type is this module's, and nobody else uses it yet. `dealloc` fits the slot,
        // and the class has no subclasses that would inherit it.
        unsafe { (*Message::type_object_raw(py)).tp_dealloc = Some(dealloc) };
    }
    Ok(())
}

/// Where an instance has its fields, in bytes from its start.
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// # Safety
/// `object` is memory of an instance of `Message`.
unsafe fn fields_of(object: *mut PyObject) -> *mut Message {
    // SAFETY: the caller's promise; PyO3 aligns the fields.
    unsafe { object.byte_add(OFFSET.load(Ordering::Relaxed)).cast() }
}

/// A message with these fields.
///
/// One whose fields can be part of no cycle (`atomic`) need not be known to the garbage collector.
#[inline]
pub fn message(py: Python<'_>, fields: Message, atomic: bool) -> PyResult<Py<Message>> {
    let Some(object) = pop(py) else {
        return Py::new(py, fields);
    };
    // SAFETY: see `Stock`. The object gets a reference count of one, its type, and new fields where
    // the old ones stood; a frozen class has nothing else.
    unsafe {
        ffi::PyObject_Init(object, Message::type_object_raw(py));
        ptr::write(fields_of(object), fields);
        if !atomic {
            ffi::PyObject_GC_Track(object.cast());
        }
        Ok(Bound::from_owned_ptr(py, object).cast_into_unchecked().unbind())
    }
}

/// `tp_dealloc` of `Message`.
unsafe extern "C" fn dealloc(object: *mut PyObject) {
    // SAFETY: CPython calls the slot with an instance that nobody holds any more, attached to the
    // thread, even if PyO3 may not take note of that because Python shuts down: so the fields are
    // dropped without PyO3. Their memory is kept or freed after that, once. Instances of a heap
    // type hold a reference to it.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let class = ffi::Py_TYPE(object);
        for field in ptr::read(fields_of(object)).into_fields() {
            ffi::Py_DECREF(field.into_ptr());
        }
        if !push(Python::assume_attached(), object) {
            ffi::PyObject_GC_Del(object.cast());
        }
        ffi::Py_DECREF(class.cast());
    }
}
