//! The classes of aiofastnet, called and derived from as other code in Cython does it.
//!
//! Cython's methods of C stand in a table that each object points to. In which order, and with which
//! arguments, is declared in the `.pxd` that a package ships for that; nothing in the table itself says
//! so. The tables here are those of one such file, and [`Tables`], without which nothing is done, exist
//! only where it is the one that is installed. What can be checked of objects is checked as well.
//!
//! By way of Python's calls, 256 bytes echoed over TLS on uvloop take 800 of 26,500 instructions more.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use pyo3::ffi::{Py_ssize_t, PyObject};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::type_object::PyTypeInfo;
use pyo3::types::{PyBytes, PyCapsule, PyType};
use pyo3::{PyTraverseError, PyVisit};

use super::{call, entry};

/// An object of a class of Cython's that derives from nothing.
#[repr(C)]
struct Object<T> {
    head: PyObject,
    table: *const T,
}

/// The beginning of `aiofastnet.transport.Transport`'s.
#[repr(C)]
struct TransportTable {
    before: [*const c_void; 13],
    write_nocheck:
        unsafe extern "C-unwind" fn(*mut PyObject, *mut PyObject, c_int) -> *mut PyObject,
}

/// That of `aiofastnet.transport.Protocol`.
#[repr(C)]
#[derive(Clone, Copy)]
struct ProtocolTable {
    is_buffered_protocol: *const c_void,
    get_buffer_c:
        unsafe extern "C" fn(*mut PyObject, Py_ssize_t, *mut *mut c_char, *mut Py_ssize_t) -> c_int,
    get_buffer: *const c_void,
    buffer_updated: unsafe extern "C" fn(*mut PyObject, Py_ssize_t, c_int) -> *mut PyObject,
    data_received: *const c_void,
    get_local_write_buffer_size: *const c_void,
}

/// What transports read for.
pub trait Reader: PyTypeInfo {
    /// Where to read to, and how much; valid until [`Reader::updated`] is called.
    fn place(py: Python<'_>) -> PyResult<(*mut u8, usize)>;

    /// So many bytes have been read to that place.
    fn updated(slf: &Bound<'_, Self>, length: usize) -> PyResult<()>;
}

/// A Python object of a class derived from `Protocol` whose only slot holds the reader.
#[repr(C)]
struct Link {
    object: Object<ProtocolTable>,
    reader: *mut PyObject,
}

/// The table of a class, if its objects have one where it is expected.
fn table_of<T>(class: &Bound<'_, PyType>) -> PyResult<Option<*const T>> {
    let found = class.getattr("__dict__")?.get_item("__pyx_vtable__");
    let Some(capsule) = found.ok().and_then(|found| found.cast_into::<PyCapsule>().ok()) else {
        return Ok(None);
    };
    Ok(capsule.pointer_checked(None).ok().map(|table| table.as_ptr().cast_const().cast()))
}

/// Whether an object is one of Cython's whose table is this.
fn has_table<T>(object: &Bound<'_, PyAny>, table: *const T) -> bool {
    // SAFETY: an object is as large as its type says.
    size(&object.get_type()) >= size_of::<Object<T>>()
        && unsafe { ptr::eq((*object.as_ptr().cast::<Object<T>>()).table, table) }
}

/// What writes to a transport.
pub struct Writer {
    /// A method of the transport's; or itself, `by_table`.
    object: Py<PyAny>,
    /// INVARIANT: if so, the object has a table of this kind.
    by_table: bool,
}

impl Writer {
    /// By a method that takes `bytes`.
    pub fn by_method(method: Bound<'_, PyAny>) -> Self {
        Self { object: method.unbind(), by_table: false }
    }

    /// By the table of a transport; `None` if it is none of aiofastnet's.
    pub fn by_table(transport: &Bound<'_, PyAny>, tables: &Tables) -> PyResult<Option<Self>> {
        let known = transport.is_instance(tables.transport.bind(transport.py()))?
            && table_of::<TransportTable>(&transport.get_type())?
                .is_some_and(|table| has_table(transport, table));
        Ok(known.then(|| Self { object: transport.clone().unbind(), by_table: true }))
    }

    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self { object: self.object.clone_ref(py), by_table: self.by_table }
    }

    /// Give bytes to the transport.
    #[inline]
    pub fn write(self, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let object = self.object.into_bound(data.py());
        if !self.by_table {
            return call::function(&object, [data]).map(drop);
        }
        let transport = object.as_ptr();
        // SAFETY: the invariant; the thread is attached, and both are live objects. The last argument
        // says that no class in Python overrides the method. The result is a new reference, or null with
        // an exception set.
        unsafe {
            let write = (*(*transport.cast::<Object<TransportTable>>()).table).write_nocheck;
            let result = call::guarded(|| write(transport, data.as_ptr(), 1));
            Bound::from_owned_ptr_or_err(data.py(), result).map(drop)
        }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)
    }
}

/// aiofastnet's classes, which are known to have these tables.
#[pyclass(frozen, module = "wsclient._core")]
pub struct Tables {
    transport: Py<PyType>,
    /// The table of `Protocol`.
    theirs: *const ProtocolTable,
    /// What takes its place: the functions for reading call a reader.
    ours: &'static ProtocolTable,
}

// SAFETY: nobody writes to a table, and none is ever freed.
unsafe impl Send for Tables {}
// SAFETY: the same.
unsafe impl Sync for Tables {}

/// The SHA-256 of the `transport.pxd` of aiofastnet 1.2.
const DECLARED: &str = "d517dc9fcf247029ee9910b3cd65b16ee813439b086c34bb524410c55206d7dd";

impl Tables {
    /// For readers of one class.
    pub fn of<R: Reader>(
        transport: &Bound<'_, PyType>,
        protocol: &Bound<'_, PyType>,
        declared: &Bound<'_, PyBytes>,
    ) -> PyResult<Option<Self>> {
        let hash = declared.py().import("hashlib")?.getattr("sha256")?;
        let digest = call::function(&hash, [declared])?;
        let digest = call::method(&digest, intern!(declared.py(), "hexdigest"), [])?;
        let table = table_of::<ProtocolTable>(protocol)?;
        let Some(theirs) = table.filter(|_| digest.eq(DECLARED).is_ok_and(|same| same)) else {
            return Ok(None);
        };
        // Without the GIL, Cython's objects are not for everybody at any time.
        if cfg!(Py_GIL_DISABLED) || size(protocol) != size_of::<Object<ProtocolTable>>() {
            return Ok(None);
        }
        // SAFETY: it is declared so.
        let table = unsafe { *theirs };
        let (get_buffer_c, buffer_updated) = (get_buffer::<R>, updated::<R>);
        let ours = ProtocolTable { get_buffer_c, buffer_updated, ..table };
        // Objects point to it for as long as they live: it is made once for a process.
        let ours = Box::leak(Box::new(ours));
        Ok(Some(Self { transport: transport.clone().unbind(), theirs, ours }))
    }

    /// Let transports call `reader` where they would call `link`, an object of a class in Python that is
    /// derived from `Protocol`, and whose only slot holds the reader. Returns whether it is one.
    pub fn link<R: Reader>(&self, link: &Bound<'_, PyAny>, reader: &Bound<'_, R>) -> bool {
        if size(&link.get_type()) != size_of::<Link>() || !has_table(link, self.theirs) {
            return false;
        }
        let place = link.as_ptr().cast::<Link>();
        // SAFETY: the object has the table of `Protocol`, so it is of a class derived from that, and it
        // is as large as a link: behind `Protocol` comes what the only slot holds.
        unsafe {
            let holds = ptr::eq((*place).reader, reader.as_ptr());
            if holds {
                (*place).object.table = self.ours;
            }
            holds
        }
    }
}

/// How large objects of a class are.
fn size(class: &Bound<'_, PyType>) -> usize {
    // SAFETY: that can be read of every type.
    unsafe { (*class.as_type_ptr()).tp_basicsize.cast_unsigned() }
}

/// `protocol.get_buffer_c(hint, &place, &length)`
unsafe extern "C" fn get_buffer<R: Reader>(
    _link: *mut PyObject,
    _hint: Py_ssize_t,
    place: *mut *mut c_char,
    length: *mut Py_ssize_t,
) -> c_int {
    entry::enter(-1, |py| {
        let (start, size) = R::place(py)?;
        // SAFETY: the caller passes places for both.
        unsafe {
            *place = start.cast();
            *length = size.cast_signed();
        }
        Ok(0)
    })
}

/// `protocol.buffer_updated(length)`
unsafe extern "C" fn updated<R: Reader>(
    link: *mut PyObject,
    length: Py_ssize_t,
    _skip_dispatch: c_int,
) -> *mut PyObject {
    entry::enter(ptr::null_mut(), |py| {
        // SAFETY: only a link has this function, which holds the reader, or nothing any more.
        let reader = unsafe {
            Bound::from_borrowed_ptr_or_opt(py, (*link.cast::<Link>()).reader)
                .map(|reader| reader.cast_into_unchecked::<R>())
        };
        if let Some(reader) = reader {
            R::updated(&reader, length.cast_unsigned())?;
        }
        Ok(py.None().into_ptr())
    })
}
