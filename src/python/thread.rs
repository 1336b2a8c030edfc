//! The thread that a connection belongs to: that of its event loop, as everything of asyncio's does.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

/// Where a connection was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Home(libc::pthread_t);

impl Home {
    /// The thread of the caller.
    #[inline]
    pub fn here() -> Self {
        // SAFETY: the call has no preconditions.
        Self(unsafe { libc::pthread_self() })
    }

    /// Refuse another thread: its frame could land inside one of this thread's, and a wake-up of its
    /// loop would never come.
    #[inline]
    pub fn check(self, doing: &str) -> PyResult<()> {
        if self == Self::here() { Ok(()) } else { Err(elsewhere(doing)) }
    }

    /// Refuse another thread that may run at the same time, in a Python without the GIL. With it,
    /// looking at a connection is safe anywhere: nobody holds a borrow when it changes hands.
    #[inline]
    pub fn check_without_gil(self) -> PyResult<()> {
        if cfg!(Py_GIL_DISABLED) { self.check("look at a WebSocket") } else { Ok(()) }
    }
}

#[cold]
fn elsewhere(doing: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "cannot {doing} from another thread than the event loop's; use \
         loop.call_soon_threadsafe() or asyncio.run_coroutine_threadsafe()"
    ))
}
