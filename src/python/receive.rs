//! `Receive`: what `receive()` returns, an awaitable that is its own future.
//!
//! When it has to wait, it yields itself, and the task finds in it what it asks of a future:
//! `_asyncio_future_blocking`, `add_done_callback`, `cancel`, `result`. The message stays in the
//! inbox until the awaitable is resumed and takes it, so a cancellation that comes between the
//! wake-up and the resumption loses nothing.

use pyo3::exceptions::{
    PyRuntimeError, PyStopAsyncIteration, PyStopIteration, PyTimeoutError, PyTypeError,
};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyType};

use super::flow;
use super::message::Message;
use super::protocol::Protocol;
use super::runtime::CancelledError;
use super::wake::{self, Callback};

/// What the awaitable is to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The next message.
    One,
    /// The next message, or the end of an `async for`.
    Next,
    /// All messages that are there, at least one.
    All,
}

enum State {
    /// Not awaited yet.
    New,
    /// The protocol's reader; the task sleeps.
    Waiting,
    /// The task has been told to go on.
    Woken,
    /// The same, but what it finds may be that time is up.
    Expired,
    /// The same, and it will find a cancellation with this message.
    Cancelled(Py<PyAny>),
    /// Has returned or raised.
    Done,
}

/// An awaitable for the next message.
#[pyclass(module = "wsclient._core", weakref)]
pub struct Receive {
    protocol: Py<Protocol>,
    wanted: Wanted,
    /// Seconds.
    timeout: Option<f64>,
    state: State,
    /// asyncio's marker of a future: `None` unless this is one just now, true when it has been
    /// yielded and the task has not taken note of it.
    blocking: Option<bool>,
    callback: Option<Callback>,
    timer: Option<Py<PyAny>>,
}

impl Receive {
    pub fn new(protocol: Py<Protocol>, wanted: Wanted, timeout: Option<f64>) -> Self {
        Self {
            protocol,
            wanted,
            timeout,
            state: State::New,
            blocking: None,
            callback: None,
            timer: None,
        }
    }

    /// Let the task go on, inside this call if that is possible.
    pub fn wake(slf: &Bound<'_, Self>) -> PyResult<()> {
        let callback = {
            let mut me = slf.borrow_mut();
            if !matches!(me.state, State::Waiting) {
                return Ok(());
            }
            me.state = State::Woken;
            me.callback.take()
        };
        Self::run(slf, callback)
    }

    fn run(slf: &Bound<'_, Self>, callback: Option<Callback>) -> PyResult<()> {
        match callback {
            Some(callback) => callback.run(Self::event_loop(slf).bind(slf.py()), slf.as_any()),
            None => Ok(()),
        }
    }

    fn event_loop(slf: &Bound<'_, Self>) -> Py<PyAny> {
        let py = slf.py();
        slf.borrow()
            .protocol
            .bind(py)
            .borrow()
            .event_loop
            .clone_ref(py)
    }

    /// Return what is wanted, or `None` to go to sleep as the protocol's reader.
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        let mut me = slf.borrow_mut();
        let first = match &me.state {
            State::New => true,
            State::Waiting | State::Woken | State::Expired => false,
            State::Cancelled(_) => {
                drop(me);
                Self::result(slf)?;
                return Ok(None);
            }
            State::Done => {
                return Err(PyRuntimeError::new_err(
                    "cannot reuse already awaited receive()",
                ));
            }
        };
        let protocol = me.protocol.clone_ref(py);
        let protocol = protocol.bind(py);
        let mut connection = protocol.borrow_mut();
        if first && connection.reader.is_some() {
            me.state = State::Done;
            return Err(concurrent());
        }
        if connection.has_message() {
            connection.reader = None;
            me.state = State::Done;
            let (wanted, timer) = (me.wanted, me.timer.take());
            drop((me, connection));
            cancel_timer(py, timer)?;
            return take(protocol, wanted).map(Some);
        }
        if matches!(me.state, State::Expired) {
            connection.reader = None;
            me.state = State::Done;
            let seconds = me.timeout.unwrap_or_default();
            return Err(PyTimeoutError::new_err(format!(
                "no message within {seconds} s"
            )));
        }
        connection.reader = Some(slf.clone().unbind());
        me.state = State::Waiting;
        me.blocking = Some(true);
        let timeout = if first { me.timeout } else { None };
        drop((me, connection));
        if let Some(seconds) = timeout {
            let event_loop = Self::event_loop(slf);
            let expire = slf.getattr("_expire")?;
            let timer = event_loop.call_method1(py, "call_later", (seconds, expire))?;
            slf.borrow_mut().timer = Some(timer);
        }
        Ok(None)
    }

    /// Wait no longer; what arrives is for another `receive()`.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (protocol, timer) = {
            let mut me = slf.borrow_mut();
            me.state = State::Done;
            me.callback = None;
            (me.protocol.clone_ref(py), me.timer.take())
        };
        protocol.bind(py).borrow_mut().stop_reading(slf);
        cancel_timer(py, timer)
    }
}

fn cancel_timer(py: Python<'_>, timer: Option<Py<PyAny>>) -> PyResult<()> {
    timer.map_or(Ok(()), |timer| timer.call_method0(py, "cancel").map(drop))
}

/// The error for a second reader.
pub fn concurrent() -> PyErr {
    PyRuntimeError::new_err("another task is already waiting in receive()")
}

/// Take what is wanted; there is at least one message.
pub fn take(protocol: &Bound<'_, Protocol>, wanted: Wanted) -> PyResult<Py<PyAny>> {
    let py = protocol.py();
    if wanted == Wanted::All {
        let messages = PyList::empty(py);
        while let Some(message) = take_one(protocol)? {
            messages.append(message)?;
            if protocol.borrow().inbox.is_empty() {
                break;
            }
        }
        return Ok(messages.into_any().unbind());
    }
    let Some(item) = protocol.borrow_mut().take(py) else {
        return Err(PyRuntimeError::new_err(
            "the message was taken by another reader",
        ));
    };
    flow::refill(protocol)?;
    if wanted == Wanted::Next && item.kind.ends_iteration() {
        return Err(PyStopAsyncIteration::new_err(()));
    }
    Ok(item.into_message(py)?.into_any())
}

/// Take the next message, if there is one.
pub fn take_one(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<Message>>> {
    let py = protocol.py();
    let item = protocol.borrow_mut().take(py);
    flow::refill(protocol)?;
    item.map(|item| item.into_message(py)).transpose()
}

/// The exception that `throw(exc, value, traceback)` means.
pub fn thrown(
    exc: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
    traceback: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyErr> {
    let instance = match (exc.cast::<PyType>(), value) {
        (Ok(_), Some(value)) if value.is_instance(exc)? => value.clone(),
        (Ok(class), Some(value)) if !value.is_none() => class.call1((value,))?,
        (Ok(class), _) => class.call0()?,
        (Err(_), _) => exc.clone(),
    };
    if let Some(traceback) = traceback.filter(|traceback| !traceback.is_none()) {
        instance.setattr("__traceback__", traceback)?;
    }
    Ok(PyErr::from_value(instance))
}

#[pymethods]
impl Receive {
    fn __await__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        match Self::poll(slf)? {
            Some(value) => Err(PyStopIteration::new_err((value,))),
            None => Ok(slf.clone().into_any().unbind()),
        }
    }

    fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if !value.is_none() && matches!(slf.borrow().state, State::New) {
            let message = "can't send non-None value to a just-started receive()";
            return Err(PyTypeError::new_err(message));
        }
        Self::__next__(slf)
    }

    #[pyo3(signature = (exc, value = None, traceback = None))]
    fn throw(
        slf: &Bound<'_, Self>,
        exc: &Bound<'_, PyAny>,
        value: Option<&Bound<'_, PyAny>>,
        traceback: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        Self::leave(slf)?;
        Err(thrown(exc, value, traceback)?)
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::leave(slf)
    }

    #[getter(_asyncio_future_blocking)]
    fn blocking(&self) -> Option<bool> {
        self.blocking
    }

    #[setter(_asyncio_future_blocking)]
    fn set_blocking(&mut self, value: bool) {
        self.blocking = Some(value);
    }

    fn get_loop(slf: &Bound<'_, Self>) -> Py<PyAny> {
        Self::event_loop(slf)
    }

    #[pyo3(signature = (function, /, *, context = None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        function: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        let context = match context {
            Some(context) => context,
            None => wake::current_context(py)?,
        };
        let callback = Callback { function, context };
        let mut me = slf.borrow_mut();
        if matches!(me.state, State::Waiting) {
            if me.callback.is_some() {
                return Err(concurrent());
            }
            me.callback = Some(callback);
            return Ok(());
        }
        drop(me);
        callback.run_soon(Self::event_loop(slf).bind(py), slf.as_any())
    }

    /// Called by the task that is cancelled, from within another task: never wakes at once.
    #[pyo3(signature = (msg = None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let py = slf.py();
        let (protocol, callback) = {
            let mut me = slf.borrow_mut();
            if !matches!(me.state, State::Waiting) {
                return Ok(false);
            }
            me.state = State::Cancelled(msg.unwrap_or_else(|| py.None()));
            (me.protocol.clone_ref(py), me.callback.take())
        };
        protocol.bind(py).borrow_mut().stop_reading(slf);
        if let Some(callback) = callback {
            callback.run_soon(Self::event_loop(slf).bind(py), slf.as_any())?;
        }
        Ok(true)
    }

    fn cancelled(&self) -> bool {
        matches!(self.state, State::Cancelled(_))
    }

    fn done(&self) -> bool {
        !matches!(self.state, State::New | State::Waiting)
    }

    /// What the task asks when it goes on: an error to throw, or `None` to resume.
    fn result(slf: &Bound<'_, Self>) -> PyResult<()> {
        match &slf.borrow().state {
            State::Cancelled(message) if message.is_none(slf.py()) => {
                Err(CancelledError::new_err(()))
            }
            State::Cancelled(message) => {
                Err(CancelledError::new_err((message.clone_ref(slf.py()),)))
            }
            _ => Ok(()),
        }
    }

    /// The timer's callback.
    fn _expire(slf: &Bound<'_, Self>) -> PyResult<()> {
        let callback = {
            let mut me = slf.borrow_mut();
            if !matches!(me.state, State::Waiting) {
                return Ok(());
            }
            me.state = State::Expired;
            me.timer = None;
            me.callback.take()
        };
        Self::run(slf, callback)
    }

    #[getter]
    fn __name__(&self) -> &'static str {
        "receive"
    }

    #[getter]
    fn __qualname__(&self) -> &'static str {
        "ClientWebSocketResponse.receive"
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.protocol)?;
        visit.call(&self.timer)?;
        if let Some(callback) = &self.callback {
            visit.call(&callback.function)?;
            visit.call(&callback.context)?;
        }
        if let State::Cancelled(message) = &self.state {
            visit.call(message)?;
        }
        Ok(())
    }

    fn __clear__(&mut self) {
        self.callback = None;
        self.timer = None;
        self.state = State::Done;
    }
}
