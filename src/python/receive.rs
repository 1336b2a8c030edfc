//! `Receive`: what `receive()` returns, an awaitable for the next message.
//!
//! When it has to wait, it yields the connection's future to the task. The message stays in the
//! inbox until the awaitable is resumed and takes it, so a cancellation that comes between the
//! wake-up and the resumption loses nothing.

use pyo3::exceptions::{
    PyRuntimeError, PyStopAsyncIteration, PyStopIteration, PyTimeoutError, PyTypeError,
};
use pyo3::prelude::*;
use pyo3::types::{PyFloat, PyList, PyType};

use super::message::Item;
use super::protocol::Protocol;
use super::response::WebSocketBase;
use super::settle::settle;
use super::slots::{Awaitable, Poll};
use super::{busy, call, flow, future, runtime, wake};

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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Not awaited yet.
    New,
    /// The same, but the socket has been polled.
    Polled,
    /// The protocol's reader; the task sleeps.
    Waiting,
    /// The task has been told to go on.
    Woken,
    /// The same, but what it finds may be that time is up.
    Expired,
    /// Has returned or raised.
    Done,
}

/// An awaitable for the next message.
#[pyclass(module = "wsclient._core", weakref)]
pub struct Receive {
    protocol: Py<Protocol>,
    /// Keeps the response, and so the connection, from being dropped while it is awaited.
    response: Option<Py<WebSocketBase>>,
    wanted: Wanted,
    /// Whether the connection has a `Dialect`.
    dialect: bool,
    /// Seconds.
    timeout: Option<f64>,
    state: State,
    timer: Option<Py<PyAny>>,
}

impl Receive {
    /// A new awaitable, or the connection's last one if nobody else holds it any more.
    pub fn of(
        response: &Bound<'_, WebSocketBase>,
        protocol: &Bound<'_, Protocol>,
        wanted: Wanted,
        timeout: Option<f64>,
    ) -> PyResult<Py<Self>> {
        let py = protocol.py();
        let dialect = response.get().dialect;
        let response = Some(response.clone().unbind());
        if let Some(spare) = &protocol.borrow().spare
            && runtime::is_only_reference(spare)
        {
            let mut me = spare.bind(py).borrow_mut();
            me.response = response;
            me.wanted = wanted;
            me.dialect = dialect;
            me.timeout = timeout;
            me.state = State::New;
            return Ok(spare.clone_ref(py));
        }
        let new = Self {
            protocol: protocol.clone().unbind(),
            response,
            wanted,
            dialect,
            timeout,
            state: State::New,
            timer: None,
        };
        Py::new(py, new)
    }

    /// Let the task go on, inside this call if that is possible.
    pub fn wake(slf: Bound<'_, Self>) -> PyResult<()> {
        Self::go_on(slf, State::Woken)
    }

    fn go_on(slf: Bound<'_, Self>, state: State) -> PyResult<()> {
        let py = slf.py();
        let protocol = {
            let mut me = slf.borrow_mut();
            if me.state != State::Waiting {
                return Ok(());
            }
            me.state = state;
            me.protocol.clone_ref(py).into_bound(py)
        };
        // The task's next receive() may use this object again.
        drop(slf);
        let (event_loop, future) = {
            let connection = protocol.borrow();
            let Some(future) = &connection.future else {
                return Ok(());
            };
            (
                connection.event_loop.clone_ref(py).into_bound(py),
                future.clone_ref(py).into_bound(py),
            )
        };
        if wake::wake(&event_loop, &future)? == wake::Future::Spent {
            protocol.borrow_mut().forget_future(&future);
        }
        Ok(())
    }

    /// Be done. What is returned is to be dropped when no borrow is held: it may be the last
    /// reference to the response.
    fn finish(&mut self) -> Option<Py<WebSocketBase>> {
        self.state = State::Done;
        self.response.take()
    }

    /// Wait no longer; what arrives is for another `receive()`.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (protocol, timer, response) = {
            let mut me = slf.borrow_mut();
            (me.protocol.clone_ref(py), me.timer.take(), me.finish())
        };
        protocol.bind(py).borrow_mut().stop_reading(slf);
        drop(response);
        cancel_timer(py, timer)
    }
}

impl Awaitable for Receive {
    /// Return what is wanted, or else go to sleep as the protocol's reader and return the future
    /// to wait for.
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        let mut me = slf.borrow_mut();
        let state = me.state;
        match state {
            State::Done => {
                return Err(PyRuntimeError::new_err("cannot reuse already awaited receive()"));
            }
            State::Waiting => return Err(concurrent()),
            State::New | State::Polled | State::Woken | State::Expired => {}
        }
        // Bound: a reference that is not asks, when it is dropped, whether it may be.
        let protocol = &me.protocol.clone_ref(py).into_bound(py);
        let mut connection = protocol.borrow_mut();
        if state == State::New && connection.has_reader(py)? {
            let response = me.finish();
            drop((me, connection));
            drop(response);
            return Err(concurrent());
        }
        if connection.has_message() {
            connection.reader = None;
            if connection.spare.is_none() && !connection.ending.lost {
                connection.spare = Some(slf.clone().unbind());
            }
            let (wanted, dialect) = (me.wanted, me.dialect);
            let (timer, response) = (me.timer.take(), me.finish().map(|held| held.into_bound(py)));
            drop((me, connection));
            cancel_timer(py, timer)?;
            let taken = take(protocol, wanted, dialect).map(Poll::Ready);
            drop(response);
            return taken;
        }
        if state == State::Expired {
            connection.reader = None;
            let seconds = me.timeout.unwrap_or_default();
            let response = me.finish();
            drop((me, connection));
            drop(response);
            return Err(PyTimeoutError::new_err(format!("no message within {seconds} s")));
        }
        if connection.ending.has_answer_to_give() {
            connection.answer_end();
            drop((me, connection));
            settle(protocol)?;
            return Self::poll(slf);
        }
        if state == State::New && connection.busy.is_on() {
            me.state = State::Polled;
            let timeout = me.timeout;
            drop((me, connection));
            busy::poll(protocol, timeout)?;
            return Self::poll(slf);
        }
        connection.busy.give_way();
        connection.reader = Some(slf.clone().unbind());
        me.state = State::Waiting;
        let timeout = if matches!(state, State::New | State::Polled) { me.timeout } else { None };
        let future = connection.future.as_ref().map(|future| future.clone_ref(py));
        drop((me, connection));
        let future = match future {
            Some(future) => future.into_bound(py),
            None => Protocol::new_future(protocol)?,
        };
        if let Some(seconds) = timeout {
            let event_loop = protocol.borrow().event_loop.clone_ref(py);
            let expire = slf.getattr("_expire")?;
            let seconds = PyFloat::new(py, seconds);
            let timer = call::method(event_loop.bind(py), "call_later", [&seconds, &expire])?;
            slf.borrow_mut().timer = Some(timer.unbind());
        }
        future::set_blocking(&future)?;
        Ok(Poll::Pending(future.unbind()))
    }
}

fn cancel_timer(py: Python<'_>, timer: Option<Py<PyAny>>) -> PyResult<()> {
    timer.map_or(Ok(()), |timer| call::method(timer.bind(py), "cancel", []).map(drop))
}

/// The error for a second reader.
pub fn concurrent() -> PyErr {
    PyRuntimeError::new_err("another task is already waiting in receive()")
}

/// Take what is wanted; there is at least one message.
///
/// `dialect` is whether the connection has one.
pub fn take(protocol: &Bound<'_, Protocol>, wanted: Wanted, dialect: bool) -> PyResult<Py<PyAny>> {
    let py = protocol.py();
    let make = |item: Item| {
        if dialect { item.into_dialect(protocol) } else { item.into_message(py) }
    };
    if wanted == Wanted::All {
        let messages = PyList::empty(py);
        // Not by `take`: an error among them is not the end before its batch has been answered.
        loop {
            let Some(item) = protocol.borrow_mut().inbox.pop() else { break };
            flow::refill(protocol)?;
            messages.append(make(item)?)?;
        }
        if messages.is_empty()
            && let Some(message) = take_one(protocol)?
        {
            messages.append(message)?;
        }
        return Ok(messages.into_any().unbind());
    }
    let Some(item) = protocol.borrow_mut().take(py) else {
        return Err(PyRuntimeError::new_err("the message was taken by another reader"));
    };
    finish_take(protocol, Some(&item))?;
    if wanted == Wanted::Next && item.kind.ends_iteration() {
        return Err(PyStopAsyncIteration::new_err(()));
    }
    make(item)
}

/// Take the next message, if there is one.
pub fn take_one(protocol: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    let py = protocol.py();
    let item = protocol.borrow_mut().take(py);
    finish_take(protocol, item.as_ref())?;
    item.map(|item| item.into_dialect(protocol)).transpose()
}

/// Do what taking `item` made possible: answer the peer's end, or read on.
fn finish_take(protocol: &Bound<'_, Protocol>, item: Option<&Item>) -> PyResult<()> {
    if item.is_none_or(|item| item.kind.is_end()) {
        settle(protocol)?;
    }
    flow::refill(protocol)
}

/// The exception that `throw(exc, value, traceback)` means.
pub fn thrown(
    exc: &Bound<'_, PyAny>,
    value: Option<&Bound<'_, PyAny>>,
    traceback: Option<&Bound<'_, PyAny>>,
) -> PyResult<PyErr> {
    let instance = match (exc.cast::<PyType>(), value) {
        (Ok(_), Some(value)) if value.is_instance(exc)? => value.clone(),
        (Ok(class), Some(value)) if !value.is_none() => call::function(class, [value])?,
        (Ok(class), _) => call::function(class, [])?,
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

    /// Replaced by `slots::next`, which does the same.
    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Py<PyAny>> {
        match Self::poll(slf)? {
            Poll::Ready(value) => Err(PyStopIteration::new_err((value,))),
            Poll::Pending(future) => Ok(future),
        }
    }

    fn send(slf: &Bound<'_, Self>, value: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        if !value.is_none() && slf.borrow().state == State::New {
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

    /// The timer's callback.
    fn _expire(slf: Bound<'_, Self>) -> PyResult<()> {
        slf.borrow_mut().timer = None;
        Self::go_on(slf, State::Expired)
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
        visit.call(&self.response)?;
        visit.call(&self.timer)
    }

    fn __clear__(&mut self) {
        self.response = None;
        self.timer = None;
        self.state = State::Done;
    }
}
