//! `Receive`: what `receive()` returns, an awaitable for the next message.
//!
//! When it has to wait, it yields the connection's future to the task. The message stays in the
//! inbox until the awaitable is resumed and takes it, so a cancellation that comes between the
//! wake-up and the resumption loses nothing.

use std::sync::Arc;

use pyo3::exceptions::{PyRuntimeError, PyTimeoutError};
use pyo3::prelude::*;

use super::awaitable::{Awaitable, awaitable};
use super::reader::{has_reader, refused, stop_reading};
use super::settle::settle;
use super::state::{Awaited as State, Protocol, Receive, Wanted};
use super::take::take;
use super::thread::Home;
use super::{busy, typed, unawaited, waking};
use crate::endpoint::Due;
use crate::python::cpython::slots::{self, Poll};
use crate::python::cpython::{call, completion, future, interpreter, memory, names};

impl Receive {
    /// A new awaitable, or the connection's last one if nobody else holds it any more. Out of the
    /// connection's hands it warns at once if it is dropped unawaited.
    #[inline]
    pub fn of(
        response: &Bound<'_, PyAny>,
        protocol: &Bound<'_, Protocol>,
        wanted: Wanted,
        timeout: Option<f64>,
        dialect: bool,
    ) -> PyResult<Py<Self>> {
        let py = protocol.py();
        let spare =
            protocol.borrow_mut().spare.take_if(|spare| interpreter::is_only_reference(spare));
        let receive = match spare {
            Some(spare) => spare,
            None => Self::blank(protocol, Self::home_without_gil(protocol))?,
        };
        let mut me = receive.bind(py).borrow_mut();
        me.begin(response, wanted, timeout, State::New);
        me.dialect = dialect;
        drop(me);
        Ok(receive)
    }

    /// What `receive()` returns in another thread than the event loop's: it looks at the connection
    /// only when the loop runs it.
    #[cold]
    pub fn elsewhere(
        response: &Bound<'_, PyAny>,
        protocol: &Bound<'_, Protocol>,
        home: &Arc<Home>,
        wanted: Wanted,
        timeout: Option<f64>,
        dialect: bool,
    ) -> PyResult<Py<Self>> {
        let receive = Self::blank(protocol, Some(home.clone()))?;
        let mut me = receive.bind(protocol.py()).borrow_mut();
        me.begin(response, wanted, timeout, State::Elsewhere);
        me.dialect = dialect;
        drop(me);
        Ok(receive)
    }

    /// For whoever awaits it in another thread, which may run at the same time.
    fn home_without_gil(protocol: &Bound<'_, Protocol>) -> Option<Arc<Home>> {
        cfg!(Py_GIL_DISABLED).then(|| protocol.borrow().home.clone())
    }

    fn blank(protocol: &Bound<'_, Protocol>, home: Option<Arc<Home>>) -> PyResult<Py<Self>> {
        let blank = Self {
            protocol: protocol.clone().unbind(),
            response: None,
            wanted: Wanted::One,
            home,
            loads: None,
            dialect: false,
            timeout: None,
            state: State::Done,
            timer: None,
        };
        Py::new(protocol.py(), blank)
    }

    fn begin(
        &mut self,
        response: &Bound<'_, PyAny>,
        wanted: Wanted,
        timeout: Option<f64>,
        state: State,
    ) {
        self.response = Some(response.clone().unbind());
        self.wanted = wanted;
        self.timeout = timeout;
        self.state = state;
    }

    /// What it wants is a part, of which the endpoint is to be told.
    pub fn ask_first(&mut self) {
        if self.state == State::New {
            self.state = State::Unasked;
        }
    }

    fn is_new(&self) -> bool {
        matches!(self.state, State::New | State::Elsewhere | State::Unasked)
    }

    /// Be done. What is returned is to be dropped when no borrow is held: it may be the last
    /// reference to the response.
    fn finish(&mut self) -> Option<Py<PyAny>> {
        self.state = State::Done;
        self.response.take()
    }

    /// Return what is wanted, or else go to sleep as the protocol's reader and return the future
    /// to wait for. Nothing can fail any more when it has become the reader.
    fn step(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let py = slf.py();
        let mut me = slf.borrow_mut();
        if let Some(home) = me.home.clone() {
            drop(me);
            home.check(py, "receive")?;
            me = slf.borrow_mut();
        }
        let state = me.state;
        match state {
            State::Done => {
                return Err(reused(me.method()));
            }
            State::Waiting => {
                let (protocol, wanted) = (me.protocol.clone_ref(py).into_bound(py), me.wanted);
                let dialect = me.dialect;
                drop(me);
                return Err(refused(&protocol, wanted, dialect));
            }
            State::Elsewhere => {
                me.arrive();
                drop(me);
                return Self::step(slf);
            }
            State::Unasked => {
                drop(me);
                Self::ask_for_part(slf)?;
                return Self::step(slf);
            }
            State::New | State::Polled | State::Woken | State::Expired => {}
        }
        // Bound: a reference that is not asks, when it is dropped, whether it may be.
        let protocol = &me.protocol.clone_ref(py).into_bound(py);
        let mut connection = protocol.borrow_mut();
        if connection.reader.is_some() && matches!(state, State::New | State::Polled) {
            let (wanted, dialect) = (me.wanted, me.dialect);
            drop((me, connection));
            if has_reader(protocol)? {
                return Err(refused(protocol, wanted, dialect));
            }
            return Self::step(slf);
        }
        if connection.endpoint.is_streaming() && !me.wanted.is_part() {
            connection.endpoint.leave_parts();
            drop((me, connection));
            settle(protocol)?;
            return Self::step(slf);
        }
        if connection.endpoint.has_message() {
            let reader = connection.reader.take().map(|reader| reader.into_bound(py));
            if connection.spare.is_none() && !connection.is_lost() {
                connection.spare = Some(slf.clone().unbind());
            }
            let (wanted, dialect) = (me.wanted, me.dialect);
            let (timer, response) = (me.timer.take(), me.finish().map(|held| held.into_bound(py)));
            drop((me, connection));
            drop(reader);
            cancel_timer(py, timer)?;
            if wanted.is_typed() {
                return typed::take(slf, protocol, wanted, dialect, response);
            }
            let taken = take(protocol, wanted, dialect).map(Poll::Ready);
            drop(response);
            return taken;
        }
        if state == State::Expired {
            let seconds = me.timeout.unwrap_or_default();
            return Err(PyTimeoutError::new_err(format!("no message within {seconds} s")));
        }
        if connection.endpoint.wants_asking() {
            connection.endpoint.ask();
            drop((me, connection));
            settle(protocol)?;
            return Self::step(slf);
        }
        if connection.endpoint.due().has_any(Due::ABORT.and(Due::READING)) {
            // It failed before, or was interrupted.
            drop((me, connection));
            settle(protocol)?;
            return Self::step(slf);
        }
        if state == State::New && connection.busy.is_some() {
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
        if let Some(busy) = &mut connection.busy {
            busy.give_way();
        }
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
    fn arrive(&mut self) {
        self.state = State::New;
        if self.wanted.is_part() {
            self.ask_first();
        }
        if !cfg!(Py_GIL_DISABLED) {
            self.home = None;
        }
    }

    /// Let the endpoint know that a part is wanted.
    #[cold]
    fn ask_for_part(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let (protocol, wanted, dialect) = {
            let me = slf.borrow();
            (me.protocol.clone_ref(py).into_bound(py), me.wanted, me.dialect)
        };
        if has_reader(&protocol)? {
            return Err(refused(&protocol, wanted, dialect));
        }
        let begins = wanted == Wanted::Part;
        let possible = {
            let mut connection = protocol.borrow_mut();
            let (endpoint, mut making) = connection.at_work(py);
            endpoint.want_part(begins, &mut making)
        };
        settle(&protocol)?;
        if !possible {
            return Err(PyRuntimeError::new_err(
                "the rest of this message is discarded, as something else has been received since",
            ));
        }
        slf.borrow_mut().state = State::New;
        Ok(())
    }

    /// Make the future to wait for, unless the connection has it, and the timer. What they call may
    /// change anything.
    #[cold]
    fn prepare(slf: &Bound<'_, Self>, protocol: &Bound<'_, Protocol>) -> PyResult<()> {
        let py = slf.py();
        let event_loop = protocol.borrow().event_loop(py);
        if protocol.borrow().future.is_none() {
            let future = future::new(&event_loop)?;
            let earlier = protocol.borrow_mut().future.replace(future.unbind());
            drop(earlier);
        }
        if !slf.borrow().needs_timer() {
            return Ok(());
        }
        let seconds = slf.borrow().timeout.unwrap_or_default();
        let (delay, expire) = (memory::float(py, seconds)?, slf.getattr(names::_expire(py))?);
        let timer = call::method(&event_loop, names::call_later(py), [&delay, &expire])?;
        slf.borrow_mut().timer = Some(timer.unbind());
        Ok(())
    }

    /// Whether it may not wait before it has a timer.
    fn needs_timer(&self) -> bool {
        let begins = matches!(self.state, State::New | State::Polled);
        begins && self.timeout.is_some() && self.timer.is_none()
    }
}

impl slots::Awaitable for Receive {
    #[inline]
    fn poll(slf: &Bound<'_, Self>) -> PyResult<Poll> {
        let ready = completion::prepare(slf.py());
        ready.and_then(|()| Self::step(slf)).map_err(|error| Self::fail(slf, error))
    }
}

impl Awaitable for Receive {
    /// What arrives is for another `receive()`.
    fn leave(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        let home = slf.borrow().home.clone().filter(|_| !slf.borrow().is_new());
        if let Some(home) = home {
            home.check_without_gil(py)?;
        }
        let (protocol, wanted, timer, held) = {
            let mut me = slf.borrow_mut();
            // One that was not awaited may be in another thread.
            let protocol = (!me.is_new()).then(|| me.protocol.clone_ref(py));
            (protocol, me.wanted, me.timer.take(), (me.finish(), me.loads.take()))
        };
        if let Some(protocol) = protocol {
            stop_reading(protocol.bind(py), slf);
            if wanted.is_part() {
                let protocol = protocol.bind(py);
                {
                    let mut connection = protocol.borrow_mut();
                    let (endpoint, mut making) = connection.at_work(py);
                    endpoint.want_no_part(&mut making);
                }
                settle(protocol)?;
            }
        }
        drop(held);
        cancel_timer(py, timer)
    }

    fn is_unawaited(slf: &Bound<'_, Self>) -> bool {
        slf.borrow().is_new()
    }

    fn method(&self) -> &'static str {
        match self.wanted {
            Wanted::One => "receive",
            Wanted::Next | Wanted::NextData => "__anext__",
            Wanted::Text => "receive_str",
            Wanted::Binary => "receive_bytes",
            Wanted::Json => "receive_json",
            Wanted::Texts => "receive_many_str",
            Wanted::Binaries => "receive_many_bytes",
            Wanted::All => "receive_many",
            Wanted::Data => "recv",
            Wanted::Part | Wanted::NextPart => "_receive_part",
        }
    }
}

#[cold]
fn reused(method: &str) -> PyErr {
    PyRuntimeError::new_err(format!("cannot reuse already awaited {method}()"))
}

fn cancel_timer(py: Python<'_>, timer: Option<Py<PyAny>>) -> PyResult<()> {
    timer.map_or(Ok(()), |timer| cancel(py, &timer))
}

#[cold]
fn cancel(py: Python<'_>, timer: &Py<PyAny>) -> PyResult<()> {
    call::method(timer.bind(py), names::cancel(py), []).map(drop)
}

awaitable!(impl Receive {
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
        if reads { waking::go_on(slf, State::Expired) } else { Ok(()) }
    }

    fn __repr__(&self) -> String {
        let state = match self.state {
            State::New | State::Elsewhere | State::Unasked | State::Polled => "not awaited",
            State::Waiting => "waiting",
            State::Woken | State::Expired => "woken",
            State::Done => "done",
        };
        let timeout = self.timeout.map_or_else(String::new, |limit| format!(", timeout {limit} s"));
        format!("<Receive: {state}{timeout}>")
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.protocol)?;
        visit.call(&self.response)?;
        visit.call(&self.loads)?;
        visit.call(&self.timer)
    }

    fn __clear__(&mut self) {
        self.response = None;
        self.loads = None;
        self.timer = None;
        if !self.is_new() {
            self.state = State::Done;
        }
    }
});

impl Drop for Receive {
    fn drop(&mut self) {
        match self.state {
            State::New | State::Unasked => unawaited::warn(self.method(), false),
            State::Elsewhere => unawaited::warn(self.method(), true),
            _ => {}
        }
    }
}
