//! How a connection ends: closing handshake, failure, loss of the transport (RFC 6455 §7).

use std::mem;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use super::message::Item;
use super::protocol::Protocol;
use super::runtime::Kind;
use super::settle::settle;
use super::{anchor, call, error, flow, keys, memory, names, send};
use crate::close::{self, CloseFrame, State, code};
use crate::error::ProtocolError;

/// Seconds that each step of an ending may take that waits for somebody: for messages that came
/// before the peer's end to be taken and answered; then for the server to close TCP first, as it
/// should (§7.1.1), and for what is still to be written to leave.
const LINGER: f64 = 1.0;

/// What is known of the end.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent facts, not one state")]
pub struct Ending {
    /// `close()` was called.
    pub called: bool,
    /// Close code and reason, once they are known.
    pub fate: Option<(u16, String)>,
    /// How the peer broke the protocol, until [`refuse`] has dealt with it.
    pub violation: Option<ProtocolError>,
    /// What went wrong, if something did.
    pub exception: Option<Py<PyAny>>,
    /// Earlier exceptions, futures and readers, to be dropped when no borrow is held: they may be the
    /// last to hold frames, and so anything.
    pub replaced: Vec<Py<PyAny>>,
    /// The transport is gone.
    pub lost: bool,
    /// The close frame that the peer has coming, when the messages before its end are taken: who
    /// takes them may want to answer them.
    pub deferred: Option<CloseFrame>,
    /// The next `receive()` answers the peer's close frame, which has been taken.
    pub answer_next: bool,
    /// The WebSocket is over, and TCP is to follow within `LINGER`.
    pub linger: bool,
    /// The transport is to be dropped at once.
    pub abort: bool,
    aborted: bool,
    /// The peer has closed its end of TCP.
    pub eof: bool,
    /// The `TimerHandle` of the step under way.
    timer: Option<Py<PyAny>>,
    lingering: bool,
    /// Futures of those who wait for `lost`.
    waiters: Vec<Py<PyAny>>,
}

impl Ending {
    /// Whether `act` has something to do.
    pub fn acts(&self) -> bool {
        !self.lost
            && (self.abort && !self.aborted
                || self.linger && !self.lingering
                || self.deferred.is_some() && self.timer.is_none())
    }

    /// Whether it comes by itself: it is due, or a timer or `close()` sees to it.
    pub fn is_on_its_way(&self) -> bool {
        self.lost || self.called || self.linger || self.abort || self.deferred.is_some()
    }

    /// Set or forget what went wrong.
    pub fn set_exception(&mut self, exception: Option<Py<PyAny>>) {
        self.replaced.extend(mem::replace(&mut self.exception, exception));
    }

    /// Whether a `receive()` that finds nothing has to see to the end first: to answer the peer's, or
    /// to drop the transport, which failed.
    pub fn wants_reader(&self) -> bool {
        self.deferred.is_some() || self.answer_next || self.abort && !self.aborted && !self.lost
    }

    /// Whether anything is known of how it ended.
    pub fn is_known(&self) -> bool {
        self.fate.is_some() || self.exception.is_some()
    }

    /// What `receive()` returns for ever after the transport is gone.
    pub fn closed_message(&self, py: Python<'_>) -> PyResult<Option<Item>> {
        let message = self.lost.then(|| {
            let (code, reason) = match &self.fate {
                Some((code, reason)) => (*code, reason.as_str()),
                None => (code::ABNORMAL, ""),
            };
            close_item(py, Kind::Closed, code, reason)
        });
        message.transpose()
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exception)?;
        self.replaced.iter().try_for_each(|exception| visit.call(exception))?;
        visit.call(&self.timer)?;
        self.waiters.iter().try_for_each(|waiter| visit.call(waiter))
    }
}

fn close_item(py: Python<'_>, kind: Kind, code: u16, reason: &str) -> PyResult<Item> {
    let data = memory::int(py, code.into())?.unbind();
    let extra = memory::string(py, reason)?.into_any();
    Ok(Item { kind, data, extra: Some(extra.unbind()) })
}

impl Protocol {
    /// The peer's close frame has arrived.
    pub(super) fn peer_closed(&mut self, py: Python<'_>, frame: &CloseFrame) {
        // §7.1.5: a frame without a code is reported as 1005.
        let code = frame.code.unwrap_or(code::NO_STATUS);
        self.ending.fate = Some((code, frame.reason.clone()));
        self.ending.set_exception(None);
        if self.ending.called {
            self.ending.linger = true;
        } else if self.options.autoclose {
            // §5.5.1: the answer usually echoes the code.
            let answer = CloseFrame { code: frame.code, reason: String::new() };
            self.end_with(answer, self.inbox.is_empty());
            if self.options.dialect.is_some() {
                self.push_close(py, frame);
            }
        } else {
            self.push_close(py, frame);
        }
    }

    /// Let `receive()` return the peer's close frame.
    fn push_close(&mut self, py: Python<'_>, frame: &CloseFrame) {
        // aiohttp's code for none is 0.
        let none = if self.options.dialect.is_some() { 0 } else { code::NO_STATUS };
        let code = frame.code.unwrap_or(none);
        match close_item(py, Kind::Close, code, &frame.reason) {
            Ok(item) => self.queue(item, 0),
            Err(_) => self.run_out_of_memory(),
        }
    }

    /// The peer has ended the connection, by close frame or by error: send `answer`, at once or
    /// when the messages before are taken.
    pub(super) fn end_with(&mut self, answer: CloseFrame, at_once: bool) {
        self.ending.deferred = Some(answer);
        if at_once || self.ending.called {
            self.reach_end();
        }
    }

    /// The messages before the peer's end are taken, or were waited for long enough.
    pub(super) fn reach_end(&mut self) {
        if let Some(answer) = self.ending.deferred.take() {
            self.owe_close(&answer);
            self.ending.linger = true;
        }
    }

    /// Somebody wants to receive, and there is nothing but the peer's end to be answered.
    pub(super) fn answer_end(&mut self) {
        if mem::take(&mut self.ending.answer_next) {
            let answer = CloseFrame { code: Some(code::NORMAL), reason: String::new() };
            self.ending.deferred.get_or_insert(answer);
        }
        self.reach_end();
    }

    /// Queue this side's close frame, if it is not out and there is a transport to take it.
    pub(super) fn owe_close(&mut self, frame: &CloseFrame) {
        if self.ending.lost {
            return;
        }
        match keys::draw() {
            Ok(key) if self.core.close(frame, key, &mut self.owed).is_ok() => {}
            _ => self.ending.abort = true,
        }
    }

    /// Note that the connection failed: one `error` message, then `closed`.
    pub(super) fn fail(&mut self, exception: &Bound<'_, PyAny>, reason: String, code: u16) {
        self.ending.fate = Some((code, reason));
        self.ending.set_exception(Some(exception.clone().unbind()));
        if !self.ending.called {
            // Where there is no memory for it, `exception()` still says it.
            let _ = self.inbox.push(Item::new(Kind::Error, exception.clone().unbind()), 0);
        }
    }

    /// Drop the connection for what went wrong on this side: what arrived before can still be
    /// received.
    pub(super) fn give_up(&mut self, exception: &Bound<'_, PyAny>, reason: String) {
        self.core.abandon();
        self.ignore_input();
        self.ending.abort = true;
        self.fail(exception, reason, code::ABNORMAL);
    }

    /// Whether messages can be sent.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !(self.ending.lost || self.ending.abort || self.ending.linger || self.flow.severed)
            && (self.core.close_state() == State::Open && self.core.is_reading()
                || self.ending.deferred.is_some())
    }

    /// aiohttp's `closed`: `close()` was called or the connection has ended, and nothing that
    /// arrived before is left to receive.
    pub(super) fn is_closed(&self) -> bool {
        self.ending.called
            || (!self.core.is_reading() && !self.ending.answer_next || self.ending.lost)
                && self.inbox.is_empty()
                && self.flow.unparsed.is_empty()
    }
}

/// Fail the connection (§7.1.7) if the peer broke the protocol: tell it why, and the user after
/// what came before.
///
/// Apart from [`Protocol::ingest`], because an exception cannot be made while the connection is
/// borrowed: Python code may run.
pub fn refuse(slf: &Bound<'_, Protocol>) {
    let Some(error) = slf.borrow_mut().ending.violation.take() else {
        return;
    };
    if error == ProtocolError::OutOfMemory {
        let exception = memory::exception(slf.py(), &error.to_string());
        return slf.borrow_mut().give_up(&exception, error.to_string());
    }
    let dialect = slf.borrow().dialect(slf.py());
    let exception = match dialect {
        Some(dialect) => dialect.get().violation(slf.py(), &error),
        None => error::web_socket_error(slf.py(), &error),
    };
    let exception = exception.into_value(slf.py());
    let mut me = slf.borrow_mut();
    let at_once = me.inbox.is_empty();
    me.fail(exception.bind(slf.py()), error.to_string(), error.close_code());
    me.end_with(CloseFrame::for_error(&error), at_once);
}

/// A frame has left in part, and its rest is lost: what follows would be taken for it. Drops the
/// connection, and returns the error, which is for the sender, too.
#[cold]
pub fn cut_off(slf: &Bound<'_, Protocol>, error: PyErr) -> PyResult<PyErr> {
    let py = slf.py();
    let transport = {
        let me = slf.borrow();
        me.transport.as_ref().filter(|_| !me.ending.lost).map(|transport| transport.clone_ref(py))
    };
    let ends = match transport {
        Some(transport) => {
            call::method(transport.bind(py), names::is_closing(py), [])?.is_truthy()?
        }
        None => true,
    };
    if !ends {
        let exception = error.value(py).clone().into_any();
        let reason = "a frame could be sent in part only".to_owned();
        {
            let mut me = slf.borrow_mut();
            me.read_to_the_end(py);
            me.give_up(&exception, reason);
        }
        settle(slf)?;
    }
    Ok(error)
}

/// See [`Protocol::start_close`].
pub fn start(
    slf: &Bound<'_, Protocol>,
    code: &Bound<'_, PyAny>,
    message: &Bound<'_, PyAny>,
) -> PyResult<bool> {
    let code = send::close_code(code)?;
    let reason = send::control_payload(message)?;
    let reason = str::from_utf8(&reason)
        .map_err(|_| PyValueError::new_err("close message is not UTF-8"))?
        .to_owned();
    let frame = CloseFrame { code: Some(code), reason };
    close::check(&frame).map_err(PyValueError::new_err)?;
    {
        let mut me = slf.borrow_mut();
        // What has arrived stays to be received; what comes from now on is dropped.
        me.read_to_the_end(slf.py());
    }
    refuse(slf);
    let sent = {
        let mut me = slf.borrow_mut();
        // If the peer has ended the connection, it is that end which is answered.
        me.reach_end();
        let half_open = matches!(me.core.close_state(), State::Open | State::CloseReceived);
        let sends = half_open && !me.ending.lost && !me.ending.called;
        me.ending.called = true;
        if sends {
            me.owe_close(&frame);
            me.ending.linger |= me.core.close_state() == State::Closed;
            if me.reader.is_some() && !me.has_message() {
                me.queue(Item::new(Kind::Closing, slf.py().None()), 0);
            }
        }
        sends
    };
    settle(slf)?;
    Ok(sent)
}

/// Abort or begin to linger, as the state calls for.
pub fn act(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    let py = slf.py();
    if !slf.borrow().ending.acts() {
        return Ok(());
    }
    if slf.borrow().ending.abort {
        slf.borrow_mut().ending.aborted = true;
        // What fails is tried again at the next occasion.
        return call_transport(slf, names::abort(py))
            .inspect_err(|_| slf.borrow_mut().ending.aborted = false);
    }
    let (event_loop, earlier, then) = {
        let mut me = slf.borrow_mut();
        me.ending.lingering = me.ending.linger;
        let then = if me.ending.linger {
            // The peer's end of TCP is to be seen, whatever had paused reading.
            me.read_to_the_end(py);
            names::abort(py)
        } else {
            names::_end_now(py)
        };
        (me.event_loop.clone_ref(py), me.ending.timer.take(), then)
    };
    if let Some(earlier) = earlier {
        call::method(earlier.bind(py), names::cancel(py), [])?;
    }
    let call_later = || {
        let (delay, then) = (memory::float(py, LINGER)?, slf.getattr(then)?);
        call::method(event_loop.bind(py), names::call_later(py), [&delay, &then])
    };
    let timer = call_later().inspect_err(|_| slf.borrow_mut().ending.lingering = false)?;
    slf.borrow_mut().ending.timer = Some(timer.unbind());
    flow::apply(slf)
}

/// The transport can no longer do its part, for this reason: the connection is to be dropped.
#[cold]
pub fn fail_by(slf: &Bound<'_, Protocol>, cause: PyErr) {
    let py = slf.py();
    let dialect = slf.borrow().dialect(py);
    let exception = error::lost(py, Some(cause), dialect.as_ref());
    let mut me = slf.borrow_mut();
    let exception = if me.ending.is_known() {
        Some(exception)
    } else {
        me.ending.set_exception(Some(exception));
        None
    };
    me.ending.abort = true;
    drop(me);
    drop(exception);
}

/// The peer sends nothing more.
pub fn end_of_file(slf: &Bound<'_, Protocol>) -> PyResult<()> {
    // The transport closes itself, but only after what it has buffered is written, and such a peer
    // may never read it.
    {
        let mut me = slf.borrow_mut();
        // The last chance to answer its close frame.
        me.reach_end();
        me.ending.eof = true;
        me.ending.linger = true;
    }
    settle(slf)
}

/// See [`Protocol::connection_lost`].
pub fn lost(slf: &Bound<'_, Protocol>, cause: Option<Py<PyAny>>) -> PyResult<()> {
    let py = slf.py();
    let (known, aborted) = {
        let ending = &slf.borrow().ending;
        (ending.is_known(), ending.aborted && !ending.eof)
    };
    let exception = match cause {
        _ if known => None,
        None if aborted => None,
        cause => {
            let cause = cause.map(|cause| PyErr::from_value(cause.into_bound(py)));
            let dialect = slf.borrow().dialect(py);
            Some(error::lost(py, cause, dialect.as_ref()))
        }
    };
    let (timer, waiters, spare) = {
        let mut me = slf.borrow_mut();
        me.core.abandon();
        if me.gathering.is_some() {
            // Its rest does not come any more.
            me.ignore_input();
        }
        me.ending.deferred = None;
        me.ending.lost = true;
        let spare = me.spare.take();
        if let Some(compression) = &mut me.compression {
            compression.deflater.forget();
        }
        if exception.is_some() {
            me.ending.set_exception(exception);
        }
        (me.ending.timer.take(), mem::take(&mut me.ending.waiters), spare)
    };
    drop(spare);
    if let Some(timer) = timer {
        call::method(timer.bind(py), names::cancel(py), [])?;
    }
    anchor::release(slf);
    flow::end(slf)?;
    flow::release(py, waiters)?;
    settle(slf)
}

/// See [`Protocol::wait_lost`].
pub fn wait_lost(slf: &Bound<'_, Protocol>) -> PyResult<Option<Py<PyAny>>> {
    let py = slf.py();
    if slf.borrow().ending.lost {
        return Ok(None);
    }
    let event_loop = slf.borrow().event_loop.clone_ref(py);
    let waiter = call::method(event_loop.bind(py), names::create_future(py), [])?.unbind();
    slf.borrow_mut().ending.waiters.push(waiter.clone_ref(py));
    Ok(Some(waiter))
}

/// Call a method of the transport without arguments; with no transport, nothing.
pub fn call_transport(slf: &Bound<'_, Protocol>, method: &Bound<'_, PyString>) -> PyResult<()> {
    let transport = slf.borrow().transport.as_ref().map(|t| t.clone_ref(slf.py()));
    match transport {
        Some(transport) => call::method(transport.bind(slf.py()), method, []).map(drop),
        None => Ok(()),
    }
}
