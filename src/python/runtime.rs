//! What the binding needs of Python itself, looked up once.

use std::sync::atomic::{AtomicU32, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString};

use super::{call, future, names, thread};

pyo3::import_exception!(wsclient.exceptions, ClientConnectionResetError);
pyo3::import_exception!(wsclient.exceptions, ServerDisconnectedError);
pyo3::import_exception!(wsclient.exceptions, WebSocketError);

/// Look up and make what serves all connections, so that nothing of it is wanted when memory has run
/// out, or when Python is ending and imports nothing more.
pub fn prepare(event_loop: &Bound<'_, PyAny>) -> PyResult<()> {
    static PREPARED: PyOnceLock<()> = PyOnceLock::new();
    let py = event_loop.py();
    let prepared = PREPARED.get_or_try_init(py, || {
        py.get_type::<ClientConnectionResetError>();
        py.get_type::<ServerDisconnectedError>();
        py.get_type::<WebSocketError>();
        Kind::Text.member(py)?;
        no_extra(py)?;
        finished_future(py)?;
        in_task(event_loop)?;
        thread::prepare(py)?;
        future::prepare(py)
    });
    prepared.copied()
}

/// Refuse to be imported by another interpreter than the process's first: classes and much else are
/// kept once for the process. CPython asks for that itself only of interpreters with their own GIL.
///
/// # Errors
/// `ImportError`.
pub fn refuse_subinterpreter() -> PyResult<()> {
    // SAFETY: the thread is attached, as the module is being imported.
    if unsafe { ffi::PyInterpreterState_Get() == ffi::PyInterpreterState_Main() } {
        return Ok(());
    }
    let text = "wsclient works in the main interpreter only, not in a subinterpreter";
    Err(PyImportError::new_err(text))
}

/// The types that `receive()` returns messages of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Binary,
    Close,
    Ping,
    Pong,
    Closing,
    Closed,
    Error,
}

impl Kind {
    pub const COUNT: usize = 8;

    pub const ALL: [Self; Self::COUNT] = [
        Self::Text,
        Self::Binary,
        Self::Close,
        Self::Ping,
        Self::Pong,
        Self::Closing,
        Self::Closed,
        Self::Error,
    ];

    /// The members of `wsclient.MsgType`, in the order of the variants.
    pub const NAMES: [&str; Self::COUNT] =
        ["text", "binary", "close", "ping", "pong", "closing", "closed", "error"];

    /// The member of `wsclient.MsgType`.
    #[inline]
    pub fn member(self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        static MEMBERS: PyOnceLock<Vec<Py<PyAny>>> = PyOnceLock::new();
        let members = MEMBERS.get_or_try_init(py, || {
            let msg_type = py.import("wsclient.types")?.getattr("MsgType")?;
            Self::NAMES.iter().map(|name| Ok(msg_type.getattr(*name)?.unbind())).collect()
        });
        Ok(members.map_err(|error: PyErr| error)?[self as usize].clone_ref(py))
    }

    /// Which kind a member of `wsclient.MsgType` stands for.
    pub fn of(member: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        for kind in Self::ALL {
            if kind.member(member.py())?.is(member) {
                return Ok(Some(kind));
            }
        }
        Ok(None)
    }

    /// Whether a message of this kind may be the last before the connection's end is to be answered.
    pub fn is_end(self) -> bool {
        matches!(self, Self::Error | Self::Close)
    }

    /// Whether a message of this kind ends an `async for`.
    pub fn ends_iteration(self) -> bool {
        matches!(self, Self::Close | Self::Closing | Self::Closed)
    }
}

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

/// Whether nobody else holds the object, so that it can be made another.
#[inline]
pub fn is_only_reference<T>(object: &Py<T>) -> bool {
    // Without the GIL, a count of one proves nothing.
    // SAFETY: the object is alive, as `object` holds it.
    cfg!(not(Py_GIL_DISABLED)) && unsafe { ffi::Py_REFCNT(object.as_ptr()) } == 1
}

/// An `asyncio.Future` that has the result `None`.
pub fn finished_future(py: Python<'_>) -> PyResult<&Py<PyAny>> {
    static FINISHED: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    FINISHED.get_or_try_init(py, || {
        // It belongs to no loop, as it outlives them all; nothing is ever scheduled for it.
        let future = future::new(Bound::new(py, NoLoop)?.as_any())?;
        call::method(&future, names::set_result(py), [py.None().bind(py)])?;
        Ok(future.unbind())
    })
}

/// What a future asks of its loop when it is made.
#[pyclass(frozen)]
struct NoLoop;

#[pymethods]
impl NoLoop {
    fn get_debug(&self) -> bool {
        false
    }
}

/// The `extra` of messages that have none.
#[inline]
pub fn no_extra(py: Python<'_>) -> PyResult<Py<PyAny>> {
    static EMPTY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let empty =
        EMPTY.get_or_try_init(py, || PyResult::Ok(PyString::new(py, "").into_any().unbind()));
    empty.map(|empty| empty.clone_ref(py))
}
