//! The read buffer: one for each thread, shared by its connections.
//!
//! Transports ask for a buffer, read into it and report at once, without returning to the event
//! loop in between, and everything that is read is parsed or copied before any other code runs. So
//! an idle connection holds no buffer, and what was read last is still in the cache.

use std::cell::RefCell;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyMemoryView};

/// One read takes at most this many bytes.
pub const SIZE: usize = 256 * 1024;

struct Scratch {
    bytes: Py<PyByteArray>,
    view: Py<PyMemoryView>,
}

thread_local! {
    static SCRATCH: RefCell<Option<Scratch>> = const { RefCell::new(None) };
}

impl Scratch {
    #[cold]
    fn new(py: Python<'_>) -> PyResult<Self> {
        let bytes = PyByteArray::new_with(py, SIZE, |_| Ok(()))?;
        // The view holds the bytearray at its place: nothing can resize it any more.
        let view = PyMemoryView::from(&bytes)?;
        Ok(Self { bytes: bytes.unbind(), view: view.unbind() })
    }

    /// That of this thread. Making it may let Python code run, so nothing may be borrowed.
    fn of_thread<T>(py: Python<'_>, using: impl FnOnce(&Self) -> T) -> PyResult<T> {
        SCRATCH.with(|slot| {
            if slot.borrow().is_none() {
                let new = Self::new(py)?;
                slot.replace(Some(new));
            }
            let scratch = slot.borrow().as_ref().map(using);
            scratch.ok_or_else(|| PyRuntimeError::new_err("this thread has no read buffer"))
        })
    }
}

/// The buffer for a transport to read into.
pub fn view(py: Python<'_>) -> PyResult<Py<PyMemoryView>> {
    Scratch::of_thread(py, |scratch| scratch.view.clone_ref(py))
}

/// The same for one that writes to memory; nothing resizes the buffer.
pub fn place(py: Python<'_>) -> PyResult<(*mut u8, usize)> {
    Scratch::of_thread(py, |scratch| (scratch.bytes.bind(py).data(), SIZE))
}

/// Lend the buffer to `use_buffer`, which must not call into Python code: for parsing what a
/// transport has read into it, or for reading into it. No connection may be borrowed by the caller.
pub fn with<T>(py: Python<'_>, use_buffer: impl FnOnce(&mut [u8]) -> T) -> PyResult<T> {
    Scratch::of_thread(py, |scratch| {
        let bytes = scratch.bytes.bind(py);
        // SAFETY: the bytearray cannot be resized while `view` exports it. Nobody else reads or
        // writes it until `use_buffer` returns: only a transport of this thread does, between
        // `get_buffer` and `buffer_updated`, and no Python code runs that could lead there.
        use_buffer(unsafe { bytes.as_bytes_mut() })
    })
}
