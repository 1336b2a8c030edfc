//! The thread that a connection belongs to: that of its event loop, as everything of asyncio's does.
//! And the process, as a fork's child has a thread of the same name.

use std::sync::atomic::{AtomicUsize, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::{call, process};

/// Where an event loop runs.
pub struct Home {
    event_loop: Py<PyAny>,
    /// The thread in which it ran last, as far as is known.
    thread: AtomicUsize,
    /// The process, as [`process::forks`] tells it.
    forks: usize,
}

impl Home {
    /// The caller's thread, in which `event_loop` runs.
    pub fn here(event_loop: Py<PyAny>) -> Self {
        Self { event_loop, thread: AtomicUsize::new(this_thread()), forks: process::forks() }
    }

    /// Whether this is a copy, in the child of a fork.
    #[inline]
    pub fn is_copy(&self) -> bool {
        self.forks != process::forks()
    }

    /// Whether the caller is in the thread of the event loop.
    ///
    /// # Errors
    /// `RuntimeError` in the child of a fork.
    #[inline]
    pub fn is_here(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.thread.load(Ordering::Relaxed) == this_thread() || self.moves_here(py)?)
    }

    /// A loop that has stopped may run on in another thread.
    #[cold]
    fn moves_here(&self, py: Python<'_>) -> PyResult<bool> {
        if self.is_copy() {
            let text = "this WebSocket belongs to the parent process; a child has to open its own";
            return Err(PyRuntimeError::new_err(text));
        }
        let running = call::method(py.import("asyncio")?.as_any(), "_get_running_loop", [])?;
        let moves = running.is(&self.event_loop);
        if moves {
            self.thread.store(this_thread(), Ordering::Relaxed);
        }
        Ok(moves)
    }

    /// Refuse another thread: its frame could land inside one of this thread's, and a wake-up of its
    /// loop would never come.
    #[inline]
    pub fn check(&self, py: Python<'_>, doing: &str) -> PyResult<()> {
        if self.is_here(py)? { Ok(()) } else { Err(elsewhere(doing)) }
    }

    /// Refuse another thread that may run at the same time, in a Python without the GIL. With it,
    /// looking at a connection is safe anywhere: nobody holds a borrow when it changes hands.
    #[inline]
    pub fn check_without_gil(&self, py: Python<'_>) -> PyResult<()> {
        if cfg!(Py_GIL_DISABLED) { self.check(py, "look at a WebSocket") } else { Ok(()) }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)
    }
}

/// No two threads of a process have the same, nor has one before a fork and after it: they are
/// addresses, far apart.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "it is as long as a pointer")]
fn this_thread() -> usize {
    // SAFETY: the call has no preconditions.
    unsafe { libc::pthread_self() as usize }.wrapping_add(process::forks())
}

#[cold]
fn elsewhere(doing: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "cannot {doing} from another thread than the event loop's; use \
         loop.call_soon_threadsafe() or asyncio.run_coroutine_threadsafe()"
    ))
}
