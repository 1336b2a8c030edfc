//! How a connection ends: closing handshake, failure, loss of the transport (RFC 6455 §7).

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyFloat;
use pyo3::{PyTraverseError, PyVisit};

use super::message::Item;
use super::protocol::Protocol;
use super::runtime::Kind;
use super::settle::settle;
use super::{call, error, flow, keys, send};
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

    /// Whether a `receive()` that finds nothing has to answer the peer's end first.
    pub fn has_answer_to_give(&self) -> bool {
        self.deferred.is_some() || self.answer_next
    }

    /// Whether anything is known of how it ended.
    pub fn is_known(&self) -> bool {
        self.fate.is_some() || self.exception.is_some()
    }

    /// What `receive()` returns for ever after the transport is gone.
    pub fn closed_message(&self, py: Python<'_>) -> Option<Item> {
        self.lost.then(|| {
            let (code, reason) = match &self.fate {
                Some((code, reason)) => (*code, reason.as_str()),
                None => (code::ABNORMAL, ""),
            };
            close_item(py, Kind::Closed, code, reason)
        })
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.exception)?;
        visit.call(&self.timer)?;
        self.waiters.iter().try_for_each(|waiter| visit.call(waiter))
    }
}

fn close_item(py: Python<'_>, kind: Kind, code: u16, reason: &str) -> Item {
    let data = code.into_pyobject(py).map_or_else(|never| match never {}, Bound::into_any);
    let extra = pyo3::types::PyString::new(py, reason).into_any();
    Item { kind, data: data.unbind(), extra: Some(extra.unbind()) }
}

impl Protocol {
    /// The peer's close frame has arrived.
    pub(super) fn peer_closed(&mut self, py: Python<'_>, frame: &CloseFrame) {
        // §7.1.5: a frame without a code is reported as 1005.
        let code = frame.code.unwrap_or(code::NO_STATUS);
        self.ending.fate = Some((code, frame.reason.clone()));
        self.ending.exception = None;
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
        self.inbox.push(close_item(py, Kind::Close, code, &frame.reason), 0);
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
        if std::mem::take(&mut self.ending.answer_next) {
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
            Ok(key) => self.owed.extend(self.core.close(frame, key).unwrap_or_default()),
            Err(_) => self.ending.abort = true,
        }
    }

    /// Note that the connection failed: one `error` message, then `closed`.
    pub(super) fn fail(&mut self, exception: &Bound<'_, PyAny>, reason: String, code: u16) {
        self.ending.fate = Some((code, reason));
        self.ending.exception = Some(exception.clone().unbind());
        if !self.ending.called {
            self.inbox.push(Item::new(Kind::Error, exception.clone().unbind()), 0);
        }
    }

    /// Whether messages can be sent.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        !(self.ending.lost || self.ending.abort || self.ending.linger)
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
    let exception = match slf.borrow().dialect(slf.py()) {
        Some(dialect) => dialect.get().violation(slf.py(), &error),
        None => error::web_socket_error(&error),
    };
    let exception = exception.into_value(slf.py());
    let mut me = slf.borrow_mut();
    let at_once = me.inbox.is_empty();
    me.fail(exception.bind(slf.py()), error.to_string(), error.close_code());
    me.end_with(CloseFrame::for_error(&error), at_once);
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
                me.inbox.push(Item::new(Kind::Closing, slf.py().None()), 0);
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
        return call_transport(slf, "abort");
    }
    let (event_loop, earlier, then) = {
        let mut me = slf.borrow_mut();
        me.ending.lingering = me.ending.linger;
        let then = if me.ending.linger {
            // The peer's end of TCP is to be seen, whatever had paused reading.
            me.read_to_the_end(py);
            "abort"
        } else {
            "_end_now"
        };
        (me.event_loop.clone_ref(py), me.ending.timer.take(), then)
    };
    if let Some(earlier) = earlier {
        call::method(earlier.bind(py), "cancel", [])?;
    }
    let (delay, then) = (PyFloat::new(py, LINGER), slf.getattr(then)?);
    let timer = call::method(event_loop.bind(py), "call_later", [&delay, &then])?;
    slf.borrow_mut().ending.timer = Some(timer.unbind());
    flow::apply(slf)
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
        cause => Some(error::lost(py, cause, slf.borrow().dialect(py).as_ref())),
    };
    let (timer, waiters) = {
        let mut me = slf.borrow_mut();
        me.core.abandon();
        me.gathering = None;
        me.ending.deferred = None;
        me.ending.lost = true;
        me.spare = None;
        if let Some(compression) = &mut me.compression {
            compression.deflater.forget();
        }
        if exception.is_some() {
            me.ending.exception = exception;
        }
        (me.ending.timer.take(), std::mem::take(&mut me.ending.waiters))
    };
    if let Some(timer) = timer {
        call::method(timer.bind(py), "cancel", [])?;
    }
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
    let waiter = call::method(event_loop.bind(py), "create_future", [])?.unbind();
    slf.borrow_mut().ending.waiters.push(waiter.clone_ref(py));
    Ok(Some(waiter))
}

/// Call a method of the transport without arguments; with no transport, nothing.
pub fn call_transport(slf: &Bound<'_, Protocol>, method: &str) -> PyResult<()> {
    let transport = slf.borrow().transport.as_ref().map(|t| t.clone_ref(slf.py()));
    match transport {
        Some(transport) => call::method(transport.bind(slf.py()), method, []).map(drop),
        None => Ok(()),
    }
}
