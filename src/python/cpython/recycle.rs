//! Messages below PyO3: they are made without calling the type, and dead ones are kept for their
//! next use. To make and drop one costs 140 instructions instead of 520.
//!
//! Nor does the garbage collector know of those that can be part of no cycle: it would look at all
//! of a batch, again and again, at 300 instructions a message.

use std::cell::{Cell, RefCell, UnsafeCell};
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::PyClass;
use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::pyclass::boolean_struct::True;
use pyo3::types::PyType;

use super::flags;

/// As many as wait for their next use, 64 KiB of them: what one read of small messages brings. More
/// go back to Python's allocator.
const SIZE: usize = 1024;

/// INVARIANT: the first `len` are memory of objects of one layout, whose fields have been dropped, that
/// the garbage collector does not track and nobody else points to.
struct Stock {
    dead: [*mut PyObject; SIZE],
    len: usize,
}

/// Belongs to the thread that holds the GIL; not used without one.
struct Guarded(UnsafeCell<Stock>);

// SAFETY: only `pop` and `push` go in, which hold the GIL and let nobody else run meanwhile.
unsafe impl Sync for Guarded {}

impl Guarded {
    const fn new() -> Self {
        Self(UnsafeCell::new(Stock { dead: [ptr::null_mut(); SIZE], len: 0 }))
    }

    #[inline]
    fn pop(&self, _gil: Python<'_>) -> Option<*mut PyObject> {
        // SAFETY: see `Guarded`.
        let stock = unsafe { &mut *self.0.get() };
        stock.len = stock.len.checked_sub(1)?;
        Some(stock.dead[stock.len])
    }

    /// Returns whether there was room.
    #[inline]
    fn push(&self, _gil: Python<'_>, object: *mut PyObject) -> bool {
        // SAFETY: see `Guarded`.
        let stock = unsafe { &mut *self.0.get() };
        let Some(place) = stock.dead.get_mut(stock.len) else {
            return false;
        };
        *place = object;
        stock.len += 1;
        true
    }
}

/// Instances of the one class that [`install`] was called for.
static MESSAGES: Guarded = Guarded::new();
/// Tuples of [`TUPLE`] items, of classes that [`adopt`] has returned true for.
static TUPLES: Guarded = Guarded::new();
pub const TUPLE: usize = 3;

/// A class whose instances have three fields and nothing else.
pub trait Record: PyClass<Frozen = True> + Sync {
    /// The fields, as Python owns them.
    fn into_fields(self) -> [Py<PyAny>; 3];
}

/// Take over making and dropping the messages of one class; called before there are any but a sample.
pub fn install<R: Record>(py: Python<'_>, sample: R) -> PyResult<()>
where
    PyClassInitializer<R>: From<R>,
{
    // Without the GIL an object may not be made alive again by hand: it belongs to a thread.
    if cfg!(Py_GIL_DISABLED) {
        return Ok(());
    }
    let sample = Bound::new(py, sample)?;
    let offset = ptr::from_ref(sample.get()).addr() - sample.as_ptr().addr();
    let class = R::type_object_raw(py);
    // SAFETY: the type is this module's, and nobody else uses it yet. `dealloc` fits the slot, and
    // the class has no subclasses that would inherit it.
    unsafe {
        // Nothing but a header and the fields, so that setting these makes an instance.
        if usize::try_from((*class).tp_basicsize) == Ok(offset + size_of::<R>()) {
            (*class).tp_dealloc = Some(dealloc::<R>);
            CLASS.store(class, Ordering::Relaxed);
            OFFSET.store(offset, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// The class, if messages can be made here.
static CLASS: AtomicPtr<PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// Whether an object can be part of no cycle, now and later: a message that the garbage collector does
/// not know, or of a type that it has nothing to do with.
#[inline]
#[cfg(all(Py_3_12, not(Py_GIL_DISABLED)))]
pub fn is_acyclic(object: &Bound<'_, PyAny>) -> bool {
    let object = object.as_ptr();
    // SAFETY: it is alive.
    unsafe {
        let class = ffi::Py_TYPE(object);
        ffi::PyType_IS_GC(class) == 0
            || (class == CLASS.load(Ordering::Relaxed) && ffi::PyObject_GC_IsTracked(object) == 0)
    }
}

/// Where an instance has its fields, in bytes from its start; 0 if making them is PyO3's.
static OFFSET: AtomicUsize = AtomicUsize::new(0);

/// # Safety
/// `object` is memory of an instance of `R`, and `OFFSET` is known.
unsafe fn fields_of<R: Record>(object: *mut PyObject) -> *mut R {
    // SAFETY: the caller's promise; PyO3 aligns the fields.
    unsafe { object.byte_add(OFFSET.load(Ordering::Relaxed)).cast() }
}

/// Whether messages can be made here.
#[inline]
pub fn makes_messages() -> bool {
    OFFSET.load(Ordering::Relaxed) != 0
}

/// A message to be, or a tuple: memory with a type and a reference count of one.
///
/// Apart from its fields, so that those are not lost where there is no memory.
#[must_use]
pub struct Blank<'py, K>(NonNull<PyObject>, Python<'py>, PhantomData<K>);

/// What a [`Blank`] for a tuple is of.
pub struct Tuple;

impl<'py, K> Blank<'py, K> {
    /// # Safety
    /// `object` is a new one of the kind `K`, or null with an exception set.
    #[inline]
    unsafe fn of(py: Python<'py>, object: *mut PyObject) -> PyResult<Self> {
        let object = NonNull::new(object).ok_or_else(|| PyErr::fetch(py))?;
        Ok(Self(object, py, PhantomData))
    }
}

impl<'py, R: Record> Blank<'py, R> {
    /// For a message whose fields can be part of no cycle: it need not be known to the garbage
    /// collector. Only where [`makes_messages`] says so.
    #[inline]
    pub fn message(py: Python<'py>) -> PyResult<Self> {
        let class = R::type_object_raw(py);
        // SAFETY: the object comes from the stock, whose memory nobody else points to, or new from
        // CPython.
        unsafe {
            let object = match MESSAGES.pop(py) {
                Some(object) => ffi::PyObject_Init(object, class),
                None => ffi::PyObject_GC_New(class),
            };
            Self::of(py, object)
        }
    }

    /// The message with these fields.
    #[inline]
    pub fn into_message(self, fields: R) -> Py<R> {
        let object = self.0.as_ptr();
        // SAFETY: an instance of `R`; the reference is this one's. Setting the fields completes it.
        unsafe {
            ptr::write(fields_of(object), fields);
            Bound::from_owned_ptr(self.1, object).cast_into_unchecked().unbind()
        }
    }
}

impl<'py> Blank<'py, Tuple> {
    /// For a tuple whose items can be part of no cycle, of a class that [`adopt`] has returned true
    /// for.
    #[inline]
    pub fn tuple(py: Python<'py>, class: &Bound<'py, PyType>) -> PyResult<Self> {
        let class = class.as_type_ptr();
        // SAFETY: the object comes from the stock, whose memory nobody else points to and which has
        // room for as many items, or new from CPython.
        unsafe {
            let object = match TUPLES.pop(py) {
                Some(object) => ffi::PyObject_Init(object, class),
                None => new_tuple(class),
            };
            Self::of(py, object)
        }
    }

    /// The tuple with these items.
    #[inline]
    pub fn into_tuple(self, items: [Py<PyAny>; TUPLE]) -> Py<PyAny> {
        let object = self.0.as_ptr();
        // SAFETY: a tuple with room for as many; the reference is this one's. Setting the items completes it.
        unsafe {
            for (index, item) in (0..).zip(items) {
                ffi::PyTuple_SET_ITEM(object, index, item.into_ptr());
            }
            forget_hash(object);
            Bound::from_owned_ptr(self.1, object).unbind()
        }
    }
}

/// `tp_dealloc` of the class that [`install`] was called for.
unsafe extern "C" fn dealloc<R: Record>(object: *mut PyObject) {
    // SAFETY: CPython calls the slot with an instance that nobody holds any more, attached to the
    // thread, even if PyO3 may not take note of that because Python shuts down: so the fields are
    // dropped without PyO3. Their memory is kept or freed after that, once. Instances of a heap
    // type hold a reference to it.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let class = ffi::Py_TYPE(object);
        let [tp, data, extra] = ptr::read(fields_of::<R>(object)).into_fields();
        release(tp.into_ptr());
        release(data.into_ptr());
        release(extra.into_ptr());
        if !MESSAGES.push(Python::assume_attached(), object) {
            ffi::PyObject_GC_Del(object.cast());
        }
        ffi::Py_DECREF(class.cast());
    }
}

/// Take over dropping the instances of a named tuple, of which there are none yet; returns whether
/// [`Blank::tuple`] can make them.
pub fn adopt(class: &Bound<'_, PyType>) -> bool {
    if cfg!(Py_GIL_DISABLED) {
        return false;
    }
    let class = class.as_type_ptr();
    // SAFETY: both are live types. An instance is a tuple and nothing else, so `drop_tuple` fits the
    // slot; without subclasses, nobody inherits it.
    unsafe {
        let base = &raw const ffi::PyTuple_Type;
        let same = ffi::PyType_IsSubtype(class, base.cast_mut()) != 0
            && (*class).tp_basicsize == (*base).tp_basicsize
            && (*class).tp_itemsize == (*base).tp_itemsize;
        if same {
            flags::change(class, |flags| flags & !ffi::Py_TPFLAGS_BASETYPE);
            (*class).tp_dealloc = Some(drop_tuple);
        }
        same
    }
}

/// From 3.14 on, tuples keep their hash: let one whose items are new have none.
///
/// # Safety
/// It is a tuple that nobody else has seen with these items.
#[inline]
pub unsafe fn forget_hash(tuple: *mut PyObject) {
    #[cfg(Py_3_14)]
    // SAFETY: the caller's promise.
    unsafe {
        (*tuple.cast::<ffi::PyTupleObject>()).ob_hash = -1;
    }
    #[cfg(not(Py_3_14))]
    let _ = tuple;
}

/// # Safety
/// `class` is a subclass of `tuple`. The items of what is returned are still to be set.
#[cold]
unsafe fn new_tuple(class: *mut PyTypeObject) -> *mut PyObject {
    // SAFETY: the caller's promise. The items are null, which the garbage collector bears.
    unsafe {
        let object = ffi::PyType_GenericAlloc(class, TUPLE.cast_signed());
        if !object.is_null() {
            ffi::PyObject_GC_UnTrack(object.cast());
        }
        object
    }
}

/// `tp_dealloc` of what [`adopt`] has returned true for.
unsafe extern "C" fn drop_tuple(object: *mut PyObject) {
    // SAFETY: as in `dealloc`. Python can make tuples of any length, whose memory is not for others.
    unsafe {
        ffi::PyObject_GC_UnTrack(object.cast());
        let class = ffi::Py_TYPE(object);
        let length = ffi::PyTuple_GET_SIZE(object);
        for index in 0..length {
            let item = ffi::PyTuple_GET_ITEM(object, index);
            if !item.is_null() {
                release(item);
            }
        }
        if length != TUPLE.cast_signed() || !TUPLES.push(Python::assume_attached(), object) {
            ffi::PyObject_GC_Del(object.cast());
        }
        ffi::Py_DECREF(class.cast());
    }
}

/// Messages that are dropped inside each other before the next has to wait: CPython's own containers
/// do the same, but know nothing of the levels between theirs.
const DEEPEST: usize = 50;

thread_local! {
    /// How many are being dropped.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
    /// References to drop when none is. Not dropped with the thread, as it is empty then.
    static LATER: RefCell<ManuallyDrop<Vec<*mut PyObject>>> =
        const { RefCell::new(ManuallyDrop::new(Vec::new())) };
}

/// Drop the reference that a dying message has.
///
/// # Safety
/// The thread is attached, and owns the reference.
#[inline]
unsafe fn release(object: *mut PyObject) {
    // SAFETY: the caller's promise.
    unsafe {
        if ffi::Py_REFCNT(object) > 1 || is_plain(object) {
            ffi::Py_DECREF(object);
        } else {
            release_deep(object);
        }
    }
}

/// Whether an object holds no other.
///
/// # Safety
/// It is alive.
#[inline]
unsafe fn is_plain(object: *mut PyObject) -> bool {
    // SAFETY: the caller's promise.
    unsafe { ffi::PyBytes_CheckExact(object) != 0 || ffi::PyUnicode_CheckExact(object) != 0 }
}

/// Drop a reference that may be the last to another message, and so on without end: not more than
/// `DEEPEST` inside each other, lest the stack overflow.
///
/// # Safety
/// As for [`release`].
#[cold]
unsafe fn release_deep(object: *mut PyObject) {
    let depth = DEPTH.get();
    if depth == DEEPEST {
        // Without memory it is never dropped.
        return LATER.with_borrow_mut(|later| {
            if later.try_reserve(1).is_ok() {
                later.push(object);
            }
        });
    }
    let mut next = Some(object);
    while let Some(object) = next {
        DEPTH.set(depth + 1);
        // SAFETY: the caller's promise, or an earlier one's of this function.
        unsafe { ffi::Py_DECREF(object) };
        DEPTH.set(depth);
        next = if depth == 0 { LATER.with_borrow_mut(|later| later.pop()) } else { None };
    }
    if depth == 0 {
        LATER.with_borrow_mut(|later| **later = Vec::new());
    }
}
