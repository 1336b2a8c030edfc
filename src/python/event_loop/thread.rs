//! The thread that a connection belongs to: that of its event loop, as everything of asyncio's does.
//! And the process, as a fork's child has a thread of the same name.

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi::PyObject;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::{PyTraverseError, PyVisit, intern};

use crate::python::cpython::{call, process};

/// What a caller in another thread is to do.
pub const INSTEAD: &str = "use asyncio.run_coroutine_threadsafe()";

/// Where an event loop runs.
pub struct Home {
    event_loop: Py<PyAny>,
    /// The thread in which it ran last, as far as is known.
    thread: AtomicUsize,
    /// The process, as [`process::forks`] tells it.
    forks: usize,
}

/// Where a caller is, as a connection sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the thread of its event loop.
    Here,
    /// In another.
    Elsewhere,
    /// Wherever that is: its event loop is closed.
    LoopClosed,
}

impl Home {
    /// The caller's thread, in which `event_loop` runs.
    pub fn here(event_loop: Py<PyAny>) -> Self {
        Self { event_loop, thread: AtomicUsize::new(this_thread()), forks: process::forks() }
    }

    /// The event loop.
    #[inline]
    pub fn event_loop<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.event_loop.clone_ref(py).into_bound(py)
    }

    /// Whether this is a copy, in the child of a fork.
    #[inline]
    pub fn is_copy(&self) -> bool {
        self.forks != process::forks()
    }

    /// Whether a task runs that a message has woken: the short way to know that the caller is in the
    /// thread of the event loop, and that this is open. If not, [`Home::place`] knows.
    #[inline]
    pub fn is_awake(&self) -> bool {
        AWAKE.load(Ordering::Relaxed) == self.event_loop.as_ptr() && self.is_here()
    }

    /// Whether it was in the caller's thread that the event loop ran last.
    #[inline]
    fn is_here(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == this_thread()
    }

    /// Where the caller is.
    ///
    /// # Errors
    /// `RuntimeError` in the child of a fork.
    pub fn place(&self, py: Python<'_>) -> PyResult<Place> {
        if self.is_copy() {
            return Err(inherited());
        }
        if running_loop(py)?.is(&self.event_loop) {
            self.arrive();
            return Ok(Place::Here);
        }
        let event_loop = self.event_loop.bind(py);
        let asked = |name| call::method(event_loop, name, [])?.is_truthy();
        if asked(intern!(py, "is_closed"))? {
            return Ok(Place::LoopClosed);
        }
        // It may run on in another thread, where nothing has come here yet.
        let here = self.is_here() && !asked(intern!(py, "is_running"))?;
        Ok(if here { Place::Here } else { Place::Elsewhere })
    }

    /// The event loop runs in the caller's thread: one that has stopped may run on in another.
    #[inline]
    fn arrive(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
    }

    /// Whether the event loop is closed, and with it whatever belonged to it.
    pub fn is_closed(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(!self.is_awake() && self.place(py)? == Place::LoopClosed)
    }

    /// Refuse another thread: its frame could land inside one of this thread's, and a wake-up of its
    /// loop would never come. Refuse a closed loop as well.
    #[inline]
    pub fn check(&self, py: Python<'_>, doing: &str) -> PyResult<()> {
        if self.is_awake() {
            return Ok(());
        }
        match self.place(py)? {
            Place::Here => Ok(()),
            Place::Elsewhere => Err(elsewhere(doing)),
            Place::LoopClosed => Err(loop_closed(doing)),
        }
    }

    /// Refuse another thread that may run at the same time, in a Python without the GIL. With it,
    /// looking at a connection is safe anywhere: nobody holds a borrow when it changes hands.
    #[inline]
    pub fn check_without_gil(&self, py: Python<'_>) -> PyResult<()> {
        if !cfg!(Py_GIL_DISABLED) || self.is_awake() || self.place(py)? != Place::Elsewhere {
            return Ok(());
        }
        Err(elsewhere("look at a WebSocket"))
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)
    }
}

/// The event loop of a task that a message has woken and that has not gone to sleep again. Where
/// several threads have one, it may be null: whoever begins writes its own loop, whoever ends null.
static AWAKE: AtomicPtr<PyObject> = AtomicPtr::new(ptr::null_mut());

/// Until this is dropped, a task of an event loop is awake in this thread.
pub struct Awake(());

impl Awake {
    #[inline]
    pub fn begin(home: &Home) -> Self {
        home.arrive();
        AWAKE.store(home.event_loop.as_ptr(), Ordering::Relaxed);
        Self(())
    }
}

impl Drop for Awake {
    #[inline]
    fn drop(&mut self) {
        AWAKE.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

/// Look up what is needed, while that can be done.
pub fn prepare(py: Python<'_>) -> PyResult<()> {
    running_loop(py).map(drop)
}

/// The event loop that runs in this thread, or `None` in Python's sense.
fn running_loop(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static FUNCTION: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    call::builtin(FUNCTION.import(py, "asyncio", "_get_running_loop")?, None)
}

/// No two threads of a process have the same, nor has one before a fork and after it: they are
/// addresses, far apart.
#[inline]
fn this_thread() -> usize {
    process::thread_number().wrapping_add(process::forks())
}

/// The error for the child of a fork.
#[cold]
fn inherited() -> PyErr {
    let text = "this WebSocket belongs to the parent process; a child has to open its own";
    PyRuntimeError::new_err(text)
}

/// The error for another thread than the event loop's.
#[cold]
pub fn elsewhere(doing: &str) -> PyErr {
    PyRuntimeError::new_err(format!(
        "cannot {doing} from another thread than the event loop's; {INSTEAD} or \
         loop.call_soon_threadsafe()"
    ))
}

/// The error for a WebSocket whose event loop is closed.
#[cold]
pub fn loop_closed(doing: &str) -> PyErr {
    PyRuntimeError::new_err(format!("cannot {doing}: the WebSocket's event loop is closed"))
}
