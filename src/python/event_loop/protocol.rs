//! `Protocol`, as the event loop and this package's Python code see it.

use std::mem;

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyType};

use super::make::Maker;
use super::polled::{Busy, Polled};
use super::prepare::prepare;
use super::reads::Reads;
use super::settle::settle;
use super::state::{Keys, Protocol};
use super::thread::Home;
use super::{anchor, batch, failure, reader, reading, transport};
use crate::close::CloseFrame;
use crate::connection::UNLIMITED;
use crate::deflate::{Deflater, Inflater};
use crate::endpoint::{Compression, Fate, Settings};
use crate::python::cpython::call;
use crate::python::cpython::cython::Tables;
use crate::python::socket::{Socket, scratch};
use crate::python::values::dialect::Dialect;
use crate::python::values::journal::{Journal, Record};
use crate::python::values::totals::Totals;

type CloseParts = (Option<u16>, String);

#[pymethods]
impl Protocol {
    #[new]
    #[expect(clippy::fn_params_excessive_bools, reason = "aiohttp's parameters")]
    #[expect(clippy::too_many_arguments, reason = "each is a setting of its own")]
    #[pyo3(signature = (
        r#loop, *, resume_reading, max_msg_size = 4_194_304, max_frame_size = 0, autoclose = true,
        autoping = true, decode_text = true, watch_reads = false, dialect = None, only_data = false
    ))]
    fn new(
        py: Python<'_>,
        r#loop: Py<PyAny>,
        resume_reading: Py<PyAny>,
        max_msg_size: u64,
        max_frame_size: u64,
        autoclose: bool,
        autoping: bool,
        decode_text: bool,
        watch_reads: bool,
        dialect: Option<Py<Dialect>>,
        only_data: bool,
    ) -> PyResult<Self> {
        prepare(r#loop.bind(py))?;
        let limit = |size| if size == 0 { UNLIMITED } else { size };
        let settings = Settings {
            max_message_size: limit(max_msg_size),
            max_frame_size: limit(max_frame_size),
            autoclose,
            autoping,
            shows_close: dialect.is_some(),
            only_data,
        };
        let reads = watch_reads.then(|| Box::new(Reads::new()));
        let maker = Maker { decode_text, dialect, reads, gathering: None, record: None };
        Ok(Self::with(Home::here(r#loop), maker, settings, resume_reading))
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
        let deflater = Deflater::new(level, client_max_window_bits, !client_no_context_takeover);
        let compression = deflater.map(|deflater| Compression { deflater, min_size });
        self.endpoint.use_deflate(Inflater::new(!server_no_context_takeover), compression);
    }

    /// Take over an open transport (`asyncio.BaseProtocol.connection_made`), whose reading is paused
    /// until `feed` is called.
    fn connection_made(slf: &Bound<'_, Self>, transport: &Bound<'_, PyAny>) -> PyResult<()> {
        transport::connect(slf, transport)?;
        anchor::hold(slf)
    }

    /// Let messages say when they were read, in their `extra`.
    ///
    /// Args:
    ///     clock: `time.monotonic`; a function that runs no Python code.
    fn take_times(&mut self, clock: Py<PyAny>) {
        self.maker.watch().take_times(clock);
    }

    /// Record what is received and sent from now on.
    ///
    /// Args:
    ///     journal: Where.
    ///     number: What the connection is there, from its `open`.
    fn record_in(&mut self, journal: &Journal, number: u32) {
        self.maker.watch();
        self.maker.record = Some(Box::new(Record::new(journal, number)));
    }

    /// Add the counts to these when the connection is gone.
    fn count_in(&mut self, totals: &Totals) {
        self.totals = Some(totals.clone());
    }

    /// What the connection has done, in the order of the fields of `wsclient.Stats`.
    fn counts(slf: &Bound<'_, Self>) -> Vec<u64> {
        slf.borrow().endpoint.row().to_vec()
    }

    /// The close code and what went wrong, as the WebSocket has them.
    fn outcome(slf: &Bound<'_, Self>) -> (Option<u16>, Option<Py<PyAny>>) {
        let code = slf.borrow().endpoint.close_code();
        (code, failure::exception(slf))
    }

    /// The peer's close frame and this side's, each as code and reason, or `None`, and whether the
    /// peer's was there when this side's was sent.
    fn close_frames(&self) -> (Option<CloseParts>, Option<CloseParts>, bool) {
        let parts = |frame: &CloseFrame| (frame.code, frame.reason.clone());
        let theirs = match self.endpoint.fate() {
            Some(Fate::Closed(frame)) => Some(parts(frame)),
            _ => None,
        };
        let ours = self.endpoint.sent_close();
        (theirs, ours.map(|(frame, _)| parts(frame)), ours.is_some_and(|(_, answers)| *answers))
    }

    /// Keep the newest messages instead of pausing reading.
    ///
    /// Args:
    ///     max_size: How many to keep; beyond that, the oldest is dropped.
    ///     key: Called with each text and binary `Message`. One with the same key takes the place
    ///         of the one before, unless that was taken or the key is `None`.
    #[pyo3(signature = (max_size, key = None))]
    fn keep_newest(slf: &Bound<'_, Self>, max_size: usize, key: Option<Py<PyAny>>) {
        let keys = key.map(|key| Box::new(Keys::new(slf.py(), key)));
        let earlier = {
            let mut me = slf.borrow_mut();
            me.endpoint.keep_newest(max_size, keys.is_some());
            mem::replace(&mut me.keys, keys)
        };
        drop(earlier);
    }

    /// Pause reading when too many messages wait.
    ///
    /// Args:
    ///     high: How many are too many.
    ///     low: Reading goes on when so many or fewer wait.
    fn bound_messages(&mut self, high: usize, low: usize) {
        self.endpoint.bound_messages(high, low);
    }

    /// Use the socket past the transport where that is possible; see `event_loop/reading.rs`.
    ///
    /// Args:
    ///     socket: The transport's TCP socket, not blocking, without TLS. The transport does not close
    ///         it before it has called `connection_lost`.
    fn use_socket(&mut self, socket: &Bound<'_, PyAny>) -> PyResult<()> {
        let descriptor = call::method(socket, intern!(socket.py(), "fileno"), [])?;
        self.transport.pass_by(Socket::of(descriptor.extract()?), socket.clone().unbind());
        Ok(())
    }

    /// Let the transport be written to by functions of C, if it has them; see `cpython/cython.rs`.
    fn write_by_table(slf: &Bound<'_, Self>, tables: &Tables) -> PyResult<()> {
        transport::write_by_table(slf, tables)
    }

    /// Let a transport read for this by functions of C.
    ///
    /// Args:
    ///     link: What is to be the transport's protocol, of a class that is derived from aiofastnet's
    ///         and whose only slot holds this.
    ///     tables: What is known of that.
    ///
    /// Returns:
    ///     Whether that can be.
    fn read_by_table(slf: &Bound<'_, Self>, link: &Bound<'_, PyAny>, tables: &Tables) -> bool {
        tables.link(link, slf)
    }

    /// Which functions of C aiofastnet's classes have, by which transports are written to and read;
    /// `None` if that is not known.
    ///
    /// Args:
    ///     transport: `aiofastnet.Transport`.
    ///     protocol: `aiofastnet.Protocol`.
    ///     declared: What is in the `transport.pxd` beside them.
    #[staticmethod]
    fn tables(
        transport: &Bound<'_, PyType>,
        protocol: &Bound<'_, PyType>,
        declared: &Bound<'_, PyBytes>,
    ) -> PyResult<Option<Tables>> {
        Tables::of::<Self>(transport, protocol, declared)
    }

    /// Let the socket be asked by `receive()` that cannot be used past the transport; see
    /// `event_loop/busy.rs`.
    ///
    /// Args:
    ///     socket: The transport's, not blocking.
    ///     read: Lets the transport read when there is something, as the event loop would; `None` if
    ///         only that can.
    ///     unsent: Says how many bytes the transport has still to send.
    fn ask_socket(
        &mut self,
        socket: &Bound<'_, PyAny>,
        read: Option<Py<PyAny>>,
        unsent: Py<PyAny>,
    ) -> PyResult<()> {
        let descriptor = call::method(socket, intern!(socket.py(), "fileno"), [])?;
        let holder = socket.clone().unbind();
        self.transport.polled = Socket::of(descriptor.extract()?)
            .map(|socket| Box::new(Polled::new(socket, holder, read, unsent)));
        Ok(())
    }

    /// Let `receive()` ask the socket again and again before it suspends; see `use_socket` and
    /// `ask_socket`.
    ///
    /// Args:
    ///     seconds: For how long, before the event loop gets a turn.
    ///
    /// Raises:
    ///     ValueError: It is no such number.
    fn poll_busily(&mut self, seconds: f64) -> PyResult<()> {
        let busy = Busy::new(seconds).ok_or_else(|| {
            PyValueError::new_err(format!("busy_poll is {seconds}, expected 0 to 1 second"))
        })?;
        self.busy = busy.is_on().then(|| Box::new(busy));
        Ok(())
    }

    /// Take bytes that were read before the transport was handed over, and read on.
    fn feed(slf: &Bound<'_, Self>, data: &[u8]) -> PyResult<()> {
        reading::feed(slf, data)
    }

    /// A buffer to read into (`asyncio.BufferedProtocol.get_buffer`).
    #[pyo3(signature = (sizehint, /))]
    pub fn get_buffer(slf: &Bound<'_, Self>, sizehint: isize) -> PyResult<Py<PyAny>> {
        let _ = sizehint;
        scratch::view(slf.py()).map(Py::into_any)
    }

    /// Parse what was read (`asyncio.BufferedProtocol.buffer_updated`).
    #[pyo3(signature = (nbytes, /))]
    pub fn buffer_updated(slf: &Bound<'_, Self>, nbytes: usize) -> PyResult<()> {
        reading::buffer_updated(slf, nbytes)
    }

    /// The event loop's callback, if the transport leaves reading to its protocol: the socket has
    /// something to read.
    fn _read_ready(slf: &Bound<'_, Self>) -> PyResult<()> {
        reading::read_ready(slf)
    }

    /// The peer sends nothing more (`asyncio.Protocol.eof_received`).
    fn eof_received(slf: &Bound<'_, Self>) -> PyResult<bool> {
        reading::end_of_file(slf)?;
        Ok(false)
    }

    /// The transport is gone (`asyncio.BaseProtocol.connection_lost`).
    fn connection_lost(slf: &Bound<'_, Self>, exc: Option<Py<PyAny>>) -> PyResult<()> {
        reading::connection_lost(slf, exc)
    }

    /// The transport's buffer is full (`asyncio.BaseProtocol.pause_writing`).
    fn pause_writing(&mut self) {
        self.endpoint.pause_writing();
    }

    /// The transport's buffer has room (`asyncio.BaseProtocol.resume_writing`).
    fn resume_writing(slf: &Bound<'_, Self>) -> PyResult<()> {
        {
            let mut me = slf.borrow_mut();
            let (endpoint, mut making) = me.at_work(slf.py());
            endpoint.resume_writing(&mut making);
        }
        let written = batch::resume(slf);
        settle(slf)?;
        written
    }

    /// Whether reading is paused from this side, by backpressure or by the user.
    #[getter]
    fn reading_paused(&self) -> bool {
        self.endpoint.is_reading_paused()
    }

    /// Seconds since bytes were last read; `None` unless `watch_reads`.
    #[getter]
    fn idle_time(&self) -> Option<f64> {
        self.maker.reads.as_ref().map(|reads| reads.idle())
    }

    /// Whether neither side has ended the connection, so that a ping can be sent and may be answered.
    #[getter]
    fn alive(&self) -> bool {
        self.endpoint.is_alive()
    }

    /// Whether the connection comes to its end without anybody's doing more.
    #[getter]
    fn ending(&self) -> bool {
        self.endpoint.is_ending()
    }

    /// Whether the transport is gone.
    #[getter]
    fn lost(&self) -> bool {
        self.is_lost()
    }

    /// Refuse another thread than the event loop's, and a closed loop.
    ///
    /// Args:
    ///     doing: What the error names.
    ///
    /// Raises:
    ///     RuntimeError: The caller is in another thread, or the loop is closed.
    fn check_thread(&self, py: Python<'_>, doing: &str) -> PyResult<()> {
        self.home.check(py, doing)
    }

    /// Refuse to receive a message in parts where that cannot be.
    ///
    /// Raises:
    ///     RuntimeError: The connection has a `queue`, or no `autoping`.
    fn check_streaming(&self) -> PyResult<()> {
        match self.endpoint.streaming_obstacle() {
            None => Ok(()),
            Some(why) => Err(PyRuntimeError::new_err(format!("cannot receive_streaming() {why}"))),
        }
    }

    /// The number of the message that is received in parts, if it has more than have been taken; 0 if
    /// there is none.
    #[getter]
    fn streamed(&self) -> u64 {
        self.endpoint.streamed()
    }

    /// Discard the rest of that message.
    ///
    /// Raises:
    ///     RuntimeError: A task is waiting in `receive()`, or the caller is in another thread.
    fn leave_parts(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (home, dialect) = {
            let me = slf.borrow();
            (me.home.clone(), me.maker.dialect.is_some())
        };
        home.check(slf.py(), "stop receiving a message")?;
        if reader::has_reader(slf)? {
            return Err(reader::concurrent(dialect));
        }
        slf.borrow_mut().endpoint.leave_parts();
        settle(slf)
    }

    fn __traverse__(&self, visit: pyo3::PyVisit<'_>) -> Result<(), pyo3::PyTraverseError> {
        self.traverse(&visit)
    }

    fn __clear__(slf: &Bound<'_, Self>) {
        let held = slf.borrow_mut().clear();
        drop(held);
    }
}
