//! What an open WebSocket holds on asyncio.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator};
use pyo3::{PyTraverseError, PyVisit};

use super::backlog::Backlog;
use super::make::{Maker, Making};
use super::polled::{Busy, Polled};
use super::thread::Home;
use crate::endpoint::{Endpoint, Kind, Phase, Settings};
use crate::memory::Rare;
use crate::python::cpython::cython::Writer;
use crate::python::socket::Socket;
use crate::python::values::alert::Alert;
use crate::python::values::dialect::Dialect;
use crate::python::values::message::Content;
use crate::python::values::totals::Totals;
use crate::registry::Opcode;

/// The asyncio protocol of an open WebSocket.
///
/// Args:
///     loop: The event loop of the transport.
///     resume_reading: Called with the transport to let it read again after `pause_reading()`.
///     max_msg_size: The largest message to take, in bytes; 0 for no limit.
///     max_frame_size: The largest payload of a data frame to take, likewise.
///     autoclose: Answer the peer's close frame.
///     autoping: Answer pings, and keep pongs to oneself.
///     decode_text: Text messages as `str`, else as `bytes`.
///     watch_reads: Take the time of each read, for `idle_time`.
///     dialect: What makes messages and errors; `None` makes this package's own.
#[pyclass(subclass, module = "wsclient._core")]
pub struct Protocol {
    pub endpoint: Endpoint<Content>,
    pub maker: Maker,
    pub transport: Transport,
    pub home: Arc<Home>,
    /// The `receive()` that waits.
    pub reader: Option<Py<Receive>>,
    /// What the reader waits for; used again and again unless it gets finished or cancelled.
    pub future: Option<Py<PyAny>>,
    /// The last `receive()`, to be used again.
    pub spare: Option<Py<Receive>>,
    /// The last send that was a coroutine, likewise.
    pub spare_sending: Option<Py<Sending>>,
    /// Futures of the pings whose pongs are awaited, the oldest first.
    pub pings: Rare<VecDeque<Py<PyAny>>>,
    /// Asks for the keys of messages, if the queue has such.
    pub keys: Option<Box<Keys>>,
    /// If it has `busy_poll`.
    pub busy: Option<Box<Busy>>,
    pub failures: Failures,
    /// Where the counts go in the end.
    pub totals: Option<Totals>,
}

/// What an awaitable is to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// The next message.
    One,
    /// The next message, or the end of an `async for`.
    Next,
    /// The next message's data, where nothing else is handed out.
    Data,
    /// The same, or the end of an `async for`.
    NextData,
    /// The text of the next message, which is to be one of text.
    Text,
    /// The bytes of the next message, which is to be a binary one.
    Binary,
    /// What the text of the next message says in JSON.
    Json,
    /// The texts of all messages up to one of another kind; the next is to be one of text.
    Texts,
    /// The bytes of all up to one of another kind; the next is to be a binary one.
    Binaries,
    /// All messages that are there, at least one.
    All,
    /// The first part of the next message, or what comes instead.
    Part,
    /// The next part of the message whose first was that.
    NextPart,
}

impl Wanted {
    /// Whether it is data alone.
    #[inline]
    pub fn is_data(self) -> bool {
        matches!(self, Self::Data | Self::NextData)
    }

    /// Whether it is the data of messages of one kind alone.
    #[inline]
    pub fn is_typed(self) -> bool {
        matches!(self, Self::Text | Self::Binary | Self::Json | Self::Texts | Self::Binaries)
    }

    /// Whether it is that of as many as there are.
    pub fn is_batch(self) -> bool {
        matches!(self, Self::Texts | Self::Binaries)
    }

    /// Which kind, if it is of one alone.
    pub fn kind(self) -> Kind {
        if matches!(self, Self::Binary | Self::Binaries) { Kind::Binary } else { Kind::Text }
    }

    /// Whether it is a part of a message.
    pub fn is_part(self) -> bool {
        matches!(self, Self::Part | Self::NextPart)
    }
}

/// How far an awaitable for a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaited {
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
    /// Not awaited yet, and it wants a part of a message: the endpoint does not know.
    Unasked,
}

/// An awaitable for the next message.
#[pyclass(module = "wsclient._core", weakref)]
pub struct Receive {
    pub protocol: Py<Protocol>,
    /// The WebSocket, kept from being dropped while this is awaited.
    pub response: Option<Py<PyAny>>,
    pub wanted: Wanted,
    /// Asked before the connection is looked at, where that may be another thread's: of what was made
    /// there, and without the GIL always.
    pub home: Option<Arc<Home>>,
    /// What parses JSON, if that is not Python's own.
    pub loads: Option<Py<PyAny>>,
    /// Whether the connection has a `Dialect`.
    pub dialect: bool,
    /// Seconds.
    pub timeout: Option<f64>,
    pub state: Awaited,
    pub timer: Option<Py<PyAny>>,
}

/// What `send_str()` and its like return where they are coroutines: a frame that is sent when this is
/// awaited, and not before. Whatever is wrong with it is told there.
#[pyclass(module = "wsclient._core")]
pub struct Sending {
    pub protocol: Py<Protocol>,
    pub home: Arc<Home>,
    pub opcode: Opcode,
    /// The name of the method that has returned it.
    pub method: &'static str,
    /// `None` when it has been sent, or never will be.
    pub due: Option<Unsent>,
    pub waiting: Option<Py<PyIterator>>,
}

/// What is to be sent.
pub struct Unsent {
    /// The WebSocket, kept until then.
    pub response: Py<PyAny>,
    pub data: Py<PyAny>,
    pub compress: Option<Py<PyAny>>,
}

/// What went wrong, as exceptions.
#[derive(Default)]
pub struct Failures {
    /// What this side or the transport knows of.
    pub known: Option<Py<PyAny>>,
    /// How the peer broke the protocol, made when somebody wants to know.
    pub violation: Option<Py<PyAny>>,
}

/// What a connection knows of its transport.
#[derive(Default)]
pub struct Transport {
    /// `None` before there is one.
    pub object: Option<Py<PyAny>>,
    /// What lets a transport read again: their own `resume_reading` is not always enough.
    pub resume_reading: Option<Py<PyAny>>,
    /// `None` when it is gone.
    pub write: Option<Writer>,
    /// The bound `is_closing` of the transport that meets the socket, likewise.
    pub is_closing: Option<Py<PyAny>>,
    /// Raised when the answer may have changed; `None` where that is not told.
    pub alert: Option<Py<Alert>>,
    /// What `busy_poll` asks where the socket cannot be used past the transport.
    pub polled: Option<Box<Polled>>,
    /// The socket of a transport that can be passed by.
    pub socket: Option<Socket>,
    /// What has that socket, as long as `socket` is used. Not shown to the garbage collector, which
    /// would finalize the socket of a forgotten connection, and with it free its number for another,
    /// before the connection is told.
    holder: Option<Py<PyAny>>,
    /// The transport may have something queued that has to go out first.
    pub queued: bool,
    /// How often it was given something; wraps around.
    pub writes: u32,
    /// While it takes something: the frames that come behind that.
    pub behind: Option<Vec<u8>>,
    /// What goes to it together, and what waits until it has room.
    pub backlog: Backlog,
    /// The `TimerHandle` of the ending's step under way.
    pub timer: Option<Py<PyAny>>,
    pub waiters: Rare<Waiters>,
}

/// Futures of those who wait for something of a transport.
#[derive(Default)]
pub struct Waiters {
    /// For room to write.
    pub senders: Vec<Py<PyAny>>,
    /// For the end of a message in fragments.
    pub turns: Vec<Py<PyAny>>,
    /// For its end.
    pub closers: Vec<Py<PyAny>>,
}

impl Transport {
    pub fn new(resume_reading: Py<PyAny>) -> Self {
        Self { resume_reading: Some(resume_reading), ..Self::default() }
    }

    /// Use its socket past it.
    pub fn pass_by(&mut self, socket: Option<Socket>, holder: Py<PyAny>) {
        self.socket = socket;
        self.holder = Some(holder);
        // It may still have a part of the request.
        self.queued = true;
    }

    /// How many bytes it has not been given yet.
    pub fn to_come(&self) -> usize {
        self.behind.as_ref().map_or(0, Vec::len) + self.backlog.size()
    }

    /// It is given something.
    pub fn given(&mut self) {
        self.queued = true;
        self.writes = self.writes.wrapping_add(1);
    }

    /// The transport is gone; what it was is to be dropped when the connection is not borrowed.
    pub fn end(&mut self) -> impl Sized + use<> {
        self.socket = None;
        (
            (self.holder.take(), self.write.take(), self.is_closing.take(), self.alert.take()),
            (self.polled.take(), self.backlog.lose()),
        )
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.object)?;
        visit.call(&self.resume_reading)?;
        self.write.as_ref().map_or(Ok(()), |write| write.traverse(visit))?;
        visit.call(&self.is_closing)?;
        self.polled.as_ref().map_or(Ok(()), |polled| polled.traverse(visit))?;
        visit.call(&self.timer)?;
        self.backlog.traverse(visit)?;
        self.waiters.get().map_or(Ok(()), |waiters| waiters.traverse(visit))
    }
}

impl Waiters {
    fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut all = self.senders.iter().chain(&self.turns).chain(&self.closers);
        all.try_for_each(|waiter| visit.call(waiter))
    }
}

/// The user's function for the keys of messages, and what it has said.
pub struct Keys {
    pub function: Py<PyAny>,
    /// By key, the number of the last message that had it.
    pub latest: Py<PyDict>,
}

impl Keys {
    pub fn new(py: Python<'_>, function: Py<PyAny>) -> Self {
        Self { function, latest: PyDict::new(py).unbind() }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        visit.call(&self.latest)
    }
}

impl Protocol {
    pub fn with(home: Home, maker: Maker, settings: Settings, resume_reading: Py<PyAny>) -> Self {
        Self {
            endpoint: Endpoint::new(settings),
            maker,
            transport: Transport::new(resume_reading),
            home: Arc::new(home),
            reader: None,
            future: None,
            spare: None,
            spare_sending: None,
            pings: Rare::default(),
            keys: None,
            busy: None,
            failures: Failures::default(),
            totals: None,
        }
    }

    /// Its endpoint, and what makes messages for that.
    #[inline]
    pub fn at_work<'a, 'py>(
        &'a mut self,
        py: Python<'py>,
    ) -> (&'a mut Endpoint<Content>, Making<'a, 'py>) {
        (&mut self.endpoint, self.maker.attached(py))
    }

    #[inline]
    pub fn event_loop<'py>(&self, py: Python<'py>) -> Bound<'py, PyAny> {
        self.home.event_loop(py)
    }

    /// What makes this connection's messages, if not this package.
    #[inline]
    pub fn dialect(&self, py: Python<'_>) -> Option<Py<Dialect>> {
        self.maker.dialect.as_ref().map(|dialect| dialect.clone_ref(py))
    }

    /// Whether the transport is gone.
    #[inline]
    pub fn is_lost(&self) -> bool {
        self.endpoint.phase() == Phase::Gone
    }

    /// Whether anything is known of how it ended.
    pub fn is_explained(&self) -> bool {
        self.endpoint.fate().is_some() || self.failures.known.is_some()
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.home.traverse(visit)?;
        visit.call(&self.maker.dialect)?;
        for item in self.endpoint.items() {
            visit.call(&item.content.data)?;
            visit.call(&item.content.extra)?;
        }
        visit.call(&self.reader)?;
        visit.call(&self.future)?;
        visit.call(&self.spare)?;
        visit.call(&self.spare_sending)?;
        self.pings.get().into_iter().flatten().try_for_each(|future| visit.call(future))?;
        visit.call(&self.failures.known)?;
        visit.call(&self.failures.violation)?;
        self.keys.as_ref().map_or(Ok(()), |keys| keys.traverse(visit))?;
        self.transport.traverse(visit)
    }

    /// Let go of all that may be part of a cycle; it is dropped when the connection is not borrowed.
    pub fn clear(&mut self) -> impl Sized + use<> {
        (
            (self.reader.take(), self.future.take(), self.keys.take()),
            (self.spare.take(), self.spare_sending.take(), mem::take(&mut self.pings)),
            mem::replace(&mut self.endpoint, Endpoint::new(Settings::default())),
            (mem::take(&mut self.transport), mem::take(&mut self.failures)),
        )
    }
}

impl Drop for Protocol {
    fn drop(&mut self) {
        if let Some(totals) = &self.totals {
            totals.add(&self.endpoint.row());
        }
    }
}
