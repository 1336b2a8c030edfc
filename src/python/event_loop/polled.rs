//! What `busy_poll` knows: for how long, and whom it asks.

use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use crate::python::socket::Socket;

/// The socket of a transport that cannot be passed by: with TLS, only the transport knows what the bytes
/// mean.
pub struct Polled {
    pub socket: Socket,
    /// What has it, not shown to the garbage collector; see `Transport::holder`.
    _holder: Py<PyAny>,
    /// Lets the transport read at once, as the event loop would; `None` if only that can.
    pub read: Option<Py<PyAny>>,
    /// Says how many bytes have not left yet.
    pub unsent: Py<PyAny>,
    /// The transport may hold what it has read already until the event loop's next turn, so that asking
    /// the socket says nothing.
    pub withholds: bool,
}

impl Polled {
    pub fn new(
        socket: Socket,
        holder: Py<PyAny>,
        read: Option<Py<PyAny>>,
        unsent: Py<PyAny>,
    ) -> Self {
        // With the handshake, the server's first message may have come.
        Self { socket, _holder: holder, read, unsent, withholds: true }
    }

    /// The transport has handed over what it has read: all of it, unless the `buffer` is `full`.
    pub fn handed_over(&mut self, full: bool) {
        self.withholds = full;
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.read)?;
        visit.call(&self.unsent)
    }
}

/// The event loop cannot wait longer, nor can Ctrl-C.
const LONGEST: Duration = Duration::from_secs(1);

/// The time that a connection may poll for.
pub struct Busy {
    /// For this long in a row, before the event loop gets its turn.
    limit: Duration,
    /// When it began, if the event loop has not had a turn since.
    since: Option<Instant>,
}

impl Busy {
    /// One that polls for so many seconds; `None` if they are no such number, or too many.
    pub fn new(seconds: f64) -> Option<Self> {
        let limit = Duration::try_from_secs_f64(seconds).ok().filter(|limit| *limit <= LONGEST)?;
        Some(Self { limit, since: None })
    }

    /// Whether it polls at all.
    #[inline]
    pub fn is_on(&self) -> bool {
        !self.limit.is_zero()
    }

    /// The event loop gets its turn.
    #[inline]
    pub fn give_way(&mut self) {
        self.since = None;
    }

    /// When it is to give way, at the latest.
    pub fn deadline(&mut self, now: Instant) -> Instant {
        *self.since.get_or_insert(now) + self.limit
    }
}
