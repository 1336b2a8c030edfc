//! `Protocol`: the asyncio protocol of an open WebSocket, between the transport and the core.
//!
//! Every method keeps to one order: borrow, change state, release the borrow, and only then call
//! Python. The code that is called may be a woken task that receives, sends, closes or drops the
//! connection.
//!
//! Python code also runs where nobody calls it: when the last reference to an object goes that has a
//! finalizer, or refers to one that has, and (before CPython 3.12) when an object is made that the
//! garbage collector knows of. So while the connection is borrowed, nothing is made but strings,
//! bytes, numbers and messages' parts, and exceptions, futures, awaitables and functions are moved out
//! of it, to be dropped after the borrow. What is replaced in the middle of parsing goes to
//! [`Ending::replaced`], which [`settle`] empties.

use std::mem;

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;

use super::busy::Busy;
use super::closing::Ending;
use super::compress::Compression;
use super::counts::{Counts, Totals};
use super::dialect::Dialect;
use super::direct;
use super::flow::Flow;
use super::gathering::Gathering;
use super::inbox::Inbox;
use super::pings::Pings;
use super::policy::Policy;
use super::reads::Reads;
use super::receive::Receive;
use super::send::Sent;
use super::settle::settle;
use super::socket::Socket;
use super::{anchor, call, closing, flow, names, process, runtime, scratch};
use crate::close;
use crate::connection::Connection;
use crate::deflate::{Deflater, Inflater};

/// What to do about frames of the peer that need an answer.
pub struct Options {
    pub autoclose: bool,
    pub autoping: bool,
    pub decode_text: bool,
    pub dialect: Option<Py<Dialect>>,
}

/// The asyncio protocol of an open WebSocket.
///
/// Args:
///     loop: The event loop of the transport.
///     resume_reading: Called with the transport to let it read again after `pause_reading()`.
///     max_msg_size: The largest message to take, in bytes; 0 for no limit.
///     autoclose: Answer the peer's close frame.
///     autoping: Answer pings, and keep pongs to oneself.
///     decode_text: Text messages as `str`, else as `bytes`.
///     watch_reads: Take the time of each read, for `idle_time`.
///     dialect: What makes messages and errors; `None` makes this package's own.
#[pyclass(subclass, module = "wsclient._core")]
pub struct Protocol {
    pub(super) core: Connection,
    pub(super) options: Options,
    pub(super) event_loop: Py<PyAny>,
    pub(super) transport: Option<Py<PyAny>>,
    pub(super) inbox: Inbox,
    /// A large message that is arriving.
    pub(super) gathering: Option<Gathering>,
    /// The `receive()` that waits.
    pub(super) reader: Option<Py<Receive>>,
    /// What the reader waits for; used again and again unless it gets finished or cancelled.
    pub(super) future: Option<Py<PyAny>>,
    /// The last `receive()`, to be used again.
    pub(super) spare: Option<Py<Receive>>,
    pub(super) flow: Flow,
    pub(super) ending: Ending,
    pub(super) pings: Pings,
    /// Present if permessage-deflate was negotiated and this side can compress.
    pub(super) compression: Option<Box<Compression>>,
    pub(super) busy: Busy,
    pub(super) counts: Counts,
    /// Where the counts go in the end.
    pub(super) totals: Option<Totals>,
    /// Frames that the core owes the peer, to be written when no borrow is held.
    pub(super) owed: Vec<u8>,
    /// The process, as [`process::forks`] tells it.
    forks: usize,
    pub(super) reads: Reads,
}

impl Protocol {
    /// What makes this connection's messages, if not this package.
    #[inline]
    pub(super) fn dialect(&self, py: Python<'_>) -> Option<Py<Dialect>> {
        self.options.dialect.as_ref().map(|dialect| dialect.clone_ref(py))
    }

    /// Whether this is a copy, in the child of a fork.
    #[inline]
    pub(super) fn is_copy(&self) -> bool {
        self.forks != process::forks()
    }

    /// See `ClientWebSocketResponse.close_code`.
    pub(super) fn close_code(&self) -> Option<u16> {
        match &self.ending.fate {
            Some((code, _)) => Some(*code),
            None => self.ending.lost.then_some(close::code::ABNORMAL),
        }
    }
}

/// The transport that meets the socket: asyncio's own with TLS does not say when that one closes.
fn lowest<'py>(transport: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
    let below = transport.getattr("_ssl_protocol").and_then(|ssl| ssl.getattr("_transport"));
    below.ok().filter(|below| !below.is_none()).unwrap_or_else(|| transport.clone())
}

#[pymethods]
impl Protocol {
    #[new]
    #[expect(clippy::fn_params_excessive_bools, reason = "aiohttp's parameters")]
    #[expect(clippy::too_many_arguments, reason = "each is a setting of its own")]
    #[pyo3(signature = (
        r#loop, *, resume_reading, max_msg_size = 4_194_304, autoclose = true, autoping = true, decode_text = true,
        watch_reads = false, dialect = None
    ))]
    fn new(
        py: Python<'_>,
        r#loop: Py<PyAny>,
        resume_reading: Py<PyAny>,
        max_msg_size: u64,
        autoclose: bool,
        autoping: bool,
        decode_text: bool,
        watch_reads: bool,
        dialect: Option<Py<Dialect>>,
    ) -> PyResult<Self> {
        runtime::prepare(r#loop.bind(py))?;
        Sent::done(py)?;
        let limit = if max_msg_size == 0 { u64::MAX } else { max_msg_size };
        Ok(Self {
            core: Connection::new(limit),
            options: Options { autoclose, autoping, decode_text, dialect },
            event_loop: r#loop,
            transport: None,
            inbox: Inbox::default(),
            gathering: None,
            reader: None,
            future: None,
            spare: None,
            flow: Flow::new(resume_reading),
            ending: Ending::default(),
            pings: Pings::default(),
            busy: Busy::default(),
            compression: None,
            counts: Counts::default(),
            totals: None,
            owed: Vec::new(),
            forks: process::forks(),
            reads: Reads::watched(watch_reads),
        })
    }

    /// Use permessage-deflate from now on, as it was negotiated (RFC 7692 §7.1).
    ///
    /// Args:
    ///     level: Of the compressor, 0 to 9.
    ///     min_size: Messages of fewer bytes are sent as they are.
    ///     client_max_window_bits: The window to compress with; messages are sent as they are if
    ///         zlib cannot compress with it.
    ///     client_no_context_takeover: Whether sent messages refer to no earlier ones.
    ///     server_no_context_takeover: Whether received messages refer to no earlier ones.
    #[pyo3(signature = (
        *, level, min_size, client_max_window_bits, client_no_context_takeover,
        server_no_context_takeover
    ))]
    fn use_deflate(
        &mut self,
        level: u32,
        min_size: usize,
        client_max_window_bits: u8,
        client_no_context_takeover: bool,
        server_no_context_takeover: bool,
    ) {
        self.core.inflate_with(Inflater::new(!server_no_context_takeover));
        self.compression =
            Deflater::new(level, client_max_window_bits, !client_no_context_takeover)
                .map(|deflater| Box::new(Compression { deflater, min_size }));
    }

    /// Take over an open transport (`asyncio.BaseProtocol.connection_made`), whose reading is paused
    /// until `feed` is called.
    fn connection_made(slf: &Bound<'_, Self>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        let write = transport.getattr(names::write(slf.py()))?.unbind();
        let is_closing = lowest(transport).getattr(names::is_closing(slf.py()))?.unbind();
        {
            let mut me = slf.borrow_mut();
            me.flow.write = Some(write);
            me.flow.is_closing = Some(is_closing);
            me.flow.begin();
            me.transport = Some(transport.clone().unbind());
        }
        anchor::hold(slf)
    }

    /// Let messages say when they were read, in their `extra`.
    ///
    /// Args:
    ///     clock: `time.monotonic`; a function that runs no Python code.
    fn take_times(&mut self, clock: Py<PyAny>) {
        self.reads.take_times(clock);
    }

    /// Add the counts to these when the connection is gone.
    fn count_in(&mut self, totals: &Totals) {
        self.totals = Some(totals.clone());
    }

    /// What the connection has done, in the order of the fields of `wsclient.Stats`.
    fn counts(slf: &Bound<'_, Self>) -> Vec<u64> {
        slf.borrow().row().to_vec()
    }

    /// The close code and what went wrong, as the WebSocket has them.
    fn outcome(slf: &Bound<'_, Self>) -> (Option<u16>, Option<Py<PyAny>>) {
        let me = slf.borrow();
        (me.close_code(), me.ending.exception.as_ref().map(|error| error.clone_ref(slf.py())))
    }

    /// Keep the newest messages instead of pausing reading.
    ///
    /// Args:
    ///     max_size: How many to keep; beyond that, the oldest is dropped.
    ///     key: Called with each text and binary `Message`. One with the same key takes the place
    ///         of the one before, unless that was taken or the key is `None`.
    #[pyo3(signature = (max_size, key = None))]
    fn keep_newest(slf: &Bound<'_, Self>, max_size: usize, key: Option<Py<PyAny>>) {
        let pushed = slf.borrow().inbox.len();
        let policy = Box::new(Policy::new(slf.py(), max_size, key, pushed));
        let earlier = slf.borrow_mut().inbox.policy.replace(policy);
        drop(earlier);
    }

    /// Use the socket past the transport where that is possible; see `direct`.
    ///
    /// Args:
    ///     socket: The transport's TCP socket, not blocking, without TLS. The transport does not close
    ///         it before it has called `connection_lost`.
    fn use_socket(&mut self, socket: &Bound<'_, PyAny>) -> PyResult<()> {
        let descriptor = call::method(socket, intern!(socket.py(), "fileno"), [])?;
        self.flow.socket = Socket::of(descriptor.extract()?);
        self.flow.holder = Some(socket.clone().unbind());
        // The transport may still have a part of the request.
        self.flow.queued = true;
        Ok(())
    }

    /// Let `receive()` ask the socket again and again before it suspends; see `use_socket`.
    ///
    /// Args:
    ///     seconds: For how long, before the event loop gets a turn.
    ///
    /// Raises:
    ///     ValueError: It is no such number.
    fn poll_busily(&mut self, seconds: f64) -> PyResult<()> {
        self.busy.set_limit(seconds).ok_or_else(|| {
            PyValueError::new_err(format!("busy_poll is {seconds}, expected 0 to 1 second"))
        })
    }

    /// Take bytes that were read before the transport was handed over, and read on.
    fn feed(slf: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        slf.borrow_mut().ingest(slf.py(), data);
        settle(slf)
    }

    /// A buffer to read into (`asyncio.BufferedProtocol.get_buffer`).
    #[pyo3(signature = (sizehint, /))]
    fn get_buffer(slf: &Bound<'_, Self>, sizehint: isize) -> PyResult<Py<PyAny>> {
        let _ = sizehint;
        scratch::view(slf.py()).map(Py::into_any)
    }

    /// Parse what was read (`asyncio.BufferedProtocol.buffer_updated`).
    #[pyo3(signature = (nbytes, /))]
    fn buffer_updated(slf: &Bound<'_, Self>, nbytes: usize) -> PyResult<()> {
        let py = slf.py();
        scratch::with(py, |buffer| {
            let mut me = slf.borrow_mut();
            me.reads.note(py);
            me.ingest(py, &buffer[..nbytes.min(buffer.len())]);
        })?;
        settle(slf)
    }

    /// The event loop's callback, if the transport leaves reading to its protocol: the socket has
    /// something to read.
    fn _read_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        direct::read_ready(slf)
    }

    /// The peer sends nothing more (`asyncio.Protocol.eof_received`).
    fn eof_received(slf: &Bound<'_, Self>) -> PyResult<bool> {
        closing::end_of_file(slf)?;
        Ok(false)
    }

    /// The transport is gone (`asyncio.BaseProtocol.connection_lost`).
    fn connection_lost(slf: &Bound<'_, Self>, exc: Option<Py<PyAny>>) -> PyResult<()> {
        closing::lost(slf, exc)
    }

    /// The transport's buffer is full (`asyncio.BaseProtocol.pause_writing`).
    fn pause_writing(&mut self) {
        self.flow.write_paused = true;
    }

    /// The transport's buffer has room (`asyncio.BaseProtocol.resume_writing`).
    fn resume_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        flow::resume_writing(slf)
    }

    /// Whether reading is paused from this side, by backpressure or by the user.
    #[getter]
    fn reading_paused(&self) -> bool {
        self.flow.is_paused()
    }

    /// Seconds since bytes were last read; `None` unless `watch_reads`.
    #[getter]
    fn idle_time(&self) -> Option<f64> {
        self.reads.idle()
    }

    /// Whether neither side has ended the connection, so that a ping can be sent and may be answered.
    #[getter]
    fn alive(&self) -> bool {
        self.is_open() && self.ending.deferred.is_none()
    }

    /// Whether the connection comes to its end without anybody's doing more.
    #[getter]
    fn ending(&self) -> bool {
        self.ending.is_on_its_way()
    }

    /// Whether the transport is gone.
    #[getter]
    fn lost(&self) -> bool {
        self.ending.lost
    }

    /// Fail the connection at once, with no closing handshake: one `error` message, then `closed`.
    ///
    /// Args:
    ///     exception: What the user is told.
    fn fail_with(slf: &Bound<'_, Self>, exception: &Bound<'_, PyAny>) -> PyResult<()> {
        let reason = exception.str()?.to_string();
        {
            let mut me = slf.borrow_mut();
            // What was read before is the user's.
            me.read_to_the_end(slf.py());
            me.give_up(exception, reason);
        }
        settle(slf)
    }

    /// Begin the closing handshake (§7.1.2), or finish the one that the peer began.
    ///
    /// Args:
    ///     code: The close code to send.
    ///     message: The reason to send.
    ///
    /// Returns:
    ///     Whether a close frame was sent: `False` if one was before, or the connection is gone.
    ///
    /// Raises:
    ///     ValueError: The code must not be sent, or the reason is longer than 123 bytes or not
    ///         UTF-8.
    fn start_close(
        slf: &Bound<'_, Self>,
        code: &Bound<'_, PyAny>,
        message: &Bound<'_, PyAny>,
    ) -> PyResult<bool> {
        closing::start(slf, code, message)
    }

    /// The timer's callback: the messages before the peer's end are not taken, but time is up.
    fn _end_now(slf: &Bound<'_, Self>) -> PyResult<()> {
        slf.borrow_mut().reach_end();
        settle(slf)
    }

    /// A future that is done when the transport is gone, or `None` if it is.
    fn wait_lost(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        closing::wait_lost(slf)
    }

    /// Drop the connection, and what is not written yet, at once.
    ///
    /// Args:
    ///     exception: Why, if there is more to say than that this side wanted it.
    #[pyo3(signature = (exception = None))]
    fn abort(slf: &Bound<'_, Self>, exception: Option<Py<PyAny>>) -> PyResult<()> {
        {
            let mut me = slf.borrow_mut();
            me.ending.abort = true;
            if exception.is_some() {
                me.ending.set_exception(exception);
            }
        }
        settle(slf)
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        visit.call(&self.event_loop)?;
        visit.call(&self.options.dialect)?;
        visit.call(&self.transport)?;
        visit.call(&self.reader)?;
        visit.call(&self.future)?;
        visit.call(&self.spare)?;
        self.inbox.traverse(&visit)?;
        self.flow.traverse(&visit)?;
        self.ending.traverse(&visit)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let held = {
            let me = &mut *slf.borrow_mut();
            (
                (me.transport.take(), me.reader.take(), me.future.take(), me.spare.take()),
                (mem::take(&mut me.inbox), me.gathering.take()),
                (mem::take(&mut me.flow), mem::take(&mut me.ending)),
            )
        };
        drop(held);
    }
}
