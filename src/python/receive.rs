//! `Receive`: what `receive()` returns, an awaitable for the next message.
//!
//! When it has to wait, it yields the connection's future to the task. The message stays in the
//! inbox until the awaitable is resumed and takes it, so a cancellation that comes between the
//! wake-up and the resumption loses nothing.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration, PyTimeoutError, PyTypeError};
use pyo3::prelude::*;

use super::protocol::Protocol;
use super::reader::{concurrent, take};
use super::response::WebSocketBase;
use super::settle::settle;
use super::slots::{Awaitable, Poll, thrown};
use super::thread::Awake;
use super::{busy, call, future, memory, names, runtime, unawaited, wake};

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
    /// The same, and made in another thread than the event loop's.
    Elsewhere,
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
    /// A new awaitable, or the connection's last one if nobody else holds it any more. Out of the
    /// connection's hands it warns at once if it is dropped unawaited.
    pub fn of(
        response: &Bound<'_, WebSocketBase>,
        protocol: &Bound<'_, Protocol>,
        wanted: Wanted,
        timeout: Option<f64>,
    ) -> PyResult<Py<Self>> {
        let spare = protocol.borrow_mut().spare.take_if(|spare| runtime::is_only_reference(spare));
        let receive = match spare {
            Some(spare) => spare,
            None => Self::blank(protocol)?,
        };
        receive.bind(protocol.py()).borrow_mut().begin(response, wanted, timeout, State::New);
        Ok(receive)
    }

    /// What `receive()` returns in another thread than the event loop's: it looks at the connection
    /// only when the loop runs it.
    #[cold]
    pub fn elsewhere(
        response: &Bound<'_, WebSocketBase>,
        protocol: &Bound<'_, Protocol>,
        wanted: Wanted,
        timeout: Option<f64>,
    ) -> PyResult<Py<Self>> {
        let receive = Self::blank(protocol)?;
        let mut me = receive.bind(protocol.py()).borrow_mut();
        me.begin(response, wanted, timeout, State::Elsewhere);
        drop(me);
        Ok(receive)
    }

    fn blank(protocol: &Bound<'_, Protocol>) -> PyResult<Py<Self>> {
        let blank = Self {
            protocol: protocol.clone().unbind(),
            response: None,
            wanted: Wanted::One,
            dialect: false,
            timeout: None,
            state: State::Done,
            timer: None,
        };
        Py::new(protocol.py(), blank)
    }

    fn begin(
        &mut self,
        response: &Bound<'_, WebSocketBase>,
        wanted: Wanted,
        timeout: Option<f64>,
        state: State,
    ) {
        self.dialect = response.get().dialect;
        self.response = Some(response.clone().unbind());
        self.wanted = wanted;
        self.timeout = timeout;
        self.state = state;
    }

    fn is_unawaited(&self) -> bool {
        matches!(self.state, State::New | State::Elsewhere)
    }

    fn method(&self) -> &'static str {
        match self.wanted {
            Wanted::One => "receive",
            Wanted::Next => "__anext__",
            Wanted::All => "receive_many",
        }
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
        let awake = Awake::begin(&event_loop);
        let woken = wake::wake(&event_loop, &future);
        drop(awake);
        match woken {
            Ok(wake::Future::Spent) => protocol.borrow_mut().forget_future(&future),
            Ok(wake::Future::Reusable) => {}
            Err(error) => {
                Self::sleep_on(&protocol, state);
                return Err(error);
            }
        }
        Ok(())
    }

    /// The task could not be told to go on: let the next occasion do it. One that has run is no
    /// reader any more, or waits already.
    #[cold]
    fn sleep_on(protocol: &Bound<'_, Protocol>, told: State) {
        if let Some(reader) = &protocol.borrow().reader {
            let mut reader = reader.bind(protocol.py()).borrow_mut();
            if reader.state == told {
                reader.state = State::Waiting;
            }
        }
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
        let (reader_of, timer, response) = {
            let mut me = slf.borrow_mut();
            // One that was not awaited may be in another thread.
            let reader_of = (!me.is_unawaited()).then(|| me.protocol.clone_ref(py));
            (reader_of, me.timer.take(), me.finish())
        };
        if let Some(protocol) = reader_of {
            protocol.bind(py).borrow_mut().stop_reading(slf);
        }
        drop(response);
        cancel_timer(py, timer)
    }

    /// Return what is wanted, or else go to sleep as the protocol's reader and return the future
    /// to wait for. Nothing can fail any more when it has become the reader.
    fn step(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        let mut me = slf.borrow_mut();
        let state = me.state;
        match state {
            State::Done => {
                return Err(PyRuntimeError::new_err("cannot reuse already awaited receive()"));
            }
            State::Waiting => return Err(concurrent()),
            State::Elsewhere => {
                drop(me);
                Self::arrive(slf)?;
                return Self::step(slf);
            }
            State::New | State::Polled | State::Woken | State::Expired => {}
        }
        // Bound: a reference that is not asks, when it is dropped, whether it may be.
        let protocol = &me.protocol.clone_ref(py).into_bound(py);
        let mut connection = protocol.borrow_mut();
        if matches!(state, State::New | State::Polled) && connection.has_reader(py)? {
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
            let seconds = me.timeout.unwrap_or_default();
            return Err(PyTimeoutError::new_err(format!("no message within {seconds} s")));
        }
        if connection.ending.wants_reader() {
            connection.answer_end();
            drop((me, connection));
            settle(protocol)?;
            return Self::step(slf);
        }
        if state == State::New && connection.busy.is_on() {
            me.state = State::Polled;
            let timeout = me.timeout;
            drop((me, connection));
            busy::poll(protocol, timeout)?;
            return Self::step(slf);
        }
        let Some(future) = connection.future.as_ref().filter(|_| !me.needs_timer()) else {
            drop((me, connection));
            Self::prepare(slf, protocol)?;
            return Self::step(slf);
        };
        let future = future.clone_ref(py).into_bound(py);
        future::set_blocking(&future)?;
        connection.busy.give_way();
        connection.reader = Some(slf.clone().unbind());
        me.state = State::Waiting;
        Ok(Poll::Pending(future.unbind()))
    }

    /// Raise `error`, and wait no longer. Not if it is another task that waits, whom it does not
    /// concern.
    #[cold]
    fn fail(slf: &Bound<'_, Self>, error: PyErr) -> PyErr {
        if slf.borrow().state == State::Waiting {
            return error;
        }
        // A timer that cannot be cancelled will find nobody waiting.
        let _ = Self::leave(slf);
        error
    }

    /// The loop runs what was made in another thread.
    #[cold]
    fn arrive(slf: &Bound<'_, Self>) -> PyResult<()> {
        let response = slf.borrow().response.as_ref().map(|held| held.clone_ref(slf.py()));
        if let Some(response) = response {
            response.get().check_thread(slf.py(), "receive")?;
        }
        slf.borrow_mut().state = State::New;
        Ok(())
    }

    /// Make the future to wait for, unless the connection has it, and the timer. What they call may
    /// change anything.
    #[cold]
    fn prepare(slf: &Bound<'_, Self>, protocol: &Bound<'_, Protocol>) -> PyResult<()> {
        if protocol.borrow().future.is_none() {
            Protocol::new_future(protocol)?;
        }
        if !slf.borrow().needs_timer() {
            return Ok(());
        }
        let py = slf.py();
        let seconds = slf.borrow().timeout.unwrap_or_default();
        let event_loop = protocol.borrow().event_loop.clone_ref(py);
        let (delay, expire) = (memory::float(py, seconds)?, slf.getattr(names::_expire(py))?);
        let timer = call::method(event_loop.bind(py), names::call_later(py), [&delay, &expire])?;
        slf.borrow_mut().timer = Some(timer.unbind());
        Ok(())
    }

    /// Whether it may not wait before it has a timer.
    fn needs_timer(&self) -> bool {
        let begins = matches!(self.state, State::New | State::Polled);
        begins && self.timeout.is_some() && self.timer.is_none()
    }
}

impl Awaitable for Receive {
    #[inline]
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        Self::step(slf).map_err(|error| Self::fail(slf, error))
    }
}

fn cancel_timer(py: Python<'_>, timer: Option<Py<PyAny>>) -> PyResult<()> {
    timer.map_or(Ok(()), |timer| cancel(py, &timer))
}

#[cold]
fn cancel(py: Python<'_>, timer: &Py<PyAny>) -> PyResult<()> {
    call::method(timer.bind(py), names::cancel(py), []).map(drop)
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
        if !value.is_none() && slf.borrow().is_unawaited() {
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
        let (timer, protocol) = {
            let mut me = slf.borrow_mut();
            (me.timer.take(), me.protocol.clone_ref(slf.py()))
        };
        drop(timer);
        let reads = {
            let connection = protocol.bind(slf.py()).borrow();
            connection.reader.as_ref().is_some_and(|reader| reader.is(&slf))
        };
        // One that is cancelled has been replaced already, if another task receives.
        if reads { Self::go_on(slf, State::Expired) } else { Ok(()) }
    }

    fn __repr__(&self) -> String {
        let state = match self.state {
            State::New | State::Elsewhere | State::Polled => "not awaited",
            State::Waiting => "waiting",
            State::Woken | State::Expired => "woken",
            State::Done => "done",
        };
        let timeout = self.timeout.map_or_else(String::new, |limit| format!(", timeout {limit} s"));
        format!("<Receive: {state}{timeout}>")
    }

    #[getter]
    fn __name__(&self) -> &'static str {
        self.method()
    }

    #[getter]
    fn __qualname__(&self) -> String {
        unawaited::qualname(self.method())
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.protocol)?;
        visit.call(&self.response)?;
        visit.call(&self.timer)
    }

    fn __clear__(&mut self) {
        self.response = None;
        self.timer = None;
        if !self.is_unawaited() {
            self.state = State::Done;
        }
    }
}

impl Drop for Receive {
    fn drop(&mut self) {
        match self.state {
            State::New => unawaited::warn(self.method(), false),
            State::Elsewhere => unawaited::warn(self.method(), true),
            _ => {}
        }
    }
}
