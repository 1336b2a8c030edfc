//! A large binary message on its way: received into the `bytes` that the user gets, by the kernel
//! itself where the socket is read directly.
//!
//! Gathering it in the core and copying it at the end would touch each byte twice more: half of
//! what 1 MiB costs.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Larger messages are gathered by the core, whose memory follows what has arrived. Up to here the
/// memory is reserved at once, and the system provides it as it is written.
const LARGEST: usize = 16 * 1024 * 1024;

/// The payload under way.
pub struct Gathering {
    /// INVARIANT: nobody else has a reference until all of it is written.
    bytes: Py<PyBytes>,
    /// INVARIANT: the bytes before this are written; at most `size`.
    filled: usize,
    size: usize,
}

impl Gathering {
    /// A place for `size` bytes; `None` if the core is to gather them.
    #[cold]
    pub fn new(py: Python<'_>, size: usize) -> Option<Self> {
        if size > LARGEST {
            return None;
        }
        let length = ffi::Py_ssize_t::try_from(size).ok()?;
        // SAFETY: the thread is attached. The contents are not read before they are written.
        let bytes = unsafe {
            let object = ffi::PyBytes_FromStringAndSize(ptr::null(), length);
            Bound::from_owned_ptr_or_opt(py, object)
        };
        let Some(bytes) = bytes else {
            drop(PyErr::take(py));
            return None;
        };
        // SAFETY: the call above returns bytes.
        let bytes = unsafe { bytes.cast_into_unchecked::<PyBytes>() }.unbind();
        Some(Self { bytes, filled: 0, size })
    }

    /// Where the next bytes go, and how many are missing.
    pub fn rest(&mut self) -> (*mut u8, usize) {
        // SAFETY: the object is alive, and `filled` lies within it.
        let start = unsafe {
            let start = ffi::PyBytes_AsString(self.bytes.as_ptr()).cast::<u8>();
            start.add(self.filled)
        };
        (start, self.size - self.filled)
    }

    /// Add `piece`, which must not be longer than what is missing.
    pub fn append(&mut self, piece: &[u8]) {
        let (start, missing) = self.rest();
        assert!(piece.len() <= missing, "more than the message");
        // SAFETY: there is room for it. The piece lies elsewhere: nobody else knows the bytes.
        unsafe { ptr::copy_nonoverlapping(piece.as_ptr(), start, piece.len()) };
        self.filled += piece.len();
    }

    /// Note that `length` bytes of [`rest`](Self::rest) are written.
    ///
    /// # Safety
    /// They are.
    pub unsafe fn written(&mut self, length: usize) {
        self.filled = self.size.min(self.filled + length);
    }

    /// The payload, when it is whole.
    pub fn finish(self) -> Py<PyAny> {
        debug_assert_eq!(self.filled, self.size, "the core counts the bytes, too");
        self.bytes.into_any()
    }
}
