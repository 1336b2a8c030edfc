//! What asyncio and its event loops are asked on the path of every message, by short ways.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

use super::{call, names};

/// Where asyncio keeps the running tasks. Before 3.12 `asyncio.current_task` is written in Python,
/// 1,000 instructions above the dictionary that it looks into.
enum CurrentTask {
    Function(Py<PyAny>),
    Dict(Py<PyDict>),
}

/// `asyncio.current_task(event_loop) is not None`.
#[inline(always)]
pub fn in_task(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    static CURRENT_TASK: PyOnceLock<CurrentTask> = PyOnceLock::new();
    let py = event_loop.py();
    let lookup = CURRENT_TASK.get_or_try_init(py, || {
        if py.version_info() >= (3, 12) {
            let function = py.import("asyncio")?.getattr("current_task")?;
            return Ok(CurrentTask::Function(function.unbind()));
        }
        let tasks = py.import("asyncio.tasks")?.getattr("_current_tasks")?;
        PyResult::Ok(CurrentTask::Dict(tasks.cast_into::<PyDict>()?.unbind()))
    })?;
    Ok(match lookup {
        CurrentTask::Function(function) => {
            !call::function(function.bind(py), [event_loop])?.is_none()
        }
        CurrentTask::Dict(tasks) => tasks.bind(py).get_item(event_loop)?.is_some(),
    })
}

/// `event_loop.get_debug()`, if the loop does as asyncio's and uvloop's: in debug mode they let the
/// thread track where coroutines come from, which is asked for in a tenth of the instructions.
#[inline]
pub fn in_debug(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    static DEPTH: PyOnceLock<(Py<PyAny>, Py<PyAny>)> = PyOnceLock::new();
    let py = event_loop.py();
    let (depth, zero) = DEPTH.get_or_try_init(py, || {
        let depth = py.import("sys")?.getattr("get_coroutine_origin_tracking_depth")?;
        PyResult::Ok((depth.unbind(), 0_i32.into_pyobject(py)?.into_any().unbind()))
    })?;
    // CPython has one zero.
    if call::builtin(depth.bind(py), None)?.is(zero) {
        return Ok(false);
    }
    call::method(event_loop, names::get_debug(py), [])?.is_truthy()
}

/// Whether a task may run the loop from inside itself, as nest_asyncio lets it. It may be applied at
/// any time, and changes the loop's class.
#[inline]
pub fn is_nestable(event_loop: &Bound<'_, PyAny>) -> PyResult<bool> {
    /// The version of a class that is not. No two classes have the same; 0 stands for none.
    static PLAIN: AtomicU32 = AtomicU32::new(0);
    // SAFETY: the loop keeps its class alive.
    let version = || unsafe { (*ffi::Py_TYPE(event_loop.as_ptr())).tp_version_tag };
    let known = version();
    if known != 0 && known == PLAIN.load(Ordering::Relaxed) {
        return Ok(false);
    }
    let nestable = event_loop.get_type().hasattr("_nest_patched")?;
    if !nestable {
        PLAIN.store(version(), Ordering::Relaxed);
    }
    Ok(nestable)
}
