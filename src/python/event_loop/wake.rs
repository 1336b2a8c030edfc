//! Zero-hop wake-up: a waiting task runs inside the read event that has its message, instead of
//! being queued for the loop's next pass. That saves the loop's queue, a `Handle`, and on asyncio a
//! second `epoll_wait` for each message.
//!
//! The task waits for an ordinary `asyncio.Future`, which is never finished: its callback is taken
//! from it and called. What a task does about a future of another class, by attributes and method
//! calls, costs 1,000 instructions a message more; and cancellation is asyncio's own affair.

use pyo3::prelude::*;

use crate::python::cpython::context::Entered;
use crate::python::cpython::{call, future, memory, names, tasks};
use crate::python::values::errors;

/// What became of the future that a task waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Future {
    /// The task has run; the future is as new.
    Reusable,
    /// The future is finished or cancelled.
    Spent,
}

/// Let whoever waits for `future` go on: at once if this pass of the loop runs no task (a task
/// cannot be entered from inside another, nor a context that is already entered), else soon.
///
/// Soon as well in debug mode, where a slow task is to be named, not the read that it runs in; and
/// where a task may run the loop, which could not read again before the first read is over.
///
/// # Errors
/// `KeyboardInterrupt` and `SystemExit` from the task; anything else that escapes goes to the
/// loop's exception handler, as for a callback that the loop itself runs.
pub fn wake(event_loop: &Bound<'_, PyAny>, future: &Bound<'_, PyAny>) -> PyResult<Future> {
    let py = event_loop.py();
    let Some((function, context)) = future::only_callback(future) else {
        return finish(future);
    };
    if tasks::in_task(event_loop)?
        || tasks::in_debug(event_loop)?
        || tasks::is_nestable(event_loop)?
    {
        return finish(future);
    }
    let Some(entered) = Entered::enter(&context) else {
        return finish(future);
    };
    future::remove_callback(future, &function)?;
    #[cfg(Py_3_14)]
    future::forget_waiter(future, &function)?;
    let result = call::builtin(&function, Some(future::finished(py)?.bind(py)));
    drop(entered);
    match result {
        Ok(_) => {}
        Err(error) if errors::ends_the_loop(py, &error) => return Err(error),
        Err(error) => {
            let report = memory::dict(py)?;
            let text = memory::string(py, "Exception in the wake-up of a receive()")?;
            report.set_item(names::message(py), text)?;
            report.set_item(names::exception(py), error)?;
            call::method(event_loop, names::call_exception_handler(py), [&report])?;
        }
    }
    Ok(Future::Reusable)
}

fn finish(future: &Bound<'_, PyAny>) -> PyResult<Future> {
    future::finish(future)?;
    Ok(Future::Spent)
}
