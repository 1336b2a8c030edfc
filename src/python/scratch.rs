//! The read buffer: one for each thread, shared by its connections.
//!
//! Transports ask for a buffer, read into it and report at once, without returning to the event
//! loop in between, and everything that is read is parsed or copied before any other code runs. So
//! an idle connection holds no buffer, and what was read last is still in the cache.

use std::cell::RefCell;

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

    fn of_thread<'a>(py: Python<'_>, slot: &'a mut Option<Self>) -> PyResult<&'a Self> {
        match slot {
            Some(scratch) => Ok(scratch),
            None => Ok(slot.insert(Self::new(py)?)),
        }
    }
}

/// The buffer for a transport to read into.
pub fn view(py: Python<'_>) -> PyResult<Py<PyMemoryView>> {
    SCRATCH.with_borrow_mut(|slot| Ok(Scratch::of_thread(py, slot)?.view.clone_ref(py)))
}

/// Fill the buffer by `receive`, which says how many bytes it wrote, and hand those to `parse`.
/// Neither may call into Python code.
pub fn fill<E>(
    py: Python<'_>,
    receive: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    parse: impl FnOnce(&[u8]),
) -> PyResult<Result<usize, E>> {
    SCRATCH.with_borrow_mut(|slot| {
        let bytes = Scratch::of_thread(py, slot)?.bytes.bind(py);
        // SAFETY: as in `read`; nobody else reads the buffer between this call and its return.
        let bytes = unsafe { bytes.as_bytes_mut() };
        Ok(receive(bytes).inspect(|length| parse(&bytes[..*length])))
    })
}

/// Hand the first `length` bytes that were read to `parse`, which must not call into Python code.
pub fn read<T>(py: Python<'_>, length: usize, parse: impl FnOnce(&[u8]) -> T) -> T {
    SCRATCH.with_borrow(|scratch| {
        let Some(scratch) = scratch else {
            return parse(&[]);
        };
        // SAFETY: the bytearray cannot be resized while `view` exports it. Nobody writes to it
        // until `parse` returns: only a transport of this thread does, between `get_buffer` and
        // `buffer_updated`, and `parse` runs no Python code that could lead there.
        let bytes = unsafe { scratch.bytes.bind(py).as_bytes() };
        parse(&bytes[..length.min(bytes.len())])
    })
}
