//! Zero-hop wake-up: a waiting task runs inside the read event that has its message, instead of
//! being queued for the loop's next pass. That saves the loop's queue, a `Handle`, and on asyncio a
//! second `epoll_wait` for each message.

use pyo3::exceptions::{PyKeyboardInterrupt, PySystemExit};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use super::runtime;

/// A task's wake-up and the context to run it in, as given to `add_done_callback`.
pub struct Callback {
    pub function: Py<PyAny>,
    pub context: Py<PyAny>,
}

impl Callback {
    /// Call `function(argument)` at once if this pass of the loop runs no task: a task cannot be
    /// entered from inside another, nor a context that is already entered. Else call it soon.
    ///
    /// # Errors
    /// `KeyboardInterrupt` and `SystemExit` from the task; anything else that escapes goes to the
    /// loop's exception handler, as for a callback that the loop itself runs.
    pub fn run(self, event_loop: &Bound<'_, PyAny>, argument: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = event_loop.py();
        if runtime::in_task(event_loop)? {
            return self.run_soon(event_loop, argument);
        }
        let Some(entered) = Entered::enter(self.context.bind(py)) else {
            return self.run_soon(event_loop, argument);
        };
        let result = self.function.call1(py, (argument,));
        drop(entered);
        match result {
            Ok(_) => Ok(()),
            Err(error)
                if error.is_instance_of::<PyKeyboardInterrupt>(py)
                    || error.is_instance_of::<PySystemExit>(py) =>
            {
                Err(error)
            }
            Err(error) => {
                let report = PyDict::new(py);
                report.set_item("message", "Exception in the wake-up of a receive()")?;
                report.set_item("exception", error)?;
                event_loop
                    .call_method1("call_exception_handler", (report,))
                    .map(drop)
            }
        }
    }

    /// Call `function(argument)` in the loop's next pass.
    pub fn run_soon(
        self,
        event_loop: &Bound<'_, PyAny>,
        argument: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let py = event_loop.py();
        let kwargs = PyDict::new(py);
        kwargs.set_item("context", &self.context)?;
        event_loop
            .call_method("call_soon", (self.function, argument), Some(&kwargs))
            .map(drop)
    }
}

/// The context to run a callback in when none was given, as for `asyncio.Future`.
pub fn current_context(py: Python<'_>) -> PyResult<Py<PyAny>> {
    // SAFETY: the thread is attached; the call returns a new reference, or null with an error set.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyContext_CopyCurrent()) }.map(Bound::unbind)
}

/// A context that is entered until this is dropped.
struct Entered<'a, 'py>(&'a Bound<'py, PyAny>);

impl<'a, 'py> Entered<'a, 'py> {
    /// `None` if the context is already entered (or is no context at all).
    fn enter(context: &'a Bound<'py, PyAny>) -> Option<Self> {
        // SAFETY: the thread is attached, and CPython itself checks that this is a context.
        if unsafe { ffi::PyContext_Enter(context.as_ptr()) } == 0 {
            return Some(Self(context));
        }
        drop(PyErr::take(context.py()));
        None
    }
}

impl Drop for Entered<'_, '_> {
    fn drop(&mut self) {
        // SAFETY: the thread is attached, and the context was entered by this thread in `enter`.
        if unsafe { ffi::PyContext_Exit(self.0.as_ptr()) } != 0 {
            // The callback left another context entered; only it can be at fault.
            if let Some(error) = PyErr::take(self.0.py()) {
                error.write_unraisable(self.0.py(), Some(self.0));
            }
        }
    }
}
